"""A role offered to somebody of elsewhere: theirs once they say yes, and not before."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.exc import ProgrammingError

from app import clock
from app.accounts import offers, people, privacy, queries, rights, roles
from app.accounts.models import PersonalData
from app.actor import Role
from app.db import new_id
from app.errors import Conflict, NotFound
from tests.worlds.organisations import Province, roles_of, somebody


def offer_to_khac(province: Province) -> UUID:
    """Minh names Khác, of another cooperative, by number and name, twice."""
    minh = province.actor("minh")
    for _ in range(2):
        with province.database.transaction(minh) as session:
            form = somebody("lý thị khác", "0912000003", Role.PURCHASER)
            assert people.add_person(session, minh, province["coop"], form) == province["khac"]
    found = province.one("SELECT id FROM role_offers")
    assert isinstance(found, UUID)
    return found


def minh_leaves(province: Province) -> None:
    """Minh, who made the offer, hands the cooperative over to Nữa."""
    admin = province.actor("admin")
    membership = province.one(
        "SELECT id FROM memberships WHERE person_id = :p AND valid_to IS NULL", p=province["minh"]
    )
    province.person("admin", "coop", "nua", "Lý Văn Nữa", Role.COOPERATIVE_MANAGER, "0912 000 066")
    with province.database.transaction(admin) as session:
        roles.end_role(session, admin, membership, province["coop"])


def test_somebody_of_elsewhere_is_asked_and_nothing_of_them_is_seen_before_they_accept(province: Province) -> None:
    offer_to_khac(province)
    assert roles_of(province, "khac") == ["cooperative_manager"]
    assert province.one("SELECT count(*) FROM outbox_events WHERE name = 'accounts.role_offered'") == 1
    minh = province.actor("minh")
    with province.database.transaction(minh) as session:
        assert session.get(PersonalData, province["khac"]) is None
        assert [(o.role, o.answered_at) for o in queries.offers_of(session, province["coop"]).rows] == [
            ("purchaser", None)
        ]
        with pytest.raises(NotFound):
            queries.looked_after(session, rights.look_after(session, minh, province["coop"]), province["khac"])
    assert province["coop"] not in province.actor("khac").organisations


def test_an_offer_from_elsewhere_takes_nobody_from_those_who_look_after_them(province: Province) -> None:
    khac, minh = province.actor("khac"), province.actor("minh")
    with province.database.transaction(khac) as session:
        form = somebody("Hoàng Thị Lành", "0912000005", Role.FARMER)
        people.add_person(session, khac, province["other_household"], form)
    with province.database.transaction(minh) as session:
        assert people.first_password(session, minh, province["household"], province["lanh"])


def test_who_accepts_has_the_role_and_who_declines_has_not(province: Province) -> None:
    offer, khac = offer_to_khac(province), province.actor("khac")
    for _ in range(2):  # the same word twice is no error
        with province.database.transaction(khac) as session:
            offers.answer_offer(session, khac, offer, accepted=False)
    assert roles_of(province, "khac") == ["cooperative_manager"]
    with pytest.raises(Conflict), province.database.transaction(khac) as session:
        offers.answer_offer(session, khac, offer, accepted=True)
    assert roles_of(province, "khac") == ["cooperative_manager"]
    with province.database.transaction(province.actor("minh")) as session:
        form = somebody("Lý Thị Khác", "0912000003", Role.PURCHASER)
        people.add_person(session, province.actor("minh"), province["coop"], form)
    again = province.one("SELECT id FROM role_offers WHERE answered_at IS NULL")
    with province.database.transaction(khac) as session:
        offers.answer_offer(session, khac, again, accepted=True)
    held = province.rows("SELECT organisation_id, role, granted_by FROM memberships WHERE person_id = :p AND role = 'purchaser'",
                         p=province["khac"])  # fmt: skip
    assert held == [(province["coop"], "purchaser", province["minh"])]


@pytest.mark.parametrize("over", ["old", "maker left"])
def test_an_offer_that_is_old_or_whose_maker_left_gives_nothing(
    province: Province, clock_at: Callable[[datetime], None], over: str
) -> None:
    offer, khac = offer_to_khac(province), province.actor("khac")
    if over == "old":
        clock_at(clock.now() + timedelta(days=31))
    else:
        minh_leaves(province)
    with pytest.raises(Conflict) as refused, province.database.transaction(khac) as session:
        offers.answer_offer(session, khac, offer, accepted=True)
    assert refused.value.code == "offer_over"
    assert roles_of(province, "khac") == ["cooperative_manager"]
    assert province.one("SELECT answered_at FROM role_offers WHERE id = :id", id=offer) is None


@pytest.mark.parametrize("over", ["old", "maker left"])
def test_an_offer_that_is_over_is_made_again(
    province: Province, clock_at: Callable[[datetime], None], over: str
) -> None:
    first, khac, by = offer_to_khac(province), province.actor("khac"), "minh"
    if over == "old":
        clock_at(clock.now() + timedelta(days=31))
    else:
        by = "nua"
        minh_leaves(province)
    manager = province.actor(by)
    for _ in range(2):  # the new one stands, so asking once more makes no third
        with province.database.transaction(manager) as session:
            form = somebody("Lý Thị Khác", "0912000003", Role.PURCHASER)
            people.add_person(session, manager, province["coop"], form)
    assert offer_rows(province) == [(False, None, province[by]), (False, None, None)]
    assert province.rows(WITHDRAWN) == [(province[by], province["khac"], province["coop"])]
    assert province.one("SELECT count(*) FROM outbox_events WHERE name = 'accounts.role_offered'") == 2
    again = province.one("SELECT id FROM role_offers WHERE withdrawn_at IS NULL")
    assert again != first
    with province.database.transaction(khac) as session:
        offers.answer_offer(session, khac, again, accepted=True)
    assert roles_of(province, "khac") == ["cooperative_manager", "purchaser"]


@pytest.mark.parametrize("by", ["minh", "lanh", "admin"])
def test_nobody_else_answers_an_offer(province: Province, by: str) -> None:
    offer, actor = offer_to_khac(province), province.actor(by)
    with pytest.raises(NotFound), province.database.transaction(actor) as session:
        offers.answer_offer(session, actor, offer, accepted=True)
    assert province.one("SELECT answered_at FROM role_offers") is None
    assert roles_of(province, "khac") == ["cooperative_manager"]


def test_an_offer_is_never_rewritten(province: Province) -> None:
    offer, khac = offer_to_khac(province), province.actor("khac")
    for change in ("role = 'cooperative_manager'", "person_id = NULL"):
        with pytest.raises(ProgrammingError, match="permission denied"), province.database.transaction(khac) as session:
            session.connection().exec_driver_sql(f"UPDATE role_offers SET {change} WHERE id = '{offer}'")
    assert province.rows("SELECT role, person_id FROM role_offers") == [("purchaser", province["khac"])]


def test_an_offer_is_declined_by_erasing(province: Province) -> None:
    province.person("admin", "other", "nua", "Lý Văn Nữa", Role.COOPERATIVE_MANAGER, "0912 000 066")
    offer_to_khac(province)
    khac = province.actor("khac")
    with province.database.transaction(khac) as session:
        privacy.erase(session, khac, new_id())
    assert province.rows("SELECT accepted, answered_at IS NOT NULL FROM role_offers") == [(False, True)]


def withdraw(province: Province, by: str, offer: UUID) -> None:
    actor = province.actor(by)
    with province.database.transaction(actor) as session:
        offers.withdraw_offer(session, actor, offer, province["coop"])


def offer_rows(province: Province) -> list[Any]:
    return province.rows("SELECT answered_at IS NOT NULL, accepted, withdrawn_by FROM role_offers ORDER BY offered_at")


WITHDRAWN = (
    "SELECT person_id, subject_id, organisation_id FROM audit_entries WHERE action = 'accounts:role:withdraw_offer'"
)


@pytest.mark.parametrize("by", ["minh", "nua", "admin"])
def test_who_manages_there_takes_an_open_offer_back_once(province: Province, by: str) -> None:
    province.person("admin", "coop", "nua", "Lý Văn Nữa", Role.COOPERATIVE_MANAGER, "0912 000 066")
    offer, khac = offer_to_khac(province), province.actor("khac")
    for _ in range(2):
        withdraw(province, by, offer)
    assert offer_rows(province) == [(False, None, province[by])]
    assert province.rows(WITHDRAWN) == [(province[by], province["khac"], province["coop"])]
    with province.database.transaction(khac) as session:
        assert queries.offers_to(session, province["khac"]) == []
    with province.database.transaction(province.actor("minh")) as session:
        assert queries.offers_of(session, province["coop"]).rows == []
    for accepted in (True, False):
        with pytest.raises(Conflict) as refused, province.database.transaction(khac) as session:
            offers.answer_offer(session, khac, offer, accepted=accepted)
        assert refused.value.code == "offer_withdrawn"
    assert roles_of(province, "khac") == ["cooperative_manager"]
    assert offer_rows(province) == [(False, None, province[by])]


def test_who_made_the_offer_and_manages_no_more_takes_it_back(province: Province) -> None:
    province.person("admin", "coop", "nua", "Lý Văn Nữa", Role.COOPERATIVE_MANAGER, "0912 000 066")
    offer, admin = offer_to_khac(province), province.actor("admin")
    province.also("minh", "coop", Role.PURCHASER)
    managing = province.one(
        "SELECT id FROM memberships WHERE person_id = :p AND role = 'cooperative_manager'", p=province["minh"]
    )
    with province.database.transaction(admin) as session:
        roles.end_role(session, admin, managing, province["coop"])
    withdraw(province, "minh", offer)
    assert offer_rows(province) == [(False, None, province["minh"])]


@pytest.mark.parametrize("by", ["khac", "lanh", "xa", "buyer"])
def test_nobody_else_takes_an_offer_back(province: Province, by: str) -> None:
    province.person("minh", "coop", "buyer", "Lý Văn Mua", Role.PURCHASER, "0912 000 067")
    offer = offer_to_khac(province)
    with pytest.raises(NotFound):
        withdraw(province, by, offer)
    assert offer_rows(province) == [(False, None, None)]
    assert province.rows(WITHDRAWN) == []


def test_an_answered_offer_is_not_taken_back(province: Province) -> None:
    offer, khac = offer_to_khac(province), province.actor("khac")
    with province.database.transaction(khac) as session:
        offers.answer_offer(session, khac, offer, accepted=True)
    with pytest.raises(Conflict) as refused:
        withdraw(province, "minh", offer)
    assert refused.value.code == "answered_already"
    assert offer_rows(province) == [(True, True, None)]
    assert roles_of(province, "khac") == ["cooperative_manager", "purchaser"]


def test_who_was_withdrawn_may_be_offered_the_role_again_and_may_erase(province: Province) -> None:
    province.person("admin", "other", "nua", "Lý Văn Nữa", Role.COOPERATIVE_MANAGER, "0912 000 066")
    withdraw(province, "minh", offer_to_khac(province))
    minh, khac = province.actor("minh"), province.actor("khac")
    with province.database.transaction(minh) as session:
        people.add_person(session, minh, province["coop"], somebody("Lý Thị Khác", "0912000003", Role.PURCHASER))
    with province.database.transaction(khac) as session:
        privacy.erase(session, khac, new_id())
    assert offer_rows(province) == [(False, None, province["minh"]), (True, False, None)]


def test_no_manager_writes_an_answer_for_the_person(province: Province) -> None:
    offer, minh = offer_to_khac(province), province.actor("minh")
    with pytest.raises(ProgrammingError, match="row-level security"), province.database.transaction(minh) as session:
        session.connection().exec_driver_sql(
            f"UPDATE role_offers SET answered_at = now(), accepted = true WHERE id = '{offer}'"
        )
    assert offer_rows(province) == [(False, None, None)]
    with province.database.transaction(province.actor("khac")) as session:
        offers.answer_offer(session, province.actor("khac"), offer, accepted=True)
    with province.database.transaction(minh) as session:
        wiped = session.connection().exec_driver_sql(
            f"UPDATE role_offers SET answered_at = NULL, accepted = NULL, withdrawn_at = now() WHERE id = '{offer}'"
        )
        assert wiped.rowcount == 0
    assert offer_rows(province) == [(True, True, None)]
    assert province.one("SELECT withdrawn_at FROM role_offers") is None

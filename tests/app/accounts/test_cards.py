"""A printed card: bound once, by the PIN or the cooperative's word, never by being looked at."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock
from app.accounts import cards, households, people, privacy, roles, signin, tokens
from app.accounts.cards import CardState
from app.accounts.models import AddressAs, Card, CardRequest, Membership, Purpose, SignInMethod
from app.accounts.schemas import PersonalChange, PrintCard
from app.accounts.signin import Granted
from app.actor import PUBLIC, SYSTEM, Actor, Role
from app.db import Database, new_id
from app.errors import Conflict, Forbidden, HoiError, Invalid, NotFound, TooMany
from tests.app.accounts.conftest import KEY, Province, make_province

PHONE = "a phone's cookie"
OTHER_PHONE = "another phone's cookie"


class Desk:
    """One cooperative's card for Lành, and what phones and managers do with it."""

    def __init__(self, province: Province, by: str = "minh", at: str = "coop", whose: str = "lanh") -> None:
        self.province = province
        self.by, self.at, self.whose = by, at, whose
        self.print()

    def print(self, **more: Any) -> None:
        manager = self.province.actor(self.by)
        form = PrintCard(id=new_id(), person_id=self.province[self.whose], **more)
        with self.province.database.transaction(manager) as session:
            card = cards.print_card(session, manager, self.province[self.at], form, key=KEY)
            _, self.secret, self.pin = cards.printed(session, manager, card.id, key=KEY)
        self.id = card.id

    @property
    def wrong_pin(self) -> str:
        return f"{(int(self.pin) + 1) % 10000:04d}"

    def scan(self, phone: str = PHONE) -> cards.Scan:
        with self.province.database.transaction(SYSTEM) as session:
            return cards.scan(session, self.secret, device_token=phone)

    def by_pin(self, pin: str, phone: str = PHONE) -> Granted | HoiError:
        with self.province.database.transaction(SYSTEM) as session:
            return cards.enter_by_pin(session, self.secret, pin, key=KEY, device_token=phone, agent="Chrome Android")

    def enter(self, phone: str = PHONE) -> Granted:
        with self.province.database.transaction(SYSTEM) as session:
            return cards.enter(session, self.secret, device_token=phone, agent="Chrome Android")

    def ask(self, phone: str = PHONE) -> CardRequest:
        with self.province.database.transaction(SYSTEM) as session:
            return cards.ask(session, self.secret, new_id(), device_token=phone, agent="Chrome Android")

    def decide(self, request: CardRequest, *, right: bool, by: str = "minh") -> None:
        manager = self.province.actor(by)
        with self.province.database.transaction(manager) as session:
            cards.decide(session, manager, request.id, right_person=right)

    def age(self, table: type[Card | CardRequest], by: timedelta) -> None:
        with self.province.database.transaction(SYSTEM) as session:
            for row in session.scalars(select(table)):
                row.expires_at -= by

    def devices(self) -> int:
        return int(self.province.one("SELECT count(*) FROM devices WHERE revoked_at IS NULL"))

    def who(self, granted: Granted) -> Actor:
        with self.province.database.transaction(SYSTEM) as session:
            return signin.actor_from_token(session, granted.token, "")


@pytest.fixture
def desk(province: Province) -> Desk:
    return Desk(province)


def test_a_secret_has_130_bits_and_is_stored_nowhere(desk: Desk) -> None:
    assert len(desk.secret) == 26
    assert set(desk.secret) <= set(tokens.ALPHABET)
    assert len(desk.pin) == 4
    stored = desk.province.rows("SELECT * FROM cards")[0]
    assert bytes(stored.secret_sha256) == tokens.digest(desk.secret)
    assert desk.secret not in str(stored)


def test_every_card_has_secrets_of_its_own() -> None:
    ids = [new_id() for _ in range(200)]
    assert len({tokens.card_secret(KEY, i) for i in ids}) == 200
    assert len({tokens.card_pin(KEY, i) for i in ids}) > 150
    assert tokens.card_secret(KEY, ids[0]) != tokens.card_secret(b"x" * 32, ids[0])


def test_a_secret_is_read_however_it_was_typed(desk: Desk) -> None:
    spelled = "-".join(desk.secret[i : i + 5] for i in range(0, 26, 5)).lower().replace("0", "o").replace("1", "l")
    assert tokens.read_secret(f"  {spelled} ") == desk.secret


@pytest.mark.parametrize("secret", ["", "0" * 25, "0" * 26, "U" * 26, "../../etc/passwd", "0" * 5000])
def test_a_card_that_does_not_exist(desk: Desk, secret: str) -> None:
    with pytest.raises(NotFound), desk.province.database.transaction(SYSTEM) as session:
        cards.scan(session, secret, device_token="")


def test_looking_at_a_card_binds_nothing(desk: Desk) -> None:
    for _ in range(10):
        seen = desk.scan()
    assert seen.state == CardState.FRESH
    assert (seen.person, seen.organisation, seen.pin_left) == ("bác Hoàng Thị Lành", "Đơn vị coop", 5)
    assert desk.devices() == 0
    assert desk.province.one("SELECT count(*) FROM card_requests") == 0
    assert desk.province.one("SELECT bound_at FROM cards") is None


def test_the_pin_binds_once_and_signs_in(desk: Desk) -> None:
    granted = desk.by_pin(desk.pin)
    assert isinstance(granted, Granted)
    assert desk.who(granted).organisations == {desk.province["household"]}
    assert desk.scan().state == CardState.BOUND_HERE
    assert desk.devices() == 1
    assert desk.who(desk.enter()).person_id == desk.province["lanh"]
    assert desk.devices() == 1
    refused = desk.by_pin(desk.pin, OTHER_PHONE)
    assert isinstance(refused, Forbidden)
    assert desk.scan(OTHER_PHONE).state == CardState.BOUND_ELSEWHERE
    assert desk.devices() == 1


def test_five_wrong_pins_leave_only_the_cooperative(desk: Desk) -> None:
    answers = [desk.by_pin(desk.wrong_pin) for _ in range(5)]
    assert [type(a) for a in answers] == [Invalid] * 4 + [Forbidden]
    assert isinstance(desk.by_pin(desk.pin), Forbidden)
    assert desk.scan().pin_left == 0
    assert desk.devices() == 0
    desk.decide(desk.ask(), right=True)
    assert desk.scan().state == CardState.BOUND_HERE


def test_twenty_pins_at_once_are_five_tries(fresh_database: Database) -> None:
    desk = Desk(make_province(fresh_database))
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda: answers.append(desk.by_pin(desk.wrong_pin))) for _ in range(20)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(answers) == 20
    assert desk.province.one("SELECT pin_tries FROM cards") == 5


def test_the_same_pin_on_ten_phones_at_once_binds_one(fresh_database: Database) -> None:
    desk = Desk(make_province(fresh_database))
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda n=n: answers.append(desk.by_pin(desk.pin, f"phone {n}"))) for n in range(10)
    ]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sum(isinstance(a, Granted) for a in answers) == 1
    assert desk.devices() == 1


def test_the_cooperatives_word_binds_the_waiting_phone(desk: Desk) -> None:
    request = desk.ask()
    assert desk.ask().id == request.id
    assert desk.scan().state == CardState.WAITING
    assert desk.scan().number == request.number
    assert desk.scan(OTHER_PHONE).state == CardState.FRESH
    with pytest.raises(Forbidden):
        desk.enter()
    desk.decide(request, right=True)
    desk.decide(request, right=True)
    assert desk.devices() == 1
    assert desk.who(desk.enter()).person_id == desk.province["lanh"]
    with pytest.raises(Forbidden):
        desk.enter(OTHER_PHONE)
    actions = {r.action for r in desk.province.rows("SELECT action FROM audit_entries")}
    assert {"accounts:card:print", "accounts:card:ask", "accounts:card:bind", "accounts:sign_in:start"} <= actions


def test_a_refused_phone_stays_out(desk: Desk) -> None:
    request = desk.ask()
    desk.decide(request, right=False)
    assert desk.scan().state == CardState.REFUSED
    with pytest.raises(Forbidden):
        desk.enter()
    with pytest.raises(Conflict):
        desk.decide(request, right=True)
    assert desk.devices() == 0


def test_a_request_runs_out_after_a_quarter_of_an_hour(desk: Desk) -> None:
    request = desk.ask()
    desk.age(CardRequest, timedelta(minutes=15))
    assert desk.scan().state == CardState.FRESH
    with pytest.raises(Conflict) as refused:
        desk.decide(request, right=True)
    assert refused.value.code == "request_over"
    assert desk.devices() == 0


def test_another_cooperatives_manager_has_no_say(desk: Desk) -> None:
    request = desk.ask()
    with pytest.raises(NotFound):
        desk.decide(request, right=True, by="khac")
    with pytest.raises(NotFound):
        desk.decide(request, right=True, by="lanh")
    assert desk.devices() == 0


def test_a_manager_of_a_household_that_left_has_no_say(desk: Desk) -> None:
    request, minh = desk.ask(), desk.province.actor("minh")
    yesterday = clock.today() - timedelta(days=1)
    with desk.province.database.transaction(minh) as session:
        households.end_household(session, minh, desk.province["household"], desk.province["coop"], on=yesterday)
    with pytest.raises(Forbidden):
        desk.decide(request, right=True)
    assert desk.devices() == 0


def test_another_phone_asks_after_the_first_is_bound(desk: Desk) -> None:
    desk.by_pin(desk.pin)
    request = desk.ask(OTHER_PHONE)
    with pytest.raises(Forbidden):
        desk.enter(OTHER_PHONE)
    desk.decide(request, right=True)
    assert desk.who(desk.enter(OTHER_PHONE)).person_id == desk.province["lanh"]
    assert desk.devices() == 2


def test_a_card_never_used_is_worth_nothing_after_seven_days(desk: Desk) -> None:
    request = desk.ask()
    desk.age(Card, timedelta(days=7))
    assert desk.scan(OTHER_PHONE).state == CardState.EXPIRED
    assert isinstance(desk.by_pin(desk.pin), Forbidden)
    with pytest.raises(Forbidden):
        desk.ask(OTHER_PHONE)
    with pytest.raises(Conflict):
        desk.decide(request, right=True)
    with pytest.raises(Conflict), desk.province.database.transaction(desk.province.actor("minh")) as session:
        cards.printed(session, desk.province.actor("minh"), desk.id, key=KEY)
    assert desk.devices() == 0


def test_a_bound_card_outlives_the_seven_days(desk: Desk) -> None:
    desk.by_pin(desk.pin)
    desk.age(Card, timedelta(days=70))
    assert desk.scan().state == CardState.BOUND_HERE
    assert desk.scan(OTHER_PHONE).state == CardState.BOUND_ELSEWHERE


def test_printing_anew_revokes_the_old_card_and_a_lost_ones_phones(desk: Desk) -> None:
    granted, old = desk.by_pin(desk.pin), desk.secret
    assert isinstance(granted, Granted)
    desk.print(old_card="broken")
    assert desk.who(granted).person_id == desk.province["lanh"]
    with desk.province.database.transaction(SYSTEM) as session:
        assert cards.scan(session, old, device_token=PHONE).state == CardState.REVOKED
    desk.print()
    assert desk.who(granted) == PUBLIC
    assert desk.province.one("SELECT count(*) FROM cards WHERE revoked_at IS NULL") == 1
    assert desk.devices() == 0


def test_the_same_print_twice_is_one_card(desk: Desk) -> None:
    minh = desk.province.actor("minh")
    form = PrintCard(id=desk.id, person_id=desk.province["lanh"])
    with desk.province.database.transaction(minh) as session:
        assert cards.print_card(session, minh, desk.province["coop"], form, key=KEY).id == desk.id
    assert desk.province.one("SELECT count(*) FROM cards") == 1


@pytest.mark.parametrize(("unbind", "still_bound"), [(False, 1), (True, 0)])
def test_signing_out_everywhere_unbinds_the_phones_when_asked(desk: Desk, *, unbind: bool, still_bound: int) -> None:
    granted = desk.by_pin(desk.pin)
    assert isinstance(granted, Granted)
    lanh = desk.province.actor("lanh")
    with desk.province.database.transaction(lanh) as session:
        assert cards.sign_out_everywhere(session, lanh, unbind=unbind) == 1
    assert desk.who(granted) == PUBLIC
    assert desk.devices() == still_bound
    assert desk.scan().state == (CardState.PHONE_GONE if unbind else CardState.BOUND_HERE)


@pytest.mark.parametrize("by", ["minh", "lanh"])
def test_a_lost_phone_is_out_at_once(desk: Desk, by: str) -> None:
    granted = desk.by_pin(desk.pin)
    assert isinstance(granted, Granted)
    device = desk.province.one("SELECT id FROM devices")
    actor = desk.province.actor(by)
    with desk.province.database.transaction(actor) as session:
        cards.revoke_device(session, actor, device)
    assert desk.who(granted) == PUBLIC
    with pytest.raises(Forbidden):
        desk.enter()
    assert desk.scan().state == CardState.PHONE_GONE


def test_a_found_phone_comes_back_by_the_cooperatives_word(desk: Desk) -> None:
    desk.by_pin(desk.pin)
    minh = desk.province.actor("minh")
    with desk.province.database.transaction(minh) as session:
        cards.revoke_device(session, minh, desk.province.one("SELECT id FROM devices"))
    desk.decide(desk.ask(), right=True)
    assert desk.who(desk.enter()).person_id == desk.province["lanh"]


@pytest.mark.parametrize("by", ["khac", "xa", "sau"])
def test_strangers_revoke_nothing(desk: Desk, by: str) -> None:
    desk.by_pin(desk.pin)
    device, actor = desk.province.one("SELECT id FROM devices"), desk.province.actor(by)
    with pytest.raises(NotFound), desk.province.database.transaction(actor) as session:
        cards.revoke_device(session, actor, device)
    with pytest.raises(NotFound), desk.province.database.transaction(actor) as session:
        cards.revoke_card(session, actor, desk.id)
    with pytest.raises(NotFound), desk.province.database.transaction(actor) as session:
        cards.printed(session, actor, desk.id, key=KEY)
    assert desk.devices() == 1
    assert desk.province.one("SELECT revoked_at FROM cards") is None


def test_nobody_prints_a_card_to_other_peoples_fields(province: Province) -> None:
    minh = province.actor("minh")
    with pytest.raises(Forbidden), province.database.transaction(minh) as session:
        cards.print_card(session, minh, province["coop"], PrintCard(id=new_id(), person_id=province["sau"]), key=KEY)
    with pytest.raises(Conflict), province.database.transaction(minh) as session:
        cards.print_card(session, minh, province["coop"], PrintCard(id=new_id(), person_id=province["minh"]), key=KEY)
    assert province.one("SELECT count(*) FROM cards") == 0


def test_a_card_is_not_asked_about_without_end(desk: Desk) -> None:
    for n in range(5):
        desk.ask(f"phone {n}")
    with pytest.raises(TooMany):
        desk.ask("phone 6")
    assert desk.province.one("SELECT count(*) FROM card_requests") == 5


def test_one_phone_may_hold_the_cards_of_a_whole_family(province: Province) -> None:
    mother, neighbour = Desk(province), Desk(province, by="khac", at="other", whose="sau")
    assert isinstance(mother.by_pin(mother.pin), Granted)
    assert isinstance(neighbour.by_pin(neighbour.pin), Granted)
    assert mother.who(mother.enter()).person_id == province["lanh"]
    assert neighbour.who(neighbour.enter()).person_id == province["sau"]


NEW_PHONE = PersonalChange(full_name="Hoàng Thị Lành", address_as=AddressAs.BAC, phone="0911 111 111")


def farming(session: Session, province: Province) -> UUID:
    """Lành's role in her household."""
    at_home = (Membership.person_id == province["lanh"], Membership.organisation_id == province["household"])
    return session.scalars(select(Membership.id).where(*at_home)).one()


DEEDS: dict[str, Callable[[Session, Actor, Province], object]] = {
    "erase": lambda s, a, _: privacy.erase(s, a, new_id()),
    "change": lambda s, a, p: people.change_personal_data(s, a, p["lanh"], NEW_PHONE),
    "everything": lambda s, a, _: privacy.everything_about(s, a),
    "consent": lambda s, a, _: privacy.answer_consents(s, a, {Purpose.ACCOUNT}),
    "withdraw": lambda s, a, _: privacy.withdraw(s, a, Purpose.PUBLIC_NAME),
    "leave": lambda s, a, p: roles.end_role(s, a, farming(s, p)),
    "sign_out": lambda s, a, _: cards.sign_out_everywhere(s, a),
}


def held_about(province: Province) -> dict[str, list[Any]]:
    """Every row that a deed over one's own person could write."""
    tables = ("people", "personal_data", "credentials", "memberships", "cards", "devices", "sign_ins", "consents",
              "data_requests", "outbox_events", "audit_entries")  # fmt: skip
    return {t: province.rows(f"SELECT x::text FROM {t} x ORDER BY 1") for t in tables}


def by_card(desk: Desk) -> Actor:
    granted = desk.by_pin(desk.pin)
    assert isinstance(granted, Granted)
    actor = desk.who(granted)
    assert actor.device_id is not None
    return actor


OWN_HOUSEHOLD: dict[str, Callable[[Session, Actor, Province], object]] = {
    "password": lambda s, a, p: people.first_password(s, a, p["household"], p["lanh"]),
    "end": lambda s, a, p: people.end_sign_ins(s, a, p["household"], p["lanh"]),
}


@pytest.mark.parametrize("deed", DEEDS | OWN_HOUSEHOLD)
@pytest.mark.parametrize(
    ("at", "role"),
    [("coop", Role.PURCHASER), ("other", Role.COOPERATIVE_MANAGER), ("office", Role.COMMUNE_OFFICIAL)],
)
def test_a_card_decides_nothing_over_who_is_more_than_a_farmer(desk: Desk, deed: str, at: str, role: Role) -> None:
    actor = by_card(desk)
    desk.province.also("lanh", at, role)
    before = held_about(desk.province)
    with pytest.raises(Forbidden) as refused, desk.province.database.transaction(actor) as session:
        (DEEDS | OWN_HOUSEHOLD)[deed](session, actor, desk.province)
    if deed in DEEDS:
        assert refused.value.code == "card_only_writes"
        assert refused.value.vi == "Máy vào bằng thẻ chỉ để ghi việc. Đăng nhập bằng mật khẩu để làm việc này."
        assert refused.value.en
    assert held_about(desk.province) == before


@pytest.mark.parametrize("deed", DEEDS)
def test_a_farmers_card_decides_over_the_farmer_as_before(desk: Desk, deed: str) -> None:
    actor = by_card(desk)
    with desk.province.database.transaction(actor) as session:
        DEEDS[deed](session, actor, desk.province)


def test_a_password_decides_over_who_is_more_than_a_farmer(province: Province) -> None:
    province.also("lanh", "coop", Role.PURCHASER)
    lanh = province.actor("lanh")
    for deed in ("change", "everything", "consent", "withdraw", "sign_out", "erase"):
        with province.database.transaction(lanh) as session:
            DEEDS[deed](session, lanh, province)
    assert province.one("SELECT count(*) FROM personal_data WHERE person_id = :p", p=province["lanh"]) == 0


def test_a_card_ends_its_own_sign_in_and_no_other_of_a_manager(desk: Desk) -> None:
    actor = by_card(desk)
    desk.province.also("lanh", "coop", Role.COOPERATIVE_MANAGER)
    with desk.province.database.transaction(SYSTEM) as session:
        other = signin.start(session, SYSTEM, desk.province["lanh"], method=SignInMethod.PASSWORD, agent="Firefox")
    before = held_about(desk.province)
    with pytest.raises(Forbidden) as refused, desk.province.database.transaction(actor) as session:
        signin.end(session, actor, other.sign_in_id)
    assert refused.value.code == "card_only_writes"
    assert held_about(desk.province) == before
    assert actor.sign_in_id is not None
    with desk.province.database.transaction(actor) as session:
        signin.end(session, actor, actor.sign_in_id)
    still = desk.province.rows("SELECT id FROM sign_ins WHERE ended_at IS NULL")
    assert still == [(other.sign_in_id,)]


@pytest.mark.parametrize(
    ("at", "role"),
    [("other", Role.PURCHASER), ("other", Role.COOPERATIVE_MANAGER), ("office", Role.COMMUNE_OFFICIAL)],
)
def test_no_card_for_who_has_another_role_elsewhere(province: Province, at: str, role: Role) -> None:
    province.also("lanh", at, role)
    minh, before = province.actor("minh"), held_about(province)
    form = PrintCard(id=new_id(), person_id=province["lanh"])
    with pytest.raises(Forbidden) as refused, province.database.transaction(minh) as session:
        cards.print_card(session, minh, province["coop"], form, key=KEY)
    assert refused.value.code == "roles_elsewhere"
    assert held_about(province) == before


def test_a_phone_that_waits_is_not_let_in_once_its_person_is_an_official(desk: Desk) -> None:
    request = desk.ask()
    desk.province.also("lanh", "office", Role.COMMUNE_OFFICIAL)
    with pytest.raises(Forbidden) as refused:
        desk.decide(request, right=True)
    assert refused.value.code == "roles_elsewhere"
    assert desk.devices() == 0
    assert desk.province.one("SELECT state FROM card_requests") == "waiting"


def test_a_purchaser_of_ones_own_cooperative_gets_a_card(province: Province) -> None:
    province.also("lanh", "coop", Role.PURCHASER)
    assert Desk(province).scan().state == CardState.FRESH


@pytest.mark.parametrize(("at", "role"), [("other", Role.PURCHASER), ("other_household", Role.FARMER)])
def test_buying_or_farming_elsewhere_prints_no_card_there(province: Province, at: str, role: Role) -> None:
    """Minh's own role at the other cooperative, or in its household, opens nobody else's role there."""
    province.also("minh", at, role)
    province.also("lanh", at, role)
    minh, before = province.actor("minh"), held_about(province)
    assert province[at] in minh.organisations
    form = PrintCard(id=new_id(), person_id=province["lanh"])
    with pytest.raises(Forbidden) as refused, province.database.transaction(minh) as session:
        cards.print_card(session, minh, province["coop"], form, key=KEY)
    assert refused.value.code == ("farmer_elsewhere" if role == Role.FARMER else "roles_elsewhere")
    assert held_about(province) == before

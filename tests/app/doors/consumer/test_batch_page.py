"""What the public page says, and that it says nothing else."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from app.accounts.models import Membership, Person
from app.actor import SYSTEM
from app.db import Database, Words, new_id
from app.doors.consumer import queries
from app.doors.consumer.queries import Gap, Line
from app.errors import NotFound
from app.products import certificates
from app.products.schemas import NewCertificate, WithdrawCertificate
from app.trace import batches
from app.trace.models import BatchSource
from app.trace.schemas import NewBatch
from tests.app.trace.farm import NOON, a_cycle, a_log, a_product, a_site, build, write

NOW = datetime(2026, 11, 23, 3, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _today(clock_at: Callable[[datetime], None]) -> None:
    clock_at(NOW)


def page(world: Any) -> queries.BatchPage:
    return queries.batch_page(world.session, world.code)


def test_the_page_names_product_people_place_and_harvest(world: Any) -> None:
    shown = page(world)
    assert shown.product == Words(vi="Na dai Chi Lăng", en="Chi Lang custard apple")
    assert shown.producer == "HTX nông sản Nà Mẫu"
    assert shown.growers == ("Hộ số 12 Nà Mẫu",)
    assert shown.villages == ("thôn Nà Mẫu, xã Chi Lăng Thử, tỉnh Mẫu Sơn Thử",)
    assert (shown.harvested_on, shown.quantity, shown.unit) == (date(2026, 8, 12), Decimal(640), "kg")
    assert (shown.kind, shown.state) == ("short", "open")


def test_the_way_is_newest_first_and_admits_what_nobody_wrote(world: Any) -> None:
    way = page(world).way
    assert [w.kind if isinstance(w, Line) else "gap" for w in way] == [
        "harvesting",
        "spraying",
        "gap",
        "weeding",
        "fertilising",
    ]
    assert way[2] == Gap(date(2026, 3, 22), date(2026, 7, 21))
    assert way[0].waited_days == 21
    assert page(world).confirmed == 1


def test_a_telephone_number_in_a_material_is_covered(world: Any) -> None:
    spraying = page(world).lines[1]
    assert spraying.material == "Chế phẩm sinh học, gọi [số đã che]"


def test_a_correction_replaces_its_step_and_a_withdrawn_step_is_gone(world: Any) -> None:
    world.log(
        "weeding",
        datetime(2026, 4, 2, 3, tzinfo=UTC),
        corrects_id=world.ids["weeded"],
        reason="nhầm ngày",
    )
    world.log(
        "fertilising",
        datetime(2026, 3, 4, 3, tzinfo=UTC),
        corrects_id=world.ids["fertilised"],
        withdrawn=True,
        reason="không có",
    )
    lines = page(world).lines
    assert [(line.kind, line.corrected) for line in lines] == [
        ("harvesting", False),
        ("spraying", False),
        ("weeding", True),
    ]
    assert lines[-1].day == date(2026, 4, 2)


def test_a_later_harvest_of_the_same_season_is_not_this_batchs(world: Any) -> None:
    world.log("harvesting", datetime(2026, 8, 11, 0, tzinfo=UTC), quantity=Decimal(5), unit="kg")
    assert [line.kind for line in page(world).lines].count("harvesting") == 1


def test_a_treatment_of_the_site_counts_whatever_season_it_names(world: Any) -> None:
    """Days to wait bind the site: leaving the season out hides nothing from the buyer."""
    spray = {"material": "Thuốc trừ nấm", "pre_harvest_days": 1, "cycle_id": None}
    world.log("spraying", datetime(2026, 8, 11, 3, tzinfo=UTC), **spray)
    world.log("weeding", datetime(2026, 8, 11, 4, tzinfo=UTC), cycle_id=None)
    world.log("spraying", datetime(2026, 2, 11, 3, tzinfo=UTC), **spray)
    lines = page(world).lines
    assert [(line.kind, line.day) for line in lines[:3]] == [
        ("harvesting", date(2026, 8, 12)),
        ("spraying", date(2026, 8, 11)),
        ("spraying", date(2026, 7, 22)),
    ]
    assert len(lines) == 5
    assert lines[0].waited_days == 1


def test_a_treatment_on_the_day_of_the_harvest_counts_whatever_hour_was_written(world: Any) -> None:
    world.log("spraying", datetime(2026, 8, 12, 9, tzinfo=UTC), material="x", pre_harvest_days=7)
    assert [line.waited_days for line in page(world).lines if line.kind == "harvesting"] == [0]


@pytest.mark.parametrize("cycle", [True, False])
def test_a_treatment_of_which_the_days_to_wait_are_unknown_leaves_no_reassuring_number(
    world: Any,
    cycle: bool,  # noqa: FBT001
) -> None:
    elsewhere = {} if cycle else {"cycle_id": None}
    world.log("spraying", datetime(2026, 8, 12, 1, tzinfo=UTC), material="x", **elsewhere)
    harvested, sprayed = (next(x for x in page(world).lines if x.kind == k) for k in ("harvesting", "spraying"))
    assert (harvested.waited_days, harvested.last_treated) == (None, date(2026, 8, 12))
    assert (sprayed.day, sprayed.wait_unknown) == (date(2026, 8, 12), True)


def test_a_treatment_without_a_day_to_wait_is_the_last_one_whatever_season_it_names(world: Any) -> None:
    world.log("spraying", datetime(2026, 8, 10, 1, tzinfo=UTC), material="x", pre_harvest_days=0, cycle_id=None)
    harvested = page(world).lines[0]
    assert (harvested.waited_days, harvested.last_treated) == (2, date(2026, 8, 10))


def test_what_was_written_in_the_place_of_the_household_confirms_nothing(world: Any) -> None:
    helper = world.add("helper", Person(created_at=NOW))
    day = datetime(2026, 8, 1, 3, tzinfo=UTC)
    saw = {"witness": "cooperative", "written_by": helper, "witnessed_by": helper}
    world.log("weeding", day, **saw)
    world.log("weeding", day, **saw, performed_by=None)
    world.log("weeding", day, witness="cooperative", witnessed_by=helper)
    shown = page(world)
    assert (shown.confirmed, shown.written_for_another) == (2, 2)


@pytest.mark.parametrize(("role", "what"), [("cooperative_manager", "cooperative"), ("extension_officer", "officer")])
def test_what_somebody_from_outside_wrote_is_not_called_the_households_word(world: Any, role: str, what: str) -> None:
    helper = world.add("helper", Person(created_at=NOW))
    world.add(
        "helps",
        Membership(
            person_id=helper, organisation_id=world.ids["cooperative"], role=role, valid_from=date(2020, 1, 1),
            valid_to=None, recorded_at=NOW,
        ),
    )  # fmt: skip
    day = datetime(2026, 8, 1, 3, tzinfo=UTC)
    before = page(world).confirmed
    own = {"performed_by": helper, "written_by": helper}
    world.log("weeding", day, **own)
    world.log("weeding", day, **own, witness=what, witnessed_by=helper)
    world.log("weeding", day, written_by=helper)
    world.log("weeding", day)
    shown = page(world)
    assert [(x.outsider, x.own_work, x.for_another) for x in shown.lines if x.kind == "weeding" and x.day == day.date()] == [
        (None, False, False), (what, False, True), (what, True, False), (what, True, False),
    ]  # fmt: skip
    assert shown.confirmed == before


def test_what_an_outsider_wrote_on_the_day_their_role_ended_was_theirs_until_that_moment(world: Any) -> None:
    day = datetime(2026, 8, 1, 3, tzinfo=UTC)
    helper = world.add("helper", Person(created_at=NOW))
    world.add(
        "helped",
        Membership(
            person_id=helper, organisation_id=world.ids["cooperative"], role="cooperative_manager",
            valid_from=date(2020, 1, 1), valid_to=date(2026, 7, 31), recorded_at=NOW, ended_at=day + timedelta(hours=2),
        ),
    )  # fmt: skip
    for hour in (1, 2):
        world.log("weeding", day + timedelta(hours=hour), written_by=helper)
    assert [x.outsider for x in page(world).lines if x.kind == "weeding" and x.day == day.date()] == [
        None, "cooperative",
    ]  # fmt: skip


def test_a_batch_of_several_harvests_says_each_day(world: Any) -> None:
    at = datetime(2026, 8, 9, 3, tzinfo=UTC)
    first = world.log("harvesting", at, quantity=Decimal(5), unit="kg")
    world.session.add(
        BatchSource(
            batch_id=world.ids["batch"], care_log_id=first, organisation_id=world.ids["cooperative"],
            log_organisation_id=world.ids["household"], quantity=Decimal(5), unit="kg",
        )
    )  # fmt: skip
    world.session.flush()
    assert page(world).harvest_days == (date(2026, 8, 9), date(2026, 8, 12))


def test_the_stars_of_ocop_are_no_standard(world: Any) -> None:
    world.certificate("12/QĐ", valid_to=date(2027, 6, 1))
    world.certificate("9/VG", valid_to=date(2027, 6, 1), scheme="vietgap", stars=None)
    world.certificate("8/VG", valid_to=date(2026, 8, 1), scheme="vietgap", stars=None)
    assert [c.number for c in page(world).standards] == ["9/VG"]


def test_a_machine_is_nobody_who_confirms(world: Any) -> None:
    world.log("irrigating", datetime(2026, 8, 1, 3, tzinfo=UTC), witness="machine")
    assert page(world).confirmed == 1


@pytest.mark.parametrize(
    ("events", "state"),
    [
        (["held"], "held"),
        (["held", "released"], "open"),
        (["recalled"], "recalled"),
        (["recalled", "held"], "recalled"),
        (["recalled", "recall_lifted"], "open"),
        (["held", "recalled", "recall_lifted"], "held"),
        (["recalled", "recall_lifted", "recalled"], "recalled"),
        (["packed"], "open"),
    ],
)
def test_the_last_decision_counts_and_a_recall_before_a_hold(world: Any, events: list[str], state: str) -> None:
    for kind in events:
        world.event(kind, "vì lý do thử")
    shown = page(world)
    assert shown.state == state
    assert (shown.state_reason is None) == (state == "open")


def test_a_certificate_is_shown_as_it_stands_today_and_the_page_knows_when_that_changes(world: Any) -> None:
    world.certificate("12/QĐ", valid_to=date(2026, 12, 31))
    world.certificate("7/QĐ", valid_to=date(2026, 8, 1), stars=3)
    world.certificate("1/QĐ", valid_to=date(2025, 8, 1), stars=3)
    shown = page(world)
    assert [(c.number, c.state) for c in shown.certificates] == [("12/QĐ", "valid"), ("7/QĐ", "lapsed")]
    assert shown.next_change_at == datetime(2026, 12, 31, 17, tzinfo=UTC)


def test_a_corrected_certificate_hides_the_row_it_follows(world: Any) -> None:
    wrong = world.certificate("12/QĐ", valid_to=date(2027, 12, 31))
    world.certificate("12/QĐ-UBND", valid_to=date(2027, 6, 1), supersedes_id=wrong)
    assert [c.number for c in page(world).certificates] == ["12/QĐ-UBND"]


def test_a_withdrawn_certificate_no_longer_holds(world: Any) -> None:
    given = world.certificate("12/QĐ", valid_to=date(2027, 12, 31))
    world.certificate("12/QĐ", valid_to=date(2027, 12, 31), supersedes_id=given, withdrawn_on=date(2026, 11, 23))
    assert [c.state for c in page(world).certificates] == ["revoked"]
    assert page(world).valid_certificates == []


def test_a_certificate_that_ended_leaves_the_page_after_a_year_by_itself(
    world: Any, clock_at: Callable[[datetime], None]
) -> None:
    world.certificate("7/QĐ", valid_to=date(2026, 8, 1), stars=3)
    assert page(world).next_change_at == datetime(2027, 8, 1, 17, tzinfo=UTC)
    clock_at(datetime(2027, 8, 1, 16, 59, tzinfo=UTC))
    assert [c.number for c in page(world).certificates] == ["7/QĐ"]
    clock_at(datetime(2027, 8, 1, 17, 0, tzinfo=UTC))
    assert (page(world).certificates, page(world).next_change_at) == ((), None)


def test_nothing_changes_by_time_when_nothing_ends(world: Any) -> None:
    assert page(world).next_change_at is None


def test_an_unknown_code_is_not_found(world: Any) -> None:
    with pytest.raises(NotFound):
        queries.batch_page(world.session, "0000000000000")
    assert not queries.code_exists(world.session, "0000000000000")
    assert queries.code_exists(world.session, world.code)


PHONES = (
    "0912345678",
    "0912 345 678",
    "0912.345.678",
    "0912-345-678",
    "+84 912 345 678",
    "ĐT.0912345678",
    "tel_0912345678",
    "02053812345",
)


@pytest.mark.parametrize("phone", PHONES)
def test_no_telephone_number_in_any_text_that_people_type_reaches_the_page(world: Any, phone: str) -> None:
    words = Words(vi=f"Gọi {phone}", en=f"Call {phone}")
    for name, table in (("product", "products"), ("variant", "variants")):
        world.session.execute(text("SET ROLE NONE"))
        world.session.execute(
            text(f"UPDATE {table} SET name = CAST(:name AS jsonb) WHERE id = :id"),
            {"name": words.model_dump_json(exclude_none=True), "id": world.ids[name]},
        )
    world.session.execute(
        text("UPDATE organisations SET name = :name WHERE id = :id"),
        {"name": f"HTX {phone}", "id": world.ids["cooperative"]},
    )
    world.session.execute(text("SET ROLE hoi_app"))
    world.session.expire_all()
    world.certificate("12/QĐ", valid_to=date(2027, 6, 1), scope=words)
    world.certificate("13/QĐ", valid_to=date(2027, 6, 1), issuer=f"Trung tâm, {phone}")
    world.log("weeding", NOW - timedelta(days=200), material=f"theo {phone}")
    world.event("recalled", f"Ai đã mua gọi {phone} nhé")
    shown = page(world)
    said = repr(shown)
    assert re.sub(r"\D", "", phone)[-6:] not in re.sub(r"[ .-]", "", said)
    assert said.count("[số đã che]") == 11


def test_what_was_recorded_by_the_verbs_is_what_the_page_says_and_nothing_private(
    database: Database, clock_at: Callable[[datetime], None]
) -> None:
    """The whole way: a season's diary, certificates that hold and that ended, a batch and its code."""
    clock_at(NOON)
    farm = build(database)
    product = a_product(database, farm)
    site = a_site(database, farm.farmer, farm.household, farm.village, name="vườn bà Lành")
    cycle = a_cycle(database, farm.farmer, site, product, date(2026, 7, 15))
    for days_ago, kind, witness, facts in (
        (120, "fertilising", "farmer", {"material": "Phân chuồng hoai", "quantity": 3, "unit": "basket"}),
        (118, "fertilising", "cooperative", {"material": "Phân chuồng hoai", "quantity": 2, "unit": "basket"}),
        (40, "spraying", "farmer", {"material": "Dầu khoáng", "pre_harvest_days": 7}),
        (2, "harvesting", "farmer", {"quantity": 10, "unit": "kg"}),
    ):
        log = a_log(
            site, kind, days_ago, cycle_id=cycle, note="không công khai", witness=witness,
            performed_by=farm.farmer.person_id, **facts,
        )  # fmt: skip
        assert write(database, farm.manager if witness == "cooperative" else farm.farmer, log) == ["stored"]
    with database.transaction(farm.manager) as session:
        for number, decided_on in (("1/QĐ", "2024-01-10"), ("2/QĐ", "2026-02-01")):
            ended = certificates.record_certificate(
                session,
                farm.manager,
                NewCertificate(
                    id=new_id(), organisation_id=farm.cooperative, product_id=product, scheme="ocop", stars=4,
                    issuer="UBND tỉnh Thử", decision_number=number, decided_on=decided_on,
                ),
            )  # fmt: skip
            if number == "1/QĐ":
                withdrawn = WithdrawCertificate(id=new_id(), withdrawn_on=date(2026, 11, 20))
                certificates.withdraw_certificate(session, farm.manager, ended, withdrawn)
        batch = batches.create_batch(
            session,
            farm.manager,
            NewBatch.model_validate(
                {"id": new_id(), "product_id": product, "lot": "NA-1126-01", "quantity": "10", "unit": "kg"}
                | {"made_on": "2026-11-19", "sources": [{"care_log_id": log.id}]}
            ),
        )
        code = batches.issue_code(session, farm.manager, batch)
    with database.transaction(SYSTEM) as session:
        shown = queries.batch_page(session, code)
    assert (shown.code, shown.lot, shown.state, shown.state_reason) == (code, "NA-1126-01", "open", None)
    assert (shown.producer, shown.growers) == ("HTX Mẫu", ("Hộ số 1 Nà Mẫu",))
    assert shown.villages == ("thôn Nà Mẫu, xã Đồng Mẫu, tỉnh Thử",)
    assert (shown.harvested_on, shown.made_on) == (date(2026, 11, 18), date(2026, 11, 19))
    assert [
        (w.day, w.kind, w.material, w.witness) if isinstance(w, Line) else (w.first, w.last) for w in shown.way
    ] == [
        (date(2026, 11, 18), "harvesting", None, "farmer"),
        (date(2026, 10, 11), "spraying", "Dầu khoáng", "farmer"),
        (date(2026, 7, 26), date(2026, 10, 10)),
        (date(2026, 7, 25), "fertilising", "Phân chuồng hoai", "cooperative"),
        (date(2026, 7, 23), "fertilising", "Phân chuồng hoai", "farmer"),
    ]
    assert [(c.number, c.state) for c in shown.certificates] == [("2/QĐ", "valid"), ("1/QĐ", "revoked")]
    assert shown.next_change_at == datetime(2027, 11, 19, 17, tzinfo=UTC), "a year after the one that ended"
    for private in ("không công khai", "Lành", str(farm.farmer.person_id), str(site)):
        assert private not in repr(shown)


def test_the_day_of_harvest_follows_a_correction_of_the_diary(world: Any) -> None:
    world.log(
        "harvesting",
        datetime(2026, 8, 9, 3, tzinfo=UTC),
        corrects_id=world.ids["harvested"],
        quantity=Decimal(640),
        unit="kg",
        reason="nhầm ngày",
    )
    shown = page(world)
    assert (shown.harvested_on, shown.lines[0].day) == (date(2026, 8, 9), date(2026, 8, 9))
    assert shown.lines[0].waited_days == 18


def test_neither_position_nor_identifiers_of_people_are_among_the_fields(world: Any) -> None:
    everything = repr(page(world))
    for private in ("21.65", "106.56", str(world.ids["person"]), str(world.ids["site"]), "0912345678"):
        assert private not in everything


def test_a_batch_whose_harvests_name_no_season_still_has_its_steps_of_the_year(world: Any) -> None:
    """The diary of a household that never opened a season is read by site, a year back."""
    world.session.execute(text("SET ROLE NONE"))
    world.session.execute(text("UPDATE care_logs SET cycle_id = NULL"))
    world.session.execute(text("SET ROLE hoi_app"))
    world.session.expire_all()
    world.log("pruning", NOW - timedelta(days=800), cycle_id=None)
    assert [line.kind for line in page(world).lines] == ["harvesting", "spraying", "weeding", "fertilising"]

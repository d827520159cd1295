"""Deriving answers: what is kept, what is flagged, and who is told."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import ProgrammingError

from app.actor import SYSTEM
from app.criteria import assessments, derivation, queries
from app.criteria.events import AssessmentChanged
from app.criteria.models import VillageAssessment
from app.db import Words, new_id
from app.notices.models import Notice
from app.places.models import PlaceAttribute
from tests.app.criteria.records import choice, choose, events, rows
from tests.worlds.village import Province


def current(province: Province, village: str = "village") -> VillageAssessment:
    with province.database.transaction(SYSTEM) as session:
        return queries.current(session, [province.ids[village]])[province.ids[village]]


def test_same_records_derived_twice_keep_one_answer_and_confirm_it(
    province: Province, clock_at: Callable[[datetime], None]
) -> None:
    assert province.derive() == 1
    first = current(province)
    clock_at(first.computed_at + timedelta(hours=1))
    assert province.derive() == 0
    again = current(province)
    assert (again.id, again.computed_at) == (first.id, first.computed_at)
    assert again.confirmed_at == first.computed_at + timedelta(hours=1)


def test_new_record_gives_a_new_answer_and_the_old_one_stays_in_the_history(
    province: Province, clock_at: Callable[[datetime], None]
) -> None:
    province.derive()
    before = current(province)
    clock_at(before.computed_at + timedelta(minutes=5))
    province.record("wifi", available=True)
    assert province.derive() == 1
    after = current(province)
    assert (before.values["wifi-nha-van-hoa"], after.values["wifi-nha-van-hoa"]) == ("insufficient", "met")
    assert (before.met, after.met, after.total) == (0, 1, 5)
    with province.database.transaction(SYSTEM) as session:
        history = queries.history(session, province.village, since=before.computed_at)
    assert [r.id for r in history] == [before.id, after.id]
    assert events(province, "criteria.assessment_changed") == 2


def test_stored_answer_is_never_rewritten(province: Province) -> None:
    province.derive()
    with (
        pytest.raises(ProgrammingError, match="permission denied"),
        province.database.transaction(SYSTEM) as session,
    ):
        session.execute(text("UPDATE village_assessments SET overall = 'met'"))


def test_pass_because_a_product_left_the_list_is_flagged_with_name_day_and_reason(
    province: Province, clock_at: Callable[[datetime], None]
) -> None:
    province.product("Na dai")
    province.product("Mật ong", until=date(2026, 11, 23))
    province.seen("Na dai")
    province.derive()
    assert current(province).values["ocop-tren-san"] == "unmet"
    assert current(province).next_change_on == date(2026, 11, 24)
    clock_at(datetime(2026, 11, 23, 17, 30, tzinfo=UTC))
    with province.database.transaction(SYSTEM) as session:
        assert derivation.mark_due(session, SYSTEM) == 1
    assert derivation.drain(province.database).changed == 1
    after = current(province)
    assert after.values["ocop-tren-san"] == "met"
    (flag,) = after.flags
    assert flag["vi"] == (
        "Tiêu chí 5 chuyển sang “đạt” chỉ vì có mục không còn được tính."
        " Không còn tính 1: Mật ong (Chứng nhận OCOP hết hạn từ 24/11/2026)."
    )
    clock_at(datetime(2026, 11, 23, 18, tzinfo=UTC))
    province.record("wifi", available=True)
    province.derive()
    assert [f["clause"] for f in current(province).flags] == [5]


def tomorrow(hour: int, minute: int = 0) -> datetime:
    """A moment of the 24th in Vietnam, by its hour there."""
    return datetime(2026, 11, 23, 17, tzinfo=UTC) + timedelta(hours=hour, minutes=minute)


def derive_at(province: Province, clock_at: Callable[[datetime], None], moment: datetime) -> VillageAssessment:
    clock_at(moment)
    province.derive()
    return current(province)


def test_pass_by_departure_is_flagged_across_a_time_without_data(
    province: Province, clock_at: Callable[[datetime], None]
) -> None:
    """Not met, then unknown while a sighting is stale, then met: the product that left between is still named."""
    province.product("Na dai")
    province.product("Mật ong", until=date(2026, 11, 23))
    province.seen("Na dai", hours_ago=40)
    province.derive()
    assert current(province).values["ocop-tren-san"] == "unmet"
    between = derive_at(province, clock_at, tomorrow(9))  # the honey has left, the sighting is 48 hours old and more
    assert (between.values["ocop-tren-san"], between.flags) == ("insufficient", [])
    province.seen("Na dai", hours_ago=0)
    after = derive_at(province, clock_at, tomorrow(10))
    assert after.values["ocop-tren-san"] == "met"
    assert [(f["outcome"], [i["label"] for i in f["left"]]) for f in after.flags] == [("met", ["Mật ong"])]


def test_flag_waits_while_the_answer_is_unknown_and_ends_when_the_clause_is_not_met(
    province: Province, clock_at: Callable[[datetime], None]
) -> None:
    province.product("Na dai")
    province.product("Mật ong", until=date(2026, 11, 23))
    province.seen("Na dai", hours_ago=30)
    province.derive()
    flagged = derive_at(province, clock_at, tomorrow(1))
    assert [f["clause"] for f in queries.flags_of(flagged)] == [5]
    stale = derive_at(province, clock_at, tomorrow(20))
    assert stale.values["ocop-tren-san"] == "insufficient"
    assert (len(stale.flags), queries.flags_of(stale)) == (1, [])
    province.seen("Na dai", hours_ago=0)
    again = derive_at(province, clock_at, tomorrow(21))
    assert queries.flags_of(again) == flagged.flags
    province.seen("Na dai", hours_ago=0, live=False)
    assert derive_at(province, clock_at, tomorrow(22)).flags == []


def test_flag_ends_when_what_left_counts_again(province: Province, clock_at: Callable[[datetime], None]) -> None:
    province.product("Na dai")
    honey = province.product("Mật ong", until=date(2026, 11, 23))
    province.seen("Na dai")
    province.derive()
    assert len(derive_at(province, clock_at, tomorrow(1)).flags) == 1
    province.seen("Mật ong", hours_ago=0)
    province.certify(honey, date(2029, 1, 1))
    after = derive_at(province, clock_at, tomorrow(2))
    assert (after.values["ocop-tren-san"], after.flags) == ("met", [])


def test_pass_by_a_certificate_that_was_a_mistake_says_so_and_ends_when_the_product_counts(
    province: Province, clock_at: Callable[[datetime], None]
) -> None:
    province.product("Na dai")
    honey = province.product("Mật ong")
    province.seen("Na dai")
    province.derive()
    assert current(province).values["ocop-tren-san"] == "unmet"
    clock_at(tomorrow(1))
    province.certified_by_mistake("Mật ong")
    after = derive_at(province, clock_at, tomorrow(2))
    assert after.values["ocop-tren-san"] == "met"
    [flag] = after.flags
    assert flag["vi"] == (
        "Tiêu chí 5 chuyển sang “đạt” chỉ vì có mục không còn được tính."
        " Không còn tính 1: Mật ong (Chứng nhận OCOP ghi nhầm, đã sửa ngày 24/11/2026)."
    )
    assert Words.kept_in(flag).text("en") == (
        "Criterion 5 became “met” only because something left the count."
        " No longer counted, 1: Mật ong (Its OCOP certificate was recorded by mistake; that was put right on 24/11/2026)."
    )
    province.seen("Mật ong", hours_ago=0)
    province.certify(honey, date(2029, 1, 1))
    counted = derive_at(province, clock_at, tomorrow(3))
    assert (counted.values["ocop-tren-san"], counted.flags) == ("met", [])


def test_clause_that_no_longer_applies_because_its_last_product_left_is_flagged(
    province: Province, clock_at: Callable[[datetime], None]
) -> None:
    """Not a pass gained, but as much the work of a departure: the page says which product, when and why."""
    province.product("Na dai", until=date(2026, 11, 23))
    province.seen("Na dai")
    province.derive()
    assert current(province).values["ocop-tren-san"] == "met"
    after = derive_at(province, clock_at, tomorrow(1))
    assert after.values["ocop-tren-san"] == "not_applicable"
    assert [(f["outcome"], f["vi"]) for f in after.flags] == [
        (
            "not_applicable",
            (
                "Tiêu chí 5 chuyển sang “không áp dụng” chỉ vì có mục không còn được tính."
                " Không còn tính 1: Na dai (Chứng nhận OCOP hết hạn từ 24/11/2026)."
            ),
        )
    ]
    province.product("Mật ong")
    province.seen("Mật ong", hours_ago=0)
    other = derive_at(province, clock_at, tomorrow(2))
    assert (other.values["ocop-tren-san"], other.flags) == (
        "met",
        [],
    )  # met by the honey, as it was by the custard apple


def test_retired_product_and_one_made_elsewhere_are_named_with_day_and_reason(
    province: Province, clock_at: Callable[[datetime], None]
) -> None:
    choose(province, "province", choice("producing_village", "village_of_product"))
    for name in ("Na dai", "Mật ong", "Hồi khô"):
        province.product(name)
        province.made_in(name, "village")
    province.seen("Na dai")
    province.derive()
    assert current(province).values["ocop-tren-san"] == "unmet"
    province.retire("Mật ong", date(2026, 11, 24))
    province.moved_away("Hồi khô", date(2026, 11, 23))
    after = derive_at(province, clock_at, tomorrow(1))
    assert after.values["ocop-tren-san"] == "met"
    (flag,) = after.flags
    assert [(i["label"], i["vi"]) for i in flag["left"]] == [
        ("Hồi khô", "Ngừng sản xuất ở thôn này từ 24/11/2026."),
        ("Mật ong", "Chủ thể ngừng làm sản phẩm này từ 24/11/2026."),
    ]
    with province.database.transaction(province.actors["province"]) as session:
        tallies = queries.tallies(session, date(2026, 11, 24))
    assert (tallies[province.commune].flagged, tallies[province.commune].total) == (1, 2)
    yesterday = province.answer(5, known_at=datetime(2026, 11, 23, 12, tzinfo=UTC))
    assert (yesterday.have, yesterday.of) == (1, 3)


def test_old_sighting_is_found_in_the_hour_it_grows_too_old_and_not_before(
    province: Province, clock_at: Callable[[datetime], None]
) -> None:
    province.product("Na dai")
    province.seen("Na dai", hours_ago=47)
    province.derive()
    assert current(province).values["ocop-tren-san"] == "met"
    ends = current(province).next_change_at
    assert ends == datetime(2026, 11, 23, 4, tzinfo=UTC)

    def due() -> int:
        with province.database.transaction(SYSTEM) as session:
            return derivation.mark_due(session, SYSTEM)

    clock_at(ends - timedelta(seconds=1))
    assert due() == 0
    clock_at(ends + timedelta(seconds=1))
    assert due() == 1
    assert derivation.drain(province.database).changed == 1
    assert current(province).values["ocop-tren-san"] == "insufficient"
    assert due() == 0, "nothing more follows from time alone"


def test_of_two_sightings_the_first_product_to_grow_old_decides_and_of_one_product_the_last(
    province: Province,
) -> None:
    province.product("Na dai")
    province.product("Mật ong")
    for name, hours in (("Na dai", 47), ("Na dai", 45), ("Mật ong", 44)):
        province.seen(name, hours_ago=hours)
    province.derive()
    assert current(province).next_change_at == datetime(2026, 11, 23, 6, tzinfo=UTC)


def test_rebuild_gives_every_village_of_today_its_answer(province: Province) -> None:
    assert derivation.rebuild(province.database, batch=2).changed == 3
    assert derivation.rebuild(province.database, batch=2).changed == 0
    assert rows(province, VillageAssessment) == 3


def tell(province: Province, village: str = "village") -> list[tuple[Any, str, str]]:
    with province.database.transaction(SYSTEM) as session:
        event = AssessmentChanged(village_id=province.ids[village], assessment_id=current(province, village).id)
        assessments.tell_of_change(session, SYSTEM, event)
        found = session.execute(select(Notice.person_id, Notice.title, Notice.body)).all()
    return [(person, title.vi, body.vi) for person, title, body in found]


def test_first_answer_is_told_to_nobody_and_a_change_to_the_village_only(
    province: Province, clock_at: Callable[[datetime], None]
) -> None:
    province.derive()
    assert tell(province) == []
    clock_at(datetime(2026, 11, 23, 4, tzinfo=UTC))
    province.record("wifi", available=True)
    province.derive()
    told = [
        (
            province.actors["officer"].person_id,
            "Thôn Nà Mẫu: thiếu dữ liệu, 1/5 tiêu chí",
            "Tiêu chí 3, từ thiếu dữ liệu sang đạt: Nhà văn hóa thôn có Wi-Fi miễn phí.",
        )
    ]
    assert tell(province) == told
    assert tell(province) == told  # the reaction may run twice


def test_another_overall_answer_is_told_to_the_commune_too(
    province: Province, clock_at: Callable[[datetime], None]
) -> None:
    province.derive()
    clock_at(datetime(2026, 11, 23, 4, tzinfo=UTC))
    province.record("wifi", available=False)
    province.derive()
    assert {person for person, _, _ in tell(province)} == {
        province.actors["officer"].person_id,
        province.actors["commune"].person_id,
    }


def test_products_concern_their_holders_village_and_steps_only_villages_with_a_model(province: Province) -> None:
    product = province.product("Na dai")
    province.diary("Hộ 1", 1)
    with province.database.transaction(SYSTEM) as session:
        assert queries.villages_of_products(session, [product]) == {province.village}
        assert queries.villages_with_products(session) == {province.village}
        assert queries.villages_with_agriculture(session, [province.village]) == set()
    province.model("smart_agriculture")
    with province.database.transaction(SYSTEM) as session:
        assert queries.villages_with_agriculture(session, [province.village, province.sister]) == {province.village}


def test_roll_up_counts_every_village_once(province: Province) -> None:
    province.record("wifi", available=False)
    province.derive("village", "foreign")
    with province.database.transaction(province.actors["province"]) as session:
        tallies = queries.tallies(session, date(2026, 11, 23))
        clauses = queries.by_criterion(session, date(2026, 11, 23))
    commune, other = tallies[province.commune], tallies[province.other_commune]
    assert (commune.met, commune.unmet, commune.insufficient, commune.not_assessed, commune.total) == (0, 1, 0, 1, 2)
    assert (other.insufficient, other.total) == (1, 1)
    assert clauses["wifi-nha-van-hoa"] == {"unmet": 1, "insufficient": 1}
    assert clauses["ocop-tren-san"] == {"not_applicable": 2}


def test_pack_that_asks_for_the_communes_group_is_given_it(province: Province) -> None:
    """As it was on the day and as it was known; a village without a group is short of data."""
    province.add(
        PlaceAttribute(
            id=new_id(),
            place_id=province.commune,
            key="commune_group",
            value="2",
            valid_from=date(2026, 2, 1),
            basis="Quyết định mẫu",
            recorded_at=datetime(2026, 3, 1, tzinfo=UTC),
            person_id=None,
        )
    )
    province.premises(3)
    rule = {
        "kind": "threshold_by_attribute@1",
        "attribute": "commune_group",
        "attribute_label": {"vi": "nhóm xã", "en": "commune group"},
        "fact": "premises",
        "thresholds": {"1": 5, "2": 3},
    }
    letter = queries.pack()
    wifi = letter.criteria_by_id["wifi-nha-van-hoa"]
    shaped = type(wifi).model_validate(wifi.model_dump(by_alias=True) | {"rule": rule})
    asking = letter.model_copy(update={"criterion": (shaped,)})
    asking = type(letter).model_validate(asking.model_dump())

    def answer(village: str, as_of: date, known_at: datetime) -> tuple[str, dict[str, str]]:
        with province.database.transaction(SYSTEM) as session:
            found = assessments.assess(session, [province.ids[village]], asking, as_of=as_of, known_at=known_at)
        one = found[province.ids[village]]
        return one.results[0].answer.value.value, one.attributes

    now = datetime(2026, 11, 23, 3, tzinfo=UTC)
    assert answer("village", date(2026, 11, 23), now) == ("met", {"commune_group": "2"})
    assert answer("village", date(2026, 1, 31), now) == ("insufficient", {})
    assert answer("village", date(2026, 11, 23), datetime(2026, 2, 15, tzinfo=UTC)) == ("insufficient", {})
    assert answer("foreign", date(2026, 11, 23), now) == ("insufficient", {})

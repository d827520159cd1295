"""What the public page says, and that it says nothing else."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from app.db import Words
from app.doors.consumer import queries
from app.doors.consumer.queries import Gap, Line
from app.errors import NotFound

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


def test_nothing_changes_by_time_when_nothing_ends(world: Any) -> None:
    assert page(world).next_change_at is None


def test_an_unknown_code_is_not_found(world: Any) -> None:
    with pytest.raises(NotFound):
        queries.batch_page(world.session, "0000000000000")
    assert not queries.code_exists(world.session, "0000000000000")
    assert queries.code_exists(world.session, world.code)


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

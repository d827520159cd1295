"""The steps on the way, who vouches for each, and the gaps between them."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from app.accounts.models import Membership, Person
from app.doors.consumer.queries import Gap, Line
from app.trace.models import BatchSource
from tests.app.doors.consumer.queries.shown import NOW, page


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


def test_a_machine_is_nobody_who_confirms(world: Any) -> None:
    world.log("irrigating", datetime(2026, 8, 1, 3, tzinfo=UTC), witness="machine")
    assert page(world).confirmed == 1


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


def test_a_batch_whose_harvests_name_no_season_still_has_its_steps_of_the_year(world: Any) -> None:
    """The diary of a household that never opened a season is read by site, a year back."""
    world.session.execute(text("SET ROLE NONE"))
    world.session.execute(text("UPDATE care_logs SET cycle_id = NULL"))
    world.session.execute(text("SET ROLE hoi_app"))
    world.session.expire_all()
    world.log("pruning", NOW - timedelta(days=800), cycle_id=None)
    assert [line.kind for line in page(world).lines] == ["harvesting", "spraying", "weeding", "fertilising"]

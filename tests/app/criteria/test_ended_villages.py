"""A village that is no more keeps the last answer it had, and leaves what is counted."""

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import select

from app.actor import SYSTEM
from app.criteria import assessments, queries
from app.criteria.models import VillageAssessment
from app.db import new_id
from app.places import villages
from tests.worlds.village import NOW, Province


def test_an_ended_village_keeps_its_last_answer(province: Province, clock_at: Callable[[datetime], None]) -> None:
    province.record("wifi", available=True)
    province.derive()

    def answers() -> list[tuple[str, object]]:
        with province.database.transaction(SYSTEM) as session:
            rows = session.scalars(select(VillageAssessment).where(VillageAssessment.village_id == province.village))
            return [(row.answer_sha256, row.confirmed_at) for row in rows]

    before = answers()
    with province.database.transaction(SYSTEM) as session:
        session.execute(
            VillageAssessment.__table__.update().values(next_change_on=NOW.date(), next_change_at=NOW)  # type: ignore[attr-defined]  # a Table
        )
        counted = queries.tallies(session, NOW.date())[province.commune].total
        villages.end_village(
            session,
            SYSTEM,
            province.village,
            ending_id=new_id(),
            last_day=NOW.date(),
            into=(),
            decision="Nghị quyết thử 5",
        )
    clock_at(NOW + timedelta(days=1))
    tomorrow = NOW.date() + timedelta(days=1)
    with province.database.transaction(SYSTEM) as session:
        assert province.village not in queries.due(session, NOW + timedelta(days=1))
        assert assessments.derive(session, SYSTEM, [province.village]) == 0
        assert queries.tallies(session, tomorrow)[province.commune].total == counted - 1
    assert answers() == before

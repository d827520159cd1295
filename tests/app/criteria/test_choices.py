"""The province's choices: who may, from when, and what is refused."""

from datetime import UTC, date, datetime

import pytest
from sqlalchemy import select

from app.actor import SYSTEM
from app.criteria import queries
from app.criteria.models import ParameterChoice
from app.criteria.schemas import NewParameterChoice
from app.errors import Conflict, Forbidden, Invalid
from app.outbox import OutboxEvent
from tests.app.criteria.records import choice, choose, events, rows
from tests.worlds.village import Province


def test_choice_holds_from_its_day_and_not_before(province: Province) -> None:
    choose(province, "province", choice(10, valid_from=date(2026, 12, 1)))
    with province.database.transaction(SYSTEM) as session:
        now = datetime(2026, 11, 23, 3, tzinfo=UTC)
        before = queries.choices(session, queries.SMART_VILLAGE, as_of=date(2026, 11, 30), known_at=now)
        since = queries.choices(session, queries.SMART_VILLAGE, as_of=date(2026, 12, 1), known_at=now)
        due = session.scalars(select(OutboxEvent.due_at).where(OutboxEvent.name == "criteria.parameter_chosen")).all()
    assert (before, since) == ({}, {"feedback_days": 10})
    assert due == [datetime(2026, 11, 30, 17, tzinfo=UTC)]


@pytest.mark.parametrize("bad", [choice(0), choice(61), choice("soon"), choice(5, name="no_such")])
def test_choice_that_the_pack_refuses_is_not_kept(province: Province, bad: NewParameterChoice) -> None:
    with pytest.raises(Invalid):
        choose(province, "province", bad)
    assert rows(province, ParameterChoice) == 0


def test_choice_sent_twice_is_one_row_and_the_same_id_with_another_value_conflicts(province: Province) -> None:
    new = choice(10)
    choose(province, "province", new)
    choose(province, "province", new)
    for other in ({"value": 9}, {"decided_by": "Công văn 346"}, {"valid_from": date(2026, 11, 2)}):
        with pytest.raises(Conflict):
            choose(province, "province", new.model_copy(update=other))
    with province.database.transaction(SYSTEM) as session:
        assert session.scalars(select(ParameterChoice.value)).all() == [10]
    assert events(province, "criteria.parameter_chosen") == 1


def test_commune_official_chooses_nothing(province: Province) -> None:
    with pytest.raises(Forbidden):
        choose(province, "commune", choice(10))
    assert rows(province, ParameterChoice) == 0

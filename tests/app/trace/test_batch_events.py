"""Decisions about a batch."""

from uuid import UUID

import pytest
from sqlalchemy import select

from app.actor import SYSTEM
from app.db import Database, new_id
from app.errors import Conflict, Forbidden, NotFound
from app.outbox import OutboxEvent
from tests.worlds.farm import World
from tests.worlds.lots import decide, harvest, make, state


def test_decisions_follow_each_other_and_recall_goes_before_hold(
    database: Database, world: World, site: UUID, product: UUID
) -> None:
    batch = make(database, world.manager, product, harvest(database, world.farmer, site))
    seen = []
    for kind in ("held", "recalled", "recall_lifted", "released"):
        decide(database, world.manager, batch, kind)
        seen.append(state(database, batch))
    assert seen == ["held", "recalled", "held", "open"]
    with database.transaction(SYSTEM) as session:
        names = session.scalars(select(OutboxEvent.name).order_by(OutboxEvent.position)).all()
    assert names.count("trace.batch_changed") == 4
    assert names.count("trace.recall_launched") == 1


def test_decisions_that_change_nothing_and_of_others_are_refused(
    database: Database, world: World, site: UUID, product: UUID
) -> None:
    batch = make(database, world.manager, product, harvest(database, world.farmer, site))
    event = new_id()
    for _ in range(2):
        assert decide(database, world.manager, batch, "held", id=event) == event
    for kind in ("held", "recall_lifted"):
        with pytest.raises(Conflict, match="already_so"):
            decide(database, world.manager, batch, kind)
    for actor, error in (
        (world.stranger, NotFound),
        (world.farmer, NotFound),
        (world.purchaser, Forbidden),
        (world.official, Forbidden),
    ):
        with pytest.raises(error):
            decide(database, actor, batch, "released")
    assert state(database, batch) == "held"

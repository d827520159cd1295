"""Whose rows an actor opens."""

from dataclasses import replace
from uuid import UUID

from sqlalchemy import select

from app.actor import PUBLIC, SYSTEM, Actor, Right, Scope
from app.db import Database
from app.trace.models import Site
from app.trace.queries.rights import visible
from tests.worlds.farm import World, a_site


def test_rows_are_opened_by_who_acts_for_their_holder_or_oversees_its_place(database: Database, world: World) -> None:
    for actor, holder in (
        (world.farmer, world.household),
        (world.neighbour, world.other),
        (world.manager, world.cooperative),
    ):
        a_site(database, actor, holder, world.village)

    def opened(actor: Actor) -> set[UUID]:
        with database.transaction(SYSTEM) as session:
            return set(session.scalars(select(Site.organisation_id).where(visible(actor, Site.organisation_id))))

    everybody = {world.household, world.other, world.cooperative}
    assert opened(SYSTEM) == everybody
    assert opened(world.manager) == everybody
    assert opened(world.farmer) == {world.household}
    assert opened(world.stranger) == opened(PUBLIC) == set()
    assert opened(world.official) == everybody
    assert opened(replace(world.official, units=frozenset({world.commune}))) == everybody
    assert opened(replace(world.official, units=frozenset({world.second_village}))) == set()
    anywhere = {Right.ADMINISTER: Scope(everywhere=True)}
    assert opened(replace(world.farmer, rights=anywhere)) == {world.household}, (
        "who answers for no place opens their own"
    )

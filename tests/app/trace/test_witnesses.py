"""Nobody vouches for a step as what they are not, or in another's name."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

import pytest

from app.actor import Actor, Role
from app.actor import Membership as Held
from app.db import Database
from app.errors import Invalid
from app.trace import diary, witnesses
from app.trace.models import Witness
from tests.actors import acting
from tests.app.trace.steps_written import correction, rows
from tests.worlds.farm import World, a_log, a_site, officer_for, person, write


def also_in(actor: Actor, *held: Held, households: Collection[UUID] = ()) -> Actor:
    """The same person in these roles."""
    return acting(*held, households=households, person_id=actor.person_id)


@pytest.mark.parametrize(
    ("writer", "may"),
    [
        ("farmer", {"farmer"}),
        ("manager", {"farmer", "cooperative"}),
        ("officer", {"farmer", "officer"}),
        ("manager_with_a_farm", {"farmer", "cooperative", "neighbour"}),
        ("manager_at_home", {"farmer"}),
        ("certifier_at_home", {"farmer"}),
    ],
)
def test_nobody_vouches_as_what_they_are_not(database: Database, world: World, writer: str, may: set[str]) -> None:
    site = a_site(database, world.farmer, world.household, world.village)
    home, cooperative = Held(world.household, Role.FARMER), Held(world.cooperative, Role.COOPERATIVE_MANAGER)
    also = (world.household, world.other)
    actor = {
        "farmer": world.farmer,
        "manager": world.manager,
        "officer": officer_for(database, world),
        "manager_with_a_farm": also_in(world.manager, cooperative, Held(world.other, Role.FARMER), households=also),
        "manager_at_home": also_in(world.farmer, home, cooperative, households=also),
        "certifier_at_home": also_in(world.farmer, home, Held(world.foreign, Role.CERTIFIER)),
    }[writer]
    logs = [a_log(site, witness=witness) for witness in Witness]
    with database.transaction(actor) as session:
        outcomes = diary.record_care_logs(session, actor, logs)
    assert {str(log.witness) for log, o in zip(logs, outcomes, strict=True) if o.status == "stored"} == may
    refused = [o.error for o in outcomes if o.status == "refused"]
    assert {e.code for e in refused if e is not None} == {"witness_not_yours"}
    assert all(e is not None and "người đó tự ghi" in e.text("vi") for e in refused)
    assert rows(database) == len(may)


def test_who_helps_by_office_and_has_a_farm_elsewhere_vouches_for_own_work_by_office(
    database: Database, world: World
) -> None:
    farm = (Role.FARMER, world.other)
    manager_with_a_farm = person(
        (Role.COOPERATIVE_MANAGER, world.cooperative), farm, also=(world.household, world.other)
    )
    officer_with_a_farm = officer_for(database, world, farm)
    usual = [
        [witnesses.usual_witness(actor, world.household, own_work=own_work) for own_work in (True, False)]
        for actor in (manager_with_a_farm, officer_with_a_farm)
    ]
    assert usual == [["cooperative", "farmer"], ["officer", "farmer"]]
    assert witnesses.witnesses_of(officer_with_a_farm, world.household) == ("farmer", "officer", "neighbour")


def test_nobody_names_somebody_else_as_the_witness(database: Database, world: World) -> None:
    site = a_site(database, world.farmer, world.household, world.village)
    assert write(database, world.farmer, a_log(site, witnessed_by=world.manager.person_id)) == ["refused"]
    named = a_log(site, witness="cooperative", witnessed_by=world.purchaser.person_id)
    assert write(database, world.manager, named) == ["refused"]
    assert rows(database) == 0


def test_a_correction_loses_the_witness_of_the_row_before_it_and_a_withdrawal_keeps_it(
    database: Database, world: World
) -> None:
    site = a_site(database, world.farmer, world.household, world.village)
    seen: dict[str, Any] = {"witness": "cooperative", "witnessed_by": world.manager.person_id}
    log = a_log(site, **seen)
    assert write(database, world.manager, log) == ["stored"]
    with database.transaction(world.farmer) as session, pytest.raises(Invalid, match="witness_not_yours"):
        diary.correct_care_log(session, world.farmer, log.id, correction(site, note="khác", **seen))
    assert rows(database) == 1
    with database.transaction(world.farmer) as session:
        diary.correct_care_log(session, world.farmer, log.id, correction(site, withdrawn="1", **seen))
    assert rows(database) == 2

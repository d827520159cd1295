"""An invented commune to test trace and products with: two villages, a cooperative, two member households, a stranger."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from app import clock
from app.accounts import rights
from app.accounts.models import HouseholdMembership, Membership, Organisation, Person
from app.accounts.named_rights import PLACED_ROLES
from app.actor import SYSTEM, Actor, Role
from app.actor import Membership as Held
from app.db import Database, new_id
from app.places import queries as places
from app.products import service as products
from app.products.schemas import NewProduct, NewVariant
from app.trace import diary, sites
from app.trace.schemas import CareLogIn, NewCycle, NewSite
from tests.actors import acting
from tests.worlds.rows import a_place, an_organisation

START = date(2025, 7, 1)


@dataclass(frozen=True, slots=True)
class World:
    """Ids and actors. `farmer` is of `household`, `neighbour` of `other`; both are members of `cooperative`."""

    commune: UUID
    village: UUID
    second_village: UUID
    cooperative: UUID
    household: UUID
    other: UUID
    foreign: UUID
    manager: Actor
    purchaser: Actor
    farmer: Actor
    neighbour: Actor
    stranger: Actor
    official: Actor


def person(*held: tuple[Role, UUID], also: tuple[UUID, ...] = (), places: frozenset[UUID] = frozenset()) -> Actor:
    """`also`: the households that are members of the cooperatives they manage."""
    top = min(places, default=None)
    memberships = [Held(organisation, role, top if role in PLACED_ROLES else None) for role, organisation in held]
    return acting(*memberships, households=also, places=places)


def officer_for(database: Database, world: World, *more: tuple[Role, UUID]) -> Actor:
    """The official as an extension officer of the commune, writing for `household` in the transactions of the test."""
    officer = replace(
        person((Role.EXTENSION_OFFICER, world.foreign), *more, places=world.official.places),
        person_id=world.official.person_id,
    )
    with database.transaction(officer) as session:
        return rights.on_behalf_of(session, officer, session.get_one(Organisation, world.household))


def build(database: Database) -> World:
    province, commune, village, second = (new_id() for _ in range(4))
    cooperative, household, other, foreign, office = (new_id() for _ in range(5))
    world = World(
        commune,
        village,
        second,
        cooperative,
        household,
        other,
        foreign,
        manager=person((Role.COOPERATIVE_MANAGER, cooperative), also=(household, other)),
        purchaser=person((Role.PURCHASER, cooperative)),
        farmer=person((Role.FARMER, household)),
        neighbour=person((Role.FARMER, other)),
        stranger=person((Role.COOPERATIVE_MANAGER, foreign)),
        official=person((Role.COMMUNE_OFFICIAL, office), places=frozenset({commune, village, second})),
    )
    now = clock.now()
    with database.transaction(SYSTEM) as session:
        for place_id, level, name, code, parent in (
            (province, "province", "Thử", "T99", None),
            (commune, "commune", "Đồng Mẫu", "T9901", province),
            (village, "village", "Nà Mẫu", "T990101", commune),
            (second, "village", "Bản Thử", "T990102", commune),
        ):
            session.add(a_place(level, name, code, parent, place_id=place_id, since=START))
            session.flush()
        for organisation_id, kind, name in (
            (cooperative, "cooperative", "HTX Mẫu"),
            (household, "household", "Hộ số 1 Nà Mẫu"),
            (other, "household", "Hộ số 2 Nà Mẫu"),
            (foreign, "cooperative", "HTX Khác"),
        ):
            session.add(an_organisation(kind, name, commune, village, organisation_id=organisation_id))
        session.flush()
        for actor in (world.manager, world.purchaser, world.farmer, world.neighbour, world.stranger, world.official):
            session.add(Person(id=actor.person_id, created_at=now, erased_at=None))
        session.flush()
        for actor in (world.manager, world.purchaser, world.farmer, world.neighbour, world.stranger):
            held = actor.memberships[0]
            session.add(
                Membership(
                    id=new_id(), person_id=actor.person_id, organisation_id=held.organisation_id, role=held.role,
                    place_id=None, valid_from=START, valid_to=None, recorded_at=now, granted_by=None,
                    ended_at=None, ended_by=None,
                )
            )  # fmt: skip
        for member in (household, other):
            session.add(
                HouseholdMembership(
                    id=new_id(), household_id=member, cooperative_id=cooperative, valid_from=START, valid_to=None,
                    recorded_at=now, granted_by=None, ended_at=None, ended_by=None,
                )
            )  # fmt: skip
    return world


def next_commune(database: Database) -> tuple[UUID, UUID]:
    """A commune beside the invented one and its only village, "thôn Bên Kia", where nobody has a seat."""
    commune, village = new_id(), new_id()
    with database.transaction(SYSTEM) as session:
        for place_id, level, name, code, parent in (
            (commune, "commune", "Láng Giềng", "T9902", places.province(session, START).id),
            (village, "village", "Bên Kia", "T990201", commune),
        ):
            session.add(a_place(level, name, code, parent, place_id=place_id, since=START))
            session.flush()
    return commune, village


NOON = datetime(2026, 11, 20, 12, tzinfo=clock.VIETNAM)


def a_product(database: Database, world: World, **facts: Any) -> UUID:
    with database.transaction(world.manager) as session:
        return products.create_product(
            session,
            world.manager,
            NewProduct(
                **{
                    "id": new_id(),
                    "organisation_id": world.cooperative,
                    "name_vi": "Na dai Đồng Mẫu",
                    "ocop_group": 1,
                    "village_ids": (world.village,),
                }
                | facts
            ),
        )


def a_pack(database: Database, world: World, product_id: UUID, **facts: Any) -> UUID:
    with database.transaction(world.manager) as session:
        return products.add_variant(
            session,
            world.manager,
            NewVariant(
                **{
                    "id": new_id(),
                    "product_id": product_id,
                    "sku": "NA-1KG",
                    "name_vi": "Hộp 1 kg",
                    "price_dong": 60000,
                    "net_quantity": Decimal(1),
                    "net_unit": "kg",
                    "shelf_life_days": 5,
                }
                | facts
            ),
        )


def a_site(database: Database, actor: Actor, organisation_id: UUID, village_id: UUID, **facts: Any) -> UUID:
    with database.transaction(actor) as session:
        return sites.create_site(
            session,
            actor,
            NewSite(
                **{
                    "id": new_id(),
                    "organisation_id": organisation_id,
                    "name": "Vườn trên",
                    "kind": "orchard",
                    "village_id": village_id,
                }
                | facts
            ),
        )


def a_cycle(database: Database, actor: Actor, site_id: UUID, product_id: UUID | None, started_on: date) -> UUID:
    with database.transaction(actor) as session:
        return sites.start_cycle(
            session,
            actor,
            NewCycle(id=new_id(), site_id=site_id, product_id=product_id, crop_vi="na dai", started_on=started_on),
        )


def a_log(site_id: UUID, kind: str = "weeding", days_ago: float = 1, **facts: Any) -> CareLogIn:
    return CareLogIn.model_validate(
        {"id": new_id(), "site_id": site_id, "kind": kind, "happened_at": NOON - timedelta(days=days_ago)} | facts
    )


def write(database: Database, actor: Actor, *logs: CareLogIn, phone_now: datetime | None = None) -> list[str]:
    with database.transaction(actor) as session:
        return [o.status for o in diary.record_care_logs(session, actor, logs, phone_now=phone_now)]

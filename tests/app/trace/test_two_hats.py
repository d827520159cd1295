"""Somebody with two roles has what each of them gives where it is held, and nothing that only both together would seem to give."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.accounts import rights
from app.accounts.models import Organisation
from app.actor import SYSTEM, Actor, Membership, Role
from app.db import Database, new_id
from app.errors import Forbidden, NotFound
from app.products import service as products
from app.products.schemas import EditProduct, EditVariant, NewProduct
from app.trace import batch_events, batches, diary, findings, sites, stock
from app.trace.schemas import BatchEventIn, EditSite, FindingIn, Movement, NewBatch, NewSite
from tests.actors import acting
from tests.app.trace.steps_written import everything
from tests.worlds.farm import World, a_log
from tests.worlds.lots import harvest, make

LESSER = (Role.PURCHASER, Role.CERTIFIER)
GREATER = (Role.COOPERATIVE_MANAGER, Role.EXTENSION_OFFICER, Role.FARMER)


@pytest.fixture
def things(database: Database, world: World, site: UUID, product: UUID, pack: tuple[UUID, UUID]) -> dict[str, UUID]:
    """One of each thing of the cooperative, with a batch that is open."""
    with database.transaction(world.manager) as session:
        theirs = sites.create_site(
            session,
            world.manager,
            NewSite(
                id=new_id(), organisation_id=world.cooperative, name="Kho", kind="workshop", village_id=world.village
            ),
        )
    batch = make(database, world.manager, product, harvest(database, world.farmer, site))
    return {"site": theirs, "product": product, "variant": pack[0], "batch": batch, "cooperative": world.cooperative,
            "village": world.village}  # fmt: skip


def recall(session: Session, actor: Actor, at: dict[str, UUID]) -> Any:
    new = BatchEventIn.model_validate({"id": new_id(), "kind": "recalled", "reason": "thử"})
    return batch_events.record_batch_event(session, actor, at["batch"], new)


def hold(session: Session, actor: Actor, at: dict[str, UUID]) -> Any:
    new = BatchEventIn.model_validate({"id": new_id(), "kind": "held", "reason": "thử"})
    return batch_events.record_batch_event(session, actor, at["batch"], new)


def open_site(session: Session, actor: Actor, at: dict[str, UUID]) -> Any:
    new = NewSite(id=new_id(), organisation_id=at["cooperative"], name="Vườn", kind="orchard", village_id=at["village"])
    return sites.create_site(session, actor, new)


def edit_site(session: Session, actor: Actor, at: dict[str, UUID]) -> Any:
    facts = EditSite(name="Vườn", kind="orchard", village_id=at["village"], version=1)
    return sites.update_site(session, actor, at["site"], facts)


def write_step(session: Session, actor: Actor, at: dict[str, UUID]) -> Any:
    [outcome] = diary.record_care_logs(session, actor, [a_log(at["site"])])
    if outcome.error is not None:
        raise outcome.error


def new_product(session: Session, actor: Actor, at: dict[str, UUID]) -> Any:
    new = NewProduct(
        id=new_id(), organisation_id=at["cooperative"], name_vi="Na", ocop_group=1, village_ids=(at["village"],)
    )
    return products.create_product(session, actor, new)


def edit_product(session: Session, actor: Actor, at: dict[str, UUID]) -> Any:
    facts = EditProduct(name_vi="Na bở", ocop_group=1, village_ids=(at["village"],), version=1)
    return products.update_product(session, actor, at["product"], facts)


def retire_product(session: Session, actor: Actor, at: dict[str, UUID]) -> Any:
    return products.retire_product(session, actor, at["product"], 1)


def set_price(session: Session, actor: Actor, at: dict[str, UUID]) -> Any:
    facts = EditVariant(sku="NA-1KG", name_vi="Hộp", price_dong=1, net_quantity=Decimal(1), net_unit="kg", version=1)
    return products.update_variant(session, actor, at["variant"], facts)


MANAGERS_ONLY: tuple[Callable[[Session, Actor, dict[str, UUID]], Any], ...] = (
    recall, hold, open_site, edit_site, write_step, new_product, edit_product, retire_product, set_price,
)  # fmt: skip


def move_stock(session: Session, actor: Actor, at: dict[str, UUID]) -> Any:
    return stock.move(session, actor, Movement(id=new_id(), variant_id=at["variant"], kind="sold", units=1))


def two_hats(world: World, lesser: Role, greater: Role) -> Actor:
    """`lesser` in the cooperative of the things; `greater` elsewhere. A person the database knows."""
    elsewhere = new_id()
    held = [
        Membership(world.cooperative, lesser),
        Membership(world.foreign if greater != Role.FARMER else world.other, greater, elsewhere),
    ]
    return acting(*held, places=[elsewhere], person_id=world.purchaser.person_id)


@pytest.mark.parametrize("greater", GREATER)
@pytest.mark.parametrize("lesser", LESSER)
def test_a_role_elsewhere_gives_nothing_here(
    database: Database, world: World, things: dict[str, UUID], lesser: Role, greater: Role
) -> None:
    actor = two_hats(world, lesser, greater)
    verbs = MANAGERS_ONLY if lesser == Role.PURCHASER else (*MANAGERS_ONLY, move_stock)
    before = whole(database)
    for verb in verbs:
        with database.transaction(actor) as session, pytest.raises((Forbidden, NotFound)):
            verb(session, actor, things)
    assert whole(database) == before
    with database.transaction(world.manager) as session:  # the very same is the manager's to do
        recall(session, world.manager, things)
    assert whole(database) != before


def test_a_purchaser_here_who_manages_elsewhere_recalls_nothing_here(
    database: Database, world: World, things: dict[str, UUID]
) -> None:
    actor = two_hats(world, Role.PURCHASER, Role.COOPERATIVE_MANAGER)
    before = whole(database)
    with database.transaction(actor) as session, pytest.raises(Forbidden):
        recall(session, actor, things)
    assert whole(database) == before


def test_a_batch_takes_no_harvest_of_an_organisation_where_one_handles_no_goods(
    database: Database, world: World, product: UUID, site: UUID
) -> None:
    """A certifier of the household's cooperative who buys for another one takes nothing of it."""
    log = harvest(database, world.farmer, site)
    actor = acting(
        Membership(world.cooperative, Role.PURCHASER),
        Membership(world.household, Role.CERTIFIER),
        person_id=world.purchaser.person_id,
    )
    new = NewBatch.model_validate(
        {"id": new_id(), "product_id": product, "lot": "L1", "quantity": "1", "unit": "kg",
         "sources": [{"care_log_id": log.id}]}
    )  # fmt: skip
    before = whole(database)
    with database.transaction(actor) as session, pytest.raises(NotFound):
        batches.create_batch(session, actor, new)
    assert whole(database) == before


def test_a_certifier_finds_nothing_in_the_places_of_their_other_office(
    database: Database, world: World, site: UUID
) -> None:
    elsewhere = new_id()
    held = (
        Membership(world.foreign, Role.CERTIFIER, elsewhere),
        Membership(world.foreign, Role.VILLAGE_OFFICER, world.village),
    )
    actor = replace(
        acting(*held, person_id=world.official.person_id),
        places=frozenset({world.commune, world.village}),
    )
    before = everything(database)
    with database.transaction(actor) as session, pytest.raises(Forbidden):
        findings.record_finding(session, actor, site, FindingIn(id=new_id(), note="Có vỏ thuốc."))
    assert everything(database) == before


def test_who_writes_on_behalf_may_keep_the_diary_and_nothing_else(database: Database, world: World, site: UUID) -> None:
    officer = acting(
        Membership(world.foreign, Role.EXTENSION_OFFICER, world.village),
        places=[world.village],
        person_id=world.official.person_id,
    )
    with database.transaction(officer) as session:
        writer = rights.on_behalf_of(session, officer, session.get_one(Organisation, world.household))
        [outcome] = diary.record_care_logs(session, writer, [a_log(site, witness="officer")])
        assert outcome.status == "stored"
        with pytest.raises(Forbidden):
            new = NewProduct(
                id=new_id(), organisation_id=world.household, name_vi="Na", ocop_group=1, village_ids=(world.village,)
            )
            products.create_product(session, writer, new)


def whole(database: Database) -> list[Any]:
    """What a verb of trace or products could change."""
    tables = ("sites", "site_villages", "cycles", "care_logs", "batches", "batch_events", "trace_codes", "products",
              "variants", "certificates", "stock_movements", "outbox_events", "audit_entries", "public_pages")  # fmt: skip
    with database.transaction(SYSTEM) as session:
        return [session.execute(text(f"SELECT CAST(x AS text) FROM {t} x ORDER BY 1")).all() for t in tables]

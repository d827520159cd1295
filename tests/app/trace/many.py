"""The invented commune with so many of everything that each list has more than two pages."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.orm import Session

from app import clock
from app.accounts.models import HouseholdMembership, Organisation
from app.actor import SYSTEM, Actor, Role
from app.db import Database, Words, new_id
from app.marketplace_sync.models import ChannelAccount, DeclaredListing, Floor, Listing
from app.products.models import Product, Variant
from app.trace.models import Batch, CareLog, ConflictingSubmission, Site, StockMovement
from tests.worlds.farm import NOON, START, World, a_site, person

MANY = 120


@dataclass(frozen=True, slots=True)
class Many:
    """`manager` also acts for the MANY households; the diary, the ledger and the harvests are of `site`, `batch` and `product`."""

    manager: Actor
    official: Actor
    site: UUID
    batch: UUID
    product: UUID
    account: UUID
    other_account: UUID


def fill(database: Database, world: World) -> Many:
    """MANY households with a site each, and MANY products, packs, batches, harvests, lines, listings, links and conflicts."""
    site = a_site(database, world.farmer, world.household, world.village, name="Vườn chính")
    houses, products, packs, batches, logs = ([new_id() for _ in range(MANY)] for _ in range(5))
    account, other_account, floor = new_id(), new_id(), new_id()
    manager = replace(
        person((Role.COOPERATIVE_MANAGER, world.cooperative), also=(world.household, world.other, *houses)),
        person_id=world.manager.person_id,
    )
    at = [NOON - timedelta(hours=n) for n in range(MANY)]
    with database.transaction(SYSTEM) as session:
        _households(session, world, houses)
        rows = [{"id": p, "organisation_id": world.cooperative, "name": Words(vi=f"Hàng {n}"), "created_at": NOON}
                for n, p in enumerate(products, 1)]  # fmt: skip
        session.execute(insert(Product), rows)
        rows = [{"id": v, "organisation_id": world.cooperative, "product_id": p, "sku": f"SKU{n}", "name": Words(vi="Hộp"),
                 "price_dong": 1000, "created_at": NOON} for n, (v, p) in enumerate(zip(packs, products, strict=True), 1)]  # fmt: skip
        session.execute(insert(Variant), rows)
        rows = [{"id": i, "organisation_id": world.household, "site_id": site, "kind": "harvesting", "happened_at": when,
                 "recorded_at": when, "written_by": world.farmer.person_id, "witness": "farmer", "quantity": 10, "unit": "kg",
                 "photos": [], "content_sha256": "0"} for i, when in zip(logs, at, strict=True)]  # fmt: skip
        session.execute(insert(CareLog), rows)
        rows = [{"id": new_id(), "care_log_id": i, "site_id": site, "organisation_id": world.household, "body": {"kind": "weeding"},
                 "content_sha256": "1", "received_at": when} for i, when in zip(logs, at, strict=True)]  # fmt: skip
        session.execute(insert(ConflictingSubmission), rows)
        rows = [{"id": i, "organisation_id": world.cooperative, "product_id": products[0], "lot": f"LOT-{n}", "quantity": 5,
                 "harvested_on": NOON.date(), "made_on": NOON.date(), "unit": "kg", "created_at": when, "content_sha256": "0"}
                for n, (i, when) in enumerate(zip(batches, at, strict=True), 1)]  # fmt: skip
        session.execute(insert(Batch), rows)
        rows = [{"id": new_id(), "organisation_id": world.cooperative, "variant_id": packs[0], "batch_id": batches[0],
                 "kind": "packed", "asked": 1, "units": 1, "happened_at": when, "recorded_at": when, "content_sha256": "0"}
                for when in at]  # fmt: skip
        session.execute(insert(StockMovement), rows)
        _sales(session, world, [account, other_account], floor)
        rows = [{"id": new_id(), "organisation_id": world.cooperative, "account_id": account, "product_id": p, "variant_id": v,
                 "wanted": "live", "state": "live", "created_at": when}
                for v, p, when in zip(packs, products, at, strict=True)]  # fmt: skip
        session.execute(insert(Listing), rows)
        rows = [{"id": new_id(), "organisation_id": world.cooperative, "product_id": p, "floor_id": floor,
                 "url": f"https://san.example/{n}", "declared_by": world.manager.person_id, "declared_at": when}
                for n, (p, when) in enumerate(zip(products, at, strict=True), 1)]  # fmt: skip
        session.execute(insert(DeclaredListing), rows)
    return Many(manager, world.official, site, batches[0], products[0], account, other_account)


def _households(session: Session, world: World, houses: Sequence[UUID]) -> None:
    rows: list[dict[str, Any]] = [
        {"id": h, "kind": "household", "name": f"Hộ thêm {n}", "village_id": world.village, "commune_id": world.commune,
         "created_at": NOON, "version": 1} for n, h in enumerate(houses, 1)
    ]  # fmt: skip
    session.execute(insert(Organisation), rows)
    rows = [{"id": new_id(), "household_id": h, "cooperative_id": world.cooperative, "valid_from": START, "recorded_at": NOON}
            for h in houses]  # fmt: skip
    session.execute(insert(HouseholdMembership), rows)
    rows = [{"id": new_id(), "organisation_id": h, "name": f"Thửa {n}", "kind": "orchard", "created_at": NOON}
            for n, h in enumerate(houses, 1)]  # fmt: skip
    session.execute(insert(Site), rows)


def _sales(session: Session, world: World, accounts: Sequence[UUID], floor: UUID) -> None:
    session.add(Floor(id=floor, key="san-thu", name=Words(vi="Sàn thử"), hosts=["san.example"], kind="marketplace",
                      created_at=clock.now()))  # fmt: skip
    for number, account in enumerate(accounts, 1):
        session.add(
            ChannelAccount(
                id=account, organisation_id=world.cooperative, channel="woocommerce", floor_id=None, legal_kind="own_site",
                name=f"Sàn {number}", base_url=f"https://san{number}.example", credentials_sealed=b"", state="active",
                error=None, created_at=NOON + timedelta(hours=number),
            )
        )  # fmt: skip
    session.flush()

"""What the marketplace tests look at: one organisation, its people, one product, one account."""

from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import func, select, update
from woo_double import WooDouble

from app import clock
from app.accounts.models import Membership, Person, PersonalData
from app.actor import SYSTEM, Actor, Role
from app.actor import Membership as ActorMembership
from app.db import Database, Words, new_id
from app.marketplace_sync import credentials, floors, listings, looks, pushes, queries
from app.marketplace_sync.channels.accounts import Credentials
from app.marketplace_sync.models import ChannelAccount, FloorDecision, Listing
from app.marketplace_sync.schemas import WantListing
from app.outbox import OutboxEvent
from app.products.models import Product, Variant
from app.settings import Settings
from app.trace.models import Batch, StockMovement
from tests.actors import acting
from tests.worlds.rows import a_place, an_organisation


@dataclass(slots=True)
class World:
    database: Database
    settings: Settings
    commune_id: UUID
    village_id: UUID
    organisation_id: UUID
    manager: Actor
    other: Actor
    product_id: UUID
    variant_id: UUID
    floor_id: UUID
    account_id: UUID
    woo: WooDouble

    def want(self, account_id: UUID | None = None) -> UUID:
        with self.database.transaction(self.manager) as session:
            return listings.want_live(
                session,
                self.manager,
                WantListing(id=new_id(), account_id=account_id or self.account_id, variant_id=self.variant_id),
            )

    def another_pack(self, sku: str = "", *, units: int = 5, price_dong: int = 90000) -> UUID:
        """A further pack of the product, so many of it packed in its first lot; `want` is about it from now on."""
        self.variant_id = new_id()
        with self.database.transaction(SYSTEM) as session:
            session.add(
                Variant(
                    id=self.variant_id,
                    organisation_id=self.organisation_id,
                    product_id=self.product_id,
                    sku=sku or f"MO-{self.variant_id.hex[-6:]}",
                    name=Words(vi="chai khác"),
                    price_dong=price_dong,
                    weight_grams=300,
                    created_at=clock.now(),
                )
            )
            session.flush()
            lot = session.scalars(select(Batch.id).where(Batch.lot == "MO-01")).one()
            if units:
                session.add(
                    StockMovement(
                        id=new_id(),
                        organisation_id=self.organisation_id,
                        variant_id=self.variant_id,
                        batch_id=lot,
                        kind="packed",
                        units=units,
                        asked=units,
                        happened_at=clock.now(),
                        recorded_at=clock.now(),
                        person_id=self.manager.person_id,
                        content_sha256="0" * 64,
                    )
                )
        return self.variant_id

    def push(self, listing_id: UUID) -> Listing:
        pushes.push(self.database, self.settings, listing_id)
        return self.read(listing_id)

    def look(self, listing_id: UUID) -> Listing:
        looks.look(self.database, self.settings, listing_id)
        return self.read(listing_id)

    def do(self, verb: Any, *given: Any, actor: Actor | None = None) -> Any:
        by = actor or self.manager
        with self.database.transaction(by) as session:
            return verb(session, by, *given)

    def account(self) -> ChannelAccount:
        with self.database.transaction(SYSTEM) as session:
            return session.get_one(ChannelAccount, self.account_id)

    def evidence(self) -> list[queries.Evidence]:
        """What is known now of where the product is on sale."""
        with self.database.transaction(SYSTEM) as session:
            found = queries.live_evidence(session, [self.product_id], as_of=clock.today(), known_at=clock.now())
            return found[self.product_id]

    def events(self, name: str) -> int:
        with self.database.transaction(SYSTEM) as session:
            return session.scalar(select(func.count()).where(OutboxEvent.name == f"marketplace_sync.{name}")) or 0

    def change(self, what: Any, **values: Any) -> None:
        """Set columns of every row of a table."""
        with self.database.transaction(SYSTEM) as session:
            session.execute(update(what).values(**values))

    def new_price(self, price: int) -> None:
        with self.database.transaction(SYSTEM) as session:
            session.execute(update(Variant).where(Variant.id == self.variant_id).values(price_dong=price))
            listings.refresh(session, SYSTEM, variant_ids=[self.variant_id])

    def read(self, listing_id: UUID) -> Listing:
        with self.database.transaction(SYSTEM) as session:
            return session.get_one(Listing, listing_id)


def add_person(
    database: Database, name: str, phone: str, organisation_id: UUID, role: Role, place: UUID | None = None
) -> Actor:
    person = new_id()
    with database.transaction(SYSTEM) as session:
        session.add(Person(id=person, created_at=clock.now(), erased_at=None))
        session.flush()
        session.add(
            PersonalData(
                person_id=person,
                phone=phone,
                full_name=name,
                address_as="bác",
                email=None,
                language="vi",
                updated_at=clock.now(),
            )
        )
        session.add(
            Membership(
                id=new_id(),
                person_id=person,
                organisation_id=organisation_id,
                role=role,
                place_id=place,
                valid_from=date(2026, 1, 1),
                valid_to=None,
                recorded_at=clock.now(),
                granted_by=None,
                ended_at=None,
                ended_by=None,
            )
        )
    return acting(
        ActorMembership(organisation_id, role, place), places=[place] if place is not None else [], person_id=person
    )


def make_world(database: Database, settings: Settings, shop: WooDouble) -> World:
    province, commune, village, organisation, product, variant = (new_id() for _ in range(6))
    now = clock.now()
    with database.transaction(SYSTEM) as session:
        for place, level, name, parent in (
            (province, "province", "Mẫu", None),
            (commune, "commune", "Chi Mẫu", province),
            (village, "village", "Nà Mẫu", commune),
        ):
            session.add(a_place(level, name, str(place)[-6:], parent, place_id=place))
            session.flush()
        session.add(an_organisation("cooperative", "HTX Nà Mẫu", commune, village, organisation_id=organisation))
    manager = add_person(database, "Hoàng Thị Mẫu", "+84900000001", organisation, Role.COOPERATIVE_MANAGER)
    other = add_person(database, "Nông Văn Mẫu", "+84900000002", organisation, Role.PURCHASER)
    with database.transaction(SYSTEM) as session:
        session.add(
            Product(
                id=product,
                organisation_id=organisation,
                name=Words(vi="Mật ong rừng", en="Forest honey"),
                description=Words(vi="Mật mẫu."),
                ocop_group=1,
                ocop_scheme_year=2023,
                photo_sha256=None,
                created_at=now,
                person_id=manager.person_id,
                retired_on=None,
            )
        )
        session.flush()
        session.add(
            Variant(
                id=variant,
                organisation_id=organisation,
                product_id=product,
                sku="MO-500",
                name=Words(vi="chai 500 ml"),
                price_dong=185000,
                net_quantity=None,
                net_unit=None,
                weight_grams=700,
                shelf_life_days=730,
                gtin=None,
                created_at=now,
                retired_on=None,
            )
        )
        batch = Batch(
            id=new_id(),
            organisation_id=organisation,
            product_id=product,
            variant_id=variant,
            lot="MO-01",
            harvested_on=date(2026, 10, 1),
            quantity=50,
            unit="l",
            made_on=date(2026, 10, 2),
            expires_on=None,
            created_at=now,
            person_id=manager.person_id,
            content_sha256="0" * 64,
        )
        session.add(batch)
        session.flush()
        session.add(
            StockMovement(
                id=new_id(),
                organisation_id=organisation,
                variant_id=variant,
                batch_id=batch.id,
                kind="packed",
                units=40,
                asked=40,
                happened_at=now,
                recorded_at=now,
                person_id=manager.person_id,
                reason=None,
                corrects_id=None,
                content_sha256="0" * 64,
            )
        )
        floor = floors.install_floor(
            session,
            key="san-tinh",
            name=Words(vi="Sàn nông sản tỉnh (mô phỏng)", en="Provincial farm floor (simulated)"),
            hosts=[urlsplit(shop.url).netloc],
        )
        session.flush()
        session.add(
            FloorDecision(
                id=new_id(),
                floor_id=floor,
                counted=True,
                effective_on=date(2026, 1, 1),
                legal_basis="MẪU-01/QĐ-UBND",
                recorded_at=now,
                person_id=manager.person_id,
            )
        )
        account = ChannelAccount(
            id=new_id(),
            organisation_id=organisation,
            channel="woocommerce",
            floor_id=floor,
            legal_kind="marketplace",
            name="Gian hàng tỉnh",
            base_url=shop.url,
            credentials_sealed=credentials.seal(settings, Credentials(shop.credentials().values)),
            stock_buffer=0,
            state="active",
            error=None,
            created_at=now,
        )
        session.add(account)
    return World(
        database,
        settings,
        commune,
        village,
        organisation,
        manager,
        other,
        product,
        variant,
        floor,
        account.id,
        shop,
    )

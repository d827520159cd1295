"""One batch with everything a public page can say, written as rows: invented people in an invented village."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.accounts.models import Person
from app.actor import Actor, Membership, Role
from app.db import Words, new_id
from app.marketplace_sync.channels.statuses import OUT_OF_STOCK
from app.marketplace_sync.models import ChannelAccount, Listing, ListingObservation
from app.products.models import Certificate, Product, ProductVillage, Variant
from app.trace import codes
from app.trace.models import Batch, BatchEvent, BatchSource, CareLog, Cycle, Site, SiteVillage, TraceCode
from tests.actors import acting
from tests.sightings import was_seen
from tests.worlds.rows import a_place, an_organisation

BEGAN = datetime(2026, 3, 1, 3, tzinfo=UTC)
HARVEST = date(2026, 8, 12)
GTIN = "09520123456788"  # GS1's own example range


@dataclass
class World:
    """The ids of what was made, and verbs to add to it."""

    session: Session
    code: str = ""
    ids: dict[str, UUID] = field(default_factory=dict)

    def add(self, name: str, row: Any) -> UUID:
        self.session.add(row)
        self.session.flush()
        self.ids[name] = row.id
        return self.ids[name]

    def log(self, kind: str, at: datetime, **more: Any) -> UUID:
        values: dict[str, Any] = {
            "organisation_id": self.ids["household"],
            "site_id": self.ids["site"],
            "cycle_id": self.ids["cycle"],
            "performed_by": self.ids["person"],
            "written_by": self.ids["person"],
            "witness": "farmer",
            "photos": [],
        }
        row = CareLog(
            id=new_id(), kind=kind, happened_at=at, recorded_at=at, content_sha256=new_id().hex, **(values | more)
        )
        self.session.add(row)
        self.session.flush()
        return row.id

    def event(self, kind: str, reason: str | None = None) -> None:
        self.session.add(
            BatchEvent(
                batch_id=self.ids["batch"],
                organisation_id=self.ids["cooperative"],
                kind=kind,
                at=datetime(2026, 8, 20, 3, tzinfo=UTC),
                recorded_at=datetime(2026, 8, 20, 3, tzinfo=UTC),
                reason=Words(vi=reason) if reason else None,
            )
        )
        self.session.flush()

    def certificate(self, number: str, *, valid_to: date | None, **more: Any) -> UUID:
        values: dict[str, Any] = {
            "scheme": "ocop",
            "stars": 4,
            "product_id": self.ids["product"],
            "issuer": "UBND tỉnh Lạng Sơn",
        }
        row = Certificate(
            organisation_id=self.ids["cooperative"],
            decision_number=number,
            decided_on=date(2025, 6, 1),
            valid_from=date(2025, 6, 1),
            valid_to=valid_to,
            recorded_at=BEGAN,
            content_sha256=new_id().hex,
            **(values | more),
        )
        self.session.add(row)
        self.session.flush()
        return row.id

    def on_sale(self, url: str, seen_at: datetime, *, sold_out: bool) -> None:
        """Seen on sale in a shop of the cooperative's own: another account for each page."""
        organisation = self.ids["cooperative"]
        account = self.add(
            "account",
            ChannelAccount(
                organisation_id=organisation, channel="woocommerce", legal_kind="own_site", name="Gian hàng thử",
                base_url="https://gianhang.example", credentials_sealed=b"", state="active", created_at=BEGAN,
            ),
        )  # fmt: skip
        listing = self.add(
            "listing",
            Listing(
                organisation_id=organisation, account_id=account, product_id=self.ids["product"],
                variant_id=self.ids["variant"], wanted="live", state="live", created_at=BEGAN,
            ),
        )  # fmt: skip
        reasons = [{"code": OUT_OF_STOCK, "vi": "Gian hàng báo đã hết hàng.", "en": "Sold out."}] if sold_out else []
        was_seen(
            self.session,
            ListingObservation(
                listing_id=listing, organisation_id=organisation, seen_at=seen_at, live=True, buyable=not sold_out,
                raw_state="publish", url=url, price_dong=90_000, reasons=reasons,
            ),
        )  # fmt: skip

    def gs1_code(self) -> str:
        code = f"{GTIN}/CL-0826-07"
        self.session.add(
            TraceCode(
                code=code,
                organisation_id=self.ids["cooperative"],
                batch_id=self.ids["batch"],
                kind="gs1",
                gtin=GTIN,
                lot="CL-0826-07",
                created_at=BEGAN,
            )
        )
        self.session.flush()
        return code

    @property
    def manager(self) -> Actor:
        cooperative = self.ids["cooperative"]
        return acting(Membership(cooperative, Role.COOPERATIVE_MANAGER), person_id=self.ids["person"])


def make_world(session: Session) -> World:
    world = World(session)

    province = world.add("province", a_place("province", "Mẫu Sơn Thử", "T1", recorded_at=BEGAN))
    commune = world.add("commune", a_place("commune", "Chi Lăng Thử", "T2", province, recorded_at=BEGAN))
    village = world.add("village", a_place("village", "Nà Mẫu", "T3", commune, recorded_at=BEGAN))
    world.add("person", Person(created_at=BEGAN))
    for key, name in (("cooperative", "HTX nông sản Nà Mẫu"), ("household", "Hộ số 12 Nà Mẫu")):
        world.add(key, an_organisation(key, name, commune, village, created_at=BEGAN))
    cooperative, household = world.ids["cooperative"], world.ids["household"]
    world.add(
        "product",
        Product(
            organisation_id=cooperative,
            name=Words(vi="Na dai Chi Lăng", en="Chi Lang custard apple"),
            ocop_group=1,
            ocop_scheme_year=2025,
            created_at=BEGAN,
        ),
    )
    world.add(
        "variant",
        Variant(
            organisation_id=cooperative,
            product_id=world.ids["product"],
            sku="NA-2KG",
            name=Words(vi="hộp 2 kg", en="2 kg box"),
            price_dong=120000,
            net_quantity=Decimal(2),
            net_unit="kg",
            gtin=GTIN,
            created_at=BEGAN,
        ),
    )
    dated = {"valid_from": date(2025, 1, 1), "recorded_at": BEGAN, "village_id": world.ids["village"]}
    world.add("made", ProductVillage(product_id=world.ids["product"], organisation_id=cooperative, **dated))
    world.add(
        "site",
        Site(
            organisation_id=household,
            name="Đồi na",
            kind="orchard",
            latitude=Decimal("21.654321"),
            longitude=Decimal("106.567891"),
            created_at=BEGAN,
        ),
    )
    world.add("site_village", SiteVillage(site_id=world.ids["site"], organisation_id=household, **dated))
    world.add(
        "cycle",
        Cycle(
            organisation_id=household,
            site_id=world.ids["site"],
            product_id=world.ids["product"],
            crop=Words(vi="na dai"),
            started_on=date(2026, 3, 1),
            created_at=BEGAN,
        ),
    )
    day = timedelta(days=1)
    world.ids["fertilised"] = world.log(
        "fertilising", BEGAN + 3 * day, material="Phân hữu cơ hoai", quantity=Decimal(12), unit="bag"
    )
    world.ids["weeded"] = world.log("weeding", BEGAN + 20 * day)
    world.ids["sprayed"] = world.log(
        "spraying",
        datetime(2026, 7, 22, 1, tzinfo=UTC),
        material="Chế phẩm sinh học, gọi 0912345678",
        quantity=Decimal(2),
        unit="tank16",
        pre_harvest_days=3,
        witness="cooperative",
    )
    world.ids["harvested"] = world.log(
        "harvesting", datetime(2026, 8, 12, 0, tzinfo=UTC), quantity=Decimal(640), unit="kg"
    )
    world.add(
        "batch",
        Batch(
            organisation_id=cooperative,
            product_id=world.ids["product"],
            variant_id=world.ids["variant"],
            lot="CL-0826-07",
            harvested_on=HARVEST,
            quantity=Decimal(640),
            unit="kg",
            made_on=HARVEST,
            expires_on=None,
            created_at=BEGAN,
            content_sha256="x",
        ),
    )
    session.add(
        BatchSource(
            batch_id=world.ids["batch"],
            care_log_id=world.ids["harvested"],
            organisation_id=cooperative,
            log_organisation_id=household,
            quantity=Decimal(640),
            unit="kg",
        )
    )
    world.code = codes.new_code()
    session.add(
        TraceCode(
            code=world.code,
            organisation_id=cooperative,
            batch_id=world.ids["batch"],
            kind="short",
            lot="CL-0826-07",
            created_at=BEGAN,
        )
    )
    world.event("created")
    return world

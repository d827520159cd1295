"""A cooperative with one product, on a province with one counted floor: the simulated one."""

import http.server
import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from marketplace_world import World, add_person
from woo_double import Pictures, WooDouble

from app import clock
from app.accounts.models import Organisation
from app.actor import SYSTEM, Role
from app.db import Database, Words, new_id, sort_key
from app.marketplace_sync import credentials, floors
from app.marketplace_sync.channels.accounts import Credentials
from app.marketplace_sync.models import ChannelAccount, FloorDecision
from app.places.models import Place
from app.products.models import Product, Variant
from app.settings import Settings
from app.trace.models import Batch, StockMovement


@pytest.fixture(scope="session")
def pictures() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pictures)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def shop(tmp_path: Path, pictures: str) -> Iterator[WooDouble]:
    double = WooDouble(tmp_path, pictures)
    yield double
    double.stop()


@pytest.fixture
def world(fresh_database: Database, settings: Settings, shop: WooDouble) -> World:
    on_fresh = settings.model_copy(update={"database_url": fresh_database.url})
    province, commune, village, organisation, product, variant = (new_id() for _ in range(6))
    now = clock.now()
    with fresh_database.transaction(SYSTEM) as session:
        for place, level, word, name, parent in (
            (province, "province", "tỉnh", "Mẫu", None),
            (commune, "commune", "xã", "Chi Mẫu", province),
            (village, "village", "thôn", "Nà Mẫu", commune),
        ):
            session.add(
                Place(
                    id=place,
                    code=str(place)[-6:],
                    level=level,
                    kind_word=word,
                    name=name,
                    sort_key=sort_key(name),
                    parent_id=parent,
                    valid_from=None,
                    valid_to=None,
                    recorded_at=now,
                )
            )
            session.flush()
        session.add(
            Organisation(
                id=organisation,
                kind="cooperative",
                name="HTX Nà Mẫu",
                tax_code=None,
                village_id=village,
                commune_id=commune,
                created_at=now,
            )
        )
    manager = add_person(fresh_database, "Hoàng Thị Mẫu", "+84900000001", organisation, Role.COOPERATIVE_MANAGER)
    other = add_person(fresh_database, "Nông Văn Mẫu", "+84900000002", organisation, Role.PURCHASER)
    with fresh_database.transaction(SYSTEM) as session:
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
            credentials_sealed=credentials.seal(on_fresh, Credentials(shop.credentials().values)),
            stock_buffer=0,
            state="active",
            error=None,
            created_at=now,
        )
        session.add(account)
    return World(
        fresh_database,
        on_fresh,
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


@pytest.fixture
def listing_id(world: World) -> UUID:
    """The one product, on sale on the one floor."""
    listing_id = world.want()
    world.push(listing_id)
    return listing_id

"""What tests of the desk's pages share: a client of somebody, a picture, what was stored."""

from collections.abc import Callable
from io import BytesIO
from typing import Any
from uuid import UUID

from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import func, select

from app.actor import SYSTEM, Actor
from app.db import Database, new_id
from tests.worlds.farm import World, a_log, a_pack, a_product, a_site, write

MakeClient = Callable[[Actor], FlaskClient]


def photo() -> BytesIO:
    raw = BytesIO()
    Image.new("RGB", (40, 30), (20, 120, 60)).save(raw, "JPEG")
    raw.seek(0)
    return raw


def only(database: Database, model: Any) -> Any:
    with database.transaction(SYSTEM) as session:
        return session.scalars(select(model)).one()


def count(database: Database, model: Any) -> int:
    with database.transaction(SYSTEM) as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def a_batch(client: FlaskClient, database: Database, world: World, lot: str = "NA-1") -> tuple[UUID, UUID]:
    """A batch of 10 kg with a code and 4 packs; its id and its pack's."""
    site = a_site(database, world.farmer, world.household, world.village)
    harvest = a_log(site, "harvesting", quantity=10, unit="kg")
    write(database, world.farmer, harvest)
    product = a_product(database, world, name_vi=f"Na {lot}")
    variant = a_pack(database, world, product, sku=lot)
    batch = new_id()
    form = {"id": batch, "product_id": product, "variant_id": variant, "lot": lot, "quantity": "10", "unit": "kg",
            "source": [harvest.id]}  # fmt: skip
    assert client.post("/lo/moi", data=form).status_code == 303
    client.post(f"/lo/{batch}/ma", data={"kind": "short"})
    client.post(f"/lo/{batch}/kho", data={"id": new_id(), "variant_id": variant, "kind": "packed", "units": "4"})
    return batch, variant

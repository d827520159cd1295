"""Products and packs: stored once, refused where they cannot be, found by nobody else."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import select

from app.actor import Actor
from app.db import Database, new_id
from app.errors import Conflict, Forbidden, NotFound
from app.products import queries, service
from app.products.models import Product, ProductVillage, Variant
from app.products.schemas import EditProduct, EditVariant, NewProduct, NewVariant
from tests.app.products.records import count, names
from tests.worlds.farm import World, a_pack, a_product


def test_a_product_is_stored_once_with_its_villages(database: Database, world: World) -> None:
    facts = {"id": new_id(), "organisation_id": world.cooperative, "name_vi": "  Na   dai ", "ocop_group": 1,
             "village_ids": (world.village, world.second_village)}  # fmt: skip
    for _ in range(2):
        with database.transaction(world.manager) as session:
            assert service.create_product(session, world.manager, NewProduct.model_validate(facts)) == facts["id"]
    with database.transaction(world.manager) as session:
        row = queries.product(session, world.manager, facts["id"])
        assert (row.name.vi, row.name_folded, row.ocop_scheme_year) == ("Na dai", "na dai", 2023)
        assert set(queries.villages_of(session, [row.id], date(2026, 11, 20))[row.id]) == {
            world.village,
            world.second_village,
        }
    assert names(database) == ["products.product_changed"]
    with database.transaction(world.manager) as session, pytest.raises(Conflict, match="same_id_other_content"):
        service.create_product(session, world.manager, NewProduct.model_validate(facts | {"name_vi": "Na bở"}))
    assert count(database, ProductVillage) == 2


def test_who_may_make_products(database: Database, world: World) -> None:
    for actor in (world.stranger, world.official, world.purchaser, world.farmer, world.neighbour):
        with pytest.raises(Forbidden):
            a_product(database, replace_manager(world, actor))
    assert count(database, Product) == 0
    # A household that is itself the holder manages its own, and its cooperative does it for them.
    for actor in (world.farmer, world.manager):
        with database.transaction(actor) as session:
            new = NewProduct(id=new_id(), organisation_id=world.household, name_vi="Mật ong")
            service.create_product(session, actor, new)
    assert count(database, Product) == 2


def replace_manager(world: World, actor: Actor) -> World:
    return type(world)(**{f: getattr(world, f) for f in world.__slots__} | {"manager": actor})


def test_somebody_faster_wins_and_the_other_is_told(database: Database, world: World) -> None:
    product = a_product(database, world)
    edit = EditProduct(version=1, name_vi="Na dai Chi Thử", village_ids=(world.second_village,))
    with database.transaction(world.manager) as session:
        service.update_product(session, world.manager, product, edit)
    with database.transaction(world.manager) as session, pytest.raises(Conflict, match="changed_meanwhile"):
        service.update_product(session, world.manager, product, edit)
    with database.transaction(world.manager) as session:
        assert queries.villages_of(session, [product], date(2026, 11, 20)) == {product: [world.second_village]}
        history = {h.village_id: (h.valid_from, h.valid_to) for h in session.scalars(select(ProductVillage))}
    today = date(2026, 11, 20)
    assert history == {world.village: (today, today - timedelta(days=1)), world.second_village: (today, None)}


def test_a_price_change_is_told_and_a_taken_sku_is_not_taken_twice(database: Database, world: World) -> None:
    product = a_product(database, world)
    one = a_pack(database, world, product)
    two = a_pack(database, world, product, sku="NA-2KG", gtin="4006381333931")
    before = names(database)
    facts = {"version": 1, "sku": "NA-1KG", "name_vi": "Hộp 1 kg", "price_dong": 65000}
    with database.transaction(world.manager) as session:
        service.update_variant(session, world.manager, one, EditVariant.model_validate(facts))
    assert names(database)[len(before) :] == ["products.product_changed", "products.price_changed"]
    for clash in ({"sku": "NA-1KG"}, {"sku": "NA-3KG", "gtin": "4006381333931"}):
        with pytest.raises(Conflict) as refused:
            a_pack(database, world, product, **clash)
        assert refused.value.code in {"sku_taken", "gtin_taken"}
    with pytest.raises(Conflict, match="sku_taken"), database.transaction(world.manager) as session:
        service.update_variant(session, world.manager, two, EditVariant.model_validate(facts))
    assert count(database, Variant) == 2
    # Another organisation may use the same SKU.
    with database.transaction(world.stranger) as session:
        new = NewProduct(id=new_id(), organisation_id=world.foreign, name_vi="Na khác")
        other = service.create_product(session, world.stranger, new)
        service.add_variant(
            session,
            world.stranger,
            NewVariant(id=new_id(), product_id=other, sku="NA-1KG", name_vi="Hộp", price_dong=1),
        )


def test_another_organisations_products_are_not_found(database: Database, world: World) -> None:
    product = a_product(database, world)
    pack = a_pack(database, world, product)
    with database.transaction(world.stranger) as session:
        assert queries.product_list(session, world.stranger).products == []
        with pytest.raises(NotFound):
            queries.product(session, world.stranger, product)
        with pytest.raises(NotFound):
            queries.variant(session, world.stranger, pack)
        assert session.scalars(select(Product)).all() == []  # row-level security agrees with the filter
    with database.transaction(world.farmer) as session:
        assert [p.id for p in queries.products_to_grow(session, world.farmer).rows] == [product]


@pytest.mark.parametrize(
    ("typed", "stored"),
    [("4006381333931", "04006381333931"), ("400638 1333931", "04006381333931"), ("96385074", "00000096385074")],
)
def test_gtins_are_kept_with_fourteen_digits(typed: str, stored: str) -> None:
    pack = NewVariant(id=new_id(), product_id=new_id(), sku="AB", name_vi="Hộp", price_dong=1, gtin=typed)
    assert pack.gtin == stored


@pytest.mark.parametrize(
    "typed",
    ["4006381333930", "400638133393", "2001234567893", "0212345678900", "abc", "0000000000000", "9912345678903"],
)
def test_wrong_and_restricted_gtins_are_refused(typed: str) -> None:
    with pytest.raises(ValidationError):
        NewVariant(id=new_id(), product_id=new_id(), sku="AB", name_vi="Hộp", price_dong=1, gtin=typed)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("price_dong", 0), ("price_dong", -5), ("price_dong", "2,5"), ("price_dong", "1000000001"), ("sku", "có dấu"), ("sku", "a"),
        ("net_quantity", "0"), ("shelf_life_days", 0), ("name_vi", "a\u202eb"), ("name_vi", "x" * 201),
    ],
)  # fmt: skip
def test_packs_that_cannot_be_are_refused(field: str, value: Any) -> None:
    whole = {
        "id": new_id(),
        "product_id": new_id(),
        "sku": "AB",
        "name_vi": "Hộp",
        "price_dong": 1,
        "net_unit": "kg",
        "net_quantity": 1,
    }
    with pytest.raises(ValidationError):
        NewVariant.model_validate(whole | {field: value})


@given(st.integers(1, 999_999_999))
def test_prices_are_read_as_people_write_them(price: int) -> None:
    english = f"{price:,}"
    for language, written in (
        ("vi", english.replace(",", ".")),
        ("vi", f"{price}"),
        ("vi", f"{english} đ".replace(",", " ")),
        ("vi", english.replace(",", ".") + "đ"),
        ("en", english),
        ("en", f"{english}₫"),
    ):
        pack = NewVariant.model_validate(
            {"id": new_id(), "product_id": new_id(), "sku": "AB", "name_vi": "Hộp", "price_dong": written},
            context={"language": language},
        )
        assert pack.price_dong == price


@pytest.mark.parametrize(
    ("written", "nearest"),
    [
        ("185.0000", "185 hoặc 1.850.000"),
        ("185.00", "185"),
        ("185,0", "185"),
        ("120,000", "120.000 hoặc 120"),
        ("120.000,00", "120.000"),
        ("120.0000", "120 hoặc 1.200.000"),
    ],
)
def test_a_price_that_is_grouped_wrongly_is_refused_with_the_nearest_right_spelling(written: str, nearest: str) -> None:
    with pytest.raises(ValidationError) as refused:
        NewVariant.model_validate(
            {"id": new_id(), "product_id": new_id(), "sku": "AB", "name_vi": "Hộp", "price_dong": written},
            context={"language": "vi"},
        )
    found = [d["ctx"]["error"].text("vi") for d in refused.value.errors()]
    assert found == [f"Cần một số nguyên. Viết {nearest}."]

"""Products, packs and certificates: what is refused, what holds on a day, and what counts for a village."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import func, select, update

from app import clock
from app.accounts.models import Organisation
from app.actor import SYSTEM, Actor
from app.db import Database, new_id
from app.errors import Conflict, Forbidden, HoiError, NotFound
from app.outbox import OutboxEvent
from app.products import certificates, queries, service
from app.products.models import Certificate, Product, ProductVillage, Variant
from app.products.schemas import EditProduct, EditVariant, NewCertificate, NewProduct, NewVariant, WithdrawCertificate
from tests.app.trace.farm import NOON, World, a_pack, a_product


def count(database: Database, model: Any) -> int:
    with database.transaction(SYSTEM) as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def names(database: Database) -> list[str]:
    with database.transaction(SYSTEM) as session:
        return list(session.scalars(select(OutboxEvent.name).order_by(OutboxEvent.position)))


def certify(database: Database, actor: Actor, world: World, product: UUID | None, **facts: Any) -> UUID:
    whole = {
        "id": new_id(), "organisation_id": world.cooperative, "product_id": product, "scheme": "ocop", "stars": 4,
        "issuer": "UBND tỉnh Thử", "decision_number": "12/QĐ-UBND", "decided_on": date(2024, 3, 1),
    } | facts  # fmt: skip
    with database.transaction(actor) as session:
        return certificates.record_certificate(session, actor, NewCertificate.model_validate(whole))


def valid(database: Database, product: UUID, on: date, **how: Any) -> list[str]:
    with database.transaction(SYSTEM) as session:
        return [c.decision_number for c in queries.certificates_on(session, [product], on, **how).get(product, [])]


# --- products and packs ------------------------------------------------------------------------------------------


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
        history = {h.village_id: (h.valid_from, h.valid_to) for h in queries.village_history(session, product)}
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
        assert queries.products_of(session, world.stranger) == []
        with pytest.raises(NotFound):
            queries.product(session, world.stranger, product)
        with pytest.raises(NotFound):
            queries.variant(session, world.stranger, pack)
        assert session.scalars(select(Product)).all() == []  # row-level security agrees with the filter
    with database.transaction(world.farmer) as session:
        assert [p.id for p in queries.products_to_grow(session, world.farmer)] == [product]


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
    for written in (f"{price}", f"{price:,}", f"{price:,}".replace(",", "."), f"{price:,} đ".replace(",", " ")):
        pack = NewVariant.model_validate(
            {"id": new_id(), "product_id": new_id(), "sku": "AB", "name_vi": "Hộp", "price_dong": written}
        )
        assert pack.price_dong == price


# --- certificates ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("decided", "until"),
    [
        (date(2024, 3, 1), date(2027, 3, 1)),
        (date(2024, 2, 29), date(2027, 2, 28)),
        (date(2023, 11, 30), date(2026, 11, 30)),
    ],
)
def test_ocop_holds_for_36_months_from_the_decision(decided: date, until: date) -> None:
    assert certificates.months_after(decided, 36) == until


def test_valid_on_a_date_is_a_question(database: Database, world: World) -> None:
    product = a_product(database, world)
    certify(database, world.manager, world, product)
    assert valid(database, product, date(2024, 2, 29)) == []
    assert valid(database, product, date(2024, 3, 1)) == ["12/QĐ-UBND"]
    assert valid(database, product, date(2027, 3, 1)) == ["12/QĐ-UBND"]
    assert valid(database, product, date(2027, 3, 2)) == []
    assert valid(database, product, date(2026, 1, 1), known_at=NOON - timedelta(seconds=1)) == []
    with database.transaction(SYSTEM) as session:
        lapse = session.scalars(select(OutboxEvent).where(OutboxEvent.name == "products.certificate_lapsed")).one()
    assert lapse.due_at == clock.start_of_day(date(2027, 3, 2))


def test_one_of_the_whole_organisation_speaks_for_each_product(database: Database, world: World) -> None:
    one, two = a_product(database, world), a_product(database, world, name_vi="Mật ong")
    certify(
        database,
        world.manager,
        world,
        None,
        scheme="food_safety",
        stars=None,
        decision_number="ATTP-7",
        valid_to=date(2027, 1, 1),
    )
    certify(database, world.manager, world, one)
    assert valid(database, one, date(2026, 11, 20)) == ["12/QĐ-UBND", "ATTP-7"]
    assert valid(database, two, date(2026, 11, 20)) == ["ATTP-7"]


def test_a_correction_replaces_a_row_and_both_stay(database: Database, world: World) -> None:
    product = a_product(database, world)
    wrong = certify(database, world.manager, world, product, decision_number="21/QĐ")
    right = certify(database, world.manager, world, product, supersedes_id=wrong)
    assert valid(database, product, date(2026, 11, 20)) == ["12/QĐ-UBND"]
    assert count(database, Certificate) == 2
    with pytest.raises(Conflict, match="certificate_followed"):
        certify(database, world.manager, world, product, supersedes_id=wrong)
    with database.transaction(world.manager) as session:
        lines = {
            li.certificate.id: li.state
            for li in queries.certificate_lines(session, world.manager, product, date(2026, 11, 20))
        }
    assert lines == {wrong: "replaced", right: "valid"}


def test_a_withdrawn_certificate_held_until_the_day_before(database: Database, world: World) -> None:
    product = a_product(database, world)
    row = certify(database, world.manager, world, product)
    asked = WithdrawCertificate(id=new_id(), withdrawn_on=date(2026, 5, 1))
    for _ in range(2):
        with database.transaction(world.manager) as session:
            assert certificates.withdraw_certificate(session, world.manager, row, asked) == asked.id
    assert valid(database, product, date(2026, 4, 30)) == ["12/QĐ-UBND"]
    assert valid(database, product, date(2026, 5, 1)) == []
    with pytest.raises(Conflict, match="certificate_followed"), database.transaction(world.manager) as session:
        certificates.withdraw_certificate(
            session, world.manager, row, WithdrawCertificate(id=new_id(), withdrawn_on=date(2026, 6, 1))
        )


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"stars": 2}, "ocop_stars"),
        ({"stars": None}, "ocop_stars"),
        ({"scheme": "vietgap"}, "stars_without_ocop"),
        ({"decided_on": date(2026, 11, 21)}, "decided_in_future"),
        ({"valid_from": date(2024, 2, 1)}, "valid_before_decision"),
        ({"valid_to": date(2024, 2, 1)}, "valid_to"),
        ({"valid_to": date(2050, 1, 1)}, "valid_to"),
        ({"file_sha256": "0" * 64}, "file_unknown"),
        ({"supersedes_id": new_id()}, "not_found"),
    ],
)
def test_certificates_that_cannot_be_are_refused(
    database: Database, world: World, facts: dict[str, Any], code: str
) -> None:
    product = a_product(database, world)
    before = names(database)
    with pytest.raises(HoiError) as refused:
        certify(database, world.manager, world, product, **facts)
    assert refused.value.code == code
    assert count(database, Certificate) == 0
    assert names(database) == before


def test_an_ocop_certificate_needs_its_product_and_strangers_write_none(database: Database, world: World) -> None:
    product = a_product(database, world)
    with pytest.raises(HoiError) as refused:
        certify(database, world.manager, world, None)
    assert refused.value.code == "ocop_product"
    for actor in (world.stranger, world.official, world.farmer):
        with pytest.raises(Forbidden):
            certify(database, actor, world, product)
    assert count(database, Certificate) == 0


# --- what counts for a village -----------------------------------------------------------------------------------


def counted(
    database: Database, world: World, rule: str, on: date, *, left: bool = False, **how: Any
) -> dict[UUID, list[tuple[Any, ...]]]:
    """What counts for the two villages, or what left them, why and when."""
    with database.transaction(SYSTEM) as session:
        rows = queries.ocop_products_of_villages(
            session, [world.village, world.second_village], rule=rule, on=on, **how
        )
    found: dict[UUID, list[tuple[Any, ...]]] = {}
    for r in rows:
        if left and r.left is not None:
            found.setdefault(r.village_id, []).append((r.name.vi, r.certificate, r.left, r.left_on))
        elif not left and r.left is None:
            found.setdefault(r.village_id, []).append((r.name.vi, r.certificate, r.stars, r.valid_to, r.lapsed_on))
    return found


def test_products_count_by_seat_or_by_where_they_are_made(database: Database, world: World) -> None:
    na = a_product(database, world, village_ids=(world.second_village,))
    a_product(database, world, name_vi="Mật ong", village_ids=(world.village, world.second_village))
    certify(database, world.manager, world, na)
    certify(database, world.manager, world, na, decided_on=date(2025, 6, 1), stars=5, decision_number="30/QĐ")
    today = date(2026, 11, 20)
    good = ("Na dai Đồng Mẫu", "valid", 5, date(2028, 6, 1), None)
    bare = ("Mật ong", "none", None, None, None)
    assert counted(database, world, "holder_seat", today) == {world.village: [bare, good]}
    assert counted(database, world, "producing_village", today) == {
        world.village: [bare],
        world.second_village: [bare, good],
    }
    assert counted(database, world, "holder_seat", today, known_at=NOON - timedelta(days=1)) == {}
    lapsed = ("Na dai Đồng Mẫu", "lapsed", None, None, date(2028, 6, 2))
    assert counted(database, world, "holder_seat", date(2028, 7, 1)) == {world.village: [bare, lapsed]}


def test_a_row_taken_back_from_its_first_day_never_counted(database: Database, world: World) -> None:
    product = a_product(database, world)
    row = certify(database, world.manager, world, product)
    with database.transaction(world.manager) as session:
        asked = WithdrawCertificate(id=new_id(), withdrawn_on=date(2024, 3, 1))
        certificates.withdraw_certificate(session, world.manager, row, asked)
    assert counted(database, world, "holder_seat", date(2026, 11, 20)) == {
        world.village: [("Na dai Đồng Mẫu", "none", None, None, None)]
    }


def test_retired_products_leave_and_the_past_keeps_its_answer(database: Database, world: World, clock_at: Any) -> None:
    product = a_product(database, world)
    certify(database, world.manager, world, product)
    clock_at(NOON + timedelta(days=10))
    with database.transaction(world.manager) as session:
        service.retire_product(session, world.manager, product, 1)
        service.retire_product(session, world.manager, product, 1)
    assert counted(database, world, "holder_seat", date(2026, 11, 30)) == {}
    assert counted(database, world, "holder_seat", date(2026, 11, 30), left=True) == {
        world.village: [("Na dai Đồng Mẫu", "valid", "retired", date(2026, 11, 30))]
    }
    assert list(counted(database, world, "holder_seat", date(2026, 11, 29))) == [world.village]
    before = NOON + timedelta(days=9)
    assert list(counted(database, world, "holder_seat", date(2026, 11, 30), known_at=before)) == [world.village]
    assert names(database).count("products.product_retired") == 1
    with database.transaction(SYSTEM) as session:
        session.execute(update(Organisation).where(Organisation.id == world.cooperative).values(village_id=None))
    assert counted(database, world, "holder_seat", date(2026, 11, 29)) == {}


def test_product_made_elsewhere_since_a_day_leaves_its_village_and_says_when(
    database: Database, world: World, clock_at: Any
) -> None:
    product = a_product(database, world, village_ids=(world.village,))
    certify(database, world.manager, world, product)
    clock_at(NOON + timedelta(days=10))
    with database.transaction(world.manager) as session:
        edit = EditProduct(version=1, name_vi="Na dai Đồng Mẫu", village_ids=(world.second_village,))
        service.update_product(session, world.manager, product, edit)
    then, now = date(2026, 11, 29), date(2026, 11, 30)
    assert list(counted(database, world, "producing_village", then)) == [world.village]
    assert list(counted(database, world, "producing_village", now)) == [world.second_village]
    assert counted(database, world, "producing_village", now, left=True) == {
        world.village: [("Na dai Đồng Mẫu", "valid", "moved", now)]
    }
    before = NOON + timedelta(days=9)
    assert list(counted(database, world, "producing_village", now, known_at=before)) == [world.village]

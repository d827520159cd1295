"""The verbs of products: create, describe, price, place in villages, retire."""

from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import audit, clock, media
from app.actor import Actor, Right, check_may
from app.db import check_version, insert_once, new_id
from app.errors import Conflict, Invalid
from app.messages import N_
from app.outbox import publish
from app.places import queries as places
from app.places.models import Level
from app.products import queries
from app.products.events import PriceChanged, ProductChanged, ProductRetired
from app.products.models import Product, ProductVillage, Variant
from app.products.schemas import EditProduct, EditVariant, NewProduct, NewVariant, ProductFacts, VariantFacts


def other_content() -> Conflict:
    return Conflict(
        "same_id_other_content",
        N_("Mẫu này đã gửi một lần với nội dung khác. Hãy tải lại trang, xem bản đã ghi rồi sửa trên bản đó."),
    )


def _require(actor: Actor, organisation_id: UUID) -> None:
    check_may(actor, Right.MANAGE_PRODUCTS, organisation_id)


# --- products ----------------------------------------------------------------------------------------------------


def create_product(session: Session, actor: Actor, new: NewProduct) -> UUID:
    """Sent again with the same content it answers the same. Raises Conflict, Invalid or Forbidden."""
    _require(actor, new.organisation_id)
    _check_facts(session, actor, new)
    now = clock.now()
    row = Product(
        id=new.id,
        organisation_id=new.organisation_id,
        created_at=now,
        person_id=actor.person_id,
        retired_on=None,
        version=1,
        **_facts(new),
    )
    if not insert_once(session, row):
        return _product_again(session, actor, new)
    _add_villages(session, actor, new.id, new.organisation_id, new.village_ids)
    audit.record(session, actor, "products:product:create", subject_id=new.id, organisation_id=new.organisation_id)
    publish(session, actor, ProductChanged(product_id=new.id))
    return new.id


def _product_again(session: Session, actor: Actor, new: NewProduct) -> UUID:
    there = session.scalar(select(Product).where(Product.id == new.id, queries.seen(actor)))
    if there is None or there.organisation_id != new.organisation_id:
        raise other_content()
    changed = any(getattr(there, key) != value for key, value in _facts(new).items())
    if there.version == 1 and changed:
        raise other_content()
    return there.id


def update_product(session: Session, actor: Actor, product_id: UUID, facts: EditProduct) -> None:
    """Describe it otherwise, and say where it is made from today on. Raises Conflict when somebody was faster."""
    row = queries.product(session, actor, product_id, lock=True)
    _require(actor, row.organisation_id)
    _check_facts(session, actor, facts)
    check_version(row, facts.version)
    for key, value in _facts(facts).items():
        setattr(row, key, value)
    _set_villages(session, actor, row, facts.village_ids)
    audit.record(session, actor, "products:product:update", subject_id=row.id, organisation_id=row.organisation_id)
    publish(session, actor, ProductChanged(product_id=row.id))


def retire_product(session: Session, actor: Actor, product_id: UUID, version: int) -> None:
    """From today it is no longer offered and no longer counts; everything recorded stays."""
    row = queries.product(session, actor, product_id, lock=True)
    _require(actor, row.organisation_id)
    if row.retired_on is not None:
        return
    check_version(row, version)
    row.retired_on = clock.today()
    audit.record(session, actor, "products:product:retire", subject_id=row.id, organisation_id=row.organisation_id)
    publish(session, actor, ProductRetired(product_id=row.id))


def _facts(facts: ProductFacts) -> dict[str, object]:
    return {
        "name": facts.name(),
        "description": facts.description(),
        "ocop_group": facts.ocop_group,
        "ocop_scheme_year": facts.scheme_year(),
        "alcoholic": facts.alcoholic,
        "photo_sha256": facts.photo_sha256,
    }


def _check_facts(session: Session, actor: Actor, facts: ProductFacts) -> None:
    known = places.places(session, facts.village_ids)
    today = clock.today()
    for village_id in facts.village_ids:
        place = known.get(village_id)
        if place is None or place.level != Level.VILLAGE or (place.valid_to is not None and place.valid_to < today):
            raise Invalid(
                "not_a_village",
                N_("Nơi sản xuất phải là một thôn, bản hoặc khối phố đang có. Hãy chọn lại trong danh sách."),
                field="village_ids",
            )
    if facts.photo_sha256 and not media.attachable(session, actor, [facts.photo_sha256], sees=queries.points_to_file):
        raise Invalid(
            "photo_unknown",
            N_("Chưa nhận được ảnh này. Hãy chọn lại ảnh rồi gửi."),
            field="photo",
        )


# --- villages ----------------------------------------------------------------------------------------------------


def _add_villages(
    session: Session, actor: Actor, product_id: UUID, organisation_id: UUID, village_ids: Collection[UUID]
) -> None:
    now, today = clock.now(), clock.today()
    session.add_all(
        ProductVillage(
            id=new_id(),
            product_id=product_id,
            organisation_id=organisation_id,
            village_id=village_id,
            valid_from=today,
            valid_to=None,
            recorded_at=now,
            person_id=actor.person_id,
            ended_at=None,
            ended_by=None,
        )
        for village_id in dict.fromkeys(village_ids)
    )


def _set_villages(session: Session, actor: Actor, row: Product, village_ids: Collection[UUID]) -> None:
    """Rows that began stay; those left out end yesterday, so that every past day keeps its answer."""
    wanted = set(village_ids)
    there = set(
        session.scalars(
            select(ProductVillage.village_id).where(
                ProductVillage.product_id == row.id, ProductVillage.valid_to.is_(None)
            )
        )
    )
    gone = there - wanted
    if gone:
        session.execute(
            update(ProductVillage)
            .where(
                ProductVillage.product_id == row.id,
                ProductVillage.village_id.in_(gone),
                ProductVillage.valid_to.is_(None),
            )
            .values(valid_to=clock.today() - timedelta(days=1), ended_at=clock.now(), ended_by=actor.person_id)
            .execution_options(synchronize_session=False)
        )
    _add_villages(session, actor, row.id, row.organisation_id, [v for v in village_ids if v not in there])


# --- packs -------------------------------------------------------------------------------------------------------


def add_variant(session: Session, actor: Actor, new: NewVariant) -> UUID:
    """Sent again with the same content it answers the same. Raises Conflict for a SKU or GTIN that is taken."""
    product = queries.product(session, actor, new.product_id)
    _require(actor, product.organisation_id)
    row = Variant(
        id=new.id,
        organisation_id=product.organisation_id,
        product_id=product.id,
        created_at=clock.now(),
        retired_on=None,
        version=1,
        **_pack(new),
    )
    try:
        with session.begin_nested():
            added = insert_once(session, row)
    except IntegrityError as error:
        raise _taken(error) from None
    if not added:
        there = session.scalar(select(Variant).where(Variant.id == new.id, Variant.product_id == product.id))
        if there is None or (there.version == 1 and any(getattr(there, k) != v for k, v in _pack(new).items())):
            raise other_content()
        return there.id
    audit.record(session, actor, "products:variant:create", subject_id=new.id, organisation_id=product.organisation_id)
    publish(session, actor, ProductChanged(product_id=product.id))
    return new.id


def update_variant(session: Session, actor: Actor, variant_id: UUID, facts: EditVariant) -> None:
    """Raises Conflict when somebody was faster, or when the SKU or GTIN is taken."""
    row = queries.variant(session, actor, variant_id, lock=True)
    _require(actor, row.organisation_id)
    check_version(row, facts.version)
    old_price = row.price_dong
    try:
        with session.begin_nested():
            for key, value in _pack(facts).items():
                setattr(row, key, value)
            session.flush()
    except IntegrityError as error:
        raise _taken(error) from None
    audit.record(
        session,
        actor,
        "products:variant:update",
        subject_id=row.id,
        organisation_id=row.organisation_id,
        price_dong=row.price_dong,
    )
    publish(session, actor, ProductChanged(product_id=row.product_id))
    if row.price_dong != old_price:
        publish(session, actor, PriceChanged(variant_id=row.id))


def retire_variant(session: Session, actor: Actor, variant_id: UUID, version: int) -> None:
    """No longer sold in this pack; its stock and history stay."""
    row = queries.variant(session, actor, variant_id, lock=True)
    _require(actor, row.organisation_id)
    if row.retired_on is not None:
        return
    check_version(row, version)
    row.retired_on = clock.today()
    audit.record(session, actor, "products:variant:retire", subject_id=row.id, organisation_id=row.organisation_id)
    publish(session, actor, ProductChanged(product_id=row.product_id))


def _pack(facts: VariantFacts) -> dict[str, object]:
    return {
        "sku": facts.sku,
        "name": facts.name(),
        "price_dong": facts.price_dong,
        "net_quantity": facts.net_quantity,
        "net_unit": facts.net_unit,
        "weight_grams": facts.weight_grams,
        "shelf_life_days": facts.shelf_life_days,
        "gtin": facts.gtin,
    }


def _taken(error: IntegrityError) -> Exception:
    constraint = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
    if constraint == "uq_variants_organisation_id_sku":
        return Conflict(
            "sku_taken",
            N_("Mã hàng này đã dùng cho một gói khác của đơn vị. Hãy đặt mã khác, ví dụ thêm khối lượng vào cuối."),
            field="sku",
        )
    if constraint == "uq_variants_gtin":
        return Conflict(
            "gtin_taken",
            N_("Mã vạch này đã ghi cho một gói hàng khác. Mỗi gói có mã vạch riêng; hãy xem lại tem."),
            field="gtin",
        )
    return error

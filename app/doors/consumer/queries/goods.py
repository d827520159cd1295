"""A product's own number, without a lot: the pack, its maker, and where it is sold."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock
from app.accounts.models import Organisation
from app.db import Words
from app.doors.consumer.queries.public_texts import covered, said
from app.doors.consumer.queries.shops import Place, shops_of
from app.languages import SOURCE
from app.places import queries as places
from app.products.models import Product, Variant


@dataclass(frozen=True, slots=True)
class Goods:
    """One pack by its GTIN. What is no longer made is still in kitchens: it is told, and no shop with it."""

    gtin: str
    product: Words
    variant: Words
    photo: str | None
    producer: str
    producer_address: str
    shops: tuple[Place, ...]


def goods_of(session: Session, gtin: str, language: str = SOURCE) -> Goods | None:
    """Its places are named in this language. Needs a session of SYSTEM: it reads across organisations, and gives out named public fields only."""
    row = session.execute(
        select(Variant, Product, Organisation)
        .join(Product, Product.id == Variant.product_id)
        .join(Organisation, Organisation.id == Product.organisation_id)
        .where(Variant.gtin == gtin)
    ).one_or_none()
    if row is None:
        return None
    variant, product, holder = row
    made = variant.retired_on is None and product.retired_on is None
    seat = holder.village_id or holder.commune_id
    names = places.full_names(session, [] if seat is None else [seat], language)
    return Goods(
        gtin=gtin,
        product=covered(product.name),
        variant=covered(variant.name),
        photo=product.photo_sha256,
        producer=said(holder.name),
        producer_address=", ".join(names.values()),
        shops=shops_of(session, product.id, clock.today(), clock.now())[0] if made else (),
    )

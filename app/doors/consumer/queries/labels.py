"""What a label of a batch needs."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actor import Actor
from app.doors.consumer.queries.public_texts import said
from app.errors import not_found
from app.products.models import Product, Variant
from app.trace.models import Batch, CodeKind, TraceCode


@dataclass(frozen=True, slots=True)
class LabelOf:
    """What a label of a batch needs."""

    batch_id: UUID
    code: str
    kind: str
    gtin: str | None
    lot: str
    product: str


def label_of(session: Session, actor: Actor, batch_id: UUID, kind: CodeKind) -> LabelOf:
    """The code of one of the actor's own batches. Raises NotFound, also when no code of that kind was issued."""
    row = session.execute(
        select(TraceCode, Batch, Product, Variant)
        .join(Batch, Batch.id == TraceCode.batch_id)
        .join(Product, Product.id == Batch.product_id)
        .outerjoin(Variant, Variant.id == Batch.variant_id)
        .where(Batch.id == batch_id, TraceCode.kind == kind, TraceCode.organisation_id.in_(sorted(actor.organisations)))
    ).one_or_none()
    if row is None:
        raise not_found("mã của lô này", "a code of this batch")
    code, batch, product, variant = row
    names = [product.name.vi, *([variant.name.vi] if variant is not None else [])]
    return LabelOf(batch.id, code.code, code.kind, code.gtin, batch.lot, said(", ".join(names)))

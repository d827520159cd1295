"""The contents of a batch's label."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actor import Actor, Right
from app.doors.consumer.queries.public_texts import said
from app.errors import Conflict, not_found
from app.messages import N_
from app.products.models import Product, Variant
from app.trace import queries as trace
from app.trace.models import Batch, CodeKind, TraceCode


@dataclass(frozen=True, slots=True)
class LabelOf:
    """What a label of a batch needs. `state`: whether the lot may be sold, as `trace.standing` says."""

    batch_id: UUID
    code: str
    kind: str
    gtin: str | None
    lot: str
    product: str
    state: str


def label_of(session: Session, actor: Actor, batch_id: UUID, kind: CodeKind, right: Right) -> LabelOf:
    """The code of a batch of an organisation in which the actor has the right. Raises NotFound, also when no code of that kind was issued."""
    row = session.execute(
        select(TraceCode, Batch, Product, Variant)
        .join(Batch, Batch.id == TraceCode.batch_id)
        .join(Product, Product.id == Batch.product_id)
        .outerjoin(Variant, Variant.id == Batch.variant_id)
        .where(Batch.id == batch_id, TraceCode.kind == kind, TraceCode.organisation_id.in_(sorted(actor.where(right))))
    ).one_or_none()
    if row is None:
        raise not_found(N_("mã của lô này"))
    code, batch, product, variant = row
    names = [product.name.vi, *([variant.name.vi] if variant is not None else [])]
    state = trace.standing(session, batch_id).state
    return LabelOf(batch.id, code.code, code.kind, code.gtin, batch.lot, said(", ".join(names)), state)


def check_printable(label: LabelOf) -> None:
    """Raises Conflict for a lot that is recalled: no pack of it shall get a fresh label."""
    if label.state == "recalled":
        raise Conflict("lot_is_recalled", N_("Lô %(lot)s đang thu hồi nên không in thêm tem.", lot=label.lot))

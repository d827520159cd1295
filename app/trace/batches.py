"""The verbs of batches: made from harvests, and given a code. Nobody gets more out than was harvested."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import audit, clock
from app.actor import Actor, Right, check_may
from app.db import canonical_json, insert_once, lock_ids
from app.errors import Conflict, Invalid, not_found
from app.messages import N_
from app.outbox import publish
from app.products import gtins
from app.products import queries as products
from app.products.models import Product, Variant
from app.trace import codes, queries, scan_addresses, steps
from app.trace.batch_events import add_event, other_content
from app.trace.events import BatchCreated
from app.trace.holds import hold_early
from app.trace.models import Batch, BatchEventKind, BatchSource, CareLog, CodeKind, TraceCode
from app.trace.schemas import NewBatch, SourceIn, factor

_ZERO = Decimal("0.000")


@dataclass(frozen=True, slots=True)
class _Taken:
    """What a batch takes of one harvest."""

    root_id: UUID
    log: CareLog
    quantity: Decimal
    unit: str


def create_batch(session: Session, actor: Actor, new: NewBatch) -> UUID:
    """Make a batch of harvests; sent again with the same content it answers the same.

    Where days to wait before a harvest were not over, the batch is made and put on hold at once, with the reason.
    Raises NotFound, Forbidden, Invalid; Conflict for a lot code that is taken or other content under the same id.
    """
    product = products.product(session, actor, new.product_id)
    check_may(actor, Right.HANDLE_GOODS, product.organisation_id)
    pack = _pack(session, actor, product, new.variant_id)
    lock_ids(session, [s.care_log_id for s in new.sources])
    digest = hashlib.sha256(canonical_json(new)).hexdigest()
    there = session.scalar(select(Batch.content_sha256).where(Batch.id == new.id))
    if there is not None:
        if there != digest:
            raise other_content()
        return new.id
    taken = _take(session, actor, new.sources)
    _check_mass(new, taken)
    days = [clock.local(t.log.happened_at).date() for t in taken]
    harvested_on = max(days)
    made_on = new.made_on or harvested_on
    _check_made(made_on, harvested_on)
    row = Batch(
        id=new.id,
        organisation_id=product.organisation_id,
        product_id=product.id,
        variant_id=new.variant_id,
        lot=new.lot,
        harvested_on=harvested_on,
        quantity=new.quantity,
        unit=new.unit,
        made_on=made_on,
        expires_on=made_on + timedelta(days=pack.shelf_life_days) if pack and pack.shelf_life_days else None,
        created_at=clock.now(),
        person_id=actor.person_id,
        content_sha256=digest,
    )
    try:
        with session.begin_nested():
            added = insert_once(session, row)
    except IntegrityError as error:
        if getattr(getattr(error.orig, "diag", None), "constraint_name", None) != "uq_batches_organisation_id_lot":
            raise
        raise _lot_taken(session, product, harvested_on) from None
    if not added:
        raise other_content()
    session.execute(
        insert(BatchSource),
        [
            {
                "batch_id": row.id,
                "care_log_id": t.root_id,
                "organisation_id": row.organisation_id,
                "log_organisation_id": t.log.organisation_id,
                "quantity": t.quantity,
                "unit": t.unit,
            }
            for t in sorted(
                taken, key=lambda t: t.log.site_id
            )  # the database marks the sites: two lots at once in one order
        ],
    )
    add_event(session, actor, row, BatchEventKind.CREATED)
    hold_early(session, actor, row, [t.log for t in taken])
    audit.record(session, actor, "trace:batch:create", subject_id=row.id, organisation_id=row.organisation_id)
    publish(session, actor, BatchCreated(batch_id=row.id))
    return row.id


def _pack(session: Session, actor: Actor, product: Product, variant_id: UUID | None) -> Variant | None:
    if variant_id is None:
        return None
    pack = products.variant(session, actor, variant_id)
    if pack.product_id != product.id:
        raise Invalid(
            "other_product",
            N_("Gói này không phải của sản phẩm đang chọn. Hãy chọn lại gói."),
            field="variant_id",
        )
    return pack


def _take(session: Session, actor: Actor, sources: Sequence[SourceIn]) -> list[_Taken]:
    """What each harvest gives. Raises when it is no harvest of this actor's holders, or when less is left than asked."""
    logs = queries.current_logs(session, [s.care_log_id for s in sources])
    used = queries.used_of_harvests(session, [s.care_log_id for s in sources])
    taken = []
    for source in sources:
        log = logs.get(source.care_log_id)
        if log is None or not actor.may(Right.HANDLE_GOODS, log.organisation_id):
            raise not_found(N_("lần thu hoạch này"))
        if log.kind not in steps.HARVESTS or log.withdrawn:
            raise Invalid(
                "not_a_harvest",
                N_("Dòng nhật ký đã chọn không phải thu hoạch, hoặc đã được báo là không có. Hãy chọn lại."),
                field="sources",
            )
        if log.happened_at < clock.now() - timedelta(days=queries.HARVEST_DAYS):
            raise Invalid(  # what was taken of it may have ended with the records of its lots, see retention
                "harvest_too_old",
                N_(
                    "Lần thu hoạch ngày %(day)s đã quá %(harvest_days)s ngày, không tạo lô mới từ đó được nữa. Hãy "
                    "chọn lần thu hoạch khác.",
                    day=f"{clock.local(log.happened_at):%d/%m/%Y}",
                    harvest_days=queries.HARVEST_DAYS,
                ),
                field="sources",
            )
        left = queries.left_of(log, used.get(source.care_log_id, []))
        if left is None or log.unit is None:
            raise Invalid(
                "harvest_without_quantity",
                N_(
                    "Lần thu hoạch ngày %(day)s chưa ghi số lượng. Hãy sửa dòng nhật ký đó trước.",
                    day=f"{clock.local(log.happened_at):%d/%m/%Y}",
                ),
                field="sources",
            )
        wanted = left if source.quantity is None else source.quantity
        if wanted > left or left <= 0:
            raise Invalid(
                "harvest_used_up",
                N_(
                    "Lần thu hoạch ngày %(day)s chỉ còn %(left)s %(unit)s chưa vào lô nào.",
                    day=f"{clock.local(log.happened_at):%d/%m/%Y}",
                    left=max(left, _ZERO),
                    unit=log.unit,
                ),
                field="sources",
            )
        taken.append(_Taken(source.care_log_id, log, wanted, log.unit))
    return taken


def _check_mass(new: NewBatch, taken: Sequence[_Taken]) -> None:
    """Not more out than in; where they measure different things (kilograms in, bottles out) it cannot be told."""
    rates = [factor(t.unit, new.unit) for t in taken]
    if any(rate is None for rate in rates):
        return
    total = sum((t.quantity * rate for t, rate in zip(taken, rates, strict=True) if rate is not None), _ZERO)
    if new.quantity > total:
        raise Invalid(
            "more_than_harvested",
            N_(
                "Lô không thể nhiều hơn phần đã thu hoạch: các lần đã chọn có %(total)s %(unit)s.",
                total=total,
                unit=new.unit,
            ),
            field="quantity",
        )


def _check_made(made_on: date, harvested_on: date) -> None:
    if made_on < harvested_on:
        raise Invalid(
            "made_before_harvest",
            N_(
                "Ngày sản xuất không thể trước ngày thu hoạch cuối (%(harvested_on)s).",
                harvested_on=f"{harvested_on:%d/%m/%Y}",
            ),
            field="made_on",
        )
    if made_on > clock.today():
        raise Invalid(
            "in_future",
            N_("Ngày sản xuất chưa tới. Hãy chọn lại ngày."),
            field="made_on",
        )


def _lot_taken(session: Session, product: Product, harvested_on: date) -> Conflict:
    free = queries.next_lot(session, product, harvested_on)
    return Conflict(
        "lot_taken",
        N_("Mã lô này đã dùng. Hãy đặt mã khác, ví dụ %(free)s.", free=free),
        field="lot",
    )


def issue_code(session: Session, actor: Actor, batch_id: UUID, kind: CodeKind = CodeKind.SHORT) -> str:
    """The batch's code for labels; asked again, the same code. Raises NotFound, Forbidden, Invalid.

    A GS1 code needs a pack with the producer's own GTIN; a short one needs nothing.
    """
    batch = queries.batch(session, actor, batch_id)
    check_may(actor, Right.HANDLE_GOODS, batch.organisation_id)
    lock_ids(session, [batch.id])
    there = session.scalar(select(TraceCode.code).where(TraceCode.batch_id == batch.id, TraceCode.kind == kind))
    if there is not None:
        return there
    gtin = _gtin(session, batch) if kind == CodeKind.GS1 else None
    code = scan_addresses.gs1_code(gtin, batch.lot) if gtin else codes.new_code()
    row = TraceCode(
        code=code,
        organisation_id=batch.organisation_id,
        batch_id=batch.id,
        kind=kind,
        gtin=gtin,
        lot=batch.lot,
        created_at=clock.now(),
        person_id=actor.person_id,
    )
    session.add(row)
    session.flush()  # a code that exists already fails here, not at the end of somebody else's work
    audit.record(
        session, actor, "trace:code:issue", subject_id=batch.id, organisation_id=batch.organisation_id, kind=str(kind)
    )
    return code


def _gtin(session: Session, batch: Batch) -> str:
    pack = session.get(Variant, batch.variant_id) if batch.variant_id else None
    if pack is None or pack.gtin is None or gtins.is_restricted(pack.gtin):
        raise Invalid(
            "no_gtin",
            N_("Gói hàng của lô chưa có mã vạch (GTIN) của đơn vị. Hãy dùng mã ngắn, hoặc ghi mã vạch cho gói trước."),
            field="kind",
        )
    return pack.gtin

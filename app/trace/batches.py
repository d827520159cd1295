"""The verbs of batches: made from harvests, put on hold, recalled, given a code. Nobody gets more out than was harvested."""

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
from app.accounts import queries as accounts
from app.accounts.models import Organisation
from app.actor import Actor, Role
from app.db import Words, canonical_json, insert_once, lock_ids, new_id
from app.errors import Conflict, Invalid, forbidden, not_found
from app.notices import service as notices
from app.notices.models import Urgency
from app.outbox import publish
from app.products import queries as products
from app.products.models import Product, Variant
from app.trace import codes, digital_link, pages, queries, steps
from app.trace.events import (
    BatchChanged,
    BatchCreated,
    BatchHeld,
    CareLogCorrected,
    CareLogRecorded,
    CodeIssued,
    RecallLaunched,
)
from app.trace.models import Batch, BatchEvent, BatchEventKind, BatchSource, CareLog, CodeKind, TraceCode
from app.trace.schemas import BatchEventIn, NewBatch, SourceIn, factor

_ZERO = Decimal("0.000")


# --- making a batch ----------------------------------------------------------------------------------------------


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
    if not queries.may_handle(actor, product.organisation_id):
        raise forbidden()
    pack = _pack(session, actor, product, new.variant_id)
    lock_ids(session, [s.care_log_id for s in new.sources])
    digest = hashlib.sha256(canonical_json(new).encode()).hexdigest()
    there = session.scalar(select(Batch.content_sha256).where(Batch.id == new.id))
    if there is not None:
        if there != digest:
            raise _other_content()
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
        raise _other_content()
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
            for t in taken
        ],
    )
    _event(session, actor, row, BatchEventKind.CREATED)
    _hold_early(session, actor, row, [t.log for t in taken])
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
            vi="Gói này không phải của sản phẩm đang chọn. Bác chọn lại gói.",
            en="This pack is of another product. Choose the pack again.",
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
        if log is None or not queries.may_write_for(actor, log.organisation_id):
            raise not_found("lần thu hoạch này", "this harvest")
        if log.kind not in steps.HARVESTS or log.withdrawn:
            raise Invalid(
                "not_a_harvest",
                vi="Dòng nhật ký đã chọn không phải thu hoạch, hoặc đã được báo là không có. Bác chọn lại.",
                en="This diary line is no harvest, or was withdrawn. Choose again.",
                field="sources",
            )
        left = queries.left_of(log, used.get(source.care_log_id, []))
        if left is None or log.unit is None:
            raise Invalid(
                "harvest_without_quantity",
                vi=f"Lần thu hoạch ngày {clock.local(log.happened_at):%d/%m/%Y} chưa ghi số lượng. Bác sửa dòng nhật ký đó trước.",
                en=f"The harvest of {clock.local(log.happened_at):%d/%m/%Y} has no quantity. Correct that diary line first.",
                field="sources",
            )
        wanted = left if source.quantity is None else source.quantity
        if wanted > left or left <= 0:
            raise Invalid(
                "harvest_used_up",
                vi=f"Lần thu hoạch ngày {clock.local(log.happened_at):%d/%m/%Y} chỉ còn {_plain(left)} {log.unit} chưa vào lô nào.",
                en=f"Of the harvest of {clock.local(log.happened_at):%d/%m/%Y} only {max(left, _ZERO).normalize():f} {log.unit} is left.",
                field="sources",
            )
        taken.append(_Taken(source.care_log_id, log, wanted, log.unit))
    return taken


def _plain(value: Decimal) -> str:
    """2,5 as Vietnamese write it."""
    return f"{max(value, _ZERO).normalize():f}".replace(".", ",")


def _check_mass(new: NewBatch, taken: Sequence[_Taken]) -> None:
    """Not more out than in; where they measure different things (kilograms in, bottles out) it cannot be told."""
    rates = [factor(t.unit, new.unit) for t in taken]
    if any(rate is None for rate in rates):
        return
    total = sum((t.quantity * rate for t, rate in zip(taken, rates, strict=True) if rate is not None), _ZERO)
    if new.quantity > total:
        raise Invalid(
            "more_than_harvested",
            vi=f"Lô không thể nhiều hơn phần đã thu hoạch: các lần đã chọn có {_plain(total)} {new.unit}.",
            en=f"A batch cannot be more than what was harvested: the chosen harvests give {total.normalize():f} {new.unit}.",
            field="quantity",
        )


def _check_made(made_on: date, harvested_on: date) -> None:
    if made_on < harvested_on:
        raise Invalid(
            "made_before_harvest",
            vi=f"Ngày sản xuất không thể trước ngày thu hoạch cuối ({harvested_on:%d/%m/%Y}).",
            en=f"The batch cannot be made before the last harvest ({harvested_on:%d/%m/%Y}).",
            field="made_on",
        )
    if made_on > clock.today():
        raise Invalid(
            "in_future",
            vi="Ngày sản xuất chưa tới. Bác chọn lại ngày.",
            en="The day of making has not come yet. Choose another day.",
            field="made_on",
        )


def _other_content() -> Conflict:
    return Conflict(
        "same_id_other_content",
        vi="Lô này đã gửi một lần với nội dung khác. Bác tải lại trang để xem lô đã ghi.",
        en="This batch was sent once with other content. Reload the page to see what was saved.",
    )


def _lot_taken(session: Session, product: Product, harvested_on: date) -> Conflict:
    free = queries.next_lot(session, product, harvested_on)
    return Conflict(
        "lot_taken",
        vi=f"Mã lô này đã dùng. Bác đặt mã khác, ví dụ {free}.",
        en=f"This lot code is taken. Choose another one, for example {free}.",
        field="lot",
    )


# --- what happens to a batch -------------------------------------------------------------------------------------


def record_batch_event(session: Session, actor: Actor, batch_id: UUID, new: BatchEventIn) -> UUID:
    """Put on hold, release, recall, lift a recall; always with a reason. Sent again it answers the same.

    Raises NotFound, Forbidden; Conflict when the batch is already so.
    """
    batch = queries.batch(session, actor, batch_id)
    if not queries.may_write(actor, batch.organisation_id):
        raise forbidden()
    lock_ids(session, [batch.id])
    there = session.get(BatchEvent, new.id)
    if there is not None:
        if there.batch_id != batch.id or there.kind != new.kind or there.reason != new.words():
            raise _other_content()
        return there.id
    held = queries.is_held(session, batch.id)
    recalled = queries.standing(session, batch.id).state == "recalled"
    already = {
        BatchEventKind.HELD: held,
        BatchEventKind.RELEASED: not held,
        BatchEventKind.RECALLED: recalled,
        BatchEventKind.RECALL_LIFTED: not recalled,
    }
    if already[new.kind]:
        raise Conflict(
            "already_so",
            vi="Lô đã ở tình trạng này rồi. Bác tải lại trang.",
            en="The batch is like that already. Reload the page.",
        )
    _event(session, actor, batch, new.kind, new.words(), event_id=new.id)
    audit.record(session, actor, f"trace:batch:{new.kind}", subject_id=batch.id, organisation_id=batch.organisation_id)
    _changed(session, actor, batch)
    if new.kind == BatchEventKind.RECALLED:
        publish(session, actor, RecallLaunched(batch_id=batch.id))
    return new.id


def _event(
    session: Session,
    actor: Actor,
    batch: Batch,
    kind: BatchEventKind,
    reason: Words | None = None,
    *,
    event_id: UUID | None = None,
) -> None:
    now = clock.now()
    session.add(
        BatchEvent(
            id=event_id or new_id(),
            batch_id=batch.id,
            organisation_id=batch.organisation_id,
            kind=kind,
            at=now,
            recorded_at=now,
            person_id=actor.person_id,
            reason=reason,
            cause_id=None,
        )
    )
    session.flush()  # the ledger's position follows the order of events, and the next question sees this one


def _changed(session: Session, actor: Actor, batch: Batch) -> None:
    pages.forget(session, [batch.id])
    publish(session, actor, BatchChanged(batch_id=batch.id))


# --- rules that put on hold --------------------------------------------------------------------------------------


def check_site(session: Session, actor: Actor, event: CareLogRecorded | CareLogCorrected) -> None:
    """The diary of a site has changed: put batches on hold whose harvest it contradicts. Safe to run twice; runs as SYSTEM.

    Late steps of a phone that was offline, and corrections, arrive after a batch was made.
    """
    for batch_id in queries.batches_of_site(session, event.site_id):
        _check(session, actor, batch_id)


def check_new_batch(session: Session, actor: Actor, event: BatchCreated) -> None:
    """Look once more when both the batch and the diary are committed. Safe to run twice; runs as SYSTEM.

    A step that is written while the batch is being made sees no batch, and the batch does not see the step.
    """
    _check(session, actor, event.batch_id)


def _check(session: Session, actor: Actor, batch_id: UUID) -> None:
    batch = session.get_one(Batch, batch_id)
    sources = session.scalars(select(BatchSource).where(BatchSource.batch_id == batch_id)).all()
    logs = queries.current_logs(session, [s.care_log_id for s in sources])
    held = _hold_early(session, actor, batch, [log for log in logs.values() if not log.withdrawn])
    if _hold_contradicted(session, actor, batch, list(logs.values())) or held:
        _changed(session, actor, batch)


def _hold_early(session: Session, actor: Actor, batch: Batch, harvested: Sequence[CareLog]) -> bool:
    """Hold the batch for each step whose days to wait were not over. Returns whether something was added.

    A step is judged anew when a correction moved the first day allowed or the day of the harvest, not otherwise: whoever
    released the batch has seen these two days. Days that come back after the batch was released for other ones hold it again.
    """
    since = min((clock.local(h.happened_at).date() for h in harvested), default=clock.today()) - timedelta(days=366)
    waiting = queries.waiting(session, {h.site_id for h in harvested}, since)
    found = {
        (step.allowed_from, clock.local(harvest.happened_at).date(), step.care_log_id): step
        for harvest in harvested
        for step in queries.too_early(harvest, waiting.get(harvest.site_id, []))
    }
    events = queries.events_of(session, batch.id) if found else []
    added = False
    for (allowed_from, day, care_log_id), step in sorted(found.items(), key=lambda item: item[0]):
        finding = (care_log_id, allowed_from, day)
        holds = [e for e in events if (e.cause_id, e.allowed_from, e.harvested_on) == finding]
        releases = [
            e for e in events if holds and e.kind == BatchEventKind.RELEASED and e.position > holds[-1].position
        ]
        if holds and (not releases or any(_was_seen(session, e, finding, harvested) for e in releases)):
            continue
        reason = _early(step, day)
        added |= _hold(
            session,
            actor,
            batch,
            reason,
            care_log_id,
            allowed_from=allowed_from,
            harvested_on=day,
            undoes_id=releases[-1].id if releases else None,
        )
    return added


def _was_seen(
    session: Session, release: BatchEvent, finding: tuple[UUID, date, date], harvested: Sequence[CareLog]
) -> bool:
    """Whether the diary said the same when the batch was released: the step's first day allowed and the harvest's day.

    - was it a step then, on the site of the harvest, after which the same day was the first allowed?
    - was a harvest of the batch on the same day then, and too early for it?
    """
    care_log_id, allowed_from, harvested_on = finding
    roots = [queries.root_id(h) for h in harvested]
    then = queries.current_logs(session, [care_log_id, *roots], release.recorded_at)
    step = then.get(care_log_id)
    if step is None or step.withdrawn:
        return False
    wait = queries.waiting_after(step)
    return wait.allowed_from == allowed_from and any(
        clock.local(h.happened_at).date() == harvested_on and h.site_id == wait.site_id and queries.too_early(h, [wait])
        for h in (then[root] for root in roots if root in then)
        if not h.withdrawn
    )


def _early(step: queries.Waiting, day: date) -> Words:
    """The page of the batch shows this to everybody: no name of a site, which may be a person's."""
    if not step.known:
        return Words(
            vi=f"Thu hoạch ngày {day:%d/%m/%Y} sau lần dùng {step.material or 'thuốc'} ngày {step.applied_on:%d/%m/%Y}"
            f" chưa rõ thời gian cách ly (khi chưa rõ, tính hết {queries.UNKNOWN_WAIT_DAYS} ngày);"
            " hợp tác xã xem nhãn rồi sửa nhật ký hoặc gỡ giữ kèm lý do.",
            en=f"Harvested on {day:%d/%m/%Y} after {step.material or 'a treatment'} applied on"
            f" {step.applied_on:%d/%m/%Y}, of which the days to wait are not known (unknown counts as"
            f" {queries.UNKNOWN_WAIT_DAYS} days); the cooperative reads the label, then corrects the diary or"
            " releases the batch with a reason.",
        )
    return Words(
        vi=f"Thu hoạch ngày {day:%d/%m/%Y} khi chưa hết thời gian cách ly: dùng {step.material or 'thuốc'}"
        f" ngày {step.applied_on:%d/%m/%Y}, được thu từ {step.allowed_from:%d/%m/%Y}.",
        en=f"Harvested on {day:%d/%m/%Y} before the days to wait were over: {step.material or 'a treatment'}"
        f" applied on {step.applied_on:%d/%m/%Y}, harvest allowed from {step.allowed_from:%d/%m/%Y}.",
    )


def _hold_contradicted(session: Session, actor: Actor, batch: Batch, logs: Sequence[CareLog]) -> bool:
    """Hold the batch when a harvest in it was withdrawn, or corrected to what cannot be.

    - is it no harvest any more?
    - is it less than batches took of it?
    - was it after the batch was made?
    """
    used = queries.used_of_harvests(session, [queries.root_id(log) for log in logs])
    added = False
    for log in logs:
        if log.corrects_id is None:
            continue
        left = queries.left_of(log, used[queries.root_id(log)])
        day = clock.local(log.happened_at).date()
        if log.withdrawn or log.kind not in steps.HARVESTS:
            reason = Words(
                vi="Một lần thu hoạch của lô đã được báo là không có. Cần xem lại lô.",
                en="A harvest of this batch was withdrawn. The batch must be looked at.",
            )
        elif left is None or left < 0:
            reason = Words(
                vi="Số lượng một lần thu hoạch đã sửa thấp hơn phần đưa vào lô. Cần xem lại lô.",
                en="The quantity of a harvest was corrected to less than batches took of it. The batch must be looked at.",
            )
        elif day > batch.made_on:
            reason = Words(
                vi=f"Ngày thu hoạch đã sửa thành {day:%d/%m/%Y}, sau ngày sản xuất {batch.made_on:%d/%m/%Y}. Cần xem lại lô.",
                en=f"A harvest was corrected to {day:%d/%m/%Y}, after the batch was made on {batch.made_on:%d/%m/%Y}."
                " The batch must be looked at.",
            )
        else:
            continue
        added |= _hold(session, actor, batch, reason, log.id)
    return added


def _hold(
    session: Session,
    actor: Actor,
    batch: Batch,
    reason: Words,
    cause_id: UUID,
    *,
    allowed_from: date | None = None,
    harvested_on: date | None = None,
    undoes_id: UUID | None = None,
) -> bool:
    now = clock.now()
    statement = (
        insert(BatchEvent)
        .values(
            id=new_id(),
            batch_id=batch.id,
            organisation_id=batch.organisation_id,
            kind=BatchEventKind.HELD,
            at=now,
            recorded_at=now,
            person_id=actor.person_id,
            reason=reason,
            cause_id=cause_id,
            allowed_from=allowed_from,
            harvested_on=harvested_on,
            undoes_id=undoes_id,
        )
        .on_conflict_do_nothing(
            index_elements=["batch_id", "cause_id", "allowed_from", "harvested_on", "undoes_id"],
            index_where=BatchEvent.cause_id.is_not(None),
        )
        .returning(BatchEvent.id)
    )
    if session.scalar(statement) is None:
        return False
    publish(session, actor, BatchHeld(batch_id=batch.id, organisation_id=batch.organisation_id))
    return True


def tell_held(session: Session, actor: Actor, event: BatchHeld) -> None:
    """Tell the managers of the holder that a batch was put on hold by rule. Safe to run twice."""
    hold = queries.hold_of(session, event.batch_id)
    reason = queries.public_reason(hold)
    if hold is None or reason is None:
        return
    batch = session.get_one(Batch, event.batch_id)
    people = accounts.people_of(session, event.organisation_id, [Role.COOPERATIVE_MANAGER])
    notices.tell(
        session,
        actor,
        person_ids=people or accounts.people_of(session, event.organisation_id, [Role.FARMER]),
        reason="trace.batch_held",
        urgency=Urgency.HIGH,
        title=Words(vi=f"Lô {batch.lot} bị tạm giữ", en=f"Batch {batch.lot} is on hold"),
        body=reason,
        link=f"/lo/{batch.id}",
        key=f"trace.batch_held:{batch.id}:{hold.id}",
    )


@dataclass(frozen=True, slots=True)
class Told:
    """Whom a recall is told, by id: who sells for the holder, and who answers for its village and commune."""

    sellers: list[UUID]
    officials: list[UUID]


def told_of_recall(session: Session, holder: Organisation) -> Told:
    """Complete only for SYSTEM: others do not see who answers for a place."""
    return Told(
        accounts.people_of(session, holder.id, [Role.COOPERATIVE_MANAGER, Role.PURCHASER, Role.FARMER]),
        accounts.people_answering_for(session, [holder.village_id, holder.commune_id]),
    )


def tell_recalled(session: Session, actor: Actor, event: RecallLaunched) -> None:
    """Tell everybody who sells for the holder, and who answers for its village and commune. Safe to run twice."""
    batch = session.get_one(Batch, event.batch_id)
    standing = queries.standing(session, batch.id)
    if standing.event is None:
        return
    holder = session.get_one(Organisation, batch.organisation_id)
    told = told_of_recall(session, holder)
    notices.tell(
        session,
        actor,
        person_ids=[*told.sellers, *told.officials],
        reason="trace.batch_recalled",
        urgency=Urgency.HIGH,
        title=Words(vi=f"Thu hồi lô {batch.lot} của {holder.name}", en=f"Recall of batch {batch.lot} of {holder.name}"),
        body=queries.public_reason(standing.event) or Words(vi="Không nêu lý do.", en="No reason given."),
        link=f"/lo/{batch.id}",
        key=f"trace.batch_recalled:{batch.id}:{standing.event.id}",
    )


# --- codes -------------------------------------------------------------------------------------------------------


def issue_code(session: Session, actor: Actor, batch_id: UUID, kind: CodeKind = CodeKind.SHORT) -> str:
    """The batch's code for labels; asked again, the same code. Raises NotFound, Forbidden, Invalid.

    A GS1 code needs a pack with the producer's own GTIN; a short one needs nothing.
    """
    batch = queries.batch(session, actor, batch_id)
    if not queries.may_handle(actor, batch.organisation_id):
        raise forbidden()
    lock_ids(session, [batch.id])
    there = session.scalar(select(TraceCode.code).where(TraceCode.batch_id == batch.id, TraceCode.kind == kind))
    if there is not None:
        return there
    gtin = _gtin(session, batch) if kind == CodeKind.GS1 else None
    code = pages.gs1_code(gtin, batch.lot) if gtin else codes.new_code()
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
    publish(session, actor, CodeIssued(batch_id=batch.id, code=code))
    return code


def _gtin(session: Session, batch: Batch) -> str:
    pack = session.get(Variant, batch.variant_id) if batch.variant_id else None
    if pack is None or pack.gtin is None or digital_link.is_restricted(pack.gtin):
        raise Invalid(
            "no_gtin",
            vi="Gói hàng của lô chưa có mã vạch (GTIN) của đơn vị. Bác dùng mã ngắn, hoặc ghi mã vạch cho gói trước.",
            en="The pack of this batch has no GTIN of the producer. Use a short code, or record the GTIN first.",
            field="kind",
        )
    return pack.gtin

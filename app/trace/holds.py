"""The rules that put a batch on hold: a harvest before the days to wait were over, and a harvest that the diary takes back."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from app import clock
from app.accounts import queries as accounts
from app.accounts.queries import among
from app.actor import Actor, Role
from app.db import Words, new_id
from app.messages import N_
from app.notices import service as notices
from app.notices.models import Urgency
from app.outbox import PartlyDone, publish
from app.trace import pages, queries, steps
from app.trace.batch_events import announce_change
from app.trace.events import BatchCreated, BatchHeld, CareLogCorrected, CareLogRecorded
from app.trace.models import Batch, BatchEvent, BatchEventKind, BatchSource, CareLog


def check_site(session: Session, actor: Actor, event: CareLogRecorded | CareLogCorrected) -> None:
    """The diary of a site has changed: put batches on hold whose harvest it contradicts, and have their pages rendered anew.

    Late steps of a phone that was offline, and corrections, arrive after a batch was made. New steps are on the page of a
    batch, and can hold it, only up to the day it was made, or its last harvest was. Safe to run twice; runs as SYSTEM.

    Raises PartlyDone when some batch cannot be checked, after all others were.
    """
    first_day = event.first_day if isinstance(event, CareLogRecorded) else None
    touched = queries.showing(session, queries.batches_of_site(session, event.site_id), first_day)
    if first_day is None:  # a correction may have moved the day up to which these batches show their sites
        _wait_for_writers(session, touched)
    failed = _check(session, actor, touched)
    pages.forget(session, touched)
    if failed:
        raise PartlyDone("batches that cannot be checked", failed)


def check_new_batch(session: Session, actor: Actor, event: BatchCreated) -> None:
    """Look once more when both the batch and the diary are committed. Safe to run twice; runs as SYSTEM.

    A step that is written while the batch is being made sees no batch, and the batch does not see the step.
    """
    _wait_for_writers(session, [event.batch_id])
    failed = _check(session, actor, [event.batch_id])
    pages.forget(session, [event.batch_id])
    if failed:
        raise failed[0]


def _wait_for_writers(session: Session, batch_ids: Collection[UUID]) -> None:
    """Let those commit who write steps of these batches' sites and may have read `Site.batched_to` as it was before.

    They hold a key-share lock on the site, as every foreign key does. Who writes from now on reads it as it is: so one site
    after the other is waited for and let go at once, and nobody's step waits for the checking of the batches.
    """
    sites = sorted(queries.sites_of_batches(session, batch_ids))
    session.execute(select(func.hoi_wait_for_writers(literal(sites, ARRAY(Uuid())))))


def _check(session: Session, actor: Actor, batch_ids: Collection[UUID]) -> list[Exception]:
    """Hold those of the batches that their diaries contradict; what is read is read once for all of them.

    Returns what went wrong: one odd batch keeps no other from being held.
    """
    batches = session.scalars(select(Batch).where(among(Batch.id, batch_ids)).order_by(Batch.id)).all()
    of_batch: dict[UUID, list[UUID]] = defaultdict(list)
    for source in session.scalars(select(BatchSource).where(among(BatchSource.batch_id, batch_ids))):
        of_batch[source.batch_id].append(source.care_log_id)
    logs = queries.current_logs(session, {root for roots in of_batch.values() for root in roots})
    waiting = _waiting(session, logs.values())
    used = queries.used_of_harvests(session, [root for root, log in logs.items() if log.corrects_id is not None])
    failed: list[Exception] = []
    for batch in batches:
        its = [logs[root] for root in of_batch[batch.id] if root in logs]
        harvested = [log for log in its if not log.withdrawn]
        found, contradicted = _too_early(harvested, waiting), _contradictions(batch, its, used)
        if not found and not contradicted:
            continue
        try:
            with session.begin_nested():  # all of one batch, or nothing of it
                held = _hold_early(session, actor, batch, harvested, found)
                for reason, cause_id in contradicted:  # after the others: the last reason is the one that is shown
                    held |= _hold(session, actor, batch, reason, cause_id)
                if held:
                    announce_change(session, actor, batch)
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:  # noqa: BLE001 - told of together, when the others are held
            failed.append(error)
    return failed


def _waiting(session: Session, harvested: Collection[CareLog]) -> dict[UUID, list[queries.Waiting]]:
    """Site to the steps that may bind one of these harvests."""
    days = [clock.local(h.happened_at).date() for h in harvested]
    return queries.binding(session, {h.site_id for h in harvested}, min(days), max(days)) if days else {}


def hold_early(session: Session, actor: Actor, batch: Batch, harvested: Sequence[CareLog]) -> bool:
    """Hold the batch for each step whose days to wait were not over. Returns whether something was added.

    A step is judged anew when a correction moved the first day allowed or the day of the harvest, not otherwise: whoever
    released the batch has seen these two days. Days that come back after the batch was released for other ones hold it again.
    """
    return _hold_early(session, actor, batch, harvested, _too_early(harvested, _waiting(session, harvested)))


# The first day on which a harvest was allowed, the harvest's day, and the step that binds it.
Early = Mapping[tuple[date, date, UUID], queries.Waiting]


def _too_early(harvested: Sequence[CareLog], waiting: Mapping[UUID, Sequence[queries.Waiting]]) -> Early:
    return {
        (step.allowed_from, clock.local(harvest.happened_at).date(), step.care_log_id): step
        for harvest in harvested
        for step in queries.too_early(harvest, waiting.get(harvest.site_id, []))
    }


def _hold_early(session: Session, actor: Actor, batch: Batch, harvested: Sequence[CareLog], found: Early) -> bool:
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
    material = step.material or N_("một loại thuốc")
    applied_on = f"{step.applied_on:%d/%m/%Y}"
    if not step.known:
        return Words.of(
            N_(
                "Thu hoạch ngày %(day)s sau lần dùng %(material)s ngày %(applied_on)s chưa rõ thời gian cách ly (khi chưa"
                " rõ, tính hết %(days)s ngày); hợp tác xã xem nhãn rồi sửa nhật ký hoặc gỡ giữ kèm lý do.",
                day=f"{day:%d/%m/%Y}",
                material=material,
                applied_on=applied_on,
                days=queries.UNKNOWN_WAIT_DAYS,
            )
        )
    return Words.of(
        N_(
            "Thu hoạch ngày %(day)s khi chưa hết thời gian cách ly: dùng %(material)s ngày %(applied_on)s, được thu từ"
            " %(allowed_from)s.",
            day=f"{day:%d/%m/%Y}",
            material=material,
            applied_on=applied_on,
            allowed_from=f"{step.allowed_from:%d/%m/%Y}",
        )
    )


def _contradictions(
    batch: Batch, logs: Sequence[CareLog], used: Mapping[UUID, Sequence[tuple[Decimal, str]]]
) -> list[tuple[Words, UUID]]:
    """Each harvest of the batch that was withdrawn, or corrected to what cannot be, with the reason for holding it.

    - is it no harvest any more?
    - is it less than batches took of it?
    - was it after the batch was made?
    """
    found = []
    for log in logs:
        if log.corrects_id is None:
            continue
        left = queries.left_of(log, used.get(queries.root_id(log), ()))
        day = clock.local(log.happened_at).date()
        if log.withdrawn or log.kind not in steps.HARVESTS:
            reason = Words.of(N_("Một lần thu hoạch của lô đã được báo là không có. Cần xem lại lô."))
        elif left is None or left < 0:
            reason = Words.of(N_("Số lượng một lần thu hoạch đã sửa thấp hơn phần đưa vào lô. Cần xem lại lô."))
        elif day > batch.made_on:
            reason = Words.of(
                N_(
                    "Ngày thu hoạch đã sửa thành %(day)s, sau ngày sản xuất %(made_on)s. Cần xem lại lô.",
                    day=f"{day:%d/%m/%Y}",
                    made_on=f"{batch.made_on:%d/%m/%Y}",
                )
            )
        else:
            continue
        found.append((reason, log.id))
    return found


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
        title=Words.of(N_("Lô %(lot)s bị tạm giữ", lot=batch.lot)),
        body=reason,
        link=f"/lo/{batch.id}",
        key=f"trace.batch_held:{batch.id}:{hold.id}",
    )

"""Decisions about a batch: on hold, released, recalled, the recall lifted; and who is told of a recall."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from app import audit, clock
from app.accounts import queries as accounts
from app.accounts.models import Organisation
from app.accounts.named_rights import roles_giving
from app.actor import Actor, Right, check_may
from app.db import Words, lock_ids, new_id
from app.errors import Conflict
from app.messages import N_
from app.notices import service as notices
from app.notices.models import Urgency
from app.outbox import publish
from app.trace import pages, queries
from app.trace.events import BatchChanged, RecallLaunched
from app.trace.models import Batch, BatchEvent, BatchEventKind
from app.trace.schemas import BatchEventIn


def record_batch_event(session: Session, actor: Actor, batch_id: UUID, new: BatchEventIn) -> UUID:
    """Put on hold, release, recall, lift a recall; always with a reason. Sent again it answers the same.

    Raises NotFound, Forbidden; Conflict when the batch is already so.
    """
    batch = queries.batch(session, actor, batch_id)
    check_may(actor, Right.RECALL_BATCH, batch.organisation_id)
    lock_ids(session, [batch.id])
    there = session.get(BatchEvent, new.id)
    if there is not None:
        if there.batch_id != batch.id or there.kind != new.kind or there.reason != new.words():
            raise other_content()
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
        raise Conflict("already_so", N_("Lô đã ở tình trạng này rồi. Hãy tải lại trang."))
    add_event(session, actor, batch, new.kind, new.words(), event_id=new.id)
    audit.record(session, actor, f"trace:batch:{new.kind}", subject_id=batch.id, organisation_id=batch.organisation_id)
    announce_change(session, actor, batch)
    if new.kind == BatchEventKind.RECALLED:
        publish(session, actor, RecallLaunched(batch_id=batch.id))
    return new.id


def add_event(
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


def announce_change(session: Session, actor: Actor, batch: Batch) -> None:
    pages.forget(session, [batch.id])
    publish(session, actor, BatchChanged(batch_id=batch.id))


def other_content() -> Conflict:
    return Conflict(
        "same_id_other_content", N_("Lô này đã gửi một lần với nội dung khác. Hãy tải lại trang để xem lô đã ghi.")
    )


@dataclass(frozen=True, slots=True)
class Told:
    """Whom a recall is told, by id: who sells for the holder, and who answers for its village and commune."""

    sellers: list[UUID]
    officials: list[UUID]


def told_of_recall(session: Session, holder: Organisation) -> Told:
    """Complete only for SYSTEM: others do not see who answers for a place."""
    return Told(
        accounts.people_of(session, holder.id, roles_giving(Right.HANDLE_GOODS)),
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
        title=Words.of(N_("Thu hồi lô %(lot)s của %(name)s", lot=batch.lot, name=holder.name)),
        body=queries.public_reason(standing.event) or Words.of(N_("Không nêu lý do.")),
        link=f"/lo/{batch.id}",
        key=f"trace.batch_recalled:{batch.id}:{standing.event.id}",
    )

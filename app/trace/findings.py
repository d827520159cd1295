"""A certifier's findings on a site: written into its diary under the certifier's own witness, and corrected only by certifiers."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import Date, cast, exists, func, or_, select
from sqlalchemy.orm import Session

from app import clock
from app.accounts import actors, rights
from app.accounts import queries as accounts
from app.accounts.models import Membership, Organisation, Purpose
from app.accounts.queries import among
from app.actor import Actor, Right, Role
from app.errors import forbidden, not_found
from app.messages import N_
from app.trace import queries
from app.trace.care_logs import LogOutcome, announce, build_row, conflict, insert_rows, is_stored, writer_of
from app.trace.diary import store_correction
from app.trace.models import CareLog, Witness
from app.trace.refusals import not_agreed
from app.trace.schemas import CareLogIn, CorrectionIn, FindingCorrectionIn, FindingIn


def record_finding(session: Session, actor: Actor, site_id: UUID, new: FindingIn) -> UUID:
    """What a certifier saw on a site of their places: one more line of its diary, under the certifier's own witness.

    With its correction it is all that a certifier may write. Sent again it answers the same. Raises Forbidden, NotFound, Conflict.
    """
    writer = writer_of(actor)
    row = queries.site(session, actor, site_id)
    holder = session.get_one(Organisation, row.organisation_id)
    if not rights.may_in(actor, Right.RECORD_FINDING, holder):
        raise forbidden()
    there = session.get(CareLog, new.id)
    if there is not None:
        if (there.site_id, there.note, there.written_by) != (site_id, new.note, writer):
            raise conflict()
        return there.id
    if accounts.who_said_no(session, [writer], Purpose.DIARY):
        raise not_agreed()
    open_cycle = next((c.id for c in queries.cycles_of(session, site_id) if c.ended_on is None), None)
    log = CareLogIn(
        id=new.id,
        site_id=site_id,
        cycle_id=open_cycle,
        kind="observing",
        happened_at=clock.now(),
        witness=Witness.CERTIFIER,
        note=new.note,
    )
    wider = actors.act_also_for(session, actor, row.organisation_id, rights=[Right.RECORD_FINDING])
    line = build_row(log, wider, writer, row.organisation_id, None, unnamed=())
    if not insert_rows(session, [line]):
        raise conflict()
    announce(session, wider, [line])
    return new.id


def correct_finding(session: Session, actor: Actor, care_log_id: UUID, new: FindingCorrectionIn) -> LogOutcome:
    """A certifier's better words for a finding, or that it no longer stands: a new row, under the certifier's witness.

    Sent again it answers the same. Raises Forbidden for anybody but the one who recorded it and the certifiers of their
    organisation, NotFound for what is no finding of the actor's places, Conflict when the id holds other content.
    """
    writer = writer_of(actor)
    rows = queries.chain(session, actor, care_log_id)
    first, last = rows[0], rows[-1]
    if first.witness != Witness.CERTIFIER:
        raise not_found(N_("nhận xét này"))
    if first.id not in own_findings(session, actor, [first.id]):
        raise forbidden()
    correction = CorrectionIn(
        id=new.id,
        site_id=first.site_id,
        cycle_id=first.cycle_id,
        kind=first.kind,
        happened_at=first.happened_at,
        performed_by=first.performed_by,
        witness=Witness.CERTIFIER,
        note=last.note if new.withdrawn else new.note,
        photos=tuple(first.photos),
        reason=new.reason,
        withdrawn=new.withdrawn,
    )
    people = {writer} | ({first.performed_by} if first.performed_by else set())
    unnamed = accounts.who_said_no(session, people, Purpose.DIARY)
    if writer in unnamed:
        if is_stored(session, correction):
            return LogOutcome(new.id, "repeated")
        raise not_agreed()
    wider = actors.act_also_for(session, actor, first.organisation_id, rights=[Right.RECORD_FINDING])
    return store_correction(session, wider, writer, first, last, correction, None, unnamed=unnamed)


def own_findings(session: Session, actor: Actor, care_log_ids: Collection[UUID]) -> set[UUID]:
    """Which of these first rows are findings that this certifier may correct: own ones and those of their organisation."""
    offices = actor.where(Right.CORRECT_FINDING)
    # Who was a certifier there on the day: the word is the organisation's, also after they left.
    day = cast(func.timezone(clock.VIETNAM.key, CareLog.recorded_at), Date)
    of_the_office = exists().where(
        Membership.person_id == CareLog.written_by,
        Membership.role == Role.CERTIFIER,
        among(Membership.organisation_id, offices),
        Membership.valid_from <= day,
        or_(Membership.valid_to.is_(None), Membership.valid_to >= day),
    )
    if not offices:
        return set()
    return set(
        session.scalars(
            select(CareLog.id).where(
                among(CareLog.id, care_log_ids),
                CareLog.corrects_id.is_(None),
                CareLog.witness == Witness.CERTIFIER,
                or_(CareLog.written_by == actor.person_id, of_the_office),
            )
        )
    )

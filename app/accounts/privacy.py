"""Requests under the law of 2025 about one's own data: see, correct, object, erase.

Law 91/2025/QH15 and Decree 356/2025/NĐ-CP: answer within 2 working days, done within 15 days.
"""

from collections.abc import Collection
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from app import audit, clock
from app.accounts import actors, queries, rights, signin
from app.accounts.events import DataRequestReceived, PersonErased
from app.accounts.models import (
    Card,
    CardRequest,
    Consent,
    Credential,
    DataRequest,
    Device,
    Membership,
    Organisation,
    Person,
    PersonalData,
    RequestKind,
    RoleOffer,
    SignIn,
)
from app.accounts.schemas import AnswerIn, DataRequestIn
from app.actor import Actor, Right, check_may_everywhere
from app.audit import AuditEntry
from app.db import Words, json_ready, picked
from app.errors import Conflict, not_found
from app.jobs import Job
from app.media import Upload
from app.messages import N_
from app.outbox import publish
from app.places.models import PlaceImport

ANSWER_WORKING_DAYS = 2
FULFIL_DAYS = 15
SATURDAY = 5
PERSONAL_DIGITS = 12
ERASED_ANSWER = "Đã xóa"
ERASED_TITLE = Words.of(N_("Đã xóa"))


# --- requests with the law's clock -------------------------------------------------------------------------------


def working_days_after(day: date, count: int) -> date:
    """The last of `count` working days after `day`; Saturdays and Sundays do not count. Public holidays are not known here,
    so a deadline is never later than the law's.
    """
    while count:
        day += timedelta(days=1)
        count -= day.weekday() < SATURDAY
    return day


def deadlines(received_at: datetime) -> tuple[datetime, datetime]:
    """By when a request must be answered and done: the end of the last day in Vietnam, as UTC."""
    day = clock.local(received_at).date()
    answer = working_days_after(day, ANSWER_WORKING_DAYS)
    done = day + timedelta(days=FULFIL_DAYS)
    return clock.start_of_day(answer + timedelta(days=1)), clock.start_of_day(done + timedelta(days=1))


def request_data(session: Session, actor: Actor, form: DataRequestIn, *, done: bool = False) -> DataRequest:
    """Write down a request and start its clock; `done`: the page did what was asked at once.

    The same id again gives the same request; with other content it raises Conflict.
    """
    person_id = actors.oneself(actor)
    known = session.get(DataRequest, form.id)
    if known is not None:
        if (known.person_id, known.kind, known.detail) == (person_id, form.kind, form.detail):
            return known
        raise Conflict("id_taken", N_("Yêu cầu này đã gửi với nội dung khác. Hãy tải lại trang rồi gửi lại."))
    now = clock.now()
    answer_due, fulfil_due = deadlines(now)
    row = DataRequest(
        id=form.id,
        person_id=person_id,
        kind=form.kind,
        detail=form.detail,
        received_at=now,
        answer_due_at=answer_due,
        fulfil_due_at=fulfil_due,
        answered_at=now if done else None,
        answer="Đã làm ngay." if done else None,
        fulfilled_at=now if done else None,
    )
    session.add(row)
    if not done:
        publish(session, actor, DataRequestReceived(data_request_id=row.id))
    audit.record(
        session, actor, "accounts:data_request:receive", subject_id=person_id, kind=form.kind, data_request_id=row.id
    )
    return row


def open_request(session: Session, data_request_id: UUID) -> DataRequest:
    """Raises NotFound; row-level security shows it to its person and to administrators."""
    row = session.get(DataRequest, data_request_id)
    if row is None:
        raise not_found(N_("yêu cầu này"))
    return row


def answer_request(session: Session, actor: Actor, data_request_id: UUID, form: AnswerIn) -> None:
    """An administrator's answer, and whether it is done. An answer once given is not rewritten: Conflict."""
    check_may_everywhere(actor, Right.ADMINISTER)
    row = session.scalar(select(DataRequest).where(DataRequest.id == data_request_id).with_for_update())
    if row is None:
        raise not_found(N_("yêu cầu này"))
    if row.fulfilled_at is not None or (row.answered_at is not None and not form.fulfilled):
        raise Conflict("answered_already", N_("Yêu cầu này đã được trả lời. Hãy tải lại trang."))
    now = clock.now()
    if row.answered_at is None:
        row.answered_at, row.answer, row.answered_by = now, form.answer, actor.person_id
    if form.fulfilled:
        row.fulfilled_at = now
    audit.record(
        session,
        actor,
        "accounts:data_request:answer",
        subject_id=row.person_id,
        data_request_id=row.id,
        fulfilled=form.fulfilled,
    )


# --- everything we hold ------------------------------------------------------------------------------------------


def everything_about(session: Session, actor: Actor) -> dict[str, Any]:
    """What accounts holds about the actor, in words of a file to download. Digests of secrets are left out.

    Raises Forbidden where a card does not suffice.
    """
    person_id = actors.oneself(actor)
    actors.check_card_suffices(session, actor)
    data = session.get(PersonalData, person_id)
    roles = session.scalars(
        select(Membership).where(Membership.person_id == person_id).order_by(Membership.valid_from)
    ).all()
    names = queries.organisation_names(session, {m.organisation_id for m in roles})
    sign_ins = session.scalars(select(SignIn).where(SignIn.person_id == person_id).order_by(SignIn.started_at)).all()
    devices = session.scalars(select(Device).where(Device.person_id == person_id).order_by(Device.bound_at)).all()
    consents = session.scalars(
        select(Consent).where(Consent.person_id == person_id).order_by(Consent.recorded_at)
    ).all()
    offers = session.scalars(
        select(RoleOffer).where(RoleOffer.person_id == person_id).order_by(RoleOffer.offered_at)
    ).all()
    cards = session.scalars(select(Card).where(Card.person_id == person_id).order_by(Card.printed_at)).all()
    found: dict[str, Any] = json_ready(
        {
            "person_id": person_id,
            "personal_data": picked(data, "full_name address_as phone email language updated_at") if data else None,
            "memberships": [
                picked(m, "organisation_id role place_id valid_from valid_to recorded_at")
                | {"organisation": names.get(m.organisation_id)}
                for m in roles
            ],
            "role_offers": [
                picked(o, "organisation_id role offered_at answered_at accepted withdrawn_at") for o in offers
            ],
            "sign_ins": [
                picked(s, "id method description started_at last_seen_at expires_at ended_at") for s in sign_ins
            ],
            "devices": [picked(d, "id description bound_at last_seen_at revoked_at") for d in devices],
            "cards": [picked(c, "id printed_at bound_at revoked_at") for c in cards],
            "consents": [picked(c, "purpose given text_version language recorded_at") for c in consents],
            "data_requests": [
                picked(r, "kind detail received_at answer_due_at fulfil_due_at answered_at answer fulfilled_at")
                for r in queries.data_requests_of(session, person_id)
            ],
        }
    )
    return found


# What the law lets a person take away is theirs, not their colleagues': of what others did, no name and no id of who did
# it; of what others wrote, no free text. The functions of all parts filter by the person alone, never by their rights now,
# since what somebody recorded in a place they have left is still theirs; so their session must be SYSTEM's.


def trail_about_me(session: Session, actor: Actor) -> dict[str, Any]:
    """What the trail says this person did, and what others did that is about them; their card requests, jobs and files."""
    person_id = actors.oneself(actor)
    entries = session.scalars(
        select(AuditEntry)
        .where(or_(AuditEntry.person_id == person_id, AuditEntry.subject_id == person_id))
        .order_by(AuditEntry.at, AuditEntry.id)
    ).all()
    asked = session.scalars(
        select(CardRequest).where(CardRequest.person_id == person_id).order_by(CardRequest.asked_at, CardRequest.id)
    )
    jobs = session.scalars(select(Job).where(Job.person_id == person_id).order_by(Job.queued_at, Job.id))
    files = session.scalars(select(Upload).where(Upload.person_id == person_id).order_by(Upload.created_at, Upload.id))
    mine = "id at action subject_id organisation_id device_id request_id detail"
    return {
        "done_by_me": [picked(e, mine) for e in entries if e.person_id == person_id],
        "about_me": [picked(e, "id at action organisation_id") for e in entries if e.person_id != person_id],
        "card_requests": [picked(r, "id card_id description asked_at expires_at state decided_at") for r in asked],
        "jobs": [picked(j, "id kind title state queued_at started_at finished_at") for j in jobs],
        "uploads": [picked(u, "id size sha256 created_at finished_at blob_sha256") for u in files],
    }


# --- erasing -----------------------------------------------------------------------------------------------------


def erase(session: Session, actor: Actor, request_id: UUID) -> None:
    """Delete the one row of personal data and everything that signs in; the id stays in the history, naming nobody.

    Raises Conflict while the person is the only manager of a cooperative or the only administrator, and Forbidden where
    a card does not suffice.
    """
    person_id = actors.oneself(actor)
    actors.check_card_suffices(session, actor)
    today, now = clock.today(), clock.now()
    roles = session.scalars(select(Membership).where(Membership.person_id == person_id)).all()
    actor = actors.act_also_for(session, actor, *{m.organisation_id for m in roles}, rights=[Right.FARM])
    rights.check_somebody_stays(session, person_id, [m for m in roles if m.valid_to is None])
    request_data(session, actor, DataRequestIn(id=request_id, kind=RequestKind.ERASE), done=True)
    for request in queries.data_requests_of(session, person_id):
        request.detail = ""
        if request.answer is not None:
            request.answer = ERASED_ANSWER
    _clear_personal_numbers(session, {m.organisation_id for m in roles})
    _clear_words_about(session, person_id)
    session.execute(
        update(RoleOffer)
        .where(RoleOffer.person_id == person_id, RoleOffer.answered_at.is_(None), RoleOffer.withdrawn_at.is_(None))
        .values(answered_at=now, accepted=False)
    )
    session.execute(
        update(Membership)
        .where(Membership.person_id == person_id, Membership.valid_to.is_(None))
        .values(
            valid_to=func.greatest(today - timedelta(days=1), Membership.valid_from - 1),
            ended_at=now,
            ended_by=person_id,
        )
    )
    machine = clock.machine_now()
    for table in (Card, Device):
        session.execute(
            update(table)
            .where(table.person_id == person_id, table.revoked_at.is_(None))
            .values(revoked_at=machine, revoked_by=person_id)
        )
    session.execute(update(Person).where(Person.id == person_id).values(erased_at=now))
    audit.record(session, actor, "accounts:person:erase", subject_id=person_id)
    publish(session, actor, PersonErased(person_id=person_id))
    signin.end_all(session, actor, person_id)
    for row in (session.get(Credential, person_id), session.get(PersonalData, person_id)):
        if row is not None:
            session.delete(row)


def _clear_personal_numbers(session: Session, organisation_ids: Collection[UUID]) -> None:
    """A household's 12-digit tax code is the number of one of its people, and we do not know whose: it goes with the first
    of them who erases, now or before of the household. Those who stay write it again if it is theirs.
    """
    session.execute(
        update(Organisation)
        .where(queries.among(Organisation.id, organisation_ids), func.length(Organisation.tax_code) == PERSONAL_DIGITS)
        .values(tax_code=None, version=Organisation.version + 1)
    )


def _clear_words_about(session: Session, person_id: UUID) -> None:
    """What their phones are called, and the names of files they chose."""
    for described in (Device, SignIn, CardRequest):
        session.execute(update(described).where(described.person_id == person_id).values(description=""))
    session.execute(update(PlaceImport).where(PlaceImport.person_id == person_id).values(file_name=""))
    session.execute(update(Job).where(Job.person_id == person_id).values(title=ERASED_TITLE))

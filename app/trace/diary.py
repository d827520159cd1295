"""The verbs of the diary: record steps set-wise under the phones' own ids, and correct them by new rows."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app import audit
from app.actor import Actor, Right, check_may
from app.db import lock_ids
from app.errors import Forbidden, HoiError, Invalid, TooLarge
from app.messages import N_
from app.outbox import publish
from app.trace import queries
from app.trace.care_logs import (
    LogOutcome,
    announce,
    build_conflict,
    build_row,
    conflict,
    contents_of,
    digest_of,
    insert_rows,
    is_stored,
    keep_conflicts,
    writer_of,
)
from app.trace.events import CareLogCorrected, CareLogRecorded
from app.trace.models import CareLog, Witness
from app.trace.refusals import StepChecks
from app.trace.schemas import MOST_LOGS, CareLogIn, CorrectionIn


def record_care_logs(
    session: Session,
    actor: Actor,
    logs: Sequence[CareLogIn],
    *,
    phone_now: datetime | None = None,
    holders: Mapping[UUID, UUID] | None = None,
) -> list[LogOutcome]:
    """Store up to 200 steps and answer for each, in the order given; a refused one does not hinder the others.

    `phone_now` (aware) is what the phone's clock said when it sent: with it, steps written by a wrong clock are stored and flagged
    instead of refused. `holders`: whose the sites are, where this transaction has read it already. Raises TooLarge for more than
    200, Forbidden for an actor who is no person.
    """
    writer = writer_of(actor)
    if len(logs) > MOST_LOGS:
        raise TooLarge(
            "too_many_logs",
            N_("Mỗi lần gửi nhiều nhất %(most_logs)s việc. Máy sẽ tự chia ra gửi tiếp.", most_logs=MOST_LOGS),
        )
    outcomes: dict[int, LogOutcome] = {}
    refusals: dict[int, HoiError] = {}
    rows: dict[UUID, dict[str, Any]] = {}
    checks = StepChecks(session, actor, logs, holders=holders)
    digests = [digest_of(log) for log in logs]
    for index, log in enumerate(logs):
        refusal = checks.refusal(log, phone_now)
        if refusal is not None:
            refusals[index] = refusal
            continue
        row = build_row(
            log, actor, writer, checks.organisation(log), phone_now, unnamed=checks.unnamed, digest=digests[index]
        )
        if log.id not in rows:
            rows[log.id] = row
    stored = insert_rows(session, rows.values())
    stands = contents_of(session, {log.id for log in logs if log.id not in stored})
    known = {i: one.digest for i, one in stands.items()}
    there = known | {i: rows[i]["content_sha256"] for i in stored}
    sites = {i: one.site_id for i, one in stands.items()} | {i: rows[i]["site_id"] for i in stored}
    new = set(stored)
    kept: list[dict[str, Any]] = []
    for index, log in enumerate(logs):
        digest = digests[index]
        if index in refusals:
            # What is stored stays stored: a phone that missed our answer must be told so, also after its owner has said no.
            outcomes[index] = (
                LogOutcome(log.id, "repeated")
                if known.get(log.id) == digest
                else LogOutcome(log.id, "refused", refusals[index])
            )
            continue
        if there.get(log.id) == digest:
            outcomes[index] = LogOutcome(log.id, "stored" if log.id in new else "repeated")
            new.discard(log.id)  # sent twice at once, it was stored once
        else:
            outcomes[index] = LogOutcome(log.id, "conflict", conflict())
            site_id = sites.get(log.id, log.site_id)
            kept.append(build_conflict(log, actor, checks.organisation(log), digest, site_id))
    keep_conflicts(session, kept)
    announce(session, actor, [rows[i] for i in stored])
    return [outcomes[i] for i in range(len(logs))]


def correct_care_log(
    session: Session, actor: Actor, care_log_id: UUID, correction: CorrectionIn, *, phone_now: datetime | None = None
) -> LogOutcome:
    """Write how a step really was, or that it was not: a new row that points to the first of its chain.

    `care_log_id` may be any row of the chain. Raises NotFound, Forbidden, Invalid; Conflict when the id holds other content.
    """
    writer = writer_of(actor)
    rows = queries.chain(session, actor, care_log_id)
    first, last = rows[0], rows[-1]
    check_may_correct(actor, first.organisation_id, first.witness)
    checks = StepChecks(session, actor, [correction])
    error = checks.refusal(correction, phone_now, kept_from=last if correction.withdrawn else None)
    if error is not None:
        if is_stored(session, correction):
            return LogOutcome(correction.id, "repeated")
        raise error
    if checks.organisation(correction) != first.organisation_id:
        raise Invalid(
            "other_holder",
            N_(
                "Dòng sửa phải ở nơi sản xuất của cùng một hộ. Ghi nhầm hộ thì đánh dấu “không có việc này” rồi ghi lại ở "
                "hộ kia."
            ),
            field="site_id",
        )
    return store_correction(session, actor, writer, first, last, correction, phone_now, unnamed=checks.unnamed)


def may_correct(actor: Actor, organisation_id: UUID, vouched_by: str) -> bool:
    """Whether a page offers to correct a step of this holder; `vouched_by`: the witness of the first row of its chain."""
    return vouched_by != Witness.CERTIFIER and actor.may(Right.KEEP_DIARY, organisation_id)


def check_may_correct(actor: Actor, organisation_id: UUID, vouched_by: str) -> None:
    """Raises Forbidden for who does not keep the diary, and for a finding whoever asks: see `correct_finding`."""
    check_may(actor, Right.KEEP_DIARY, organisation_id)
    if not may_correct(actor, organisation_id, vouched_by):
        raise Forbidden(
            "finding_is_the_certifiers",
            N_("Đây là nhận xét của người chứng nhận, chỉ họ sửa hoặc bỏ được. Thấy chưa đúng thì báo lại cho họ."),
        )


def store_correction(
    session: Session,
    actor: Actor,
    writer: UUID,
    first: CareLog,
    last: CareLog,
    correction: CorrectionIn,
    phone_now: datetime | None,
    *,
    unnamed: Collection[UUID],
) -> LogOutcome:
    row = build_row(correction, actor, writer, first.organisation_id, phone_now, unnamed=unnamed)
    row |= {"corrects_id": first.id, "withdrawn": correction.withdrawn, "reason": correction.reason}
    lock_ids(session, [first.id])
    if not insert_rows(session, [row]):
        if is_stored(session, correction):
            return LogOutcome(correction.id, "repeated")
        raise conflict()
    audit.record(
        session,
        actor,
        "trace:care_log:correct",
        subject_id=first.id,
        organisation_id=first.organisation_id,
        correction_id=correction.id,
    )
    publish(session, actor, CareLogCorrected(first.id, last.site_id, first.organisation_id))
    if correction.site_id != last.site_id:
        publish(session, actor, CareLogRecorded(first.id, correction.site_id, first.organisation_id))
    return LogOutcome(correction.id, "stored")

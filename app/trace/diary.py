"""The verbs of the diary: record steps set-wise under the phones' own ids, and correct them by new rows."""

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Date, cast, exists, func, or_, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app import audit, clock, media
from app.accounts import queries as accounts
from app.accounts import signin
from app.accounts.models import Membership, Person, Purpose
from app.accounts.queries import among
from app.actor import Actor, Role
from app.db import canonical_json, json_ready, lock_ids, new_id
from app.errors import Conflict, Forbidden, HoiError, Invalid, TooLarge, forbidden, not_found
from app.outbox import publish
from app.trace import queries
from app.trace.events import CareLogCorrected, CareLogRecorded
from app.trace.models import CareLog, ConflictingSubmission, Cycle, Site, Witness
from app.trace.schemas import MOST_LOGS, CareLogIn, CorrectionIn, FindingCorrectionIn, FindingIn, StepFacts

AHEAD = timedelta(minutes=10)  # clocks differ a little; beyond that the step has not happened yet
DOUBTFUL_CLOCK = timedelta(hours=48)  # a phone whose clock is that far off cannot say when anything was
FAR = timedelta(days=30)  # no clock that is merely wrong is taken this far ahead
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)

Status = Literal["stored", "repeated", "conflict", "refused"]


@dataclass(frozen=True, slots=True)
class LogOutcome:
    """What became of one item. `conflict`: the id holds other content, and what came was kept beside it."""

    id: UUID
    status: Status
    error: HoiError | None = None


def record_care_logs(
    session: Session, actor: Actor, logs: Sequence[CareLogIn], *, phone_now: datetime | None = None
) -> list[LogOutcome]:
    """Store up to 200 steps and answer for each, in the order given; a refused one does not hinder the others.

    `phone_now` (aware) is what the phone's clock said when it sent: with it, steps written by a wrong clock are stored and flagged
    instead of refused. Raises TooLarge for more than 200, Forbidden for an actor who is no person.
    """
    writer = _writer(actor)
    if len(logs) > MOST_LOGS:
        raise TooLarge(
            "too_many_logs",
            vi=f"Mỗi lần gửi nhiều nhất {MOST_LOGS} việc. Máy sẽ tự chia ra gửi tiếp.",
            en=f"Send at most {MOST_LOGS} steps at once; send the rest after.",
        )
    outcomes: dict[int, LogOutcome] = {}
    refusals: dict[int, HoiError] = {}
    rows: dict[UUID, dict[str, Any]] = {}
    sites = _Sites(session, actor, logs)
    for index, log in enumerate(logs):
        refusal = sites.refusal(log, phone_now)
        if refusal is not None:
            refusals[index] = refusal
            continue
        row = _row(log, actor, writer, sites.organisation(log), phone_now, unnamed=sites.unnamed)
        if log.id not in rows:
            rows[log.id] = row
    stored = _insert(session, rows.values())
    known = _contents(session, {log.id for log in logs if log.id not in stored})
    kept: list[dict[str, Any]] = []
    answered: set[UUID] = set()
    for index, log in enumerate(logs):
        digest = _digest(log)
        if index in refusals:
            # What is stored stays stored: a phone that missed our answer must be told so, also after its owner has said no.
            outcomes[index] = (
                LogOutcome(log.id, "repeated")
                if known.get(log.id) == digest
                else LogOutcome(log.id, "refused", refusals[index])
            )
            continue
        if log.id in stored:
            same = digest == rows[log.id]["content_sha256"]
            first = log.id not in answered
            answered.add(log.id)
            status: Status = "conflict" if not same else "stored" if first else "repeated"
        else:
            status = "repeated" if known.get(log.id) == digest else "conflict"
        error = _conflict() if status == "conflict" else None
        if error is not None:
            kept.append(_kept(log, actor, sites.organisation(log), digest))
        outcomes[index] = LogOutcome(log.id, status, error)
    _keep_conflicts(session, kept)
    _announce(session, actor, [rows[i] for i in stored])
    return [outcomes[i] for i in range(len(logs))]


def correct_care_log(
    session: Session, actor: Actor, care_log_id: UUID, correction: CorrectionIn, *, phone_now: datetime | None = None
) -> LogOutcome:
    """Write how a step really was, or that it was not: a new row that points to the first of its chain.

    `care_log_id` may be any row of the chain. Raises NotFound, Forbidden, Invalid; Conflict when the id holds other content.
    """
    writer = _writer(actor)
    rows = queries.chain(session, actor, care_log_id)
    first, last = rows[0], rows[-1]
    check_may_correct(actor, first.organisation_id, first.witness)
    sites = _Sites(session, actor, [correction])
    error = sites.refusal(correction, phone_now, kept_from=last if correction.withdrawn else None)
    if error is not None:
        if _is_stored(session, correction):
            return LogOutcome(correction.id, "repeated")
        raise error
    if sites.organisation(correction) != first.organisation_id:
        raise Invalid(
            "other_holder",
            vi="Dòng sửa phải ở thửa của cùng một hộ. Ghi nhầm hộ thì đánh dấu “không có việc này” rồi ghi lại ở hộ kia.",
            en="A correction must be on a site of the same holder. Withdraw the step and write it anew for the other.",
            field="site_id",
        )
    return _store_correction(session, actor, writer, first, last, correction, phone_now, unnamed=sites.unnamed)


def may_correct(actor: Actor, organisation_id: UUID, vouched_by: str) -> bool:
    """Whether a page offers to correct a step of this holder; `vouched_by`: the witness of the first row of its chain."""
    return vouched_by != Witness.CERTIFIER and queries.may_write(actor, organisation_id)


def check_may_correct(actor: Actor, organisation_id: UUID, vouched_by: str) -> None:
    """Raises Forbidden for who does not keep the diary, and for a finding whoever asks: see `correct_finding`."""
    if not queries.may_write(actor, organisation_id):
        raise forbidden()
    if not may_correct(actor, organisation_id, vouched_by):
        raise Forbidden(
            "finding_is_the_certifiers",
            vi="Đây là nhận xét của người chứng nhận, chỉ họ sửa hoặc bỏ được. Thấy chưa đúng thì bác báo lại cho họ.",
            en="This is a certifier's finding; only they may correct or withdraw it. If it is wrong, tell them.",
        )


def _store_correction(
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
    row = _row(correction, actor, writer, first.organisation_id, phone_now, unnamed=unnamed)
    row |= {"corrects_id": first.id, "withdrawn": correction.withdrawn, "reason": correction.reason}
    lock_ids(session, [first.id])
    if not _insert(session, [row]):
        if _is_stored(session, correction):
            return LogOutcome(correction.id, "repeated")
        raise _conflict()
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


# --- what may be written -----------------------------------------------------------------------------------------


def witnesses_of(actor: Actor, organisation_id: UUID) -> tuple[Witness, ...]:
    """As what this writer may vouch for a step of this holder; the weakest first. Nobody vouches in another's name.

    - one of its own people? then only as the farmer, whatever they are elsewhere
    - writing for others, as told by them: the farmer; as seen: what the writer is there
    - a farmer of another household: its neighbour
    """
    at_home = actor.has(Role.FARMER, organisation_id=organisation_id)
    manages = actor.has(Role.COOPERATIVE_MANAGER, organisation_id=organisation_id)
    found = [Witness.FARMER] if at_home or manages else []
    if manages:
        found.append(Witness.COOPERATIVE)
    elif not at_home and organisation_id in actor.organisations:
        for role, witness in _WITNESSES_FOR_OTHERS:
            if actor.has(role):
                found += [w for w in (Witness.FARMER, witness) if w not in found]
        if actor.has(Role.FARMER):
            found.append(Witness.NEIGHBOUR)
    return tuple(found)


# A certifier writes findings only, see `record_finding`.
_WITNESSES_FOR_OTHERS = (
    (Role.COOPERATIVE_MANAGER, Witness.COOPERATIVE),
    (Role.EXTENSION_OFFICER, Witness.OFFICER),
)


def record_finding(session: Session, actor: Actor, site_id: UUID, new: FindingIn) -> UUID:
    """What a certifier saw on a site of their places: one more line of its diary, under the certifier's own witness.

    With its correction it is all that a certifier may write. Sent again it answers the same. Raises Forbidden, NotFound, Conflict.
    """
    writer = _writer(actor)
    if not actor.has(Role.CERTIFIER):
        raise forbidden()
    row = queries.site(session, actor, site_id)
    there = session.get(CareLog, new.id)
    if there is not None:
        if (there.site_id, there.note, there.written_by) != (site_id, new.note, writer):
            raise _conflict()
        return there.id
    if accounts.who_said_no(session, [writer], Purpose.DIARY):
        raise _not_agreed()
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
    wider = signin.act_also_for(session, actor, row.organisation_id)
    line = _row(log, wider, writer, row.organisation_id, None, unnamed=())
    if not _insert(session, [line]):
        raise _conflict()
    _announce(session, wider, [line])
    return new.id


def correct_finding(session: Session, actor: Actor, care_log_id: UUID, new: FindingCorrectionIn) -> LogOutcome:
    """A certifier's better words for a finding, or that it no longer stands: a new row, under the certifier's witness.

    Sent again it answers the same. Raises Forbidden for anybody but the one who recorded it and the certifiers of their
    organisation, NotFound for what is no finding of the actor's places, Conflict when the id holds other content.
    """
    writer = _writer(actor)
    rows = queries.chain(session, actor, care_log_id)
    first, last = rows[0], rows[-1]
    if first.witness != Witness.CERTIFIER:
        raise not_found("nhận xét này", "this finding")
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
        if _is_stored(session, correction):
            return LogOutcome(new.id, "repeated")
        raise _not_agreed()
    wider = signin.act_also_for(session, actor, first.organisation_id)
    return _store_correction(session, wider, writer, first, last, correction, None, unnamed=unnamed)


def own_findings(session: Session, actor: Actor, care_log_ids: Collection[UUID]) -> set[UUID]:
    """Which of these first rows are findings that this certifier may correct: own ones and those of their organisation."""
    offices = actor.organisations_as(Role.CERTIFIER)
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


def _writer(actor: Actor) -> UUID:
    if actor.person_id is None:
        raise forbidden()
    return actor.person_id


class _Sites:
    """What the steps of one call point to, read by a fixed number of statements."""

    def __init__(self, session: Session, actor: Actor, logs: Sequence[StepFacts]) -> None:
        self._actor = actor
        sites = session.execute(
            select(Site.id, Site.organisation_id).where(
                among(Site.id, {log.site_id for log in logs}), among(Site.organisation_id, actor.organisations)
            )
        )
        self._sites: dict[UUID, UUID] = {row.id: row.organisation_id for row in sites}
        cycles = session.execute(
            select(Cycle.id, Cycle.site_id).where(among(Cycle.id, {log.cycle_id for log in logs if log.cycle_id}))
        )
        self._cycles: dict[UUID, UUID] = {row.id: row.site_id for row in cycles}
        self._photos = media.known_photos(session, sorted({p for log in logs for p in log.photos}))
        people = {p for log in logs for p in (log.performed_by, log.witnessed_by) if p is not None}
        self._people = set(session.scalars(select(Person.id).where(among(Person.id, people)))) if people else set()
        # Who was never asked is named: a phone in the field must not lose work for want of an answer.
        self.unnamed = accounts.who_said_no(session, people | {_writer(actor)}, Purpose.DIARY)
        self._now = clock.now()

    def organisation(self, log: StepFacts) -> UUID:
        return self._sites[log.site_id]

    def refusal(
        self, log: StepFacts, phone_now: datetime | None, *, kept_from: CareLog | None = None
    ) -> HoiError | None:
        """Why the step cannot be written, or None. `kept_from`: the row that is taken back, whose witness may stay as it was."""
        organisation_id = self._sites.get(log.site_id)
        if organisation_id is None:
            return not_found("thửa này", "this site")
        if not queries.may_write(self._actor, organisation_id):
            return forbidden()
        if self._actor.person_id in self.unnamed:
            return _not_agreed()
        checks: tuple[Callable[[], Invalid | None], ...] = (
            lambda: self._cycle(log),
            lambda: self._time(log.happened_at, phone_now),
            lambda: self._photo(log),
            lambda: self._person(log),
            lambda: self._witness(log, organisation_id, kept_from),
        )
        return next((error for check in checks if (error := check()) is not None), None)

    def _cycle(self, log: StepFacts) -> Invalid | None:
        if log.cycle_id is None or self._cycles.get(log.cycle_id) == log.site_id:
            return None
        return Invalid(
            "cycle_elsewhere",
            vi="Vụ này không ở thửa đã chọn. Bác chọn lại thửa hoặc vụ.",
            en="This season is not on the chosen site. Choose the site or the season again.",
            field="cycle_id",
        )

    def _time(self, happened_at: datetime, phone_now: datetime | None) -> Invalid | None:
        ahead = happened_at - self._now
        if happened_at < EARLIEST:
            return Invalid(
                "too_long_ago",
                vi="Ngày giờ này xa quá, có thể đồng hồ máy bị sai. Bác chỉnh lại đồng hồ rồi chọn lại ngày.",
                en="This time is too long ago; the phone's clock may be wrong. Set it and choose the day again.",
                field="happened_at",
            )
        clock_is_ahead = phone_now is not None and happened_at <= phone_now + AHEAD and ahead <= FAR
        if ahead > AHEAD and not clock_is_ahead:
            return Invalid(
                "in_future",
                vi=f"Ngày giờ làm việc ({clock.local(happened_at):%d/%m/%Y %H:%M}) chưa tới. Bác chọn lại ngày đã làm;"
                " nếu đồng hồ máy sai thì chỉnh lại đồng hồ.",
                en=f"This time ({clock.local(happened_at):%d/%m/%Y %H:%M}) has not come yet. Choose the day on which it was"
                " done; if the phone's clock is wrong, set it.",
                field="happened_at",
            )
        return None

    def _photo(self, log: StepFacts) -> Invalid | None:
        if all(p in self._photos for p in log.photos):
            return None
        return Invalid(
            "photo_unknown",
            vi="Có ảnh chưa gửi xong. Bác đợi ảnh gửi hết rồi gửi lại việc này.",
            en="A photo has not arrived yet. Let it finish, then send this step again.",
            field="photos",
        )

    def _person(self, log: StepFacts) -> Invalid | None:
        if all(p in self._people for p in (log.performed_by, log.witnessed_by) if p is not None):
            return None
        return Invalid(
            "person_unknown",
            vi="Không tìm thấy người làm hoặc người làm chứng. Bác chọn lại trong danh sách.",
            en="We do not know the one who did it or the witness. Choose from the list again.",
            field="performed_by",
        )

    def _witness(self, log: StepFacts, organisation_id: UUID, kept_from: CareLog | None) -> Invalid | None:
        if kept_from is not None and (log.witness, log.witnessed_by) == (kept_from.witness, kept_from.witnessed_by):
            return None
        if log.witness not in witnesses_of(self._actor, organisation_id):
            return Invalid(
                "witness_not_yours",
                vi="Bác không đứng ra làm chứng kiểu này được: ai làm chứng thì người đó tự ghi. Bác chọn lại ai làm chứng.",
                en="You cannot vouch for a step in this way: whoever vouches writes it down. Choose again who vouches.",
                field="witness",
            )
        if log.witnessed_by not in {None, self._actor.person_id}:
            return Invalid(
                "witness_is_another",
                vi="Không ghi người khác làm chứng thay họ được: người thấy tận mắt thì tự ghi. Bác bỏ tên người làm chứng.",
                en="You cannot name somebody else as the witness: whoever saw it writes it down. Leave the name out.",
                field="witness",
            )
        return None


def _not_agreed() -> Forbidden:
    return Forbidden(
        "diary_not_agreed",
        vi="Bác đã chọn không ghi nhật ký dưới tên mình nên việc này chưa ghi. Bác nhờ hợp tác xã ghi thay, không kèm tên bác;"
        " hoặc mở trang Đồng ý (/dong-y), đánh dấu mục “Ghi nhật ký” rồi gửi lại.",
        en="You chose to keep no diary in your name, so this was not recorded. Ask your cooperative to write it without your"
        " name, or open the consent page (/dong-y), tick “Keep the diary” and send it again.",
    )


def _conflict() -> Conflict:
    return Conflict(
        "same_id_other_content",
        vi="Việc này đã ghi trước đó với nội dung khác. Cả hai bản đều được giữ; hợp tác xã sẽ xem và sửa cho đúng.",
        en="This step was recorded before with other content. Both are kept, for somebody to compare.",
    )


# --- rows --------------------------------------------------------------------------------------------------------


def _digest(log: StepFacts) -> str:
    return hashlib.sha256(canonical_json(log).encode()).hexdigest()


def _doubtful(happened_at: datetime, phone_now: datetime | None) -> bool:
    now = clock.now()
    return happened_at - now > AHEAD or (phone_now is not None and abs(phone_now - now) > DOUBTFUL_CLOCK)


def _row(
    log: CareLogIn | CorrectionIn,
    actor: Actor,
    writer: UUID,
    organisation_id: UUID,
    phone_now: datetime | None,
    *,
    unnamed: Collection[UUID],
) -> dict[str, Any]:
    """`unnamed`: people who said no to a diary in their name; what they did is written as done by somebody."""
    performed_by = log.performed_by if "performed_by" in log.model_fields_set else writer
    return {
        "id": log.id,
        "organisation_id": organisation_id,
        "site_id": log.site_id,
        "cycle_id": log.cycle_id,
        "kind": log.kind,
        "happened_at": log.happened_at,
        "recorded_at": clock.now(),
        "performed_by": None if performed_by in unnamed else performed_by,
        "written_by": writer,
        "witnessed_by": log.witnessed_by,
        "witness": log.witness,
        "material": log.material,
        "quantity": log.quantity,
        "unit": log.unit,
        "pre_harvest_days": log.pre_harvest_days,
        "note": log.note,
        "photos": list(log.photos),
        "corrects_id": None,
        "withdrawn": False,
        "reason": None,
        "device_id": actor.device_id,
        "time_doubtful": _doubtful(log.happened_at, phone_now),
        "content_sha256": _digest(log),
    }


# One JSON value for all rows: five times faster than parameters for each. In the order of ids, so that two calls with the
# same ids wait for each other instead of blocking each other. ON CONFLICT names no index: of two equal rows inserted at the
# same moment, the second fails on the other unique index of the id when only one of the two indexes is named.
_INSERT = text(
    "INSERT INTO care_logs (id, organisation_id, site_id, cycle_id, kind, happened_at, recorded_at, performed_by, written_by,"
    " witnessed_by, witness, material, quantity, unit, pre_harvest_days, note, photos, corrects_id, withdrawn, reason,"
    " device_id, time_doubtful, content_sha256)"
    " SELECT id, organisation_id, site_id, cycle_id, kind, happened_at, recorded_at, performed_by, written_by,"
    " witnessed_by, witness, material, quantity, unit, pre_harvest_days, note, photos, corrects_id, withdrawn, reason,"
    " device_id, time_doubtful, content_sha256"
    " FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (id uuid, organisation_id uuid, site_id uuid, cycle_id uuid,"
    " kind text, happened_at timestamptz, recorded_at timestamptz, performed_by uuid, written_by uuid, witnessed_by uuid,"
    " witness text, material text, quantity numeric, unit text, pre_harvest_days smallint, note text, photos jsonb,"
    " corrects_id uuid, withdrawn boolean, reason text, device_id uuid, time_doubtful boolean, content_sha256 text)"
    " ORDER BY id ON CONFLICT DO NOTHING RETURNING id"
)


def _insert(session: Session, rows: Collection[dict[str, Any]]) -> set[UUID]:
    """The ids that were new."""
    if not rows:
        return set()
    return set(session.scalars(_INSERT, {"rows": canonical_json(list(rows))}))


def _contents(session: Session, ids: Collection[UUID]) -> dict[UUID, str]:
    """What stands under these ids, as far as the actor may see it."""
    if not ids:
        return {}
    found = session.execute(select(CareLog.id, CareLog.content_sha256).where(among(CareLog.id, ids)))
    return {row.id: row.content_sha256 for row in found}


def _is_stored(session: Session, log: CorrectionIn) -> bool:
    """Whether the same content stands under this id already."""
    return _contents(session, [log.id]).get(log.id) == _digest(log)


def _kept(log: CareLogIn, actor: Actor, organisation_id: UUID, digest: str) -> dict[str, Any]:
    return {
        "id": new_id(),
        "care_log_id": log.id,
        "organisation_id": organisation_id,
        "body": json_ready(log),
        "content_sha256": digest,
        "received_at": clock.now(),
        "person_id": actor.person_id,
    }


def _keep_conflicts(session: Session, kept: Sequence[dict[str, Any]]) -> None:
    if kept:
        statement = insert(ConflictingSubmission).on_conflict_do_nothing(
            index_elements=["care_log_id", "organisation_id", "content_sha256"]
        )
        session.execute(statement, list(kept))


def _announce(session: Session, actor: Actor, rows: Sequence[dict[str, Any]]) -> None:
    """One event for each site and one line in the trail for each holder, whatever the number of steps."""
    by_site = {row["site_id"]: row for row in rows}
    for row in by_site.values():
        publish(session, actor, CareLogRecorded(row["id"], row["site_id"], row["organisation_id"]))
    for organisation_id in {row["organisation_id"] for row in rows}:
        count = sum(row["organisation_id"] == organisation_id for row in rows)
        audit.record(session, actor, "trace:care_log:record", organisation_id=organisation_id, count=count)

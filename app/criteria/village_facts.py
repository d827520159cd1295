"""Recording what is true of a village, correcting it, and taking back what was a mistake."""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import date
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import exists, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from app import audit, clock, media, outbox
from app.accounts.named_rights import RECORDERS
from app.actor import Actor
from app.criteria import queries
from app.criteria.events import VillageFactRecorded
from app.criteria.models import VillageFact
from app.criteria.schemas import (
    VALUES,
    DigitalAddress,
    DigitalGroup,
    Feedback,
    Model,
    NewVillageFact,
    Shape,
    other_content,
)
from app.db import canonical_json, new_id
from app.errors import Conflict, Invalid, InvalidMany, forbidden, not_found
from app.messages import N_, Sentence
from app.places import queries as places
from app.places.models import Place


def witness_of(actor: Actor, village_id: UUID) -> str:
    """As what this actor vouches for what they record of this village, the nearest to it first. Raises NotFound for a village
    that they do not answer for, Forbidden for who records nothing there.
    """
    queries.require_village(actor, village_id)
    witness = next((word for right, word in RECORDERS.items() if actor.may_at(right, village_id)), None)
    if witness is None:
        raise forbidden()
    return witness


def record_village_fact(session: Session, actor: Actor, village_id: UUID, new: NewVillageFact, value: Shape) -> UUID:
    """Record one fact of a village in the actor's places; a later row of the same subject corrects the earlier one.

    The same id again is the same answer. Raises Forbidden, NotFound (a village elsewhere), Invalid (a day in the future,
    a value of another kind) and Conflict (the id with other content, or a correction made meanwhile).
    """
    if isinstance(value, DigitalAddress) and not new.withdrawn:
        witness_of(actor, village_id)
        _check_codes(session, village_id, {value.premises_id: value.code})
    if _add_fact(session, actor, village_id, new, value):
        outbox.publish(session, actor, VillageFactRecorded(village_id=village_id))
    return new.id


def withdraw_village_fact(session: Session, actor: Actor, village_id: UUID, fact_id: UUID, withdrawal_id: UUID) -> UUID:
    """Take back a record that was a mistake: from the day it spoke of, nothing of its subject stands any more.

    The row and its withdrawal both stay in the history. Taking back twice is the same answer. Raises Forbidden, NotFound
    (a village or row elsewhere) and Conflict (the row was corrected meanwhile).
    """
    witness_of(actor, village_id)
    row = session.get(VillageFact, fact_id)
    if row is None or row.village_id != village_id:
        raise not_found(N_("lần ghi này"))
    after = session.scalar(select(VillageFact).where(VillageFact.supersedes_id == fact_id))
    if after is not None and after.withdrawn:
        return after.id
    if after is not None or row.withdrawn:
        raise _changed_meanwhile()
    if session.get(VillageFact, withdrawal_id) is not None:
        raise other_content()
    new = NewVillageFact(
        id=withdrawal_id,
        kind=row.kind,
        subject=row.subject,
        observed_on=row.observed_on,
        withdrawn=True,
    )
    _write(session, actor, village_id, new, row.value, before=row.id)
    outbox.publish(session, actor, VillageFactRecorded(village_id=village_id))
    return withdrawal_id


def _changed_meanwhile() -> Conflict:
    return Conflict(
        "changed_meanwhile", N_("Có người vừa ghi mục này. Hãy tải lại trang để thấy bản mới rồi ghi tiếp.")
    )


def _add_fact(session: Session, actor: Actor, village_id: UUID, new: NewVillageFact, value: Shape) -> bool:
    """Whether a row was written: the same id and content again writes none."""
    witness_of(actor, village_id)
    if actor.person_id is None:
        raise forbidden()
    if not isinstance(value, VALUES[new.kind]):
        raise Invalid("wrong_kind", N_("Nội dung không khớp với loại việc."), field="kind")
    _check_days(new.observed_on, value)
    _check_there(session, village_id, new.observed_on)
    _check_members(session, village_id, value)
    body = json.loads(canonical_json(value))
    stored = session.get(VillageFact, new.id)
    if stored is not None:
        sent = new.model_dump() | {"village_id": village_id, "value": body, "evidence": list(new.evidence)}
        if all(getattr(stored, name) == value for name, value in sent.items()):
            return False
        raise other_content()
    _check_files(session, actor, new.evidence)
    _write(session, actor, village_id, new, body, before=_standing(session, village_id, new.kind, new.subject))
    return True


def _check_files(session: Session, actor: Actor, evidence: Collection[str]) -> None:
    files = {e for e in evidence if media.SHA256.match(e)}
    known = media.attachable(session, actor, files, sees=queries.points_to_file, kinds=("photo", "pdf"))
    if files - known:
        raise Invalid(
            "file_unknown",
            N_("Chưa nhận được ảnh hoặc tệp minh chứng. Hãy chọn lại tệp rồi gửi."),
            field="proof",
        )


def _write(
    session: Session, actor: Actor, village_id: UUID, new: NewVillageFact, body: dict[str, Any], *, before: UUID | None
) -> None:
    """Raises Conflict when somebody else was faster, be it to correct the row `before` or to write the first one."""
    try:
        with session.begin_nested():
            session.add(
                VillageFact(
                    id=new.id,
                    village_id=village_id,
                    kind=new.kind,
                    subject=new.subject,
                    value=body,
                    observed_on=new.observed_on,
                    recorded_at=clock.now(),
                    person_id=actor.person_id,
                    witness=witness_of(actor, village_id),
                    evidence=list(new.evidence),
                    note=new.note,
                    withdrawn=new.withdrawn,
                    supersedes_id=before,
                )
            )
    except IntegrityError:
        raise _changed_meanwhile() from None
    verb = "withdraw" if new.withdrawn else "record"
    audit.record(session, actor, f"criteria:{new.kind}:{verb}", subject_id=new.id, village_id=village_id)


def _check_days(observed_on: date, value: Shape) -> None:
    """No day is in the future, and what follows something is not before it."""
    days = [("observed_on", observed_on)]
    match value:
        case DigitalGroup():
            days.append(("decided_on", value.decided_on))
        case Feedback():
            days += [("received_on", value.received_on), ("answered_on", value.answered_on or value.received_on)]
        case Model():
            days += [("started_on", value.started_on), ("ended_on", value.ended_on or value.started_on)]
        case _:
            pass
    for field, day in days:
        if day > clock.today():
            raise Invalid(
                "future_day",
                N_("Ngày %(day)s chưa tới. Ghi ngày đã xảy ra, muộn nhất là hôm nay.", day=f"{day:%d/%m/%Y}"),
                field=field,
            )
    for (_, first), (field, second) in pairwise(days[1:]):
        if second < first:
            raise Invalid(
                "days_in_wrong_order",
                N_(
                    "Ngày %(second)s ở trước ngày %(first)s. Hãy xem lại hai ngày này.",
                    second=f"{second:%d/%m/%Y}",
                    first=f"{first:%d/%m/%Y}",
                ),
                field=field,
            )


def _check_there(session: Session, village_id: UUID, observed_on: date) -> None:
    village = session.get(Place, village_id)
    if village is not None and village.valid_to is not None and observed_on > village.valid_to:
        raise Invalid(
            "village_ended",
            N_(
                "Thôn này hết từ sau ngày %(valid_to)s. Việc sau ngày đó ghi ở thôn mới.",
                valid_to=f"{village.valid_to:%d/%m/%Y}",
            ),
            field="observed_on",
        )


def _check_members(session: Session, village_id: UUID, value: Shape) -> None:
    """Households and premises that a fact names are of this village."""
    if isinstance(value, Model) and not set(value.household_ids) <= queries.households_of(session, [village_id]).keys():
        raise Invalid(
            "household_elsewhere",
            N_("Có hộ không thuộc thôn này. Hãy chọn lại các hộ tham gia."),
            field="household_ids",
        )
    if isinstance(value, DigitalAddress):
        known = places.premises_of(session, village_id, clock.today())
        if value.premises_id not in {p.id for p in known}:
            raise Invalid(
                "premises_elsewhere",
                N_("Nơi này không còn trong danh sách của thôn. Hãy tải lại trang."),
                field="premises_id",
            )


def subject_of(village_id: UUID, kind: str, name: str = "") -> UUID:
    """The one subject of things that a village has once: its group, its channel, its Wi-Fi, its word on a field."""
    return uuid5(village_id, f"{kind}:{name}")


def record_digital_addresses(
    session: Session,
    actor: Actor,
    village_id: UUID,
    *,
    codes: Mapping[UUID, str | None],
    observed_on: date,
    evidence: tuple[str, ...] = (),
    lines: Mapping[UUID, int] | None = None,
) -> int:
    """Record the codes of premises that differ from what stands (None takes one back). Returns how many were recorded.

    Evidence is for the codes of this list that changed or had none yet; without any, a code keeps what it has.
    `lines`: premises id to its line in a pasted list, for the words of a refusal. Raises what `record_village_fact`
    raises, and all codes that two premises share at once; all are recorded or none.
    """
    witness_of(actor, village_id)
    _check_codes(session, village_id, codes, lines)
    known = _standing_codes(session, village_id)
    recorded = 0
    for premises_id, code in sorted(codes.items()):
        stands = known.get(premises_id)
        before = stands.value.get("code") if stands is not None else None
        proven = stands is not None and bool(stands.evidence)
        if before != code or (code is not None and evidence and not proven):
            new = NewVillageFact(
                id=new_id(), kind="digital_address", subject=premises_id, observed_on=observed_on, evidence=evidence
            )
            value = DigitalAddress(premises_id=premises_id, code=code)
            recorded += _add_fact(session, actor, village_id, new, value)
    if recorded:
        outbox.publish(session, actor, VillageFactRecorded(village_id=village_id))
    return recorded


def _standing_codes(session: Session, village_id: UUID) -> dict[UUID, VillageFact]:
    """Premises id to the newest row on its digital address."""
    rows = queries.standing_facts(
        session, [village_id], as_of=clock.today(), known_at=clock.now(), kinds=("digital_address",)
    )
    return {UUID(r.value["premises_id"]): r for r in reversed(rows.get(village_id, []))}


def _check_codes(
    session: Session, village_id: UUID, codes: Mapping[UUID, str | None], lines: Mapping[UUID, int] | None = None
) -> None:
    """A Vpostcode is of one place. Raises InvalidMany with every premises of these whose code another one has."""
    place_names = places.premises_labels(session, village_id)
    current = {p.id for p in places.premises_of(session, village_id, clock.today())}
    known = {p: row.value.get("code") for p, row in _standing_codes(session, village_id).items() if p in current}
    holders: dict[str, list[UUID]] = defaultdict(list)
    for premises_id, code in (known | dict(codes)).items():
        if code is not None:
            holders[code].append(premises_id)
    faults: list[Invalid] = []
    for premises_id, code in codes.items():
        others = [p for p in holders.get(code or "", []) if p != premises_id]
        if others:
            line = (lines or {}).get(premises_id)
            here, there = (place_names.get(str(p), "?") for p in (premises_id, others[0]))
            problem = N_(
                "%(here)s có mã %(code)s trùng với %(there)s. Mỗi nơi có một mã riêng; hãy xem lại hai nơi này.",
                here=here,
                code=code,
                there=there,
            )
            field = "list" if line else f"code_{premises_id}"
            faults.append(Invalid("digital_address_taken", at_line(line, problem), field=field))
    if faults:
        raise InvalidMany(faults) if len(faults) > 1 else faults[0]


def at_line(line: int | None, problem: Sentence) -> Sentence:
    """The same problem, told with the line of the pasted list in which it stands; as it is where nothing was pasted."""
    return N_("Dòng %(line)s: %(problem)s", line=line, problem=problem) if line else problem


def _standing(session: Session, village_id: UUID, kind: str, subject: UUID) -> UUID | None:
    later = aliased(VillageFact)
    return session.scalar(
        select(VillageFact.id).where(
            VillageFact.village_id == village_id,
            VillageFact.kind == kind,
            VillageFact.subject == subject,
            ~exists().where(later.supersedes_id == VillageFact.id),
        )
    )

"""Recording facts of villages, the province's choices, and deriving answers from the records."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import exists, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from app import audit, clock, outbox
from app.accounts import queries as accounts
from app.accounts.events import OrganisationChanged
from app.actor import SYSTEM, Actor, Role
from app.criteria import facts as providers
from app.criteria import queries
from app.criteria.events import AssessmentChanged, ParameterChosen, VillageFactRecorded
from app.criteria.models import ParameterChoice, VillageAssessment, VillageFact
from app.criteria.rules import VALUE_LABELS, Assessment, Departure, Item, Pack, Value, carried, compare, evaluate
from app.criteria.schemas import (
    VALUES,
    DigitalAddress,
    DigitalGroup,
    Feedback,
    Model,
    NewParameterChoice,
    NewVillageFact,
    Shape,
)
from app.db import Database, Words, canonical_json, insert_once, new_id
from app.errors import Conflict, Invalid, InvalidMany, forbidden, not_found
from app.marketplace_sync.events import DeclaredConfirmed, ListingObserved
from app.notices import service as notices
from app.notices.models import Urgency
from app.places import queries as places
from app.places.events import PremisesChanged
from app.places.models import Place
from app.products import queries as products
from app.products.events import CertificateLapsed, CertificateRecorded, ProductChanged, ProductRetired
from app.trace import queries as trace
from app.trace.events import CareLogCorrected, CareLogRecorded, SiteChanged

RECORDERS: dict[Role, str] = {
    Role.DIGITAL_GROUP: "digital_group",
    Role.VILLAGE_OFFICER: "village",
    Role.EXTENSION_OFFICER: "officer",
    Role.COMMUNE_OFFICIAL: "commune",
    Role.PROVINCE_OFFICIAL: "province",
}


def witness_of(actor: Actor) -> str:
    """Who vouches for what this actor records. Raises Forbidden for anybody else."""
    for role, witness in RECORDERS.items():
        if actor.has(role):
            return witness
    raise forbidden()


def record_village_fact(session: Session, actor: Actor, village_id: UUID, new: NewVillageFact, value: Shape) -> UUID:
    """Record one fact of a village in the actor's places; a later row of the same subject corrects the earlier one.

    The same id again is the same answer. Raises Forbidden, NotFound (a village elsewhere), Invalid (a day in the future,
    a value of another kind) and Conflict (the id with other content, or a correction made meanwhile).
    """
    if isinstance(value, DigitalAddress) and not new.withdrawn:
        queries.require_village(actor, village_id)
        _check_codes(session, village_id, {value.premises_id: value.code})
    if _add_fact(session, actor, village_id, new, value):
        outbox.publish(session, actor, VillageFactRecorded(village_id=village_id))
    return new.id


def withdraw_village_fact(session: Session, actor: Actor, village_id: UUID, fact_id: UUID, withdrawal_id: UUID) -> UUID:
    """Take back a record that was a mistake: from the day it spoke of, nothing of its subject stands any more.

    The row and its withdrawal both stay in the history. Taking back twice is the same answer. Raises Forbidden, NotFound
    (a village or row elsewhere) and Conflict (the row was corrected meanwhile).
    """
    witness_of(actor)
    queries.require_village(actor, village_id)
    row = session.get(VillageFact, fact_id)
    if row is None or row.village_id != village_id:
        raise not_found("lần ghi này", "this record")
    after = session.scalar(select(VillageFact).where(VillageFact.supersedes_id == fact_id))
    if after is not None and after.withdrawn:
        return after.id
    if after is not None or row.withdrawn:
        raise _changed_meanwhile()
    if session.get(VillageFact, withdrawal_id) is not None:
        raise _other_content()
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


def _other_content() -> Conflict:
    return Conflict(
        "same_id_other_content",
        vi="Việc này đã ghi với nội dung khác. Bác mở lại trang rồi ghi lại.",
        en="This was recorded already with other content. Open the page again and record anew.",
    )


def _changed_meanwhile() -> Conflict:
    return Conflict(
        "changed_meanwhile",
        vi="Có người vừa ghi mục này. Bác tải lại trang để thấy bản mới rồi ghi tiếp.",
        en="Somebody recorded this meanwhile. Reload the page to see it, then go on.",
    )


def _add_fact(session: Session, actor: Actor, village_id: UUID, new: NewVillageFact, value: Shape) -> bool:
    """Whether a row was written: the same id and content again writes none."""
    witness_of(actor)
    if actor.person_id is None or village_id not in actor.places:
        raise not_found("thôn này", "this village")
    if not isinstance(value, VALUES[new.kind]):
        raise Invalid(
            "wrong_kind", vi="Nội dung không khớp với loại việc.", en="The content does not fit the kind.", field="kind"
        )
    _check_days(new.observed_on, value)
    _check_there(session, village_id, new.observed_on)
    _check_members(session, village_id, value)
    body = json.loads(canonical_json(value))
    stored = session.get(VillageFact, new.id)
    if stored is not None:
        sent = new.model_dump() | {"village_id": village_id, "value": body, "evidence": list(new.evidence)}
        if all(getattr(stored, name) == value for name, value in sent.items()):
            return False
        raise _other_content()
    _write(session, actor, village_id, new, body, before=_standing(session, village_id, new.kind, new.subject))
    return True


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
                    witness=witness_of(actor),
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
                vi=f"Ngày {day:%d/%m/%Y} chưa tới. Ghi ngày đã xảy ra, muộn nhất là hôm nay.",
                en=f"{day:%d/%m/%Y} is in the future. Give the day it happened, today at the latest.",
                field=field,
            )
    for (_, first), (field, second) in pairwise(days[1:]):
        if second < first:
            raise Invalid(
                "days_in_wrong_order",
                vi=f"Ngày {second:%d/%m/%Y} ở trước ngày {first:%d/%m/%Y}. Bác xem lại hai ngày này.",
                en=f"{second:%d/%m/%Y} is before {first:%d/%m/%Y}. Check the two days.",
                field=field,
            )


def _check_there(session: Session, village_id: UUID, observed_on: date) -> None:
    village = session.get(Place, village_id)
    if village is not None and village.valid_to is not None and observed_on > village.valid_to:
        raise Invalid(
            "village_ended",
            vi=f"Thôn này hết từ sau ngày {village.valid_to:%d/%m/%Y}. Việc sau ngày đó ghi ở thôn mới.",
            en=f"This village ended after {village.valid_to:%d/%m/%Y}. What was later belongs to the village that took over.",
            field="observed_on",
        )


def _check_members(session: Session, village_id: UUID, value: Shape) -> None:
    """Households and premises that a fact names are of this village."""
    if isinstance(value, Model) and not set(value.household_ids) <= queries.households_of(session, [village_id]).keys():
        raise Invalid(
            "household_elsewhere",
            vi="Có hộ không thuộc thôn này. Bác chọn lại các hộ tham gia.",
            en="A household is not of this village. Choose the participants again.",
            field="household_ids",
        )
    if isinstance(value, DigitalAddress):
        known = places.premises_of(session, village_id, clock.today())
        if value.premises_id not in {p.id for p in known}:
            raise Invalid(
                "premises_elsewhere",
                vi="Nơi này không còn trong danh sách của thôn. Bác tải lại trang.",
                en="This place is no longer on the village's list. Reload the page.",
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
    witness_of(actor)
    queries.require_village(actor, village_id)
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
            faults.append(
                Invalid(
                    "digital_address_taken",
                    vi=f"{f'Dòng {line}: ' if line else ''}{here} có mã {code} trùng với {there}."
                    " Mỗi nơi có một mã riêng; bác xem lại hai nơi này.",
                    en=f"{f'Line {line}: ' if line else ''}{here} has the code {code}, which is {there}'s too."
                    " Every place has a code of its own; check the two.",
                    field="list" if line else f"code_{premises_id}",
                )
            )
    if faults:
        raise InvalidMany(faults) if len(faults) > 1 else faults[0]


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


def choose_parameter(session: Session, actor: Actor, new: NewParameterChoice) -> UUID:
    """Write down what the province decided; the same id and content again is the same answer.

    Raises Forbidden, NotFound (pack), Invalid (name, value) and Conflict (the id with other content).
    """
    if not actor.has(Role.PROVINCE_OFFICIAL, Role.ADMINISTRATOR) or actor.person_id is None:
        raise forbidden()
    pack = queries.pack(new.pack_id)
    value: int | str = int(new.value) if isinstance(new.value, str) and new.value.isdigit() else new.value
    pack.settings({new.name: value})
    content = new.model_dump() | {"value": value}
    row = ParameterChoice(**content, recorded_at=clock.now(), person_id=actor.person_id)
    if not insert_once(session, row):
        stored = session.get_one(ParameterChoice, new.id)
        if any(getattr(stored, name) != one for name, one in content.items()):
            raise _other_content()
        return new.id
    audit.record(session, actor, "criteria:parameter:choose", subject_id=new.id, name=new.name, value=value)
    outbox.publish(
        session,
        actor,
        ParameterChosen(pack_id=new.pack_id),
        due_at=max(clock.now(), clock.start_of_day(new.valid_from)),
    )
    return new.id


def assess(
    session: Session, village_ids: Iterable[UUID], pack: Pack, *, as_of: date, known_at: datetime
) -> dict[UUID, Assessment]:
    """Answers for these villages on a date, as it was known at a moment; nothing is stored."""
    wanted = list(village_ids)
    chosen = queries.choices(session, pack.id, as_of=as_of, known_at=known_at)
    parameters = pack.settings(chosen)
    sheets = providers.provide(session, wanted, as_of=as_of, known_at=known_at, parameters=parameters)
    attributes = queries.attributes(session, wanted, pack.attributes, as_of=as_of, known_at=known_at)
    return {village: evaluate(pack, sheets[village], attributes[village], as_of, chosen) for village in wanted}


def derive(session: Session, actor: Actor, village_ids: Iterable[UUID], pack_id: str = queries.SMART_VILLAGE) -> int:
    """Derive today's answers and store those that changed. Returns how many changed.

    A village that is no more keeps its last answer.
    Safe to run twice and side by side: the villages' current rows are locked in one order.
    """
    wanted = sorted(places.existing(session, village_ids, clock.today()))
    if not wanted:
        return 0
    pack = queries.pack(pack_id)
    as_of, now = clock.today(), clock.now()
    before = {
        row.village_id: row
        for row in session.scalars(
            select(VillageAssessment)
            .where(
                VillageAssessment.village_id.in_(wanted),
                VillageAssessment.pack_id == pack_id,
                VillageAssessment.current,
            )
            .order_by(VillageAssessment.village_id)
            .with_for_update()
        )
    }
    changed = 0
    for village_id, answer in assess(session, wanted, pack, as_of=as_of, known_at=now).items():
        old = before.get(village_id)
        digest = _answer_digest(answer)
        next_change = _next_change(answer, as_of)
        if old is not None and old.answer_sha256 == digest:
            session.execute(
                update(VillageAssessment)
                .where(VillageAssessment.id == old.id)
                .values(confirmed_at=now, next_change_on=next_change)
            )
            continue
        changed += 1
        _replace(session, actor, village_id, pack, answer, old=old, digest=digest, next_change=next_change, now=now)
    return changed


def _replace(
    session: Session,
    actor: Actor,
    village_id: UUID,
    pack: Pack,
    answer: Assessment,
    *,
    old: VillageAssessment | None,
    digest: str,
    next_change: date | None,
    now: datetime,
) -> None:
    flags: list[dict[str, object]] = []
    if old is not None:
        session.execute(update(VillageAssessment).where(VillageAssessment.id == old.id).values(current=False))
        flags = [_flag(f) for f in _departures(session, old, answer)]
    row = VillageAssessment(
        id=new_id(),
        village_id=village_id,
        pack_id=pack.id,
        pack_version=pack.version,
        pack_sha256=pack.sha256,
        as_of=answer.as_of,
        computed_at=now,
        confirmed_at=now,
        overall=answer.overall.value.value,
        values={r.id: r.answer.value.value for r in answer.results},
        met=answer.overall.have or 0,
        total=answer.overall.need or len(answer.results),
        result={"canonical": answer.to_json()},
        flags=flags,
        answer_sha256=digest,
        next_change_on=next_change,
        current=True,
    )
    session.add(row)
    session.flush()  # the next village's row must not meet this one's unique index out of order
    if old is None or old.overall != row.overall or old.values != row.values:
        outbox.publish(session, actor, AssessmentChanged(village_id=village_id, assessment_id=row.id))


def _departures(session: Session, old: VillageAssessment, answer: Assessment) -> tuple[Departure, ...]:
    """What left the count and so brought an answer about, since the last time that the answer was met or unmet.

    An answer that is open for lack of data, or does not apply, lies between: it neither starts the story nor ends it.
    """
    fresh = {f.criterion_id: f for f in compare(queries.assessment(old), answer)}
    undecided = {Value.INSUFFICIENT.value, Value.NOT_APPLICABLE.value}
    for result in answer.results:
        if old.values.get(result.id) in undecided and not result.answer.value.is_open:
            decided = queries.last_decided(session, old.village_id, old.pack_id, result.id)
            if decided is not None:
                found = compare(queries.assessment(decided), answer)
                fresh.update({f.criterion_id: f for f in found if f.criterion_id == result.id})
    return carried([_departure(f, old) for f in old.flags], tuple(fresh.values()), answer)


def flags_at(session: Session, village_id: UUID, answer: Assessment, moment: datetime) -> list[dict[str, object]]:
    """What left the count by that moment and explains this answer, worked out for a day or a knowledge asked about."""
    row = queries.answer_at(session, village_id, moment, answer.pack_id)
    if row is None:
        return []
    found = carried([_departure(f, row) for f in row.flags], (), answer)
    return [_flag(f) for f in found if not answer.result(f.criterion_id).answer.value.is_open]


def _flag(found: Departure) -> dict[str, object]:
    """As it is stored with an answer, its sentence included."""
    return {
        "criterion_id": found.criterion_id,
        "clause": found.clause,
        "outcome": found.outcome.value,
        "vi": found.reason.vi,
        "en": found.reason.en,
        "only": found.only,
        "left": [
            {"id": i.id, "kind": i.kind, "label": i.label, "label_en": i.label_en, "vi": i.reason_vi, "en": i.reason_en}
            for i in found.left
        ],
    }


def _departure(flag: dict[str, Any], row: VillageAssessment) -> Departure:
    """A stored flag read back; rows older than its `outcome` say it with their own answer."""
    left = tuple(
        Item(i["id"], i.get("kind", "product"), i["label"], i["vi"], i["en"], label_en=i.get("label_en"))
        for i in flag["left"]
    )
    outcome = Value(flag.get("outcome") or row.values[flag["criterion_id"]])
    return Departure(flag["criterion_id"], flag["clause"], outcome, left, only=flag["only"])


def _answer_digest(answer: Assessment) -> str:
    """What counts as the same answer: everything but the day it was computed on."""
    body = json.loads(answer.to_json())
    body.pop("as_of")
    for fact in body["facts"].values():
        fact.pop("as_of")
        fact.pop("next_change_on", None)
    _drop(body["results"], "next_change_on")
    _drop(body["overall"], "next_change_on")
    return providers.digest(body)


def _drop(node: object, key: str) -> None:
    if isinstance(node, dict):
        node.pop(key, None)
        for value in node.values():
            _drop(value, key)
    elif isinstance(node, list):
        for value in node:
            _drop(value, key)


def _next_change(answer: Assessment, as_of: date) -> date | None:
    """The first day on which time alone may change the answer or any fact behind it."""
    days = [a.next_change_on for r in answer.results for a in r.answer.walk() if a.next_change_on]
    days += [f.next_change_on for f in answer.facts.values() if f.next_change_on]
    later = [day for day in days if day > as_of]
    return min(later, default=None)


# --- reactions and the clock -------------------------------------------------------------------------------------


def derive_of_fact(session: Session, actor: Actor, event: VillageFactRecorded | PremisesChanged) -> None:
    derive(session, actor, [event.village_id])


def derive_of_product(
    session: Session, actor: Actor, event: ProductChanged | ProductRetired | ListingObserved | DeclaredConfirmed
) -> None:
    derive(session, actor, queries.villages_of_products(session, [event.product_id]))


def derive_of_certificate(session: Session, actor: Actor, event: CertificateRecorded | CertificateLapsed) -> None:
    affected = (
        [event.product_id]
        if event.product_id is not None
        else products.ids_of_organisation(session, [event.organisation_id])
    )
    derive(session, actor, queries.villages_of_products(session, affected))


def derive_of_organisation(session: Session, actor: Actor, event: OrganisationChanged) -> None:
    """A holder moved: the village it left is among those whose answer speaks of its products."""
    affected = products.ids_of_organisation(session, [event.organisation_id])
    if affected:
        derive(session, actor, queries.villages_of_products(session, affected) | set(queries.selling(session)))


def derive_of_diary(session: Session, actor: Actor, event: CareLogRecorded | CareLogCorrected | SiteChanged) -> None:
    """Only where the diary is asked for: everywhere else a step changes no answer, and steps are many."""
    villages = trace.villages_of_site(session, event.site_id)
    derive(session, actor, queries.villages_with_agriculture(session, villages))


def derive_due(session: Session, actor: Actor) -> int:
    """Derive the villages whose answer time alone may have changed since some earlier day."""
    return derive(session, actor, queries.due(session, clock.today()))


def rebuild(database: Database, village_ids: Iterable[UUID] | None = None, *, batch: int = 200) -> int:
    """Derive these villages (None: every village of today), each batch in a transaction of its own.

    The projection can always be rebuilt from the records. Returns how many answers changed.
    """
    if village_ids is None:
        with database.transaction(SYSTEM) as session:
            village_ids = [v.id for v in places.all_villages(session, clock.today())]
    wanted = sorted(village_ids)
    changed = 0
    for start in range(0, len(wanted), batch):
        with database.transaction(SYSTEM) as session:
            changed += derive(session, SYSTEM, wanted[start : start + batch])
    return changed


def rebuild_selling(database: Database) -> int:
    """Derive every village that has OCOP products: a list of floors changed, or sightings grew too old."""
    with database.transaction(SYSTEM) as session:
        wanted = queries.villages_with_products(session)
    return rebuild(database, wanted)


def tell_of_change(session: Session, actor: Actor, event: AssessmentChanged) -> None:
    """Tell those who answer for the village which criteria became what, and why; the commune too when the whole answer is another.

    A first answer is no change.
    """
    row = session.get(VillageAssessment, event.assessment_id)
    earlier = queries.before(session, row) if row is not None else None
    if row is None or earlier is None:
        return
    answers = {r.id: r.answer for r in queries.assessment(row).results}
    flipped = [
        c
        for c in queries.pack(row.pack_id).criterion
        if c.id in row.values and earlier.values.get(c.id) not in {None, row.values[c.id]}
    ]
    if not flipped:
        return
    village = places.place(session, event.village_id)
    concerned = [village.id]
    if earlier.overall != row.overall and village.parent_id is not None:
        concerned.append(village.parent_id)
    said = Words(
        vi=" ".join(
            f"Tiêu chí {c.clause}, {_flip(earlier, row, c.id, 'vi')}: {answers[c.id].reason.vi}" for c in flipped
        ),
        en=" ".join(
            f"Criterion {c.clause}, {_flip(earlier, row, c.id, 'en')}: {answers[c.id].reason.en}" for c in flipped
        ),
    )
    lost = earlier.overall == Value.MET.value and row.overall != Value.MET.value
    label = VALUE_LABELS[Value(row.overall)]
    notices.tell(
        session,
        actor,
        person_ids=accounts.people_answering_for(session, concerned),
        reason="assessment_changed",
        urgency=Urgency.HIGH if lost else Urgency.NORMAL,
        title=Words(
            vi=f"{village.kind_word.capitalize()} {village.name}: {label.vi.lower()}, {row.met}/{row.total} tiêu chí",
            en=f"{village.name}: {label.en.lower()}, {row.met} of {row.total} criteria",
        ),
        body=said,
        link=f"/thon/{event.village_id}",
        key=f"assessment:{row.id}",
    )


def _flip(earlier: VillageAssessment, row: VillageAssessment, criterion_id: str, language: str) -> str:
    first, then = (VALUE_LABELS[Value(r.values[criterion_id])].text(language).lower() for r in (earlier, row))
    return f"from {first} to {then}" if language == "en" else f"từ {first} sang {then}"

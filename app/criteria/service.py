"""Recording facts of villages, the province's choices, and deriving answers from the records."""

import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from itertools import pairwise
from uuid import UUID, uuid5

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import audit, clock, outbox
from app.accounts import queries as accounts
from app.accounts.events import OrganisationChanged
from app.actor import SYSTEM, Actor, Role
from app.criteria import facts as providers
from app.criteria import queries
from app.criteria.events import AssessmentChanged, ParameterChosen, VillageFactRecorded
from app.criteria.models import ParameterChoice, VillageAssessment, VillageFact
from app.criteria.rules import VALUE_LABELS, Assessment, Pack, Value, compare, evaluate
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
from app.db import Database, Words, canonical_json, new_id
from app.errors import Conflict, Invalid, forbidden, not_found
from app.marketplace_sync.events import DeclaredConfirmed, ListingObserved
from app.notices import service as notices
from app.notices.models import Urgency
from app.places import queries as places
from app.places.events import PremisesChanged
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
    if _add_fact(session, actor, village_id, new, value):
        outbox.publish(session, actor, VillageFactRecorded(village_id=village_id))
    return new.id


def _add_fact(session: Session, actor: Actor, village_id: UUID, new: NewVillageFact, value: Shape) -> bool:
    """Whether a row was written: the same id and content again writes none."""
    witness = witness_of(actor)
    if actor.person_id is None or village_id not in actor.places:
        raise not_found("thôn này", "this village")
    if not isinstance(value, VALUES[new.kind]):
        raise Invalid(
            "wrong_kind", vi="Nội dung không khớp với loại việc.", en="The content does not fit the kind.", field="kind"
        )
    _check_days(new.observed_on, value)
    _check_members(session, village_id, value)
    body = json.loads(canonical_json(value))
    stored = session.get(VillageFact, new.id)
    if stored is not None:
        same = (stored.village_id, stored.kind, stored.subject, stored.value, stored.observed_on, stored.withdrawn)
        if same == (village_id, new.kind, new.subject, body, new.observed_on, new.withdrawn):
            return False
        raise Conflict(
            "same_id_other_content",
            vi="Việc này đã ghi với nội dung khác. Bác mở lại trang rồi ghi lại.",
            en="This was recorded already with other content. Open the page again and record anew.",
        )
    before = _standing(session, village_id, new.kind, new.subject)
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
                    witness=witness,
                    evidence=list(new.evidence),
                    note=new.note,
                    withdrawn=new.withdrawn,
                    supersedes_id=before,
                )
            )
    except IntegrityError:
        raise Conflict(
            "changed_meanwhile",
            vi="Có người vừa ghi mục này. Bác tải lại trang để thấy bản mới rồi ghi tiếp.",
            en="Somebody recorded this meanwhile. Reload the page to see it, then go on.",
        ) from None
    audit.record(session, actor, f"criteria:{new.kind}:record", subject_id=new.id, village_id=village_id)
    return True


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
) -> int:
    """Record the codes of premises that differ from what stands (None takes one back). Returns how many were recorded.

    Raises what `record_village_fact` raises; all are recorded or none.
    """
    witness_of(actor)
    queries.require_village(actor, village_id)
    rows = queries.standing_facts(
        session, [village_id], as_of=clock.today(), known_at=clock.now(), kinds=("digital_address",)
    )
    known = {UUID(r.value["premises_id"]): r.value.get("code") for r in rows.get(village_id, [])}
    recorded = 0
    for premises_id, code in sorted(codes.items()):
        if (premises_id in known or code is not None) and known.get(premises_id) != code:
            new = NewVillageFact(
                id=new_id(), kind="digital_address", subject=premises_id, observed_on=observed_on, evidence=evidence
            )
            value = DigitalAddress(premises_id=premises_id, code=code)
            recorded += _add_fact(session, actor, village_id, new, value)
    if recorded:
        outbox.publish(session, actor, VillageFactRecorded(village_id=village_id))
    return recorded


def _standing(session: Session, village_id: UUID, kind: str, subject: UUID) -> UUID | None:
    superseded = select(VillageFact.supersedes_id).where(VillageFact.supersedes_id.is_not(None))
    return session.scalar(
        select(VillageFact.id).where(
            VillageFact.village_id == village_id,
            VillageFact.kind == kind,
            VillageFact.subject == subject,
            VillageFact.id.not_in(superseded),
        )
    )


def choose_parameter(session: Session, actor: Actor, new: NewParameterChoice) -> UUID:
    """Write down what the province decided. Raises Forbidden, NotFound (pack) and Invalid (name, value)."""
    if not actor.has(Role.PROVINCE_OFFICIAL, Role.ADMINISTRATOR) or actor.person_id is None:
        raise forbidden()
    pack = queries.pack(new.pack_id)
    value: int | str = int(new.value) if isinstance(new.value, str) and new.value.isdigit() else new.value
    pack.settings({new.name: value})
    if session.get(ParameterChoice, new.id) is not None:
        return new.id
    session.add(
        ParameterChoice(
            id=new.id,
            pack_id=new.pack_id,
            name=new.name,
            value=value,
            valid_from=new.valid_from,
            decided_by=new.decided_by,
            recorded_at=clock.now(),
            person_id=actor.person_id,
        )
    )
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
    return {village: evaluate(pack, sheets[village], {}, as_of, chosen) for village in wanted}


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
        earlier = queries.assessment(old)
        found = compare(earlier, answer)
        flags = [
            {
                "criterion_id": f.criterion_id,
                "clause": f.clause,
                "vi": f.reason.vi,
                "en": f.reason.en,
                "only": f.only,
                "left": [{"id": i.id, "label": i.label, "vi": i.reason_vi, "en": i.reason_en} for i in f.left],
            }
            for f in found
        ]
        # A flag stays as long as the pass it explains stands, whatever else changes on the page meanwhile.
        passing = {r.id for r in answer.results if r.answer.value in {Value.MET, Value.NOT_APPLICABLE}}
        flagged = {str(f["criterion_id"]) for f in flags}
        flags += [f for f in old.flags if f["criterion_id"] in passing and f["criterion_id"] not in flagged]
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

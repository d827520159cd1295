"""Deriving the answers of villages from the records, keeping those that changed, and telling who is concerned."""

import hashlib
import json
from collections.abc import Iterable
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app import clock, outbox
from app.accounts import queries as accounts
from app.accounts.events import OrganisationChanged
from app.actor import SYSTEM, Actor
from app.criteria import facts, queries
from app.criteria.events import AssessmentChanged, VillageFactRecorded
from app.criteria.flags import departures, flag_of
from app.criteria.models import VillageAssessment
from app.criteria.rules import VALUE_LABELS, Assessment, Pack, Value, evaluate
from app.db import Database, Words, canonical_json, new_id
from app.marketplace_sync.events import DeclaredConfirmed, ListingObserved
from app.notices import service as notices
from app.notices.models import Urgency
from app.places import queries as places
from app.places.events import PremisesChanged
from app.products import queries as products
from app.products.events import CertificateLapsed, CertificateRecorded, ProductChanged, ProductRetired
from app.trace import queries as trace
from app.trace.events import CareLogCorrected, CareLogRecorded, SiteChanged


def assess(
    session: Session, village_ids: Iterable[UUID], pack: Pack, *, as_of: date, known_at: datetime
) -> dict[UUID, Assessment]:
    """Answers for these villages on a date, as it was known at a moment; nothing is stored."""
    wanted = list(village_ids)
    chosen = queries.choices(session, pack.id, as_of=as_of, known_at=known_at)
    parameters = pack.settings(chosen)
    sheets = facts.provide(session, wanted, as_of=as_of, known_at=known_at, parameters=parameters)
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
        flags = [flag_of(f) for f in departures(session, old, answer)]
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
    return hashlib.sha256(canonical_json(body).encode()).hexdigest()


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
    """Its name stands in the answers that speak of its products. A seat is only ever added, so no village was left."""
    affected = products.ids_of_organisation(session, [event.organisation_id])
    derive(session, actor, queries.villages_of_products(session, affected))


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

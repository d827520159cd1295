"""Deriving the answers of villages from the records, keeping those that changed, and telling who is concerned."""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app import clock, outbox
from app.accounts import queries as accounts
from app.actor import Actor
from app.criteria import facts, queries
from app.criteria.events import AssessmentChanged
from app.criteria.flags import departures, flag_of
from app.criteria.models import VillageAssessment
from app.criteria.rules import VALUE_WORDS, Assessment, ItemSet, Pack, Value, evaluate
from app.db import Words, canonical_json, new_id
from app.messages import N_, Sentence, sentences
from app.notices import service as notices
from app.notices.models import Urgency
from app.places import queries as places
from app.places.names import Called


def assess(
    session: Session,
    village_ids: Iterable[UUID],
    pack: Pack,
    *,
    as_of: date,
    known_at: datetime,
    hours: dict[UUID, datetime] | None = None,
) -> dict[UUID, Assessment]:
    """Answers for these villages on a date, as it was known at a moment; nothing is stored.

    Into `hours` goes, for villages where time alone may change a fact within a day, when.
    """
    wanted = list(village_ids)
    chosen = queries.choices(session, pack.id, as_of=as_of, known_at=known_at)
    parameters = pack.settings(chosen)
    sheets = facts.provide(session, wanted, as_of=as_of, known_at=known_at, parameters=parameters, hours=hours)
    attributes = queries.attributes(session, wanted, pack.attributes, as_of=as_of, known_at=known_at)
    return {village: evaluate(pack, sheets[village], attributes[village], as_of, chosen) for village in wanted}


def derive(
    session: Session,
    actor: Actor,
    village_ids: Iterable[UUID],
    pack_id: str = queries.SMART_VILLAGE,
    *,
    awaited: Collection[UUID] = (),
) -> int:
    """Derive today's answers and store those that changed. Returns how many changed.

    A village that is no more keeps its last answer. `awaited`: the villages whose change somebody waits for.
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
    hours: dict[UUID, datetime] = {}
    for village_id, answer in assess(session, wanted, pack, as_of=as_of, known_at=now, hours=hours).items():
        old = before.get(village_id)
        digest = answer_digest(answer)
        next_change = _next_change(answer, as_of)
        soon = [clock.start_of_day(next_change)] if next_change else []
        soon += [hours[village_id]] if village_id in hours else []
        standing: dict[str, Any] = {
            "confirmed_at": now,
            "next_change_on": next_change,
            "next_change_at": min(soon, default=None),
        }
        if old is not None and _same(old, digest):
            standing["tallies"] = tallies(answer)
            session.execute(update(VillageAssessment).where(VillageAssessment.id == old.id).values(**standing))
            continue
        changed += 1
        row = _replace(session, village_id, pack, answer, old=old, digest=digest, standing=standing)
        session.flush()  # the next village's row must not meet this one's unique index out of order
        if old is None or old.overall != row.overall or old.values != row.values:
            news = AssessmentChanged(village_id=village_id, assessment_id=row.id, awaited=village_id in awaited)
            outbox.publish(session, actor, news)
    return changed


def _same(old: VillageAssessment, digest: str) -> bool:
    """Whether the answer stands. Rows of before counts were left out of the digest are asked what theirs would be now."""
    return old.answer_sha256 == digest or answer_digest(queries.as_computed(old)) == digest


def _replace(
    session: Session,
    village_id: UUID,
    pack: Pack,
    answer: Assessment,
    *,
    old: VillageAssessment | None,
    digest: str,
    standing: Mapping[str, Any],
) -> VillageAssessment:
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
        computed_at=standing["confirmed_at"],
        overall=answer.overall.value.value,
        values={r.id: r.answer.value.value for r in answer.results},
        met=answer.overall.have or 0,
        total=answer.overall.need or len(answer.results),
        result={"canonical": answer.to_json()},
        flags=flags,
        answer_sha256=digest,
        tallies={},
        current=True,
        **standing,
    )
    session.add(row)
    return row


def tallies(answer: Assessment) -> dict[str, dict[str, Any]]:
    """How the counts of records read that decide nothing by themselves, and on which day the facts made of them may change.

    {"items": {item id: its reason, as Words are kept}, "facts": {fact name: civil day or None}}; empty where nothing is counted.
    """
    items: dict[str, Any] = {}
    days: dict[str, Any] = {}
    for name, fact in answer.facts.items():
        if isinstance(fact.value, ItemSet):
            for item in (*fact.value.have, *fact.value.missing, *fact.value.unknown):
                if item.kind in facts.TALLIED:
                    items[item.id] = item.reason.kept() if item.reason else {"vi": ""}
                    days[name] = fact.next_change_on.isoformat() if fact.next_change_on else None
    return {"items": items, "facts": days} if items else {}


def answer_digest(answer: Assessment) -> str:
    """What counts as the same answer: everything but the day it was computed on, and counts that decide nothing.

    In which set an item stands is the answer; how many records of its put it there is not (`facts.TALLIED`). Of a sentence
    its Vietnamese counts: what else is kept of it may be another for the same answer, as in rows of before.
    """
    return hashlib.sha256(canonical_json(_lasting(json.loads(answer.to_json())))).hexdigest()


_OF_THE_DAY = frozenset({"as_of", "next_change_on"})
_BESIDE_VIETNAMESE = _OF_THE_DAY | {"reason_en", "sentence", "values"}
_COUNTED = _BESIDE_VIETNAMESE | {"reason_vi"}


def _lasting(node: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(node, list):
        return [_lasting(value) for value in node]
    if not isinstance(node, dict):
        return node
    if "vi" in node:
        return node["vi"]
    left_out = _OF_THE_DAY
    if "reason_vi" in node:
        left_out = _COUNTED if node["kind"] in facts.TALLIED else _BESIDE_VIETNAMESE
    return {name: _lasting(value) for name, value in node.items() if name not in left_out}


def _next_change(answer: Assessment, as_of: date) -> date | None:
    """The first day on which time alone may change the answer or any fact behind it."""
    days = [a.next_change_on for r in answer.results for a in r.answer.walk() if a.next_change_on]
    days += [f.next_change_on for f in answer.facts.values() if f.next_change_on]
    later = [day for day in days if day > as_of]
    return min(later, default=None)


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
    said = sentences(
        tuple(
            N_(
                "Tiêu chí %(clause)s, %(flip)s: %(reason)s",
                clause=c.clause,
                flip=_flip(earlier, row, c.id),
                reason=answers[c.id].reason,
            )
            for c in flipped
        )
    )
    lost = earlier.overall == Value.MET.value and row.overall != Value.MET.value
    notices.tell(
        session,
        actor,
        person_ids=accounts.people_answering_for(session, concerned),
        reason="assessment_changed",
        urgency=Urgency.HIGH if lost else Urgency.NORMAL,
        title=Words.of(
            N_(
                "%(village)s: %(overall)s, %(met)s/%(total)s tiêu chí",
                village=Called(village.kind_word, village.name, first=True),
                overall=VALUE_WORDS[Value(row.overall)],
                met=row.met,
                total=row.total,
            )
        ),
        body=Words.of(said),
        link=f"/thon/{event.village_id}",
        key=f"assessment:{row.id}",
    )


def _flip(earlier: VillageAssessment, row: VillageAssessment, criterion_id: str) -> Sentence:
    first, then = (VALUE_WORDS[Value(r.values[criterion_id])] for r in (earlier, row))
    return N_("từ %(first)s sang %(then)s", first=first, then=then)

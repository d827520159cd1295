"""One village: its answer, what is lacking and who can mend it, and how it came about."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app import clock
from app.accounts import queries as accounts
from app.actor import SYSTEM, Actor
from app.criteria import assessments
from app.criteria import queries as criteria
from app.criteria.flags import flags_at
from app.criteria.models import VillageAssessment
from app.criteria.rules import Answer, Assessment, Both, Choice, Criterion, Item, Pack, Value
from app.db import Database, Words
from app.doors.official.queries.own import place_of
from app.places import queries as places
from app.places.models import Level, Place

MONTHS = 12
# Which form mends which fact; what is not here is mended where the record itself is made.
FORMS: dict[str, str] = {
    "digital_group_established": "to-cong-nghe-so",
    "digital_group_activities": "hoat-dong",
    "village_channel_in_use": "kenh",
    "feedback_received": "phan-anh",
    "feedback_answered_in_time": "phan-anh",
    "culture_house_free_wifi": "wifi",
    "premises_with_digital_address": "dia-chi-so",
    "premises": "dia-chi-so",
    "models_production_business": "mo-hinh",
    "models_public_order": "mo-hinh",
    "models_smart_lighting": "mo-hinh",
    "models_smart_agriculture": "mo-hinh",
}
# The form that mends one named thing.
FORM_OF_ITEM: dict[str, str] = {
    "activity": "hoat-dong",
    "feedback": "phan-anh",
    "premises": "dia-chi-so",
    "model": "mo-hinh",
}
# The form that a criterion's own button opens.
FORM_OF: dict[str, str] = {
    "to-cong-nghe-so": "hoat-dong",
    "nen-tang-so": "phan-anh",
    "wifi-nha-van-hoa": "wifi",
    "dia-chi-so": "dia-chi-so",
    "mo-hinh-chuyen-doi-so": "mo-hinh",
}


@dataclass(frozen=True, slots=True)
class Named:
    """A thing that is lacking: who can mend it where that is known by name, and the form that mends it."""

    item: Item
    who: str = ""
    form: str = ""


@dataclass(frozen=True, slots=True)
class Clause:
    """One criterion as the page shows it.

    `choices` is what the letter leaves open and this answer depends on; `to_do` what mends it, where the record says
    that a thing is not there: to get it, not to prove it.
    """

    criterion: Criterion
    answer: Answer
    choices: tuple[Choice, ...]
    missing: tuple[Named, ...]
    form: str
    to_do: Both

    @property
    def shown_parts(self) -> list[Answer]:
        """The answers below its own: where any of them is enough and there is one, only those that are met."""
        enough = self.answer.kind == "any_of@1" and self.answer.value is Value.MET
        return [a for a in self.answer.children if not enough or a.value is Value.MET]


@dataclass(frozen=True, slots=True)
class VillageView:
    """A village's answer on a day, as it was known at a moment. `stored` is None where it was worked out for this page."""

    village: Place
    above: list[Place]
    pack: Pack
    assessment: Assessment
    stored: VillageAssessment | None
    as_of: date
    known_at: datetime
    asked: bool
    waiting: bool
    clauses: list[Clause]
    households: int | None
    offices: int | None
    history: list["Change"]
    points: list[tuple[date, int]]
    flags: list[dict[str, Any]]

    @property
    def counted_until(self) -> datetime:
        """Until when what was recorded is in the answer."""
        return self.known_at if self.stored is None else self.stored.confirmed_at

    @property
    def statuses(self) -> list[str]:
        return [c.answer.value.value for c in self.clauses]

    @property
    def shortest(self) -> list[Clause]:
        by_id = {c.criterion.id: c for c in self.clauses}
        return [by_id[r.id] for r in self.assessment.shortest_path()]


@dataclass(frozen=True, slots=True)
class Change:
    """A day on which a criterion's answer became another."""

    at: datetime
    criterion: Criterion
    before: str | None
    after: str


def village(
    database: Database, actor: Actor, village_id: UUID, *, as_of: date | None = None, known_at: datetime | None = None
) -> VillageView:
    """The stored answer; or, for another day or another state of knowledge, one worked out now and kept nowhere.

    Raises NotFound for a village elsewhere.
    """
    pack = criteria.pack()
    asked = as_of is not None or known_at is not None
    with database.transaction(actor) as session:
        now, today = clock.now(), clock.today()
        day, known = as_of or today, known_at or now
        place = place_of(session, actor, village_id, Level.VILLAGE)
        stored = None if asked else criteria.current(session, [village_id]).get(village_id)
        newest = criteria.newest_fact_at(session, village_id)
        counts = places.premises_counts(session, [village_id], day, known).get(village_id, {})
        above = places.ancestors(session, village_id)
        rows = criteria.history(session, village_id, since=clock.start_of_day(_months_ago(today, MONTHS - 1)))
    # A product may be of an organisation elsewhere; whether it counts here is no secret to whoever answers here.
    with database.transaction(SYSTEM) as session:
        answer = (
            criteria.assessment(stored)
            if stored is not None
            else assessments.assess(session, [village_id], pack, as_of=day, known_at=known)[village_id]
        )
        clauses = _clauses(session, pack, answer)
        flags = (
            criteria.flags_of(stored)
            if stored is not None
            else flags_at(session, village_id, answer, min(known, clock.start_of_day(day + timedelta(days=1))))
        )
    return VillageView(
        village=place,
        above=above,
        pack=pack,
        assessment=answer,
        stored=stored,
        as_of=day,
        known_at=known,
        asked=asked,
        waiting=not asked and newest is not None and (stored is None or stored.confirmed_at < newest),
        clauses=clauses,
        households=counts.get("household"),
        offices=counts.get("office"),
        history=_changes(pack, rows)[::-1],
        points=_points(rows, today),
        flags=[f | {"said": Words.kept_in(f)} for f in flags],
    )


def _clauses(session: Session, pack: Pack, answer: Assessment) -> list[Clause]:
    results = {r.id: r.answer for r in answer.results}
    product_ids = {UUID(i.id) for a in results.values() for i in a.missing if i.kind == "product"}
    holders = _holders(session, product_ids)
    return [
        Clause(
            criterion=c,
            answer=results[c.id],
            choices=answer.choices_of(results[c.id]),
            missing=tuple(_named(i, results[c.id], holders) for i in results[c.id].missing),
            form=FORM_OF.get(c.id, ""),
            to_do=_to_do(pack, c, results[c.id]),
        )
        for c in pack.criterion
    ]


def _to_do(pack: Pack, criterion: Criterion, answer: Answer) -> Both:
    absent = [
        advice
        for leaf in answer.walk()
        if leaf.kind == "flag@1" and leaf.value is Value.UNMET
        for name in leaf.facts_used
        if (advice := pack.facts_by_name[name].if_no) is not None
    ]
    return absent[0] if absent else criterion.what_to_do


def _holders(session: Session, product_ids: set[UUID]) -> dict[str, str]:
    """Product id to the name of who holds it: the one who can mend."""
    owners = criteria.holders_of(session, product_ids)
    names = accounts.organisation_names(session, set(owners.values()))
    return {str(p): names[o] for p, o in owners.items() if o in names}


def _named(item: Item, answer: Answer, holders: dict[str, str]) -> Named:
    if item.kind in {"product", "household"}:
        return Named(item, who=holders.get(item.id, ""))
    if item.kind in FORM_OF_ITEM:
        return Named(item, form=FORM_OF_ITEM[item.kind])
    names = [item.id, *(n for leaf in answer.walk() if not leaf.children for n in leaf.facts_used)]
    return Named(item, form=next((FORMS[n] for n in names if n in FORMS), ""))


def _months_ago(day: date, months: int) -> date:
    """The first day of the month that many months before."""
    index = day.year * 12 + day.month - 1 - months
    return date(index // 12, index % 12 + 1, 1)


def _changes(pack: Pack, rows: Sequence[VillageAssessment]) -> list[Change]:
    found: list[Change] = []
    for before, after in zip([None, *rows], rows, strict=False):
        if before is None:
            continue
        found += [
            Change(after.computed_at, c, before.values.get(c.id), after.values[c.id])
            for c in pack.criterion
            if c.id in after.values and before.values.get(c.id) != after.values[c.id]
        ]
    return found


def _points(rows: Sequence[VillageAssessment], today: date) -> list[tuple[date, int]]:
    """How many criteria were met at the end of each of the last months; those before the first criterion had data enough are left out."""
    found: list[tuple[date, int]] = []
    for ago in range(MONTHS - 1, -1, -1):
        first = _months_ago(today, ago)
        end = min(_months_ago(today, ago - 1) - timedelta(days=1), today) if ago else today
        stop = clock.start_of_day(end + timedelta(days=1))
        standing = [r for r in rows if r.computed_at < stop]
        if standing and (found or _says_anything(standing[-1])):
            found.append((first, sum(v == Value.MET.value for v in standing[-1].values.values())))
    return found


def _says_anything(row: VillageAssessment) -> bool:
    """An answer in which no criterion had data enough is no figure: its nothing must not be drawn as zero."""
    return any(v in {Value.MET.value, Value.UNMET.value} for v in row.values.values())

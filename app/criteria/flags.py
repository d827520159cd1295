"""Flags: what left the count and so brought an answer about, kept with the answer and read back."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.criteria import queries
from app.criteria.models import VillageAssessment
from app.criteria.rules import Assessment, Departure, Item, Value, carried, compare
from app.db import Words


def departures(session: Session, old: VillageAssessment, answer: Assessment) -> tuple[Departure, ...]:
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
    return [flag_of(f) for f in found if not answer.result(f.criterion_id).answer.value.is_open]


def flag_of(found: Departure) -> dict[str, object]:
    """As it is stored with an answer, its sentence included."""
    return {
        "criterion_id": found.criterion_id,
        "clause": found.clause,
        "outcome": found.outcome.value,
        "only": found.only,
        "left": [
            {"id": i.id, "kind": i.kind, "label": i.label, "label_en": i.label_en}
            | (i.reason.kept() if i.reason else {})
            for i in found.left
        ],
    } | Words.of(found.reason).kept()


def _reason(row: dict[str, Any]) -> Words | None:
    return Words.kept_in(row) if row.get("vi") else None


def _departure(flag: dict[str, Any], row: VillageAssessment) -> Departure:
    """A stored flag read back; rows older than its `outcome` say it with their own answer."""
    left = tuple(
        Item(i["id"], i.get("kind", "product"), i["label"], _reason(i), label_en=i.get("label_en"))
        for i in flag["left"]
    )
    outcome = Value(flag.get("outcome") or row.values[flag["criterion_id"]])
    return Departure(flag["criterion_id"], flag["clause"], outcome, left, only=flag["only"])

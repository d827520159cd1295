"""The question to the providers, and how rows that people recorded become a fact."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from app.criteria.models import VillageFact
from app.criteria.rules import Fact, Item, ItemSet, Source
from app.db import Words
from app.messages import N_, Said

# Who vouches, the weakest word first; from the officer on it is somebody outside the village.
LADDER = ("village", "digital_group", "officer", "commune", "province")
VERIFYING = LADDER[LADDER.index("officer") :]
NO_PROOF = Words.of(N_("Chưa có minh chứng."))


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: on which civil date, as known at which moment, with which values of the pack's parameters."""

    as_of: date
    known_at: datetime
    parameters: Mapping[str, int | str]

    def days(self, name: str) -> int:
        return int(self.parameters[name])

    def since(self, name: str) -> date:
        """The first day of a window of that many days that ends on the day asked about."""
        return self.as_of - timedelta(days=self.days(name) - 1)


def fact_of_rows(
    rows: Sequence[VillageFact],
    value: bool | ItemSet | int,  # noqa: FBT001 - a fact's value
    question: Question,
    *,
    observed_on: date | None = None,
    next_change_on: date | None = None,
) -> Fact:
    """What these rows say together: it is worth as much as the weakest of their witnesses, and shows all their evidence.

    A yes that nothing shows is not proven; a no needs no evidence, and sets say it of each of their things.
    """
    witness = min((r.witness for r in rows), key=LADDER.index)
    return Fact(
        value=value,
        as_of=question.as_of,
        source=Source.VERIFIED if witness in VERIFYING else Source.SELF_DECLARED,
        observed_on=observed_on or min(r.observed_on for r in rows),
        witness=witness,
        evidence=tuple(dict.fromkeys(str(e) for r in rows for e in r.evidence)),
        next_change_on=next_change_on,
        proven=value is not True or all(r.evidence for r in rows),
    )


def without_proof(item: Item) -> Item:
    return with_reason(item, NO_PROOF)


def with_reason(item: Item, why: Said) -> Item:
    return replace(item, reason=Words.of(why))

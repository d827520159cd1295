"""The sheet of facts: what providers say of one place, with its date, its source and its names."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TypeAlias


class Source(StrEnum):
    DERIVED = "derived"
    SELF_DECLARED = "self_declared"
    VERIFIED = "verified"


@dataclass(frozen=True, slots=True)
class Item:
    """One named thing: a product, a household, a photo that is lacking. `label` is a name; the reasons are sentences."""

    id: str
    kind: str
    label: str
    reason_vi: str = ""
    reason_en: str = ""
    link: str | None = None
    label_en: str | None = None

    def name(self, language: str) -> str:
        return (self.label_en or self.label) if language == "en" else self.label

    def reason(self, language: str) -> str:
        return self.reason_en if language == "en" else self.reason_vi


@dataclass(frozen=True, slots=True)
class ItemSet:
    """Named things that count, that do not (each with its reason), and of which nobody can say.

    In a denominator `missing` are the things that left the count. An id stands once; the order given does not matter.
    """

    have: tuple[Item, ...] = ()
    missing: tuple[Item, ...] = ()
    unknown: tuple[Item, ...] = ()

    def __post_init__(self) -> None:
        ids = [item.id for part in (self.have, self.missing, self.unknown) for item in part]
        if len(ids) != len(set(ids)):
            raise ValueError("an item stands twice in one set")
        for name in ("have", "missing", "unknown"):
            object.__setattr__(self, name, tuple(sorted(getattr(self, name), key=lambda item: (item.label, item.id))))


@dataclass(frozen=True, slots=True)
class Fact:
    """What one provider says of one place on the civil date `as_of`.

    observed_on     the date of the oldest evidence the value rests on; rules with `max_age_days` measure from it
    proven          False: somebody said so and showed nothing for it, so that no rule uses it
    next_change_on  the first date on which time alone may change the value (a certificate ends, a window of logs moves
                    on); from that date the fact has to be provided anew and is not used
    """

    value: bool | int | ItemSet
    as_of: date
    source: Source
    observed_on: date | None = None
    witness: str | None = None
    evidence: tuple[str, ...] = ()
    next_change_on: date | None = None
    proven: bool = True

    def __post_init__(self) -> None:
        if isinstance(self.value, int) and self.value < 0:
            raise ValueError("a count is never negative")


FactSheet: TypeAlias = Mapping[str, Fact]

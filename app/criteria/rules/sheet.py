"""The sheet of facts: what providers say of one place, with its date, its source and its names."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any, TypeAlias

from pydantic import model_serializer, model_validator

from app.db import Words


class Source(StrEnum):
    DERIVED = "derived"
    SELF_DECLARED = "self_declared"
    VERIFIED = "verified"


@dataclass(frozen=True, slots=True)
class Item:
    """One named thing: a product, a household, a photo that is lacking. `label` is a name; `reason` is whole sentences.

    Stored, the Vietnamese of the reason is `reason_vi`; what else is kept of it stands beside that. Rows of before it was the
    catalogue's have their English in `reason_en`, and stay as they are.
    """

    id: str
    kind: str
    label: str
    reason: Words | None = field(default=None, hash=False)
    link: str | None = None
    label_en: str | None = None

    @property
    def name(self) -> Words:
        return Words(vi=self.label, en=self.label_en)

    @model_validator(mode="before")
    @classmethod
    def _read(cls, row: Any) -> Any:  # noqa: ANN401 - whatever stands in the JSON
        if not isinstance(row, dict) or not row.get("reason_vi"):
            return row
        vi, en, sentence, values = (row.get(name) for name in ("reason_vi", "reason_en", "sentence", "values"))
        return row | {"reason": Words(vi=vi, en=en or None, sentence=sentence, values=values)}

    @model_serializer
    def _stored(self) -> dict[str, Any]:
        named = {"id": self.id, "kind": self.kind, "label": self.label, "link": self.link, "label_en": self.label_en}
        return named | stored_reason(self.reason)


def stored_reason(reason: Words | None) -> dict[str, Any]:
    kept = reason.kept() if reason else {}
    return {"reason_vi": kept.pop("vi", ""), "reason_en": kept.pop("en", "")} | kept


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

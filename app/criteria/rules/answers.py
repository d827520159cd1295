"""Answers: four values, one for every node, and the assessment that can be computed again."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from pydantic import TypeAdapter

from app.criteria.rules.canonical import canonical
from app.criteria.rules.sheet import Fact, Item
from app.criteria.rules.words import Both, Kept
from app.messages import N_, Sentence


class Value(StrEnum):
    MET = "met"
    UNMET = "unmet"
    INSUFFICIENT = "insufficient"
    NOT_APPLICABLE = "not_applicable"

    @property
    def is_open(self) -> bool:
        """Something is still to be done or to be found out."""
        return self in {Value.UNMET, Value.INSUFFICIENT}


VALUE_LABELS: Final[Mapping[Value, Sentence]] = {
    Value.MET: N_("Đạt"),
    Value.UNMET: N_("Chưa đạt"),
    Value.INSUFFICIENT: N_("Thiếu dữ liệu"),
    Value.NOT_APPLICABLE: N_("Không áp dụng"),
}
VALUE_WORDS: Final[Mapping[Value, Sentence]] = {  # inside a sentence
    Value.MET: N_("đạt"),
    Value.UNMET: N_("chưa đạt"),
    Value.INSUFFICIENT: N_("thiếu dữ liệu"),
    Value.NOT_APPLICABLE: N_("không áp dụng"),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """One node's answer. `reason` is whole sentences.

    have, need, gap   in `unit`; `of` is the denominator of a ratio and `percent` what it must reach. None: cannot be told
    missing           what to mend, by name; never empty while the answer is unmet or insufficient
    not_counted       things that left a denominator, each with its reason
    to_do             how many single things lie on the shortest way to met
    facts_used        for a ratio: numerator, denominator
    next_change_on    the first civil date on which time alone changes the answer, or may change a fact that decides it
    """

    kind: str
    value: Value
    reason: Kept
    id: str | None = None
    label: Both | None = None
    have: int | None = None
    need: int | None = None
    gap: int | None = None
    of: int | None = None
    percent: int | None = None
    unit: Both | Kept | None = None
    missing: tuple[Item, ...] = ()
    not_counted: tuple[Item, ...] = ()
    to_do: int = 0
    facts_used: tuple[str, ...] = ()
    parameters_used: tuple[str, ...] = ()
    next_change_on: date | None = None
    children: tuple["Answer", ...] = ()

    def walk(self) -> Iterator["Answer"]:
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True, slots=True)
class Choice:
    """A parameter as it stood for this assessment.

    note     set where the letter left it open: that the province chose it, or that nobody has and it is a preset
    chosen   the province chose it
    """

    name: str
    value: int | str
    label: Both
    value_label: Both
    source: str
    note: Kept | None
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class CriterionResult:
    id: str
    clause: int
    answer: Answer


@dataclass(frozen=True, slots=True)
class Assessment:
    """One place judged by one pack on one date, with everything needed to compute it again."""

    engine: int
    pack_id: str
    pack_version: str
    pack_sha256: str
    as_of: date
    attributes: dict[str, str]
    parameters: tuple[Choice, ...]
    facts: dict[str, Fact]
    results: tuple[CriterionResult, ...]
    overall: Answer
    outside_period: Kept | None

    def result(self, criterion_id: str) -> CriterionResult:
        """Raises KeyError for an id that the pack does not have."""
        for result in self.results:
            if result.id == criterion_id:
                return result
        raise KeyError(criterion_id)

    def choices_of(self, answer: Answer) -> tuple[Choice, ...]:
        """What the letter leaves open and this answer depends on, to be shown with it."""
        return tuple(choice for choice in self.parameters if choice.note and choice.name in answer.parameters_used)

    def shortest_path(self) -> tuple[CriterionResult, ...]:
        """What is not met yet, the least work first."""
        return tuple(
            sorted((r for r in self.results if r.answer.value.is_open), key=lambda r: (r.answer.to_do, r.clause))
        )

    def to_json(self) -> str:
        """The canonical form: sorted keys, no spaces, UTF-8. Equal assessments give equal bytes."""
        return canonical(_ASSESSMENT.dump_python(self, mode="json"))

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    @staticmethod
    def from_json(text: str | bytes) -> "Assessment":
        """Raises pydantic.ValidationError when the text is not an assessment."""
        return _ASSESSMENT.validate_json(text)


_ASSESSMENT: TypeAdapter[Assessment] = TypeAdapter(Assessment)

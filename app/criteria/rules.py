"""The rules engine: a closed table of predicate kinds over a sheet of facts; pure, bounded, and it always says why.

Four answers: met, unmet, insufficient, not_applicable. What is missing is never zero and never a pass.

Kinds, frozen: a change of meaning is a new kind (`ratio_at_least@2`), so that an old answer can always be computed again.
    flag@1                    the fact is true
    count_at_least@1          met: have >= k. unmet: have + unknown < k. Else insufficient
    ratio_at_least@1          met: num * 100 >= den * percent, whatever the unknown items turn out to be. unmet: not even if
                              all of them turn out well. Else insufficient. No float. A denominator known to be zero is what
                              `zero_denominator` says: not_applicable, unmet or insufficient, never met
    all_of@1                  unmet > insufficient > met; children that do not apply are left out
    any_of@1                  met > insufficient > unmet; children that do not apply are left out
    k_of_n@1                  met: k children met. unmet: not reachable even with the insufficient ones. k does not shrink
                              with children that do not apply
    threshold_by_attribute@1  count or ratio whose threshold depends on an attribute of the place (commune_group)
A composite of nothing but not_applicable is not_applicable.

A fact cannot be used, and the answer is insufficient, when nobody recorded it, when `max_age_days` is set and its evidence
is older or undated, when it is dated after the day asked about, or when its own `next_change_on` has come.

Facts are the contract with the providers: each pack declares the name, type, meaning and parameters of every fact it reads.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Annotated, ClassVar, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from app.errors import Invalid, InvalidMany

ENGINE: Final = 1
NAMES_IN_A_SENTENCE: Final = 5
REASONS_IN_A_SENTENCE: Final = 3
PERCENT_FROM: Final = 10  # below ten things the fraction itself is clearer than a percentage


class Value(StrEnum):
    MET = "met"
    UNMET = "unmet"
    INSUFFICIENT = "insufficient"
    NOT_APPLICABLE = "not_applicable"


@dataclass(frozen=True, slots=True)
class Both:
    """A text in the two languages of the pages."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")
    vi: str
    en: str

    def text(self, language: str) -> str:
        return self.en if language == "en" else self.vi


VALUE_LABELS: Final[Mapping[Value, Both]] = {
    Value.MET: Both("Đạt", "Met"),
    Value.UNMET: Both("Chưa đạt", "Not met"),
    Value.INSUFFICIENT: Both("Thiếu dữ liệu", "Not enough data"),
    Value.NOT_APPLICABLE: Both("Không áp dụng", "Not applicable"),
}
NOT_FROM_LETTER: Final = Both("lựa chọn của tỉnh, không có trong văn bản", "the province's choice, not in the letter")
CONDITIONS: Final = Both("điều kiện", "conditions")
CRITERIA: Final = Both("tiêu chí", "criteria")


# ---------------------------------------------------------------------------------------------------------------- facts
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
    next_change_on  the first date on which time alone may change the value (a certificate ends, a window of logs moves
                    on); from that date the fact has to be provided anew and is not used
    """

    value: bool | int | ItemSet
    as_of: date
    source: Source
    observed_on: date | None = None
    witness: str | None = None
    rung: str | None = None
    evidence: tuple[str, ...] = ()
    next_change_on: date | None = None

    def __post_init__(self) -> None:
        if isinstance(self.value, int) and self.value < 0:
            raise ValueError("a count is never negative")


FactSheet: TypeAlias = Mapping[str, Fact]


# --------------------------------------------------------------------------------------------------------- packs: shape
_Int = Annotated[int, Field(strict=True)]
_Date = Annotated[date, Field(strict=True)]
_Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
_Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+){0,15}$", max_length=64)]
_Ref = Annotated[str, Field(pattern=r"^\$[a-z][a-z0-9_]{0,63}$")]
_Sentence = Annotated[str, Field(min_length=1, max_length=2000)]
ZeroDenominator = Literal["not_applicable", "unmet", "insufficient"]


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Rule(_Shape):
    id: _Slug | None = None
    label: Both | None = None

    @property
    def facts(self) -> tuple[str, ...]:
        return ()

    @property
    def operands(self) -> tuple[object, ...]:
        return ()

    @property
    def children(self) -> tuple["Rule", ...]:
        return ()


class _Leaf(_Rule):
    max_age_days: Annotated[_Int, Field(ge=1, le=36500)] | _Ref | None = None


class Flag(_Leaf):
    kind: Literal["flag@1"]
    fact: _Name

    @property
    def facts(self) -> tuple[str, ...]:
        return (self.fact,)

    @property
    def operands(self) -> tuple[object, ...]:
        return (self.max_age_days,)


class CountAtLeast(_Leaf):
    kind: Literal["count_at_least@1"]
    fact: _Name
    at_least: Annotated[_Int, Field(ge=1, le=1_000_000)] | _Ref

    @property
    def facts(self) -> tuple[str, ...]:
        return (self.fact,)

    @property
    def operands(self) -> tuple[object, ...]:
        return (self.at_least, self.max_age_days)


class RatioAtLeast(_Leaf):
    kind: Literal["ratio_at_least@1"]
    numerator: _Name
    denominator: _Name
    percent: Annotated[_Int, Field(ge=1, le=100)] | _Ref
    zero_denominator: ZeroDenominator | _Ref

    @property
    def facts(self) -> tuple[str, ...]:
        return (self.numerator, self.denominator)

    @property
    def operands(self) -> tuple[object, ...]:
        return (self.percent, self.zero_denominator, self.max_age_days)


class AllOf(_Rule):
    kind: Literal["all_of@1"]
    of: Annotated[tuple["Rule", ...], Field(min_length=1, max_length=50)]

    @property
    def children(self) -> tuple["Rule", ...]:
        return self.of


class AnyOf(_Rule):
    kind: Literal["any_of@1"]
    of: Annotated[tuple["Rule", ...], Field(min_length=1, max_length=50)]

    @property
    def children(self) -> tuple["Rule", ...]:
        return self.of


class KOfN(_Rule):
    kind: Literal["k_of_n@1"]
    k: Annotated[_Int, Field(ge=1, le=50)] | _Ref
    of: Annotated[tuple["Rule", ...], Field(min_length=1, max_length=50)]

    @property
    def operands(self) -> tuple[object, ...]:
        return (self.k,)

    @property
    def children(self) -> tuple["Rule", ...]:
        return self.of


class ThresholdByAttribute(_Leaf):
    """`fact` for a count, or `numerator`, `denominator` and `zero_denominator` for a ratio; packs.py checks which."""

    kind: Literal["threshold_by_attribute@1"]
    attribute: _Name
    attribute_label: Both
    thresholds: Annotated[
        dict[str, Annotated[_Int, Field(ge=1, le=1_000_000)] | Literal["not_applicable"] | _Ref],
        Field(min_length=1, max_length=50),
    ]
    fact: _Name | None = None
    numerator: _Name | None = None
    denominator: _Name | None = None
    zero_denominator: ZeroDenominator | _Ref | None = None

    @property
    def facts(self) -> tuple[str, ...]:
        return tuple(name for name in (self.fact, self.numerator, self.denominator) if name)

    @property
    def operands(self) -> tuple[object, ...]:
        return (*self.thresholds.values(), self.zero_denominator, self.max_age_days)


Rule = Annotated[
    Flag | CountAtLeast | RatioAtLeast | AllOf | AnyOf | KOfN | ThresholdByAttribute, Field(discriminator="kind")
]
AllOf.model_rebuild()
AnyOf.model_rebuild()
KOfN.model_rebuild()


class FactDeclaration(_Shape):
    """One fact that a provider must know how to give, and the words around it.

    type   flag: bool; count: int; items: ItemSet
    label  a noun phrase in lower case that reads well after a number: "sản phẩm OCOP đang bán trên sàn được tính"
    """

    name: _Name
    type: Literal["flag", "count", "items"]
    label: Both
    meaning: Both
    unit: Both | None = None
    yes: Both | None = None
    no: Both | None = None
    parameters: Annotated[tuple[_Name, ...], Field(max_length=20)] = ()


class NamedChoice(_Shape):
    value: _Name
    label: Both


class Parameter(_Shape):
    """What a province may set. `not_from_letter` is shown with every answer that depends on it."""

    name: _Name
    type: Literal["integer", "choice"]
    label: Both
    source: Literal["letter", "not_from_letter"]
    default: _Int | _Name
    minimum: _Int | None = None
    maximum: _Int | None = None
    unit: Both | None = None
    choices: Annotated[tuple[NamedChoice, ...], Field(max_length=20)] = ()

    def accepts(self, value: object) -> bool:
        if self.type == "choice":
            return any(choice.value == value for choice in self.choices)
        if isinstance(value, bool) or not isinstance(value, int) or self.minimum is None or self.maximum is None:
            return False
        return self.minimum <= value <= self.maximum

    def words(self, value: int | str) -> Both:
        """The chosen value as people read it."""
        for choice in self.choices:
            if choice.value == value:
                return choice.label
        return Both(f"{value} {self.unit.vi}", f"{value} {self.unit.en}") if self.unit else Both(str(value), str(value))


class LegalBasis(_Shape):
    doc: _Sentence
    date: _Sentence
    title: _Sentence
    clause: _Sentence | None = None


class Criterion(_Shape):
    id: _Slug
    clause: Annotated[_Int, Field(ge=1, le=1000)]
    label: Both
    legal_quote: _Sentence
    rule: Rule
    evidence: Annotated[tuple[_Name, ...], Field(min_length=1, max_length=20)]
    who_can_fix: Both
    what_to_do: Both


class Result(_Shape):
    """How the criteria join: all of them, or k of them."""

    kind: Literal["all_of@1", "k_of_n@1"]
    k: Annotated[_Int, Field(ge=1, le=100)] | None = None


class Pack(_Shape):
    """One set of criteria of one authority for one period; never overwritten, a successor is another pack."""

    id: _Slug
    version: Annotated[str, Field(pattern=r"^[0-9]{4}\.[0-9]{1,4}$")]
    title: Both
    unit_level: Literal["village", "commune", "province"]
    authority: Both
    legal: Annotated[tuple[LegalBasis, ...], Field(min_length=1, max_length=20)]
    effective_from: _Date
    effective_to: _Date | None = None
    parameter: Annotated[tuple[Parameter, ...], Field(max_length=100)] = ()
    fact: Annotated[tuple[FactDeclaration, ...], Field(min_length=1, max_length=200)]
    criterion: Annotated[tuple[Criterion, ...], Field(min_length=1, max_length=100)]
    result: Result

    @cached_property
    def sha256(self) -> str:
        """Address of the content: comments and layout of the file do not count, nor does a default written out."""
        return _digest(self.model_dump(mode="json", exclude_defaults=True))

    @cached_property
    def facts_by_name(self) -> Mapping[str, FactDeclaration]:
        return {declared.name: declared for declared in self.fact}

    @cached_property
    def parameters_by_name(self) -> Mapping[str, Parameter]:
        return {parameter.name: parameter for parameter in self.parameter}

    @cached_property
    def criteria_by_id(self) -> Mapping[str, Criterion]:
        return {criterion.id: criterion for criterion in self.criterion}

    def settings(self, choices: Mapping[str, int | str] | None = None) -> dict[str, int | str]:
        """Every parameter's value: the province's choice where there is one, else the default.

        Raises InvalidMany, all faults at once, for an unknown name or a value that the parameter does not accept.
        """
        chosen = choices or {}
        faults = [
            Invalid(
                "parameter_unknown",
                vi=f"Bộ tiêu chí {self.id} không có tham số {name!r}.",
                en=f"The pack {self.id} has no parameter {name!r}.",
                field=name,
            )
            for name in sorted(chosen)
            if name not in self.parameters_by_name
        ]
        faults += [
            _refused(parameter, chosen[parameter.name])
            for parameter in self.parameter
            if parameter.name in chosen and not parameter.accepts(chosen[parameter.name])
        ]
        if faults:
            raise InvalidMany(faults)
        return {parameter.name: chosen.get(parameter.name, parameter.default) for parameter in self.parameter}


def _refused(parameter: Parameter, value: object) -> Invalid:
    if parameter.type == "choice":
        allowed = ", ".join(choice.value for choice in parameter.choices)
        vi, en = f"một trong: {allowed}", f"one of: {allowed}"
    else:
        vi = f"số nguyên từ {parameter.minimum} đến {parameter.maximum}"
        en = f"a whole number from {parameter.minimum} to {parameter.maximum}"
    return Invalid(
        "parameter_refused",
        vi=f"{parameter.label.vi}: {value!r} không dùng được; hãy chọn {vi}.",
        en=f"{parameter.label.en}: {value!r} cannot be used; choose {en}.",
        field=parameter.name,
    )


# -------------------------------------------------------------------------------------------------------------- answers
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
    reason: Both
    id: str | None = None
    label: Both | None = None
    have: int | None = None
    need: int | None = None
    gap: int | None = None
    of: int | None = None
    percent: int | None = None
    unit: Both | None = None
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
    """A parameter as it stood for this assessment; `note` is set where the text left it open."""

    name: str
    value: int | str
    label: Both
    value_label: Both
    source: str
    note: Both | None


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
    outside_period: Both | None

    def result(self, criterion_id: str) -> CriterionResult:
        """Raises KeyError for an id that the pack does not have."""
        for result in self.results:
            if result.id == criterion_id:
                return result
        raise KeyError(criterion_id)

    def choices_of(self, answer: Answer) -> tuple[Choice, ...]:
        """The province's choices that this answer depends on, to be shown with it."""
        return tuple(choice for choice in self.parameters if choice.note and choice.name in answer.parameters_used)

    def shortest_path(self) -> tuple[CriterionResult, ...]:
        """What is not met yet, the least work first."""
        open_values = {Value.UNMET, Value.INSUFFICIENT}
        return tuple(
            sorted((r for r in self.results if r.answer.value in open_values), key=lambda r: (r.answer.to_do, r.clause))
        )

    def to_json(self) -> str:
        """The canonical form: sorted keys, no spaces, UTF-8. Equal assessments give equal bytes."""
        return _canonical(_ASSESSMENT.dump_python(self, mode="json"))

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    @staticmethod
    def from_json(text: str | bytes) -> "Assessment":
        """Raises pydantic.ValidationError when the text is not an assessment."""
        return _ASSESSMENT.validate_json(text)


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _digest(value: object) -> str:
    return hashlib.sha256(_canonical(value).encode()).hexdigest()


_ASSESSMENT: TypeAdapter[Assessment] = TypeAdapter(Assessment)
_FACTS: TypeAdapter[dict[str, Fact]] = TypeAdapter(dict[str, Fact])


def facts_to_json(facts: FactSheet) -> str:
    return _canonical(_FACTS.dump_python(dict(facts), mode="json"))


def facts_from_json(text: str | bytes) -> dict[str, Fact]:
    """Raises pydantic.ValidationError when the text is not a sheet of facts."""
    return _FACTS.validate_json(text)


# ---------------------------------------------------------------------------------------------------------- truth tables
def all_of_1(values: Sequence[Value]) -> Value:
    for value in (Value.UNMET, Value.INSUFFICIENT, Value.MET):
        if value in values:
            return value
    return Value.NOT_APPLICABLE


def any_of_1(values: Sequence[Value]) -> Value:
    for value in (Value.MET, Value.INSUFFICIENT, Value.UNMET):
        if value in values:
            return value
    return Value.NOT_APPLICABLE


def k_of_n_1(values: Sequence[Value], k: int) -> Value:
    met, open_ = values.count(Value.MET), values.count(Value.INSUFFICIENT)
    if met >= k:
        return Value.MET
    if met + open_ >= k:
        return Value.INSUFFICIENT
    return Value.NOT_APPLICABLE if all(value is Value.NOT_APPLICABLE for value in values) else Value.UNMET


# ---------------------------------------------------------------------------------------------------------------- words
def percent_text(numerator: int, denominator: int, language: str = "vi") -> str:
    """One decimal, rounded down: 999 of 1000 is 99,9 %, never 100 %."""
    whole, tenth = divmod(numerator * 1000 // denominator, 10)
    if language == "en":
        return f"{whole}.{tenth}%" if tenth else f"{whole}%"
    return f"{whole},{tenth} %" if tenth else f"{whole} %"


def _vi(number: int) -> str:
    return f"{number:,}".replace(",", ".")


def _day(day: date) -> str:
    return f"{day:%d/%m/}{day.year:04d}"


def _cap(text: str) -> str:
    return text[:1].upper() + text[1:]


def _named(items: Sequence[Item], language: str) -> str:
    shown = ", ".join(item.name(language) for item in items[:NAMES_IN_A_SENTENCE])
    rest = len(items) - NAMES_IN_A_SENTENCE
    if rest <= 0:
        return shown
    return f"{shown} and {rest} more" if language == "en" else f"{shown} và {_vi(rest)} mục nữa"


def _join(parts: Sequence[Both]) -> Both:
    return Both(" ".join(part.vi for part in parts), " ".join(part.en for part in parts))


# --------------------------------------------------------------------------------------------------------------- leaves
@dataclass(frozen=True, slots=True)
class _Measure:
    """What the facts say once they may be used."""

    value: Value
    reason: Both
    have: int | None = None
    need: int | None = None
    gap: int | None = None
    of: int | None = None
    percent: int | None = None
    unit: Both | None = None
    missing: tuple[Item, ...] = ()
    not_counted: tuple[Item, ...] = ()


_Later: TypeAlias = tuple[tuple[date, Value | None], ...]


@dataclass(frozen=True, slots=True)
class _Timed:
    """An answer and how time alone changes its value; None from a date on which a fact has to be provided anew."""

    answer: Answer
    later: _Later

    def at(self, day: date) -> Value | None:
        value: Value | None = self.answer.value
        for changed_on, then in self.later:
            if changed_on > day:
                break
            value = then
        return value


@dataclass(frozen=True, slots=True)
class _Run:
    pack: Pack
    facts: FactSheet
    attributes: Mapping[str, str]
    as_of: date
    parameters: Mapping[str, int | str]

    def number(self, operand: int | str) -> int:
        value = self.parameters[operand[1:]] if isinstance(operand, str) else operand
        if not isinstance(value, int):
            raise TypeError(f"{operand} is not a whole number")
        return value

    def max_age(self, rule: _Leaf) -> int | None:
        return None if rule.max_age_days is None else self.number(rule.max_age_days)

    def word(self, operand: str) -> str:
        return str(self.parameters[operand[1:]]) if operand.startswith("$") else operand

    def declared(self, name: str) -> FactDeclaration:
        return self.pack.facts_by_name[name]

    def parameters_of(self, rule: _Rule) -> set[str]:
        named = {operand[1:] for operand in rule.operands if isinstance(operand, str) and operand.startswith("$")}
        return named.union(*(self.declared(name).parameters for name in rule.facts))


def _trouble(run: _Run, name: str, max_age: int | None, day: date) -> tuple[Item, Both] | None:
    """Why the fact cannot be used on that day, or None when it can."""
    declared, fact = run.declared(name), run.facts.get(name)
    label = declared.label
    if fact is None:
        why = Both("chưa ai ghi. Chúng tôi không điền thay", "nobody has recorded it, and we do not fill it in")
        kind = "fact"
    elif (dated := max(fact.as_of, fact.observed_on or fact.as_of)) > day:
        why = Both(
            f"số liệu ghi ngày {_day(dated)}, sau ngày tính {_day(day)}",
            f"the record is dated {_day(dated)}, after the day asked about, {_day(day)}",
        )
        kind = "fact"
    elif fact.next_change_on is not None and fact.next_change_on <= day:
        why = Both(
            f"số liệu phải tính lại từ ngày {_day(fact.next_change_on)}",
            f"the figures must be worked out anew from {_day(fact.next_change_on)}",
        )
        kind = "fact"
    elif max_age is None:
        return None
    elif fact.observed_on is None:
        why = Both("không rõ ngày ghi nhận; cần ghi nhận mới", "the date of the record is unknown; record it anew")
        kind = "evidence"
    elif (age := (day - fact.observed_on).days) > max_age:
        why = Both(
            f"ghi nhận gần nhất ngày {_day(fact.observed_on)}, đã {_vi(age)} ngày, quá hạn {_vi(max_age)} ngày; "
            "cần ghi nhận mới",
            f"last recorded on {_day(fact.observed_on)}, {age} days ago, over the limit of {max_age} days; record it anew",
        )
        kind = "evidence"
    else:
        return None
    item = Item(name, kind, _cap(label.vi), f"{_cap(why.vi)}.", f"{_cap(why.en)}.", label_en=_cap(label.en))
    return item, Both(f"{_cap(label.vi)}: {why.vi}.", f"{_cap(label.en)}: {why.en}.")


def _plus(day: date, days: int) -> date | None:
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return None


def _changes(run: _Run, names: Sequence[str], max_age: int | None, now: Value, measured: Value) -> _Later:
    """How a leaf's value moves with time: evidence ages, a future date comes, a fact falls due."""
    due = [fact.next_change_on for name in names if (fact := run.facts[name]).next_change_on is not None]
    fresh_until = min((day for day in due if day is not None), default=None)
    days: set[date] = set()
    for name in names:
        fact = run.facts[name]
        aged = None if max_age is None or fact.observed_on is None else _plus(fact.observed_on, max_age + 1)
        days.update(day for day in (fact.as_of, fact.observed_on, aged, fact.next_change_on) if day is not None)
    out: list[tuple[date, Value | None]] = []
    last: Value | None = now
    for day in sorted(day for day in days if day > run.as_of):
        value: Value | None
        if fresh_until is not None and run.as_of < fresh_until <= day:
            value = None
        else:
            value = Value.INSUFFICIENT if any(_trouble(run, n, max_age, day) for n in names) else measured
        if value != last:
            out.append((day, value))
            last = value
    return tuple(out)


def _leaf(
    run: _Run, rule: _Leaf, measure: Callable[[], _Measure], *, needed: Sequence[str] | None = None, kind: str
) -> _Timed:
    names = rule.facts if needed is None else needed
    max_age = run.max_age(rule)
    measured = measure() if all(name in run.facts for name in names) else None
    troubles = [found for name in names if (found := _trouble(run, name, max_age, run.as_of))]
    if troubles or measured is None:
        items = tuple(item for item, _ in troubles)
        shown = replace(
            measured or _Measure(Value.INSUFFICIENT, Both("", "")),
            value=Value.INSUFFICIENT,
            reason=_join([reason for _, reason in troubles]),
            gap=None,
            missing=items,
        )
        to_do = len(items)
    else:
        shown = measured
        to_do = 0 if shown.value in {Value.MET, Value.NOT_APPLICABLE} else shown.gap or len(shown.missing)
    later = () if measured is None else _changes(run, names, max_age, shown.value, measured.value)
    answer = Answer(
        kind=kind,
        value=shown.value,
        reason=shown.reason,
        id=rule.id,
        label=rule.label,
        have=shown.have,
        need=shown.need,
        gap=shown.gap,
        of=shown.of,
        percent=shown.percent,
        unit=shown.unit,
        missing=shown.missing,
        not_counted=shown.not_counted,
        to_do=to_do,
        facts_used=rule.facts,
        parameters_used=tuple(sorted(run.parameters_of(rule))),
        next_change_on=later[0][0] if later else None,
    )
    return _Timed(answer, later)


def _flag_1(run: _Run, rule: Flag) -> _Timed:
    declared = run.declared(rule.fact)

    def measure() -> _Measure:
        yes = run.facts[rule.fact].value is True
        said = (declared.yes if yes else declared.no) or declared.label
        if yes:
            return _Measure(Value.MET, said, have=1, need=1, gap=0, unit=declared.unit)
        item = Item(rule.fact, "fact", _cap(declared.label.vi), said.vi, said.en, label_en=_cap(declared.label.en))
        return _Measure(Value.UNMET, said, have=0, need=1, gap=1, unit=declared.unit, missing=(item,))

    return _leaf(run, rule, measure, kind=rule.kind)


def _count_1(run: _Run, rule: CountAtLeast | ThresholdByAttribute, fact: str, need: int) -> _Timed:
    declared = run.declared(fact)

    def measure() -> _Measure:
        value = run.facts[fact].value
        sets = value if isinstance(value, ItemSet) else ItemSet()
        have = len(sets.have) if isinstance(value, ItemSet) else int(value)
        gap = max(need - have, 0)
        short = Value.UNMET if have + len(sets.unknown) < need else Value.INSUFFICIENT
        outcome = short if gap else Value.MET
        missing = (*sets.missing, *sets.unknown) if gap else ()
        if gap and not missing:
            missing = (_short_of(declared, gap),)
            named: tuple[Item, ...] = ()
        else:
            named = missing
        reason = _count_words(declared.label, outcome, have, need, named, len(sets.unknown))
        return _Measure(outcome, reason, have=have, need=need, gap=gap, unit=declared.unit, missing=missing)

    return _leaf(run, rule, measure, kind=rule.kind)


def _short_of(declared: FactDeclaration, gap: int) -> Item:
    return Item(
        declared.name,
        "fact",
        _cap(declared.label.vi),
        f"Cần thêm {_vi(gap)}.",
        f"{gap} more needed.",
        label_en=_cap(declared.label.en),
    )


def _count_words(label: Both, outcome: Value, have: int, need: int, named: Sequence[Item], unknown: int) -> Both:
    if outcome is Value.MET:
        return Both(
            f"Có {_vi(have)} {label.vi}; cần ít nhất {_vi(need)}.", f"{have} {label.en}; at least {need} needed."
        )
    start_vi = f"Mới có {_vi(have)} {label.vi}" if have else f"Chưa có {label.vi}"
    start_en = f"Only {have} {label.en}" if have else f"No {label.en} yet"
    if outcome is Value.INSUFFICIENT:
        vi = f"{start_vi}, {_vi(unknown)} chưa rõ; cần ít nhất {_vi(need)}."
        en = f"{start_en}, {unknown} uncertain; at least {need} needed."
    else:
        vi = f"{start_vi}; cần ít nhất {_vi(need)}, còn thiếu {_vi(need - have)}."
        en = f"{start_en}; at least {need} needed, {need - have} short."
    if named:
        vi += f" Chưa được tính: {_named(named, 'vi')}."
        en += f" Not counted yet: {_named(named, 'en')}."
    return Both(vi, en)


@dataclass(frozen=True, slots=True)
class _Parts:
    """A ratio in items: what surely counts, what may, out of what; and the bounds of the denominator.

    `listed` is everything the numerator speaks of; more than the denominator has is a contradiction, not a pass.
    """

    have: int
    listed: int
    unknown: tuple[Item, ...]
    missing: tuple[Item, ...]
    of: int
    of_unknown: int
    of_unknown_have: int
    of_unknown_may_have: int
    left: tuple[Item, ...]


def _parts(numerator: int | ItemSet, denominator: int | ItemSet) -> _Parts:
    if not isinstance(denominator, ItemSet):
        sets = numerator if isinstance(numerator, ItemSet) else ItemSet()
        have = len(sets.have) if isinstance(numerator, ItemSet) else numerator
        listed = have + len(sets.missing) + len(sets.unknown)
        return _Parts(have, listed, sets.unknown, sets.missing, denominator, 0, 0, 0, ())
    if not isinstance(numerator, ItemSet):
        of, of_unknown = len(denominator.have), len(denominator.unknown)
        return _Parts(numerator, numerator, (), (), of, of_unknown, 0, 0, denominator.missing)
    have_ids = {item.id for item in numerator.have}
    explained = {item.id: item for item in (*numerator.missing, *numerator.unknown)}
    unknown_ids = {item.id for item in numerator.unknown}
    rest = [explained.get(item.id, item) for item in denominator.have if item.id not in have_ids]
    surely = sum(item.id in have_ids for item in denominator.unknown)
    perhaps = sum(item.id in unknown_ids for item in denominator.unknown)
    return _Parts(
        have=len(denominator.have) - len(rest),
        listed=len(denominator.have),
        unknown=tuple(item for item in rest if item.id in unknown_ids),
        missing=tuple(item for item in rest if item.id not in unknown_ids),
        of=len(denominator.have),
        of_unknown=len(denominator.unknown),
        of_unknown_have=surely,
        of_unknown_may_have=surely + perhaps,
        left=denominator.missing,
    )


def _ratio_value(parts: _Parts, percent: int) -> Value:
    if not parts.of:
        return Value.INSUFFICIENT  # it may yet turn out that there is nothing to count
    if parts.have * 100 >= (parts.of + parts.of_unknown - parts.of_unknown_have) * percent:
        return Value.MET
    best = parts.have + len(parts.unknown) + parts.of_unknown_may_have
    if best * 100 < (parts.of + parts.of_unknown_may_have) * percent:
        return Value.UNMET
    return Value.INSUFFICIENT


def _size(value: bool | int | ItemSet) -> int | ItemSet:  # noqa: FBT001 - a fact's value is what it is
    return value if isinstance(value, ItemSet) else int(value)


def _is_zero(value: int | ItemSet) -> bool:
    return not value.have and not value.unknown if isinstance(value, ItemSet) else value == 0


def _ratio_1(
    run: _Run, rule: RatioAtLeast | ThresholdByAttribute, names: tuple[str, str], percent: int, zero: str
) -> _Timed:
    numerator, denominator = names
    known = run.facts.get(denominator)
    if known is not None and _is_zero(_size(known.value)):
        # Nothing to count: the numerator cannot change the answer, so its absence must not hide it.
        return _leaf(run, rule, lambda: _zero_words(run, denominator, zero), needed=(denominator,), kind=rule.kind)

    def measure() -> _Measure:
        declared = run.declared(numerator)
        parts = _parts(_size(run.facts[numerator].value), _size(run.facts[denominator].value))
        need = -(-parts.of * percent // 100)
        gap = max(need - parts.have, 0)
        if parts.listed > parts.of + parts.of_unknown:
            return _contradiction(run, names, parts)
        outcome = _ratio_value(parts, percent)
        missing: tuple[Item, ...] = (*parts.missing, *parts.unknown) if outcome is not Value.MET else ()
        named = missing
        if outcome is not Value.MET and not missing:
            missing = (_short_of(declared, max(gap, 1)),)
        return _Measure(
            outcome,
            _ratio_words(declared.label, outcome, parts, percent, named),
            have=parts.have,
            need=need,
            gap=gap,
            of=parts.of,
            percent=percent,
            unit=declared.unit,
            missing=missing,
            not_counted=parts.left,
        )

    return _leaf(run, rule, measure, kind=rule.kind)


def _contradiction(run: _Run, names: tuple[str, str], parts: _Parts) -> _Measure:
    part, whole = (run.declared(name).label for name in names)
    listed, of = parts.listed, parts.of
    reason = Both(
        f"Số liệu không khớp: có {_vi(of)} {whole.vi}, nhưng kê {_vi(listed)} khi xét {part.vi}. Cần xem lại cả hai.",
        f"The figures contradict each other: {of} {whole.en}, but {listed} listed for {part.en}. Check both.",
    )
    item = Item(names[1], "fact", _cap(whole.vi), reason.vi, reason.en, label_en=_cap(whole.en))
    return _Measure(Value.INSUFFICIENT, reason, have=parts.have, of=parts.of, missing=(item,))


def _left_words(left: Sequence[Item]) -> Both:
    def listed(language: str) -> str:
        shown = []
        for item in left[:NAMES_IN_A_SENTENCE]:
            why = (item.reason_en if language == "en" else item.reason_vi).rstrip(". ")
            shown.append(f"{item.name(language)} ({why})" if why else item.name(language))
        return ", ".join(shown)

    return Both(
        f" Thôi tính {_vi(len(left))}: {listed('vi')}.",
        f" No longer counted, {len(left)}: {listed('en')}.",
    )


def _zero_words(run: _Run, denominator: str, zero: str) -> _Measure:
    declared, value = run.declared(denominator), Value(zero)
    label = declared.label
    end = {
        Value.NOT_APPLICABLE: Both("nên điều này không áp dụng", "so this does not apply"),
        Value.UNMET: Both("nên tính là chưa đạt", "so this counts as not met"),
        Value.INSUFFICIENT: Both("nên chưa kết luận được", "so nothing can be concluded yet"),
    }[value]
    reason = Both(f"Không có {label.vi} nào, {end.vi}.", f"There are no {label.en}, {end.en}.")
    known = run.facts[denominator].value
    left = known.missing if isinstance(known, ItemSet) else ()
    if left:
        words = _left_words(left)
        reason = Both(reason.vi + words.vi, reason.en + words.en)
    missing = () if value is Value.NOT_APPLICABLE else (_short_of(declared, 1),)
    return _Measure(value, reason, have=0, need=0, gap=0, of=0, unit=declared.unit, missing=missing, not_counted=left)


def _ratio_words(label: Both, outcome: Value, parts: _Parts, percent: int, named: Sequence[Item]) -> Both:
    have, of = parts.have, parts.of
    shown = parts.of >= PERCENT_FROM
    vi = f"{_vi(have)}/{_vi(of)} {label.vi}" + (f" ({percent_text(have, of)})" if shown else "")
    en = f"{have}/{of} {label.en}" + (f" ({percent_text(have, of, 'en')})" if shown else "")
    if percent < 100:  # noqa: PLR2004 - a hundred per cent goes without saying
        vi += f"; cần {percent} %"
        en += f"; {percent}% needed"
    names_vi, names_en = _named(named, "vi"), _named(named, "en")
    if outcome is Value.UNMET:
        gap = -(-of * percent // 100) - have
        vi += f"; còn thiếu {_vi(gap)}" + (f": {names_vi}" if gap == len(named) else "") + "."
        en += f"; {gap} short" + (f": {names_en}" if gap == len(named) else "") + "."
        if named and gap != len(named):
            vi += f" Chưa được tính: {names_vi}."
            en += f" Not counted yet: {names_en}."
    elif outcome is Value.INSUFFICIENT:
        uncertain = len(parts.unknown) + parts.of_unknown
        vi += f"; {_vi(uncertain)} chưa rõ" + (f": {_named(parts.unknown, 'vi')}" if parts.unknown else "") + "."
        en += f"; {uncertain} uncertain" + (f": {_named(parts.unknown, 'en')}" if parts.unknown else "") + "."
    else:
        vi, en = vi + ".", en + "."
    if parts.left:
        words = _left_words(parts.left)
        vi, en = vi + words.vi, en + words.en
    return Both(vi, en)


def _threshold_1(run: _Run, rule: ThresholdByAttribute) -> _Timed:
    value = run.attributes.get(rule.attribute)
    threshold = None if value is None else rule.thresholds.get(value)
    label = rule.attribute_label
    if threshold == "not_applicable":
        reason = Both(
            f"Không áp dụng cho {label.vi} {value}.",
            f"Does not apply to {label.en} {value}.",
        )
        return _Timed(_plain(run, rule, Value.NOT_APPLICABLE, reason, ()), ())
    if threshold is None:
        why = (
            Both(
                f"Chưa biết {label.vi}, nên chưa chọn được ngưỡng.",
                f"The {label.en} is unknown, so no threshold applies.",
            )
            if value is None
            else Both(
                f"Bộ tiêu chí không có ngưỡng cho {label.vi} {value}.",
                f"The pack has no threshold for {label.en} {value}.",
            )
        )
        item = Item(rule.attribute, "attribute", _cap(label.vi), why.vi, why.en, label_en=_cap(label.en))
        return _Timed(_plain(run, rule, Value.INSUFFICIENT, why, (item,)), ())
    need = run.number(threshold)
    if rule.fact is not None:
        inner = _count_1(run, rule, rule.fact, need)
    else:
        names = (rule.numerator or "", rule.denominator or "")
        inner = _ratio_1(run, rule, names, need, run.word(rule.zero_denominator or Value.INSUFFICIENT))
    said = inner.answer.reason
    reason = Both(f"{said.vi} Ngưỡng cho {label.vi} {value}.", f"{said.en} Threshold for {label.en} {value}.")
    return _Timed(replace(inner.answer, reason=reason), inner.later)


def _plain(run: _Run, rule: ThresholdByAttribute, value: Value, reason: Both, missing: tuple[Item, ...]) -> Answer:
    return Answer(
        kind=rule.kind,
        value=value,
        reason=reason,
        id=rule.id,
        label=rule.label,
        missing=missing,
        to_do=len(missing),
        facts_used=rule.facts,
        parameters_used=tuple(sorted(run.parameters_of(rule))),
    )


# ----------------------------------------------------------------------------------------------------------- composites
_Combine: TypeAlias = Callable[[Sequence[Value]], Value]


def _drift(children: Sequence[_Timed], combine: _Combine, now: Value) -> _Later:
    """The children's changes through the truth table; only those that change this node are kept."""
    out: list[tuple[date, Value | None]] = []
    last: Value | None = now
    for day in sorted({day for child in children for day, _ in child.later}):
        values = [child.at(day) for child in children]
        # Every table here is monotone, so trying each value for all unknown ones at once covers every mixture.
        possible = {combine([guess if value is None else value for value in values]) for guess in Value}
        value = possible.pop() if len(possible) == 1 else None
        if value != last:
            out.append((day, value))
            last = value
    return tuple(out)


def _cheapest(children: Sequence[Answer], wanted: int) -> list[Answer]:
    """The `wanted` children with the least left to do; those without any record come last, however short they look."""
    open_ = [child for child in children if child.value in {Value.UNMET, Value.INSUFFICIENT}]

    def cost(pair: tuple[int, Answer]) -> tuple[bool, int, int]:
        place, child = pair
        unrecorded = all(leaf.have is None for leaf in child.walk() if not leaf.children)
        return unrecorded, child.to_do, place

    chosen = sorted(enumerate(open_), key=cost)[:wanted]
    return [child for _, child in sorted(chosen)] if len(chosen) > 1 else [child for _, child in chosen]


def _labelled(child: Answer) -> Both:
    if child.label is None:
        return child.reason
    return Both(f"{child.label.vi}: {child.reason.vi}", f"{child.label.en}: {child.reason.en}")


def _composite(run: _Run, rule: AllOf | AnyOf | KOfN) -> _Timed:
    timed = [_judge(run, child) for child in rule.of]
    if isinstance(rule, AllOf):
        return _join_children(run, rule, timed, all_of_1, None)
    if isinstance(rule, AnyOf):
        return _join_children(run, rule, timed, any_of_1, 1)
    k = run.number(rule.k)
    return _join_children(run, rule, timed, lambda values: k_of_n_1(values, k), k)


def _join_children(run: _Run, rule: _Rule, timed: Sequence[_Timed], combine: _Combine, wanted: int | None) -> _Timed:
    children = tuple(child.answer for child in timed)
    value = combine([child.value for child in children])
    applicable = [child for child in children if child.value is not Value.NOT_APPLICABLE]
    met = [child for child in applicable if child.value is Value.MET]
    need = len(applicable) if wanted is None else wanted
    gap = max(need - len(met), 0)
    work = _cheapest(children, gap) if value in {Value.UNMET, Value.INSUFFICIENT} else []
    later = _drift(timed, combine, value)
    used = {name for child in children for name in child.facts_used}
    parameters = run.parameters_of(rule).union(*(child.parameters_used for child in children))
    answer = Answer(
        kind=str(getattr(rule, "kind", "")),
        value=value,
        reason=_composite_words(value, met, need, work, wanted),
        id=rule.id,
        label=rule.label,
        have=len(met),
        need=need,
        gap=gap,
        unit=CONDITIONS,
        missing=_distinct(item for child in work for item in child.missing),
        not_counted=_distinct(item for child in children for item in child.not_counted),
        to_do=sum(child.to_do for child in work),
        facts_used=tuple(sorted(used)),
        parameters_used=tuple(sorted(parameters)),
        next_change_on=later[0][0] if later else None,
        children=children,
    )
    return _Timed(answer, later)


def _distinct(items: Iterator[Item]) -> tuple[Item, ...]:
    return tuple(dict.fromkeys(items))


def _composite_words(
    value: Value, met: Sequence[Answer], need: int, work: Sequence[Answer], wanted: int | None
) -> Both:
    if value is Value.NOT_APPLICABLE:
        return Both("Không áp dụng.", "Not applicable.")
    if value is Value.MET and wanted == 1:
        return _labelled(met[0])
    if wanted == 1:
        start = Both("Chưa có lựa chọn nào đạt. Gần nhất:", "None of the options is met yet. Nearest:")
    else:
        start = Both(f"Đạt {len(met)}/{need} điều kiện.", f"{len(met)} of {need} conditions met.")
    if value is Value.MET:
        return start
    return _join([start, *(_labelled(child) for child in work[:REASONS_IN_A_SENTENCE])])


def _judge(run: _Run, rule: Rule) -> _Timed:
    match rule:
        case Flag():
            return _flag_1(run, rule)
        case CountAtLeast():
            return _count_1(run, rule, rule.fact, run.number(rule.at_least))
        case RatioAtLeast():
            names = (rule.numerator, rule.denominator)
            return _ratio_1(run, rule, names, run.number(rule.percent), run.word(rule.zero_denominator))
        case ThresholdByAttribute():
            return _threshold_1(run, rule)
        case AllOf() | AnyOf() | KOfN():
            return _composite(run, rule)


# ----------------------------------------------------------------------------------------------------------- evaluation
_TYPES: Final[Mapping[str, type]] = {"flag": bool, "count": int, "items": ItemSet}


def _checked(pack: Pack, facts: FactSheet) -> dict[str, Fact]:
    """The facts that the pack reads, sorted by name; another type than declared is a provider's fault and raises."""
    kept: dict[str, Fact] = {}
    for name in sorted(pack.facts_by_name):
        if (fact := facts.get(name)) is None:
            continue
        declared = pack.facts_by_name[name].type
        if type(fact.value) is not _TYPES[declared]:
            raise TypeError(f"fact {name} is declared as {declared}, got {type(fact.value).__name__}")
        kept[name] = fact
    return kept


def evaluate(
    pack: Pack,
    facts: FactSheet,
    attributes: Mapping[str, str],
    as_of: date,
    choices: Mapping[str, int | str] | None = None,
) -> Assessment:
    """Judge one place on one civil date. Facts the pack does not declare are ignored.

    `choices` are the province's values for the pack's parameters; facts must have been provided with the same values
    (`pack.settings(choices)`). Raises InvalidMany for choices that the pack refuses, TypeError for a fact of another type.
    """
    parameters = pack.settings(choices)
    kept = _checked(pack, facts)
    run = _Run(pack, kept, attributes, as_of, parameters)
    timed = [_judge(run, criterion.rule) for criterion in pack.criterion]
    results = tuple(
        CriterionResult(criterion.id, criterion.clause, one.answer)
        for criterion, one in zip(pack.criterion, timed, strict=True)
    )
    return Assessment(
        engine=ENGINE,
        pack_id=pack.id,
        pack_version=pack.version,
        pack_sha256=pack.sha256,
        as_of=as_of,
        attributes=dict(sorted(attributes.items())),
        parameters=tuple(_choice(parameter, parameters[parameter.name]) for parameter in pack.parameter),
        facts=kept,
        results=results,
        overall=_overall(run, timed, results),
        outside_period=outside_period(pack, as_of),
    )


def _overall(run: _Run, timed: Sequence[_Timed], results: Sequence[CriterionResult]) -> Answer:
    k = run.pack.result.k
    if run.pack.result.kind == "k_of_n@1" and k is not None:
        answer = _join_children(run, _Rule(), timed, lambda values: k_of_n_1(values, k), k).answer
    else:
        answer = _join_children(run, _Rule(), timed, all_of_1, None).answer
    said = Both(
        f"Đạt {answer.have}/{answer.need} tiêu chí.",
        f"{answer.have} of {answer.need} criteria met.",
    )
    parts = [said]
    for value in (Value.UNMET, Value.INSUFFICIENT, Value.NOT_APPLICABLE):
        clauses = ", ".join(str(result.clause) for result in results if result.answer.value is value)
        if clauses:
            parts.append(
                Both(
                    f"{VALUE_LABELS[value].vi}: tiêu chí {clauses}.", f"{VALUE_LABELS[value].en}: criterion {clauses}."
                )
            )
    # The results already hold the criteria's answers; repeating them here would double every stored assessment.
    return replace(answer, kind=run.pack.result.kind, reason=_join(parts), unit=CRITERIA, children=())


def _choice(parameter: Parameter, value: int | str) -> Choice:
    note = NOT_FROM_LETTER if parameter.source == "not_from_letter" else None
    return Choice(parameter.name, value, parameter.label, parameter.words(value), parameter.source, note)


def outside_period(pack: Pack, as_of: date) -> Both | None:
    """What to say of a day that the letter does not cover; None inside its period."""
    if as_of < pack.effective_from:
        return Both(
            f"Bộ tiêu chí này có từ {_day(pack.effective_from)}; ngày tính {_day(as_of)} ở trước đó.",
            f"This pack dates from {_day(pack.effective_from)}; the day asked about, {_day(as_of)}, is earlier.",
        )
    if pack.effective_to is not None and as_of > pack.effective_to:
        return Both(
            f"Văn bản ghi giai đoạn đến {_day(pack.effective_to)}; ngày tính {_day(as_of)} ở sau đó. "
            "Kết quả để tham khảo cho đến khi tỉnh có bộ tiêu chí mới.",
            f"The letter covers the period to {_day(pack.effective_to)}; the day asked about, {_day(as_of)}, is later. "
            "The result is for reference until the province has a new pack.",
        )
    return None


# ----------------------------------------------------------------------------------------------------------- comparison
@dataclass(frozen=True, slots=True)
class PassByDeparture:
    """A pass that would not stand had nothing left the count.

    left    what left, each with the reason the provider gave
    gained  what joined the numerator meanwhile
    only    nothing joined: the pass came by departure alone
    """

    criterion_id: str
    clause: int
    left: tuple[Item, ...]
    gained: tuple[Item, ...]
    only: bool
    reason: Both


def compare(before: Assessment, after: Assessment) -> tuple[PassByDeparture, ...]:
    """Criteria that were not met before, and now are met or no longer apply, because things left a denominator."""
    earlier = {result.id: result for result in before.results}
    passes = {Value.MET, Value.NOT_APPLICABLE}
    found: list[PassByDeparture] = []
    for result in after.results:
        old = earlier.get(result.id)
        if old is None or old.answer.value in passes or result.answer.value not in passes:
            continue
        for leaf in result.answer.walk():
            ratio = leaf.percent is not None or (leaf.of == 0 and len(leaf.facts_used) == 2)  # noqa: PLR2004 - numerator, denominator
            if ratio and leaf.value in passes:
                flagged = _departed(before, after, result, leaf)
                found.extend([flagged] if flagged else [])
    return tuple(found)


def _departed(before: Assessment, after: Assessment, result: CriterionResult, leaf: Answer) -> PassByDeparture | None:
    numerator, denominator = leaf.facts_used
    old, new = _sets(before, numerator, denominator), _sets(after, numerator, denominator)
    if old is None or new is None:
        return None
    (old_have, old_of), (new_have, new_of) = old, new
    left_ids = old_of.keys() - new_of.keys()
    kept = new_have.keys() | (old_have.keys() & left_ids)
    percent = leaf.percent if leaf.percent is not None else 100
    if not left_ids or len(kept) * 100 >= (len(new_of) + len(left_ids)) * percent:
        return None
    fact = after.facts[denominator].value
    explained = {item.id: item for item in fact.missing} if isinstance(fact, ItemSet) else {}
    left = tuple(sorted((explained.get(i, old_of[i]) for i in left_ids), key=lambda item: (item.label, item.id)))
    gained = tuple(item for key, item in new_have.items() if key not in old_have)
    words = _left_words(left)
    what = Both("chỉ vì", "only because") if not gained else Both("một phần vì", "partly because")
    outcome = VALUE_LABELS[result.answer.value]
    reason = Both(
        f"Tiêu chí {result.clause} chuyển sang “{outcome.vi.lower()}” {what.vi} có mục thôi được tính.{words.vi}",
        f"Criterion {result.clause} became “{outcome.en.lower()}” {what.en} something left the count.{words.en}",
    )
    return PassByDeparture(result.id, result.clause, left, gained, not gained, reason)


def _sets(assessment: Assessment, numerator: str, denominator: str) -> tuple[dict[str, Item], dict[str, Item]] | None:
    """Counted members of both sets by id; an absent numerator has none. None where the denominator has no names."""
    whole = assessment.facts.get(denominator)
    if whole is None or not isinstance(whole.value, ItemSet):
        return None
    of = {item.id: item for item in whole.value.have}
    part = assessment.facts.get(numerator)
    have = part.value.have if part is not None and isinstance(part.value, ItemSet) else ()
    return {item.id: item for item in have if item.id in of}, of

"""A pack: one set of criteria of one authority, its facts, its parameters and the letter it comes from."""

from collections.abc import Mapping
from datetime import date
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field

from app.criteria.rules.canonical import digest
from app.criteria.rules.kinds import Name, Rule, Shape, Slug, ThresholdByAttribute, Whole
from app.criteria.rules.words import Both
from app.errors import Invalid, InvalidMany
from app.messages import N_

_Date = Annotated[date, Field(strict=True)]
_Sentence = Annotated[str, Field(min_length=1, max_length=2000)]


class FactDeclaration(Shape):
    """One fact that a provider must know how to give, and the words around it.

    type   flag: bool; count: int; items: ItemSet
    label  a noun phrase in lower case that reads well after a number: "sản phẩm OCOP đang bán trên sàn được tính"
    if_no  what to do where the record says no; without it, what the criterion says
    """

    name: Name
    type: Literal["flag", "count", "items"]
    label: Both
    meaning: Both
    unit: Both | None = None
    yes: Both | None = None
    no: Both | None = None
    if_no: Both | None = None
    parameters: Annotated[tuple[Name, ...], Field(max_length=20)] = ()


class NamedChoice(Shape):
    value: Name
    label: Both


class Parameter(Shape):
    """What a province may set. `not_from_letter` is shown with every answer that depends on it."""

    name: Name
    type: Literal["integer", "choice"]
    label: Both
    source: Literal["letter", "not_from_letter"]
    default: Whole | Name
    minimum: Whole | None = None
    maximum: Whole | None = None
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


class LegalBasis(Shape):
    doc: _Sentence
    date: _Sentence
    title: _Sentence
    clause: _Sentence | None = None


class Criterion(Shape):
    """One criterion. `legal_quote` is the letter word for word; `legal_gloss` says it to readers of other languages, and rules nothing."""

    id: Slug
    clause: Annotated[Whole, Field(ge=1, le=1000)]
    label: Both
    legal_quote: _Sentence
    legal_gloss: Annotated[dict[Name, _Sentence], Field(default_factory=dict, max_length=20)]
    rule: Rule
    evidence: Annotated[tuple[Name, ...], Field(min_length=1, max_length=20)]
    who_can_fix: Both
    what_to_do: Both


class Result(Shape):
    """How the criteria join: all of them, or k of them."""

    kind: Literal["all_of@1", "k_of_n@1"]
    k: Annotated[Whole, Field(ge=1, le=100)] | None = None


class Pack(Shape):
    """One set of criteria of one authority for one period; never overwritten, a successor is another pack."""

    id: Slug
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
        return digest(self.model_dump(mode="json", exclude_defaults=True))

    @cached_property
    def facts_by_name(self) -> Mapping[str, FactDeclaration]:
        return {declared.name: declared for declared in self.fact}

    @cached_property
    def parameters_by_name(self) -> Mapping[str, Parameter]:
        return {parameter.name: parameter for parameter in self.parameter}

    @cached_property
    def criteria_by_id(self) -> Mapping[str, Criterion]:
        return {criterion.id: criterion for criterion in self.criterion}

    @cached_property
    def attributes(self) -> frozenset[str]:
        """The attributes of a place that the thresholds of this pack depend on."""
        todo, found = [criterion.rule for criterion in self.criterion], set()
        while todo:
            rule = todo.pop()
            todo.extend(rule.children)
            if isinstance(rule, ThresholdByAttribute):
                found.add(rule.attribute)
        return frozenset(found)

    def settings(self, choices: Mapping[str, int | str] | None = None) -> dict[str, int | str]:
        """Every parameter's value: the province's choice where there is one, else the default.

        Raises InvalidMany, all faults at once, for an unknown name or a value that the parameter does not accept.
        """
        chosen = choices or {}
        faults = [
            Invalid(
                "parameter_unknown",
                N_("Bộ tiêu chí %(id)s không có tham số %(name)s.", id=self.id, name=repr(name)),
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
        allowed = N_("một trong: %(values)s", values=", ".join(choice.value for choice in parameter.choices))
    else:
        allowed = N_("số nguyên từ %(least)s đến %(most)s", least=parameter.minimum, most=parameter.maximum)
    return Invalid(
        "parameter_refused",
        N_(
            "%(label)s: %(value)s không dùng được; hãy chọn %(allowed)s.",
            label=parameter.label,
            value=repr(value),
            allowed=allowed,
        ),
        field=parameter.name,
    )

"""The predicate kinds as a pack writes them: a closed table, each with the facts it reads and its operands."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.criteria.rules.words import Both

Whole = Annotated[int, Field(strict=True)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+){0,15}$", max_length=64)]
Ref = Annotated[str, Field(pattern=r"^\$[a-z][a-z0-9_]{0,63}$")]
ZeroDenominator = Literal["not_applicable", "unmet", "insufficient"]


class Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BaseRule(Shape):
    id: Slug | None = None
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


class Leaf(BaseRule):
    max_age_days: Annotated[Whole, Field(ge=1, le=36500)] | Ref | None = None


class Flag(Leaf):
    kind: Literal["flag@1"]
    fact: Name

    @property
    def facts(self) -> tuple[str, ...]:
        return (self.fact,)

    @property
    def operands(self) -> tuple[object, ...]:
        return (self.max_age_days,)


class CountAtLeast(Leaf):
    kind: Literal["count_at_least@1"]
    fact: Name
    at_least: Annotated[Whole, Field(ge=1, le=1_000_000)] | Ref

    @property
    def facts(self) -> tuple[str, ...]:
        return (self.fact,)

    @property
    def operands(self) -> tuple[object, ...]:
        return (self.at_least, self.max_age_days)


class RatioAtLeast(Leaf):
    kind: Literal["ratio_at_least@1"]
    numerator: Name
    denominator: Name
    percent: Annotated[Whole, Field(ge=1, le=100)] | Ref
    zero_denominator: ZeroDenominator | Ref

    @property
    def facts(self) -> tuple[str, ...]:
        return (self.numerator, self.denominator)

    @property
    def operands(self) -> tuple[object, ...]:
        return (self.percent, self.zero_denominator, self.max_age_days)


class AllOf(BaseRule):
    kind: Literal["all_of@1"]
    of: Annotated[tuple["Rule", ...], Field(min_length=1, max_length=50)]

    @property
    def children(self) -> tuple["Rule", ...]:
        return self.of


class AnyOf(BaseRule):
    kind: Literal["any_of@1"]
    of: Annotated[tuple["Rule", ...], Field(min_length=1, max_length=50)]

    @property
    def children(self) -> tuple["Rule", ...]:
        return self.of


class KOfN(BaseRule):
    kind: Literal["k_of_n@1"]
    k: Annotated[Whole, Field(ge=1, le=50)] | Ref
    of: Annotated[tuple["Rule", ...], Field(min_length=1, max_length=50)]

    @property
    def operands(self) -> tuple[object, ...]:
        return (self.k,)

    @property
    def children(self) -> tuple["Rule", ...]:
        return self.of


class ThresholdByAttribute(Leaf):
    """`fact` for a count, or `numerator`, `denominator` and `zero_denominator` for a ratio; packs.py checks which."""

    kind: Literal["threshold_by_attribute@1"]
    attribute: Name
    attribute_label: Both
    thresholds: Annotated[
        dict[str, Annotated[Whole, Field(ge=1, le=1_000_000)] | Literal["not_applicable"] | Ref],
        Field(min_length=1, max_length=50),
    ]
    fact: Name | None = None
    numerator: Name | None = None
    denominator: Name | None = None
    zero_denominator: ZeroDenominator | Ref | None = None

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

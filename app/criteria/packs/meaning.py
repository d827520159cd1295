"""Checks that the shape of a pack cannot make: names that meet, types that fit, thresholds that can be passed and missed."""

from collections.abc import Iterator
from typing import Any, Final

from app.criteria.packs.faults import Found, Location
from app.criteria.rules import (
    CountAtLeast,
    FactDeclaration,
    Flag,
    KOfN,
    Pack,
    Parameter,
    RatioAtLeast,
    Rule,
    ThresholdByAttribute,
    Value,
)
from app.messages import N_

MAX_RULES: Final = 500


def meaning_faults(pack: Pack) -> Iterator[Found]:
    """What the shape cannot tell: names that meet, types that fit, thresholds that can be neither passed by nothing nor missed."""
    yield from _doubled("parameter", "name", [parameter.name for parameter in pack.parameter])
    yield from _doubled("fact", "name", [declared.name for declared in pack.fact])
    yield from _doubled("criterion", "id", [criterion.id for criterion in pack.criterion])
    yield from _doubled("criterion", "clause", [criterion.clause for criterion in pack.criterion])
    if pack.effective_to is not None and pack.effective_to < pack.effective_from:
        yield ("effective_to",), N_("trước ngày bắt đầu")
    yield from _result_faults(pack)
    for place, parameter in enumerate(pack.parameter):
        yield from _parameter_faults(("parameter", place), parameter)
    for place, declared in enumerate(pack.fact):
        yield from _declaration_faults(pack, ("fact", place), declared)
    rules = [
        (path, rule) for place, criterion in enumerate(pack.criterion) for path, rule in _rules(place, criterion.rule)
    ]
    if len(rules) > MAX_RULES:
        yield ("criterion",), N_("quá %(most)s điều kiện", most=MAX_RULES)
    for path, rule in rules[:MAX_RULES]:
        yield from _rule_faults(pack, path, rule)
    yield from _unused(pack, [rule for _, rule in rules])


def _doubled(table: str, key: str, values: list[Any]) -> Iterator[Found]:
    seen: set[Any] = set()
    for place, value in enumerate(values):
        if value in seen:
            yield (table, place, key), N_("%(value)s đã dùng ở trên", value=value)
        seen.add(value)


def _result_faults(pack: Pack) -> Iterator[Found]:
    k = pack.result.k
    if (k is not None) != (pack.result.kind == "k_of_n@1"):
        yield ("result", "k"), N_("phải có với k_of_n@1, và chỉ với nó")
    elif k is not None and k > len(pack.criterion):
        yield ("result", "k"), N_("lớn hơn số tiêu chí")


def _parameter_faults(path: Location, parameter: Parameter) -> Iterator[Found]:
    integer = parameter.type == "integer"
    for name, value in (("minimum", parameter.minimum), ("maximum", parameter.maximum)):
        if (value is not None) != integer:
            yield (*path, name), N_("phải có với loại integer, và chỉ với nó")
    if bool(parameter.choices) == integer:
        yield (*path, "choices"), N_("phải có với loại choice, và chỉ với nó")
    values = [choice.value for choice in parameter.choices]
    if len(values) != len(set(values)):
        yield (*path, "choices"), N_("có hai lựa chọn trùng nhau")
    if not parameter.accepts(parameter.default):
        yield (*path, "default"), N_("nằm ngoài các giá trị cho phép")


def _declaration_faults(pack: Pack, path: Location, declared: FactDeclaration) -> Iterator[Found]:
    for name, words in (("yes", declared.yes), ("no", declared.no)):
        if (words is not None) != (declared.type == "flag"):
            yield (*path, name), N_("phải có với loại flag, và chỉ với loại ấy")
    if declared.if_no is not None and declared.type != "flag":
        yield (*path, "if_no"), N_("chỉ có với loại flag")
    if (declared.unit is not None) == (declared.type == "flag"):
        yield (*path, "unit"), N_("phải có với loại count và items, và chỉ với chúng")
    for index, name in enumerate(declared.parameters):
        if name not in pack.parameters_by_name:
            yield (*path, "parameters", index), N_("không có tham số %(name)s", name=name)


def _rules(place: int, rule: Rule) -> Iterator[tuple[Location, Rule]]:
    todo: list[tuple[Location, Rule]] = [(("criterion", place, "rule"), rule)]
    while todo:
        path, one = todo.pop()
        yield path, one
        todo.extend(((*path, "of", index), child) for index, child in enumerate(one.children))


def _rule_faults(pack: Pack, path: Location, rule: Rule) -> Iterator[Found]:
    match rule:
        case Flag():
            yield from _fact_fault(pack, (*path, "fact"), rule.fact, {"flag"})
        case CountAtLeast():
            yield from _fact_fault(pack, (*path, "fact"), rule.fact, {"count", "items"})
            yield from _number_fault(pack, (*path, "at_least"), rule.at_least, 1, 1_000_000)
        case RatioAtLeast():
            yield from _ratio_faults(pack, path, rule.numerator, rule.denominator, rule.zero_denominator)
            yield from _number_fault(pack, (*path, "percent"), rule.percent, 1, 100)
        case ThresholdByAttribute():
            yield from _threshold_faults(pack, path, rule)
        case KOfN():
            yield from _number_fault(pack, (*path, "k"), rule.k, 1, len(rule.of))
        case _:
            pass
    age = getattr(rule, "max_age_days", None)
    if age is not None:
        yield from _number_fault(pack, (*path, "max_age_days"), age, 1, 36500)


def _fact_fault(pack: Pack, path: Location, name: str, types: set[str]) -> Iterator[Found]:
    declared = pack.facts_by_name.get(name)
    if declared is None:
        yield path, N_("chưa khai dữ kiện %(name)s", name=name)
    elif declared.type not in types:
        wanted = ", ".join(sorted(types))
        yield (
            path,
            N_(
                "dữ kiện %(name)s thuộc loại %(type)s; ở đây cần %(wanted)s",
                name=name,
                type=declared.type,
                wanted=wanted,
            ),
        )


def _number_fault(pack: Pack, path: Location, operand: int | str, low: int, high: int) -> Iterator[Found]:
    if isinstance(operand, int):
        if operand > high:  # the shape has seen to the lower bound
            yield path, N_("phải từ %(low)s đến %(high)s", low=low, high=high)
        return
    parameter = pack.parameters_by_name.get(operand[1:])
    if parameter is None:
        yield path, N_("không có tham số %(name)s", name=operand[1:])
    elif parameter.type != "integer":
        yield path, N_("tham số %(name)s không phải số nguyên", name=operand[1:])
    elif (parameter.minimum or 0) < low or (parameter.maximum or 0) > high:
        yield path, N_("tham số %(name)s phải giới hạn từ %(low)s đến %(high)s", name=operand[1:], low=low, high=high)


def _ratio_faults(pack: Pack, path: Location, numerator: str, denominator: str, zero: str) -> Iterator[Found]:
    yield from _fact_fault(pack, (*path, "numerator"), numerator, {"count", "items"})
    yield from _fact_fault(pack, (*path, "denominator"), denominator, {"count", "items"})
    if numerator == denominator:
        yield (*path, "denominator"), N_("trùng với tử số")
    if not zero.startswith("$"):
        return
    parameter = pack.parameters_by_name.get(zero[1:])
    allowed = {Value.NOT_APPLICABLE, Value.UNMET, Value.INSUFFICIENT}
    if parameter is None:
        yield (*path, "zero_denominator"), N_("không có tham số %(name)s", name=zero[1:])
    elif parameter.type != "choice" or not {choice.value for choice in parameter.choices} <= allowed:
        names = ", ".join(sorted(allowed))
        yield (
            (*path, "zero_denominator"),
            N_("tham số %(name)s chỉ được có các lựa chọn %(names)s", name=zero[1:], names=names),
        )


def _threshold_faults(pack: Pack, path: Location, rule: ThresholdByAttribute) -> Iterator[Found]:
    ratio = (rule.numerator, rule.denominator, rule.zero_denominator)
    if rule.fact is not None and not any(ratio):
        yield from _fact_fault(pack, (*path, "fact"), rule.fact, {"count", "items"})
    elif rule.fact is None and rule.numerator and rule.denominator and rule.zero_denominator:
        yield from _ratio_faults(pack, path, rule.numerator, rule.denominator, rule.zero_denominator)
    else:
        yield path, N_("cần một trong hai: fact; hoặc numerator, denominator và zero_denominator")
    high = 1_000_000 if rule.fact is not None else 100
    for value, threshold in rule.thresholds.items():
        if threshold != "not_applicable":
            yield from _number_fault(pack, (*path, "thresholds", value), threshold, 1, high)


def _unused(pack: Pack, rules: list[Rule]) -> Iterator[Found]:
    """A parameter that changes nothing would be shown as a choice that the province does not have."""
    facts = {name for rule in rules for name in rule.facts}
    operands = {operand[1:] for rule in rules for operand in rule.operands if isinstance(operand, str)}
    for place, declared in enumerate(pack.fact):
        if declared.name not in facts:
            yield ("fact", place, "name"), N_("khai %(name)s mà không dùng", name=declared.name)
        operands.update(declared.parameters)
    for place, parameter in enumerate(pack.parameter):
        if parameter.name not in operands:
            name = parameter.name
            yield ("parameter", place, "name"), N_("khai %(name)s mà không dùng", name=name)

"""all_of@1, any_of@1, k_of_n@1: their truth tables, their changes with time, the shortest way to met."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Final, TypeAlias

from app.criteria.rules.answers import Answer, Value
from app.criteria.rules.kinds import AllOf, AnyOf, BaseRule, KOfN
from app.criteria.rules.run import Later, Run, Timed
from app.criteria.rules.sheet import Item
from app.db import Words
from app.messages import N_, Said, sentences

REASONS_IN_A_SENTENCE: Final = 3
CONDITIONS: Final = Words.of(N_("điều kiện"))


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


_Combine: TypeAlias = Callable[[Sequence[Value]], Value]


def _drift(children: Sequence[Timed], combine: _Combine, now: Value) -> Later:
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
    open_ = [child for child in children if child.value.is_open]

    def cost(pair: tuple[int, Answer]) -> tuple[bool, int, int]:
        place, child = pair
        unrecorded = all(leaf.have is None for leaf in child.walk() if not leaf.children)
        return unrecorded, child.to_do, place

    chosen = sorted(enumerate(open_), key=cost)[:wanted]
    return [child for _, child in sorted(chosen)] if len(chosen) > 1 else [child for _, child in chosen]


def _labelled(child: Answer) -> Said:
    if child.label is None:
        return child.reason
    return N_("%(label)s: %(reason)s", label=child.label, reason=child.reason)


def judge_composite(run: Run, rule: AllOf | AnyOf | KOfN, timed: Sequence[Timed]) -> Timed:
    if isinstance(rule, AllOf):
        return join_children(run, rule, timed, all_of_1, None)
    if isinstance(rule, AnyOf):
        return join_children(run, rule, timed, any_of_1, 1)
    k = run.number(rule.k)
    return join_children(run, rule, timed, lambda values: k_of_n_1(values, k), k)


def join_children(run: Run, rule: BaseRule, timed: Sequence[Timed], combine: _Combine, wanted: int | None) -> Timed:
    children = tuple(child.answer for child in timed)
    value = combine([child.value for child in children])
    applicable = [child for child in children if child.value is not Value.NOT_APPLICABLE]
    met = [child for child in applicable if child.value is Value.MET]
    need = len(applicable) if wanted is None else wanted
    gap = max(need - len(met), 0)
    work = _cheapest(children, gap) if value.is_open else []
    later = _drift(timed, combine, value)
    used = {name for child in children for name in child.facts_used}
    parameters = run.parameters_of(rule).union(*(child.parameters_used for child in children))
    answer = Answer(
        kind=str(getattr(rule, "kind", "")),
        value=value,
        reason=Words.of(_composite_words(value, met, need, work, wanted)),
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
    return Timed(answer, later)


def _distinct(items: Iterator[Item]) -> tuple[Item, ...]:
    return tuple(dict.fromkeys(items))


def _composite_words(
    value: Value, met: Sequence[Answer], need: int, work: Sequence[Answer], wanted: int | None
) -> Said:
    if value is Value.NOT_APPLICABLE:
        return N_("Không áp dụng.")
    if value is Value.MET and wanted == 1:
        return _labelled(met[0])
    if wanted == 1:
        start = N_("Chưa có lựa chọn nào đạt. Gần nhất:")
    else:
        start = N_("Đạt %(met)s/%(need)s điều kiện.", met=len(met), need=need)
    if value is Value.MET:
        return start
    return sentences([start, *(_labelled(child) for child in work[:REASONS_IN_A_SENTENCE])])

"""count_at_least@1."""

from collections.abc import Sequence

from app.criteria.rules.answers import Value
from app.criteria.rules.kinds import CountAtLeast, ThresholdByAttribute
from app.criteria.rules.leaf import Measure, judge_leaf, short_of
from app.criteria.rules.run import Run, Timed
from app.criteria.rules.sheet import Item, ItemSet
from app.criteria.rules.words import Both, names_of, number_vi


def count_1(run: Run, rule: CountAtLeast | ThresholdByAttribute, fact: str, need: int) -> Timed:
    declared = run.declared(fact)

    def measure() -> Measure:
        value = run.facts[fact].value
        sets = value if isinstance(value, ItemSet) else ItemSet()
        have = len(sets.have) if isinstance(value, ItemSet) else int(value)
        gap = max(need - have, 0)
        short = Value.UNMET if have + len(sets.unknown) < need else Value.INSUFFICIENT
        outcome = short if gap else Value.MET
        missing = (*sets.missing, *sets.unknown) if gap else ()
        if gap and not missing:
            missing = (short_of(declared, gap),)
            named: tuple[Item, ...] = ()
        else:
            named = missing
        reason = _count_words(declared.label, outcome, have, need, named, len(sets.unknown))
        return Measure(outcome, reason, have=have, need=need, gap=gap, unit=declared.unit, missing=missing)

    return judge_leaf(run, rule, measure, kind=rule.kind)


def _count_words(label: Both, outcome: Value, have: int, need: int, named: Sequence[Item], unknown: int) -> Both:
    if outcome is Value.MET:
        return Both(
            f"Có {number_vi(have)} {label.vi}; cần ít nhất {number_vi(need)}.",
            f"{have} {label.en}; at least {need} needed.",
        )
    start_vi = f"Mới có {number_vi(have)} {label.vi}" if have else f"Chưa có {label.vi}"
    start_en = f"Only {have} {label.en}" if have else f"No {label.en} yet"
    if outcome is Value.INSUFFICIENT:
        vi = f"{start_vi}, {number_vi(unknown)} chưa rõ; cần ít nhất {number_vi(need)}."
        en = f"{start_en}, {unknown} uncertain; at least {need} needed."
    else:
        vi = f"{start_vi}; cần ít nhất {number_vi(need)}, còn thiếu {number_vi(need - have)}."
        en = f"{start_en}; at least {need} needed, {need - have} short."
    if named:
        vi += f" Chưa được tính: {names_of(named, 'vi')}."
        en += f" Not counted yet: {names_of(named, 'en')}."
    return Both(vi, en)

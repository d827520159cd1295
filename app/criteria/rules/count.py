"""count_at_least@1."""

from collections.abc import Sequence
from decimal import Decimal

from app.criteria.rules.answers import Value
from app.criteria.rules.kinds import CountAtLeast, ThresholdByAttribute
from app.criteria.rules.leaf import Measure, judge_leaf, short_of
from app.criteria.rules.run import Run, Timed
from app.criteria.rules.sheet import Item, ItemSet
from app.criteria.rules.words import Both, names_of
from app.messages import N_, Sentence, sentences


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


def _count_words(label: Both, outcome: Value, have: int, need: int, named: Sequence[Item], unknown: int) -> Sentence:
    if outcome is Value.MET:
        return N_("Có %(n)s %(label)s; cần ít nhất %(need)s.", n=Decimal(have), label=label, need=Decimal(need))
    start = N_("Mới có %(n)s %(label)s", n=Decimal(have), label=label) if have else N_("Chưa có %(label)s", label=label)
    if outcome is Value.INSUFFICIENT:
        said = N_(
            "%(start)s, %(unknown)s chưa rõ; cần ít nhất %(need)s.",
            start=start,
            unknown=Decimal(unknown),
            need=Decimal(need),
        )
    else:
        said = N_(
            "%(start)s; cần ít nhất %(need)s, còn thiếu %(gap)s.",
            start=start,
            need=Decimal(need),
            gap=Decimal(need - have),
        )
    return sentences((said, N_("Chưa được tính: %(names)s.", names=names_of(named)))) if named else said

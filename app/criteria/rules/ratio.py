"""ratio_at_least@1: never a pass that the unknown items could still undo."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from app.criteria.rules.answers import Value
from app.criteria.rules.kinds import RatioAtLeast, ThresholdByAttribute
from app.criteria.rules.leaf import Measure, judge_leaf, short_of
from app.criteria.rules.run import Run, Timed
from app.criteria.rules.sheet import Item, ItemSet
from app.criteria.rules.words import Both, item_about, left_words, names_of, percentage
from app.messages import N_, Sentence, sentences

PERCENT_FROM: Final = 10  # below ten things the fraction itself is clearer than a percentage


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


def ratio_1(
    run: Run, rule: RatioAtLeast | ThresholdByAttribute, names: tuple[str, str], percent: int, zero: str
) -> Timed:
    numerator, denominator = names
    known = run.facts.get(denominator)
    if known is not None and _is_zero(_size(known.value)):
        # Nothing to count: the numerator cannot change the answer, so its absence must not hide it.
        return judge_leaf(run, rule, lambda: _zero_words(run, denominator, zero), needed=(denominator,), kind=rule.kind)

    def measure() -> Measure:
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
            missing = (short_of(declared, max(gap, 1)),)
        return Measure(
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

    return judge_leaf(run, rule, measure, kind=rule.kind)


def _contradiction(run: Run, names: tuple[str, str], parts: _Parts) -> Measure:
    part, whole = (run.declared(name).label for name in names)
    listed, of = parts.listed, parts.of
    reason = N_(
        "Số liệu không khớp: có %(of)s %(whole)s, nhưng kê %(listed)s khi xét %(part)s. Cần xem lại cả hai.",
        of=Decimal(of),
        whole=whole,
        listed=Decimal(listed),
        part=part,
    )
    item = item_about(names[1], "fact", whole, reason)
    return Measure(Value.INSUFFICIENT, reason, have=parts.have, of=parts.of, missing=(item,))


def _zero_words(run: Run, denominator: str, zero: str) -> Measure:
    declared, value = run.declared(denominator), Value(zero)
    end = {
        Value.NOT_APPLICABLE: N_("nên điều này không áp dụng"),
        Value.UNMET: N_("nên tính là chưa đạt"),
        Value.INSUFFICIENT: N_("nên chưa kết luận được"),
    }[value]
    reason = N_("Không có %(label)s nào, %(end)s.", label=declared.label, end=end)
    known = run.facts[denominator].value
    left = known.missing if isinstance(known, ItemSet) else ()
    if left:
        reason = sentences((reason, left_words(left)))
    missing = () if value is Value.NOT_APPLICABLE else (short_of(declared, 1),)
    return Measure(value, reason, have=0, need=0, gap=0, of=0, unit=declared.unit, missing=missing, not_counted=left)


def _ratio_words(label: Both, outcome: Value, parts: _Parts, percent: int, named: Sequence[Item]) -> Sentence:
    have, of = parts.have, parts.of
    said = N_("%(have)s/%(of)s %(label)s", have=Decimal(have), of=Decimal(of), label=label)
    if parts.of >= PERCENT_FROM:
        said = N_("%(counted)s (%(percent)s)", counted=said, percent=percentage(have, of))
    if percent < 100:  # noqa: PLR2004 - a hundred per cent goes without saying
        said = N_("%(counted)s; cần %(percent)s %%", counted=said, percent=percent)
    more: list[Sentence] = []
    if outcome is Value.UNMET:
        gap = -(-of * percent // 100) - have
        if gap == len(named):
            said = N_(
                "%(counted)s; còn thiếu %(gap)s: %(names)s.", counted=said, gap=Decimal(gap), names=names_of(named)
            )
        else:
            said = N_("%(counted)s; còn thiếu %(gap)s.", counted=said, gap=Decimal(gap))
            more = [N_("Chưa được tính: %(names)s.", names=names_of(named))] if named else []
    elif outcome is Value.INSUFFICIENT:
        n = Decimal(len(parts.unknown) + parts.of_unknown)
        if parts.unknown:
            said = N_("%(counted)s; %(n)s chưa rõ: %(names)s.", counted=said, n=n, names=names_of(parts.unknown))
        else:
            said = N_("%(counted)s; %(n)s chưa rõ.", counted=said, n=n)
    else:
        said = N_("%(counted)s.", counted=said)
    more += [left_words(parts.left)] if parts.left else []
    return sentences((said, *more))

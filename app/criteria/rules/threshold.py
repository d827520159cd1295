"""threshold_by_attribute@1: a count or a ratio whose threshold depends on the place."""

from dataclasses import replace

from app.criteria.rules.answers import Answer, Value
from app.criteria.rules.count import count_1
from app.criteria.rules.kinds import ThresholdByAttribute
from app.criteria.rules.ratio import ratio_1
from app.criteria.rules.run import Run, Timed
from app.criteria.rules.sheet import Item
from app.criteria.rules.words import item_about
from app.db import Words
from app.messages import N_, Sentence, sentences


def threshold_1(run: Run, rule: ThresholdByAttribute) -> Timed:
    value = run.attributes.get(rule.attribute)
    threshold = None if value is None else rule.thresholds.get(value)
    label = rule.attribute_label
    if threshold == "not_applicable":
        reason = N_("Không áp dụng cho %(label)s %(value)s.", label=label, value=value)
        return Timed(_plain(run, rule, Value.NOT_APPLICABLE, reason, ()), ())
    if threshold is None:
        if value is None:
            why = N_("Chưa biết %(label)s, nên chưa chọn được ngưỡng.", label=label)
        else:
            why = N_("Bộ tiêu chí không có ngưỡng cho %(label)s %(value)s.", label=label, value=value)
        item = item_about(rule.attribute, "attribute", label, why)
        return Timed(_plain(run, rule, Value.INSUFFICIENT, why, (item,)), ())
    need = run.number(threshold)
    if rule.fact is not None:
        inner = count_1(run, rule, rule.fact, need)
    else:
        names = (rule.numerator or "", rule.denominator or "")
        inner = ratio_1(run, rule, names, need, run.word(rule.zero_denominator or Value.INSUFFICIENT))
    said = (inner.answer.reason, N_("Ngưỡng cho %(label)s %(value)s.", label=label, value=value))
    return Timed(replace(inner.answer, reason=Words.of(sentences(said))), inner.later)


def _plain(run: Run, rule: ThresholdByAttribute, value: Value, reason: Sentence, missing: tuple[Item, ...]) -> Answer:
    return Answer(
        kind=rule.kind,
        value=value,
        reason=Words.of(reason),
        id=rule.id,
        label=rule.label,
        missing=missing,
        to_do=len(missing),
        facts_used=rule.facts,
        parameters_used=tuple(sorted(run.parameters_of(rule))),
    )

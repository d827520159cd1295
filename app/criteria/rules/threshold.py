"""threshold_by_attribute@1: a count or a ratio whose threshold depends on the place."""

from dataclasses import replace

from app.criteria.rules.answers import Answer, Value
from app.criteria.rules.count import count_1
from app.criteria.rules.kinds import ThresholdByAttribute
from app.criteria.rules.ratio import ratio_1
from app.criteria.rules.run import Run, Timed
from app.criteria.rules.sheet import Item
from app.criteria.rules.words import Both, item_about


def threshold_1(run: Run, rule: ThresholdByAttribute) -> Timed:
    value = run.attributes.get(rule.attribute)
    threshold = None if value is None else rule.thresholds.get(value)
    label = rule.attribute_label
    if threshold == "not_applicable":
        reason = Both(
            f"Không áp dụng cho {label.vi} {value}.",
            f"Does not apply to {label.en} {value}.",
        )
        return Timed(_plain(run, rule, Value.NOT_APPLICABLE, reason, ()), ())
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
        item = item_about(rule.attribute, "attribute", label, why)
        return Timed(_plain(run, rule, Value.INSUFFICIENT, why, (item,)), ())
    need = run.number(threshold)
    if rule.fact is not None:
        inner = count_1(run, rule, rule.fact, need)
    else:
        names = (rule.numerator or "", rule.denominator or "")
        inner = ratio_1(run, rule, names, need, run.word(rule.zero_denominator or Value.INSUFFICIENT))
    said = inner.answer.reason
    reason = Both(f"{said.vi} Ngưỡng cho {label.vi} {value}.", f"{said.en} Threshold for {label.en} {value}.")
    return Timed(replace(inner.answer, reason=reason), inner.later)


def _plain(run: Run, rule: ThresholdByAttribute, value: Value, reason: Both, missing: tuple[Item, ...]) -> Answer:
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

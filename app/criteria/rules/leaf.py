"""The common part of all leaves: facts are measured when they may be used, otherwise the answer is insufficient; and flag@1."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from app.criteria.rules.answers import Answer, Value
from app.criteria.rules.kinds import Flag, Leaf
from app.criteria.rules.pack import FactDeclaration
from app.criteria.rules.run import Run, Timed, changes, trouble
from app.criteria.rules.sheet import Item
from app.criteria.rules.words import Both, item_about
from app.db import Words
from app.messages import N_, Said, Sentence, sentences


@dataclass(frozen=True, slots=True)
class Measure:
    """What the facts say once they may be used."""

    value: Value
    reason: Said
    have: int | None = None
    need: int | None = None
    gap: int | None = None
    of: int | None = None
    percent: int | None = None
    unit: Both | None = None
    missing: tuple[Item, ...] = ()
    not_counted: tuple[Item, ...] = ()


def judge_leaf(
    run: Run, rule: Leaf, measure: Callable[[], Measure], *, needed: Sequence[str] | None = None, kind: str
) -> Timed:
    names = rule.facts if needed is None else needed
    max_age = run.max_age(rule)
    measured = measure() if all(name in run.facts for name in names) else None
    troubles = [found for name in names if (found := trouble(run, name, max_age, run.as_of))]
    if troubles or measured is None:
        items = tuple(item for item, _ in troubles)
        shown = replace(
            measured or Measure(Value.INSUFFICIENT, Sentence("")),
            value=Value.INSUFFICIENT,
            reason=sentences(reason for _, reason in troubles),
            gap=None,
            missing=items,
        )
        to_do = len(items)
    else:
        shown = measured
        to_do = (shown.gap or len(shown.missing)) if shown.value.is_open else 0
    later = () if measured is None else changes(run, names, max_age, shown.value, measured.value)
    answer = Answer(
        kind=kind,
        value=shown.value,
        reason=Words.of(shown.reason),
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
    return Timed(answer, later)


def short_of(declared: FactDeclaration, gap: int) -> Item:
    return item_about(declared.name, "fact", declared.label, N_("Cần thêm %(n)s.", n=Decimal(gap)))


def flag_1(run: Run, rule: Flag) -> Timed:
    declared = run.declared(rule.fact)

    def measure() -> Measure:
        yes = run.facts[rule.fact].value is True
        said = (declared.yes if yes else declared.no) or declared.label
        if yes:
            return Measure(Value.MET, said, have=1, need=1, gap=0, unit=declared.unit)
        item = item_about(rule.fact, "fact", declared.label, said)
        return Measure(Value.UNMET, said, have=0, need=1, gap=1, unit=declared.unit, missing=(item,))

    return judge_leaf(run, rule, measure, kind=rule.kind)

"""Judge one place by one pack on one civil date."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Final

from app.criteria.rules.answers import VALUE_LABELS, Answer, Assessment, Choice, CriterionResult, Value
from app.criteria.rules.composite import all_of_1, join_children, judge_composite, k_of_n_1
from app.criteria.rules.count import count_1
from app.criteria.rules.kinds import (
    AllOf,
    AnyOf,
    BaseRule,
    CountAtLeast,
    Flag,
    KOfN,
    RatioAtLeast,
    Rule,
    ThresholdByAttribute,
)
from app.criteria.rules.leaf import flag_1
from app.criteria.rules.pack import Pack, Parameter
from app.criteria.rules.ratio import ratio_1
from app.criteria.rules.run import Run, Timed
from app.criteria.rules.sheet import Fact, FactSheet, ItemSet
from app.criteria.rules.threshold import threshold_1
from app.criteria.rules.words import day_text
from app.db import Words
from app.messages import N_, sentences

ENGINE: Final = 1
NOT_FROM_LETTER: Final = Words.of(N_("lựa chọn của tỉnh, không có trong văn bản"))
NOT_CHOSEN: Final = Words.of(N_("giá trị đang để mặc định, tỉnh chưa chọn, không có trong văn bản"))
CRITERIA: Final = Words.of(N_("tiêu chí"))


def _judge(run: Run, rule: Rule) -> Timed:
    match rule:
        case Flag():
            return flag_1(run, rule)
        case CountAtLeast():
            return count_1(run, rule, rule.fact, run.number(rule.at_least))
        case RatioAtLeast():
            names = (rule.numerator, rule.denominator)
            return ratio_1(run, rule, names, run.number(rule.percent), run.word(rule.zero_denominator))
        case ThresholdByAttribute():
            return threshold_1(run, rule)
        case AllOf() | AnyOf() | KOfN():
            return judge_composite(run, rule, [_judge(run, child) for child in rule.of])


_TYPES: Final[Mapping[str, type]] = {"flag": bool, "count": int, "items": ItemSet}


def _checked(pack: Pack, facts: FactSheet) -> dict[str, Fact]:
    """The facts that the pack reads, sorted by name; another type than declared is a provider's fault and raises."""
    kept: dict[str, Fact] = {}
    for name in sorted(pack.facts_by_name):
        if (fact := facts.get(name)) is None:
            continue
        declared = pack.facts_by_name[name].type
        if type(fact.value) is not _TYPES[declared]:
            raise TypeError(f"fact {name} is declared as {declared}, got {type(fact.value).__name__}")
        kept[name] = fact
    return kept


def evaluate(
    pack: Pack,
    facts: FactSheet,
    attributes: Mapping[str, str],
    as_of: date,
    choices: Mapping[str, int | str] | None = None,
) -> Assessment:
    """Judge one place on one civil date. Facts the pack does not declare are ignored.

    `choices` are the province's values for the pack's parameters; facts must have been provided with the same values
    (`pack.settings(choices)`). Raises InvalidMany for choices that the pack refuses, TypeError for a fact of another type.
    """
    parameters = pack.settings(choices)
    kept = _checked(pack, facts)
    run = Run(pack, kept, attributes, as_of, parameters)
    timed = [_judge(run, criterion.rule) for criterion in pack.criterion]
    results = tuple(
        CriterionResult(criterion.id, criterion.clause, one.answer)
        for criterion, one in zip(pack.criterion, timed, strict=True)
    )
    return Assessment(
        engine=ENGINE,
        pack_id=pack.id,
        pack_version=pack.version,
        pack_sha256=pack.sha256,
        as_of=as_of,
        attributes=dict(sorted(attributes.items())),
        parameters=tuple(
            _choice(parameter, parameters[parameter.name], chosen=parameter.name in (choices or {}))
            for parameter in pack.parameter
        ),
        facts=kept,
        results=results,
        overall=_overall(run, timed, results),
        outside_period=outside_period(pack, as_of),
    )


def _overall(run: Run, timed: Sequence[Timed], results: Sequence[CriterionResult]) -> Answer:
    k = run.pack.result.k
    if run.pack.result.kind == "k_of_n@1" and k is not None:
        answer = join_children(run, BaseRule(), timed, lambda values: k_of_n_1(values, k), k).answer
    else:
        answer = join_children(run, BaseRule(), timed, all_of_1, None).answer
    parts = [N_("Đạt %(met)s/%(total)s tiêu chí.", met=answer.have, total=answer.need)]
    for value in (Value.UNMET, Value.INSUFFICIENT, Value.NOT_APPLICABLE):
        clauses = ", ".join(str(result.clause) for result in results if result.answer.value is value)
        if clauses:
            parts.append(N_("%(value)s: tiêu chí %(clauses)s.", value=VALUE_LABELS[value], clauses=clauses))
    # The results already hold the criteria's answers; repeating them here would double every stored assessment.
    return replace(answer, kind=run.pack.result.kind, reason=Words.of(sentences(parts)), unit=CRITERIA, children=())


def _choice(parameter: Parameter, value: int | str, *, chosen: bool) -> Choice:
    left_open = NOT_FROM_LETTER if chosen else NOT_CHOSEN
    note = left_open if parameter.source == "not_from_letter" else None
    return Choice(parameter.name, value, parameter.label, parameter.words(value), parameter.source, note, chosen)


def outside_period(pack: Pack, as_of: date) -> Words | None:
    """What to say of a day that the letter does not cover; None inside its period."""
    day = day_text(as_of)
    if as_of < pack.effective_from:
        first = day_text(pack.effective_from)
        return Words.of(
            N_("Bộ tiêu chí này có từ %(first)s; ngày tính %(day)s ở trước đó.", first=first, day=day),
        )
    if pack.effective_to is not None and as_of > pack.effective_to:
        return Words.of(
            N_(
                "Văn bản ghi giai đoạn đến %(last)s; ngày tính %(day)s ở sau đó. "
                "Kết quả để tham khảo cho đến khi tỉnh có bộ tiêu chí mới.",
                last=day_text(pack.effective_to),
                day=day,
            )
        )
    return None

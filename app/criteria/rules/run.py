"""One evaluation under way: which facts may be used on the day, and how time alone changes an answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import TypeAlias

from app.criteria.rules.answers import Answer, Value
from app.criteria.rules.kinds import BaseRule, Leaf
from app.criteria.rules.pack import FactDeclaration, Pack
from app.criteria.rules.sheet import FactSheet, Item
from app.criteria.rules.words import capital, day_text, item_about
from app.messages import N_, Sentence

Later: TypeAlias = tuple[tuple[date, Value | None], ...]


@dataclass(frozen=True, slots=True)
class Timed:
    """An answer and how time alone changes its value; None from a date on which a fact has to be provided anew."""

    answer: Answer
    later: Later

    def at(self, day: date) -> Value | None:
        value: Value | None = self.answer.value
        for changed_on, then in self.later:
            if changed_on > day:
                break
            value = then
        return value


@dataclass(frozen=True, slots=True)
class Run:
    pack: Pack
    facts: FactSheet
    attributes: Mapping[str, str]
    as_of: date
    parameters: Mapping[str, int | str]

    def number(self, operand: int | str) -> int:
        value = self.parameters[operand[1:]] if isinstance(operand, str) else operand
        if not isinstance(value, int):
            raise TypeError(f"{operand} is not a whole number")
        return value

    def max_age(self, rule: Leaf) -> int | None:
        return None if rule.max_age_days is None else self.number(rule.max_age_days)

    def word(self, operand: str) -> str:
        return str(self.parameters[operand[1:]]) if operand.startswith("$") else operand

    def declared(self, name: str) -> FactDeclaration:
        return self.pack.facts_by_name[name]

    def parameters_of(self, rule: BaseRule) -> set[str]:
        named = {operand[1:] for operand in rule.operands if isinstance(operand, str) and operand.startswith("$")}
        return named.union(*(self.declared(name).parameters for name in rule.facts))


def trouble(run: Run, name: str, max_age: int | None, day: date) -> tuple[Item, Sentence] | None:
    """Why the fact cannot be used on that day, alone and after the fact's name, or None when it can."""
    declared, fact = run.declared(name), run.facts.get(name)
    label = capital(declared.label)
    values: dict[str, object] = {}
    kind = "fact"
    if fact is None:
        why, named = N_("Chưa ai ghi."), N_("%(label)s: chưa ai ghi.")
    elif (dated := max(fact.as_of, fact.observed_on or fact.as_of)) > day:
        why = N_("Số liệu ghi ngày %(dated)s, sau ngày tính %(day)s.")
        named = N_("%(label)s: số liệu ghi ngày %(dated)s, sau ngày tính %(day)s.")
        values = {"dated": day_text(dated), "day": day_text(day)}
    elif fact.next_change_on is not None and fact.next_change_on <= day:
        why = N_("Số liệu phải tính lại từ ngày %(day)s.")
        named = N_("%(label)s: số liệu phải tính lại từ ngày %(day)s.")
        values = {"day": day_text(fact.next_change_on)}
    elif not fact.proven:
        why, named = N_("Đã ghi nhưng chưa có minh chứng."), N_("%(label)s: đã ghi nhưng chưa có minh chứng.")
        kind = "evidence"
    elif max_age is None:
        return None
    elif fact.observed_on is None:
        why = N_("Không rõ ngày ghi nhận; cần ghi nhận mới.")
        named = N_("%(label)s: không rõ ngày ghi nhận; cần ghi nhận mới.")
        kind = "evidence"
    elif (age := (day - fact.observed_on).days) > max_age:
        why = N_("Ghi nhận gần nhất ngày %(day)s, đã %(age)s ngày, quá hạn %(limit)s; cần ghi nhận mới.")
        named = N_("%(label)s: ghi nhận gần nhất ngày %(day)s, đã %(age)s ngày, quá hạn %(limit)s; cần ghi nhận mới.")
        values = {
            "day": day_text(fact.observed_on),
            "age": Decimal(age),
            "limit": N_("%(days)s ngày", days=Decimal(max_age)),
        }
        kind = "evidence"
    else:
        return None
    item = item_about(name, kind, label, replace(why, values=values))
    return item, replace(named, values=values | {"label": label})


def _plus(day: date, days: int) -> date | None:
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return None


def changes(run: Run, names: Sequence[str], max_age: int | None, now: Value, measured: Value) -> Later:
    """How a leaf's value moves with time: evidence ages, a future date comes, a fact falls due."""
    due = [fact.next_change_on for name in names if (fact := run.facts[name]).next_change_on is not None]
    fresh_until = min((day for day in due if day is not None), default=None)
    days: set[date] = set()
    for name in names:
        fact = run.facts[name]
        aged = None if max_age is None or fact.observed_on is None else _plus(fact.observed_on, max_age + 1)
        days.update(day for day in (fact.as_of, fact.observed_on, aged, fact.next_change_on) if day is not None)
    out: list[tuple[date, Value | None]] = []
    last: Value | None = now
    for day in sorted(day for day in days if day > run.as_of):
        value: Value | None
        if fresh_until is not None and run.as_of < fresh_until <= day:
            value = None
        else:
            value = Value.INSUFFICIENT if any(trouble(run, n, max_age, day) for n in names) else measured
        if value != last:
            out.append((day, value))
            last = value
    return tuple(out)

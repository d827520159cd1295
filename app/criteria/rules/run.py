"""One evaluation under way: which facts may be used on the day, and how time alone changes an answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypeAlias

from app.criteria.rules.answers import Answer, Value
from app.criteria.rules.kinds import BaseRule, Leaf
from app.criteria.rules.pack import FactDeclaration, Pack
from app.criteria.rules.sheet import FactSheet, Item
from app.criteria.rules.words import Both, capital, day_text, item_about, number_vi

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


def trouble(run: Run, name: str, max_age: int | None, day: date) -> tuple[Item, Both] | None:
    """Why the fact cannot be used on that day, or None when it can."""
    declared, fact = run.declared(name), run.facts.get(name)
    label = declared.label
    if fact is None:
        why = Both("chưa ai ghi", "nobody has recorded it")
        kind = "fact"
    elif (dated := max(fact.as_of, fact.observed_on or fact.as_of)) > day:
        why = Both(
            f"số liệu ghi ngày {day_text(dated)}, sau ngày tính {day_text(day)}",
            f"the record is dated {day_text(dated)}, after the day asked about, {day_text(day)}",
        )
        kind = "fact"
    elif fact.next_change_on is not None and fact.next_change_on <= day:
        why = Both(
            f"số liệu phải tính lại từ ngày {day_text(fact.next_change_on)}",
            f"the figures must be worked out anew from {day_text(fact.next_change_on)}",
        )
        kind = "fact"
    elif not fact.proven:
        why = Both("đã ghi nhưng chưa có minh chứng", "recorded, but nothing proves it yet")
        kind = "evidence"
    elif max_age is None:
        return None
    elif fact.observed_on is None:
        why = Both("không rõ ngày ghi nhận; cần ghi nhận mới", "the date of the record is unknown; record it anew")
        kind = "evidence"
    elif (age := (day - fact.observed_on).days) > max_age:
        why = Both(
            f"ghi nhận gần nhất ngày {day_text(fact.observed_on)}, đã {number_vi(age)} ngày, quá hạn {number_vi(max_age)} ngày; "
            "cần ghi nhận mới",
            f"last recorded on {day_text(fact.observed_on)}, {age} days ago, over the limit of {max_age} days; record it anew",
        )
        kind = "evidence"
    else:
        return None
    item = item_about(name, kind, label, Both(f"{capital(why.vi)}.", f"{capital(why.en)}."))
    return item, Both(f"{capital(label.vi)}: {why.vi}.", f"{capital(label.en)}: {why.en}.")


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

"""Facts of a sheet: of the type declared, never below zero, named once."""

from datetime import date

import pytest

from app.criteria.rules import Fact, Source, evaluate
from tests.app.criteria.answers import MET
from tests.app.criteria.rules.small_pack import TODAY, answer_of, fact, named, pack_of


def test_a_fact_of_another_type_than_declared_is_the_providers_fault() -> None:
    for name, value in (("f", 1), ("n", True), ("p", 3), ("d", named("A"))):
        with pytest.raises(TypeError, match=f"fact {name} is declared as"):
            answer_of({"kind": "flag@1", "fact": "f"}, {name: fact(value)})


def test_a_count_below_zero_and_an_item_named_twice_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="never negative"):
        fact(-1)
    with pytest.raises(ValueError, match="twice"):
        named("A", "A")


def test_facts_that_the_pack_does_not_declare_change_nothing() -> None:
    rule = {"kind": "flag@1", "fact": "f"}
    one = evaluate(pack_of(rule), {"f": fact(value=True)}, {}, TODAY)
    other = evaluate(pack_of(rule), {"f": fact(value=True), "khac": fact(3)}, {}, TODAY)
    assert other.to_json() == one.to_json()


def test_evidence_at_the_end_of_the_calendar_does_not_break_the_sum() -> None:
    last = Fact(value=True, as_of=date.max, source=Source.VERIFIED, observed_on=date.max)
    answer = answer_of({"kind": "flag@1", "fact": "f", "max_age_days": 36500}, {"f": last}, as_of=date.max)
    assert (answer.value, answer.next_change_on) == (MET, None)

"""Four values: never a pass from what is missing, and always a reason and a name."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.criteria.rules import Fact
from tests.app.criteria.answers import INSUFFICIENT, MET, UNMET
from tests.app.criteria.rules.small_pack import TODAY, answer_of
from tests.app.criteria.rules.strategies import leaves, rules_, sheets


@settings(deadline=None)
@given(rule=leaves, facts=sheets(), data=st.data())
def test_a_condition_is_never_met_once_a_fact_it_needs_is_missing(
    rule: dict[str, Any], facts: dict[str, Fact], data: st.DataObject
) -> None:
    needed = [rule[key] for key in ("fact", "numerator", "denominator") if key in rule]
    gone = data.draw(st.sampled_from(needed))
    answer = answer_of(rule, {name: one for name, one in facts.items() if name != gone})
    assert answer.value is not MET
    assert answer.value is not UNMET or rule.get("zero_denominator") in {"unmet", "$z"}


@settings(deadline=None)
@given(rule=rules_, facts=sheets())
def test_taking_a_fact_away_never_makes_an_answer_better(rule: dict[str, Any], facts: dict[str, Fact]) -> None:
    monotone = "k_of_n" not in json.dumps(rule) and "ratio" not in json.dumps(rule)
    before = answer_of(rule, facts)
    for name in facts:
        after = answer_of(rule, {key: one for key, one in facts.items() if key != name})
        if monotone and before.value is not MET:
            assert after.value is not MET
        # What is settled without a fact stays settled with it, whatever the fact says.
        if monotone and after.value in {MET, UNMET}:
            assert before.value is after.value


@settings(deadline=None)
@given(rule=rules_, facts=sheets())
def test_every_answer_has_a_sentence_and_whatever_is_not_met_names_something(
    rule: dict[str, Any], facts: dict[str, Fact]
) -> None:
    for node in answer_of(rule, facts).walk():
        assert node.reason.vi.endswith(".")
        assert node.reason.text("en").endswith(".")
        assert node.reason.vi[0] == node.reason.vi[0].upper()
        wanting = node.value in {UNMET, INSUFFICIENT}
        assert bool(node.missing) is wanting or not wanting
        assert (node.to_do > 0) is wanting
        assert all(one.label and (one.reason or one.kind == "household") for one in node.missing)


@pytest.mark.slow
@settings(deadline=None)
@given(rule=rules_, facts=sheets())
def test_next_change_is_the_first_day_on_which_time_alone_changes_the_answer(
    rule: dict[str, Any], facts: dict[str, Fact]
) -> None:
    undated = {name: replace(one, next_change_on=None) for name, one in facts.items()}
    now = answer_of(rule, undated)
    expected = None
    for ahead in range(1, 90):
        day = TODAY + timedelta(days=ahead)
        if answer_of(rule, undated, as_of=day).value is not now.value:
            expected = day
            break
    assert now.next_change_on == expected
    # A fact that falls due may bring the change forward, never push it back.
    due = answer_of(rule, facts)
    later = {one.next_change_on for one in facts.values() if one.next_change_on and one.next_change_on > TODAY}
    if not any(one.next_change_on and one.next_change_on <= TODAY for one in facts.values()) and expected:
        assert due.next_change_on is not None
        assert due.next_change_on <= expected
        assert due.next_change_on == expected or due.next_change_on in later

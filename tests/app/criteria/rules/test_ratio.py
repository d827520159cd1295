"""A ratio is exact, rounded down, and never certain while the unknown may turn it."""

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.criteria.rules import ItemSet, percentage
from tests.app.criteria.answers import INSUFFICIENT, MET, UNMET
from tests.app.criteria.rules.small_pack import answer_of, fact
from tests.app.criteria.rules.strategies import item_sets


@pytest.mark.parametrize(
    ("part", "whole", "vi", "en"),
    [
        (999, 1000, "99,9 %", "99.9%"),
        (99_999, 100_000, "99,9 %", "99.9%"),
        (1, 1, "100 %", "100%"),
        (2, 3, "66,6 %", "66.6%"),
        (0, 7, "0 %", "0%"),
        (1, 2000, "0 %", "0%"),
    ],
)
def test_percentage_is_rounded_down(part: int, whole: int, vi: str, en: str) -> None:
    assert (percentage(part, whole).text("vi"), percentage(part, whole).text("en")) == (vi, en)


def ratio(percent: int, zero: str = "insufficient") -> dict[str, Any]:
    return {
        "kind": "ratio_at_least@1",
        "numerator": "n",
        "denominator": "d",
        "percent": percent,
        "zero_denominator": zero,
    }


@settings(deadline=None)
@given(of=st.integers(1, 10**12), percent=st.integers(1, 100), shift=st.integers(-2, 2))
def test_ratio_is_exact_around_its_threshold(of: int, percent: int, shift: int) -> None:
    have = min(max(-(-of * percent // 100) + shift, 0), of)
    answer = answer_of(ratio(percent), {"n": fact(have), "d": fact(of)})
    assert answer.value is (MET if have * 100 >= of * percent else UNMET)
    assert answer.need is not None
    assert (answer.need - 1) * 100 < of * percent <= answer.need * 100
    assert answer.gap == max(answer.need - have, 0)


@settings(deadline=None)
@given(have=st.integers(0, 6), need=st.integers(1, 6), of=st.integers(0, 6), percent=st.integers(1, 100))
def test_more_never_harms_and_a_higher_threshold_never_helps(have: int, need: int, of: int, percent: int) -> None:
    order = [UNMET, INSUFFICIENT, MET]

    def count(n: int, k: int) -> int:
        return order.index(answer_of({"kind": "count_at_least@1", "fact": "n", "at_least": k}, {"n": fact(n)}).value)

    assert count(have + 1, need) >= count(have, need)
    assert count(have, need + 1) <= count(have, need)
    if have < of:
        lower = order.index(answer_of(ratio(percent), {"n": fact(have), "d": fact(of)}).value)
        assert order.index(answer_of(ratio(percent), {"n": fact(have + 1), "d": fact(of)}).value) >= lower
        if percent < 100:
            assert order.index(answer_of(ratio(percent + 1), {"n": fact(have), "d": fact(of)}).value) <= lower


SETS = {"kind": "ratio_at_least@1", "numerator": "p", "denominator": "q", "zero_denominator": "unmet"}


@settings(deadline=None)
@given(part=item_sets(), whole=item_sets(), percent=st.sampled_from([1, 34, 50, 67, 100]))
def test_a_ratio_is_certain_only_if_every_way_the_unknown_may_turn_out_agrees(
    part: ItemSet, whole: ItemSet, percent: int
) -> None:
    answer = answer_of({**SETS, "percent": percent}, {"p": fact(part), "q": fact(whole)})
    outcomes = set()
    for in_part in itertools.product([False, True], repeat=len(part.unknown)):
        for in_whole in itertools.product([False, True], repeat=len(whole.unknown)):
            have = {one.id for one in part.have} | {o.id for o, yes in zip(part.unknown, in_part, strict=True) if yes}
            of = {one.id for one in whole.have} | {o.id for o, yes in zip(whole.unknown, in_whole, strict=True) if yes}
            outcomes.add(bool(of) and len(have & of) * 100 >= len(of) * percent)
    certain = {MET: {True}, UNMET: {False}}.get(answer.value)
    if certain is None:
        assert len(outcomes) == 2 or not whole.have
    else:
        assert outcomes == certain

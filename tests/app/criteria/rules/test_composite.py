"""All, any and k of n, by their whole truth tables."""

import itertools

import pytest

from app.criteria.rules import Value, all_of_1, any_of_1, k_of_n_1
from tests.app.criteria.answers import INSUFFICIENT, MET, NOT_APPLICABLE, UNMET


def first_of(*cases: tuple[object, Value]) -> Value:
    """The answer of the first case that is so."""
    return next((answer for so, answer in cases if so), INSUFFICIENT)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_truth_tables_of_all_any_and_k_of_n_hold_for_every_combination(size: int) -> None:
    for values in itertools.product(Value, repeat=size):
        applicable = [value for value in values if value is not NOT_APPLICABLE]
        met, unmet = applicable.count(MET), applicable.count(UNMET)
        if not applicable:
            assert (all_of_1(values), any_of_1(values)) == (NOT_APPLICABLE, NOT_APPLICABLE)
            assert {k_of_n_1(values, k) for k in range(1, size + 1)} == {NOT_APPLICABLE}
            continue
        every, none = met == len(applicable), unmet == len(applicable)
        assert all_of_1(values) == first_of((unmet, UNMET), (every, MET))
        assert any_of_1(values) == first_of((met, MET), (none, UNMET))
        for k in range(1, size + 1):
            reachable = len(applicable) - unmet
            assert k_of_n_1(values, k) == first_of((met >= k, MET), (reachable < k, UNMET))

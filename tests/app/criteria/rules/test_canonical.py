"""The same facts are the same bytes, and come back from JSON as they went."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.criteria.rules import Assessment, Fact, evaluate
from tests.app.criteria.rules.small_pack import TODAY, pack_of
from tests.app.criteria.rules.strategies import rules_, sheets


@pytest.mark.slow
@settings(deadline=None)
@given(rule=rules_, facts=sheets(), group=st.sampled_from(["1", "2"]))
def test_same_facts_give_the_same_bytes_in_any_order_and_survive_json(
    rule: dict[str, Any], facts: dict[str, Fact], group: str
) -> None:
    pack = pack_of(rule)
    one = evaluate(pack, facts, {"commune_group": group, "area": "x"}, TODAY)
    other = evaluate(pack, dict(reversed(facts.items())), {"area": "x", "commune_group": group}, TODAY)
    assert one.to_json() == other.to_json()
    assert one.sha256 == other.sha256
    again = Assessment.from_json(one.to_json())
    assert again == one
    assert again.to_json() == one.to_json()
    assert evaluate(pack, facts, again.attributes, again.as_of).sha256 == one.sha256

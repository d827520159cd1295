"""Answers written down beforehand, number and word, for every kind of rule."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from app.criteria.rules import ItemSet
from tests.app.criteria.rules.small_pack import answer_of, fact, named

VECTORS = json.loads((Path(__file__).parent / "vectors.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_vector(case: dict[str, Any]) -> None:
    def value(given_: Any) -> bool | int | ItemSet:
        if not isinstance(given_, dict):
            return given_
        return named(*(" ".join(given_.get(part, [])) for part in ("have", "missing", "unknown")))

    def day(table: str, name: str) -> date | None:
        text = case.get(table, {}).get(name)
        return date.fromisoformat(text) if text else None

    facts = {
        name: fact(value(given_), day("observed", name), day("due", name)) for name, given_ in case["facts"].items()
    }
    answer = answer_of(
        case["rule"],
        facts,
        attributes=case.get("attributes", {}),
        choices=case.get("choices"),
        as_of=date.fromisoformat(VECTORS["as_of"]),
    )
    found = {
        "value": answer.value.value,
        "have": answer.have,
        "need": answer.need,
        "gap": answer.gap,
        "of": answer.of,
        "percent": answer.percent,
        "to_do": answer.to_do,
        "vi": answer.reason.vi,
        "en": answer.reason.text("en"),
        "next": answer.next_change_on.isoformat() if answer.next_change_on else None,
        "missing": [one.label for one in answer.missing],
        "not_counted": [one.label for one in answer.not_counted],
        "parameters": list(answer.parameters_used),
    }
    assert {key: found[key] for key in case["expect"]} == case["expect"]


def test_vectors_cover_every_kind() -> None:
    kinds = {case["rule"]["kind"] for case in VECTORS["cases"]}
    assert kinds == {
        "flag@1",
        "count_at_least@1",
        "ratio_at_least@1",
        "all_of@1",
        "any_of@1",
        "k_of_n@1",
        "threshold_by_attribute@1",
    }

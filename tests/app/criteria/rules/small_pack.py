"""A small pack of a few facts, round the rules that a test gives it."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from app.criteria.rules import Answer, Fact, Item, ItemSet, Pack, Source, evaluate
from app.db import Words

TODAY = date(2026, 11, 24)


def words(vi: str, en: str) -> dict[str, str]:
    return {"vi": vi, "en": en}


def declared(name: str, kind: str, vi: str, en: str) -> dict[str, Any]:
    common = {"name": name, "type": kind, "label": words(vi, en), "meaning": words("Để thử.", "For tests.")}
    if kind == "flag":
        upper = name.upper()
        return {
            **common,
            "yes": words(f"Có {upper}.", f"{upper} is there."),
            "no": words(f"Chưa có {upper}.", f"No {upper}."),
        }
    return {**common, "unit": words(vi, en)}


FACTS = [
    *(declared(name, "flag", f"điều {name}", f"thing {name}") for name in "fgh"),
    declared("n", "count", "camera", "cameras"),
    declared("d", "count", "đường", "roads"),
    declared("p", "items", "hộ có mã", "households with a code"),
    declared("q", "items", "hộ", "households"),
]
PARAMETERS = [
    {
        "name": "k",
        "type": "integer",
        "source": "not_from_letter",
        "label": words("K", "K"),
        "default": 2,
        "minimum": 1,
        "maximum": 9,
    },
    {
        "name": "z",
        "type": "choice",
        "source": "not_from_letter",
        "label": words("Z", "Z"),
        "default": "insufficient",
        "choices": [
            {"value": value, "label": words(value, value)} for value in ("insufficient", "unmet", "not_applicable")
        ],
    },
]


def pack_of(*rules: Mapping[str, Any]) -> Pack:
    return Pack.model_validate(
        {
            "id": "thu",
            "version": "2026.1",
            "title": words("Thử", "Trial"),
            "unit_level": "village",
            "authority": words("Tỉnh", "Province"),
            "legal": [{"doc": "1", "date": "2026", "title": "Văn bản"}],
            "effective_from": date(2026, 1, 1),
            "parameter": PARAMETERS,
            "fact": FACTS,
            "criterion": [
                {
                    "id": f"c{clause}",
                    "clause": clause,
                    "label": words("Điều", "Clause"),
                    "legal_quote": "Văn bản.",
                    "rule": rule,
                    "evidence": ["photo"],
                    "who_can_fix": words("Thôn", "Village"),
                    "what_to_do": words("Ghi.", "Record."),
                }
                for clause, rule in enumerate(rules, start=1)
            ],
            "result": {"kind": "all_of@1"},
        }
    )


def item(name: str) -> Item:
    return Item(name.lower(), "household", name, Words(vi=f"Lý do của {name}.", en=f"Reason of {name}."))


def named(have: str = "", missing: str = "", unknown: str = "") -> ItemSet:
    return ItemSet(*(tuple(item(name) for name in part.split()) for part in (have, missing, unknown)))


def fact(value: bool | int | ItemSet, observed_on: date | None = None, due: date | None = None) -> Fact:  # noqa: FBT001 - a fact's value
    return Fact(value, TODAY, Source.SELF_DECLARED, observed_on=observed_on, next_change_on=due)


def answer_of(rule: Mapping[str, Any], facts: Mapping[str, Fact], **more: Any) -> Answer:
    assessment = evaluate(
        pack_of(rule), facts, more.get("attributes", {}), more.get("as_of", TODAY), more.get("choices")
    )
    return assessment.results[0].answer

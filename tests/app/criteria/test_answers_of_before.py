"""Answers that were kept with the English of each sentence beside the Vietnamese."""

import json
from pathlib import Path
from typing import Any

from app.criteria import flags
from app.criteria.assessments import answer_digest
from app.criteria.models import VillageAssessment
from app.criteria.queries import as_computed, assessment
from app.criteria.rules import Assessment, evaluate
from app.criteria.rules.canonical import canonical
from app.db import Words
from tests.app.criteria.rules.small_pack import TODAY, fact, named, pack_of

KEPT = (Path(__file__).parent / "answer_of_before.json").read_text().strip()
RULE = {"kind": "ratio_at_least@1", "numerator": "p", "denominator": "q", "percent": 100, "zero_denominator": "unmet"}


def test_it_is_read_in_both_languages_and_spelled_as_it_was() -> None:
    answer = Assessment.from_json(KEPT)
    leaf = answer.results[0].answer
    assert leaf.reason.vi == "1/1 hộ có mã. Thôi tính 1: B (Lý do của B)."
    assert leaf.reason.text("en") == "1/1 households with a code. No longer counted, 1: B (Reason of B)."
    (left,) = leaf.not_counted
    assert left.reason is not None
    assert (left.reason.vi, left.reason.text("en")) == ("Lý do của B.", "Reason of B.")
    assert answer.overall.unit is not None
    assert (answer.overall.unit.text("vi"), answer.overall.unit.text("en")) == ("tiêu chí", "criteria")
    assert answer.to_json() == KEPT, "and so the check on a printed form is the same"


def as_before(node: Any) -> Any:
    """A stored answer of today with pairs of sentences."""
    if isinstance(node, list):
        return [as_before(one) for one in node]
    if not isinstance(node, dict):
        return node
    if "sentence" in node:
        return {"vi": node["vi"], "en": Words.kept_in(node).text("en")}
    return {name: as_before(one) for name, one in node.items()}


def test_it_is_the_same_answer_as_the_one_of_today() -> None:
    today = evaluate(pack_of(RULE), {"p": fact(named("A")), "q": fact(named("A", "B"))}, {}, TODAY)
    kept = Assessment.from_json(canonical(as_before(json.loads(today.to_json()))))
    assert '"sentence"' in today.to_json()
    assert '"sentence"' not in kept.to_json()
    assert answer_digest(today) == answer_digest(kept)
    assert today.results[0].answer.reason.text("en") == kept.results[0].answer.reason.text("en")


def test_its_counts_go_on_in_either_form() -> None:
    for said in ({"vi": "Đã ghi 9 bước.", "en": "9 steps recorded."}, {"vi": "Đã ghi 9 bước.", "sentence": "Lạ."}):
        tallies = {"items": {"a": said}, "facts": {"p": "2026-12-24"}}
        row = VillageAssessment(result={"canonical": KEPT}, tallies=tallies)
        (counted,) = assessment(row).facts["p"].value.have  # type: ignore[union-attr]
        assert counted.reason is not None
        assert (counted.reason.vi, counted.reason.en) == ("Đã ghi 9 bước.", said.get("en"))
        assert as_computed(row).to_json() == KEPT


def test_a_flag_of_before_is_carried_on() -> None:
    left = {"id": "b", "kind": "product", "label": "B", "label_en": None, "vi": "Lý do của B.", "en": "Reason of B."}
    flag = {"criterion_id": "c1", "clause": 1, "outcome": "met", "vi": "x", "en": "y", "only": True, "left": [left]}
    found = flags._departure(flag, VillageAssessment(values={"c1": "met"}))
    assert found.reason.text("en") == (
        "Criterion 1 became “met” only because something left the count. No longer counted, 1: B (Reason of B)."
    )
    assert flags.flag_of(found)["left"] == [left]

"""GS1's own vectors (gs1-syntax-engine) against our parser and builder.

Every class passes but those that ask for another rule than ours: `permit_convenience_alphas` (removed from the standard in
2022), `permit_zero_suppressed_gtin` (14 digits since 2023) and `allow_unknown_ai_as_attribute` are options we do not have,
so these addresses must be refused.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from app.errors import Invalid
from app.products import gtins
from app.trace import digital_link
from app.trace.digital_link import Element

VECTORS = Path(__file__).resolve().parents[3] / "shared" / "data" / "gs1"
pytestmark = pytest.mark.skipif(
    not VECTORS.is_dir(), reason=f"GS1's test vectors are not on this machine (looked in {VECTORS})"
)


def read(name: str) -> list[dict[str, Any]]:
    file = VECTORS / name
    return json.loads(file.read_text())["vectors"] if file.is_file() else []


def elements(bracketed: str) -> list[Element]:
    return [Element(ai, value) for ai, value in re.findall(r"\((\d{2,4})\)([^(]*)", bracketed)]


PARSE = read("digital-link-parse.json")
GENERATE = read("digital-link-generate.json")
SEQUENCES = read("digital-link-path-sequences.json")


@pytest.mark.parametrize("vector", [v for v in PARSE if "options" not in v], ids=lambda v: v["uri"] or "empty")
def test_an_address_is_read_as_gs1_reads_it(vector: dict[str, Any]) -> None:
    if not vector["valid"]:
        with pytest.raises(Invalid):
            digital_link.parse(vector["uri"])
        return
    link = digital_link.parse(vector["uri"])
    assert digital_link.element_string(link) == vector["element_string"]
    assert digital_link.parse(digital_link.write(link)) == link


@pytest.mark.parametrize("vector", [v for v in PARSE if "options" in v], ids=lambda v: v["uri"])
def test_what_only_a_loosened_parser_accepts_is_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        digital_link.parse(vector["uri"])


@pytest.mark.parametrize("vector", GENERATE, ids=lambda v: v["bracketed"])
def test_an_address_is_written_as_gs1_writes_it(vector: dict[str, Any]) -> None:
    def write() -> str:
        return digital_link.build(elements(vector["bracketed"]), vector["stem"] or digital_link.CANONICAL_STEM)

    if vector["valid"]:
        assert write() == vector["uri"]
    else:
        with pytest.raises(Invalid):
            write()


@pytest.mark.parametrize("vector", SEQUENCES, ids=lambda v: "-".join(v["ais"]))
def test_the_order_of_the_path_is_gs1s(vector: dict[str, Any]) -> None:
    assert digital_link.path_is_valid(vector["ais"]) is vector["valid"]


def test_check_digits_are_gs1s() -> None:
    known = json.loads((VECTORS / "check-digits.json").read_text())
    for case in known["check_digit"]:
        assert gtins.check_digit(case["payload"]) == str(case["check_digit"])
    for text in known["non_numeric_must_be_refused"]:
        with pytest.raises(Invalid):
            gtins.check_digit(text)
    for text in [*known["gtin8_valid"], *known["gtin12_equivalents"]]:
        assert gtins.gtin14(text) == text.zfill(14)

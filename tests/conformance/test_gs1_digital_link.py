"""GS1's own vectors (gs1-syntax-engine) against our parser and builder.

Every class passes but those that ask for another rule than ours: `permit_convenience_alphas` (removed from the standard in
2022), `permit_zero_suppressed_gtin` (14 digits since 2023) and `allow_unknown_ai_as_attribute` are options we do not have,
so these addresses must be refused.

Where the engine and we differ by choice (no vector of the files says either): a percent sign without two hexadecimal digits, an
empty port (`https://a:/`) and a port of letters are refused, the engine lets them pass; a nameless parameter (`?=x`) is nobody's business
here, as every foreign one, the engine refuses it.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from app.errors import Invalid
from app.products import gtins
from app.trace import digital_link
from app.trace.digital_link import DigitalLink, Element
from app.trace.gs1_identifiers import known
from app.trace.gs1_values import UNCHECKED, check_value

VECTORS = Path(__file__).resolve().parents[3] / "shared" / "data" / "gs1"
pytestmark = pytest.mark.skipif(
    not VECTORS.is_dir(), reason=f"GS1's test vectors are not on this machine (looked in {VECTORS})"
)


def read(name: str) -> list[dict[str, Any]]:
    file = VECTORS / name
    return json.loads(file.read_text())["vectors"] if file.is_file() else []


def elements(bracketed: str) -> list[Element]:
    return [Element(ai, value) for ai, value in re.findall(r"\((\d{2,4})\)([^(]*)", bracketed)]


def element_string(link: DigitalLink) -> str:
    """The data of an address as a scanner gives it, with ^ for FNC1: in front, and after values of variable length."""
    every = (*link.path, *link.attributes)
    text = "".join(e.ai + e.value + ("" if known(e.ai).fixed else "^") for e in every)
    return f"^{text}".removesuffix("^")


def is_checked(element: Element) -> bool:
    return not any(UNCHECKED & {*part.checks} for part in known(element.ai).parts)


PARSE = read("digital-link-parse.json")
GENERATE = read("digital-link-generate.json")
SEQUENCES = read("digital-link-path-sequences.json")
VALUES = read("element-string-linters.json")
CHECKED = [v for v in VALUES if all(is_checked(e) for e in elements(v["bracketed"]))]


def test_all_vectors_are_here() -> None:
    """So that a lost file or a filter too many cannot pass for success."""
    plain = [v for v in PARSE if "options" not in v]
    assert (len(plain), sum(v["valid"] for v in plain), len(PARSE) - len(plain)) == (50, 31, 9)
    assert (len(GENERATE), len(SEQUENCES)) == (11, 19)
    assert (len(VALUES), len(CHECKED)) == (50, 23)


@pytest.mark.parametrize("vector", [v for v in PARSE if "options" not in v], ids=lambda v: v["uri"] or "empty")
def test_an_address_is_read_as_gs1_reads_it(vector: dict[str, Any]) -> None:
    if not vector["valid"]:
        with pytest.raises(Invalid):
            digital_link.parse(vector["uri"])
        return
    link = digital_link.parse(vector["uri"])
    assert element_string(link) == vector["element_string"]
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
    assert bool(digital_link.ways_of(vector["ais"])) is vector["valid"]


@pytest.mark.parametrize("vector", CHECKED, ids=lambda v: v["bracketed"])
def test_a_value_is_judged_as_gs1_judges_it(vector: dict[str, Any]) -> None:
    def check() -> None:
        for element in elements(vector["bracketed"]):
            check_value(known(element.ai), element.value)

    if vector["valid"]:
        check()
    else:
        with pytest.raises(Invalid):
            check()


def test_check_digits_are_gs1s() -> None:
    vectors = json.loads((VECTORS / "check-digits.json").read_text())
    assert {name: len(cases) for name, cases in vectors.items() if isinstance(cases, list)} == {
        "check_digit": 6,
        "non_numeric_must_be_refused": 5,
        "gtin8_valid": 7,
        "gtin12_equivalents": 3,
        "gln_valid": 1,
        "gln_invalid": 2,
        "sscc_valid": 1,
        "sscc_invalid": 2,
    }
    for case in vectors["check_digit"]:
        assert gtins.check_digit(case["payload"]) == str(case["check_digit"])
    for text in vectors["non_numeric_must_be_refused"]:
        with pytest.raises(Invalid):
            gtins.check_digit(text)
    for text in [*vectors["gtin8_valid"], *vectors["gtin12_equivalents"]]:
        assert gtins.gtin14(text) == text.zfill(14)
    for ai, name in (("414", "gln"), ("00", "sscc")):
        for text in vectors[f"{name}_valid"]:
            check_value(known(ai), text)
        for text in vectors[f"{name}_invalid"]:
            with pytest.raises(Invalid):
                check_value(known(ai), text)

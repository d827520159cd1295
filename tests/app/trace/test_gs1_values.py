"""The table of GS1's identifiers and the checks of their values."""

import re

import pytest

from app.errors import Invalid
from app.trace.gs1_identifiers import known, matches, rules
from app.trace.gs1_values import _CHECKS, CHARACTERS, UNCHECKED, check_value


def refused(ai: str, value: str) -> str | None:
    try:
        check_value(known(ai), value)
    except Invalid as problem:
        return problem.code.removeprefix("digital_link_")
    return None


def test_the_table_is_whole_and_speaks_of_nothing_that_is_not_there() -> None:
    table = rules()
    assert len(table) == 541
    assert sum(rule.qualifiers is not None for rule in table.values()) == 16
    parts = [part for rule in table.values() for part in rule.parts]
    assert {part.kind for part in parts} == CHARACTERS.keys()
    assert {name for part in parts for name in part.checks} == _CHECKS.keys() | UNCHECKED
    for rule in table.values():
        named = {ai for group in rule.needs for ai in group} | {q for way in rule.qualifiers or () for q in way}
        for ai in named | {*rule.excludes}:
            assert any(matches(other, ai) for other in table), (rule.ai, ai)
        assert (
            all(part.optional for part in rule.parts[[p.optional for p in rule.parts].index(True) :])
            if any(p.optional for p in rule.parts)
            else True
        )
        assert not rule.fixed or all(p.shortest == p.longest and not p.optional for p in rule.parts), rule.ai


def test_the_relations_of_july_2026_hold() -> None:
    assert matches("3103", "310n")
    assert known("3103").excludes == ("310n",)
    assert known("03").excludes == ("01", "02", "37", "235")
    assert known("250").needs == (("01", "21"), ("03", "21"), ("8006", "21"))
    assert known("422").needs == (("01",), ("02",), ("03",), ("8006",), ("8026",))
    with pytest.raises(Invalid, match="89"):
        known("89")


@pytest.mark.parametrize(
    ("ai", "right", "wrong"),
    [
        ("00", ["123456789012345675"], ["123456789012345670", "12345678901234567", "12345678901234567A"]),
        ("401", ["1234", "1234X"], ["123", "12", "12A4", "95AB"]),
        ("7023", ["1234A"], ["12A4"]),
        ("8004", ["9520614141234567"], ["95AB", "9"]),
        ("8010", ["9520A"], ["1", "95A0"]),
        ("8011", ["1", "10"], ["0", "01"]),
        ("8013", [], ["22", "1987654Ad4X4bL5ttr2310c2J"]),
        ("8030", ["AbC-_", "1A", "1=="], ["12==", "=23", "123=", "1=2", "ABC:123", "1==="]),
        ("4309", ["18000000003600000000"], ["18000000013600000000", "18000000003600000001", "99999999999999999999"]),
        ("7252", ["0", "1", "2", "9"], ["3", "5"]),
        ("7258", ["1/3", "3/3"], ["0/3", "4/3", "1/0", "1-3", "///"]),
        ("7241", ["01", "10", "80", "99"], ["00", "11", "79"]),
        ("426", ["704"], ["987", "000"]),
        ("4307", ["VN"], ["AA", "vn"]),
        ("7030", ["704A", "999A"], ["998A"]),
        ("3910", ["7041"], ["0001"]),
        ("8007", ["GB82WEST12345698765432"], ["GB82WEST12345698765433", "AB12345678901234", "FR1234", "gb82west12345698765432"]),
        ("4324", ["2612002359"], ["2612002400", "2612002360", "2613010000"]),
        ("8006", ["123456789012310102"], ["123456789012310201", "123456789012310001", "123456789012310100"]),
        ("7040", ["1AB-"], ["1AB="]),
        ("4330", ["000123", "000123-"], ["000123+"]),
        ("8003", ["01234567890128A"], ["11234567890128A"]),
        ("4300", ["A%20B"], ["A%2", "A%0g"]),
        ("253", ["1231231231232", "1231231231232TEST"], ["1231231231232TEST567890123456789"]),
    ],
)  # fmt: skip
def test_a_value_is_read_strictly(ai: str, right: list[str], wrong: list[str]) -> None:
    assert [(value, refused(ai, value)) for value in right] == [(value, None) for value in right]
    assert [value for value in wrong if refused(ai, value) is None] == []


def test_every_value_is_judged_whatever_it_holds() -> None:
    """No character and no length makes a check fail instead of answering."""
    for ai, rule in rules().items():
        longest = sum(part.longest for part in rule.parts)
        for text in (
            "",
            "0",
            "9" * longest,
            "A" * longest,
            "=" * longest,
            "\x00",
            "٣" * longest,
            "é",
            "/",
            "9" * (longest + 1),
        ):
            assert refused(ai, text) in {None, "value", "check", "value_long"}, (ai, text)
        assert refused(ai, "9" * 500) is not None


def test_the_files_of_facts_hold_no_sentences_of_others() -> None:
    """Facts carry over, words do not: the table holds numbers and our own names only."""
    for rule in rules().values():
        assert re.fullmatch(r"[0-9]{2,4}", rule.ai)
        assert all(
            re.fullmatch(r"[0-9]{2,4}|[0-9]{1,3}n{1,2}", ai)
            for ai in (*rule.excludes, *(a for g in rule.needs for a in g))
        )

"""Codes that people read and type."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Invalid
from app.trace import codes

firsts = st.text(alphabet=codes.ALPHABET, min_size=codes.RANDOM_LENGTH, max_size=codes.RANDOM_LENGTH)
KNOWN = "0123456789AB"


def whole(first: str) -> str:
    return first + codes.check_character(first)


def test_the_check_character_of_a_known_code_never_changes() -> None:
    """Printed labels outlive every release: these may not change."""
    made = {
        f: codes.check_character(f) for f in ("000000000000", "100000000000", KNOWN, "ZZZZZZZZZZZZ", "K7M29QXD3HTP")
    }
    assert made == {
        "000000000000": "0",
        "100000000000": "2",
        "0123456789AB": "Y",
        "ZZZZZZZZZZZZ": "R",
        "K7M29QXD3HTP": "K",
    }


@given(firsts, st.integers(0, codes.LENGTH - 1), st.sampled_from(codes.ALPHABET))
def test_every_single_wrong_character_is_found(first: str, place: int, other: str) -> None:
    code = whole(first)
    damaged = code[:place] + other + code[place + 1 :]
    assert codes.is_canonical(damaged) == (damaged == code)


@given(firsts)
def test_every_exchange_of_two_characters_is_found(first: str) -> None:
    code = whole(first)
    for left, right in itertools.combinations(range(codes.LENGTH), 2):
        swapped = list(code)
        swapped[left], swapped[right] = swapped[right], swapped[left]
        assert codes.is_canonical("".join(swapped)) == (code[left] == code[right])


def test_new_codes_are_canonical_distinct_and_never_look_like_a_number() -> None:
    made = {codes.new_code() for _ in range(3000)}
    assert len(made) == 3000
    assert all(codes.is_canonical(code) and len(code) == 13 for code in made)
    assert not any(re.search(r"\d{8}", code) for code in made)


def test_what_people_type_is_read_in_one_spelling() -> None:
    code = whole("K7M29QXD3H10")
    typed = [
        code,
        code.lower(),
        codes.grouped(code),
        f"  {code[:4]} {code[4:8]}–{code[8:]} ",
        code.replace("0", "O").replace("1", "l"),
        code.replace("0", "o").replace("1", "I"),
        "".join(chr(ord(c) + 0xFEE0) for c in code),
        f"\ufeff{code[:4]}\u200b{code[4:8]}\u00ad{code[8:]}\u200f",
    ]
    assert {codes.normalise(text) for text in typed} == {code}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "code_length"),
        ("K7M2", "code_length"),
        ("K7M2-9QXD-3HTP-1234", "code_length"),
        ("U7M29QXD3HTP0", "code_character"),
        ("K7M2/9QXD3HTP", "code_character"),
        ("Đ7M29QXD3HTP0", "code_character"),
        ("K7M2\x009QXD3HTP", "code_character"),
        ("A" * 65, "code_too_long"),
        ("0" * 100_000, "code_too_long"),
    ],
)
def test_what_cannot_be_a_code_is_refused_with_a_way_out(text: str, problem: str) -> None:
    with pytest.raises(Invalid) as caught:
        codes.normalise(text)
    assert caught.value.code == problem
    assert caught.value.field == "code"
    assert "nhập lại" in caught.value.text("vi")
    assert caught.value.status == 422


@pytest.mark.parametrize("typed", ["K7Â29QXD3HTPK", "K7M2Đ9QX3HTPK", "k7m2ế9qx3htpk"])
def test_a_keyboard_that_joins_letters_is_named_as_the_cause(typed: str) -> None:
    with pytest.raises(Invalid) as caught:
        codes.normalise(typed)
    assert caught.value.code == "code_character"
    assert "gõ dấu cách giữa hai chữ" in caught.value.text("vi")


def test_a_wrong_check_character_says_to_compare_each_character() -> None:
    code = whole(KNOWN)
    wrong = code[:-1] + ("0" if code[-1] != "0" else "1")
    with pytest.raises(Invalid) as caught:
        codes.normalise(wrong)
    assert caught.value.code == "code_check"
    assert "so từng ký tự" in caught.value.text("vi")


def test_a_code_on_a_label_is_written_in_groups() -> None:
    assert codes.grouped("K7M29QXD3HTPC") == "K7M2-9QXD-3HTPC"

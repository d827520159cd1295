"""Reading is the exact inverse of showing, in both languages, and guesses nothing."""

from decimal import Decimal

import pytest
from babel.numbers import format_decimal
from hypothesis import given
from hypothesis import strategies as st

from app import numbers
from app.numbers import LANGUAGES, Misread, read, read_machine, read_machine_whole, read_whole, shown

LANGUAGE = st.sampled_from(LANGUAGES)


@given(st.decimals(-(10**12), 10**12, places=3), LANGUAGE)
def test_what_is_shown_is_read_back_to_the_last_digit(value: Decimal, language: str) -> None:
    assert read(shown(value, language), language) == value
    assert shown(value, language) == format_decimal(value + 0, locale=language, decimal_quantization=False)


@given(st.integers(-(10**15), 10**15), LANGUAGE)
def test_whole_numbers_are_read_back(value: int, language: str) -> None:
    assert read_whole(shown(value, language), language) == value
    assert read_whole(str(value), language) == value


def read_or_nearest(text: str, language: str) -> tuple[Decimal | None, tuple[str, ...]]:
    try:
        return read(text, language), ()
    except Misread as error:
        return None, error.nearest


@given(st.text("0123456789.,- \u00a0", max_size=12), LANGUAGE)
def test_whatever_is_read_is_no_other_number_in_its_right_spelling(text: str, language: str) -> None:
    """Without its groups, blanks and empty zeros, what was typed is what is shown."""
    value, nearest = read_or_nearest(text, language)
    assert all(shown(read(n, language), language) == n for n in nearest)
    if value is None:
        return
    group, decimal = numbers._SIGNS[language]
    plain = text.strip().translate({ord(c): None for c in f"{group} \u00a0"})
    whole, _, part = plain.partition(decimal)
    plain = whole + ("." + part if part else "")
    assert Decimal(plain) == value


@pytest.mark.parametrize(
    ("language", "text", "value"),
    [
        ("vi", "1.200", "1200"),
        ("vi", "1,2", "1.2"),
        ("vi", "1200", "1200"),
        ("vi", "1200,5", "1200.5"),
        ("vi", "1.200,5", "1200.5"),
        ("vi", "1 200,5", "1200.5"),
        ("vi", "1\u00a0200\u00a0000", "1200000"),
        ("vi", "0,5", "0.5"),
        ("vi", "0,500", "0.5"),
        ("vi", "1,255", "1.255"),
        ("vi", "1,20", "1.2"),
        ("vi", " 0120000 ", "120000"),
        ("vi", "-2,5", "-2.5"),
        ("en", "1,200", "1200"),
        ("en", "1.2", "1.2"),
        ("en", "1,200.5", "1200.5"),
        ("en", "1 200.5", "1200.5"),
        ("en", "0.5", "0.5"),
    ],
)
def test_what_is_written_well_is_read(language: str, text: str, value: str) -> None:
    assert read(text, language) == Decimal(value)


@pytest.mark.parametrize(
    ("language", "text", "nearest"),
    [
        ("vi", "1.2", ("1,2",)),
        ("vi", "1.20", ("1,2",)),
        ("vi", "185.00", ("185",)),
        ("vi", "185.0000", ("185", "1.850.000")),
        ("vi", "1,200", ("1.200", "1,2")),
        ("vi", "120,000", ("120.000", "120")),
        ("vi", "1,2.3", ()),
        ("vi", "1.200.5", ("1.200,5",)),
        ("vi", "0.500", ("0,5",)),
        ("vi", "1,200.5", ("1.200,5",)),
        ("vi", "1 200.000", ("1.200", "1.200.000")),
        ("vi", "12 00", ("1.200",)),
        ("vi", "１２００", ("1.200",)),
        ("en", "1.200", ("1,200", "1.2")),
        ("en", "1,2", ("1.2",)),
        ("en", "120.000", ("120,000", "120")),
        ("vi", "1,2,3", ()),
        ("vi", "120k", ()),
        ("vi", "1_200", ()),
        ("vi", "1e3", ()),
        ("vi", "NaN", ()),
        ("vi", "1200,", ()),
        ("vi", ",5", ("0,5",)),
        ("vi", ".5", ("0,5",)),
        ("en", ".5", ("0.5",)),
        ("vi", "", ()),
        ("vi", "٣", ()),
        ("vi", "9" * 41, ()),
    ],
)
def test_what_is_not_written_well_is_refused_with_what_may_be_meant(
    language: str, text: str, nearest: tuple[str, ...]
) -> None:
    with pytest.raises(Misread) as refused:
        read(text, language)
    assert refused.value.nearest == nearest


@pytest.mark.parametrize(
    ("language", "text", "nearest"),
    [
        ("vi", "185,0", ("185",)),
        ("vi", "185.00", ("185",)),
        ("vi", "1,255", ("1.255",)),
        ("vi", "2,5", ()),
        ("vi", "1.2", ()),
        ("en", "185.0", ("185",)),
        ("en", "120.000", ("120,000", "120")),
    ],
)
def test_a_whole_number_has_no_decimal_sign(language: str, text: str, nearest: tuple[str, ...]) -> None:
    with pytest.raises(Misread) as refused:
        read_whole(text, language)
    assert refused.value.nearest == nearest


def test_programs_write_a_dot_and_no_groups() -> None:
    assert read_machine("1200.5") == Decimal("1200.5")
    assert read_machine_whole("1200") == 1200
    for text in ("1,5", "1.200,5", "1e3", "NaN", "１", "", "1.", "0x10"):
        with pytest.raises(Misread):
            read_machine(text)
    for text in ("185.0000", "185.0", "1_000", "１"):
        with pytest.raises(Misread):
            read_machine_whole(text)

"""Numbers of goods: mistyped ones are refused, those of shops and companies are told apart."""

import pytest

from app.errors import Invalid
from app.products import gtins


@pytest.mark.parametrize("text", ["", "952012345678", "9520123456788 ", "９520123456788", "09520123456789", "x" * 14])
def test_a_mistyped_gtin_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        gtins.gtin14(text)
    assert caught.value.field == "gtin"


@pytest.mark.parametrize(
    ("gtin", "internal"), [("0123456", True), ("2345678", True), ("9520123", False), ("1000000", False)]
)
def test_short_numbers_of_a_shop_itself_are_for_internal_use(gtin: str, internal: bool) -> None:  # noqa: FBT001
    whole = gtin + gtins.check_digit(gtin)
    assert gtins.is_restricted(gtins.gtin14(whole)) is internal


def test_a_gtin_of_thirteen_digits_is_written_with_fourteen() -> None:
    assert gtins.gtin14("9520123456788") == "09520123456788"

"""Numbers of goods: mistyped ones are refused, those of shops and companies are told apart."""

import pytest
from pydantic import ValidationError

from app.db import new_id
from app.errors import Invalid
from app.products import gtins
from app.products.schemas import NewVariant


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


# GS1 General Specifications, section 1.4.2: what the first digits of thirteen mean. A coupon (05, 98, 99) is no good either.
@pytest.mark.parametrize(
    ("prefix", "internal"),
    [
        ("01", False), ("02", True), ("03", False), ("04", True), ("05", True), ("06", False),
        ("19", False), ("20", True), ("29", True), ("30", False), ("89", False), ("97", False), ("98", True), ("99", True),
    ],
)  # fmt: skip
def test_a_number_of_a_restricted_range_is_refused_for_a_pack(prefix: str, *, internal: bool) -> None:
    digits = f"{prefix}1234567890"
    whole = digits + gtins.check_digit(digits)
    assert gtins.is_restricted(gtins.gtin14(whole)) is internal
    facts = {
        "id": new_id(),
        "product_id": new_id(),
        "sku": "NA-1KG",
        "name_vi": "Hộp 1 kg",
        "price_dong": "1",
        "gtin": whole,
    }
    if internal:
        with pytest.raises(ValidationError) as refused:
            NewVariant.model_validate(facts)
        (told,) = refused.value.errors()
        assert (told["loc"], "chỉ dùng nội bộ" in str(vars(told["ctx"]["error"]))) == (("gtin",), True)
    else:
        assert NewVariant.model_validate(facts).gtin == whole.zfill(14)

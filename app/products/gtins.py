"""Numbers of goods (GTIN): their check digit, their spelling with 14 digits, and which may not be printed."""

import re

from app.errors import Invalid
from app.messages import N_

_DIGITS = re.compile(r"[0-9]*")


def check_digit(digits: str) -> str:
    """GS1's modulo-10 check digit of a string of digits without it. Raises Invalid for anything but 0-9."""
    if not digits or _DIGITS.fullmatch(digits) is None:
        raise Invalid(
            "digital_link_digits",
            N_("Mã số chỉ gồm các chữ số 0-9."),
            field="uri",
        )
    total = sum(int(d) * (3 if place % 2 == 0 else 1) for place, d in enumerate(reversed(digits)))
    return str(-total % 10)


def gtin14(text: str) -> str:
    """The 14-digit spelling of a GTIN of 8, 12, 13 or 14 digits. Raises Invalid, also for a wrong check digit."""
    if len(text) not in {8, 12, 13, 14} or _DIGITS.fullmatch(text) is None:
        raise Invalid(
            "gtin_length",
            N_("Mã số thương phẩm (GTIN) có 8, 12, 13 hoặc 14 chữ số. Hãy nhập lại đúng dãy số dưới mã vạch."),
            field="gtin",
        )
    if check_digit(text[:-1]) != text[-1]:
        raise Invalid(
            "gtin_check_digit",
            N_("Mã số thương phẩm (GTIN) sai chữ số kiểm tra: có một chữ số nhập nhầm. Hãy so lại với mã vạch."),
            field="gtin",
        )
    return text.zfill(14)


def is_restricted(gtin: str) -> bool:
    """Whether a GTIN lies in a range that means something only inside one company or country.

    GS1 General Specifications: prefixes 02, 04 and 20-29 are restricted circulation, 05 and 98-99 coupons; of the 8-digit
    numbers those that begin with 0 or 2 are the shops' own. Such a number must never stand in a printed address.
    """
    thirteen = gtin.zfill(14)[1:]
    if thirteen.startswith("00000"):
        return thirteen[5] in {"0", "2"}
    return thirteen[:2] in {"02", "04", "05", "98", "99"} or thirteen[0] == "2"

"""GS1 addresses: what is printed is read back, what is wrong is refused for its reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Invalid
from app.products import gtins
from app.trace import digital_link

GTIN = "09520123456788"  # GS1's own example range
CSET82 = "!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"


def refused(uri: str) -> str:
    with pytest.raises(Invalid) as caught:
        digital_link.parse(uri)
    return caught.value.code.removeprefix("digital_link_")


@given(st.text(alphabet=CSET82, min_size=1, max_size=20))
def test_any_legal_lot_survives_printing_and_scanning(lot: str) -> None:
    link = digital_link.parse(digital_link.printed("https://hoi.example.vn", GTIN, lot))
    assert (link.stem, link.gtin, link.lot, link.serial) == ("https://hoi.example.vn", GTIN, lot, None)


def test_a_serial_and_attributes_are_told_apart() -> None:
    link = digital_link.parse(f"https://h.vn/x/01/{GTIN}/10/NA-1126-01/21/K7M2?17=270630&utm_source=zalo")
    assert link.stem == "https://h.vn/x"
    assert link.serial == "K7M2"
    assert link.value("17") == "270630"
    assert link.other == (("utm_source", "zalo"),)


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        (f"https://h.vn/01/{GTIN[:-1]}5/10/A", "check"),
        (f"https://h.vn/01/{GTIN[1:]}/10/A", "value"),
        (f"https://h.vn/10/A/01/{GTIN}/21/B/10/C", "order"),
        (f"https://h.vn/01/{GTIN}/21/B/10/C", "order"),
        (f"https://h.vn/01/{GTIN}/10/{'A' * 21}", "value_long"),
        (f"https://h.vn/01/{GTIN}/10/L%C3%B4", "characters"),
        (f"https://h.vn/01/{GTIN}/10/A%2", "percent"),
        (f"https://h.vn/01/{GTIN}/10/A%20B", "value"),
        (f"https://h.vn/01/{GTIN}?17=261301", "check"),
        (f"https://h.vn/01/{GTIN}?17=260230", "check"),
        (f"https://h.vn/01/{GTIN}?10=A", "attribute"),
        (f"https://h.vn/01/{GTIN}?37=5", "excluded"),
        ("https://h.vn/414/9520123456788?17=270630", "lacking"),
        (f"https://h.vn/01/{GTIN}/10/" + "A" * 2000, "long"),
        ("javascript:alert(1)", "address"),
        (f"https://người.vn/01/{GTIN}", "address"),
    ],
)
def test_a_wrong_address_is_refused_for_its_reason(uri: str, why: str) -> None:
    assert refused(uri) == why


def test_a_day_of_zero_means_the_end_of_the_month_where_gs1_allows_it() -> None:
    assert digital_link.parse(f"https://h.vn/01/{GTIN}?17=270600").value("17") == "270600"
    assert refused(f"https://h.vn/01/{GTIN}?7006=270600") == "check"


@pytest.mark.parametrize("gtin", ["2000000000008", "0212345678906", "0412345678904", "2912345678907", "9912345678902"])
def test_a_number_for_internal_use_is_never_printed(gtin: str) -> None:
    first = gtin[:-1]
    whole = first + gtins.check_digit(first)
    with pytest.raises(Invalid) as caught:
        digital_link.printed("https://h.vn", whole, "A")
    assert caught.value.code == "gtin_restricted"

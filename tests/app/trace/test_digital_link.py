"""GS1 addresses: what is printed is read back, what is wrong is refused for its reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Invalid
from app.products import gtins
from app.trace import digital_link
from app.trace.digital_link import DigitalLink, Element

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
        (f"https://h.vn/01/{GTIN}/22/V?10=A", "attribute"),
        (f"https://h.vn/01/{GTIN}/235/X?22=A", "attribute"),
        (f"https://h.vn/01/{GTIN}/10/A/235/X", "order"),
        (f"https://h.vn/01/{GTIN}?17=270630;3103=000195", "value_long"),
        ("https://h[i/01/" + GTIN, "address"),
        (f"https://h.vn/01/{GTIN}/10/" + "A" * 2000, "long"),
        ("javascript:alert(1)", "address"),
        (f"https://người.vn/01/{GTIN}", "address"),
    ],
)
def test_a_wrong_address_is_refused_for_its_reason(uri: str, why: str) -> None:
    assert refused(uri) == why


def test_only_the_qualifiers_of_the_way_that_the_path_takes_are_kept_out_of_the_query() -> None:
    link = digital_link.parse(f"https://h.vn/01/{GTIN}/235/XYZ?10=ABC123")
    assert (link.value("235"), link.value("10")) == ("XYZ", "ABC123")
    assert digital_link.write(link) == f"https://h.vn/01/{GTIN}/235/XYZ?10=ABC123"


def test_a_semicolon_belongs_to_the_value() -> None:
    assert digital_link.parse(f"https://h.vn/01/{GTIN}?240=A;B&9;9=Q").attributes == (Element("240", "A;B"),)


PIECES = st.sampled_from(
    ["/", "//", "01", "00", "10", "21", "22", "235", "414", "8004", "17", "99", "37", GTIN, "952012345678912345", "?", "&", "=", ";", "#",
     "%", "%zz", "%00", "%25", "[", "]", "\x00", " ", "A", "1", "é", "٣", "+", ":", "@", "https://h.vn", "HTTP://h", "261231", "\n"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=14).map("".join), st.booleans())
def test_any_address_is_read_or_refused_and_always_alike(tail: str, plain: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    uri = f"https://h.vn/01/{GTIN}{tail}" if plain else tail

    def judged() -> object:
        try:
            return digital_link.parse(uri)
        except Invalid as refused:
            return refused.code

    first = judged()
    assert judged() == first
    if isinstance(first, DigitalLink):
        assert digital_link.parse(digital_link.write(first)) == first


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

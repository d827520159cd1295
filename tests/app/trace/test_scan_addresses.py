"""What the address of a scan asks for: which code, right or wrong, and never an error of our own."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Invalid
from app.trace import scan_addresses
from app.trace.scan_addresses import Asked

CODE = "0123456789ABY"
GTIN = "09520123456788"
LOT = f"/01/{GTIN}/10/NA-1126-01"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (f"/t/{CODE}", CODE),
        (f"/t/{CODE.lower()}", None),
        (f"/t/{CODE}/", None),
        ("/t/0123456789AB0", None),
        ("/t/", None),
        (f"/01/{GTIN}/10/NA-1126-01", f"{GTIN}/NA-1126-01"),
        (f"/01/{GTIN}/10/NA-1126-01/", f"{GTIN}/NA-1126-01"),
        (f"/01/{GTIN}/10/NA-1126-01/21/K7M2", f"{GTIN}/NA-1126-01"),
        (f"/01/{GTIN}/10/a%b", f"{GTIN}/a%b"),
        (f"/01/{GTIN}/10/{'A' * 21}", None),
        (f"/01/{GTIN}/10/A/21/{'A' * 21}", None),
        (f"/01/{GTIN}/22/2A/10/NA-1126-01", f"{GTIN}/NA-1126-01"),
        (f"/01/{GTIN}/22/2A/10/NA-1126-01/21/K7M2", f"{GTIN}/NA-1126-01"),
        (f"/01/{GTIN}/22/{'A' * 21}/10/A", None),
        (f"/01/{GTIN}/10/A/22/2A", None),
        (f"/01/{GTIN}/22/2A", None),
        (f"/01/{GTIN}/21/K7M2", None),
        ("/01/٠٩٥٢٠١٢٣٤٥٦٧٨٨/10/A", None),
        (f"/01/{GTIN[1:]}/10/A", None),
        (f"/01/{GTIN[:-1]}5/10/A", None),
        ("/01/", None),
        ("/", None),
    ],
)
def test_only_canonical_paths_name_a_code(path: str, code: str | None) -> None:
    assert scan_addresses.code_of_path(path) == code


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        (f" {CODE[:4]}-{CODE[4:8].lower()} {CODE[8:]}/", CODE),
        (f"{GTIN}/NA-1126-01", f"{GTIN}/NA-1126-01"),
        (f" {GTIN[1:]} / na-1126-01 ", f"{GTIN}/NA-1126-01"),
        (f"({CODE})", CODE),
        (f'{CODE}"', CODE),
        (f"“{CODE}”.", CODE),
        (f"<https://h.vn/T/{CODE}>", CODE),
        (f"https://h.vn/t/{CODE}).", CODE),
        (f"https://h.vn/01/{GTIN}/10/NA-1126-01,", f"{GTIN}/NA-1126-01"),
        (f"{GTIN[:2]} {GTIN[2:8]}-{GTIN[8:]}/NA-1126-01", f"{GTIN}/NA-1126-01"),
    ],
)
def test_what_stands_on_a_label_may_be_typed(typed: str, code: str) -> None:
    assert scan_addresses.code_of_text(typed) == code


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        (f"{GTIN[:-1]}5/NA-1126-01", "gtin_check_digit"),
        ("123/NA-1126-01", "gtin_length"),
        (f"{GTIN}/Lô 5", "digital_link_value"),
        (f"{GTIN}/{'A' * 21}", "digital_link_value_long"),
        ("/", "code_length"),
        ("9" * 100_000 + "/A", "gtin_length"),
    ],
)
def test_what_stands_on_no_label_is_refused_with_its_reason(typed: str, why: str) -> None:
    with pytest.raises(Invalid) as refused:
        scan_addresses.code_of_text(typed)
    assert refused.value.code == why


def test_the_path_of_a_lot_is_percent_encoded() -> None:
    assert scan_addresses.path_of_code(f"{GTIN}/A%B+C") == f"/01/{GTIN}/10/A%25B%2BC"
    assert scan_addresses.path_of_code(CODE) == f"/t/{CODE}"


@pytest.mark.parametrize(
    ("path", "query", "asked"),
    [
        (LOT, "", Asked(GTIN, f"{GTIN}/NA-1126-01", f"{GTIN}/NA-1126-01")),
        (f"{LOT}/", "17=261231&fbclid=x%zz&utm_source=zalo&zarsrc=1&lang=en", Asked(GTIN, f"{GTIN}/NA-1126-01", f"{GTIN}/NA-1126-01")),
        (f"/01/{GTIN}/22/V1/10/a", "", Asked(GTIN, f"{GTIN}/a", f"{GTIN}/V1/a")),
        (f"/01/{GTIN}", "", Asked(GTIN, None, GTIN)),
        (f"/01/{GTIN}/21/S1", "", Asked(GTIN, None, f"{GTIN}/S1")),
        (f"/01/{GTIN}/22/V1", "", Asked(GTIN, None, f"{GTIN}/V1")),
        (f"/01/{GTIN}/235/X", "10=A", Asked(GTIN, None, f"{GTIN}/X")),
        ("/01/00/952012345678912345", "", Asked(None, None, "952012345678912345")),
    ],
)  # fmt: skip
def test_an_address_asks_for_a_lot_or_for_the_goods(path: str, query: str, asked: Asked) -> None:
    assert scan_addresses.read(path, query) == asked


def test_strange_and_long_parameters_of_others_stand_beside_those_of_gs1() -> None:
    asked = scan_addresses.read(LOT, f"x=é&17=261231&fbclid={'A' * 3000}&y=<>")
    assert asked.code == f"{GTIN}/NA-1126-01"


WRONG_QUERIES = [
    "10=X",
    "99=a&99=b",
    "89=A",
    "17=269999",
    "37=5",
    "01=" + GTIN,
    "21=A",
    "17=",
    "240=A+B",
    "lang=en&17=260230",
]


@pytest.mark.parametrize("query", WRONG_QUERIES)
def test_a_wrong_query_is_refused_beside_a_right_path(query: str) -> None:
    with pytest.raises(Invalid):
        scan_addresses.read(LOT, query)
    assert not scan_addresses.query_is_right(LOT, query)
    assert scan_addresses.query_is_right(f"/t/{CODE}", query), "a short code is no address of GS1"


@pytest.mark.parametrize(
    "query",
    ["lang=en", "fbclid=1&lang=vi", "utm_source=17=269999", "a=%zz&é=ü", "x;10=A", "=3", "10", "17=261231", "&&"],
)
def test_what_others_hang_on_an_address_is_nobodys_business(query: str) -> None:
    assert scan_addresses.query_is_right(LOT, query)


def test_a_broken_percent_sign_is_told_from_a_written_one_where_the_path_is_known_as_sent() -> None:
    broken, written = f"/01/{GTIN}/10/NA%zzRAI", f"/01/{GTIN}/10/NA%25zzRAI"
    assert scan_addresses.read(broken, raw=written).code == f"{GTIN}/NA%zzRAI"
    for raw in (broken, None):
        with pytest.raises(Invalid, match="percent"):
            scan_addresses.read(broken, raw=raw)
    assert scan_addresses.read(f"/01/{GTIN}/10/A/B", raw=f"/01/{GTIN}/10/A%2FB").code == f"{GTIN}/A/B"


def test_a_lot_is_looked_for_as_it_came_then_as_ours_are_written() -> None:
    assert scan_addresses.spellings(f"{GTIN}/NA-1") == [f"{GTIN}/NA-1"]
    assert scan_addresses.spellings(f"{GTIN}/na-1).") == [f"{GTIN}/na-1).", f"{GTIN}/NA-1).", f"{GTIN}/NA-1"]
    assert scan_addresses.spellings(CODE) == [CODE]


PIECES = st.sampled_from(
    ["/", "01", "10", "21", "22", "235", "/t/", "/T/", "/01/", GTIN, CODE, "NA-1", "%", "%zz", "%00", "%25", "[", "]", "\x00", " ", "é",
     "\ud800", "٣", ".", ")", "(", "https://h.vn", "?", "&", "=", ";", "#", "17", "261231", "99"]
)  # fmt: skip


@given(
    path=st.lists(PIECES, max_size=10).map("".join), query=st.lists(PIECES, max_size=8).map("".join), ours=st.booleans()
)
def test_any_address_is_judged_and_always_alike(path: str, query: str, ours: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    whole = LOT + path if ours else path

    def judged() -> list[object]:
        found: list[object] = [scan_addresses.code_of_path(whole), scan_addresses.query_is_right(whole, query)]
        for question in (lambda: scan_addresses.read(whole, query), lambda: scan_addresses.code_of_text(whole)):
            try:
                found.append(question())
            except Invalid as refused:
                found.append(refused.code)
        return found

    first = judged()
    assert judged() == first
    if first[0] is not None:
        assert scan_addresses.code_of_path(unquote(scan_addresses.path_of_code(str(first[0])))) == first[0]

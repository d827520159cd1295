"""What a spreadsheet makes of what people type is refused by its address, never taken for the text."""

import pytest

from app.sheets import Kind, Problem, Row, read_table
from tests.app.sheets.workbooks import COLUMNS, Odd, one

TITLES = {c.key: c.title for c in COLUMNS}
TYPED = [
    (Odd("46142", style=1), Kind.DATE, "ngày tháng"),
    (Odd("46142", style=2), Kind.DATE, "ngày tháng"),
    (Odd("46142.5", style=1), Kind.DATE, "ngày tháng"),
    (Odd("2026-04-30", type="d"), Kind.DATE, "ngày tháng"),
    (Odd("0.1277", style=3), Kind.TIME, "giờ hoặc khoảng thời gian"),
    (Odd("0.125", style=4), Kind.TIME, "giờ hoặc khoảng thời gian"),
    (Odd("1", type="b"), Kind.TRUTH, "giá trị đúng/sai (TRUE/FALSE)"),
    (Odd("#N/A", type="e"), Kind.ERROR, "báo lỗi của Excel"),
    (Odd("1.23456789012346E+15"), Kind.ROUNDED, "số dài mà Excel đã làm tròn"),
    (Odd("0.5"), Kind.NUMBER, "số 0,5"),
    (Odd("-1"), Kind.NUMBER, "số -1"),
]


def judged(raw: bytes, key: str, how: str = "text") -> tuple[str, list[Problem]]:
    table = read_table(raw, COLUMNS)
    number, cells = table.rows[0]
    row = Row(number, cells, table.letters, TITLES)
    return getattr(row, how)(key), row.problems


@pytest.mark.parametrize(("cell", "kind", "said"), TYPED, ids=[f"{c.value} style {c.style}" for c, _, _ in TYPED])
@pytest.mark.parametrize(("key", "at", "how"), [("commune", 0, "code"), ("code", 1, "code"), ("name", 2, "name"), ("name", 2, "text")])  # fmt: skip
def test_a_typed_cell_is_refused_by_its_address_in_every_column(
    cell: Odd, kind: Kind, said: str, key: str, at: int, how: str
) -> None:
    cells: list[str | Odd] = ["06463", "T01", "thôn Một"]
    cells[at] = cell
    raw = one(cells)
    assert read_table(raw, COLUMNS).rows[0][1][key].kind is kind
    value, problems = judged(raw, key, how)
    assert (value, [p.why.vi for p in problems]) == ("", [f"Ô {'ABC'[at]}2 là {said}, không phải chữ."])
    assert "Văn bản (Text)" in problems[0].way_out.vi
    assert problems[0].cell == f"{'ABC'[at]}2"


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (Odd("5"), "5"),
        (Odd("5.0"), "5"),
        (Odd("6.463E+3"), "6463"),
        (Odd("646391", style=5), "0646391"),  # as the format shows it
        (Odd("12", style=6), "12"),
        (Odd("30/4", type="str"), "30/4"),
        ("30/4", "30/4"),
        ("  Nà\u00a0Mẫu\u202f ", "Nà Mẫu"),
        ("_x0041_B", "AB"),
    ],
)
def test_whole_numbers_and_texts_are_what_they_show(cell: str | Odd, text: str) -> None:
    assert judged(one(["06463", "T01", cell]), "name") == (text, [])


@pytest.mark.parametrize("unseen", ["\u00ad", "\u200b", "\u200e", "\ufeff", "\ue000", "_x000D_x"])
def test_what_cannot_be_seen_is_refused_by_its_address(unseen: str) -> None:
    value, problems = judged(one(["06463", "T01", f"Nà D{unseen}"]), "name", "name")
    assert value == ""
    assert [(p.cell, "ký tự không thấy được" in p.why.vi) for p in problems] == [("C2", True)]


def test_a_formula_is_refused_where_it_is_read_and_nowhere_else() -> None:
    raw = one(["06463", Odd("T01", type="str", formula='A2&"x"'), "Một", Odd("7", formula="SUM(A1)")])
    assert [p.why.vi for p in judged(raw, "code", "code")[1]] == ["Ô B2 là công thức."]
    assert judged(raw, "name")[1] == []


def test_one_formula_over_an_area_counts_in_each_of_its_cells() -> None:
    sheet = (
        '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        '<row r="1"><c t="str"><v>Mã xã</v></c><c t="str"><v>Mã thôn</v></c><c t="str"><v>Tên thôn</v></c></row>'
        '<row r="2"><c r="A2"><v>6463</v></c><c r="B2"><f t="array" ref="B2:B3">A2:A3</f><v>1</v></c><c r="C2"><v>1</v></c></row>'
        '<row r="3"><c r="A3"><v>6463</v></c><c r="B3"><v>2</v></c><c r="C3"><v>1</v></c></row></sheetData></worksheet>'
    )
    rows = read_table(one(xml=sheet), COLUMNS).rows
    assert [cells["code"].kind for _, cells in rows] == [Kind.FORMULA, Kind.FORMULA]


def test_the_spoken_form_of_a_text_is_no_part_of_it() -> None:
    sheet = (
        '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        '<row><c t="str"><v>Mã xã</v></c><c t="str"><v>Mã thôn</v></c><c t="inlineStr"><is><r><t>Tên </t></r><r><t>thôn</t></r></is></c></row>'
        '<row><c><v>6463</v></c><c><v>1</v></c><c t="inlineStr"><is><t>Một</t><rPh sb="0" eb="1"><t>mốt</t></rPh></is></c></row>'
        "</sheetData></worksheet>"
    )
    assert read_table(one(xml=sheet), COLUMNS).rows[0][1]["name"].text == "Một"

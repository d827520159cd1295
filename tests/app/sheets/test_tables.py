"""Official tables: what is no part of the list is left out by rule and told; the sheet is chosen where there are several."""

import pytest

from app.sheets import Choice, Table, Unreadable, read_table, template
from tests.app.sheets.workbooks import COLUMNS, HEAD, Odd, Page, book, one

CODES = ("06463", "T01", "thôn Một")


def texts(table: Table) -> list[tuple[int, str, str, str]]:
    return [(n, c["commune"].text, c["code"].text, c["name"].text) for n, c in table.rows]


def refused(raw: bytes, sheet: str = "") -> Unreadable:
    with pytest.raises(Unreadable) as told:
        read_table(raw, COLUMNS, sheet)
    return told.value


OFFICIAL = Page(
    [
        ("ỦY BAN NHÂN DÂN XÃ CHI LĂNG", "", "", "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM"),
        (),
        ("DANH SÁCH THÔN, BẢN, KHỐI PHỐ",),
        ("STT", "Mã số xã", "Mã số thôn", "Tên thôn, bản, khối phố", "Số hộ"),
        ("(1)", "(2)", "(3)", "(4)", "(5)"),
        ("I", "Cụm phía bắc"),
        ("1", "06463", "T01", "thôn Một", Odd("71", formula="B1")),
        ("2", "", "T02", "thôn Hai", "5"),
        ("Cộng", "", "", "2 thôn", Odd("76", formula="SUM(E7:E8)")),
        ("STT", "Mã số xã", "Mã số thôn", "Tên thôn, bản, khối phố", "Số hộ"),
        ("3", "06464", "T03", "thôn Tổng Cọt"),
        ("Tổng cộng", "06464", "T04", "thôn Tổng"),
        ("Tổng số:", "", "", "4 thôn"),
        ("", "", "", "Chi Lăng, ngày 01 tháng 11 năm 2026"),
        ("Người lập biểu", "", "", "", "Chủ tịch"),
    ],
    merged=["A1:C1", "A3:E3", "B6:E6", "B7:B8"],
)


def test_an_official_table_is_understood_as_it_is_and_what_is_left_out_is_told() -> None:
    table = read_table(book(OFFICIAL), COLUMNS)
    assert texts(table) == [
        (7, "06463", "T01", "thôn Một"),
        (8, "06463", "T02", "thôn Hai"),
        (11, "06464", "T03", "thôn Tổng Cọt"),
        (12, "06464", "T04", "thôn Tổng"),  # nothing is missing: a village, whatever its number is called
    ]
    left_out, unread = (n.vi for n in table.notes)
    assert left_out == (
        "Bỏ qua 2 dòng trên tiêu đề (dòng 1, 3); 2 dòng lặp lại tiêu đề hoặc đánh số cột (dòng 5, 10); 1 dòng tên nhóm (dòng 6); "
        "2 dòng tổng cộng (dòng 9, 13); 1 dòng không có gì ở các cột cần đọc (dòng 15); "
        "1 dòng cuối bảng (người lập, ký tên…) (dòng 14)."
    )
    assert unread == "Không đọc 2 cột: “STT”, “Số hộ”."
    assert all(n.speaks("en") for n in table.notes)
    assert table.letters == {"commune": "B", "code": "C", "name": "D"}


def test_the_same_table_as_a_csv_is_cut_where_its_headings_are_not_where_its_title_has_commas() -> None:
    raw = (
        "DANH SÁCH THÔN, BẢN, KHỐI PHỐ, TỔ\n\nMã xã;Mã thôn;Tên thôn\n06463;T01;thôn Một\nTổng cộng;;1 thôn\n".encode()
    )
    table = read_table(raw, COLUMNS)
    assert texts(table) == [(4, *CODES)]
    assert [n.vi for n in table.notes] == ["Bỏ qua 1 dòng trên tiêu đề (dòng 1); 1 dòng tổng cộng (dòng 5)."]


def test_headings_of_two_rows_are_read_where_they_are_merged() -> None:
    page = Page(
        [("TT", "Mã xã", "Thôn", "", "Số hộ"), ("", "", "Mã thôn", "Tên thôn", "Nghèo"), ("1", *CODES, "2")],
        merged=["A1:A2", "B1:B2", "C1:D1"],
    )
    assert texts(read_table(book(page), COLUMNS)) == [(3, *CODES)]


def test_a_merged_cell_fills_only_columns_where_it_means_each_row() -> None:
    rows = [CODES, ("", "", "thôn Hai"), ("", "T03", "")]
    table = read_table(book(Page([HEAD, *rows], merged=["A2:A4", "B2:B3", "C3:C4"])), COLUMNS)
    assert texts(table) == [(2, *CODES), (3, "06463", "", "thôn Hai"), (4, "06463", "T03", "")]


def test_an_unmerged_empty_cell_stays_empty() -> None:
    assert texts(read_table(one(CODES, ("", "T02", "thôn Hai")), COLUMNS))[1] == (3, "", "T02", "thôn Hai")


def test_a_row_that_lacks_something_is_never_left_out_silently() -> None:
    """Only what the rules name goes; a mistake of the typist stays, to be refused with its cell."""
    rows = [CODES, ("", "", "thôn Mười"), ("06463", "", ""), ("", "T05", ""), ("Tổng Cọt", "T06", "thôn Cọt")]
    assert [n for n, _ in read_table(one(*rows), COLUMNS).rows] == [2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("first", "left"),
    [
        ("Tổng cộng", 1),
        ("TỔNG SỐ", 1),
        ("Cộng:", 1),
        ("Tổng", 1),
        ("Tổng Cọt", 2),
        ("Tổng số thôn: 5", 1),
        ("Tổng 5 thôn", 1),
        ("Cộng xã Chi Lăng", 1),
        ("Cộng (I + II)", 1),
        ("Cộng II", 1),
        ("Tổng số nhân khẩu", 1),
        ("Tổngcọt", 2),
        ("Cộng Hòa", 2),
        ("Tổng Chúc", 2),
        ("Tống", 2),
        ("Cồng", 2),
        ("Tong cong", 2),
    ],
)
def test_a_row_of_totals_begins_with_its_word_and_lacks_something(first: str, left: int) -> None:
    assert len(read_table(one(CODES, (first, "", "9 thôn")), COLUMNS).rows) == left
    assert len(read_table(one(CODES, (first, "T02", "thôn Hai")), COLUMNS).rows) == 2


@pytest.mark.parametrize("name", ["Cộng Hòa", "Tổng Chúc", "Tổng Bản"])
def test_a_village_called_like_a_total_stays_where_its_commune_is_merged_or_its_code_is_missing(name: str) -> None:
    head = ("Mã xã", "Tên thôn", "Mã thôn", "Loại")
    rows = [("06463", "thôn Một", "T01"), ("", name, "T02"), ("", name, "", "thôn"), ("", "thôn Ba", "")]
    table = read_table(book(Page([head, *rows], merged=["A2:A5"])), COLUMNS)
    assert table.notes == ()
    assert texts(table) == [
        (2, *CODES), (3, "06463", "T02", name), (4, "06463", "", name), (5, "06463", "", "thôn Ba"),
    ]  # fmt: skip


def test_below_a_total_a_name_in_a_merged_commune_is_no_signature() -> None:
    rows = [CODES, ("Cộng",), ("06463", "T02", "thôn Hai"), ("", "", "thôn Ba"), ("", "", "Người lập")]
    table = read_table(book(Page([HEAD, *rows], merged=["A4:A5"])), COLUMNS)
    assert texts(table) == [(2, *CODES), (4, "06463", "T02", "thôn Hai"), (5, "06463", "", "thôn Ba")]
    assert [n.vi for n in table.notes] == [
        "Bỏ qua 1 dòng tổng cộng (dòng 3); 1 dòng cuối bảng (người lập, ký tên…) (dòng 6)."
    ]


def test_a_named_total_in_a_merged_commune_is_left_out() -> None:
    head = ("Mã xã", "Tên thôn", "Mã thôn", "Loại")
    rows = [("06463", "thôn Một", "T01"), ("", "Cộng xã Chi Lăng", "")]
    table = read_table(book(Page([head, *rows], merged=["A2:A3"])), COLUMNS)
    assert texts(table) == [(2, *CODES)]


def test_columns_that_are_not_ours_are_told_and_stop_nothing_unless_one_of_ours_is_missing() -> None:
    table = read_table(one((*CODES, "thôn", "gì đó"), xml=""), COLUMNS)
    assert table.notes == ()
    told = refused("Mã xã;Mã thôn;Tên làng\n1;2;3".encode())
    assert [p.why.vi for p in told.problems] == ["Không biết cột “Tên làng”.", "Thiếu cột “Tên thôn”."]


# --- several sheets ----------------------------------------------------------------------------------------------

GUIDE = Page([("Hướng dẫn điền",), ("Điền mã xã vào cột đầu",)], name="Hướng dẫn")
LIST = Page([HEAD, CODES], name="Danh sách")
OTHER = Page([HEAD, ("06463", "T02", "thôn Hai")], name="Năm 2025")


def hide(page: Page) -> Page:
    return Page(page.rows, name=page.name, hidden=True)


@pytest.mark.parametrize(
    ("pages", "read"),
    [
        ([GUIDE, LIST], "Danh sách"),
        ([hide(GUIDE), LIST], "Danh sách"),
        ([LIST, GUIDE], "Danh sách"),
        ([hide(OTHER), LIST], "Danh sách"),
        ([GUIDE, hide(OTHER)], "Năm 2025"),
        ([Page([], name="Trang1"), LIST], "Danh sách"),
    ],
)
def test_the_one_sheet_that_fits_is_read_and_named(pages: list[Page], read: str) -> None:
    table = read_table(book(*pages), COLUMNS)
    assert table.sheet == read
    assert len(table.rows) == 1
    hidden = any(p.hidden and p.name == read for p in pages)
    assert table.notes[0].vi == f"Đọc trang tính “{read}”" + (" (đang ẩn trong tệp)." if hidden else ".")
    assert [c.name for c in table.choices] == [p.name for p in pages]


def test_where_several_fit_a_person_chooses() -> None:
    raw = book(GUIDE, LIST, OTHER)
    told = refused(raw)
    assert [p.why.vi for p in told.problems] == ["Tệp có 2 trang tính cùng đủ tiêu đề: “Danh sách”, “Năm 2025”."]
    assert told.choices == (Choice("Danh sách", hidden=False), Choice("Năm 2025", hidden=False))
    assert read_table(raw, COLUMNS, "Năm 2025").rows[0][1]["code"].text == "T02"
    assert read_table(raw, COLUMNS, "Danh sách").rows[0][1]["code"].text == "T01"


def test_where_none_fits_all_are_named_and_one_may_be_chosen_to_hear_what_is_wrong() -> None:
    raw = book(hide(GUIDE), Page([("Mã xã", "Tên làng")], name="DS"))
    told = refused(raw)
    assert [p.why.vi for p in told.problems] == [
        "Không trang tính nào của tệp có đủ tiêu đề cần có: “Hướng dẫn” (đang ẩn), “DS”."
    ]
    chosen = refused(raw, "DS")
    assert [p.why.vi for p in chosen.problems] == [
        "Không biết cột “Tên làng”.",
        "Thiếu cột “Mã thôn”.",
        "Thiếu cột “Tên thôn”.",
    ]
    assert [c.name for c in chosen.choices] == ["Hướng dẫn", "DS"]


def test_a_sheet_that_is_not_there_is_not_read() -> None:
    assert [c.name for c in refused(book(GUIDE, LIST), "Khác\0").choices] == ["Danh sách"]


def test_a_sheet_too_wide_to_be_a_list_is_passed_over() -> None:
    far = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="1"><c r="XFD1"><v>1</v></c></row></sheetData></worksheet>'
    assert read_table(book(Page([], xml=far, name="Bảng rộng"), LIST), COLUMNS).sheet == "Danh sách"


# --- what is no list ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"%PDF-1.7\n%\xe2\xe3", "Đây là tệp PDF, không phải danh sách."),
        (b"<html><table><tr><td>M\xc3\xa3 x\xc3\xa3</td></tr></table></html>", "Đây là trang web (HTML, XML)"),
        (b'\xef\xbb\xbf\r\n<?xml version="1.0"?><Workbook/>', "Đây là trang web (HTML, XML)"),
        ("<!DOCTYPE html>".encode("utf-16"), "Đây là trang web (HTML, XML)"),
        (b"{\\rtf1", "văn bản (.rtf), không phải danh sách"),
        (b"\xff\xd8\xff\xe0 JFIF", "Đây là tệp ảnh, không phải danh sách."),
        ("Mã xã|Mã thôn|Tên thôn\n06463|T01|Một\n".encode(), "dấu “|”, không phải danh sách CSV"),
        ("| Mã xã | Mã thôn |\n|---|---|\n".encode(), "dấu “|”, không phải danh sách CSV"),
        ("Kính gửi ông chủ tịch\nHôm nay\n".encode(), "Đây không phải danh sách cần nhập: không thấy dòng tiêu đề; dòng 1 là “Kính gửi ông chủ tịch”."),
    ],
)  # fmt: skip
def test_what_is_no_list_is_told_as_what_it_is(raw: bytes, said: str) -> None:
    problems = refused(raw).problems
    assert len(problems) == 1
    assert said in problems[0].why.vi
    assert problems[0].why.speaks("en")
    assert len(problems[0].way_out.vi) > 20


def test_the_template_reads_back_as_nothing_and_the_rows_typed_below_its_example_are_read() -> None:
    raw = template(COLUMNS)
    assert raw.startswith(b"\xef\xbb\xbf")
    assert [p.why.vi for p in refused(raw).problems] == ["Tệp chỉ có dòng ví dụ của tệp mẫu."]
    table = read_table(raw + "06463;T01;thôn Một;\r\n".encode(), COLUMNS)
    assert texts(table) == [(3, *CODES)]
    assert [n.vi for n in table.notes] == ["Bỏ qua 1 dòng ví dụ (dòng 2)."]
    assert set(table.letters) == {c.key for c in COLUMNS}

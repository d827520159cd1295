"""Lists as people really send them: every encoding, every separator, and every mistake told at once."""

import time
import unicodedata
import zipfile
from collections.abc import Callable
from datetime import date
from io import BytesIO

import pytest
from sqlalchemy.orm import Session

from app.errors import TooLarge
from app.places import imports
from app.places.imports import Plan
from app.places.models import ImportKind
from app.sheets import MAX_ROWS, Problem, problems_csv, template
from app.sheets.old_fonts import TCVN3 as TCVN3_TABLE

DAY = date(2026, 11, 1)
HEAD = "Mã xã;Mã thôn;Loại;Tên thôn"
GOOD = f"{HEAD}\n06463;T01;thôn;Quán Thanh\n06463;T02;khối phố;Đồng Mỏ\n"
Csv = Callable[..., bytes]
Workbook = Callable[..., bytes]


def planned(session: Session, raw: bytes, kind: ImportKind = ImportKind.VILLAGES) -> Plan:
    return imports.plan(session, raw, kind, DAY)


def told(problems: list[Problem]) -> list[tuple[str, str]]:
    return [(p.cell, p.why.vi) for p in problems]


def names(plan: Plan) -> list[str]:
    return [f"{v.new.code} {v.new.kind_word} {v.new.name}" for v in plan.villages]


# --- encodings and separators ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        GOOD.encode(),
        GOOD.encode("utf-8-sig"),
        GOOD.encode("utf-16"),
        b"\xfe\xff" + GOOD.encode("utf-16-be"),
        GOOD.encode("utf-16-le"),
        GOOD.encode("utf-16-be"),
        GOOD.replace(";", ",").encode(),
        GOOD.replace(";", "\t").encode("utf-16"),
        GOOD.replace("\n", "\r\n").encode("utf-8-sig"),
        ("sep=;\n" + GOOD).encode("utf-8-sig"),
        GOOD.replace("Quán Thanh", '"Quán Thanh"').encode(),
        GOOD.replace("á", "a\u0301").replace("ã", "a\u0303").encode(),
        (GOOD + "\n;;;\n").encode(),
        GOOD.replace("06463", "6463").encode(),
        GOOD.replace("Mã xã", "MÃ XÃ ").replace("Tên thôn", "Tên thôn, bản".replace(",", " ")).encode(),
    ],
    ids=["utf-8", "bom", "utf-16 with mark", "utf-16-be with mark", "utf-16-le", "utf-16-be", "commas", "tabs of Excel", "crlf", "sep line", "quoted", "nfd", "empty rows", "excel ate the zero", "headings in capitals"],
)  # fmt: skip
def test_the_same_list_reads_the_same_however_it_was_saved(province: Session, raw: bytes) -> None:
    plan = planned(province, raw)
    assert plan.problems == []
    assert names(plan) == ["T01 thôn Quán Thanh", "T02 khối phố Đồng Mỏ"]
    assert {v.commune.code for v in plan.villages} == {"06463"}


def test_a_workbook_reads_like_a_csv(province: Session, make_workbook: Workbook) -> None:
    plan = planned(province, make_workbook([line.split(";") for line in GOOD.splitlines()]))
    assert (plan.problems, names(plan)) == ([], ["T01 thôn Quán Thanh", "T02 khối phố Đồng Mỏ"])


TCVN3 = "Mã xã;Mã thôn;Loại;Tên thôn\n06463;T01;thôn;Nà Mẫu\n06463;T02;bản;Lũng Sưa\n"


def as_tcvn3(text: str) -> bytes:
    table = {v: k for k, v in TCVN3_TABLE.items()}
    return bytes(table.get(c, ord(c)) for c in text)


def as_windows_1258(text: str) -> bytes:
    """Letters keep their hat or horn; the tone follows as a mark of its own, as Windows writes it."""
    out = b""
    for character in text:
        try:
            out += character.encode("cp1258")
        except UnicodeEncodeError:
            base, mark = split_tone(character)
            out += base.encode("cp1258") + mark.encode("cp1258")
    return out


def split_tone(character: str) -> tuple[str, str]:
    for mark in "\u0300\u0301\u0303\u0309\u0323":
        for base in "aăâeêioôơuưyAĂÂEÊIOÔƠUƯY":
            if unicodedata.normalize("NFC", base + mark) == character:
                return base, mark
    raise AssertionError(character)


@pytest.mark.parametrize(("raw", "name"), [(as_tcvn3(TCVN3), "TCVN3"), (as_windows_1258(TCVN3), "Windows-1258")])
def test_old_vietnamese_encodings_are_read_and_the_reader_is_told(province: Session, raw: bytes, name: str) -> None:
    plan = planned(province, raw)
    assert plan.problems == []
    assert names(plan) == ["T01 thôn Nà Mẫu", "T02 bản Lũng Sưa"]
    assert name in plan.notes[0].vi


@pytest.mark.parametrize("old", ["Qu¸n Thanh", "§ång Má", "Naø Maãu", "Luõng Söa"])
def test_names_typed_in_an_old_font_are_refused_in_a_csv_and_in_a_workbook(
    province: Session, make_workbook: Workbook, old: str
) -> None:
    rows = [HEAD.split(";"), ["06463", "T01", "thôn", "Một"], ["06463", "T02", "thôn", old]]
    for raw in ("\n".join(";".join(r) for r in rows).encode(), make_workbook(rows)):
        plan = planned(province, raw)
        assert told(plan.problems) == [("", f"Tệp dùng phông .VnTime (TCVN3) hoặc VNI, ví dụ dòng 3: “{old}”.")]
        assert "UniKey" in plan.problems[0].way_out.vi
        assert plan.changes == 0


def test_headings_in_an_old_font_are_told_apart_from_unknown_columns(
    province: Session, make_workbook: Workbook
) -> None:
    heading = [as_tcvn3(t).decode("latin-1") for t in HEAD.split(";")]
    plan = planned(province, make_workbook([heading, ["06463", "T01", "th«n", "Mét"]]))
    assert told(plan.problems) == [("", "Tệp dùng phông .VnTime (TCVN3) hoặc VNI, ví dụ dòng 1: “M· x·”.")]


def test_a_workbook_whose_letters_were_broken_before_is_refused_like_a_csv(
    province: Session, make_workbook: Workbook
) -> None:
    broken = [line.encode().decode("cp1252", "replace").split(";") for line in ["Mã thôn", "Quán Thanh"]]
    plan = planned(province, make_workbook([HEAD.split(";"), ["06463", "T01", "thôn", broken[1][0]]]))
    assert ["đã hỏng từ trước" in p.why.vi for p in plan.problems] == [True]


def test_a_name_of_strange_characters_is_refused_with_its_cell(province: Session, village_csv: Csv) -> None:
    plan = planned(
        province,
        village_csv(
            "06463;T01;thôn;Nà ★ Mẫu", "06463;T02;thôn;Нà", "06463;T03;tổ dân phố;5A/2 (khu “Đèo” - Kéo), ô 3. 'B' & C"
        ),
    )
    assert told(plan.problems) == [("D2", "“Nà ★ Mẫu” có ký tự lạ “★”."), ("D3", "“Нà” có ký tự lạ “Н”.")]
    assert names(plan) == ["T03 tổ dân phố 5A/2 (khu “Đèo” - Kéo), ô 3. 'B' & C"]


def test_names_of_the_mountains_pass(province: Session, village_csv: Csv) -> None:
    spelled = [
        "Moóc",
        "Loỏng",
        "Slam",
        "Tâư",
        "Noọng",
        "Khuổi",
        "Xuân",
        "Quế",
        "Yên",
        "Quyết",
        "Huề",
        "Thuẫn",
        "Quý",
        "Khoẻ",
        "Hoà",
        "Thuý",
        "Luỹ",
        "Bưởi",
        "Cưởm",
        "Ngòa",
        "Ỷ",
        "Ngoẹo",
        "Tuynh",
    ]
    plan = planned(province, village_csv(*(f"06463;T{n};thôn;{name}" for n, name in enumerate(spelled))))
    assert (plan.problems, [v.new.name for v in plan.villages]) == ([], spelled)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (GOOD.encode().decode("latin-1").encode(), "đã hỏng từ trước"),
        (GOOD.encode().decode("cp1252", "replace").replace("\ufffd", "").encode(), "đã hỏng từ trước"),
        (b"\xff\xfe\x00\xd8\x00\x00", "bảng mã"),
        (bytes(range(128, 256)) * 3, "bảng mã"),
        (b"", "không có dòng nào"),
        (b"\n;;\n\n", "không có dòng nào"),
        (HEAD.encode(), "chỉ có dòng tiêu đề"),
        (b"\xd0\xcf\x11\xe0" + b"\0" * 600, ".xls"),
        (b"PK\x03\x04 not a workbook", "không phải Excel"),
        (f'{HEAD}\n06463;T01;thôn;"Quán Thanh'.encode(), "ngoặc kép"),
    ],
)
def test_a_file_that_cannot_be_read_says_why_and_what_to_do(province: Session, raw: bytes, says: str) -> None:
    plan = planned(province, raw)
    assert [says in p.why.vi for p in plan.problems] == [True]
    assert len(plan.problems[0].way_out.vi) > 10
    assert plan.changes == 0


# --- headings and cells ------------------------------------------------------------------------------------------


def test_wrong_missing_and_doubled_headings_are_all_named(province: Session) -> None:
    plan = planned(province, "Mã xã;Mã xã;Tên làng;Mã thôn\n1;2;3;4".encode())
    assert told(plan.problems) == [
        ("B1", "Cột “Mã xã” có hai lần."),
        ("C1", "Không biết cột “Tên làng”."),
        ("", "Thiếu cột “Tên thôn”."),
    ]
    assert "“Mã xã”, “Mã thôn”, “Loại”, “Tên thôn”" in plan.problems[1].way_out.vi


def test_every_mistake_of_a_list_is_told_at_once_with_its_cell(province: Session, village_csv: Csv) -> None:
    plan = planned(
        province,
        village_csv(
            "06463;T01;thôn;Quán Thanh",
            "06463;T01;thôn;Trùng Mã",
            "06463;T02;thôn;=HYPERLINK(1)",
            "06463;+T03;thôn;Một",
            "06463;T04;thôn;-Hai",
            "06463;T05;thôn;@Ba",
            "99999;T06;thôn;Bốn",
            "06466;T07;thôn;Năm",
            "06463;T08;ấp;Sáu",
            "06463;T09;;Bảy",
            f"06463;T10;thôn;{'x' * 81}",
            "06463;T11;thôn;Tám\u200b",
            "06463;T 12;thôn;Chín",
            ";;thôn;Mười",
            "06463;06040;thôn;Mã Xã",
        ),
    )
    assert told(plan.problems) == [
        ("B3", "Mã T01 đã có ở dòng 2."),
        ("D4", "Ô bắt đầu bằng “=” như một công thức."),
        ("B5", "Ô bắt đầu bằng “+” như một công thức."),
        ("D6", "Ô bắt đầu bằng “-” như một công thức."),
        ("D7", "Ô bắt đầu bằng “@” như một công thức."),
        ("A8", "Không có xã, phường nào mang mã 99999 hôm nay."),
        ("A9", "Không có xã, phường nào mang mã 06466 hôm nay. Đó là mã cũ của thị trấn Chi Lăng, nay thuộc xã Chi Lăng (06463)."),
        ("C10", "Không biết loại “ấp”."),
        ("C11", "Chưa rõ “Bảy” là thôn, bản hay khối phố."),
        ("D12", f"“{'x' * 59}…” dài 81 chữ, nhiều nhất 80."),
        ("D13", "“Tám�” có ký tự không thấy được (xuống dòng, tab hoặc ký tự lạ)."),
        ("B14", "Mã “T 12” có ký tự không dùng được."),
        ("A15", "“Mã xã” để trống."),
        ("B15", "“Mã thôn” để trống."),
        ("B16", "Mã 06040 đang là mã của xã Thất Khê, không thuộc xã Chi Lăng."),
    ]  # fmt: skip
    assert all(p.way_out.speaks("en") and p.why.speaks("en") for p in plan.problems)


def test_control_characters_and_line_breaks_inside_a_cell_are_refused(province: Session, village_csv: Csv) -> None:
    plan = planned(
        province, village_csv('06463;T01;thôn;"Quán\nThanh"', "06463;T02;thôn;A\x07B", "06463;T03;thôn;A\x00B")
    )
    assert [p.column for p in plan.problems] == ["Tên thôn"] * 3
    assert all("ký tự không thấy được" in p.why.vi for p in plan.problems)


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        ("thôn", "Quán Thanh", "thôn Quán Thanh"),
        ("", "Thôn Quán Thanh", "thôn Quán Thanh"),
        ("Thôn", "thôn Quán Thanh", "thôn Quán Thanh"),
        ("BẢN", "Nà Pàn", "bản Nà Pàn"),
        ("", "Tổ dân phố 5", "tổ dân phố 5"),
        ("thôn", "Bản Nhạng", "thôn Bản Nhạng"),
        ("khối phố", "  Trần   Quang Khải 1 ", "khối phố Trần Quang Khải 1"),
    ],
)
def test_kind_and_name_are_told_apart(province: Session, village_csv: Csv, kind: str, name: str, expected: str) -> None:
    assert names(planned(province, village_csv(f"06463;T1;{kind};{name}"))) == [f"T1 {expected}"]


def test_premises_are_judged_in_the_same_way(province: Session) -> None:
    raw = "Mã thôn,Loại,Nhãn\nT1,hộ,Hộ số 1\nT1,nhà,Hộ số 2\nT1,hộ,Hộ 0912 345 678\nT1,hộ,\n".encode()
    assert told(planned(province, raw, ImportKind.PREMISES).problems) == [
        ("A2", "Không có thôn nào mang mã T1 hôm nay."),
        ("B3", "Không biết loại “nhà”."),
        ("C4", "Nhãn có số dài như số điện thoại hoặc số giấy tờ."),
        ("C5", "“Nhãn” để trống."),
    ]


@pytest.mark.parametrize(
    ("label", "why"),
    [
        ("Hộ 0912.345.678", "số dài"),
        ("Hộ 0912/345/678", "số dài"),
        ("Hộ (0912) 345 - 678", "số dài"),
        ("CCCD 020 165 000 123", "số dài"),
        ("Hộ bà Lý Thị Mai, sinh 1965", "tên của một người"),
        ("HỘ ÔNG PÁO", "tên của một người"),
        ("Nhà anh Đạt", "tên của một người"),
        ("cụ Ỷ", "tên của một người"),
        ("Hộ Lý Thị Mai", "tên của một người"),
        ("hộ nông văn páo", "tên của một người"),
    ],
)
def test_a_label_that_names_or_numbers_a_person_is_refused_and_another_proposed(
    province: Session, label: str, why: str
) -> None:
    plan = planned(province, f"Mã thôn;Loại;Nhãn\nT1;hộ;{label}\n".encode(), ImportKind.PREMISES)
    assert [(p.cell, why in p.why.vi, "“Hộ số 07”" in p.way_out.vi) for p in plan.problems] == [("C2", True, True)]


@pytest.mark.parametrize(
    "label", ["Hộ số 07", "Hộ 12/3, ngõ 4", "Nhà Văn Hóa Thị Trấn", "Trạm bác sĩ", "Hộ Nà Mẫu 2024", "Hộ số 12345678"]
)
def test_a_plain_local_label_passes(province: Session, label: str) -> None:
    plan = planned(province, f"Mã thôn;Loại;Nhãn\nT1;hộ;{label}\n".encode(), ImportKind.PREMISES)
    assert [p.cell for p in plan.problems] == ["A2"]  # only the village is unknown here


# --- size --------------------------------------------------------------------------------------------------------


def test_fifty_thousand_rows_are_read_in_seconds(province: Session, village_csv: Csv) -> None:
    raw = village_csv(*(f"06463;T{n};thôn;Thử {n}" for n in range(MAX_ROWS)))
    started = time.process_time()
    plan = planned(province, raw)
    assert (plan.problems, plan.changes) == ([], MAX_ROWS)
    assert time.process_time() - started < 20


def test_more_rows_than_the_limit_are_refused_as_a_whole(province: Session, village_csv: Csv) -> None:
    plan = planned(province, village_csv(*(f"06463;T{n};thôn;Thử" for n in range(MAX_ROWS + 1))))
    assert [(p.row, "50001" in p.why.vi) for p in plan.problems] == [(0, True)]


# --- workbooks that are traps ------------------------------------------------------------------------------------

SHEET = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{}</sheetData></worksheet>'
)


def test_formulas_of_a_workbook_are_named_by_their_cells(province: Session, make_workbook: Workbook) -> None:
    heads = "".join(f'<c t="str"><v>{title}</v></c>' for title in HEAD.split(";"))
    row = '<row r="7"><c r="A7"><v>6463</v></c><c r="B7"><v>1</v></c><c r="C7" t="str"><v>thôn</v></c>'
    sheet = SHEET.format(
        f'<row r="1">{heads}</row>{row}<c r="D7" t="str"><f>A1&amp;"x"</f><v>1x</v></c><c r="E7"><f>ROW()</f><v>7</v></c></row>'
    )
    assert told(planned(province, make_workbook([], sheet=sheet)).problems) == [("D7", "Ô D7 là công thức.")]


@pytest.mark.parametrize(
    "cell",
    [
        '<row r="1048576"><c r="A1048576"><v>1</v></c></row>',
        '<row r="2"><c r="XFD2"><v>1</v></c></row>',
        '<row r="900000"><c><v>1</v></c></row>',
    ],
)
def test_one_far_cell_does_not_ask_for_gigabytes(province: Session, make_workbook: Workbook, cell: str) -> None:
    sheet = SHEET.format('<row r="1"><c r="A1"><v>1</v></c></row>' + cell)
    plan = planned(province, make_workbook([], sheet=sheet))
    assert ["Trang tính trải tới" in p.why.vi for p in plan.problems] == [True]


def test_macros_are_refused(province: Session, make_workbook: Workbook) -> None:
    plan = planned(province, make_workbook([["a"]], extra={"xl/vbaProject.bin": b"x"}))
    assert [p.why.vi for p in plan.problems] == ["Tệp Excel này có macro."]


def test_a_workbook_that_unpacks_to_gigabytes_is_refused_before_it_is_unpacked(province: Session) -> None:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as book, book.open("xl/workbook.xml", "w") as part:
        for _ in range(110):
            part.write(b" " * 1024 * 1024)
    with pytest.raises(TooLarge, match="import_unpacked"):
        planned(province, out.getvalue())


# --- what we hand out --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(ImportKind))
def test_the_template_sent_back_changes_nothing(province: Session, kind: ImportKind) -> None:
    plan = planned(province, template(imports.COLUMNS[kind]), kind)
    assert (told(plan.problems), plan.changes) == ([("", "Tệp chỉ có dòng ví dụ của tệp mẫu.")], 0)


def test_the_list_of_mistakes_runs_nothing_in_a_spreadsheet(province: Session) -> None:
    plan = planned(province, "=cmd|'/c calc'!A1;Mã xã;Mã thôn\n1;2;3".encode())
    text = problems_csv(plan.problems, "vi").decode("utf-8-sig")
    assert "'=cmd" in text
    assert not any(cell.startswith("=") for line in text.splitlines() for cell in line.split(";"))

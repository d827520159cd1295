"""Workbooks that Excel opens are read, however their parts are named; traps are refused before they cost anything."""

import io
import re
import resource
import struct
import time
import zipfile
from collections.abc import Callable

import pytest

from app.errors import TooLarge
from app.sheets import Unreadable, read_table
from app.sheets import package as packages
from app.sheets.xlsx_file import MAX_ARRAYS
from tests.app.sheets.workbooks import COLUMNS, HEAD, MAIN, OFFICE, Dress, Page, book, one

ROW = ("06463", "T01", "thôn Một")
GOOD = Page([HEAD, ROW])


def other_prefixes(name: str, xml: str) -> str:
    """Plain valid XML: the namespaces are declared under other prefixes."""
    if name == "xl/workbook.xml":
        return xml.replace("xmlns:r=", "xmlns:rel=").replace("r:id=", "rel:id=")
    if name.startswith("xl/worksheets/"):
        return re.sub(r"<(/?)(\w)", r"<\1x:\2", xml).replace("xmlns=", "xmlns:x=")
    return xml


def strict(_name: str, xml: str) -> str:
    return xml.replace(MAIN, "http://purl.oclc.org/ooxml/spreadsheetml/main").replace(
        OFFICE, "http://purl.oclc.org/ooxml/officeDocument/relationships"
    )


@pytest.mark.parametrize(
    "how",
    [
        Dress(rename=lambda n: n.replace("/", "\\")),
        Dress(rename=lambda n: n.replace("workbook.xml", "Workbook.xml")),
        Dress(rename=str.upper),
        Dress(rename=lambda n: "/" + n),
        Dress(dress=other_prefixes),
        Dress(dress=strict),
        Dress(dress=lambda _n, xml: ('<?xml version="1.0" encoding="UTF-16"?>' + xml).encode("utf-16")),
        Dress(dress=lambda _n, xml: xml.replace('"worksheets/', '"/xl/worksheets/')),
        Dress(dress=lambda _n, xml: xml.replace('"worksheets/', '".\\worksheets\\')),
        Dress(dress=lambda n, xml: xml if "styles" in n else xml.replace('"', "'")),
        Dress(dress=lambda _n, xml: "<!-- a remark with <c r='ZZZ99'/> -->" + xml),
    ],
    ids=["backslashes", "case of one", "capitals", "leading slash", "prefixes", "strict", "utf-16", "absolute targets", "backslash targets", "single quotes", "comments"],
)  # fmt: skip
def test_a_valid_workbook_reads_the_same_however_it_is_written(how: Dress) -> None:
    table = read_table(book(GOOD, how=how), COLUMNS)
    assert [(n, {k: c.text for k, c in cells.items()}) for n, cells in table.rows] == [
        (2, {"commune": "06463", "code": "T01", "name": "thôn Một"})
    ]


def without(name: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book(GOOD))) as old, zipfile.ZipFile(out, "w") as new:
        for info in old.infolist():
            if info.filename != name:
                new.writestr(info.filename, old.read(info))
    return out.getvalue()


LAUGHS = (
    '<!DOCTYPE x [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{("&" + chr(97 + n) + ";") * 10}">' for n in range(12))
    + "]>"
)


@pytest.mark.parametrize(
    "raw",
    [
        b"PK\x03\x04 not a workbook",
        without("xl/workbook.xml"),
        without("xl/worksheets/sheet1.xml"),
        book(GOOD, how=Dress(dress=lambda n, xml: xml[:-20] if "sheet1" in n else xml)),
        book(GOOD, how=Dress(dress=lambda n, xml: LAUGHS + xml.replace("thôn Một", "&m;") if "sheet1" in n else xml)),
        book(GOOD, how=Dress(dress=lambda n, xml: '<!DOCTYPE x SYSTEM "file:///etc/passwd">' + xml if n == "xl/workbook.xml" else xml)),
        book(Page([], xml=f'<worksheet xmlns="{MAIN}"><sheetData><row r="x"/></sheetData></worksheet>')),
        book(Page([], xml=f'<worksheet xmlns="{MAIN}"><sheetData><row r="1"><c t="s"><v>9</v></c></row></sheetData></worksheet>')),
        book(Page([HEAD, ROW], merged=["Z"])),
    ],
    ids=["no zip", "no workbook", "no sheet", "cut off", "laughs", "outside entity", "row x", "no such string", "merge Z"],
)  # fmt: skip
def test_a_broken_workbook_is_said_to_be_one(raw: bytes) -> None:
    with pytest.raises(Unreadable) as refused:
        read_table(raw, COLUMNS)
    assert [p.why.vi for p in refused.value.problems] == ["Tệp này không phải Excel (.xlsx) hoặc bị hỏng."]


@pytest.mark.parametrize("encoding", ["x-unknown", "hex", "idna", "punycode", "utf-7", "shift_jis"])
def test_an_encoding_that_cannot_be_read_is_said_to_be_broken(encoding: str) -> None:
    declared = f'<?xml version="1.0" encoding="{encoding}"?>'
    with pytest.raises(Unreadable) as refused:
        read_table(book(GOOD, how=Dress(dress=lambda n, xml: declared + xml if "sheet1" in n else xml)), COLUMNS)
    assert [p.why.vi for p in refused.value.problems] == ["Tệp này không phải Excel (.xlsx) hoặc bị hỏng."]


def packed(method: int) -> bytes:
    """A good workbook, beside whose parts stands one that is packed by this method."""
    out = io.BytesIO(book(GOOD))
    with zipfile.ZipFile(out, "a", method) as more:
        more.writestr("xl/media/x.bin", bytes(1_000_000))
    return out.getvalue()


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_parts_packed_as_excel_never_does_are_refused_unopened(method: int) -> None:
    with pytest.raises(Unreadable) as refused:
        read_table(packed(method), COLUMNS)
    assert [p.why.vi for p in refused.value.problems] == ["Tệp này không phải Excel (.xlsx) hoặc bị hỏng."]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_parts_packed_as_excel_does_are_read(method: int) -> None:
    assert len(read_table(packed(method), COLUMNS).rows) == 1


@pytest.mark.parametrize(
    ("part", "what"),
    [("word/document.xml", "Word"), ("xl/workbook.bin", ".xlsb"), ("content.xml", ".ods"), ("xl/vbaProject.bin", "macro")],
)  # fmt: skip
def test_another_kind_of_package_is_named(part: str, what: str) -> None:
    with pytest.raises(Unreadable) as refused:
        read_table(book(GOOD, how=Dress(extra={part: b"x"})), COLUMNS)
    assert what in refused.value.problems[0].why.vi


def forged(raw: bytes, name: str, claimed: int) -> bytes:
    """The same archive, whose directory claims another size for a part than it unpacks to."""
    with zipfile.ZipFile(io.BytesIO(raw)) as made:
        true = made.getinfo(name).file_size
    old, new = struct.pack("<L", true), struct.pack("<L", claimed)
    assert raw.count(old) == 2, "in the part's own head and in the directory"
    return raw.replace(old, new)


BLANKS = 150 * 1024 * 1024 + 7


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """A shared string of 150 MB of blanks."""
    out = io.BytesIO()
    plain = book(GOOD, how=Dress(dress=lambda n, xml: xml.replace("</Relationships>", f'<Relationship Id="rIdT" Type="{OFFICE}/sharedStrings" Target="sharedStrings.xml"/></Relationships>') if "workbook.xml.rels" in n else xml))  # fmt: skip
    with zipfile.ZipFile(io.BytesIO(plain)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            new.writestr(info.filename, old.read(info))
        with new.open("xl/sharedStrings.xml", "w") as part:
            left = BLANKS
            while left:
                left -= part.write(b" " * min(left, 1024 * 1024))
    return out.getvalue()


@pytest.mark.parametrize("claimed", [BLANKS, 1000, 90 * 1024 * 1024 + 1], ids=["true size", "tiny", "below the limit"])
def test_what_unpacks_to_too_much_is_refused_whatever_size_it_claims(bomb: bytes, claimed: int) -> None:
    raw = bomb if claimed == BLANKS else forged(bomb, "xl/sharedStrings.xml", claimed)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises((TooLarge, Unreadable)):
        read_table(raw, COLUMNS)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 120 * 1024, "kilobytes"


def test_more_elements_than_any_list_has_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "MAX_ELEMENTS", 2000)
    assert len(read_table(one(*[ROW] * 100), COLUMNS).rows) == 100
    with pytest.raises(TooLarge):
        read_table(one(*[ROW] * 300), COLUMNS)


def formatted(cell: str) -> bytes:
    good = book(GOOD)
    with zipfile.ZipFile(io.BytesIO(good)) as made:
        xml = made.read("xl/worksheets/sheet1.xml").decode()
    return book(Page([], xml=xml.replace("</sheetData>", cell + "</sheetData>")))


@pytest.mark.parametrize(
    "cell", ['<row r="1048576" ht="20"><c r="XFD1048576" s="1"/></row>', '<row r="5"><c r="XFD5" s="1"/></row>']
)
def test_formats_that_reach_to_the_end_of_the_sheet_are_no_cells(cell: str) -> None:
    assert len(read_table(formatted(cell), COLUMNS).rows) == 1


@pytest.mark.parametrize(
    "cell", ['<row r="1048576"><c r="A1048576"><v>1</v></c></row>', '<row r="5"><c r="XFD5"><v>1</v></c></row>']
)
def test_one_far_cell_is_refused(cell: str) -> None:
    with pytest.raises(Unreadable, match="reaches column"):
        read_table(formatted(cell), COLUMNS)


@pytest.mark.parametrize("make", [lambda rows: one(*rows)])
def test_fifty_thousand_rows_of_a_workbook_are_read_in_seconds(make: Callable[[list[tuple[str, ...]]], bytes]) -> None:
    raw = make([("06463", f"T{n}", f"thôn Thử {n}") for n in range(50_000)])
    started = time.process_time()
    assert len(read_table(raw, COLUMNS).rows) == 50_000
    assert time.process_time() - started < 10


def arrays(refs: list[str], rows: int) -> bytes:
    """Rows of our list, with a formula in column D of each that fills one of these areas."""
    body = "".join(
        f'<row r="{n}"><c r="A{n}"><v>{n}</v></c><c r="B{n}"><v>1</v></c><c r="C{n}"><v>2</v></c>'
        + (f'<c r="D{n}"><f t="array" ref="{refs[n - 2]}">1</f><v>3</v></c>' if n - 2 < len(refs) else "")
        + "</row>"
        for n in range(2, rows + 2)
    )
    good = one()
    with zipfile.ZipFile(io.BytesIO(good)) as made:
        xml = made.read("xl/worksheets/sheet1.xml").decode()
    return book(Page([], xml=xml.replace("</sheetData>", body + "</sheetData>")))


def test_an_area_that_one_formula_fills_is_formulas_in_every_cell_and_nowhere_else() -> None:
    table = read_table(arrays(["D2", "B3:B4", "A4:B5", "C9:C99"], 9), COLUMNS)
    marked = [f"{table.letters[k]}{n}" for n, cells in table.rows for k, c in cells.items() if c.kind == "formula"]
    assert marked == ["B3", "A4", "B4", "A5", "B5", "C9", "C10"]


def test_very_many_areas_of_formulas_are_refused_and_those_of_one_cell_cost_nothing() -> None:
    started = time.process_time()
    assert len(read_table(arrays([f"D{n}" for n in range(2, 20_002)], 20_000), COLUMNS).rows) == 20_000
    assert len(read_table(arrays(["A2:C60000"] * MAX_ARRAYS, 20_000), COLUMNS).rows) == 20_000
    with pytest.raises(TooLarge):
        read_table(arrays(["A2:C60000"] * (MAX_ARRAYS + 1), 20_000), COLUMNS)
    assert time.process_time() - started < 15


def test_very_many_merged_cells_over_one_another_are_followed_once() -> None:
    rows = [ROW, *[("", f"T{n}", "thôn Hai") for n in range(3, 20_002)]]
    raw = one(*rows, merged=[f"A{n}:A60000" for n in range(2, 20_002)])
    started = time.process_time()
    assert {c["commune"].text for _, c in read_table(raw, COLUMNS).rows} == {"06463"}
    assert time.process_time() - started < 10

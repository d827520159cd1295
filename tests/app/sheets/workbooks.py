"""Workbooks written by hand, as odd as those that people send."""

import io
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

from app.db import Words
from app.sheets import Column

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
# Styles by number: 0 plain, 1 date, 2 d/m, 3 time, 4 [h]:mm, 5 0000000, 6 text in a custom format with a date's letters in quotes
FORMATS = ("General", "dd/mm/yyyy", "d/m", "h:mm:ss", "[h]:mm", "0000000", '0" đường d/m"')

COLUMNS = (
    Column("commune", "Mã xã", ("mã số xã",), Words(vi="Mã."), "00000", fills=True),
    Column("code", "Mã thôn", ("mã số thôn",), Words(vi="Mã."), "00000-T01"),
    Column("name", "Tên thôn", ("tên thôn bản khối phố", "thôn"), Words(vi="Tên."), "thôn Ví Dụ"),
    Column("kind", "Loại", (), Words(vi="Loại."), "thôn", required=False),
)
HEAD = ("Mã xã", "Mã thôn", "Tên thôn")


@dataclass(frozen=True)
class Odd:
    """A cell that is no text: its value, its type as the file says it, the number of its style, and its formula."""

    value: str
    type: str = "n"
    style: int = 0
    formula: str = ""


Value = str | Odd


@dataclass
class Page:
    rows: Sequence[Sequence[Value]]
    name: str = "Danh sách"
    hidden: bool = False
    merged: Sequence[str] = ()
    xml: str = ""


@dataclass
class Dress:
    """How the parts are named and their XML is written."""

    rename: Callable[[str], str] = lambda name: name
    dress: Callable[[str, str], str | bytes] = lambda _name, xml: xml
    extra: dict[str, bytes] = field(default_factory=dict)


PLAIN = Dress()


def letter(at: int) -> str:
    return chr(65 + at)


def cell(at: int, row: int, value: Value) -> str:
    address = f"{letter(at)}{row}"
    if isinstance(value, str):
        return f'<c r="{address}" t="inlineStr"><is><t>{escape(value)}</t></is></c>' if value else ""
    formula = f"<f>{escape(value.formula)}</f>" if value.formula else ""
    return f'<c r="{address}" t="{value.type}" s="{value.style}">{formula}<v>{escape(value.value)}</v></c>'


def sheet_xml(page: Page) -> str:
    rows = "".join(
        f'<row r="{n}">' + "".join(cell(at, n, v) for at, v in enumerate(row)) + "</row>"
        for n, row in enumerate(page.rows, start=1)
    )
    merged = "".join(f'<mergeCell ref="{ref}"/>' for ref in page.merged)
    return f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData><mergeCells>{merged}</mergeCells></worksheet>'


def styles_xml() -> str:
    formats = "".join(
        f"<numFmt numFmtId={quoteattr(str(170 + n))} formatCode={quoteattr(code)}/>" for n, code in enumerate(FORMATS)
    )
    used = "".join(f'<xf numFmtId="{170 + n}"/>' for n in range(len(FORMATS)))
    return (
        f'<styleSheet xmlns="{MAIN}"><numFmts>{formats}</numFmts>'
        f'<cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs>{used}</cellXfs></styleSheet>'
    )


def book(*pages: Page, how: Dress = PLAIN) -> bytes:
    listed = "".join(
        f'<sheet name={quoteattr(p.name)} sheetId="{n}"{" state=" + quoteattr("hidden") if p.hidden else ""} r:id="rId{n}"/>'
        for n, p in enumerate(pages, start=1)
    )
    relations = "".join(
        f'<Relationship Id="rId{n}" Type="{OFFICE}/worksheet" Target="worksheets/sheet{n}.xml"/>'
        for n in range(1, len(pages) + 1)
    )
    relations += f'<Relationship Id="rIdS" Type="{OFFICE}/styles" Target="styles.xml"/>'
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="r" Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">{relations}</Relationships>',
        "xl/styles.xml": styles_xml(),
    }
    parts |= {f"xl/worksheets/sheet{n}.xml": p.xml or sheet_xml(p) for n, p in enumerate(pages, start=1)}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, xml in parts.items():
            made.writestr(how.rename(name), how.dress(name, xml))
        for name, content in how.extra.items():
            made.writestr(name, content)
    return out.getvalue()


def one(*rows: Sequence[Value], **how: object) -> bytes:
    """A workbook of one sheet: our headings and these rows."""
    return book(Page([HEAD, *rows], **how))  # type: ignore[arg-type]  # named facts of a Page

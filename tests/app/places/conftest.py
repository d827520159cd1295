"""A loaded province, an official of it, and lists as people send them."""

import io
import zipfile
from collections.abc import Callable, Sequence

import pytest
from sqlalchemy.orm import Session

from app.actor import SYSTEM, Actor, Membership, Role
from app.db import Database, new_id
from app.media import MediaStore
from app.places import reference
from app.settings import Settings
from tests.actors import acting

HEAD = "Mã xã;Mã thôn;Loại;Tên thôn"


@pytest.fixture
def store(settings: Settings) -> MediaStore:
    return MediaStore(settings)


def acting_as(role: Role) -> Actor:
    organisation = new_id()
    return acting(Membership(organisation, role))


@pytest.fixture
def as_role() -> Callable[[Role], Actor]:
    return acting_as


@pytest.fixture
def official() -> Actor:
    return acting_as(Role.PROVINCE_OFFICIAL)


@pytest.fixture
def province(db_session: Session) -> Session:
    """A SYSTEM session on a database that holds Lạng Sơn."""
    reference.load_reference(db_session)
    return db_session


@pytest.fixture
def loaded(database: Database) -> Database:
    """The same for tests with transactions of their own."""
    with database.transaction(SYSTEM) as session:
        reference.load_reference(session)
    return database


def workbook(
    rows: Sequence[Sequence[str]], *, sheet: str | None = None, extra: dict[str, bytes] | None = None
) -> bytes:
    """A small .xlsx with inline texts; `sheet` replaces the sheet's XML."""

    def letter(at: int) -> str:
        return chr(65 + at)

    body = "".join(
        f'<row r="{n}">'
        + "".join(f'<c r="{letter(i)}{n}" t="inlineStr"><is><t>{cell}</t></is></c>' for i, cell in enumerate(row))
        + "</row>"
        for n, row in enumerate(rows, start=1)
    )
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    parts: dict[str, str | bytes] = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="xml" ContentType="application/xml"/>'
        '<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
        '<Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="rId1" Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets><sheet name="Thôn" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="rId1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": sheet or f'<worksheet xmlns="{main}"><sheetData>{body}</sheetData></worksheet>',
    }
    parts.update(extra or {})
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as book:
        for name, content in parts.items():
            book.writestr(name, content)
    return out.getvalue()


@pytest.fixture
def make_workbook() -> Callable[..., bytes]:
    return workbook


@pytest.fixture
def village_csv() -> Callable[..., bytes]:
    """`village_csv("06463;06463-T01;thôn;Quán Thanh")`: a list of villages with its heading, UTF-8 with its mark."""
    return lambda *rows: "\r\n".join([HEAD, *rows]).encode("utf-8-sig")

"""Schemas of places as pages send them."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, StringConstraints

from app.db import nfc
from app.fields import ClientId, Day, OldDay
from app.forms import Form, Search
from app.places.models import ImportKind

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300), AfterValidator(nfc)]


class Browse(Form):
    """`q` is searched without regard to accents; `on` shows the province as it stood that day."""

    q: Search = ""
    on: OldDay | None = None
    trang: str = ""


class Listed(Form):
    """Which page of what lies below a place or was sent, and of a village's premises, of whose labels `q` is a part."""

    q: Search = ""
    trang: str = ""
    trang_noi: str = ""


class InCommune(Form):
    """The commune whose villages, or whatever else lies there, a page offers to be chosen."""

    commune: UUID | None = None


class NewImport(Form):
    id: ClientId
    kind: ImportKind
    effective_on: Day


class WhichSheet(Form):
    """`trang`: the sheet of a workbook to read, by its name; empty: the one that fits."""

    trang: Annotated[str, StringConstraints(max_length=200)] = ""


class ApplyImport(Form):
    """`seen`: what the preview asked, when the person ticked that she has looked at it."""

    seen: Annotated[str, StringConstraints(max_length=64)] = ""


class PremisesEnd(Form):
    premises_id: UUID
    last_day: Day


class VillageEnd(Form):
    """`into`: the villages that take it over; empty when it is dissolved."""

    id: ClientId
    last_day: Day
    into: frozenset[UUID] = frozenset()
    decision: Text


class NewName(Form):
    kind_word: str
    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80), AfterValidator(nfc)]
    valid_from: OldDay


class CommuneGroup(Form):
    """The group of Decision 51/2025/QĐ-TTg: 1 near-urban, 2 the rest, 3 khu vực II and III."""

    value: Literal["1", "2", "3"]
    valid_from: OldDay
    basis: Text

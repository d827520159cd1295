"""Labels of a batch, as files and on sheets."""

from typing import Annotated
from urllib.parse import quote
from uuid import UUID

from flask import Blueprint, Response, make_response
from pydantic import BaseModel, ConfigDict, Field

from app.actor import Right
from app.doors.consumer import queries
from app.doors.consumer.queries import LabelOf
from app.doors.consumer.routes.batch_view import code_text
from app.fields import Counter
from app.trace import digital_link, labels, scan_addresses
from app.trace.labels import Label
from app.trace.models import CodeKind
from app.web import actor as current_actor
from app.web import page, parse_query, require, signed_in, transaction, web

label_pages = Blueprint("labels", "app.doors.consumer", template_folder="templates")

MOST_LABELS = 480  # twenty sheets


class WhichLabel(BaseModel):
    """`loai`: the short code, or the GS1 one where the producer has a GTIN. `so`: how many labels on the sheets."""

    model_config = ConfigDict(frozen=True)
    loai: CodeKind = CodeKind.SHORT
    so: Annotated[Counter, Field(ge=1, le=MOST_LABELS)] = labels.SHEET


def _label(batch_id: UUID, which: WhichLabel, right: Right = Right.HANDLE_GOODS) -> tuple[LabelOf, Label]:
    with transaction(signed_in()) as session:
        found = queries.label_of(session, current_actor(), batch_id, which.loai, right)
    settings = web().settings
    base = settings.printed_base()
    if found.gtin is not None:
        address = digital_link.printed(base, found.gtin, found.lot)
    else:
        address = base + scan_addresses.path_of_code(found.code)
    label = Label(
        address=address,
        product=found.product,
        lot=found.lot,
        code=code_text(found.code),
        test=settings.public_url is None,
    )
    return found, label


def _file(body: bytes | str, kind: str, name: str) -> Response:
    response = make_response(body)
    response.headers["Content-Type"] = kind
    response.headers["Content-Disposition"] = f'inline; filename="{quote(name, safe="-._")}"'
    response.headers["Cache-Control"] = "private, no-store"
    return response


@label_pages.get("/tem/<uuid:batch_id>.png", endpoint="png")
def label_png(batch_id: UUID) -> Response:
    found, label = _label(batch_id, parse_query(WhichLabel))
    return _file(labels.label_png(label), "image/png", f"tem-{found.lot}.png")


@label_pages.get("/tem/<uuid:batch_id>.svg", endpoint="svg")
def label_svg(batch_id: UUID) -> Response:
    found, label = _label(batch_id, parse_query(WhichLabel))
    return _file(labels.label_svg(label), "image/svg+xml; charset=utf-8", f"tem-{found.lot}.svg")


@label_pages.get("/tem/<uuid:batch_id>/to-in", endpoint="sheet")
def label_sheet(batch_id: UUID) -> Response:
    """Sheets of labels for an office printer; for whoever manages the cooperative's goods. None of a lot that is recalled."""
    require(Right.PRINT_LABELS)
    which = parse_query(WhichLabel)
    found, label = _label(batch_id, which, Right.PRINT_LABELS)
    queries.check_printable(found)
    return page(
        "labels/sheet.html",
        label=labels.label_svg(label, name="tem"),
        again=labels.repeat_label("tem"),
        count=which.so,
        test=label.test,
        held=found.state == "held",
        lot=found.lot,
    )

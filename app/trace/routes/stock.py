"""Forms of a batch's stock: lines of the ledger, and taking one back."""

from datetime import datetime, time
from uuid import UUID

from flask import Response, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from app import clock
from app.actor import Right
from app.errors import forbidden
from app.fields import Day
from app.forms import Form
from app.products import queries as products
from app.trace import queries, stock
from app.trace.routes.base import When, blueprint, filled_fields, movement_words
from app.trace.schemas import Movement, ReverseMovement
from app.web import done, page, parse, parse_data, signed_in, transaction


class HappenedAt(Form):
    """When packs moved; left out: now."""

    day: Day | None = None
    hour: time | None = None

    def moment(self) -> datetime | None:
        """None while it is now: the same form sent again a minute later must say the same."""
        if self.hour is None and self.day in {None, clock.today()}:
            return None
        return When(day=self.day or clock.today(), hour=self.hour).moment()


@blueprint.post("/lo/<uuid:batch_id>/kho")
def move_stock(batch_id: UUID) -> BaseResponse:
    when = parse_data(HappenedAt, {k: v for k, v in filled_fields().items() if k in HappenedAt.model_fields})
    new = parse_data(Movement, filled_fields("day", "hour") | {"batch_id": batch_id, "happened_at": when.moment()})
    with transaction(signed_in()) as session:
        stock.move(session, signed_in(), new)
    return done(_("Đã ghi vào sổ kho."), url_for("trace.batch", batch_id=batch_id))


@blueprint.post("/lo/<uuid:batch_id>/kho/<uuid:movement_id>/hoan")
def reverse_movement(batch_id: UUID, movement_id: UUID) -> BaseResponse:
    with transaction(signed_in()) as session:
        row = queries.batch(session, signed_in(), batch_id)
        queries.movement_of_batch(session, row.id, movement_id)
        stock.reverse(session, signed_in(), movement_id, parse(ReverseMovement))
    return done(_("Đã ghi dòng hoàn lại."), url_for("trace.batch", batch_id=batch_id))


@blueprint.get("/lo/<uuid:batch_id>/kho/<uuid:movement_id>/hoan")
def reverse_form(batch_id: UUID, movement_id: UUID) -> Response:
    actor = signed_in()
    with transaction() as session:
        row = queries.batch(session, actor, batch_id)
        if not actor.may(Right.HANDLE_GOODS, row.organisation_id):
            raise forbidden()
        movement = queries.movement_of_batch(session, row.id, movement_id)
        return page(
            "trace/reverse.html",
            batch=row,
            movement=movement,
            pack=products.variant(session, actor, movement.variant_id),
            done=movement.corrects_id is not None or queries.is_taken_back(session, movement.id),
            words=movement_words(),
        )

"""One step in taps: its form, and what becomes of it."""

from uuid import UUID

from flask import redirect, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.doors.farmer import queries, schemas
from app.doors.farmer.routes.base import (
    blueprint,
    household_in_address,
    signed_in_writer,
    site_of,
    step_of,
    to_households,
)
from app.doors.farmer.routes.photos import sent_photos
from app.doors.farmer.routes.questions import ask, questions_about
from app.doors.farmer.routes.step_form import form_again, step_facts, step_page
from app.errors import Conflict, HoiError
from app.media import MAX_PHOTO_BYTES
from app.messages import N_
from app.trace import diary
from app.trace.schemas import CareLogIn
from app.web import parse, parse_query, takes_files, transaction


@blueprint.get("/ghi/<kind>")
def write(kind: str) -> BaseResponse:
    actor, step, asked = signed_in_writer(), step_of(kind), parse_query(schemas.Asked)
    with transaction() as session:
        house = queries.house(session, actor, asked.ho)
        if house is None:
            return to_households()
        return step_page(session, house, site_of(session, house, asked.vuon), step)


@blueprint.post("/ghi/<kind>")
@takes_files(MAX_PHOTO_BYTES)
def save(kind: str) -> BaseResponse:
    actor, step, asked = signed_in_writer(), step_of(kind), parse_query(schemas.Asked)
    form = parse(schemas.StepForm, photos=sent_photos())
    with transaction() as session:
        house = queries.house(session, actor, asked.ho)
        if house is None:
            return to_households()
        if form.choose_again:
            return form_again(session, house, step, form)
        log = CareLogIn(id=form.id, **step_facts(session, house, step, form))
        questions = questions_about(session, house, step, log, new=True)
        if questions and not form.anyway:
            site = site_of(session, house, log.site_id)
            back = url_for("farmer.home", ho=household_in_address(house), vuon=site.id)
            return ask(questions, form.photos, where=site.name, back=back)
        [outcome] = diary.record_care_logs(session, house.writer, [log])
    return after_writing(outcome.error, form.id)


def after_writing(error: HoiError | None, log_id: UUID) -> BaseResponse:
    """Raised outside the transaction: what contradicts the stored step is kept beside it."""
    if isinstance(error, Conflict):
        raise Conflict(
            "already_written", N_("Việc này đã ghi rồi, nhưng nội dung khác lần này. Hãy mở Việc đã ghi, bấm Sửa.")
        )
    if error is not None:
        raise error
    return redirect(url_for("farmer.show", log_id=log_id), 303)

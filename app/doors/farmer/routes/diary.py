"""The diary's pages: the list, one step with its history, corrections and what is taken back."""

from uuid import UUID

from flask import Response, redirect, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from app.actor import Actor
from app.doors.farmer import queries, schemas
from app.doors.farmer.queries import House, LogView
from app.doors.farmer.routes.base import (
    blueprint,
    household_in_address,
    short_moment,
    signed_in_writer,
    site_of,
    to_households,
)
from app.doors.farmer.routes.photos import sent_photos
from app.doors.farmer.routes.questions import ask, lots_of, questions_about, taken_from
from app.doors.farmer.routes.step import after_writing
from app.doors.farmer.routes.step_form import form_again, step_facts, step_page
from app.errors import not_found
from app.media import MAX_PHOTO_BYTES
from app.messages import N_
from app.trace import diary
from app.trace import queries as trace
from app.trace.models import Witness
from app.trace.schemas import CorrectionIn
from app.web import counting, page, parse, parse_query, quantity, takes_files, transaction, vn_date

NO_REASON = "Không ghi lý do"  # kept with the correction, in Vietnamese whatever the page's language


@blueprint.get("/nhat-ky")
def show_diary() -> BaseResponse:
    actor, asked = signed_in_writer(), parse_query(schemas.Older)
    with transaction() as session:
        house = queries.house(session, actor, asked.ho)
        if house is None:
            return to_households()
        ho = household_in_address(house)
        logs, listed = queries.diary(session, house.id, asked.trang)
        return page(
            "farmer/diary.html",
            house=house,
            ho=ho,
            logs=logs,
            listed=listed,
            page_url=lambda mark: url_for("farmer.show_diary", ho=ho, trang=mark),
        )


@blueprint.get("/viec/<uuid:log_id>")
def show(log_id: UUID) -> Response:
    actor = signed_in_writer()
    with transaction() as session:
        house, history = _history(session, actor, log_id)
        log = history[-1]
        return page(
            "farmer/show.html",
            may_correct=diary.may_correct(house.writer, house.id, history[0].witness),
            log=log,
            history=[(row, _told(earlier, row)) for earlier, row in zip([None, *history[:-1]], history, strict=True)],
            ho=household_in_address(house),
            saved_text=short_moment(log.recorded_at),
            back=url_for("farmer.home", ho=household_in_address(house), vuon=log.site_id),
        )


def _told(before: LogView | None, row: LogView) -> str:
    """What was changed and why, as far as somebody said why."""
    changes = _changes(before, row) if before else []
    reason = [row.reason] if row.reason and row.reason != NO_REASON else []
    return "; ".join(changes + reason)


def _changes(before: LogView, after: LogView) -> list[str]:
    """What one version says otherwise than the one before it, each as “Cách ly: 0 → 3 ngày”."""
    if after.withdrawn:
        return []
    unwritten = _("chưa ghi")
    facts = (
        (_("Lượng"), *(quantity(v.quantity, v.unit) if v.quantity is not None else unwritten for v in (before, after))),
        (_("Dùng"), *(v.material or unwritten for v in (before, after))),
        (_("Ngày"), *(vn_date(v.day) for v in (before, after))),
        (
            _("Cách ly"),
            *(
                _("chưa rõ") if (n := v.pre_harvest_days) is None else counting("%(n)s ngày", n=n)
                for v in (before, after)
            ),
        ),
        (_("Người làm"), *(v.performer or _("người khác") for v in (before, after))),
        (_("Viết thêm"), *(v.note or unwritten for v in (before, after))),
        (_("Ảnh"), *(str(len(v.photos)) for v in (before, after))),
    )
    return [f"{what}: {old} → {new}" for what, old, new in facts if old != new]


def _history(session: Session, actor: Actor, log_id: UUID) -> tuple[House, list[LogView]]:
    """All rows of one step in order, for somebody who may write in that household. Raises NotFound."""
    rows = trace.chain(session, actor, log_id)
    house = queries.house(session, actor, rows[0].organisation_id)
    if house is None:
        raise not_found(N_("việc này"))
    return house, queries.views(session, rows)


@blueprint.get("/viec/<uuid:log_id>/sua")
def correct(log_id: UUID) -> BaseResponse:
    actor = signed_in_writer()
    with transaction() as session:
        house, history = _history(session, actor, log_id)
        diary.check_may_correct(house.writer, house.id, history[0].witness)
        before = history[-1]
        return step_page(session, house, site_of(session, house, before.site_id), before.step, before=before)


@blueprint.post("/viec/<uuid:log_id>/sua")
@takes_files(MAX_PHOTO_BYTES)
def save_correction(log_id: UUID) -> BaseResponse:
    actor = signed_in_writer()
    form = parse(schemas.StepForm, photos=sent_photos())
    with transaction() as session:
        house, history = _history(session, actor, log_id)
        before = history[-1]
        if form.choose_again:
            return form_again(session, house, before.step, form, before=before)
        facts = step_facts(session, house, before.step, form, before=before)
        correction = CorrectionIn(id=form.id, reason=form.reason or NO_REASON, **facts)
        questions = questions_about(session, house, before.step, correction, new=False)
        if questions and not form.anyway:
            back = url_for("farmer.home", ho=household_in_address(house), vuon=before.site_id)
            return ask(questions, form.photos, where=before.site, back=back)
        diary.correct_care_log(session, house.writer, before.id, correction)
    return after_writing(None, before.id)


@blueprint.post("/viec/<uuid:log_id>/bo")
def withdraw(log_id: UUID) -> BaseResponse:
    actor, form = signed_in_writer(), parse(schemas.Withdrawal)
    with transaction() as session:
        house, history = _history(session, actor, log_id)
    before = history[-1]
    if not before.withdrawn:
        lots = lots_of(before) if diary.may_correct(house.writer, house.id, history[0].witness) else []
        if lots and not form.anyway:
            return ask([taken_from(lots)], (), where=before.site, back=url_for("farmer.show", log_id=before.id))
        with transaction() as session:
            diary.correct_care_log(session, house.writer, before.id, _withdrawal(before, form.id))
    return redirect(url_for("farmer.show", log_id=before.id), 303)


def _withdrawal(before: LogView, correction_id: UUID) -> CorrectionIn:
    """The same facts, taken back. Sent twice it has the same content."""
    return CorrectionIn(
        id=correction_id,
        site_id=before.site_id,
        cycle_id=before.cycle_id,
        kind=before.kind,
        happened_at=before.happened_at,
        performed_by=before.performed_by,
        witness=Witness(before.witness),
        witnessed_by=before.witnessed_by,
        material=before.material,
        quantity=before.quantity,
        unit=before.unit,
        pre_harvest_days=before.pre_harvest_days,
        note=before.note,
        photos=before.photos,
        reason="Ghi nhầm",
        withdrawn=True,
    )

"""The form of one step: what it offers, and the facts it says."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import Response, g, request, url_for
from sqlalchemy.orm import Session

from app import clock
from app.doors.farmer import pictures, queries, schemas
from app.doors.farmer.queries import House, LogView
from app.doors.farmer.routes.base import household_in_address, site_of
from app.doors.farmer.routes.photos import kept_photos
from app.doors.farmer.routes.step_chosen import Offer, UnitRow, chosen
from app.doors.farmer.routes.step_questions import QUESTION_OF, named_errors, step_questions
from app.doors.farmer.routes.waits import MEDICINES, WAIT_CHOICES, wait_text, waiting_days
from app.errors import Invalid
from app.messages import N_
from app.trace import queries as trace
from app.trace.models import Site, Witness
from app.trace.steps import Step
from app.web import UNITS, page, words

UNITS_SHOWN = 2


def form_again(
    session: Session, house: House, step: Step, form: schemas.StepForm, *, before: LogView | None = None
) -> Response:
    """Back from a question: the form with everything as it was chosen."""
    g.form_values = request.form
    return step_page(session, house, site_of(session, house, form.site_id), step, before=before)


def step_page(session: Session, house: House, site: Site, step: Step, *, before: LogView | None = None) -> Response:
    used = trace.recent_materials(session, house.scope, step.kind, limit=4)
    named = pictures.materials(step, [u.material for u in used])
    last = {u.unit: u.quantity for u in reversed(used) if u.unit}
    if before is not None and before.unit:
        last[before.unit] = before.quantity
    units = [
        UnitRow(unit, words(UNITS[unit]), pictures.UNIT_ICONS[unit], pictures.amounts(step, unit, last.get(unit)))
        for unit in sorted(step.units, key=lambda unit: unit not in last)
    ]
    known = {u.pre_harvest_days for u in used} | ({before.pre_harvest_days} if before else set())
    wait = queries.waiting(session, site.id, clock.today()) if step.harvest and before is None else None
    own = queries.people(session, house)
    doer = str(before.performed_by or "other") if before else _usual_doer(house, own)
    asks_who = len(own) > 1 or house.acting_for
    questions = step_questions(step, asks_who=asks_who)
    offer = Offer(
        materials=named,
        last_used=used[0].material if used else "",
        days={u.material: u.pre_harvest_days for u in used},
        amounts={f"{u.unit}:{n}" for u in units for n in u.amounts},
        units_shown=[u.unit for u in units[:UNITS_SHOWN]],
    )
    return page(
        "farmer/write.html",
        step=step,
        site=site,
        house=house,
        before=before,
        back=url_for("farmer.show", log_id=before.id)
        if before
        else url_for("farmer.home", ho=household_in_address(house), vuon=site.id),
        yesterday=clock.today() - timedelta(days=1),
        labels=questions,
        errors_named=named_errors(questions),
        question_of=QUESTION_OF,
        asks_who=asks_who,
        offer=offer,
        chosen=chosen(g.get("form_values", {}), before, offer, doer=doer),
        units=units,
        wait_choices=sorted({*WAIT_CHOICES, *(n for n in known if n is not None)}),
        people=own,
        usual_doer=doer,
        wait=wait,
        wait_text=wait_text(wait) if wait else "",
        kept_photos=kept_photos(),
    )


def _usual_doer(house: House, own: list[queries.Doer]) -> str:
    """Oneself at home; in somebody else's household the one person there is, if there is only one."""
    if not house.acting_for:
        return str(house.writer.person_id)
    return str(own[0].person_id) if len(own) == 1 else ""


def step_facts(
    session: Session, house: House, step: Step, form: schemas.StepForm, *, before: LogView | None = None
) -> dict[str, Any]:
    photos = tuple(dict.fromkeys((before.photos if before else ()) + form.photos))
    measured, unit = form.measured(step)
    happened_at = form.happened_at()
    cycle = queries.cycle_on(session, form.site_id, clock.local(happened_at).date())
    saw = house.acting_for and form.seen == "saw"
    material = form.material_named(step)
    unnamed_before = before is not None and before.material is None
    if step.kind in MEDICINES and material is None and not photos and not unnamed_before:
        raise Invalid(
            "medicine_unnamed",
            N_("Chưa rõ thuốc gì. Hãy chọn một ô thuốc, viết tên vào ô “Loại khác”, hoặc chụp ảnh nhãn rồi ghi."),
            field="material_other",
        )
    return {
        "site_id": form.site_id,
        "cycle_id": cycle.id if cycle else None,
        "kind": step.kind,
        "happened_at": happened_at,
        "performed_by": _doer(session, house, form),
        "witnessed_by": house.writer.person_id if saw else None,
        "witness": house.witness if saw or not house.acting_for else Witness.FARMER,
        "material": material,
        "quantity": measured,
        "unit": unit,
        "pre_harvest_days": waiting_days(session, house, step, form),
        "note": form.note,
        "photos": photos,
    }


def _doer(session: Session, house: House, form: schemas.StepForm) -> UUID | None:
    """Somebody of this household or the writer; None for people without a name here: hired hands, exchanged labour."""
    if form.performed_by == "other":
        return None
    if form.performed_by not in {house.writer.person_id, *(p.person_id for p in queries.people(session, house))}:
        raise Invalid(
            "not_of_the_household",
            N_("Người này không còn trong hộ. Hãy chọn lại ai làm."),
            field="performed_by",
        )
    return form.performed_by

"""Days to wait before a harvest: what the label says, what was used before, and how it is told."""

from flask_babel import gettext as _
from sqlalchemy.orm import Session

from app.db import fold, identity
from app.doors.farmer import schemas
from app.doors.farmer.queries import House
from app.trace import queries as trace
from app.trace.queries import Waiting
from app.trace.steps import Step
from app.web import vn_date

WAIT_CHOICES = (0, 3, 7, 10, 14, 21, 30)
MEDICINES = ("spraying", "vaccinating", "treating")


def wait_text(wait: Waiting) -> str:
    facts = {
        "what": wait.material or "",
        "day": vn_date(wait.applied_on),
        "n": (wait.allowed_from - wait.applied_on).days,
        "until": vn_date(wait.allowed_from),
    }
    if not wait.known:
        return str(
            _(
                "Lần dùng thuốc ngày %(day)s chưa rõ cách ly. Hãy xem nhãn thuốc; chưa rõ thì từ %(until)s mới hái.",
                **facts,
            )
        )
    if wait.material:
        return str(_("%(day)s dùng %(what)s, cách ly %(n)s ngày: từ %(until)s mới được hái.", **facts))
    return str(_("%(day)s phun thuốc, cách ly %(n)s ngày: từ %(until)s mới được hái.", **facts))


def waiting_days(session: Session, house: House, step: Step, form: schemas.StepForm) -> int | None:
    """The days as chosen; but days that the page had chosen for another material give way to this material's own.

    Without a script nothing on the page follows the material that a finger chooses.
    """
    if not step.waits:
        return None
    material = form.material_named(step) or ""
    if (
        form.days_for is None
        or identity(form.days_for) == identity(material)
        or form.pre_harvest_days != form.days_shown
    ):
        return form.pre_harvest_days
    return known_days(session, house, step, material)


def known_days(session: Session, house: House, step: Step, material: str) -> int | None:
    """The most days ever written for it, under any spelling: a question too many is better than a harvest too early."""
    used = trace.recent_materials(session, house.scope, step.kind, limit=400)
    return next((u.pre_harvest_days for u in used if fold(u.material) == fold(material)), None)

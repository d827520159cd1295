"""Questions that are asked once more before a step is written."""

from dataclasses import dataclass

from flask import Response, request
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from app import clock
from app.actor import SYSTEM
from app.doors.farmer import queries
from app.doors.farmer.queries import House, LogView
from app.doors.farmer.routes.waits import known_days, wait_text
from app.trace import queries as trace
from app.trace.schemas import CareLogIn, CorrectionIn
from app.trace.steps import Step
from app.web import OUR_FIELDS, page, transaction, words


@dataclass(frozen=True, slots=True)
class Question:
    """Something unlikely or incomplete, asked once in words. `yes` and `no` are the two buttons; `leave`: no ends here,
    otherwise it leads back to the form.
    """

    title: str
    text: str
    yes: str
    no: str
    hint: str = ""
    leave: bool = False
    mild: bool = False  # incomplete only: nothing to be alarmed about


def questions_about(
    session: Session, house: House, step: Step, log: CareLogIn | CorrectionIn, *, new: bool
) -> list[Question]:
    """What to ask before this is stored, the gravest first."""
    asked = []
    day = clock.local(log.happened_at).date()
    wait = queries.waiting(session, log.site_id, day) if step.harvest else None
    if wait is not None:
        asked.append(
            Question(
                _("Chưa hết cách ly"),
                wait_text(wait),
                _("Đã hái rồi, vẫn ghi"),
                _("Chưa hái, về đầu"),
                _("Ghi bây giờ, lô lấy từ nơi này sẽ bị giữ lại cho đến khi hợp tác xã xem."),
                leave=True,
            )
        )
    known = known_days(session, house, step, log.material) if step.waits and log.material else None
    if known is not None and known > (-1 if log.pre_harvest_days is None else log.pre_harvest_days):
        asked.append(_shorter_wait(log, known))
    if new and _amount_matters(step) and log.quantity is None and not log.photos and log.note is None:
        what = f"{words(step)} {log.material or ''}".strip()
        asked.append(
            Question(
                _("Chưa chọn lượng"),
                _("Chưa chọn lượng. Ghi “%(what)s” không có lượng?", what=what),
                _("Ghi không có lượng"),
                _("Chọn lượng"),
                mild=True,
            )
        )
    return asked


def _amount_matters(step: Step) -> bool:
    """What goes in and what comes out; hours of work may stay unsaid."""
    return step.harvest or step.waits or step.kind == "fertilising"


def _shorter_wait(log: CareLogIn | CorrectionIn, known: int) -> Question:
    title, hint = _("Cách ly ít ngày hơn trước"), _("Hãy xem lại số trên nhãn. Hái sớm quá, hàng sẽ bị giữ lại.")
    if log.pre_harvest_days is None:
        text = _("%(what)s: trước đây ghi cách ly %(n)s ngày, lần này chưa rõ.", what=log.material, n=known)
        return Question(title, text, _("Chưa rõ, vẫn ghi"), _("Chọn lại số ngày"), hint)
    text = _(
        "%(what)s: trước đây ghi cách ly %(n)s ngày, lần này chỉ %(now)s ngày.",
        what=log.material, n=known, now=log.pre_harvest_days,
    )  # fmt: skip
    yes = _("Đúng %(n)s ngày, vẫn ghi", n=log.pre_harvest_days)
    return Question(title, text, yes, _("Chọn lại số ngày"), hint)


def ask(questions: list[Question], photos: tuple[str, ...], *, where: str, back: str) -> Response:
    """One page for all questions: yes sends the same form again, so nothing need be typed twice."""
    left_out = OUR_FIELDS | {"anyway", "choose_again", "photos"}
    fields = [(k, v) for k, v in request.form.items(multi=True) if k not in left_out]
    fields += [("photos", sha) for sha in photos]
    return page("farmer/ask.html", questions=questions, first=questions[0], fields=fields, where=where, back=back)


def lots_of(log: LogView) -> list[str]:
    """The cooperative's batches are not the household's to read, but their numbers stand on every label."""
    if not log.step.harvest:
        return []
    with transaction(SYSTEM) as session:
        return trace.lots_of_harvest(session, log.id)


def taken_from(lots: list[str]) -> Question:
    """Taking back a harvest puts the lots made from it on hold."""
    named = ", ".join(lots)
    return Question(
        _("Lần hái này đã vào lô"),
        _("Lần thu hoạch này đã vào lô %(lots)s. Bỏ đi thì lô %(lots)s sẽ bị tạm giữ.", lots=named),
        _("Ghi nhầm thật, vẫn bỏ"),
        _("Không bỏ"),
        _("Nếu chỉ sai số lượng hay sai ngày, hãy bấm “Không bỏ”, rồi bấm Sửa."),
        leave=True,
    )

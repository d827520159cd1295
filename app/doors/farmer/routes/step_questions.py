"""Questions of the form of a step, and which of them a wrong field belongs to."""

from flask_babel import gettext as _

from app.trace.steps import Step

# A field's error is told at the question that it answers.
QUESTION_OF = {
    "on": "day",
    "happened_at": "day",
    "material_other": "material",
    "quantity": "amount",
    "number": "amount",
    "unit": "amount",
    "file": "photo",
}


def step_questions(step: Step, *, asks_who: bool) -> dict[str, str]:
    """The questions of this step, by the field that answers each."""
    asked = {"day": _("Hôm nào?"), "note": _("Viết thêm"), "photo": _("Chụp ảnh")}
    if step.material:
        asked["material"] = _material(step)
    if step.units:
        asked["amount"] = _("Được bao nhiêu?") if step.harvest else _("Bao nhiêu?")
    if step.waits:
        asked["pre_harvest_days"] = _("Nhãn ghi cách ly mấy ngày?")
    if asks_who:
        asked["performed_by"] = _("Ai làm?")
    return asked


def named_errors(questions: dict[str, str]) -> dict[str, str]:
    """Every field of these questions, and the question it belongs to."""
    return questions | {name: questions[q] for name, q in QUESTION_OF.items() if q in questions}


def _material(step: Step) -> str:
    named = {
        "fertilising": _("Phân gì?"),
        "spraying": _("Thuốc gì?"),
        "feeding": _("Cho ăn gì?"),
        "vaccinating": _("Vắc-xin gì?"),
        "treating": _("Thuốc gì?"),
        "sowing": _("Hạt gì?"),
        "planting": _("Cây gì?"),
    }
    return named.get(step.kind) or str(_("Dùng gì?"))

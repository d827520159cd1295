"""What the form of a step has chosen when it is opened, corrected, or shown again with what was typed."""

from datetime import date, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest
from flask import Flask

from app import clock
from app.doors.farmer.queries import LogView
from app.doors.farmer.routes.step_chosen import Chosen, Offer, chosen
from app.doors.farmer.routes.step_questions import named_errors, step_questions
from app.factory import create_app
from app.settings import Settings
from app.trace.steps import STEPS

OFFER = Offer(
    materials=["Phân NPK", "Vôi"],
    last_used="Vôi",
    days={"Phân NPK": 7, "Vôi": None},
    amounts={"kg:1", "kg:2"},
    units_shown=["kg", "bag"],
)
LONG_AGO = date(2026, 3, 1)


def log(**facts: Any) -> LogView:
    usual = {"material": None, "quantity": None, "unit": None, "pre_harvest_days": None, "note": None, "day": LONG_AGO}
    return cast("LogView", SimpleNamespace(**usual | facts))


@pytest.fixture(autouse=True)
def _in_a_page(settings: Settings) -> Any:
    app: Flask = create_app(settings)
    with app.test_request_context():
        yield


def opened(typed: dict[str, str] | None = None, before: LogView | None = None) -> Chosen:
    return chosen(typed or {}, before, OFFER, doer="doer")


def test_a_new_step_is_of_today_with_what_was_used_last() -> None:
    form = opened()
    assert (form.day, form.other_day, form.material, form.doer) == (clock.today().isoformat(), "", "Vôi", "doer")
    assert (form.waits, form.waits_for, form.amount, form.more_units, form.other_amount) == (
        "",
        "Vôi",
        "",
        False,
        False,
    )


def test_a_correction_shows_what_was_written() -> None:
    form = opened(before=log(material="Tro bếp", quantity=Decimal("1.5"), unit="tan", pre_harvest_days=3, note="Mưa"))
    assert (form.day, form.other_day) == ("2026-03-01", "2026-03-01")
    assert (form.is_other_material, form.other_material, form.waits) == (True, "Tro bếp", "3")
    assert (form.amount, form.more_units, form.other_amount, form.number) == ("tan:1.5", True, True, "1,5")
    assert (form.unit, form.note) == ("tan", "Mưa")


def test_yesterday_is_tapped_and_not_typed() -> None:
    yesterday = clock.today() - timedelta(days=1)
    assert opened(before=log(day=yesterday)).other_day == ""


def test_a_step_without_a_material_is_corrected_without_one() -> None:
    form = opened(before=log())
    assert (form.material, form.is_other_material, form.other_material) == (None, False, "")


def test_what_was_typed_comes_back_and_nothing_else() -> None:
    typed = {"day": "other", "on": "2026-02-03", "material": "+", "material_other": "Tro", "pre_harvest_days": "14"}
    form = opened(typed | {"days_for": "Vôi", "days_shown": "7", "number": "3", "unit": "bag"}, log(note="Mưa"))
    assert (form.day, form.other_day, form.is_other_material, form.other_material) == (
        "other",
        "2026-02-03",
        True,
        "Tro",
    )
    assert (form.waits, form.waits_for, form.waits_shown) == ("14", "Vôi", "7")
    assert (form.number, form.unit, form.other_amount, form.amount, form.doer) == ("3", "bag", True, "", None)


def test_what_was_emptied_in_a_correction_stays_empty() -> None:
    before = log(material="Tro bếp", quantity=Decimal("1.5"), unit="tan", note="Mưa")
    form = opened({"day": "2026-03-01", "on": "", "material": "Vôi", "number": "", "note": ""}, before)
    assert (form.material, form.is_other_material, form.other_material, form.note) == ("Vôi", False, "", "")
    assert (form.number, form.unit, form.other_amount, form.other_day) == ("", "", False, "")


def test_a_tapped_amount_needs_no_number() -> None:
    form = opened(before=log(quantity=Decimal(2), unit="kg"))
    assert (form.amount, form.number, form.other_amount, form.more_units) == ("kg:2", "", False, False)


def test_errors_are_told_at_the_question_they_answer() -> None:
    questions = step_questions(STEPS["spraying"], asks_who=False)
    assert questions["material"] == "Thuốc gì?"
    named = named_errors(questions)
    assert (named["material_other"], named["unit"], named["on"]) == ("Thuốc gì?", "Bao nhiêu?", "Hôm nào?")
    assert "performed_by" not in named
    weeding = named_errors(step_questions(STEPS["weeding"], asks_who=True))
    assert (weeding["performed_by"], "material_other" in weeding) == ("Ai làm?", False)

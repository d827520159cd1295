"""Digital transformation models and the diary one is judged by, over real rows."""

from datetime import date
from uuid import UUID

import pytest

from tests.app.criteria.answers import INSUFFICIENT, MET, UNMET
from tests.worlds.village import Province


@pytest.mark.parametrize("name", ["production_business", "public_order", "smart_lighting"])
def test_one_running_model_with_proof_is_enough(province: Province, name: str) -> None:
    province.model(name)
    assert province.answer(6).value is MET


def test_model_without_proof_does_not_count_and_says_so(province: Province) -> None:
    province.model("public_order", evidence=(), title="Camera ngõ 3")
    reasons = {a.id: a.reason.vi for a in province.answer(6).children}
    assert province.answer(6).value is INSUFFICIENT
    assert "Camera ngõ 3" in reasons["trat-tu-an-toan"]


def test_fields_that_nobody_spoke_of_keep_the_answer_open_until_they_are_declared(province: Province) -> None:
    for name in ("production_business", "public_order", "smart_lighting"):
        province.record("no_model", field=name)
        assert province.answer(6).value is INSUFFICIENT
    province.record("no_model", field="smart_agriculture")
    assert province.answer(6).value is UNMET


def test_model_speaks_louder_than_a_declaration_that_there_is_none(province: Province) -> None:
    province.model("smart_lighting")
    province.record("no_model", 1, field="smart_lighting")
    assert province.answer(6).value is MET


def test_smart_agriculture_needs_five_households_with_three_steps_each(province: Province) -> None:
    province.model("smart_agriculture")
    for number in range(1, 5):
        province.diary(f"Hộ {number}", 3)
    province.diary("Hộ 5", 2)
    for name in ("production_business", "public_order", "smart_lighting"):
        province.record("no_model", field=name)
    answer = province.answer(6)
    assert answer.value is UNMET
    agriculture = next(a for a in answer.children if a.id == "nong-nghiep")
    assert [(i.label, i.reason.vi) for i in agriculture.missing] == [("Hộ 5", "Mới ghi 2 bước trong 90 ngày, cần 3.")]
    province.diary("Hộ 6", 3)
    assert province.answer(6).value is MET


def test_diary_of_chosen_participants_alone_counts_when_some_are_named(province: Province) -> None:
    named: list[UUID] = [province.diary(f"Hộ {n}", 3) for n in range(1, 6)]
    province.diary("Hộ ngoài", 9)
    province.model("smart_agriculture", household_ids=[str(h) for h in named[:4]])
    household = next(a for a in province.answer(6).children if a.id == "nong-nghiep").children[1]
    assert (household.value, household.have) == (UNMET, 4)


def test_ended_model_does_not_lend_its_fresh_proof_to_a_running_one(province: Province) -> None:
    for name in ("production_business", "public_order", "smart_agriculture"):
        province.record("no_model", field=name)
    province.model("smart_lighting", 366, title="Đèn ngõ 3")
    province.model("smart_lighting", 5, title="Đèn ngõ 5", ended_on="2026-11-20")
    assert province.answer(6).value is INSUFFICIENT
    assert province.assess().facts["models_smart_lighting"].observed_on == date(2025, 11, 22)
    province.model("smart_lighting", 365, title="Đèn ngõ 7")
    assert province.answer(6).value is MET


def test_participant_without_a_single_step_is_named(province: Province) -> None:
    quiet = province.diary("Hộ Nông Văn Mẫu", 0)
    province.model("smart_agriculture", household_ids=[str(quiet)])
    agriculture = next(a for a in province.answer(6).children if a.id == "nong-nghiep")
    assert [(i.label, i.reason.vi) for i in agriculture.missing] == [
        ("Hộ Nông Văn Mẫu", "Mới ghi 0 bước trong 90 ngày, cần 3.")
    ]


def test_model_for_everybody_counts_beside_one_that_names_its_households(province: Province) -> None:
    named = province.diary("Hộ 1", 3)
    for number in range(2, 6):
        province.diary(f"Hộ {number}", 3)
    province.model("smart_agriculture", household_ids=[str(named)])
    household = next(a for a in province.answer(6).children if a.id == "nong-nghiep").children[1]
    assert household.have == 1
    province.model("smart_agriculture", title="Nhật ký chung")
    household = next(a for a in province.answer(6).children if a.id == "nong-nghiep").children[1]
    assert (household.value, household.have) == (MET, 5)

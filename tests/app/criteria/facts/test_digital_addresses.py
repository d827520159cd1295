"""The codes of premises, over real rows."""

from datetime import UTC, date, datetime

from app.criteria.models import VillageFact
from app.criteria.schemas import DigitalAddress
from app.db import new_id
from tests.app.criteria.answers import INSUFFICIENT, MET, UNMET
from tests.worlds.village import Province


def test_code_that_nothing_shows_or_that_two_places_have_is_uncertain(province: Province) -> None:
    first, second, third = province.premises(3)
    province.record("digital_address", subject=first, premises_id=first, code="0123456789", evidence=())
    province.record("digital_address", subject=second, premises_id=second, code="0123456780")
    shared = DigitalAddress(premises_id=third, code="0123456780")
    actor = province.actors["officer"]
    row = VillageFact(
        id=new_id(), village_id=province.village, kind="digital_address", subject=third,
        value=shared.model_dump(mode="json"), observed_on=date(2026, 11, 1), recorded_at=datetime(2026, 11, 1, tzinfo=UTC),
        person_id=actor.person_id, witness="village", evidence=["ab" * 32], note="", withdrawn=False,
    )  # fmt: skip
    province.add(row)  # as it may stand from before codes were compared
    answer = province.answer(4)
    assert (answer.value, answer.have, answer.of) == (INSUFFICIENT, 0, 3)
    assert [(i.label, i.reason.vi) for i in answer.missing] == [
        ("Hộ số 1", "Chưa có minh chứng."),
        ("Hộ số 2", "Mã trùng với một nơi khác."),
        ("Hộ số 3", "Mã trùng với một nơi khác."),
    ]


def test_every_premises_with_a_code_is_met_and_the_one_without_is_named(province: Province) -> None:
    first, second, office = province.premises(2, 1)
    province.record("digital_address", subject=first, premises_id=first, code="0123456789")
    province.record("digital_address", subject=office, premises_id=office, code="0000000001")
    answer = province.answer(4)
    assert (answer.value, answer.have, answer.of) == (UNMET, 2, 3)
    assert [(i.label, i.reason.vi) for i in answer.missing] == [("Hộ số 2", "Chưa có mã địa chỉ số Vpostcode.")]
    province.record("digital_address", subject=second, premises_id=second, code="0123456780")
    assert province.answer(4).value is MET


def test_village_without_a_list_of_premises_is_short_of_data(province: Province) -> None:
    assert province.answer(4).value is INSUFFICIENT
    province.premises(2)
    assert province.answer(4).value is INSUFFICIENT  # a list, and nobody has said a word of codes

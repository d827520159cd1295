"""What the province chose where the letter leaves something open: its page, its form, what a refused one leaves behind."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select

from app.actor import SYSTEM
from app.criteria.models import ParameterChoice
from app.db import new_id
from tests.app.boxes import named_in_box
from tests.app.doors.official.conftest import SignIn, text_of
from tests.worlds.village import Province


def test_page_of_choices_names_the_decision_in_force(
    province: Province, sign_in: SignIn, clock_at: Callable[[datetime], None]
) -> None:
    client = sign_in("province")
    for hour, value, decided_by in ((4, "7", "Công văn 100"), (5, "9", "Công văn 200")):
        clock_at(datetime(2026, 11, 23, hour, tzinfo=UTC))
        form = {"id": str(new_id()), "value": value, "valid_from": "2026-11-01", "decided_by": decided_by}
        assert client.post("/tinh/lua-chon/feedback_days", data=form).status_code == 303
    page = text_of(client.get("/tinh/lua-chon"))
    assert "Xử lý kịp thời là trong vòng 9 ngày Công văn 200 từ 01/11/2026" in page
    assert "Công văn 100" not in page


def test_province_writes_its_choice_with_its_basis_and_every_village_page_shows_it(
    province: Province, sign_in: SignIn
) -> None:
    client = sign_in("province")
    form = {"id": str(new_id()), "value": "10", "valid_from": "2026-11-01", "decided_by": "Công văn 345/SNNMT"}
    assert client.post("/tinh/lua-chon/feedback_days", data=form).status_code == 303
    page = text_of(client.get("/tinh/lua-chon"))
    assert "Xử lý kịp thời là trong vòng 10 ngày Công văn 345/SNNMT từ 01/11/2026" in page
    assert "Xử lý kịp thời là trong vòng 10 ngày" in text_of(client.get(f"/thon/{province.village}"))


def test_choice_outside_its_bounds_is_refused_and_a_commune_may_not_choose(province: Province, sign_in: SignIn) -> None:
    form = {"id": str(new_id()), "value": "99", "valid_from": "2026-11-01", "decided_by": "Công văn 345/SNNMT"}
    assert sign_in("province").post("/tinh/lua-chon/feedback_days", data=form).status_code == 422
    assert sign_in("commune").post("/tinh/lua-chon/feedback_days", data=form | {"value": "9"}).status_code == 403
    with province.database.transaction(SYSTEM) as session:
        assert session.scalar(select(func.count()).select_from(ParameterChoice)) == 0


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"valid_from": "2022-09-30"}, "Văn bản có từ 01/10/2022, lựa chọn không áp dụng trước đó được."),
        ({"valid_from": "2027-11-25"}, "Ngày áp dụng muộn nhất là 24/11/2027."),
        ({"value": "61"}, 'id="value-error"'),
        ({"value": "²"}, 'id="value-error"'),
        ({"value": "9" * 5000}, 'id="value-error"'),
    ],
)
def test_choice_that_cannot_be_is_refused_beside_its_field(
    province: Province, sign_in: SignIn, changed: dict[str, str], said: str
) -> None:
    form = {"id": str(new_id()), "value": "10", "valid_from": "2026-11-01", "decided_by": "Công văn 345/SNNMT"}
    answer = sign_in("province").post("/tinh/lua-chon/feedback_days", data=form | changed)
    assert answer.status_code == 422
    assert said in answer.text
    assert f'id="{next(iter(changed))}-error"' in answer.text
    assert 'value="Công văn 345/SNNMT"' in answer.text
    with province.database.transaction(SYSTEM) as session:
        assert session.scalar(select(func.count()).select_from(ParameterChoice)) == 0


def test_choice_to_come_is_listed_as_not_yet_in_force(province: Province, sign_in: SignIn) -> None:
    form = {"id": str(new_id()), "value": "10", "valid_from": "2027-01-01", "decided_by": "Công văn 345/SNNMT"}
    client = sign_in("province")
    assert client.post("/tinh/lua-chon/feedback_days", data=form).status_code == 303
    assert (
        client.post("/tinh/lua-chon/feedback_days", data=form | {"id": str(new_id()), "value": "12"}).status_code == 303
    )
    shown = text_of(client.get("/tinh/lua-chon"))
    assert "Chưa áp dụng: 12 ngày, từ 01/01/2027" in shown
    assert "10 ngày, từ 01/01/2027" not in shown, "another decision for the same day has taken its place"
    assert "Chưa áp dụng" in text_of(client.get("/tinh/lua-chon/feedback_days"))


def test_refused_choice_names_each_wrong_field_and_leads_to_it(province: Province, sign_in: SignIn) -> None:
    answer = sign_in("province").post("/tinh/lua-chon/feedback_days", data={"id": str(new_id()), "valid_from": "x"})
    assert named_in_box(answer) == [("value", "Chọn"), ("valid_from", "Áp dụng từ ngày"), ("decided_by", "Căn cứ")]

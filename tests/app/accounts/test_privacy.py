"""Consent that is asked, dated and withdrawable; the law's clock; erasing that leaves a verifiable history."""

from datetime import UTC, date, datetime

import pytest

from app.accounts import privacy, queries, signin
from app.accounts.models import Purpose, RequestKind, SignInMethod
from app.accounts.schemas import AnswerIn, DataRequestIn
from app.actor import PUBLIC, SYSTEM
from app.db import new_id
from app.errors import Conflict, Forbidden, NotFound
from tests.app.accounts.conftest import Province


@pytest.mark.parametrize(
    ("received", "answer"),
    [
        (date(2026, 11, 23), date(2026, 11, 25)),  # Monday
        (date(2026, 11, 26), date(2026, 11, 30)),  # Thursday
        (date(2026, 11, 27), date(2026, 12, 1)),  # Friday
        (date(2026, 11, 28), date(2026, 12, 1)),  # Saturday
        (date(2026, 11, 29), date(2026, 12, 1)),  # Sunday
    ],
)
def test_two_working_days_skip_the_weekend(received: date, answer: date) -> None:
    assert privacy.working_days_after(received, 2) == answer


def test_deadlines_are_the_end_of_vietnamese_days() -> None:
    # 23:30 on Friday the 27th in Vietnam
    answer, done = privacy.deadlines(datetime(2026, 11, 27, 16, 30, tzinfo=UTC))
    assert answer == datetime(2026, 12, 1, 17, 0, tzinfo=UTC)
    assert done == datetime(2026, 12, 12, 17, 0, tzinfo=UTC)


def test_every_purpose_says_what_for_whom_and_what_a_no_costs_in_two_languages() -> None:
    assert set(privacy.ASKED) == set(Purpose)
    for asked in privacy.ASKED.values():
        for words in (asked.title, asked.data, asked.use, asked.who, asked.without):
            assert words.vi
            assert words.en


def test_nothing_is_agreed_before_somebody_says_so(province: Province) -> None:
    with province.database.transaction(province.actor("lanh")) as session:
        assert queries.consents_now(session, province["lanh"]) == {}
        assert len(privacy.unasked(session, province["lanh"])) == 5


def test_a_yes_and_a_later_no_are_both_kept(province: Province) -> None:
    lanh = province.actor("lanh")
    with province.database.transaction(lanh) as session:
        changed = privacy.answer_consents(session, lanh, {Purpose.ACCOUNT, Purpose.PUBLIC_NAME})
        assert set(changed) == set(Purpose)
    with province.database.transaction(PUBLIC) as session:
        assert queries.public_person_label(session, province["lanh"]) == "bác Lành"
    with province.database.transaction(lanh) as session:
        privacy.withdraw(session, lanh, Purpose.PUBLIC_NAME)
    with province.database.transaction(PUBLIC) as session:
        assert queries.public_person_label(session, province["lanh"]) == "một người của hộ"
    rows = province.rows("SELECT given FROM consents WHERE purpose = 'public_name' ORDER BY recorded_at, id")
    assert [r.given for r in rows] == [True, False]
    assert province.one("SELECT count(*) FROM consents WHERE purpose = 'diary'") == 1


def test_saying_the_same_again_writes_nothing(province: Province) -> None:
    lanh = province.actor("lanh")
    for expected in (5, 0):
        with province.database.transaction(lanh) as session:
            assert len(privacy.answer_consents(session, lanh, {Purpose.ACCOUNT})) == expected
    assert province.one("SELECT count(*) FROM outbox_events WHERE name = 'accounts.consent_changed'") == 1


def test_a_consent_is_never_rewritten(province: Province) -> None:
    lanh = province.actor("lanh")
    with province.database.transaction(lanh) as session:
        privacy.answer_consents(session, lanh, {Purpose.ACCOUNT})
    rights = province.rows(
        "SELECT privilege_type FROM information_schema.role_table_grants"
        " WHERE grantee = 'hoi_app' AND table_name = 'consents' ORDER BY 1"
    )
    assert [r.privilege_type for r in rights] == ["INSERT", "SELECT"]


def test_a_no_to_the_account_is_erasing(province: Province) -> None:
    lanh = province.actor("lanh")
    with province.database.transaction(lanh) as session:
        privacy.answer_consents(session, lanh, {Purpose.ACCOUNT})
    with pytest.raises(Conflict) as refused, province.database.transaction(lanh) as session:
        privacy.withdraw(session, lanh, Purpose.ACCOUNT)
    assert refused.value.code == "account_needs_erasing"
    assert province.one("SELECT count(*) FROM consents") == 5


def test_everything_we_hold_is_told_and_no_secret(province: Province) -> None:
    with province.database.transaction(SYSTEM) as session:
        granted = signin.start(session, SYSTEM, province["lanh"], method=SignInMethod.PASSWORD, agent="Firefox")
    lanh = province.actor("lanh")
    with province.database.transaction(lanh) as session:
        found = privacy.everything_about(session, lanh)
    assert found["personal_data"]["phone"] == "+84912000005"
    assert found["memberships"][0]["organisation"] == "Hộ household"
    assert len(found["sign_ins"]) == 1
    assert granted.token not in str(found)
    assert "sha256" not in str(found)


def test_an_objection_is_answered_by_an_administrator_once(province: Province) -> None:
    lanh, minh, admin = (province.actor(n) for n in ("lanh", "minh", "admin"))
    form = DataRequestIn(id=new_id(), kind=RequestKind.OBJECT, detail="Không cho chụp ảnh")
    for _ in range(2):
        with province.database.transaction(lanh) as session:
            row = privacy.request_data(session, lanh, form)
    assert row.answer_due_at < row.fulfil_due_at
    assert province.one("SELECT count(*) FROM data_requests") == 1
    answer = AnswerIn(answer="Đã ẩn ảnh.", fulfilled=True)
    with pytest.raises(Forbidden), province.database.transaction(minh) as session:
        privacy.answer_request(session, minh, form.id, answer)
    with pytest.raises(NotFound), province.database.transaction(minh) as session:
        privacy.open_request(session, form.id)
    with province.database.transaction(admin) as session:
        assert [r.id for r in queries.open_data_requests(session)] == [form.id]
        privacy.answer_request(session, admin, form.id, answer)
    with pytest.raises(Conflict), province.database.transaction(admin) as session:
        privacy.answer_request(session, admin, form.id, AnswerIn(answer="Khác"))
    assert province.rows("SELECT answer, fulfilled_at IS NOT NULL FROM data_requests") == [("Đã ẩn ảnh.", True)]


def test_erasing_leaves_the_id_and_nothing_that_names(province: Province) -> None:
    with province.database.transaction(SYSTEM) as session:
        granted = signin.start(session, SYSTEM, province["lanh"], method=SignInMethod.PASSWORD, agent="Firefox")
        session.connection().exec_driver_sql(
            "UPDATE organisations SET tax_code = '020188001234' WHERE id = %s", (province["household"],)
        )
    lanh = province.actor("lanh")
    with province.database.transaction(lanh) as session:
        privacy.erase(session, lanh, new_id())
    assert province.one("SELECT count(*) FROM personal_data WHERE person_id = :p", p=province["lanh"]) == 0
    assert province.one("SELECT erased_at IS NOT NULL FROM people WHERE id = :p", p=province["lanh"])
    assert province.one("SELECT tax_code FROM organisations WHERE id = :o", o=province["household"]) is None
    assert province.one("SELECT count(*) FROM memberships WHERE person_id = :p", p=province["lanh"]) == 1
    assert province.actor("lanh").memberships == ()
    with province.database.transaction(SYSTEM) as session:
        assert signin.actor_from_token(session, granted.token, "") == PUBLIC
    kinds = province.rows("SELECT kind, fulfilled_at IS NOT NULL FROM data_requests")
    assert kinds == [("erase", True)]
    tables = province.rows(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
    )
    for row in tables:
        held = province.one(
            f"SELECT count(*) FROM {row.table_name} x WHERE x::text LIKE '%912000005%' OR x::text LIKE '%Hoàng Thị Lành%'"
        )
        assert held == 0, row.table_name


def test_erasing_takes_the_words_of_the_persons_requests_and_nobody_elses(province: Province) -> None:
    lanh, sau, admin = (province.actor(n) for n in ("lanh", "sau", "admin"))
    answered, waiting, others = new_id(), new_id(), new_id()
    for actor, request_id, detail in (
        (lanh, answered, "Gọi cho Lành số 0912 000 005"),
        (lanh, waiting, "Nhà ở cuối thôn"),
        (sau, others, "Sửa tên tôi"),
    ):
        with province.database.transaction(actor) as session:
            form = DataRequestIn(id=request_id, kind=RequestKind.CORRECT, detail=detail)
            privacy.request_data(session, actor, form)
    with province.database.transaction(admin) as session:
        privacy.answer_request(session, admin, answered, AnswerIn(answer="Đã gọi bác Lành."))
        privacy.answer_request(session, admin, others, AnswerIn(answer="Đã sửa."))
    erasing = new_id()
    with province.database.transaction(lanh) as session:
        privacy.erase(session, lanh, erasing)
    rows = province.rows("SELECT id, detail, answer FROM data_requests")
    assert {r.id: (r.detail, r.answer) for r in rows} == {
        answered: ("", "Đã xóa"),
        waiting: ("", None),
        erasing: ("", "Đã xóa"),
        others: ("Sửa tên tôi", "Đã sửa."),
    }


def test_the_only_manager_hands_over_before_erasing(province: Province) -> None:
    minh = province.actor("minh")
    with pytest.raises(Conflict) as refused, province.database.transaction(minh) as session:
        privacy.erase(session, minh, new_id())
    assert refused.value.code == "last_manager"
    assert province.one("SELECT count(*) FROM personal_data WHERE person_id = :p", p=province["minh"]) == 1
    assert province.one("SELECT count(*) FROM data_requests") == 0

"""The law's clock, and erasing that leaves a verifiable history."""

import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest

from app import clock
from app.accounts import actors, card_requests, cards, privacy, queries, roles, signin
from app.accounts.models import RequestKind, SignInMethod
from app.accounts.schemas import AnswerIn, DataRequestIn, PrintCard
from app.actor import PUBLIC, SYSTEM, Role
from app.db import Database, Words, new_id
from app.errors import Conflict, Forbidden, HoiError, NotFound
from app.jobs import Job
from app.places.models import PlaceImport
from tests.worlds.organisations import KEY, Province, make_province

PHONE_OF_LANH = "Mozilla/5.0 (Linux; Android 13; SM-LANH Build/1) Chrome/120.0 Mobile Safari/537.36"


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
        assert [r.id for r in queries.open_data_requests(session).rows] == [form.id]
        privacy.answer_request(session, admin, form.id, answer)
    with pytest.raises(Conflict), province.database.transaction(admin) as session:
        privacy.answer_request(session, admin, form.id, AnswerIn(answer="Khác"))
    assert province.rows("SELECT answer, fulfilled_at IS NOT NULL FROM data_requests") == [("Đã ẩn ảnh.", True)]


def test_erasing_leaves_the_id_and_nothing_that_names(province: Province) -> None:
    with province.database.transaction(SYSTEM) as session:
        granted = signin.start(session, SYSTEM, province["lanh"], method=SignInMethod.PASSWORD, agent=PHONE_OF_LANH)
        session.connection().exec_driver_sql(
            "UPDATE organisations SET tax_code = '020188001234' WHERE id = %s", (province["household"],)
        )
    phone_and_files_of(province, "lanh")
    lanh = province.actor("lanh")
    with province.database.transaction(lanh) as session:
        privacy.erase(session, lanh, new_id())
    assert province.one("SELECT count(*) FROM personal_data WHERE person_id = :p", p=province["lanh"]) == 0
    assert province.one("SELECT erased_at IS NOT NULL FROM people WHERE id = :p", p=province["lanh"])
    assert province.one("SELECT tax_code FROM organisations WHERE id = :o", o=province["household"]) is None
    assert province.one("SELECT count(*) FROM memberships WHERE person_id = :p", p=province["lanh"]) == 1
    assert province.actor("lanh").memberships == ()
    with province.database.transaction(SYSTEM) as session:
        assert actors.actor_from_token(session, granted.token, "") == PUBLIC
    kinds = province.rows("SELECT kind, fulfilled_at IS NOT NULL FROM data_requests")
    assert kinds == [("erase", True)]
    tables = province.rows(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
    )
    for row in tables:
        held = province.one(
            f"SELECT count(*) FROM {row.table_name} x WHERE x::text LIKE '%912000005%' OR x::text LIKE '%Hoàng Thị Lành%'"
            " OR x::text LIKE '%SM-LANH%' OR x::text LIKE '%nha-lanh.csv%' OR x::text LIKE '%020188001234%'"
        )
        assert held == 0, row.table_name


def phone_and_files_of(province: Province, name: str) -> None:
    """A card asked about and bound on a phone that says its model, and a list sent under a file name of their own."""
    manager = province.actor("minh")
    with province.database.transaction(manager) as session:
        form = PrintCard(id=new_id(), person_id=province[name])
        card = cards.print_card(session, manager, province["coop"], form, key=KEY)
        _, secret, _ = cards.printed(session, manager, card.id, key=KEY)
    with province.database.transaction(SYSTEM) as session:
        request = card_requests.ask(session, secret, new_id(), device_token="phone", agent=PHONE_OF_LANH)
    with province.database.transaction(manager) as session:
        card_requests.decide(session, manager, request.id, right_person=True)
    with province.database.transaction(SYSTEM) as session:
        session.add(
            PlaceImport(
                id=new_id(), kind="premises", person_id=province[name], file_name="nha-lanh.csv", blob_sha256="ab" * 32,
                effective_on=date(2026, 11, 1), created_at=clock.now(), job_id=None, applied_at=None, summary=None,
            )
        )  # fmt: skip
        session.add(
            Job(
                id=new_id(), kind="places.import_villages", title=Words(vi="Nhập 3 hộ từ nha-lanh.csv"), params={},
                person_id=province[name], queued_at=clock.now(),
            )
        )  # fmt: skip


@pytest.mark.parametrize("left_before", [False, True])
def test_a_households_personal_number_goes_whoever_of_it_erases(province: Province, *, left_before: bool) -> None:
    """Whose number it is is not known: so not only with the last one, and also for who had left before."""
    province.person("minh", "household", "con", "Hoàng Văn Con", Role.FARMER, "0912 000 055")
    with province.database.transaction(SYSTEM) as session:
        session.connection().exec_driver_sql(
            "UPDATE organisations SET tax_code = '020188001234' WHERE id = %s", (province["household"],)
        )
        session.connection().exec_driver_sql(
            "UPDATE organisations SET tax_code = '0100233488' WHERE id = %s", (province["coop"],)
        )
    province.also("lanh", "coop", Role.PURCHASER)
    lanh = province.actor("lanh")
    if left_before:
        with province.database.transaction(lanh) as session:
            for held in queries.roles_of(session, province["lanh"], clock.today()):
                roles.end_role(session, lanh, held.id)
        lanh = province.actor("lanh")
    with province.database.transaction(lanh) as session:
        privacy.erase(session, lanh, new_id())
    codes = province.rows("SELECT id, tax_code, version FROM organisations WHERE kind <> 'authority'")
    assert {r.id: (r.tax_code, r.version) for r in codes} == {
        province["household"]: (None, 2),
        province["coop"]: ("0100233488", 1),  # a number of the organisation, not of a person
        province["other"]: (None, 1),
        province["other_household"]: (None, 1),
    }


def test_of_two_managers_who_erase_at_once_one_stays(fresh_database: Database) -> None:
    province = make_province(fresh_database)
    province.also("khac", "coop", Role.COOPERATIVE_MANAGER)
    province.person("admin", "other", "nua", "Lý Văn Nữa", Role.COOPERATIVE_MANAGER, "0912 000 066")
    answers = at_once(
        lambda: privacy_of(province, "minh"),
        lambda: privacy_of(province, "khac"),
    )
    assert answers == Counter({"done": 1, "last_manager": 1})
    assert province.one("SELECT count(*) FROM people WHERE erased_at IS NOT NULL") == 1


def privacy_of(province: Province, name: str) -> None:
    actor = province.actor(name)
    with province.database.transaction(actor) as session:
        privacy.erase(session, actor, new_id())


@pytest.mark.parametrize(("at", "role"), [("coop", Role.COOPERATIVE_MANAGER), ("office", Role.ADMINISTRATOR)])
def test_of_two_who_end_each_other_at_once_one_stays(fresh_database: Database, at: str, role: Role) -> None:
    province = make_province(fresh_database)
    if role == Role.ADMINISTRATOR:
        organisation = province.one("SELECT organisation_id FROM memberships WHERE role = 'administrator'")
        province.ids[at] = organisation
        first = "admin"
    else:
        organisation, first = province[at], "minh"
    province.person("admin", at, "hai", "Nông Văn Hai", role, "0912 000 077", "province" if first == "admin" else None)
    held = {
        r.person_id: r.id
        for r in province.rows(
            "SELECT id, person_id FROM memberships WHERE organisation_id = :o AND role = :r", o=organisation, r=role
        )
    }
    actors = {n: province.actor(n) for n in (first, "hai")}

    def end(by: str, whose: str) -> None:
        with province.database.transaction(actors[by]) as session:
            roles.end_role(session, actors[by], held[province[whose]])

    answers = at_once(lambda: end(first, "hai"), lambda: end("hai", first))
    assert answers == Counter({"done": 1, "last_manager": 1})
    still = province.rows(
        "SELECT id FROM memberships WHERE organisation_id = :o AND role = :r AND valid_to IS NULL",
        o=organisation,
        r=role,
    )
    assert len(still) == 1


def at_once(*deeds: Callable[[], None]) -> Counter[str]:
    """What became of each: "done", or the code of its refusal."""
    start, answers = threading.Barrier(len(deeds)), []

    def run(deed: Callable[[], None]) -> None:
        start.wait()
        try:
            deed()
        except HoiError as error:
            answers.append(error.code)
        else:
            answers.append("done")

    threads = [threading.Thread(target=run, args=(d,)) for d in deeds]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return Counter(answers)


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

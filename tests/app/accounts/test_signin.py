"""Passwords under limits, and sign-ins that end when they should."""

import threading
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import update

from app import clock
from app.accounts import cards, people, queries, schemas, signin, tokens
from app.accounts.models import SignIn, SignInAttempt, SignInMethod
from app.accounts.schemas import PrintCard
from app.accounts.signin import Granted
from app.actor import PUBLIC, SYSTEM, Actor, Role
from app.db import Database, new_id
from app.errors import HoiError, Invalid, TooMany
from tests.app.accounts.conftest import ADMIN_PHONE, KEY, PASSWORD, Province, make_province


def attempt(province: Province, phone: str, password: str, address: str = "10.0.0.1") -> Granted | HoiError:
    with province.database.transaction(SYSTEM) as session:
        return signin.sign_in(session, phone=phone, password=password, key=KEY, address=address, agent="Firefox")


def who(province: Province, token: str) -> Actor:
    with province.database.transaction(SYSTEM) as session:
        return signin.actor_from_token(session, token, "r")


def granted(province: Province, name: str, method: SignInMethod = SignInMethod.PASSWORD) -> Granted:
    with province.database.transaction(SYSTEM) as session:
        return signin.start(session, SYSTEM, province[name], method=method, agent="Firefox")


def test_the_right_password_in_any_spelling_of_the_number(province: Province) -> None:
    for spelled in (ADMIN_PHONE, "+84912000001", "0912000001"):
        found = attempt(province, spelled, PASSWORD)
        assert isinstance(found, Granted)
        assert found.person_id == province["admin"]
        assert found.max_age_seconds == 30 * 86400
        assert len(found.token) == 43


def test_only_a_digest_of_the_token_is_kept(province: Province) -> None:
    found = attempt(province, ADMIN_PHONE, PASSWORD)
    assert isinstance(found, Granted)
    stored = province.one("SELECT token_sha256 FROM sign_ins WHERE id = :id", id=found.sign_in_id)
    assert bytes(stored) == tokens.digest(found.token)


def test_unknown_numbers_and_wrong_passwords_get_one_answer(province: Province) -> None:
    answers = [
        attempt(province, ADMIN_PHONE, "sai"),
        attempt(province, "0987 111 222", "sai"),
        attempt(province, "không phải số", "sai"),
        attempt(province, "0912 000 005", "sai"),  # somebody without a password
    ]
    assert {(type(a), a.code, a.vi, a.field) for a in answers if isinstance(a, HoiError)} == {
        (Invalid, "wrong_password", answers[0].vi if isinstance(answers[0], HoiError) else "", "password")
    }
    assert province.one("SELECT count(*) FROM sign_ins") == 0


def test_an_unknown_number_costs_as_much_as_a_known_one(province: Province, monkeypatch: pytest.MonkeyPatch) -> None:
    verified: list[str] = []
    monkeypatch.setattr(signin, "_verify", lambda hashed, _password: bool(verified.append(hashed)))
    attempt(province, ADMIN_PHONE, "sai")
    attempt(province, "0987 111 222", "sai")
    assert len(verified) == 2
    assert {h.rsplit("$", 2)[0] for h in verified} == {"$argon2id$v=19$m=19456,t=2,p=1"}


def test_five_wrong_tries_close_a_number_for_a_quarter_of_an_hour(province: Province) -> None:
    for _ in range(5):
        assert isinstance(attempt(province, ADMIN_PHONE, "sai"), Invalid)
    closed = attempt(province, ADMIN_PHONE, PASSWORD, address="10.9.9.9")
    assert isinstance(closed, TooMany)
    assert 880 < closed.retry_after_seconds <= 901
    assert province.one("SELECT count(*) FROM sign_ins") == 0
    with province.database.transaction(SYSTEM) as session:
        session.execute(update(SignInAttempt).values(at=clock.machine_now() - timedelta(minutes=15, seconds=1)))
    assert isinstance(attempt(province, ADMIN_PHONE, PASSWORD), Granted)


def test_a_number_that_nobody_has_is_closed_alike(province: Province) -> None:
    for _ in range(5):
        attempt(province, "0987 111 222", "sai")
    assert isinstance(attempt(province, "0987 111 222", "sai"), TooMany)


def test_an_address_is_closed_after_fifty_wrong_tries(province: Province) -> None:
    for n in range(50):
        attempt(province, f"09871112{n:02d}", "sai")
    assert isinstance(attempt(province, ADMIN_PHONE, PASSWORD), TooMany)
    assert isinstance(attempt(province, ADMIN_PHONE, PASSWORD, address="10.0.0.2"), Granted)


def test_attempts_hold_no_number_and_no_address(province: Province) -> None:
    attempt(province, ADMIN_PHONE, "sai", address="203.0.113.7")
    row = province.rows("SELECT phone_digest, address_digest FROM sign_in_attempts")[0]
    assert bytes(row.phone_digest) == tokens.keyed(KEY, "attempt-phone", "+84912000001")
    assert bytes(row.address_digest) == tokens.keyed(KEY, "attempt-address", "203.0.113.7")


def test_twenty_tries_at_once_are_five_tries(fresh_database: Database) -> None:
    province = make_province(fresh_database)
    answers: list[str] = []

    def one() -> None:
        answers.append(type(attempt(province, ADMIN_PHONE, "sai")).__name__)

    threads = [threading.Thread(target=one) for _ in range(20)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert Counter(answers) == {"Invalid": 5, "TooMany": 15}


def test_a_sign_in_is_its_person_until_it_ends(province: Province) -> None:
    found = granted(province, "minh")
    actor = who(province, found.token)
    assert (actor.person_id, actor.sign_in_id) == (province["minh"], found.sign_in_id)
    assert actor.roles == {Role.COOPERATIVE_MANAGER}
    assert actor.organisations == {province["coop"], province["household"]}
    with province.database.transaction(province.actor("minh")) as session:
        signin.end(session, province.actor("minh"), found.sign_in_id)
    assert who(province, found.token) == PUBLIC
    assert who(province, "made up") == PUBLIC


def test_a_sign_in_expires(province: Province) -> None:
    found = granted(province, "minh")
    with province.database.transaction(SYSTEM) as session:
        session.execute(update(SignIn).values(expires_at=clock.machine_now() - timedelta(seconds=1)))
    assert who(province, found.token) == PUBLIC


def test_nobody_ends_the_sign_in_of_another(province: Province) -> None:
    found, khac = granted(province, "minh"), province.actor("khac")
    with pytest.raises(HoiError), province.database.transaction(khac) as session:
        signin.end(session, khac, found.sign_in_id)
    assert who(province, found.token) != PUBLIC


def test_everywhere_is_everywhere(province: Province) -> None:
    found = [granted(province, "minh") for _ in range(3)]
    other = granted(province, "khac")
    minh = province.actor("minh")
    with province.database.transaction(minh) as session:
        assert signin.end_all(session, minh, province["minh"]) == 3
    assert [who(province, f.token) for f in found] == [PUBLIC] * 3
    assert who(province, other.token) != PUBLIC


def test_a_new_password_ends_the_other_sign_ins(province: Province) -> None:
    here, there = granted(province, "admin"), granted(province, "admin")
    with province.database.transaction(SYSTEM) as session:
        actor = signin.actor_from_token(session, here.token, "")
        form = schemas.ChangePassword(current=PASSWORD, new="nam chu kho doan", again="nam chu kho doan")
        assert signin.change_password(session, actor, form, key=KEY, address="10.0.0.1") is None
    assert who(province, here.token) != PUBLIC
    assert who(province, there.token) == PUBLIC
    assert isinstance(attempt(province, ADMIN_PHONE, PASSWORD), Invalid)
    assert isinstance(attempt(province, ADMIN_PHONE, "nam chu kho doan"), Granted)


@pytest.mark.parametrize("weak", ["short12", "12345678", "aaaaaaaaaa", "0912000001", "Hoàng Quản Trị", "matkhau123"])
def test_a_weak_password_is_refused(province: Province, weak: str) -> None:
    admin = province.actor("admin")
    before = province.one("SELECT password_hash FROM credentials")
    with province.database.transaction(SYSTEM) as session:
        form = schemas.ChangePassword(current=PASSWORD, new=weak, again=weak)
        refused = signin.change_password(session, admin, form, key=KEY, address="10.0.0.1")
    assert refused is not None
    assert (refused.code, refused.field) == ("weak_password", "new")
    assert province.one("SELECT password_hash FROM credentials") == before


def test_guessing_the_present_password_is_limited(province: Province) -> None:
    admin = province.actor("admin")
    form = schemas.ChangePassword(current="sai", new="nam chu kho doan", again="nam chu kho doan")
    answers = []
    for _ in range(6):
        with province.database.transaction(SYSTEM) as session:
            answers.append(signin.change_password(session, admin, form, key=KEY, address="10.0.0.1"))
    assert [type(a) for a in answers] == [Invalid] * 5 + [TooMany]


def test_a_password_told_by_somebody_opens_only_the_page_that_changes_it(province: Province) -> None:
    admin = province.actor("admin")
    with province.database.transaction(admin) as session:
        told = people.first_password(session, admin, province["coop"], province["minh"])
    found = attempt(province, "0912000002", told)
    assert isinstance(found, Granted)
    assert found.must_change
    actor = who(province, found.token)
    assert (actor.person_id, actor.memberships, actor.organisations) == (province["minh"], (), frozenset())
    with province.database.transaction(SYSTEM) as session:
        form = schemas.ChangePassword(current=told, new="cua rieng toi nhe", again="cua rieng toi nhe")
        assert signin.change_password(session, actor, form, key=KEY, address="a") is None
    assert who(province, found.token).organisations == {province["coop"], province["household"]}


def test_a_sign_in_by_card_is_a_farmer_and_nothing_else(province: Province) -> None:
    admin = province.actor("admin")
    with province.database.transaction(admin) as session:
        form = schemas.PersonIn(
            id=new_id(), full_name="Hoàng Thị Lành", address_as="bác", phone="0912000005", role=Role.COOPERATIVE_MANAGER
        )
        people.add_person(session, admin, province["coop"], form)
    by_password, by_card = granted(province, "lanh"), granted(province, "lanh", SignInMethod.CARD)
    assert who(province, by_password.token).roles == {Role.FARMER, Role.COOPERATIVE_MANAGER}
    actor = who(province, by_card.token)
    assert (actor.roles, actor.organisations) == ({Role.FARMER}, {province["household"]})
    assert by_card.max_age_seconds == 365 * 86400


def test_being_seen_is_written_every_five_minutes_at_most(province: Province) -> None:
    found = granted(province, "minh")
    first = province.one("SELECT last_seen_at FROM sign_ins WHERE id = :id", id=found.sign_in_id)
    who(province, found.token)
    assert province.one("SELECT last_seen_at FROM sign_ins WHERE id = :id", id=found.sign_in_id) == first
    with province.database.transaction(SYSTEM) as session:
        session.execute(update(SignIn).values(last_seen_at=clock.machine_now() - timedelta(minutes=6)))
    who(province, found.token)
    assert province.one("SELECT last_seen_at FROM sign_ins WHERE id = :id", id=found.sign_in_id) >= first


def test_a_browser_is_described_in_words_people_know() -> None:
    android = "Mozilla/5.0 (Linux; Android 13; SM-A127F) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Mobile Safari/537.36"
    assert signin.describe(android) == "Chrome trên Android (SM-A127F)"
    assert signin.describe("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0) AppleWebKit Safari/604.1") == "Safari trên iPhone"
    assert signin.describe("") == "Trình duyệt"


def test_the_erased_sign_in_nowhere(province: Province) -> None:
    found = granted(province, "lanh")
    with province.database.transaction(SYSTEM) as session:
        session.connection().exec_driver_sql("UPDATE people SET erased_at = now()")
    assert who(province, found.token) == PUBLIC


def test_printing_needs_a_manager_before_anything_else(province: Province) -> None:
    lanh = province.actor("lanh")
    with pytest.raises(HoiError), province.database.transaction(lanh) as session:
        cards.print_card(session, lanh, province["coop"], PrintCard(id=new_id(), person_id=province["lanh"]), key=KEY)
    with province.database.transaction(SYSTEM) as session:
        assert queries.open_cards(session, province["coop"]) == {}

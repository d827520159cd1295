"""Passwords under limits."""

import threading
import unicodedata
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import update

from app import clock
from app.accounts import actors, passwords, people, schemas, tokens
from app.accounts.models import SignInAttempt
from app.accounts.signin import Granted
from app.actor import PUBLIC, SYSTEM
from app.db import Database
from app.errors import HoiError, Invalid, TooMany
from tests.app.accounts.conftest import ADMIN_PHONE, KEY, PASSWORD, Province, make_province


def attempt(province: Province, phone: str, password: str, address: str = "10.0.0.1") -> Granted | HoiError:
    with province.database.transaction(SYSTEM) as session:
        return passwords.sign_in(session, phone=phone, password=password, key=KEY, address=address, agent="Firefox")


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
    monkeypatch.setattr(passwords, "_verify", lambda hashed, _password: bool(verified.append(hashed)))
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


def test_a_new_password_ends_the_other_sign_ins(province: Province) -> None:
    here, there = province.granted("admin"), province.granted("admin")
    with province.database.transaction(SYSTEM) as session:
        actor = actors.actor_from_token(session, here.token, "")
        form = schemas.ChangePassword(current=PASSWORD, new="nam chu kho doan", again="nam chu kho doan")
        assert passwords.change_password(session, actor, form, key=KEY, address="10.0.0.1") is None
    assert province.who(here.token) != PUBLIC
    assert province.who(there.token) == PUBLIC
    assert isinstance(attempt(province, ADMIN_PHONE, PASSWORD), Invalid)
    assert isinstance(attempt(province, ADMIN_PHONE, "nam chu kho doan"), Granted)


@pytest.mark.parametrize("weak", ["short12", "12345678", "aaaaaaaaaa", "0912000001", "Hoàng Quản Trị", "matkhau123"])
def test_a_weak_password_is_refused(province: Province, weak: str) -> None:
    admin = province.actor("admin")
    before = province.one("SELECT password_hash FROM credentials")
    with province.database.transaction(SYSTEM) as session:
        form = schemas.ChangePassword(current=PASSWORD, new=weak, again=weak)
        refused = passwords.change_password(session, admin, form, key=KEY, address="10.0.0.1")
    assert refused is not None
    assert (refused.code, refused.field) == ("weak_password", "new")
    assert province.one("SELECT password_hash FROM credentials") == before


def test_guessing_the_present_password_is_limited(province: Province) -> None:
    admin = province.actor("admin")
    form = schemas.ChangePassword(current="sai", new="nam chu kho doan", again="nam chu kho doan")
    answers = []
    for _ in range(6):
        with province.database.transaction(SYSTEM) as session:
            answers.append(passwords.change_password(session, admin, form, key=KEY, address="10.0.0.1"))
    assert [type(a) for a in answers] == [Invalid] * 5 + [TooMany]


def test_a_password_told_by_somebody_opens_only_the_page_that_changes_it(province: Province) -> None:
    admin = province.actor("admin")
    with province.database.transaction(admin) as session:
        told = people.first_password(session, admin, province["coop"], province["minh"])
    found = attempt(province, "0912000002", told)
    assert isinstance(found, Granted)
    assert found.must_change
    actor = province.who(found.token)
    assert (actor.person_id, actor.memberships, actor.organisations) == (province["minh"], (), frozenset())
    with province.database.transaction(SYSTEM) as session:
        form = schemas.ChangePassword(current=told, new="cua rieng toi nhe", again="cua rieng toi nhe")
        assert passwords.change_password(session, actor, form, key=KEY, address="a") is None
    assert province.who(found.token).organisations == {province["coop"], province["household"]}


VIETNAMESE = "Mật ong Mẫu Sơn"
KEYBOARDS = {
    "composed": unicodedata.normalize("NFC", VIETNAMESE),
    "decomposed": unicodedata.normalize("NFD", VIETNAMESE),
    "tone behind": "Mâ\u0323t ong Mâ\u0303u Sơn",
}


@pytest.mark.parametrize("typed", KEYBOARDS)
@pytest.mark.parametrize("stored", KEYBOARDS)
def test_a_password_is_the_same_from_every_keyboard(province: Province, stored: str, typed: str) -> None:
    province.password("admin", KEYBOARDS[stored])
    assert isinstance(attempt(province, ADMIN_PHONE, KEYBOARDS[typed]), Granted)
    assert isinstance(attempt(province, ADMIN_PHONE, "Mat ong Mau Son"), Invalid)


@pytest.mark.parametrize("spelled", ["decomposed", "tone behind"])
def test_a_hash_from_before_opens_as_it_was_typed(
    province: Province, monkeypatch: pytest.MonkeyPatch, spelled: str
) -> None:
    with monkeypatch.context() as before:
        before.setattr(passwords, "_hash", passwords._HASHER.hash)
        province.password("admin", KEYBOARDS[spelled])
    assert isinstance(attempt(province, ADMIN_PHONE, KEYBOARDS[spelled]), Granted)


def test_an_unknown_number_tries_as_many_spellings(province: Province, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []
    monkeypatch.setattr(passwords, "_fits", lambda _hashed, password: bool(tried.append(password)))
    attempt(province, ADMIN_PHONE, KEYBOARDS["tone behind"])
    known, tried[:] = list(tried), []
    attempt(province, "0987 111 222", KEYBOARDS["tone behind"])
    assert tried == known == [KEYBOARDS["composed"], KEYBOARDS["tone behind"], KEYBOARDS["decomposed"]]

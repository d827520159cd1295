"""Passwords under limits."""

import threading
import unicodedata
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import text

from app.accounts import attempts, passwords, people, schemas, tokens
from app.accounts.attempts import Origin
from app.accounts.signin import Granted
from app.actor import PUBLIC, SYSTEM, Actor
from app.db import Database, new_id
from app.errors import HoiError, Invalid, TooMany
from tests.worlds.organisations import ADMIN_PHONE, KEY, PASSWORD, Province, make_province


def attempt(
    province: Province, phone: str, password: str, address: str = "10.0.0.1", browser: str = ""
) -> Granted | HoiError:
    """As the route does it: counted, then compared with no transaction open, then settled."""
    origin = Origin(address=address, browser=browser)
    with province.database.transaction(SYSTEM) as session:
        tried = passwords.begin_sign_in(session, phone=phone, key=KEY, origin=origin)
    if isinstance(tried, TooMany):
        return tried
    right = passwords.matches(tried, password)
    with province.database.transaction(SYSTEM) as session:
        return passwords.end_sign_in(session, tried, password, right=right, key=KEY, origin=origin, agent="Firefox")


def change(province: Province, actor: Actor, form: schemas.ChangePassword) -> HoiError | None:
    with province.database.transaction(SYSTEM) as session:
        tried = passwords.begin_change(session, actor, key=KEY)
    if isinstance(tried, TooMany):
        return tried
    right = passwords.matches(tried, form.current)
    with province.database.transaction(SYSTEM) as session:
        return passwords.end_change(session, actor, tried, form, right=right)


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
    assert {(type(a), a.code, a.text("vi"), a.field) for a in answers if isinstance(a, HoiError)} == {
        (Invalid, "wrong_password", answers[0].text("vi") if isinstance(answers[0], HoiError) else "", "password")
    }
    assert province.one("SELECT count(*) FROM sign_ins") == 0


def test_an_unknown_number_costs_as_much_as_a_known_one(province: Province, monkeypatch: pytest.MonkeyPatch) -> None:
    verified: list[str] = []
    monkeypatch.setattr(passwords, "_verify", lambda hashed, _password: bool(verified.append(hashed)))
    attempt(province, ADMIN_PHONE, "sai")
    attempt(province, "0987 111 222", "sai")
    assert len(verified) == 2
    assert {h.rsplit("$", 2)[0] for h in verified} == {"$argon2id$v=19$m=19456,t=2,p=1"}


def wrong(province: Province, times: int, *, phone: str = ADMIN_PHONE, **where: str) -> list[str]:
    return [type(attempt(province, phone, "sai", **where)).__name__ for _ in range(times)]


def later(province: Province, by: timedelta) -> None:
    """So much time passes for every counter."""
    with province.database.transaction(SYSTEM) as session:
        session.execute(text("UPDATE sign_in_attempts SET at = at - :by"), {"by": by})
        session.execute(text("UPDATE credentials SET tries_since = tries_since - :by"), {"by": by})


def test_five_wrong_tries_from_one_address_close_the_number_to_it_and_to_nobody_else(province: Province) -> None:
    assert wrong(province, 6) == ["Invalid"] * 5 + ["TooMany"]
    closed = attempt(province, ADMIN_PHONE, PASSWORD)
    assert isinstance(closed, TooMany)
    assert 880 < closed.retry_after_seconds <= 901
    assert province.one("SELECT count(*) FROM sign_ins") == 0
    assert isinstance(attempt(province, ADMIN_PHONE, PASSWORD, address="10.9.9.9"), Granted)
    later(province, timedelta(minutes=15, seconds=1))
    assert isinstance(attempt(province, ADMIN_PHONE, PASSWORD), Granted)


def test_a_flood_that_goes_on_all_day_is_slowed_to_twenty_tries(province: Province) -> None:
    told = []
    for _ in range(8):
        told += wrong(province, 5)
        later(province, timedelta(minutes=16))
    assert Counter(told) == {"Invalid": 20, "TooMany": 20}
    assert isinstance(attempt(province, ADMIN_PHONE, PASSWORD, address="10.9.9.9"), Granted)


def test_a_number_that_nobody_has_is_closed_alike(province: Province) -> None:
    assert wrong(province, 6, phone="0987 111 222") == ["Invalid"] * 5 + ["TooMany"]


def test_a_known_browser_passes_whatever_strangers_do_even_from_its_own_address(province: Province) -> None:
    known = attempts.remember("", province["admin"], KEY)
    for n in range(20):
        wrong(province, 6, address=f"198.51.100.{n}")
    assert isinstance(attempt(province, ADMIN_PHONE, PASSWORD, address="198.51.100.7"), TooMany)
    assert isinstance(attempt(province, ADMIN_PHONE, PASSWORD, address="198.51.100.7", browser=known), Granted)
    assert wrong(province, 11, browser=known) == ["Invalid"] * 10 + ["TooMany"]
    assert isinstance(attempt(province, ADMIN_PHONE, PASSWORD, browser=known), TooMany), (
        "it may not guess for ever either"
    )
    later(province, timedelta(minutes=15, seconds=1))
    assert isinstance(attempt(province, ADMIN_PHONE, PASSWORD, browser=known), Granted)


def test_a_browser_is_known_to_those_who_signed_in_there_and_cannot_be_made_up(province: Province) -> None:
    known = attempts.remember("", province["admin"], KEY)
    family = attempts.remember(known, province["minh"], KEY)
    name, *seals = family.split(".")
    assert (attempts.knows(family, province["admin"], KEY), attempts.knows(family, province["minh"], KEY)) == (
        True,
        True,
    )
    assert not attempts.knows(known, province["minh"], KEY)
    assert not attempts.knows(f"{tokens.new_token()}.{seals[0]}", province["minh"], KEY)
    assert not attempts.knows(known, province["admin"], b"another key")
    assert not any(
        attempts.knows(made_up, province["admin"], KEY) for made_up in ("", ".", name, f"{name}.", "x" * 600)
    )
    for _ in range(9):
        family = attempts.remember(family, new_id(), KEY)
    assert len(family.split(".")) == 1 + attempts.KNOWN_PEOPLE
    stranger = {"browser": f"{name}.{'0' * 32}"}
    assert wrong(province, 6, **stranger) == ["Invalid"] * 5 + ["TooMany"]


def test_many_addresses_at_one_number_wait_half_a_minute_and_close_nothing(province: Province) -> None:
    for n in range(10):
        assert wrong(province, 1, address=f"198.51.100.{n}") == ["Invalid"]
    waits = attempt(province, ADMIN_PHONE, PASSWORD, address="10.9.9.9")
    assert isinstance(waits, TooMany)
    assert 25 < waits.retry_after_seconds <= 31
    later(province, timedelta(seconds=31))
    assert isinstance(attempt(province, ADMIN_PHONE, PASSWORD, address="10.9.9.9"), Granted)


def test_a_whole_ipv6_network_of_one_visitor_is_one_address(province: Province) -> None:
    found = [wrong(province, 1, address=f"2001:db8:1:2::{n}")[0] for n in range(6)]
    assert found == ["Invalid"] * 5 + ["TooMany"]
    assert wrong(province, 1, address="2001:db8:1:3::1") == ["Invalid"]


def test_an_address_is_closed_to_unknown_browsers_after_sixty_wrong_tries_at_many_numbers(province: Province) -> None:
    for n in range(60):
        wrong(province, 1, phone=f"09871112{n:02d}")
    assert isinstance(attempt(province, ADMIN_PHONE, PASSWORD), TooMany)
    assert isinstance(attempt(province, ADMIN_PHONE, PASSWORD, address="10.0.0.2"), Granted)
    known = attempts.remember("", province["admin"], KEY)
    assert isinstance(attempt(province, ADMIN_PHONE, PASSWORD, browser=known), Granted)


def test_an_address_that_many_share_takes_more(province: Province) -> None:
    """A mobile carrier's: each number that got in from there today stands for five more wrong tries."""
    assert isinstance(attempt(province, ADMIN_PHONE, PASSWORD), Granted)
    for n in range(64):
        wrong(province, 1, phone=f"09871112{n:02d}")
    assert isinstance(attempt(province, ADMIN_PHONE, PASSWORD), Granted)
    wrong(province, 1, phone="0987111299")
    assert isinstance(attempt(province, ADMIN_PHONE, PASSWORD), TooMany)


def test_behind_a_proxy_that_hides_everybody_there_is_no_limit_for_all(province: Province) -> None:
    for n in range(70):
        assert wrong(province, 1, phone=f"09871112{n:02d}", address="") == ["Invalid"]
    assert isinstance(attempt(province, ADMIN_PHONE, PASSWORD, address=""), Granted)


def test_a_reset_clears_the_counters(province: Province) -> None:
    province.password("minh")
    assert wrong(province, 6, phone="0912000002")[-1] == "TooMany"
    admin = province.actor("admin")
    with province.database.transaction(admin) as session:
        told = people.first_password(session, admin, province["coop"], province["minh"])
    assert isinstance(attempt(province, "0912000002", told), Granted)


def test_sign_ins_and_failures_stand_in_the_trail_without_number_address_or_password(province: Province) -> None:
    attempt(province, ADMIN_PHONE, "sai-be-bet", address="203.0.113.77")
    attempt(province, "0987 111 222", "sai-be-bet", address="2001:db8:1:2::7")
    attempt(province, ADMIN_PHONE, PASSWORD, address="203.0.113.77")
    lines = province.rows(
        "SELECT action, subject_id, detail FROM audit_entries WHERE action LIKE 'accounts:sign_in:%' ORDER BY id"
    )
    assert [(r.action, r.subject_id, r.detail["device"], r.detail["network"]) for r in lines] == [
        ("accounts:sign_in:fail", province["admin"], "Firefox", "203.0.113.0/24"),
        ("accounts:sign_in:fail", None, "Firefox", "2001:db8:1::/48"),
        ("accounts:sign_in:start", province["admin"], "Firefox", "203.0.113.0/24"),
    ]
    said = str([r.detail for r in lines])
    assert not any(secret in said for secret in ("912000001", "987111222", "be-bet", "113.77", "::7"))
    assert len(lines[1].detail["number"]) == 12


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
    form = schemas.ChangePassword(current=PASSWORD, new="nam chu kho doan", again="nam chu kho doan")
    assert change(province, province.who(here.token), form) is None
    assert province.who(here.token) != PUBLIC
    assert province.who(there.token) == PUBLIC
    assert isinstance(attempt(province, ADMIN_PHONE, PASSWORD), Invalid)
    assert isinstance(attempt(province, ADMIN_PHONE, "nam chu kho doan"), Granted)


def test_a_present_password_that_is_reset_while_it_is_compared_changes_nothing(province: Province) -> None:
    """Whoever knew the old one does not undo the reset that was to lock them out."""
    admin = province.actor("admin")
    form = schemas.ChangePassword(current=PASSWORD, new="nam chu kho doan", again="nam chu kho doan")
    with province.database.transaction(SYSTEM) as session:
        tried = passwords.begin_change(session, admin, key=KEY)
    assert not isinstance(tried, TooMany)
    right = passwords.matches(tried, form.current)
    province.password("admin", "dat lai giua chung")
    with province.database.transaction(SYSTEM) as session:
        refused = passwords.end_change(session, admin, tried, form, right=right)
    assert (right, refused.code if refused else None) == (True, "wrong_password")
    assert province.one("SELECT count(*) FROM sign_in_attempts WHERE NOT succeeded") == 1
    assert isinstance(attempt(province, ADMIN_PHONE, "nam chu kho doan"), Invalid)
    assert isinstance(attempt(province, ADMIN_PHONE, "dat lai giua chung"), Granted)


@pytest.mark.parametrize("weak", ["short12", "12345678", "aaaaaaaaaa", "0912000001", "Hoàng Quản Trị", "matkhau123"])
def test_a_weak_password_is_refused(province: Province, weak: str) -> None:
    admin = province.actor("admin")
    before = province.one("SELECT password_hash FROM credentials")
    refused = change(province, admin, schemas.ChangePassword(current=PASSWORD, new=weak, again=weak))
    assert refused is not None
    assert (refused.code, refused.field) == ("weak_password", "new")
    assert province.one("SELECT password_hash FROM credentials") == before


def test_eight_characters_that_are_hard_to_guess_suffice_and_seven_do_not(province: Province) -> None:
    admin, answers = province.actor("admin"), []
    for new in ("ché dốt", "ché dốt!"):
        refused = change(province, admin, schemas.ChangePassword(current=PASSWORD, new=new, again=new))
        answers.append((len(new), refused.code if refused is not None else None))
    assert answers == [(7, "weak_password"), (8, None)]


def test_guessing_the_present_password_is_limited(province: Province) -> None:
    admin = province.actor("admin")
    form = schemas.ChangePassword(current="sai", new="nam chu kho doan", again="nam chu kho doan")
    answers = [change(province, admin, form) for _ in range(6)]
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
    form = schemas.ChangePassword(current=told, new="cua rieng toi nhe", again="cua rieng toi nhe")
    assert change(province, actor, form) is None
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

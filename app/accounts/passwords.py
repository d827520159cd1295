"""Passwords under limits: signing in with one, setting and changing it."""

import re
import unicodedata
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, func, select, text
from sqlalchemy.orm import Session

from app import audit, clock
from app.accounts import actors, schemas, signin, tokens
from app.accounts.models import Credential, PersonalData, SignInAttempt, SignInMethod
from app.accounts.signin import Granted
from app.actor import SYSTEM, Actor
from app.db import fold, new_id
from app.errors import HoiError, Invalid, TooMany

WINDOW = timedelta(minutes=15)
TRIES_PER_PHONE = 5
TRIES_PER_ADDRESS = 50  # a whole market may stand behind one address of a mobile carrier
SHORTEST_PASSWORD = 8
_COMMON = frozenset(
    [
        "12345678",
        "123456789",
        "1234567890",
        "87654321",
        "password",
        "password1",
        "matkhau1",
        "matkhau123",
        "qwertyui",
        "qwerty123",
        "11111111",
        "00000000",
        "abcd1234",
        "abc12345",
        "a1234567",
        "iloveyou",
        "anhyeuem",
        "langson1",
        "langson123",
        "hoihoihoi",
        "66666666",
        "88888888",
        "99999999",
    ]
)
# OWASP's smallest argon2id setting: eight sign-ins at once take 150 MB, not 500.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
_NOBODY = _HASHER.hash(tokens.new_token())


def sign_in(session: Session, *, phone: str, password: str, key: bytes, address: str, agent: str) -> Granted | HoiError:
    """Try a password, as SYSTEM. A refusal is returned, not raised, so that the attempt is kept.

    The answer and its time are the same for a number that nobody has.
    """
    number = _normal(phone)
    tried = _count_attempt(session, key, who=number, address=address)
    if isinstance(tried, TooMany):
        return tried
    row = session.execute(
        select(Credential, PersonalData.person_id)
        .join(PersonalData, PersonalData.person_id == Credential.person_id)
        .where(PersonalData.phone == number)
    ).one_or_none()
    right = _verify(row[0].password_hash if row else _NOBODY, password)
    if row is None or not right:
        return Invalid(
            "wrong_password",
            vi="Số điện thoại hoặc mật khẩu chưa đúng. Bác thử lại, hoặc nhờ người quản lý của đơn vị đặt lại mật khẩu.",
            en="The phone number or the password is not right. Try again, or ask your manager to set a new password.",
            field="password",
        )
    tried.succeeded = True
    if _HASHER.check_needs_rehash(row[0].password_hash):
        row[0].password_hash = _hash(password)
    granted = signin.start(session, SYSTEM, row.person_id, method=SignInMethod.PASSWORD, agent=agent)
    return replace(granted, must_change=row[0].must_change)


def _normal(phone: str) -> str:
    try:
        return schemas.phone(phone)
    except Invalid:
        return phone.strip()


def _hash(password: str) -> str:
    """The same for every keyboard: some write mật as m, ậ, t, some as m, a, two marks, t (RFC 8265, section 4.1: NFC)."""
    return _HASHER.hash(unicodedata.normalize("NFC", password))


def _verify(hashed: str, password: str) -> bool:
    """Also as it was typed, and decomposed: hashes from before NFC were made of whatever the keyboard wrote.

    What is tried follows from the password alone, so the time tells nothing of the account.
    """
    spellings = dict.fromkeys(
        (unicodedata.normalize("NFC", password), password, unicodedata.normalize("NFD", password))
    )
    return any(_fits(hashed, spelling) for spelling in spellings)


def _fits(hashed: str, password: str) -> bool:
    try:
        return _HASHER.verify(hashed, password)
    except (VerificationError, InvalidHashError):
        return False


def _count_attempt(session: Session, key: bytes, *, who: str, address: str) -> SignInAttempt | TooMany:
    """Note one attempt, or refuse it. Attempts on one number or from one address wait for each other here."""
    now = clock.machine_now()
    phone_digest, address_digest = (
        tokens.keyed(key, "attempt-phone", who),
        tokens.keyed(key, "attempt-address", address),
    )
    for digest in (phone_digest, address_digest):  # always in this order, so that no two wait for each other
        session.execute(
            text("SELECT pg_advisory_xact_lock(:key)"), {"key": int.from_bytes(digest[:8], "big", signed=True)}
        )
    for column, digest, most in (
        (SignInAttempt.phone_digest, phone_digest, TRIES_PER_PHONE),
        (SignInAttempt.address_digest, address_digest, TRIES_PER_ADDRESS),
    ):
        failures = session.execute(
            select(func.count(), func.min(SignInAttempt.at)).where(
                column == digest, SignInAttempt.at > now - WINDOW, SignInAttempt.succeeded.is_(False)
            )
        ).one()
        if failures[0] >= most:
            return _too_many(failures[1] + WINDOW - now)
    session.execute(delete(SignInAttempt).where(SignInAttempt.at < now - timedelta(days=1)))
    attempt = SignInAttempt(
        id=new_id(), phone_digest=phone_digest, address_digest=address_digest, at=now, succeeded=False
    )
    session.add(attempt)
    return attempt


def _too_many(wait: timedelta) -> TooMany:
    minutes = max(1, -(-int(wait.total_seconds()) // 60))
    return TooMany(
        "too_many_tries",
        vi=f"Đã thử sai nhiều lần. Bác đợi {minutes} phút rồi thử lại, hoặc nhờ người quản lý của đơn vị giúp.",
        en=f"Too many wrong tries. Wait {minutes} minutes, or ask your manager for help.",
        retry_after_seconds=max(1, int(wait.total_seconds()) + 1),
    )


def check_new_password(password: str, data: PersonalData | None) -> None:
    """Raises Invalid for a password that others would guess at once."""
    password = unicodedata.normalize("NFC", password)
    plain = fold(password)
    digits = re.sub(r"\D", "", data.phone or "") if data else ""
    guessable = (
        plain in _COMMON
        or len(set(password)) <= 2  # noqa: PLR2004 - one or two characters repeated
        or (digits and digits[-9:] in re.sub(r"\D", "", password))
        or (data is not None and fold(data.full_name).replace(" ", "") == plain.replace(" ", ""))
    )
    if len(password) < SHORTEST_PASSWORD or guessable:
        raise Invalid(
            "weak_password",
            vi=f"Mật khẩu cần ít nhất {SHORTEST_PASSWORD} ký tự và khó đoán. Ví dụ ghép bốn chữ bác dễ nhớ.",
            en=f"The password needs at least {SHORTEST_PASSWORD} characters and must be hard to guess. Four words do well.",
            field="new",
        )


def set_password(session: Session, actor: Actor, person_id: UUID, password: str, *, must_change: bool) -> None:
    """Store a new password and end every sign-in but the actor's own. The caller has checked the right to do so."""
    row = session.get(Credential, person_id)
    if row is None:
        row = Credential(person_id=person_id, password_hash="", must_change=must_change, changed_at=clock.now())
        session.add(row)
    row.password_hash, row.must_change, row.changed_at = _hash(password), must_change, clock.now()
    keep = actor.sign_in_id if actor.person_id == person_id else None
    signin.end_all(session, actor, person_id, but=keep)
    audit.record(session, actor, "accounts:password:set", subject_id=person_id, must_change=must_change)


def change_password(
    session: Session, actor: Actor, form: schemas.ChangePassword, *, key: bytes, address: str
) -> HoiError | None:
    """Change one's own password, as SYSTEM, so that wrong tries are kept and counted. A refusal is returned."""
    person_id = actors.oneself(actor)
    tried = _count_attempt(session, key, who=str(person_id), address=address)
    if isinstance(tried, TooMany):
        return tried
    row = session.get(Credential, person_id)
    if not _verify(row.password_hash if row else _NOBODY, form.current) or row is None:
        return Invalid(
            "wrong_password",
            vi="Mật khẩu đang dùng chưa đúng. Bác thử lại.",
            en="The present password is not right. Try again.",
            field="current",
        )
    tried.succeeded = True
    try:
        check_new_password(form.new, session.get(PersonalData, person_id))
    except Invalid as error:
        return error
    set_password(session, actor, person_id, form.new, must_change=False)
    return None

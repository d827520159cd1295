"""Passwords under limits: signing in with one, setting and changing it."""

import re
import unicodedata
from dataclasses import dataclass, replace
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import audit, clock
from app.accounts import actors, attempts, schemas, signin, tokens
from app.accounts.attempts import Origin
from app.accounts.models import Credential, PersonalData, SignInMethod
from app.accounts.signin import Granted
from app.actor import SYSTEM, Actor
from app.db import fold
from app.errors import HoiError, Invalid, TooMany
from app.messages import N_

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


@dataclass(frozen=True, slots=True)
class Tried:
    """A try that was counted, and what its password is compared with."""

    attempt_id: UUID
    password_hash: str
    person_id: UUID | None
    number: str


def begin_sign_in(session: Session, *, phone: str, key: bytes, origin: Origin) -> Tried | TooMany:
    """Count a try at a password, as SYSTEM, or refuse it. Then `matches`, with no transaction open, then `end_sign_in`.

    The answer and its time are the same for a number that nobody has.
    """
    number = _normal(phone)
    row = session.execute(
        select(Credential, PersonalData.person_id)
        .join(PersonalData, PersonalData.person_id == Credential.person_id)
        .where(PersonalData.phone == number)
    ).one_or_none()
    person_id, since = (row.person_id, row[0].tries_since) if row else (None, None)
    taken = attempts.take(session, key, who=number, origin=origin, person_id=person_id, since=since)
    if isinstance(taken, TooMany):
        return taken
    return Tried(taken, row[0].password_hash if row else _NOBODY, person_id, number)


def matches(tried: Tried, password: str) -> bool:
    """Takes a tenth of a second of a core and 19 MB, on purpose: no lock and no connection is held meanwhile."""
    return _verify(tried.password_hash, password) and tried.person_id is not None


def end_sign_in(
    session: Session, tried: Tried, password: str, *, right: bool, key: bytes, origin: Origin, agent: str
) -> Granted | HoiError:
    """Let in whose password matched, as SYSTEM; both outcomes stand in the trail. A refusal is returned, so that it is kept."""
    row = session.get(Credential, tried.person_id, with_for_update=True) if tried.person_id and right else None
    if row is None or row.password_hash != tried.password_hash:  # it was changed meanwhile
        _record_failure(session, tried, key, origin, agent)
        return Invalid(
            "wrong_password",
            N_(
                "Số điện thoại hoặc mật khẩu chưa đúng. Hãy thử lại, hoặc nhờ người quản lý của đơn vị đặt lại mật "
                "khẩu."
            ),
            field="password",
        )
    attempts.succeeded(session, tried.attempt_id)
    if _HASHER.check_needs_rehash(row.password_hash):
        row.password_hash = _hash(password)
    granted = signin.start(
        session, SYSTEM, row.person_id, method=SignInMethod.PASSWORD, agent=agent, address=origin.address
    )
    return replace(granted, must_change=row.must_change)


def _record_failure(session: Session, tried: Tried, key: bytes, origin: Origin, agent: str) -> None:
    """Of a number that nobody has the trail keeps a digest that cannot be tried out without the key."""
    audit.record(
        session,
        SYSTEM,
        "accounts:sign_in:fail",
        subject_id=tried.person_id,
        device=signin.kind_of_device(agent),
        network=attempts.network(origin.address),
        number=None if tried.person_id else tokens.keyed(key, "trail-number", tried.number).hex()[:12],
    )


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
            N_(
                "Mật khẩu cần ít nhất %(shortest_password)s ký tự và khó đoán. Ví dụ ghép bốn chữ dễ nhớ.",
                shortest_password=SHORTEST_PASSWORD,
            ),
            field="new",
        )


def set_password(session: Session, actor: Actor, person_id: UUID, password: str, *, must_change: bool) -> None:
    """Store a new password and end every sign-in but the actor's own. The caller has checked the right to do so.

    Wrong tries until now are forgotten: whoever was slowed by others' gets in with the new one.
    """
    row = session.get(Credential, person_id)
    if row is None:
        row = Credential(person_id=person_id, password_hash="", must_change=must_change, changed_at=clock.now())
        session.add(row)
    row.password_hash, row.must_change, row.changed_at = _hash(password), must_change, clock.now()
    row.tries_since = clock.machine_now()
    keep = actor.sign_in_id if actor.person_id == person_id else None
    signin.end_all(session, actor, person_id, but=keep)
    audit.record(session, actor, "accounts:password:set", subject_id=person_id, must_change=must_change)


def begin_change(session: Session, actor: Actor, *, key: bytes) -> Tried | TooMany:
    """Count a try at one's own present password, as SYSTEM: by the sign-in it comes from, which no stranger shares."""
    person_id = actors.oneself(actor)
    origin = Origin(address=f"sign-in {actor.sign_in_id}")
    taken = attempts.take(session, key, who=f"change {person_id}", origin=origin)
    if isinstance(taken, TooMany):
        return taken
    row = session.get(Credential, person_id)
    return Tried(taken, row.password_hash if row else _NOBODY, person_id if row else None, "")


def end_change(
    session: Session, actor: Actor, tried: Tried, form: schemas.ChangePassword, *, right: bool
) -> HoiError | None:
    """Change one's own password when the present one matched, as SYSTEM. A refusal is returned, so that the try is kept."""
    person_id = actors.oneself(actor)
    row = session.get(Credential, person_id, with_for_update=True) if right else None
    if row is None or row.password_hash != tried.password_hash:  # it was changed meanwhile
        return Invalid(
            "wrong_password",
            N_("Mật khẩu đang dùng chưa đúng. Hãy thử lại."),
            field="current",
        )
    attempts.succeeded(session, tried.attempt_id)
    try:
        check_new_password(form.new, session.get(PersonalData, person_id))
    except Invalid as error:
        return error
    set_password(session, actor, person_id, form.new, must_change=False)
    return None

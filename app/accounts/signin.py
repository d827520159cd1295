"""Passwords, limits and sign-ins: who holds this cookie, and what they may do."""

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.orm import Session

from app import audit, clock
from app.accounts import queries, schemas, tokens
from app.accounts.models import Credential, Device, Person, PersonalData, SignIn, SignInAttempt, SignInMethod
from app.accounts.models import Membership as HeldRole
from app.actor import OFFICIAL_ROLES, PUBLIC, SYSTEM, Actor, Membership, Role
from app.db import actor_settings, fold, lock_ids, new_id
from app.errors import Conflict, Forbidden, HoiError, Invalid, TooMany, Unauthenticated, not_found
from app.places import queries as places

WINDOW = timedelta(minutes=15)
TRIES_PER_PHONE = 5
TRIES_PER_ADDRESS = 50  # a whole market may stand behind one address of a mobile carrier
PASSWORD_DAYS = 30
CARD_DAYS = 365
SEEN_EVERY = timedelta(minutes=5)
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
# Roles that are held for a place: a certifier reads what lies in theirs, without being an official.
PLACED_ROLES = OFFICIAL_ROLES | {Role.CERTIFIER}
_NOBODY = _HASHER.hash(tokens.new_token())
_BROWSERS = (("EdgA?/", "Edge"), ("OPR/|Opera", "Opera"), ("SamsungBrowser", "Samsung Internet"), ("coc_coc", "Cốc Cốc"),
             ("Zalo", "Zalo"), ("Firefox|FxiOS", "Firefox"), ("Chrome|CriOS", "Chrome"), ("Safari", "Safari"))  # fmt: skip
_SYSTEMS = (("Android", "Android"), ("iPhone|iPad", "iPhone"), ("Windows", "Windows"), ("Mac OS", "Mac"), ("Linux", "Linux"))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Granted:
    """A new sign-in; the token is for the cookie and stands nowhere else."""

    token: str
    sign_in_id: UUID
    person_id: UUID
    max_age_seconds: int
    must_change: bool = False


def describe(agent: str) -> str:
    """Which device this is, in words a person recognises: "Chrome trên Android"."""
    browser = next((name for pattern, name in _BROWSERS if re.search(pattern, agent)), "Trình duyệt")
    system = next((name for pattern, name in _SYSTEMS if re.search(pattern, agent)), None)
    model = re.search(r"Android [\d.]+; ([\w .()+-]{2,30}?)(?: Build|[;)])", agent)
    known = model.group(1).strip() if model and model.group(1) != "K" else None
    return f"{browser} trên {system}" + (f" ({known})" if known else "") if system else browser


# --- passwords ---------------------------------------------------------------------------------------------------


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
        row[0].password_hash = _HASHER.hash(password)
    granted = start(session, SYSTEM, row.person_id, method=SignInMethod.PASSWORD, agent=agent)
    return replace(granted, must_change=row[0].must_change)


def _normal(phone: str) -> str:
    try:
        return schemas.phone(phone)
    except Invalid:
        return phone.strip()


def _verify(hashed: str, password: str) -> bool:
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
    row.password_hash, row.must_change, row.changed_at = _HASHER.hash(password), must_change, clock.now()
    keep = actor.sign_in_id if actor.person_id == person_id else None
    end_all(session, actor, person_id, but=keep)
    audit.record(session, actor, "accounts:password:set", subject_id=person_id, must_change=must_change)


def change_password(
    session: Session, actor: Actor, form: schemas.ChangePassword, *, key: bytes, address: str
) -> HoiError | None:
    """Change one's own password, as SYSTEM, so that wrong tries are kept and counted. A refusal is returned."""
    person_id = oneself(actor)
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


def oneself(actor: Actor) -> UUID:
    """The person who acts. Raises Unauthenticated for a visitor."""
    if actor.person_id is None:
        raise Unauthenticated("sign_in_needed", vi="Bác cần đăng nhập.", en="Please sign in.")
    return actor.person_id


def card_suffices(session: Session, actor: Actor) -> bool:
    """Whether this sign-in may decide over its person: by password always, by card only for who is nothing but a farmer."""
    if actor.device_id is None:
        return True
    return all(role == Role.FARMER for _, role in queries.all_roles(session, oneself(actor)))


def check_card_suffices(session: Session, actor: Actor) -> None:
    """Raises Forbidden where `card_suffices` says no: whoever holds a lent card must not reach the person's other roles."""
    if not card_suffices(session, actor):
        raise Forbidden(
            "card_only_writes",
            vi="Máy vào bằng thẻ chỉ để ghi việc. Đăng nhập bằng mật khẩu để làm việc này.",
            en="A phone that signed in by card only writes down work. Sign in with your password to do this.",
        )


def check_somebody_stays(session: Session, person_id: UUID, roles: Collection[HeldRole]) -> None:
    """Raises Conflict when one of these roles of a person is the last of its kind that an organisation cannot be without.

    Two who would leave at the same moment wait for each other here, so that the second finds the first gone.
    """
    kept = [m for m in roles if m.role in {Role.ADMINISTRATOR, Role.COOPERATIVE_MANAGER}]
    lock_ids(session, {m.organisation_id for m in kept})
    for held in kept:
        if not set(queries.people_of(session, held.organisation_id, [Role(held.role)])) - {person_id}:
            raise Conflict(
                "last_manager",
                vi="Đơn vị chỉ còn một người quản lý này. Hãy giao vai trò cho người khác trước.",
                en="This is the only manager of the organisation. Give the role to somebody else first.",
            )


# --- sign-ins ----------------------------------------------------------------------------------------------------


def start(
    session: Session, actor: Actor, person_id: UUID, *, method: SignInMethod, agent: str, device_id: UUID | None = None
) -> Granted:
    """A sign-in under a token that did not exist before: nobody can fix one beforehand."""
    now = clock.machine_now()
    life = timedelta(days=CARD_DAYS if method == SignInMethod.CARD else PASSWORD_DAYS)
    token = tokens.new_token()
    row = SignIn(
        id=new_id(),
        person_id=person_id,
        device_id=device_id,
        token_sha256=tokens.digest(token),
        method=method,
        description=describe(agent),
        started_at=now,
        last_seen_at=now,
        expires_at=now + life,
    )
    session.add(row)
    audit.record(session, actor, "accounts:sign_in:start", subject_id=person_id, method=method, sign_in_id=row.id)
    return Granted(token, row.id, person_id, int(life.total_seconds()))


def actor_from_token(session: Session, token: str, request_id: str) -> Actor:
    """Who holds this cookie, as SYSTEM; PUBLIC when the sign-in ended, expired, or its phone was reported lost.

    A sign-in by card is a farmer and nothing else, whatever other roles the person has: cards are lent and lost.
    A password that somebody else chose opens nothing but the page that changes it.
    """
    now = clock.machine_now()
    row = session.execute(
        select(SignIn, Device, PersonalData.language, Credential.must_change)
        .join(Person, Person.id == SignIn.person_id)
        .outerjoin(Device, Device.id == SignIn.device_id)
        .outerjoin(PersonalData, PersonalData.person_id == SignIn.person_id)
        .outerjoin(Credential, Credential.person_id == SignIn.person_id)
        .where(
            SignIn.token_sha256 == tokens.digest(token),
            SignIn.ended_at.is_(None),
            SignIn.expires_at > now,
            Person.erased_at.is_(None),
        )
    ).one_or_none()
    if row is None or (row[1] is not None and row[1].revoked_at is not None):
        return PUBLIC
    sign_in_row, device, language, must_change = row
    if sign_in_row.last_seen_at < now - SEEN_EVERY:
        sign_in_row.last_seen_at = now
        if device is not None:
            device.last_seen_at = now
    actor = Actor(
        kind="person",
        person_id=sign_in_row.person_id,
        device_id=sign_in_row.device_id,
        sign_in_id=sign_in_row.id,
        request_id=request_id,
        language=language or "vi",
    )
    by_card = sign_in_row.method == SignInMethod.CARD
    if must_change and not by_card:
        return replace(actor, must_change_password=True)
    return _with_rights(session, actor, farmer_only=by_card)


def _with_rights(session: Session, actor: Actor, *, farmer_only: bool) -> Actor:
    today = clock.today()
    roles = queries.roles_of(session, oneself(actor), today)
    held = tuple(
        Membership(m.organisation_id, Role(m.role), m.place_id)
        for m in roles
        if not farmer_only or m.role == Role.FARMER
    )
    managed = {m.organisation_id for m in held if m.role == Role.COOPERATIVE_MANAGER}
    answered_for = [m.place_id for m in held if m.place_id is not None and m.role in PLACED_ROLES]
    return replace(
        actor,
        memberships=held,
        organisations=frozenset(
            {m.organisation_id for m in held} | queries.member_household_ids(session, managed, today)
        ),
        # Who answers for a commune goes on reading, for past days, the village that ended.
        places=frozenset(places.descendant_ids(session, answered_for, None)),
    )


def actor_for(session: Session, person_id: UUID, request_id: str = "") -> Actor:
    """The actor that this person would be with a password: for demo data, tests and work done in somebody's name."""
    return _with_rights(session, Actor(kind="person", person_id=person_id, request_id=request_id), farmer_only=False)


def act_also_for(session: Session, actor: Actor, *organisation_ids: UUID) -> Actor:
    """Let the rest of this transaction write for organisations that a verb has just made or is entitled to change."""
    wider = replace(actor, organisations=actor.organisations | set(organisation_ids))
    session.execute(
        text("SELECT set_config('hoi.organisations', :organisations, true)"),
        {"organisations": actor_settings(wider)["organisations"]},
    )
    return wider


def end(session: Session, actor: Actor, sign_in_id: UUID) -> None:
    """End one of the actor's own sign-ins; ending it twice is no error.

    Raises NotFound for somebody else's, and Forbidden for another than this one where a card does not suffice.
    """
    row = session.scalar(
        select(SignIn).where(SignIn.id == sign_in_id, SignIn.person_id == oneself(actor)).with_for_update()
    )
    if row is None:
        raise not_found("phiên này", "this sign-in")
    if row.id != actor.sign_in_id:
        check_card_suffices(session, actor)
    if row.ended_at is None:
        row.ended_at, row.ended_by = clock.machine_now(), actor.person_id
        audit.record(session, actor, "accounts:sign_in:end", subject_id=row.person_id, sign_in_id=row.id)


def end_all(session: Session, actor: Actor, person_id: UUID, *, but: UUID | None = None) -> int:
    """End every sign-in of a person, but one. Returns how many. The caller has checked the right to do so."""
    return _end_where(session, actor, person_id, SignIn.person_id == person_id, but)


def end_of_device(session: Session, actor: Actor, person_id: UUID, device_id: UUID) -> int:
    return _end_where(session, actor, person_id, SignIn.device_id == device_id, None)


def _end_where(session: Session, actor: Actor, person_id: UUID, condition: object, but: UUID | None) -> int:
    query = (
        update(SignIn)
        .where(condition, SignIn.ended_at.is_(None))  # type: ignore[arg-type]  # a column condition
        .values(ended_at=clock.machine_now(), ended_by=actor.person_id)
        .returning(SignIn.id)
    )
    if but is not None:
        query = query.where(SignIn.id != but)
    ended = session.scalars(query).all()
    if ended:
        audit.record(session, actor, "accounts:sign_in:end", subject_id=person_id, count=len(ended))
    return len(ended)

"""Tries at a password, counted where they come from, so that a stranger's wrong ones never close the door to its owner.

Three counters, none of which the others' tries fill:

- a browser that this person signed in with before: its own, whatever anybody else does;
- a number from one address, by browsers unknown to it: 5 wrong tries in a quarter of an hour, 20 in a day;
- an address, over all numbers: many people may share one (a mobile carrier), so it grows with those who got in from there.

A number that many addresses try (ten within an hour) is slowed for unknown browsers: one try each half minute.
"""

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, select, text, update
from sqlalchemy.orm import Session

from app import clock
from app.accounts import tokens
from app.accounts.models import SignInAttempt
from app.db import new_id
from app.errors import TooMany
from app.messages import N_

QUARTER, HOUR, DAY = timedelta(minutes=15), timedelta(hours=1), timedelta(days=1)
FROM_ONE_ADDRESS = ((5, QUARTER), (20, DAY))  # wrong tries at one number, by browsers unknown to it
BY_KNOWN_BROWSER = ((10, QUARTER), (40, DAY))
OF_ONE_ADDRESS = 60  # wrong tries at all numbers in a quarter of an hour, and for each who got in today:
MORE_FOR_EACH_GUEST = 5
SPREAD_OVER = 10  # addresses that tried one number in vain within an hour
SPREAD_WAIT = timedelta(seconds=30)
LOOKUPS_A_DAY = 30
KNOWN_PEOPLE = 8  # whom one browser remembers: the phone of a family


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a try comes from. `address` is empty where a proxy hides it; `browser` is the cookie of a browser known before."""

    address: str = ""
    browser: str = ""


def network(address: str) -> str:
    """The address as the trail keeps it: the network only, /24 of IPv4 and /48 of IPv6. Empty for what is no address."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return ""
    found = getattr(found, "ipv4_mapped", None) or found
    return str(ipaddress.ip_network((found, 24 if found.version == 4 else 48), strict=False))  # noqa: PLR2004 - IPv4


def _counted(address: str) -> str:
    """What one visitor can hardly change: the address, and of IPv6 the /64 that a household or a phone is given."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    found = getattr(found, "ipv4_mapped", None) or found
    return str(found) if found.version == 4 else str(ipaddress.ip_network((found, 64), strict=False))  # noqa: PLR2004 - IPv4


def remember(browser: str, person_id: UUID, key: bytes) -> str:
    """The cookie of a browser after this person signed in there: a name of its own, and a seal for each who did."""
    name, *seals = browser.split(".")
    if len(name) != len(tokens.new_token()):
        name, seals = tokens.new_token(), []
    seal = _seal(name, person_id, key)
    return ".".join([name, seal, *[s for s in seals if s != seal][: KNOWN_PEOPLE - 1]])


def _seal(name: str, person_id: UUID, key: bytes) -> str:
    return tokens.keyed(key, "known-browser", f"{name}:{person_id}").hex()[:32]


def knows(browser: str, person_id: UUID, key: bytes) -> bool:
    """Whether this person signed in with that browser before. A seal cannot be made without the key."""
    name, *seals = browser.split(".")
    return _seal(name, person_id, key) in seals[:KNOWN_PEOPLE]


def take(
    session: Session,
    key: bytes,
    *,
    who: str,
    origin: Origin,
    person_id: UUID | None = None,
    since: datetime | None = None,
) -> UUID | TooMany:
    """Count one try as a wrong one before anybody knows whether it is, as SYSTEM; `succeeded` takes that back.

    Commit before the password is compared: the lock on the counters is held for the counting only. `since` (machine time)
    forgets earlier tries at the number.
    """
    now = clock.machine_now()
    number = tokens.keyed(key, "attempt-phone", who)
    address = tokens.keyed(key, "attempt-address", _counted(origin.address))
    known = person_id is not None and knows(origin.browser, person_id, key)
    browser = tokens.keyed(key, "attempt-browser", origin.browser.partition(".")[0]) if known else None
    for digest in [number] if known else [number, address]:  # always in this order, so that no two wait for each other
        session.execute(
            text("SELECT pg_advisory_xact_lock(:key)"), {"key": int.from_bytes(digest[:8], "big", signed=True)}
        )
    here = SignInAttempt.phone_digest == number
    if browser is not None:
        waits = [
            _closed(session, now, since, *limit, here, SignInAttempt.device_digest == browser)
            for limit in BY_KNOWN_BROWSER
        ]
    else:
        waits = _stranger_waits(session, now, since, number, address if origin.address else None, address)
    longest = max((wait for wait in waits if wait is not None), default=None)
    if longest is not None:
        return _too_many(longest)
    session.execute(delete(SignInAttempt).where(SignInAttempt.at < now - DAY))
    attempt = SignInAttempt(
        id=new_id(), phone_digest=number, address_digest=address, device_digest=browser, at=now, succeeded=False
    )
    session.add(attempt)
    return attempt.id


def _stranger_waits(
    session: Session, now: datetime, since: datetime | None, number: bytes, shared: bytes | None, address: bytes
) -> list[timedelta | None]:
    """`shared` is None where a proxy hides who asks: a limit for all behind it would be one for the whole province."""
    unknown, here = SignInAttempt.device_digest.is_(None), SignInAttempt.phone_digest == number
    there = SignInAttempt.address_digest == address
    waits = [_closed(session, now, since, *limit, here, there, unknown) for limit in FROM_ONE_ADDRESS]
    addresses, last = session.execute(
        select(func.count(SignInAttempt.address_digest.distinct()), func.max(SignInAttempt.at)).where(
            here, unknown, SignInAttempt.succeeded.is_(False), SignInAttempt.at > max(now - HOUR, since or now - HOUR)
        )
    ).one()
    if addresses >= SPREAD_OVER and last + SPREAD_WAIT > now:
        waits.append(last + SPREAD_WAIT - now)
    if shared is not None:
        guests = session.scalar(
            select(func.count(SignInAttempt.phone_digest.distinct())).where(
                there, SignInAttempt.succeeded.is_(True), SignInAttempt.at > now - DAY
            )
        )
        most = OF_ONE_ADDRESS + MORE_FOR_EACH_GUEST * (guests or 0)
        waits.append(_closed(session, now, None, most, QUARTER, there, unknown))
    return waits


def _closed(
    session: Session, now: datetime, since: datetime | None, most: int, window: timedelta, *where: ColumnElement[bool]
) -> timedelta | None:
    """For how long yet there were `most` wrong tries within `window`; None when there were fewer."""
    start = now - window
    reaching = session.scalar(
        select(SignInAttempt.at)
        .where(*where, SignInAttempt.succeeded.is_(False), SignInAttempt.at > max(start, since or start))
        .order_by(SignInAttempt.at.desc())
        .offset(most - 1)
        .limit(1)
    )
    return None if reaching is None else reaching + window - now


def succeeded(session: Session, attempt_id: UUID) -> None:
    """The try was right after all, as SYSTEM."""
    session.execute(update(SignInAttempt).where(SignInAttempt.id == attempt_id).values(succeeded=True))


def count_lookup(session: Session, key: bytes, person_id: UUID) -> TooMany | None:
    """Note, as SYSTEM, that this person was told of a number that it is somebody's; a refusal after too many in a day."""
    now, who = clock.machine_now(), tokens.keyed(key, "lookup", str(person_id))
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": int.from_bytes(who[:8], "big", signed=True)})
    if _closed(session, now, None, LOOKUPS_A_DAY, DAY, SignInAttempt.phone_digest == who) is not None:
        return TooMany(
            "too_many_lookups",
            N_(
                "Hôm nay đơn vị đã thử %(lookups_a_day)s số điện thoại có người dùng rồi. Hãy đợi sang ngày mai, "
                "hoặc nhờ quản trị của tỉnh.",
                lookups_a_day=LOOKUPS_A_DAY,
            ),
            retry_after_seconds=int(HOUR.total_seconds()),
        )
    session.add(
        SignInAttempt(id=new_id(), phone_digest=who, address_digest=who, device_digest=who, at=now, succeeded=False)
    )
    return None


def _too_many(wait: timedelta) -> TooMany:
    minutes = max(1, -(-int(wait.total_seconds()) // 60))
    return TooMany(
        "too_many_tries",
        N_(
            "Đã thử sai nhiều lần. Hãy đợi %(minutes)s phút rồi thử lại, hoặc vào bằng máy vẫn dùng, hoặc nhờ "
            "người quản lý đặt lại mật khẩu.",
            minutes=minutes,
        ),
        retry_after_seconds=max(1, int(wait.total_seconds()) + 1),
    )

"""Sign-ins: begun under a new token, described by their device, ended."""

import re
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app import audit, clock
from app.accounts import actors, attempts, tokens
from app.accounts.models import SignIn, SignInMethod
from app.actor import Actor
from app.db import new_id
from app.errors import not_found
from app.messages import N_

PASSWORD_DAYS = 30
CARD_DAYS = 365
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
    if system is None:
        return browser
    return f"{browser} trên {system}" + (f" ({known})" if known else "")


def kind_of_device(agent: str) -> str:
    """As `describe`, without the model: the trail outlives the person's data, and a model may name one of few."""
    return describe(agent).partition(" (")[0]


def start(
    session: Session,
    actor: Actor,
    person_id: UUID,
    *,
    method: SignInMethod,
    agent: str,
    address: str = "",
    device_id: UUID | None = None,
) -> Granted:
    """A sign-in under a token that did not exist before: nobody can fix one beforehand.

    The trail keeps the device in words and of the address the network only.
    """
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
    audit.record(
        session,
        actor,
        "accounts:sign_in:start",
        subject_id=person_id,
        method=method,
        sign_in_id=row.id,
        device=kind_of_device(agent),
        network=attempts.network(address),
    )
    return Granted(token, row.id, person_id, int(life.total_seconds()))


def end(session: Session, actor: Actor, sign_in_id: UUID) -> None:
    """End one of the actor's own sign-ins; ending it twice is no error.

    Raises NotFound for somebody else's, and Forbidden for another than this one where a card does not suffice.
    """
    row = session.scalar(
        select(SignIn).where(SignIn.id == sign_in_id, SignIn.person_id == actors.oneself(actor)).with_for_update()
    )
    if row is None:
        raise not_found(N_("phiên này"))
    if row.id != actor.sign_in_id:
        actors.check_card_suffices(session, actor)
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

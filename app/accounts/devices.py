"""Phones that a card was bound to: bound, signed in, and out at once when lost."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import audit, clock
from app.accounts import actors, queries, signin
from app.accounts.models import Card, Device, SignInMethod
from app.accounts.signin import Granted
from app.actor import SYSTEM, Actor, Right
from app.db import new_id
from app.errors import forbidden, not_found
from app.messages import N_


def revoke_device(session: Session, actor: Actor, device_id: UUID) -> None:
    """Mất máy: the phone and its sign-ins end now. By the cooperative, or by the person from elsewhere."""
    device = session.scalar(select(Device).where(Device.id == device_id).with_for_update())
    if device is None or not may_manage(actor, device):
        raise not_found(N_("máy này"))
    revoke(session, actor, device)


def sign_out_everywhere(session: Session, actor: Actor, *, unbind: bool = False) -> int:
    """End all of the actor's own sign-ins; `unbind`: their phones forget the card too. Returns how many sign-ins ended.

    Raises Forbidden where a card does not suffice.
    """
    actors.check_card_suffices(session, actor)
    if actor.person_id is None:
        raise forbidden()
    ended = signin.end_all(session, actor, actor.person_id)
    if unbind:
        for device in queries.devices_of(session, actor.person_id):
            revoke(session, actor, device)
    return ended


def revoke(session: Session, actor: Actor, device: Device) -> None:
    if device.revoked_at is None:
        device.revoked_at, device.revoked_by = clock.machine_now(), actor.person_id
        audit.record(
            session,
            actor,
            "accounts:device:revoke",
            subject_id=device.person_id,
            organisation_id=device.organisation_id,
            revoked_device_id=device.id,
        )
    signin.end_of_device(session, actor, device.person_id, device.id)


def may_manage(actor: Actor, row: Card | Device) -> bool:
    return row.person_id == actor.person_id or actor.may(Right.MANAGE_MEMBERS, row.organisation_id)


def bind(session: Session, actor: Actor, card: Card, token_sha256: bytes, description: str, *, way: str) -> Device:
    now = clock.machine_now()
    device = session.scalar(select(Device).where(Device.token_sha256 == token_sha256))
    if device is None:
        device = Device(
            id=new_id(),
            person_id=card.person_id,
            organisation_id=card.organisation_id,
            card_id=card.id,
            token_sha256=token_sha256,
            bound_at=now,
        )
        session.add(device)
    # A phone once reported lost and now confirmed again by the cooperative was found.
    device.description, device.bound_at, device.last_seen_at = description, now, now
    device.revoked_at = device.revoked_by = None
    card.bound_at = card.bound_at or now
    audit.record(
        session,
        actor,
        "accounts:card:bind",
        subject_id=card.person_id,
        organisation_id=card.organisation_id,
        card_id=card.id,
        bound_device_id=device.id,
        way=way,
    )
    return device


def start(session: Session, device: Device, agent: str, address: str = "") -> Granted:
    device.last_seen_at = clock.machine_now()
    session.flush()  # the sign-in points at a device that may be new
    return signin.start(
        session,
        SYSTEM,
        device.person_id,
        method=SignInMethod.CARD,
        agent=agent,
        address=address,
        device_id=device.id,
    )

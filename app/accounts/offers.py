"""Roles offered to somebody of elsewhere, who accepts or declines them, or taken back before they did."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from app import audit, clock
from app.accounts import actors, queries, roles
from app.accounts.events import RoleOffered
from app.accounts.models import RoleOffer
from app.actor import Actor, Right, Role
from app.db import new_id
from app.errors import Conflict, not_found
from app.messages import N_
from app.outbox import publish

OFFER_LASTS = timedelta(days=30)


def offer(session: Session, actor: Actor, person_id: UUID, organisation_id: UUID, role: Role) -> None:
    """Knowing somebody's number and name gives no hold over them: they are asked. Asked already is no error.

    An open offer that is over is taken back, so that the person can be asked again.
    """
    waiting = session.scalar(
        select(RoleOffer)
        .where(
            RoleOffer.person_id == person_id,
            RoleOffer.organisation_id == organisation_id,
            RoleOffer.role == role,
            RoleOffer.answered_at.is_(None),
            RoleOffer.withdrawn_at.is_(None),
        )
        .with_for_update()
    )
    if waiting is not None:
        if _still_offered(session, waiting):
            return
        _withdraw(session, actor, waiting)
        session.flush()  # one open offer of a role at a time
    row = RoleOffer(
        id=new_id(),
        person_id=person_id,
        organisation_id=organisation_id,
        role=role,
        offered_at=clock.now(),
        offered_by=actor.person_id,
    )
    session.add(row)
    audit.record(
        session, actor, "accounts:role:offer", subject_id=person_id, organisation_id=organisation_id, role=role
    )
    publish(session, actor, RoleOffered(role_offer_id=row.id))


def answer_offer(session: Session, actor: Actor, role_offer_id: UUID, *, accepted: bool) -> None:
    """The person's own word on a role offered to them: a yes gives it from today. The same word twice is no error.

    Raises NotFound for somebody else's, Conflict when another word was said or the offer was taken back, Forbidden where a
    card does not suffice.
    """
    row = session.scalar(
        select(RoleOffer).where(RoleOffer.id == role_offer_id, RoleOffer.person_id == actor.person_id).with_for_update()
    )
    if row is None:
        raise not_found(N_("lời mời này"))
    actors.check_card_suffices(session, actor)
    if row.withdrawn_at is not None:
        raise Conflict("offer_withdrawn", N_("Đơn vị đã rút lời mời này, không phải trả lời nữa."))
    if row.accepted == accepted:
        return
    if row.answered_at is not None:
        raise Conflict("answered_already", N_("Lời mời này đã trả lời rồi. Hãy tải lại trang."))
    wider = actors.act_also_for(session, actor, row.organisation_id)
    if accepted and not _still_offered(session, row):
        raise Conflict(
            "offer_over",
            N_(
                "Lời mời này không còn hiệu lực: quá 30 ngày, hoặc người mời không còn quản lý ở đó. Hãy nhờ đơn vị mời lại."
            ),
        )
    row.answered_at, row.accepted = clock.now(), accepted
    audit.record(
        session,
        wider,
        "accounts:role:answer",
        subject_id=row.person_id,
        organisation_id=row.organisation_id,
        role=row.role,
        accepted=accepted,
    )
    if accepted:
        roles.grant(
            session, wider, row.person_id, row.organisation_id, Role(row.role), None, clock.today(), by=row.offered_by
        )


def withdraw_offer(session: Session, actor: Actor, role_offer_id: UUID, organisation_id: UUID) -> None:
    """Take back an offer that nobody answered. By who looks after the organisation and by who made it; twice is no error.

    Raises NotFound for everybody else, and Conflict when the person has answered.
    """
    queries.organisation(session, actor, organisation_id)
    if actor.may(Right.MANAGE_PEOPLE, organisation_id):
        actors.act_also_for(session, actor, organisation_id)
        whose = RoleOffer.organisation_id == organisation_id
    else:
        whose = and_(RoleOffer.organisation_id == organisation_id, RoleOffer.offered_by == actor.person_id)
    asked = select(RoleOffer).where(RoleOffer.id == role_offer_id, whose)
    row = session.scalar(asked.with_for_update()) or session.scalar(asked)  # an answered one is not ours to lock
    if row is None:
        raise not_found(N_("lời mời này"))
    if row.withdrawn_at is not None:
        return
    if row.answered_at is not None:
        raise Conflict(
            "answered_already", N_("Người được mời đã trả lời rồi nên không rút được nữa. Hãy tải lại trang.")
        )
    _withdraw(session, actor, row)


def _withdraw(session: Session, actor: Actor, row: RoleOffer) -> None:
    row.withdrawn_at, row.withdrawn_by = clock.now(), actor.person_id
    audit.record(
        session,
        actor,
        "accounts:role:withdraw_offer",
        subject_id=row.person_id,
        organisation_id=row.organisation_id,
        role=row.role,
    )


def _still_offered(session: Session, row: RoleOffer) -> bool:
    """An offer is worth what its maker could give today, and not for ever."""
    makers = {row.organisation_id, *queries.cooperatives_of(session, row.organisation_id, clock.today())}
    held = queries.all_roles(session, row.offered_by) if row.offered_by is not None else []
    manages = any(role == Role.COOPERATIVE_MANAGER and where in makers for where, role in held)
    return manages and clock.now() - row.offered_at <= OFFER_LASTS

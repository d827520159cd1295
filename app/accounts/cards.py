"""Printed cards that sign a farmer's phone in without typing: whose may be printed, printed again, revoked."""

import hmac
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import audit, clock
from app.accounts import devices, queries, tokens
from app.accounts.models import Card
from app.accounts.schemas import PrintCard
from app.actor import Actor, Right, Role, check_may
from app.errors import Conflict, Forbidden
from app.messages import N_

BIND_WITHIN = timedelta(days=7)


def print_card(session: Session, actor: Actor, organisation_id: UUID, form: PrintCard, *, key: bytes) -> Card:
    """A new card for a farmer; the card printed before is revoked, and where it was lost the bound phones are too.

    Raises Forbidden unless every role of the person lies in cooperatives that the actor manages or their households.
    """
    check_may(actor, Right.MANAGE_MEMBERS, organisation_id)
    check_farmer(session, actor, form.person_id)
    known = session.get(Card, form.id)
    if known is not None:
        if (known.person_id, known.organisation_id) == (form.person_id, organisation_id):
            return known
        raise other_card()
    now = clock.machine_now()
    before = queries.open_card(session, form.person_id, organisation_id)
    if before is not None:
        _revoke(session, actor, before)
        session.flush()  # the old card must be closed before the new one may open
    if form.old_card == "lost":
        for device in queries.devices_of(session, form.person_id):
            devices.revoke(session, actor, device)
    card = Card(
        id=form.id,
        person_id=form.person_id,
        organisation_id=organisation_id,
        secret_sha256=tokens.digest(tokens.card_secret(key, form.id)),
        printed_at=now,
        printed_by=actor.person_id,
        expires_at=now + BIND_WITHIN,
    )
    session.add(card)
    audit.record(
        session,
        actor,
        "accounts:card:print",
        subject_id=form.person_id,
        organisation_id=organisation_id,
        card_id=card.id,
    )
    return card


def printed(session: Session, actor: Actor, card_id: UUID, *, key: bytes) -> tuple[Card, str, str]:
    """A card that may still be printed or told, with its secret and PIN. Raises NotFound or Conflict."""
    card = session.get(Card, card_id)
    if card is None or not actor.may(Right.MANAGE_MEMBERS, card.organisation_id):
        raise tokens.no_such_card()
    check_farmer(session, actor, card.person_id)
    secret = tokens.card_secret(key, card.id)
    if card.revoked_at is not None or card.bound_at is not None or card.expires_at <= clock.machine_now():
        raise Conflict(
            "card_used", N_("Thẻ này đã dùng, đã hủy hoặc quá bảy ngày nên không in lại được. Hãy in thẻ mới.")
        )
    if not hmac.compare_digest(tokens.digest(secret), card.secret_sha256):
        raise Conflict("key_changed", N_("Khóa của máy chủ đã đổi nên không in lại được thẻ này. Hãy in thẻ mới."))
    return card, secret, tokens.card_pin(key, card.id)


def revoke_card(session: Session, actor: Actor, card_id: UUID) -> None:
    """The card signs nobody in any more; phones already bound stay. By its cooperative or its person."""
    card = session.scalar(select(Card).where(Card.id == card_id).with_for_update())
    if card is None or not devices.may_manage(actor, card):
        raise tokens.no_such_card()
    if card.revoked_at is None:
        _revoke(session, actor, card)


def _revoke(session: Session, actor: Actor, card: Card) -> None:
    card.revoked_at, card.revoked_by = clock.machine_now(), actor.person_id
    audit.record(
        session,
        actor,
        "accounts:card:revoke",
        subject_id=card.person_id,
        organisation_id=card.organisation_id,
        card_id=card.id,
    )


def check_farmer(session: Session, actor: Actor, person_id: UUID) -> None:
    """Whoever prints a card could use it: so every role of the person must lie where the actor manages."""
    roles = queries.all_roles(session, person_id)
    managed = actor.where(Right.MANAGE_PEOPLE)
    if not any(role == Role.FARMER for _, role in roles):
        raise Conflict(
            "not_a_farmer", N_("Thẻ chỉ dành cho người của hộ. Người này chưa có vai trò nông dân trong hộ nào.")
        )
    if any(role != Role.FARMER and organisation not in managed for organisation, role in roles):
        raise Forbidden(
            "roles_elsewhere",
            N_("Người này còn có vai trò ở nơi khác nên không dùng thẻ được. Người này đăng nhập bằng mật khẩu."),
        )
    if any(organisation not in managed for organisation, _ in roles):
        raise Forbidden(
            "farmer_elsewhere",
            N_("Người này còn thuộc hộ mà hợp tác xã không được làm thay. Hãy nhờ quản trị của tỉnh."),
        )


def other_card() -> Conflict:
    return Conflict("id_taken", N_("Mã này đã dùng cho việc khác. Hãy tải lại trang rồi làm lại."))

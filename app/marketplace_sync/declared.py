"""Listings on floors we cannot ask: a pasted link, and the dated look of a named person from outside the seller."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import audit, clock, media, outbox
from app.accounts import rights
from app.accounts.models import Organisation
from app.actor import Actor, Right, check_may
from app.addresses import split_address
from app.errors import Conflict, Invalid, forbidden, not_found
from app.marketplace_sync import queries
from app.marketplace_sync.events import DeclaredConfirmed
from app.marketplace_sync.models import DeclaredConfirmation, DeclaredListing, Floor
from app.marketplace_sync.schemas import NewConfirmation, NewDeclared
from app.marketplace_sync.sent_again import stored
from app.messages import N_
from app.products import queries as products

OLDEST_LOOK = timedelta(days=30)
# Who reads the links and the looks. The province and a certifier judge by them, so they do not make them.
READERS = (Right.CONFIRM_LINK, Right.OVERSEE, Right.RECORD_FINDING)


def declare(session: Session, actor: Actor, new: NewDeclared) -> UUID:
    """Say that a product is on sale at this address. Counts for nothing until somebody else confirms it.

    Sent again with the same content it answers the same. Raises Forbidden, NotFound, Invalid (the address is not one of
    the floor's) and Conflict (declared already, or the same id with other content).
    """
    product = products.product(session, actor, new.product_id)
    check_may(actor, Right.SELL, product.organisation_id)
    floor = session.get(Floor, new.floor_id)
    if floor is None:
        raise not_found(N_("sàn này"))
    parts = split_address(new.url)
    there = queries.floor_of_host(session, new.url)
    if there is None or there.id != floor.id or parts.username or parts.password or len(parts.path.strip("/")) == 0:
        raise Invalid(
            "not_this_floor",
            N_(
                "Đường dẫn này không phải trang sản phẩm của %(name)s. Mở sản phẩm trên sàn rồi chép đường dẫn ở đó.",
                name=floor.name,
            ),
            field="url",
        )
    content = {
        **new.model_dump(exclude={"id"}),
        "organisation_id": product.organisation_id,
        "declared_by": actor.person_id,
    }
    row = DeclaredListing(id=new.id, declared_at=clock.now(), withdrawn_at=None, **content)
    try:
        with session.begin_nested():
            added = stored(session, row, content)
    except IntegrityError:
        raise Conflict("declared_already", N_("Đường dẫn này đã khai cho sản phẩm rồi.")) from None
    if not added:
        return new.id
    audit.record(
        session,
        actor,
        "marketplace_sync:declared:declare",
        subject_id=new.id,
        organisation_id=product.organisation_id,
    )
    outbox.publish(session, actor, DeclaredConfirmed(product_id=product.id))
    return new.id


def withdraw(session: Session, actor: Actor, declared_id: UUID) -> None:
    """The link counts no longer from now on; what was declared and seen stays on record. Done already, it answers the same.

    Raises NotFound for a foreign link, Forbidden for anybody but the organisation's sellers.
    """
    declared = session.scalar(select(DeclaredListing).where(DeclaredListing.id == declared_id).with_for_update())
    if declared is None or not actor.reads(declared.organisation_id):
        raise not_found(N_("đường dẫn này"))
    check_may(actor, Right.SELL, declared.organisation_id)
    if declared.withdrawn_at is None:
        declared.withdrawn_at = clock.now()
        audit.record(session, actor, "marketplace_sync:declared:withdraw", subject_id=declared_id)
        outbox.publish(session, actor, DeclaredConfirmed(product_id=declared.product_id))


def confirm(session: Session, actor: Actor, new: NewConfirmation) -> UUID:
    """A second person looked at the page on a day and keeps a picture of it.

    Whoever belongs to the seller looks as a colleague, also with an official's role beside it. Sent again with the same
    content it answers the same. Raises Forbidden (not a looker, or of another place), NotFound (foreign), Conflict (the
    declarer confirming alone, or the same id with other content), Invalid (day, picture).
    """
    declared = queries.declared_listing(session, actor, new.declared_listing_id)
    seller = session.get_one(Organisation, declared.organisation_id)
    if not rights.may_in(actor, Right.CONFIRM_LINK, seller):
        raise forbidden()
    if declared.declared_by == actor.person_id:
        raise Conflict(
            "two_people",
            N_("Người khai không tự xác nhận được. Nhờ một người khác mở đường dẫn, chụp màn hình và xác nhận."),
        )
    by_colleague = queries.is_of_the_seller(session, actor, declared)
    if not by_colleague and not actor.may_at(Right.CONFIRM_LINK, seller.village_id, seller.commune_id):
        raise forbidden()
    today = clock.today()
    if not today - OLDEST_LOOK <= new.seen_on <= today:
        raise Invalid(
            "bad_day",
            N_("Ngày xem phải trong 30 ngày gần đây và không ở tương lai."),
            field="seen_on",
        )
    if not media.attachable(session, actor, [new.photo_sha256], sees=queries.points_to_file):
        raise Invalid(
            "picture_needed",
            N_("Cần ảnh chụp màn hình trang bán hàng."),
            field="photo_sha256",
        )
    content = {
        **new.model_dump(exclude={"id"}),
        "organisation_id": declared.organisation_id,
        "confirmed_by": actor.person_id,
    }
    look = DeclaredConfirmation(id=new.id, recorded_at=clock.now(), by_colleague=by_colleague, **content)
    if not stored(session, look, content):
        return new.id
    audit.record(
        session,
        actor,
        "marketplace_sync:declared:confirm",
        subject_id=declared.id,
        organisation_id=declared.organisation_id,
        on_sale=new.on_sale,
        by_colleague=by_colleague,
    )
    outbox.publish(session, actor, DeclaredConfirmed(product_id=declared.product_id))
    return new.id

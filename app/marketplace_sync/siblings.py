"""All listings of one pack: locked together, following the ledger's sales together, and what each should say now."""

import html
from collections.abc import Collection, Iterable, Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.marketplace_sync import reckoning
from app.marketplace_sync.channels.drafts import Image, ListingDraft
from app.marketplace_sync.models import ChannelAccount, Listing
from app.marketplace_sync.notes import clear_note, set_note, want_again
from app.messages import N_
from app.products.models import Product, Variant
from app.settings import Settings
from app.trace import stock


def lock_siblings(session: Session, listing_ids: Collection[UUID]) -> list[Listing]:
    """These listings and all others of their packs: one shop's sale changes what the others are offered.

    Always all at once and in one order, before any of them is read: pushes and looks must not wait for each other in a ring.
    """
    packs = select(Listing.variant_id).where(Listing.id.in_(list(listing_ids)))
    return list(
        session.scalars(select(Listing).where(Listing.variant_id.in_(packs)).order_by(Listing.id).with_for_update())
    )


def reckon(session: Session, siblings: Sequence[Listing], sold: int | None = None) -> int:
    """Let the listings of one pack, all of them and locked, follow the ledger; returns its recorded sales.

    `sold` is that number where it is known already.
    """
    if sold is None:
        pack = siblings[0].variant_id
        sold = stock.recorded_sales(session, [pack])[pack]
    reckoning.settle(siblings, sold)
    for listing in siblings:
        _tell_sold(session, listing)
    return sold


def _tell_sold(session: Session, listing: Listing) -> None:
    if not listing.sold_there:
        clear_note(listing, "sold_there")
        return
    number = listing.sold_there
    set_note(
        session,
        listing,
        "sold_there",
        N_(
            "Sàn đã bán %(number)s gói mà sổ kho chưa ghi. Hãy ghi bán %(number)s gói vào sổ kho. Nếu chưa bán "
            "mà có người sửa số trên sàn thì sửa lại ở đó.",
            number=number,
        ),
    )


def after_reading(session: Session, listing: Listing, siblings: Sequence[Listing], before: int) -> None:
    """Tell of what is to be recorded, and send the other shops less, or more, where this one's sales changed."""
    for sibling in siblings:
        _tell_sold(session, sibling)
        if sibling is not listing and sibling.wanted == "live" and reckoning.not_recorded(siblings) != before:
            want_again(session, sibling)


def on_offer(left: int, account: ChannelAccount, siblings: Iterable[Listing]) -> int:
    """How many an account may offer of a pack of which so many may be sold: less its buffer and what any shop sold of it that
    the ledger does not know yet.
    """
    return max(left - account.stock_buffer - reckoning.not_recorded(siblings), 0)


def draft_of(session: Session, settings: Settings, listing: Listing, account: ChannelAccount) -> ListingDraft:
    """What the listing should say now: texts of the product, price of the variant, and the stock on offer."""
    variant = session.get_one(Variant, listing.variant_id)
    product = session.get_one(Product, listing.product_id)
    left = stock.on_hand(session, [variant.id]).get(variant.id, 0)
    siblings = session.scalars(select(Listing).where(Listing.variant_id == variant.id)).all()
    name = product.name.vi if variant.name.vi in product.name.vi else f"{product.name.vi}, {variant.name.vi}"
    photo = product.photo_sha256
    can_fetch = settings.public_url is not None or _is_simulated(settings, account)
    images = (Image(photo, f"{settings.printed_base()}/anh/{photo}.jpg"),) if photo and can_fetch else ()
    return ListingDraft(
        listing_id=str(listing.id),
        sku=variant.sku,
        name=name,
        description_html=_paragraphs(product.description.vi if product.description else ""),
        price_vnd=variant.price_dong,
        stock=on_offer(left, account, siblings),
        weight_grams=variant.weight_grams,
        images=images,
        gtin=variant.gtin,
    )


def _is_simulated(settings: Settings, account: ChannelAccount) -> bool:
    """The demo's own shop runs on this machine, so it reaches our pictures without a public address."""
    return settings.demo and account.base_url == f"http://127.0.0.1:{settings.double_port}"


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{html.escape(part)}</p>" for part in text.splitlines() if part.strip())

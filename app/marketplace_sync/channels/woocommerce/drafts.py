"""A draft as this shop is sent it: what WooCommerce would misread in it, and the bodies of the calls."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from app.addresses import split_address
from app.marketplace_sync.channels.drafts import Issue, ListingDraft, number_to_send
from app.marketplace_sync.channels.woocommerce.items import META_IMAGES, META_LISTING, counted_stock, nfc
from app.messages import N_

IMAGE_ENDING = re.compile(r"\.(?:jpe?g|png|webp|gif)$", re.IGNORECASE)
SKU_SHAPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-/]*")


def issues(draft: ListingDraft) -> list[Issue]:
    """What WooCommerce would refuse or misread, beside what every channel refuses."""
    found = []
    if draft.sku and not SKU_SHAPE.fullmatch(draft.sku):
        found.append(
            Issue(
                "sku",
                "shape",
                N_("Mã hàng (SKU) chỉ gồm chữ không dấu, số và các dấu . _ - / (WooCommerce hiểu dấu phẩy là hai mã)."),
            )
        )
    for image in draft.images:
        parts = split_address(image.url)
        if parts.scheme not in {"http", "https"} or not IMAGE_ENDING.search(parts.path):
            found.append(
                Issue(
                    "images",
                    "address",
                    N_("Ảnh cần có địa chỉ công khai, kết thúc bằng .jpg, .png hoặc .webp để gian hàng tự tải về."),
                )
            )
            break
    return found


def body_of(draft: ListingDraft, *, kilograms: bool) -> dict[str, Any]:
    """Every field of the draft but its stock, pictures and category."""
    body: dict[str, Any] = {
        "name": nfc(draft.name.strip()),
        "description": nfc(draft.description_html),
        "sku": draft.sku,
        "meta_data": [
            {"key": META_LISTING, "value": draft.listing_id},
            {"key": META_IMAGES, "value": ",".join(image.sha256 for image in draft.images)},
        ],
        "attributes": [
            {"name": nfc(name), "options": [nfc(value)], "visible": True, "variation": False, "position": place}
            for place, (name, value) in enumerate(draft.attributes)
        ],
        **price(draft.price_vnd),
    }
    if draft.weight_grams is not None:
        weight = Decimal(draft.weight_grams) / (1000 if kilograms else 1)
        body["weight"] = format(weight.normalize(), "f")
    if draft.gtin is not None:
        body["global_unique_id"] = draft.gtin
    return body


def price(price_vnd: int) -> dict[str, str]:
    """Prices are strings there. A sale price set by hand would win over ours: it is cleared."""
    return {"regular_price": str(int(price_vnd)), "sale_price": ""}


def stock(number: int) -> dict[str, Any]:
    return {"manage_stock": True, "stock_quantity": int(number)}


def stock_to_send(draft: ListingDraft, current: Mapping[str, Any]) -> dict[str, Any]:
    """The stock less what was sold there meanwhile; nothing where the shop has that number already."""
    there = counted_stock(current)
    if there is None:
        return stock(draft.stock)
    wanted = number_to_send(draft, there)
    return {} if wanted == there else stock(wanted)


def _image_name(sha256: str) -> str:
    """The picture's title in the shop's library: survives a new order of the pictures, unlike a list of ids."""
    return f"hoi-{sha256[:32]}"


def _new_image(draft: ListingDraft, place: int) -> dict[str, Any]:
    image = draft.images[place]
    return {"src": image.url, "name": _image_name(image.sha256), "alt": nfc(draft.name.strip())}


def new_images(draft: ListingDraft) -> list[dict[str, Any]]:
    return [_new_image(draft, place) for place in range(len(draft.images))]


def images_to_send(draft: ListingDraft, current: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """The pictures to send, known ones by id; None when the shop has exactly these already.

    Sending an address again makes WooCommerce copy the file again, at every update, until its disk is full.
    """
    rows = current.get("images")
    have = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    by_name = {str(row.get("name")): row.get("id") for row in have}
    wanted: list[dict[str, Any]] = []
    for place, image in enumerate(draft.images):
        known = by_name.get(_image_name(image.sha256))
        wanted.append({"id": known} if isinstance(known, int) else _new_image(draft, place))
    return None if [row.get("id") for row in wanted] == [row.get("id") for row in have] else wanted

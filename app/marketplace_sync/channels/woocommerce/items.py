"""Items of a WooCommerce shop, in the words every channel uses."""

import html
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from app.marketplace_sync.channels.errors import ChannelError
from app.marketplace_sync.channels.statuses import OUT_OF_STOCK, Reason, RemoteStatus
from app.marketplace_sync.channels.woocommerce.pages import ProductPages
from app.messages import N_

GONE: Final = "gone"
META_LISTING: Final = "_hoi_listing"
META_IMAGES: Final = "_hoi_images"
META_MODERATION: Final = "_moderation"

# Asked for by name: descriptions alone can make a list of a hundred items larger than our limit.
FIELDS: Final = (
    "id,name,permalink,status,catalog_visibility,sku,price,regular_price,purchasable,manage_stock,stock_quantity,"
    "stock_status,images,meta_data"
)

REMOTE_WORDS: Final = {
    "draft": Reason("draft", N_("Tin đang ở dạng nháp trên gian hàng.")),
    "pending": Reason("pending", N_("Tin đang chờ gian hàng duyệt.")),
    "private": Reason("private", N_("Gian hàng đã ẩn tin này.")),
    "future": Reason("future", N_("Tin được hẹn giờ đăng, chưa tới lúc.")),
    "trash": Reason("trash", N_("Tin đang nằm trong thùng rác của gian hàng.")),
    GONE: Reason(GONE, N_("Gian hàng không còn tin này.")),
}


def observed(item: Mapping[str, Any], asked_at: datetime, pages: ProductPages) -> RemoteStatus:
    """What the API said when it was asked, and for a published item what a visitor gets at its page."""
    notes = meta(item)
    raw = str(item.get("status", ""))
    reasons: list[Reason] = []
    banned = moderation(item)
    if banned is not None:
        reasons.append(banned)
    elif raw != "publish":
        reasons.append(REMOTE_WORDS.get(raw) or Reason(raw, N_("Gian hàng báo trạng thái “%(raw)s”.", raw=raw)))
    if raw == "publish" and item.get("catalog_visibility") == "hidden":
        reasons.append(Reason("hidden", N_("Gian hàng đã ẩn tin khỏi danh mục.")))
    url = str(item.get("permalink") or "") or None
    page: int | None = None
    verified = True
    if not reasons:
        page, problem = pages.seen(url)
        verified = page is not None or problem is None or problem.code == "foreign_page"
        if problem is not None:
            reasons.append(problem)
    live = not reasons
    in_stock = item.get("stock_status") != "outofstock"
    if live and not in_stock:
        reasons.append(Reason(OUT_OF_STOCK, N_("Gian hàng báo đã hết hàng.")))
    images = notes.get(META_IMAGES, "")
    return RemoteStatus(
        remote_id=str(item["id"]),
        raw=raw,
        live=live,
        buyable=live and in_stock and item.get("purchasable") is not False,
        url=url,
        price_vnd=_whole(item.get("price")),
        stock=counted_stock(item),
        reasons=tuple(reasons),
        seen_at=asked_at,
        verified=verified,
        sku=str(item.get("sku") or "") or None,
        name=nfc(html.unescape(str(item.get("name", "")))),
        listing_id=notes.get(META_LISTING) or None,
        image_shas=tuple(sha for sha in images.split(",") if sha),
        evidence={
            "status": raw,
            "catalog_visibility": str(item.get("catalog_visibility", "")),
            "stock_status": str(item.get("stock_status", "")),
            "page": url,
            "page_http": page,
        },
    )


def nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _whole(price: object) -> int | None:
    """Đồng have no decimals: "120000.00" is 120000, "0.5" is not a price in đồng."""
    try:
        amount = Decimal(str(price))
    except InvalidOperation:
        return None
    return int(amount) if amount.is_finite() and amount == amount.to_integral_value() else None


def meta(item: Mapping[str, Any]) -> dict[str, str]:
    rows = item.get("meta_data")
    if not isinstance(rows, list):
        return {}
    return {str(row["key"]): str(row.get("value") or "") for row in rows if isinstance(row, dict) and "key" in row}


def counted_stock(item: Mapping[str, Any]) -> int | None:
    """None where the shop does not count the item's stock."""
    stock = item.get("stock_quantity") if item.get("manage_stock") is True else None
    return int(stock) if isinstance(stock, int | float) else None


def ban(why: str) -> Reason:
    why = nfc(why).strip()[:300] or "không ghi lý do"
    return Reason("banned", N_("Sàn cấm bán sản phẩm này: %(why)s", why=why))


def moderation(item: Mapping[str, Any]) -> Reason | None:
    """A marketplace built on WooCommerce leaves its decision in the item's meta data."""
    why = meta(item).get(META_MODERATION)
    return ban(why) if why else None


def gone(remote_id: str, asked_at: datetime) -> RemoteStatus:
    return RemoteStatus(
        remote_id=remote_id,
        raw=GONE,
        live=False,
        buyable=False,
        url=None,
        price_vnd=None,
        stock=None,
        reasons=(REMOTE_WORDS[GONE],),
        seen_at=asked_at,
        evidence={"status": GONE},
    )


def not_told(remote_id: str, error: ChannelError, asked_at: datetime) -> RemoteStatus:
    """The shop could not say how this one item is."""
    return RemoteStatus(
        remote_id=remote_id,
        raw="",
        live=False,
        buyable=False,
        url=None,
        price_vnd=None,
        stock=None,
        reasons=(Reason(error.code, error.said),),
        seen_at=asked_at,
        verified=False,
    )

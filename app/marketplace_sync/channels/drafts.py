"""Drafts: what we want a listing to say, and what no marketplace accepts of it."""

from collections.abc import Iterable
from dataclasses import dataclass

from stdnum import ean

from app.messages import N_, Said


@dataclass(frozen=True, slots=True)
class Image:
    """A picture by content and by the public address from which the shop may copy it."""

    sha256: str
    url: str


@dataclass(frozen=True, slots=True)
class ListingDraft:
    """What we want the listing to say. Money in whole đồng, stock absolute, weight in grams, texts in NFC or not.

    `known_stock`: the numbers the shop may have if nothing was sold there meanwhile (more than one after a lost answer, none
    when we never wrote there). What it has less than these, but for `recorded_ahead` sales that the ledger may know of, is
    taken off `stock`, so that no write puts sold goods up again.
    """

    listing_id: str
    sku: str
    name: str
    description_html: str
    price_vnd: int
    stock: int
    weight_grams: int | None = None
    images: tuple[Image, ...] = ()
    category: str | None = None
    attributes: tuple[tuple[str, str], ...] = ()
    gtin: str | None = None
    known_stock: tuple[int, ...] = ()
    recorded_ahead: int = 0


def sold_since(known_stock: Iterable[int], there: int, recorded_ahead: int) -> tuple[int, int]:
    """How many the shop sold since we knew its number: recorded ahead, and not recorded; (0, below zero) where it rose.

    Of several possible beginnings the one that leaves the fewest unrecorded sales is believed, then the nearest. What is
    recorded ahead counts from the first of them, the number that was read; the others were sent with it taken off.
    """
    changes = [known - there for known in known_stock]
    falls = [(max(fall - (0 if place else recorded_ahead), 0), fall) for place, fall in enumerate(changes) if fall >= 0]
    if not falls:
        return 0, max(changes, default=0)
    unrecorded, fall = min(falls)
    return fall - unrecorded, unrecorded


def number_to_send(draft: ListingDraft, there: int) -> int:
    """The stock less what was sold there meanwhile and is not recorded; `there` itself when that is right already."""
    _, unrecorded = sold_since(draft.known_stock, there, draft.recorded_ahead)
    wanted = draft.stock - max(unrecorded, 0)
    return there if wanted == there else max(wanted, 0)


@dataclass(frozen=True, slots=True)
class Limits:
    """Hard limits of texts and counts."""

    name_max: int
    description_max: int
    sku_max: int
    images_max: int
    status_batch: int


@dataclass(frozen=True, slots=True)
class Issue:
    """A field that the channel would refuse; known before anything is sent."""

    field: str
    code: str
    said: Said

    def text(self, language: str) -> str:
        return self.said.text(language)


def common_issues(draft: ListingDraft, limits: Limits) -> Iterable[Issue]:
    """What no marketplace accepts; a channel adds its own."""
    yield from _name_issues(draft.name.strip(), limits)
    if len(draft.description_html) > limits.description_max:
        yield Issue(
            "description_html",
            "too_long",
            N_(
                "Mô tả quá dài, sàn chỉ nhận %(description_max)s ký tự: hãy rút ngắn.",
                description_max=limits.description_max,
            ),
        )
    if not draft.sku or len(draft.sku) > limits.sku_max:
        yield Issue("sku", "length", N_("Mã hàng (SKU) cần có từ 1 đến %(sku_max)s ký tự.", sku_max=limits.sku_max))
    if draft.price_vnd <= 0:
        yield Issue("price_vnd", "not_positive", N_("Giá bán phải lớn hơn 0 đồng."))
    if draft.stock < 0:
        yield Issue("stock", "negative", N_("Số lượng còn không thể âm."))
    if draft.weight_grams is not None and draft.weight_grams <= 0:
        yield Issue("weight_grams", "not_positive", N_("Khối lượng phải lớn hơn 0 gam."))
    if len(draft.images) > limits.images_max:
        yield Issue(
            "images",
            "too_many",
            N_(
                "Có %(images)s ảnh, sàn chỉ nhận %(images_max)s: hãy bớt ảnh.",
                images=len(draft.images),
                images_max=limits.images_max,
            ),
        )
    if draft.gtin is not None and not ean.is_valid(draft.gtin):
        yield Issue(
            "gtin",
            "check_digit",
            N_("Mã vạch (GTIN) sai độ dài hoặc sai số kiểm tra: hãy nhập lại đúng như trên giấy của GS1."),
        )


def _name_issues(name: str, limits: Limits) -> Iterable[Issue]:
    if not name:
        yield Issue("name", "required", N_("Cần có tên sản phẩm."))
    elif len(name) > limits.name_max:
        yield Issue(
            "name",
            "too_long",
            N_(
                "Tên dài %(name)s ký tự, sàn chỉ nhận %(name_max)s: hãy rút ngắn.",
                name=len(name),
                name_max=limits.name_max,
            ),
        )

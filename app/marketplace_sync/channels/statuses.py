"""Statuses: what a marketplace itself said of an item."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from app.messages import Said

OUT_OF_STOCK = "out_of_stock"  # the reason of a page that opens, with nothing left to buy


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something is so, as a stable code and a sentence."""

    code: str
    said: Said

    def text(self, language: str) -> str:
        return self.said.text(language)


@dataclass(frozen=True, slots=True)
class RemoteStatus:
    """What the marketplace itself said; never inferred from our own success. `seen_at`: when we asked, so never too late.

    `raw` is the marketplace's own word ("gone" where it denies the item). `live`: a buyer can open the page now.
    `buyable`: live, and it can be put in a basket. `verified` False means that the page could not be asked, so
    `live` False is no observation: keep the earlier one until it ages. `evidence` is what was read, as plain JSON.
    `stock_before`: after a write, the stock that was read before it; None where none was read or it was never ours.
    """

    remote_id: str
    raw: str
    live: bool
    buyable: bool
    url: str | None
    price_vnd: int | None
    stock: int | None
    reasons: tuple[Reason, ...]
    seen_at: datetime
    verified: bool = True
    sku: str | None = None
    name: str | None = None
    listing_id: str | None = None
    image_shas: tuple[str, ...] = ()
    stock_before: int | None = None
    evidence: Mapping[str, str | int | None] = field(default_factory=dict)

"""A WooCommerce shop that is a function, for answers that no real one gives on command."""

from collections.abc import Callable
from typing import Any

import httpx

from app.marketplace_sync.channels.accounts import Credentials
from app.marketplace_sync.channels.woocommerce.channel import WooCommerce

PUBLIC = "93.184.216.34"
HTTPS = Credentials({"base_url": "https://gianhang.example", "consumer_key": "ck_x", "consumer_secret": "cs_y"})


def faked(handler: Callable[[httpx.Request], httpx.Response], **other: Any) -> WooCommerce:
    """A channel whose shop is a function, seemingly on a public address."""
    return WooCommerce(HTTPS, transport=httpx.MockTransport(handler), resolver=lambda *_: [PUBLIC], **other)


def item(**changes: object) -> dict[str, object]:
    return {
        "id": 5,
        "name": "Hồi",
        "permalink": "https://gianhang.example/san-pham/hoi/",
        "status": "publish",
        "catalog_visibility": "visible",
        "sku": "A-1",
        "price": "1000",
        "purchasable": True,
        "manage_stock": True,
        "stock_quantity": 3,
        "stock_status": "instock",
        "images": [],
        "meta_data": [],
        **changes,
    }

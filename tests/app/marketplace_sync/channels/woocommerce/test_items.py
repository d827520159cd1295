"""What the shop says of an item: when it is live, for how much, how many, and when that was seen."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from faked_shop import faked, item
from kit import DRAFT
from woo_double import WooDouble

from app import clock
from app.marketplace_sync.channels.errors import AuthRevoked, RateLimited


def observed(page: int | str = 200, **changes: object) -> tuple[bool, bool, bool, list[str]]:
    def shop(request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith("/wp-json/"):
            return httpx.Response(200, json=[item(**changes)])
        assert "Authorization" not in request.headers
        if page == "get only":
            return httpx.Response(405 if request.method == "HEAD" else 200)
        return httpx.Response(page)

    with faked(shop) as channel:
        (status,) = channel.status(["5"])
    return status.live, status.buyable, status.verified, [reason.code for reason in status.reasons]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, (True, True, True, [])),
        ({"page": "get only"}, (True, True, True, [])),
        ({"status": "draft"}, (False, False, True, ["draft"])),
        ({"status": "pending"}, (False, False, True, ["pending"])),
        ({"status": "private"}, (False, False, True, ["private"])),
        ({"status": "future"}, (False, False, True, ["future"])),
        ({"status": "strange"}, (False, False, True, ["strange"])),
        ({"catalog_visibility": "hidden"}, (False, False, True, ["hidden"])),
        ({"catalog_visibility": "search"}, (True, True, True, [])),
        ({"stock_status": "outofstock"}, (True, False, True, ["out_of_stock"])),
        ({"purchasable": False}, (True, False, True, [])),
        ({"permalink": "https://evil.example/san-pham/hoi/"}, (False, False, True, ["foreign_page"])),
        ({"permalink": "https://gianhang.example:8443/x"}, (False, False, True, ["foreign_page"])),
        ({"permalink": "https://gianhang.example@evil.example/x"}, (False, False, True, ["foreign_page"])),
        ({"permalink": ""}, (False, False, True, ["foreign_page"])),
        ({"page": 404}, (False, False, True, ["page_closed"])),
        ({"page": 503}, (False, False, False, ["page_unreachable"])),
        ({"page": 429}, (False, False, False, ["page_unreachable"])),
    ],
)
def test_live_is_what_a_visitor_gets(changes: dict[str, Any], expected: Any) -> None:
    assert observed(**changes) == expected


def test_a_sighting_is_as_old_as_the_question_not_as_the_visit_to_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    start, calls = clock.machine_now(), []

    def shop(request: httpx.Request) -> httpx.Response:
        calls.append(request.method)
        return httpx.Response(200, json=[item()]) if request.url.path.startswith("/wp-json/") else httpx.Response(200)

    monkeypatch.setattr(clock, "now", lambda: start + timedelta(minutes=len(calls)))
    with faked(shop) as channel:
        assert [s.seen_at for s in channel.status(["5", "5"])] == [start, start]
        assert [s.seen_at for s in (channel.find_by_sku("A-1"),) if s] == [start + timedelta(minutes=2)]
    assert calls == ["GET", "HEAD", "GET", "HEAD"]


def test_one_odd_item_leaves_the_others_seen() -> None:
    def shop(request: httpx.Request) -> httpx.Response:
        answers = {
            "/wp-json/wc/v3/products": httpx.Response(200, json=[item(permalink="https://gianhang.example/\x01")]),
            "/wp-json/wc/v3/products/6": httpx.Response(500),
            "/wp-json/wc/v3/products/7": httpx.Response(404, json={"code": "woocommerce_rest_product_invalid_id"}),
            "/wp-json/wc/v3/products/8": httpx.Response(200, json=item(id=8, status="trash")),
        }
        return answers[request.url.path]

    with faked(shop) as channel:
        found = [(s.remote_id, s.raw, s.verified, s.live) for s in channel.status(["5", "6", "7", "8"])]
    assert found == [
        ("5", "publish", False, False),
        ("6", "", False, False),
        ("7", "gone", True, False),
        ("8", "trash", True, False),
    ]


@pytest.mark.parametrize(("status", "kind"), [(401, AuthRevoked), (429, RateLimited)])
def test_what_concerns_the_whole_account_is_raised_also_for_one_item(status: int, kind: type[Exception]) -> None:
    def shop(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/products"):
            return httpx.Response(200, json=[])
        return httpx.Response(status, json={"code": "x", "message": "y"})

    with faked(shop) as channel, pytest.raises(kind):
        channel.status(["5"])


@pytest.mark.parametrize(
    ("price", "expected"),
    [("120000", 120_000), ("120000.00", 120_000), ("0.5", None), ("", None), (None, None), ("NaN", None)],
)
def test_only_whole_dong_are_a_price(price: object, expected: Any) -> None:
    def shop(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=[item(price=price, status="draft")])

    with faked(shop) as channel:
        assert [status.price_vnd for status in channel.status(["5"])] == [expected]


def test_stock_that_the_shop_does_not_count_is_unknown_and_not_zero() -> None:
    def shop(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=[item(manage_stock=False, stock_quantity=None, status="draft")])

    with faked(shop) as channel:
        assert [status.stock for status in channel.status(["5"])] == [None]


def test_orders_may_take_more_than_there_is_and_the_status_says_so(woo: WooDouble) -> None:
    with woo.open() as channel:
        made = channel.publish(replace(DRAFT, stock=3))
        line = {"product_id": int(made.remote_id), "quantity": 6}
        channel._api.call("POST", "/orders", body={"line_items": [line]})
        (status,) = channel.status([made.remote_id])
    assert (status.stock, status.live, status.buyable) == (-3, True, False)

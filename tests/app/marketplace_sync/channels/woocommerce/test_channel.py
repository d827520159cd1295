"""WooCommerce: the conformance kit against a real process, then what only this channel has."""

import json
import re
import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from kit import DRAFT, ChannelKit
from woo_double import WooDouble

from app import clock, errors
from app.marketplace_sync.channels import http
from app.marketplace_sync.channels.base import (
    AuthRevoked,
    Conflict,
    Credentials,
    ListingDraft,
    NotFound,
    OutcomeUnknown,
    Permanent,
    RateLimited,
    Rejected,
    Retryable,
    Validation,
)
from app.marketplace_sync.channels.http import Timeouts
from app.marketplace_sync.channels.registry import open_channel, specs
from app.marketplace_sync.channels.woocommerce import api
from app.marketplace_sync.channels.woocommerce.channel import WooCommerce
from app.marketplace_sync.channels.woocommerce.items import FIELDS

PUBLIC = "93.184.216.34"
HTTPS = Credentials({"base_url": "https://gianhang.example", "consumer_key": "ck_x", "consumer_secret": "cs_y"})


class TestWooCommerce(ChannelKit):
    @pytest.fixture
    def shop(self, woo: WooDouble) -> WooDouble:
        return woo


def faked(handler: Callable[[httpx.Request], httpx.Response], **other: Any) -> WooCommerce:
    """A channel whose shop is a function, seemingly on a public address."""
    return WooCommerce(HTTPS, transport=httpx.MockTransport(handler), resolver=lambda *_: [PUBLIC], **other)


# ---------------------------------------------------------------------- keys


def test_over_https_keys_go_as_basic_and_never_into_the_address() -> None:
    seen = []

    def shop(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=[])

    with faked(shop) as channel:
        assert channel.find_by_sku("A-1") is None
    (request,) = seen
    assert request.headers["Authorization"] == "Basic Y2tfeDpjc195"
    assert dict(request.url.params) == {"sku": "A-1", "status": "any", "per_page": "100", "_fields": FIELDS}


# ---------------------------------------------------------------------- addresses


def test_the_call_goes_to_the_address_that_was_checked() -> None:
    seen = []

    def shop(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=[])

    with faked(shop) as channel:
        channel.find_by_sku("A-1")
    (request,) = seen
    assert (request.url.host, request.headers["Host"]) == (PUBLIC, "gianhang.example")
    assert request.extensions["sni_hostname"] == "gianhang.example"


@pytest.mark.parametrize(
    "found",
    [
        ["127.0.0.1"],
        ["10.1.2.3"],
        ["169.254.169.254"],
        ["192.168.1.1"],
        ["100.64.0.1"],
        ["0.0.0.0"],  # noqa: S104 - an address to refuse
        ["224.0.0.1"],
        ["::1"],
        ["fd00::1"],
        ["fe80::1%eth0"],
        ["::ffff:10.0.0.1"],
        [PUBLIC, "127.0.0.1"],
    ],
)
def test_private_addresses_are_refused_before_anything_is_sent(found: list[str]) -> None:
    def shop(_: httpx.Request) -> httpx.Response:
        raise AssertionError("nothing may be sent")

    channel = WooCommerce(HTTPS, transport=httpx.MockTransport(shop), resolver=lambda *_: found)
    with channel, pytest.raises(Validation) as caught:
        channel.check()
    assert (caught.value.code, caught.value.field) == ("address_private", "base_url")


def test_a_sandbox_may_call_this_machine_and_others_may_not(woo: WooDouble) -> None:
    with open_channel("woocommerce", woo.credentials(), sandbox=True) as channel:
        assert channel.check().shop_name == "Sàn nông sản tỉnh (mô phỏng)"
    with open_channel("woocommerce", woo.credentials(), sandbox=False) as channel, pytest.raises(Validation):
        channel.check()


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("ftp://shop.vn", "address_scheme"),
        ("file:///etc/passwd", "address_scheme"),
        ("shop.vn", "address_scheme"),
        ("", "address_scheme"),
        ("http://", "address_scheme"),
        ("http://shop.vn:99999", "address_scheme"),
        ("https://me:secret@shop.vn", "address_userinfo"),
        ("https://shop.vn@evil.vn", "address_userinfo"),
        ("https://shop.vn/?a=1", "address_query"),
        ("https://shop.vn/#x", "address_query"),
        ("https://sh op.vn", "address_host"),
    ],
)
def test_odd_addresses_are_refused(address: str, code: str) -> None:
    with pytest.raises(Validation) as caught:
        WooCommerce(Credentials({"base_url": address, "consumer_key": "a", "consumer_secret": "b"}))
    assert (caught.value.code, "secret" in str(caught.value)) == (code, False)


@pytest.mark.parametrize(
    ("given_address", "kept"),
    [
        ("https://shop.vn/", "https://shop.vn"),
        (" https://SHOP.vn:443/wp-json/wc/v3/ ", "https://shop.vn"),
        ("http://shop.vn:8080/cua-hang/wp-admin/admin.php", "http://shop.vn:8080/cua-hang"),
        ("https://nông-sản.vn", "https://xn--nng-sn-ixa0191d.vn"),
        ("http://[::1]:8100", "http://[::1]:8100"),
    ],
)
def test_people_may_paste_the_address_they_have(given_address: str, kept: str) -> None:
    channel = WooCommerce(Credentials({"base_url": given_address, "consumer_key": "a", "consumer_secret": "b"}))
    assert repr(channel) == f"WooCommerce({kept})"


def test_redirects_are_not_followed_with_keys() -> None:
    seen = []

    def shop(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(301, headers={"Location": "https://user:pw@evil.example/wp-json/"})

    with faked(shop) as channel, pytest.raises(Permanent) as caught:
        channel.publish(DRAFT)
    assert (caught.value.code, len(seen)) == ("moved", 1)
    assert "evil.example" in caught.value.vi
    assert "pw" not in caught.value.vi


# ---------------------------------------------------------------------- what live means


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


def observed(page: int | str = 200, **changes: object) -> tuple[bool, bool, bool, list[str]]:
    def shop(request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith("/wp-json/"):
            return httpx.Response(200, json=[item(**changes)])
        assert "Authorization" not in request.headers
        return (
            httpx.Response(405)
            if (page, request.method) == ("get only", "HEAD")
            else httpx.Response(200 if page == "get only" else page)
        )

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


@pytest.mark.parametrize(
    ("places", "live"),
    [
        (["http://gianhang.example/san-pham/hoi", "/san-pham/hoi/"], True),
        (["https://www.gianhang.example/san-pham/h%6fi/?tu=zalo"], True),
        (["/"], False),
        (["/san-pham/hoi-2/"], False),
        (["/cua-hang/", "/san-pham/"], False),
        (["https://evil.example/"], False),
        (["//evil.example/"], False),
        (["/loop/"] * 9, False),
    ],
)
def test_a_page_that_moves_inside_the_shop_is_followed_and_no_further(places: list[str], *, live: bool) -> None:
    left = list(places)

    def shop(request: httpx.Request) -> httpx.Response:
        assert request.headers["Host"] in {"gianhang.example", "www.gianhang.example"}
        if request.url.path.startswith("/wp-json/"):
            return httpx.Response(200, json=[item()])
        return httpx.Response(302, headers={"Location": left.pop(0)}) if left else httpx.Response(200)

    with faked(shop) as channel:
        assert [status.live for status in channel.status(["5"])] == [live]


def test_a_page_that_leads_to_the_front_page_is_closed_and_says_where_it_led(woo: WooDouble) -> None:
    with woo.open() as channel:
        made = channel.publish(DRAFT)
        fault = {"kind": "status", "status": 302, "location": "/", "path": "^/san-pham/", "times": 1}
        woo.ask("faults", [{**fault, "method": "HEAD"}])
        (status,) = channel.status([made.remote_id])
        assert (status.live, status.verified, [r.code for r in status.reasons]) == (False, True, ["page_closed"])
        assert (
            status.reasons[0].vi == f"Khách mở trang sản phẩm thì bị đưa sang trang khác ({woo.url}/), không mua được."
        )
        assert [s.live for s in channel.status([made.remote_id])] == [True]


def test_a_page_that_needs_its_parameter_is_not_the_page_without_it() -> None:
    def shop(request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith("/wp-json/"):
            return httpx.Response(200, json=[item(permalink="https://gianhang.example/?product=hoi")])
        return httpx.Response(200) if not request.url.query else httpx.Response(302, headers={"Location": "/"})

    with faked(shop) as channel:
        assert [(s.live, s.reasons[0].code) for s in channel.status(["5"])] == [(False, "page_closed")]


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


def test_a_conversation_has_one_time_budget_and_begins_no_write_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, passed = [], [0.0]

    def shop(request: httpx.Request) -> httpx.Response:
        seen.append((request.method, request.extensions["timeout"]["read"]))
        passed[0] += 45 if len(seen) == 1 else 25
        return httpx.Response(200, json=item())

    monkeypatch.setattr(http.time, "monotonic", lambda: passed[0])
    with faked(shop) as channel:
        channel._api.call("GET", "/products/5")
        with pytest.raises(Retryable) as caught:
            channel.update("5", DRAFT)
    assert (caught.value.code, seen) == ("out_of_time", [("GET", 30), ("GET", 25)])


def test_a_round_of_slow_pages_ends_in_time_and_leaves_the_rest_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    passed = [0.0]

    def shop(request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith("/wp-json/"):
            return httpx.Response(200, json=[item(id=n) for n in (5, 6, 7)])
        passed[0] += 35
        return httpx.Response(200)

    monkeypatch.setattr(http.time, "monotonic", lambda: passed[0])
    with faked(shop) as channel:
        assert [(s.remote_id, s.verified) for s in channel.status(["5", "6", "7"])] == [
            ("5", True),
            ("6", True),
            ("7", False),
        ]
    assert passed == [70]


@pytest.mark.parametrize(
    ("known", "there", "wanted", "sent"),
    [
        ((), 3, 7, 7),
        ((10,), 10, 7, 7),
        ((10,), 8, 7, 5),
        ((10,), 8, 10, None),
        ((10,), 12, 7, 7),
        ((10, 7), 7, 7, None),
        ((10, 7), 6, 7, None),
        ((10, 50), 47, 50, None),
        ((2,), -3, 2, None),
        ((10,), None, 7, 7),
    ],
)
def test_what_was_sold_there_is_never_put_up_again(known: Any, there: Any, wanted: int, sent: int | None) -> None:
    """`sent` None: the write leaves the shop's own number alone."""
    bodies = []

    def shop(request: httpx.Request) -> httpx.Response:
        if request.method == "PUT":
            bodies.append(json.loads(request.content))
        return httpx.Response(200, json=item(stock_quantity=there, manage_stock=there is not None, status="draft"))

    with faked(shop) as channel:
        channel.update("5", replace(DRAFT, stock=wanted, known_stock=known))
    assert [body.get("stock_quantity") for body in bodies] == [sent]


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


# ---------------------------------------------------------------------- odd answers


def test_an_answer_without_end_is_cut_off() -> None:
    def shop(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=(b"[" * 1_000_000 for _ in range(100)))

    with faked(shop) as channel:
        with pytest.raises(Permanent) as caught:
            channel.find_by_sku("A-1")
        with pytest.raises(OutcomeUnknown):
            channel.set_stock("5", 1)
    assert caught.value.code == "answer_too_large"


def test_an_answer_that_drips_is_given_up() -> None:
    def shop(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=(b" " for _ in range(10)))

    with faked(shop, timeouts=Timeouts(total=0)) as channel, pytest.raises(Retryable) as caught:
        channel.find_by_sku("A-1")
    assert caught.value.code == "answer_too_slow"


@pytest.mark.parametrize("body", [b"{}", b"7", b"null", b"[1]", b'[{"sku":"A"}]', b"", b"\xff\xfe", b"[" * 100_000])
def test_a_list_of_another_shape_is_not_believed(body: Any) -> None:
    with faked(lambda _: httpx.Response(200, content=body)) as channel, pytest.raises(Retryable):
        channel.find_by_sku("A-1")


def test_a_byte_order_mark_before_the_answer_is_read_over() -> None:
    with faked(lambda _: httpx.Response(200, content=b"\xef\xbb\xbf[]")) as channel:
        assert channel.find_by_sku("A-1") is None


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (401, {"code": "woocommerce_rest_cannot_view", "message": "no"}, AuthRevoked, "woocommerce_rest_cannot_view"),
        (403, {"code": "rest_forbidden", "message": "no"}, AuthRevoked, "rest_forbidden"),
        (403, None, Retryable, "blocked"),
        (404, {"code": "rest_no_route", "message": "no"}, Permanent, "no_api"),
        (404, None, Permanent, "no_api"),
        (
            410,
            {"code": "woocommerce_rest_already_trashed", "message": "x"},
            NotFound,
            "woocommerce_rest_already_trashed",
        ),
        (400, {"code": "woocommerce_rest_product_invalid_id", "message": "Invalid ID."}, NotFound, "no_such_item"),
        (
            400,
            {"code": "product_invalid_global_unique_id", "message": "x"},
            Validation,
            "product_invalid_global_unique_id",
        ),
        (
            400,
            {"code": "woocommerce_product_image_upload_error", "message": "x"},
            Validation,
            "woocommerce_product_image_upload_error",
        ),
        (
            400,
            {"code": "rest_invalid_param", "message": "x", "data": {"params": {"regular_price": "x"}}},
            Validation,
            "rest_invalid_param",
        ),
        (400, {"code": "other", "message": "x"}, Permanent, "other"),
        (418, None, Permanent, "refused"),
        (200, {"code": "x", "message": "y", "data": {"status": 401}}, AuthRevoked, "x"),
        (200, {"code": "x", "message": "y"}, Retryable, "x"),
        (200, {"code": "x", "message": "y", "data": None}, Retryable, "x"),
    ],
)
def test_each_refusal_has_its_kind(status: int, body: Any, kind: str, code: str) -> None:
    def shop(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, json=body) if body is not None else httpx.Response(status, text="<html>no</html>")

    with faked(shop) as channel, pytest.raises(kind) as caught:
        channel.set_price("5", 1)
    assert caught.value.code == code
    assert caught.value.vi


@pytest.mark.parametrize(
    ("status", "kind"), [(500, OutcomeUnknown), (502, OutcomeUnknown), (504, OutcomeUnknown), (503, Retryable)]
)
def test_a_server_error_at_creation_may_hide_a_success(status: int, kind: type[Exception]) -> None:
    with faked(lambda _: httpx.Response(status)) as channel:
        with pytest.raises(kind):
            channel.create(DRAFT)
        with pytest.raises(Retryable):
            channel.set_stock("5", 1)


def test_a_ban_is_left_alone_even_where_the_shop_would_let_us_lift_it() -> None:
    seen = []

    def shop(request: httpx.Request) -> httpx.Response:
        seen.append(request.method)
        return httpx.Response(200, json=item(status="private", meta_data=[{"key": "_moderation", "value": "Ảnh sai"}]))

    with faked(shop) as channel, pytest.raises(Rejected) as caught:
        channel.relist("5")
    assert (seen, [reason.code for reason in caught.value.reasons]) == (["GET"], ["banned"])


def test_a_refused_field_is_named_as_ours() -> None:
    body = {"code": "rest_invalid_param", "message": "x", "data": {"status": 400, "params": {"regular_price": "no"}}}
    with faked(lambda _: httpx.Response(400, json=body)) as channel, pytest.raises(Validation) as caught:
        channel.set_price("5", 1)
    assert caught.value.field == "price_vnd"


@pytest.mark.parametrize("remote_id", ["../users", "5/batch", "", "٣", "-1", "1" * 21])
def test_an_id_never_becomes_a_path(remote_id: str) -> None:
    def shop(_: httpx.Request) -> httpx.Response:
        raise AssertionError("nothing may be sent")

    with faked(shop) as channel:
        for call in (lambda: channel.set_price(remote_id, 1), lambda: channel.status([remote_id])):
            with pytest.raises(NotFound):
                call()


# ---------------------------------------------------------------------- the shop's own ways


def test_a_deletion_is_read_back_because_its_answer_still_says_published(woo: WooDouble) -> None:
    with woo.open() as channel:
        made = channel.publish(DRAFT)
        echo = channel._api.call("DELETE", f"/products/{made.remote_id}", params={"force": "false"})
        assert echo["status"] == "publish"
        assert [s.raw for s in channel.status([made.remote_id])] == ["trash"]
        status = channel.delete(made.remote_id)
        assert (status.raw, status.live, [r.code for r in status.reasons]) == ("trash", False, ["trash"])


def test_deleting_twice_is_the_same_as_once(woo: WooDouble) -> None:
    with woo.open() as channel:
        made = channel.publish(DRAFT)
        assert [channel.delete(made.remote_id).raw for _ in range(2)] == ["trash", "trash"]
        woo.staff(made.remote_id, "delete")
        assert channel.delete(made.remote_id).raw == "gone"


def test_our_own_item_in_the_bin_is_taken_out_again(woo: WooDouble) -> None:
    with woo.open() as channel:
        made = channel.publish(DRAFT)
        woo.staff(made.remote_id, "trash")
        assert channel.find_by_sku(DRAFT.sku) is None
        status = channel.publish(replace(DRAFT, price_vnd=77_000))
        assert (status.remote_id, status.live, status.price_vnd) == (made.remote_id, True, 77_000)
        assert len(woo.items()) == 1


def test_somebody_elses_item_in_the_bin_is_named_and_left_there(woo: WooDouble) -> None:
    other = woo.make_by_hand(sku=DRAFT.sku, name="Của người khác", price="1")
    woo.staff(other, "trash")
    with woo.open() as channel, pytest.raises(Conflict) as caught:
        channel.create(DRAFT)
    assert (caught.value.code, caught.value.existing_remote_id) == ("sku_in_bin", other)
    assert "thùng rác" in caught.value.vi
    assert [(i.remote_id, i.name, i.listed) for i in woo.items()] == [(other, "Của người khác", False)]


def test_a_sku_reserved_by_nothing_visible_is_a_conflict_without_a_holder(woo: WooDouble) -> None:
    message = "The product with SKU (LS-HOI-500G) you are trying to insert is already present in the lookup table"
    woo.fail("create", "status", status=400, code="woocommerce_rest_product_not_created", message=message)
    with woo.open() as channel, pytest.raises(Conflict) as caught:
        channel.publish(DRAFT)
    assert caught.value.existing_remote_id is None
    assert woo.items() == []


def test_a_sale_price_set_by_hand_gives_way_to_ours(woo: WooDouble) -> None:
    by_hand = woo.make_by_hand(sku=DRAFT.sku, name="Hồi", price="5000", sale_price="1000")
    with woo.open() as channel:
        assert [status.price_vnd for status in channel.status([by_hand])] == [1000]
        assert channel.set_price(by_hand, 5000).price_vnd == 5000


def test_orders_may_take_more_than_there_is_and_the_status_says_so(woo: WooDouble) -> None:
    with woo.open() as channel:
        made = channel.publish(replace(DRAFT, stock=3))
        line = {"product_id": int(made.remote_id), "quantity": 6}
        channel._api.call("POST", "/orders", body={"line_items": [line]})
        (status,) = channel.status([made.remote_id])
    assert (status.stock, status.live, status.buyable) == (-3, True, False)


def test_a_draft_reaches_the_shop_in_full(woo: WooDouble) -> None:
    draft = ListingDraft(
        listing_id="L-9",
        sku="LS-MACMAT-1",
        name="Quả mắc mật sấy",
        description_html="<p>Sấy lạnh</p><script>alert(1)</script>",
        price_vnd=85_000,
        stock=4,
        weight_grams=1250,
        images=(woo.picture("macmat"),),
        category="thực phẩm",
        attributes=(("Xuất xứ", "Lạng Sơn"), ("Hạng OCOP", "4 sao")),
        gtin="4006381333931",
    )
    with woo.open() as channel:
        assert channel.validate(draft) == []
        channel.publish(draft)
    (row,) = woo.state()["products"]
    assert (row["regular_price"], row["manage_stock"], row["stock_quantity"], row["weight"]) == (
        "85000",
        True,
        4,
        "1.25",
    )
    assert (row["global_unique_id"], row["description"]) == ("4006381333931", "<p>Sấy lạnh</p>")
    assert [category["name"] for category in row["categories"]] == ["Thực phẩm"]
    assert [(a["name"], a["options"], a["visible"]) for a in row["attributes"]] == [
        ("Xuất xứ", ["Lạng Sơn"], True),
        ("Hạng OCOP", ["4 sao"], True),
    ]
    assert [(image["name"], image["alt"]) for image in row["images"]] == [
        (f"hoi-{draft.images[0].sha256[:32]}", "Quả mắc mật sấy")
    ]
    page = woo.http.get(httpx.URL(row["permalink"]).path)
    assert (page.status_code, "Quả mắc mật sấy" in page.text, "85.000 ₫" in page.text) == (200, True, True)
    assert woo.http.get(httpx.URL(row["images"][0]["src"]).path).headers["Content-Type"] == "image/png"


def test_a_weight_unit_of_grams_is_respected(woo: WooDouble) -> None:
    with WooCommerce(woo.credentials(weight_unit="g"), allow_private=True) as channel:
        channel.publish(DRAFT)
        assert [issue.code for issue in channel.check().issues] == ["weight_unit"]
    assert woo.state()["products"][0]["weight"] == "500"


def test_a_shop_in_another_currency_is_told(woo: WooDouble) -> None:
    woo.ask("settings", {"general/woocommerce_currency": "USD"})
    with woo.open() as channel:
        assert [(issue.field, issue.code) for issue in channel.check().issues] == [("base_url", "currency")]


def test_keys_that_may_only_read_are_found_by_the_check(woo: WooDouble) -> None:
    woo.ask("key", {"permissions": "read"})
    with woo.open() as channel, pytest.raises(AuthRevoked) as caught:
        channel.check()
    assert "Đọc/Ghi" in caught.value.vi
    assert woo.items() == []


@pytest.mark.parametrize("name", ["missing", "text"])
def test_a_picture_that_cannot_be_copied_stops_the_item(woo: WooDouble, name: str) -> None:
    with woo.open() as channel, pytest.raises(Validation) as caught:
        channel.publish(replace(DRAFT, images=(woo.picture(name),)))
    assert caught.value.field == "images"
    assert woo.items() == []


def test_more_items_than_one_page_are_all_seen(woo: WooDouble) -> None:
    with woo.open(read_timeout=30) as channel:
        bodies = [{"name": f"Hồi {n}", "sku": f"A-{n}", "regular_price": "1000", "status": "draft"} for n in range(100)]
        made = channel._api.call("POST", "/products/batch", body={"create": bodies})["create"]
        more = channel._api.call(
            "POST", "/products/batch", body={"create": [{**bodies[0], "sku": f"B-{n}"} for n in range(5)]}
        )["create"]
        ids = [str(row["id"]) for row in [*made, *more]]
        woo.ask("calls", {})
        assert [status.remote_id for status in channel.status(ids)] == ids
    assert woo.calls() == {"GET /products": 2}


def test_publishing_costs_exactly_these_calls(woo: WooDouble) -> None:
    with woo.open() as channel:
        made = channel.publish(DRAFT)
        assert woo.calls() == {"GET /products": 1, "POST /products": 1, "HEAD /san-pham/{slug}/": 1}
        woo.ask("calls", {})
        channel.set_stock(made.remote_id, 1)
        assert woo.calls() == {"PUT /products/{id}": 1, "HEAD /san-pham/{slug}/": 1}


def test_sku_letters_in_another_case_are_the_same_item_for_the_shop(woo: WooDouble) -> None:
    by_hand = woo.make_by_hand(sku="ls-hoi-500g", name="Hồi", price="1")
    with woo.open() as channel:
        assert channel.publish(DRAFT).remote_id == by_hand
    assert [i.sku for i in woo.items()] == [DRAFT.sku]


@pytest.mark.parametrize("sku", ["A,B", "A B", "Hồi", "%41", "-A", "A" * 101])
def test_a_sku_that_the_shop_would_misread_is_refused_here(sku: str) -> None:
    with faked(lambda _: httpx.Response(500)) as channel:
        assert {issue.field for issue in channel.validate(replace(DRAFT, sku=sku))} == {"sku"}


def test_a_picture_without_an_ending_is_refused_here(woo: WooDouble) -> None:
    with woo.open() as channel:
        draft = replace(DRAFT, images=(replace(woo.picture("a"), url="https://hoi.vn/anh/abc"),))
        assert [(issue.field, issue.code) for issue in channel.validate(draft)] == [("images", "address")]


def test_a_clock_too_far_off_is_named_as_such(woo: WooDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    real = clock.machine_now
    monkeypatch.setattr(clock, "machine_now", lambda: real() + timedelta(minutes=20))
    with woo.open() as channel, pytest.raises(Retryable) as caught:
        channel.find_by_sku("A")
    assert caught.value.code == "clock_skew"


def test_a_moved_business_clock_does_not_touch_signatures(woo: WooDouble) -> None:
    clock.shift(timedelta(days=400))
    try:
        with woo.open() as channel:
            status = channel.publish(DRAFT)
    finally:
        clock.shift(timedelta())
    assert status.live
    assert status.seen_at > clock.machine_now() + timedelta(days=399)


def test_a_repeated_nonce_is_refused_there_and_retryable_here(woo: WooDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.secrets, "token_hex", lambda _: "0" * 32)
    with woo.open() as channel:
        assert channel.find_by_sku("A") is None
        with pytest.raises(Retryable) as caught:
            channel.find_by_sku("A")
    assert caught.value.code == "nonce_used"


def test_the_floors_own_gate_against_a_banned_item_is_a_rejection(woo: WooDouble) -> None:
    with woo.open() as channel:
        made = channel.publish(DRAFT)
        woo.staff(made.remote_id, "ban", reason="Ảnh sai")
        with pytest.raises(Rejected) as caught:
            channel._api.call("PUT", f"/products/{made.remote_id}", body={"status": "publish"})
    assert "Ảnh sai" in caught.value.reasons[0].vi


@pytest.mark.faults
def test_what_the_shop_accepted_survives_kill_9(own_woo: WooDouble) -> None:
    with own_woo.open() as channel:
        made = channel.publish(replace(DRAFT, images=(own_woo.picture("one"),)))
    before, port = own_woo.state()["products"], own_woo.port
    assert own_woo.stop(signal.SIGKILL) == -signal.SIGKILL
    own_woo.start(port)
    assert own_woo.state()["products"] == before
    with own_woo.open() as channel:
        assert [status.live for status in channel.status([made.remote_id])] == [True]


# ---------------------------------------------------------------------- the account form


def test_the_form_asks_for_what_is_needed_in_vietnamese() -> None:
    (spec,) = specs()
    schema = spec.json_schema()
    assert schema["required"] == ["base_url", "consumer_key", "consumer_secret"]
    properties = schema["properties"]
    assert {name for name, shape in properties.items() if shape.get("writeOnly")} == {
        "consumer_key",
        "consumer_secret",
        "webhook_secret",
    }
    assert properties["base_url"]["title"] == "Địa chỉ gian hàng"
    assert properties["weight_unit"]["enum"] == ["kg", "g"]


def test_an_unknown_kind_of_channel_is_not_found() -> None:
    with pytest.raises(errors.NotFound):
        open_channel("shopee", HTTPS, sandbox=False)


def test_credentials_show_names_only() -> None:
    assert repr(HTTPS) == "Credentials(base_url, consumer_key, consumer_secret: hidden)"
    assert not re.search("ck_x|cs_y", f"{HTTPS} {HTTPS!r}")

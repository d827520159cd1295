"""Calls to a shop: where they may go, what they carry, and answers that are not what they should be."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from faked_shop import HTTPS, PUBLIC, faked, item
from kit import DRAFT
from woo_double import WooDouble

from app import clock
from app.marketplace_sync.channels import http
from app.marketplace_sync.channels.accounts import Credentials
from app.marketplace_sync.channels.errors import NotFound, OutcomeUnknown, Permanent, Retryable, Validation
from app.marketplace_sync.channels.http import Timeouts
from app.marketplace_sync.channels.registry import open_channel
from app.marketplace_sync.channels.woocommerce.channel import WooCommerce
from app.marketplace_sync.channels.woocommerce.items import FIELDS


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
    assert "evil.example" in caught.value.text("vi")
    assert "pw" not in caught.value.text("vi")


@pytest.mark.parametrize("remote_id", ["../users", "5/batch", "", "٣", "-1", "1" * 21])
def test_an_id_never_becomes_a_path(remote_id: str) -> None:
    def shop(_: httpx.Request) -> httpx.Response:
        raise AssertionError("nothing may be sent")

    with faked(shop) as channel:
        for call in (lambda: channel.set_price(remote_id, 1), lambda: channel.status([remote_id])):
            with pytest.raises(NotFound):
                call()


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


def test_a_moved_business_clock_does_not_touch_signatures(woo: WooDouble) -> None:
    clock.shift(timedelta(days=400))
    try:
        with woo.open() as channel:
            status = channel.publish(DRAFT)
    finally:
        clock.shift(timedelta())
    assert status.live
    assert status.seen_at > clock.machine_now() + timedelta(days=399)

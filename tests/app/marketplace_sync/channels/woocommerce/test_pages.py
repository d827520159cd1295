"""The page of an item, as a visitor opens it."""

import threading

import httpx
import pytest
from faked_shop import faked, item
from kit import DRAFT
from woo_double import WooDouble

from app.marketplace_sync.channels import http
from app.marketplace_sync.channels.woocommerce.channel import PAGES_AT_ONCE


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
            status.reasons[0].text("vi")
            == f"Khách mở trang sản phẩm thì bị đưa sang trang khác ({woo.url}/), không mua được."
        )
        assert [s.live for s in channel.status([made.remote_id])] == [True]


def test_a_page_that_needs_its_parameter_is_not_the_page_without_it() -> None:
    def shop(request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith("/wp-json/"):
            return httpx.Response(200, json=[item(permalink="https://gianhang.example/?product=hoi")])
        return httpx.Response(200) if not request.url.query else httpx.Response(302, headers={"Location": "/"})

    with faked(shop) as channel:
        assert [(s.live, s.reasons[0].code) for s in channel.status(["5"])] == [(False, "page_closed")]


def test_a_round_of_slow_pages_ends_in_time_and_leaves_the_rest_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    passed, counting = [0.0], threading.Lock()
    ids = [str(n) for n in range(5, 45)]

    def shop(request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith("/wp-json/"):
            return httpx.Response(200, json=[item(id=int(n)) for n in ids])
        with counting:
            passed[0] += 35
        return httpx.Response(200)

    monkeypatch.setattr(http.time, "monotonic", lambda: passed[0])
    with faked(shop) as channel:
        found = channel.status(ids)
    assert [s.remote_id for s in found] == ids
    # Two fit into the time of a conversation; whoever had begun by then is still answered.
    assert 2 <= sum(s.verified for s in found) == passed[0] / 35 < 2 + PAGES_AT_ONCE


def test_the_pages_of_a_round_are_opened_side_by_side_each_on_a_line_of_its_own() -> None:
    together = threading.Barrier(PAGES_AT_ONCE, timeout=20)
    ids = [str(n) for n in range(5, 5 + 2 * PAGES_AT_ONCE)]

    def shop(request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith("/wp-json/"):
            return httpx.Response(200, json=[item(id=int(n)) for n in reversed(ids)])
        together.wait()
        return httpx.Response(200)

    with faked(shop) as channel:
        assert [(s.remote_id, s.live, s.verified) for s in channel.status(ids)] == [(n, True, True) for n in ids]

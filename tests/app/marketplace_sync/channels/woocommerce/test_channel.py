"""WooCommerce: the conformance kit against a real process, then what only this channel has."""

import re
import signal
from dataclasses import replace

import httpx
import pytest
from faked_shop import HTTPS, faked, item
from kit import DRAFT, ChannelKit
from woo_double import WooDouble

from app import errors
from app.marketplace_sync.channels.errors import AuthRevoked, Conflict, Rejected, WrongCurrency
from app.marketplace_sync.channels.registry import open_channel, specs


class TestWooCommerce(ChannelKit):
    @pytest.fixture
    def shop(self, woo: WooDouble) -> WooDouble:
        return woo


def test_a_ban_is_left_alone_even_where_the_shop_would_let_us_lift_it() -> None:
    seen = []

    def shop(request: httpx.Request) -> httpx.Response:
        seen.append(request.method)
        return httpx.Response(200, json=item(status="private", meta_data=[{"key": "_moderation", "value": "Ảnh sai"}]))

    with faked(shop) as channel, pytest.raises(Rejected) as caught:
        channel.relist("5")
    assert (seen, [reason.code for reason in caught.value.reasons]) == (["GET"], ["banned"])


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
    assert "thùng rác" in caught.value.text("vi")
    assert [(i.remote_id, i.name, i.listed) for i in woo.items()] == [(other, "Của người khác", False)]


def test_a_sku_reserved_by_nothing_visible_is_a_conflict_without_a_holder(woo: WooDouble) -> None:
    message = "The product with SKU (LS-HOI-500G) you are trying to insert is already present in the lookup table"
    woo.fail("create", "status", status=400, code="woocommerce_rest_product_not_created", message=message)
    with woo.open() as channel, pytest.raises(Conflict) as caught:
        channel.publish(DRAFT)
    assert caught.value.existing_remote_id is None
    assert woo.items() == []


def test_a_shop_in_another_currency_is_refused_with_the_way_out(woo: WooDouble) -> None:
    woo.ask("settings", {"general/woocommerce_currency": "USD"})
    with woo.open() as channel:
        for verb in (channel.check, channel.check_currency):
            with pytest.raises(WrongCurrency) as caught:
                verb()
            assert (caught.value.code, caught.value.field) == ("currency", "base_url")
            assert "bằng USD" in caught.value.text("vi")
            assert "WooCommerce → Cài đặt → Chung, đổi Tiền tệ sang VND (đồng)" in caught.value.text("vi")
        woo.ask("settings", {"general/woocommerce_currency": "VND"})
        channel.check_currency()


def test_a_currency_that_the_keys_may_not_read_is_told(woo: WooDouble) -> None:
    refused = {"method": "GET", "path": "/settings/general/", "kind": "status", "times": 1, "status": 403}
    woo.ask("faults", [refused | {"code": "woocommerce_rest_cannot_view"}])
    with woo.open() as channel:
        assert [(issue.field, issue.code) for issue in channel.check().issues] == [("base_url", "currency_unknown")]


def test_keys_that_may_only_read_are_found_by_the_check(woo: WooDouble) -> None:
    woo.ask("key", {"permissions": "read"})
    with woo.open() as channel, pytest.raises(AuthRevoked) as caught:
        channel.check()
    assert "Đọc/Ghi" in caught.value.text("vi")
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
    fields = {field.name: field for field in spec.fields}
    assert list(fields) == ["base_url", "consumer_key", "consumer_secret", "weight_unit"], "nothing that does nothing"
    assert [name for name, field in fields.items() if field.required] == ["base_url", "consumer_key", "consumer_secret"]
    assert [name for name, field in fields.items() if field.kind == "secret"] == ["consumer_key", "consumer_secret"]
    assert fields["base_url"].text("vi") == "Địa chỉ gian hàng"
    assert fields["weight_unit"].choices == ("kg", "g")


def test_an_unknown_kind_of_channel_is_not_found() -> None:
    with pytest.raises(errors.NotFound):
        open_channel("shopee", HTTPS, sandbox=False)


def test_credentials_show_names_only() -> None:
    assert repr(HTTPS) == "Credentials(base_url, consumer_key, consumer_secret: hidden)"
    assert not re.search("ck_x|cs_y", f"{HTTPS} {HTTPS!r}")

"""What every channel must do under trouble: inherit ChannelKit, give it a `shop` fixture, and it runs against that shop."""

import logging
import threading
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from email.utils import format_datetime
from typing import Any, Literal, Protocol
from urllib.parse import quote, quote_plus

import pytest

from app import clock
from app.marketplace_sync.channels.base import Channel
from app.marketplace_sync.channels.drafts import Image, ListingDraft
from app.marketplace_sync.channels.errors import (
    AuthRevoked,
    ChannelError,
    Conflict,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Retryable,
)

Operation = Literal["create", "change", "read", "any"]
LOST = ["timeout_after_commit", "hang_after_commit", "truncated", "cut_json"]


@dataclass(frozen=True)
class Item:
    """One item as the shop itself holds it."""

    remote_id: str
    sku: str
    name: str
    price: str
    stock: int | None
    listed: bool


class ShopDouble(Protocol):
    """What the kit needs from a shop that can misbehave."""

    secrets: Sequence[str]

    def open(self, *, read_timeout: float = 5, wrong_keys: bool = False, port: int | None = None) -> Channel: ...
    def fail(self, operation: Operation, kind: str, *, times: int = 1, **details: object) -> None: ...
    def items(self) -> list[Item]: ...
    def count(self, operation: Operation) -> int: ...
    def picture(self, name: str) -> Image: ...
    def copied_pictures(self) -> list[str]: ...
    def make_by_hand(self, **fields: Any) -> str: ...
    def staff(self, remote_id: str, action: str, **fields: str) -> None: ...
    def revoke(self) -> None: ...
    def log(self) -> str: ...
    def closed_port(self) -> int: ...


DRAFT = ListingDraft(
    listing_id="0192f0a0-0000-7000-8000-000000000001",
    sku="LS-HOI-500G",
    name="Hoa hồi khô Văn Quan (dữ liệu mẫu)",
    description_html="<p>Hồi tám cánh, phơi nắng.</p>",
    price_vnd=120_000,
    stock=7,
    weight_grams=500,
)


class ChannelKit:
    """Subclass as Test…; define a `shop` fixture that gives a clean ShopDouble."""

    @pytest.fixture
    def channel(self, shop: ShopDouble) -> Iterator[Channel]:
        with shop.open() as channel:
            yield channel

    def test_publishing_makes_one_live_item_with_exact_values(self, shop: ShopDouble, channel: Channel) -> None:
        status = channel.publish(DRAFT)
        assert (status.live, status.buyable, status.verified, status.reasons) == (True, True, True, ())
        assert (status.price_vnd, status.stock, status.sku) == (120_000, 7, DRAFT.sku)
        assert (status.name, status.listing_id) == (DRAFT.name, DRAFT.listing_id)
        assert status.url is not None
        assert [(i.sku, i.name, i.price, i.stock, i.listed) for i in shop.items()] == [
            (DRAFT.sku, DRAFT.name, "120000", 7, True)
        ]

    def test_publishing_again_changes_the_same_item(self, shop: ShopDouble, channel: Channel) -> None:
        first = channel.publish(DRAFT)
        second = channel.publish(replace(DRAFT, price_vnd=95_000))
        third = channel.publish(replace(DRAFT, stock=2), first.remote_id)
        assert first.remote_id == second.remote_id == third.remote_id
        assert (second.price_vnd, third.stock) == (95_000, 2)
        assert shop.count("create") == 1

    @pytest.mark.parametrize("kind", LOST)
    def test_an_answer_lost_after_creation_leads_to_one_item(self, shop: ShopDouble, kind: str) -> None:
        shop.fail("create", kind)
        with shop.open(read_timeout=0.3) as channel:
            with pytest.raises(OutcomeUnknown):
                channel.publish(DRAFT)
            assert len(shop.items()) == 1
            status = channel.publish(DRAFT)
        assert status.live
        assert [item.remote_id for item in shop.items()] == [status.remote_id]
        assert shop.count("create") == 1

    def test_a_creation_cut_before_the_shop_kept_it_is_unknown_then_made_once(
        self, shop: ShopDouble, channel: Channel
    ) -> None:
        shop.fail("create", "drop_before_commit")
        with pytest.raises(OutcomeUnknown):
            channel.publish(DRAFT)
        assert shop.items() == []
        assert channel.publish(DRAFT).live
        assert len(shop.items()) == 1

    @pytest.mark.parametrize("kind", ["timeout_after_commit", "truncated"])
    def test_a_change_whose_answer_is_lost_is_unknown_and_may_be_repeated(
        self, shop: ShopDouble, channel: Channel, kind: str
    ) -> None:
        made = channel.publish(DRAFT)
        shop.fail("change", kind)
        with pytest.raises(OutcomeUnknown):
            channel.set_stock(made.remote_id, 4)
        assert channel.set_stock(made.remote_id, 4).stock == 4

    def test_a_lost_reading_is_simply_retryable(self, shop: ShopDouble, channel: Channel) -> None:
        made = channel.publish(DRAFT)
        shop.fail("read", "truncated")
        with pytest.raises(Retryable):
            channel.status([made.remote_id])

    def test_a_shop_that_is_down_was_never_written_to(self, shop: ShopDouble) -> None:
        with shop.open(port=shop.closed_port()) as channel, pytest.raises(Retryable) as caught:
            channel.create(DRAFT)
        assert not isinstance(caught.value, RateLimited)

    def test_too_many_calls_with_seconds_to_wait(self, shop: ShopDouble, channel: Channel) -> None:
        shop.fail("any", "status", status=429, retry_after="7")
        with pytest.raises(RateLimited) as caught:
            channel.publish(DRAFT)
        assert caught.value.after == timedelta(seconds=7)
        assert channel.publish(DRAFT).live

    def test_too_many_calls_with_a_date_to_wait_for(self, shop: ShopDouble, channel: Channel) -> None:
        until = clock.machine_now() + timedelta(minutes=10)
        shop.fail("any", "status", status=429, retry_after=format_datetime(until, usegmt=True))
        with pytest.raises(RateLimited) as caught:
            channel.publish(DRAFT)
        assert timedelta(minutes=9) < caught.value.after <= timedelta(minutes=10)

    @pytest.mark.parametrize("said", [None, "soon"])
    def test_too_many_calls_without_a_usable_word_on_waiting(
        self, shop: ShopDouble, channel: Channel, said: str | None
    ) -> None:
        shop.fail("any", "status", status=429, retry_after=said)
        with pytest.raises(RateLimited) as caught:
            channel.publish(DRAFT)
        assert caught.value.after is None
        assert shop.items() == []

    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    def test_server_errors_pass_and_leave_one_item(self, shop: ShopDouble, channel: Channel, status: int) -> None:
        shop.fail("create", "status", status=status, times=2)
        for _ in range(2):
            with pytest.raises((Retryable, OutcomeUnknown)):
                channel.publish(DRAFT)
        assert channel.publish(DRAFT).live
        assert len(shop.items()) == 1

    @pytest.mark.parametrize("kind", ["error_in_200", "html_in_200"])
    @pytest.mark.parametrize("operation", ["create", "change", "read"])
    def test_an_error_inside_a_success_is_no_success(
        self, shop: ShopDouble, channel: Channel, kind: str, operation: Operation
    ) -> None:
        if operation != "create":
            channel.publish(DRAFT)
        shop.fail(operation, kind)
        with pytest.raises((Retryable, OutcomeUnknown)):
            channel.publish(replace(DRAFT, stock=3))
        assert [item.stock for item in shop.items()] == ([] if operation == "create" else [7])
        assert channel.publish(replace(DRAFT, stock=3)).stock == 3
        assert len(shop.items()) == 1

    def test_an_item_made_by_hand_with_our_sku_is_adopted(self, shop: ShopDouble, channel: Channel) -> None:
        by_hand = shop.make_by_hand(sku=DRAFT.sku, name="Hồi", price="1")
        status = channel.publish(DRAFT)
        assert status.remote_id == by_hand
        assert (status.name, status.price_vnd, status.listing_id) == (DRAFT.name, 120_000, DRAFT.listing_id)
        assert len(shop.items()) == 1

    def test_creation_names_the_holder_of_the_sku(self, shop: ShopDouble, channel: Channel) -> None:
        by_hand = shop.make_by_hand(sku=DRAFT.sku, name="Hồi", price="1")
        with pytest.raises(Conflict) as caught:
            channel.create(DRAFT)
        assert caught.value.existing_remote_id == by_hand
        assert [item.name for item in shop.items()] == ["Hồi"]

    def test_another_listing_of_ours_is_never_taken_over(self, shop: ShopDouble, channel: Channel) -> None:
        first = channel.publish(DRAFT)
        with pytest.raises(Conflict) as caught:
            channel.publish(replace(DRAFT, listing_id="another", name="Khác"))
        assert caught.value.existing_remote_id == first.remote_id
        assert [item.name for item in shop.items()] == [DRAFT.name]

    def test_publishing_at_the_same_moment_makes_one_item(self, shop: ShopDouble) -> None:
        found, problems, gate = [], [], threading.Barrier(6)

        def publish() -> None:
            with shop.open() as channel:
                gate.wait(10)
                try:
                    found.append(channel.publish(DRAFT).remote_id)
                except ChannelError as error:
                    problems.append(error)

        threads = [threading.Thread(target=publish) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert problems == []
        assert len(set(found)) == 1
        assert len(found) == 6
        assert len(shop.items()) == 1

    def test_unlisting_twice_is_the_same_as_once(self, shop: ShopDouble, channel: Channel) -> None:
        made = channel.publish(DRAFT)
        first, second = channel.unlist(made.remote_id), channel.unlist(made.remote_id)
        assert (first.live, second.live, first.buyable) == (False, False, False)
        assert [reason.code for reason in second.reasons] == [reason.code for reason in first.reasons]
        assert [item.listed for item in shop.items()] == [False]
        assert channel.relist(made.remote_id).live
        assert channel.relist(made.remote_id).live

    def test_unlisting_what_is_gone_is_success(self, shop: ShopDouble, channel: Channel) -> None:
        made = channel.publish(DRAFT)
        shop.staff(made.remote_id, "delete")
        assert channel.unlist(made.remote_id).raw == "gone"

    def test_stock_is_absolute(self, shop: ShopDouble, channel: Channel) -> None:
        made = channel.publish(DRAFT)
        for stock in (5, 5, 0, 12):
            assert channel.set_stock(made.remote_id, stock).stock == stock
            assert [item.stock for item in shop.items()] == [stock]

    def test_without_stock_it_is_live_but_not_buyable(self, channel: Channel) -> None:
        made = channel.publish(DRAFT)
        status = channel.set_stock(made.remote_id, 0)
        assert (status.live, status.buyable) == (True, False)
        assert [reason.code for reason in status.reasons] == ["out_of_stock"]

    def test_prices_are_whole_dong(self, shop: ShopDouble, channel: Channel) -> None:
        made = channel.publish(DRAFT)
        status = channel.set_price(made.remote_id, 1_234_567)
        assert status.price_vnd == 1_234_567
        assert isinstance(status.price_vnd, int)
        assert [item.price for item in shop.items()] == ["1234567"]

    def test_an_item_removed_there_is_reported_as_gone(self, shop: ShopDouble, channel: Channel) -> None:
        made = channel.publish(DRAFT)
        shop.staff(made.remote_id, "delete")
        (status,) = channel.status([made.remote_id])
        assert (status.raw, status.live, status.verified) == ("gone", False, True)
        assert [reason.code for reason in status.reasons] == ["gone"]
        with pytest.raises(NotFound):
            channel.set_price(made.remote_id, 1)
        with pytest.raises(NotFound):
            channel.publish(DRAFT, made.remote_id)
        assert shop.items() == []

    def test_an_item_changed_there_shows_what_it_says_now(self, shop: ShopDouble, channel: Channel) -> None:
        made = channel.publish(DRAFT)
        shop.staff(made.remote_id, "edit", name="Hồi rẻ", regular_price="1000", stock_quantity="99")
        (status,) = channel.status([made.remote_id])
        assert (status.name, status.price_vnd, status.stock, status.live) == ("Hồi rẻ", 1000, 99, True)

    def test_a_ban_is_seen_named_and_never_overwritten(self, shop: ShopDouble, channel: Channel) -> None:
        made = channel.publish(DRAFT)
        shop.staff(made.remote_id, "ban", reason="Thiếu giấy an toàn thực phẩm")
        (status,) = channel.status([made.remote_id])
        assert (status.live, [reason.code for reason in status.reasons]) == (False, ["banned"])
        assert "Thiếu giấy an toàn thực phẩm" in status.reasons[0].text("vi")
        for attempt in (lambda: channel.relist(made.remote_id), lambda: channel.publish(DRAFT)):
            with pytest.raises(Rejected) as caught:
                attempt()
            assert "Thiếu giấy an toàn thực phẩm" in caught.value.reasons[0].text("vi")
        assert channel.unlist(made.remote_id).reasons[0].code == "banned"
        assert [item.listed for item in shop.items()] == [False]
        shop.staff(made.remote_id, "unban")
        assert [(s.live, s.reasons) for s in channel.status([made.remote_id])] == [(True, ())]

    def test_decomposed_vietnamese_arrives_composed(self, shop: ShopDouble, channel: Channel) -> None:
        name = "Mắc mật ướp muối & ớt “Đồng Đăng”"
        status = channel.publish(replace(DRAFT, name=unicodedata.normalize("NFD", name)))
        assert status.name == name
        assert unicodedata.is_normalized("NFC", shop.items()[0].name)

    def test_pictures_are_sent_once(self, shop: ShopDouble, channel: Channel) -> None:
        one, two, three = shop.picture("one"), shop.picture("two"), shop.picture("three")
        made = channel.publish(replace(DRAFT, images=(one, two)))
        assert made.image_shas == (one.sha256, two.sha256)
        channel.publish(replace(DRAFT, images=(one, two), price_vnd=1000))
        assert shop.copied_pictures() == [one.url, two.url]
        changed = channel.publish(replace(DRAFT, images=(two, three)))
        assert changed.image_shas == (two.sha256, three.sha256)
        assert shop.copied_pictures() == [one.url, two.url, three.url]

    def test_statuses_come_in_the_order_asked(self, channel: Channel) -> None:
        first = channel.publish(DRAFT)
        second = channel.publish(replace(DRAFT, sku="LS-HOI-1KG", listing_id="second"))
        asked = [second.remote_id, "987654321", first.remote_id, second.remote_id]
        assert [status.remote_id for status in channel.status(asked)] == asked
        assert channel.status([]) == []

    def test_an_unknown_sku_is_nothing(self, channel: Channel) -> None:
        assert channel.find_by_sku("KHONG-CO") is None

    def test_wrong_and_revoked_keys_need_a_person(self, shop: ShopDouble, channel: Channel) -> None:
        with shop.open(wrong_keys=True) as stranger, pytest.raises(AuthRevoked):
            stranger.check()
        channel.check()
        shop.revoke()
        with pytest.raises(AuthRevoked):
            channel.publish(DRAFT)
        assert shop.items() == []

    def test_checking_changes_nothing(self, shop: ShopDouble, channel: Channel) -> None:
        result = channel.check()
        assert (result.shop_name != "", result.issues) == (True, ())
        assert shop.items() == []

    def test_no_secret_reaches_a_log_or_an_error(
        self, shop: ShopDouble, channel: Channel, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        caplog.set_level(logging.DEBUG, logger="httpx")  # the application's own set-up quiets it
        texts = [repr(channel)]
        faults: list[tuple[str, dict[str, object]]] = [
            ("drop_before_commit", {}),
            ("truncated", {}),
            ("html_in_200", {}),
            ("status", {"status": 500, "message": " ".join(shop.secrets)}),
            ("status", {"status": 400, "message": " ".join(shop.secrets)}),
            ("status", {"status": 401, "message": " ".join(shop.secrets)}),
            ("error_in_200", {"message": " ".join(shop.secrets)}),
        ]
        for kind, details in faults:
            shop.fail("any", kind, **details)
            with pytest.raises(ChannelError) as caught:
                channel.create(DRAFT)
            error = caught.value
            texts += [str(error), repr(error), error.text("vi"), error.text("en"), error.raw, repr(error.__cause__)]
        texts += [record.getMessage() for record in caplog.records]
        text = "\n".join([*texts, caplog.text, shop.log()])
        assert any(record.name == "httpx" for record in caplog.records)
        for secret in shop.secrets:
            assert secret not in text
            assert quote(secret, safe="") not in text
            assert quote_plus(secret) not in text
        assert "signature=" not in text.replace("signature=•••", "")

    def test_a_good_draft_has_no_issues_and_a_bad_one_all_at_once(self, channel: Channel) -> None:
        assert channel.validate(DRAFT) == []
        bad = replace(DRAFT, name=" ", sku="", price_vnd=0, stock=-1, weight_grams=0, gtin="8930000000001")
        assert [issue.field for issue in channel.validate(bad)] == [
            "name",
            "sku",
            "price_vnd",
            "stock",
            "weight_grams",
            "gtin",
        ]
        assert all(issue.text("vi") and issue.text("en") for issue in channel.validate(bad))

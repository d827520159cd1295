"""What we want reaches the marketplace once, however often, at once or late it is pushed."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select, update
from woo_double import png

from app import clock, media
from app.actor import SYSTEM
from app.marketplace_sync import channel_accounts, credentials, listings, pushes, troubles
from app.marketplace_sync.events import ListingTroubled
from app.marketplace_sync.models import ChannelAccount, ChannelCall, Listing
from app.notices.models import Notice
from app.outbox import NotYet, OutboxEvent
from app.products.models import Product, Variant
from tests.app.media.files import kept_file
from tests.worlds.shop import World


def test_a_published_product_is_live_only_after_the_marketplace_answered(world: World) -> None:
    listing_id = world.want()
    assert [(e.state, e.reason.text("vi")) for e in world.evidence()] == [
        ("no", "Đã gửi lên Sàn nông sản tỉnh (mô phỏng), chưa thấy đang bán.")
    ]
    listing = world.push(listing_id)
    assert (listing.state, listing.applied_version, listing.error) == ("live", 1, None)
    (item,) = world.woo.items()
    assert (item.sku, item.name, item.price, item.stock, item.listed) == (
        "MO-500",
        "Mật ong rừng, chai 500 ml",
        "185000",
        40,
        True,
    )
    (seen,) = world.evidence()
    assert (seen.state, seen.counted, seen.witness, seen.price_dong) == ("live", True, "marketplace", 185000)
    assert world.events("listing_observed") == 1


def test_pushing_again_with_nothing_new_makes_no_call(world: World) -> None:
    listing_id = world.want()
    world.push(listing_id)
    before = world.woo.calls()
    world.push(listing_id)
    assert world.woo.calls() == before


def test_a_new_price_and_stock_reach_the_item(world: World) -> None:
    listing_id = world.want()
    world.push(listing_id)
    with world.database.transaction(SYSTEM) as session:
        session.execute(update(Variant).where(Variant.id == world.variant_id).values(price_dong=199000))
        listings.refresh(session, SYSTEM, variant_ids=[world.variant_id])
    listing = world.push(listing_id)
    assert (listing.wanted_version, listing.applied_version) == (2, 2)
    assert [(i.price, i.stock) for i in world.woo.items()] == [("199000", 40)]


def test_an_item_that_was_made_while_its_answer_got_lost_is_adopted(world: World) -> None:
    listing_id = world.want()
    world.woo.fail("create", "timeout_after_commit")
    listing = world.push(listing_id)
    assert listing.state == "unknown"
    assert len(world.woo.items()) == 1
    listing = world.push(listing_id)
    assert (listing.state, len(world.woo.items()), world.woo.count("create")) == ("live", 1, 1)


@pytest.mark.parametrize(
    ("kind", "details", "after"),
    [
        ("status", {"status": 500}, 4),
        ("status", {"status": 429, "retry_after": 37}, 37),
        ("status", {"status": 429}, 4),
    ],
)
def test_a_shop_that_is_tired_is_asked_again_later(
    world: World, kind: str, details: dict[str, int], after: int
) -> None:
    listing_id = world.want()
    world.woo.fail("any", kind, **details)
    started = clock.now()
    listing = world.push(listing_id)
    assert (listing.state, listing.failures) == ("waiting", 1)
    with world.database.transaction(SYSTEM) as session:
        due = session.scalar(
            select(func.max(OutboxEvent.due_at)).where(OutboxEvent.name == "marketplace_sync.listing_wanted")
        )
    assert due is not None
    assert timedelta(seconds=after - 1) < due - started < timedelta(seconds=after + 15)
    if details["status"] == 429:
        with pytest.raises(NotYet) as later:
            world.push(listing_id)
        assert timedelta(seconds=after - 15) < later.value.wait <= timedelta(seconds=after)
        with world.database.transaction(SYSTEM) as session:
            session.execute(update(ChannelAccount).values(quiet_until=clock.machine_now()))
    assert world.push(listing_id).state == "live"
    assert len(world.woo.items()) == 1


def test_two_pushes_at_once_make_one_item(world: World) -> None:
    listing_id = world.want()
    threads = [
        threading.Thread(target=pushes.push, args=(world.database, world.settings, listing_id)) for _ in range(4)
    ]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert (world.read(listing_id).state, len(world.woo.items()), world.woo.count("create")) == ("live", 1, 1)


def test_a_push_that_died_after_its_call_is_done_again_without_a_second_item(world: World) -> None:
    listing_id = world.want()
    with world.database.transaction(SYSTEM) as session:
        claim = pushes._claim(session, world.settings, listing_id)
    assert claim is not None
    with credentials.open_sealed(world.settings, claim.channel, claim.sealed) as channel:
        pushes._call(channel, claim)  # and the process is killed here: nothing was recorded
    assert world.push(listing_id).state == "submitting", "the lease of the dead one still holds"
    with world.database.transaction(SYSTEM) as session:
        session.execute(update(Listing).values(lease_until=clock.machine_now() - timedelta(seconds=1)))
    assert (world.push(listing_id).state, len(world.woo.items()), world.woo.count("create")) == ("live", 1, 1)


def test_a_push_that_comes_back_after_its_lease_wants_one_more_push(world: World, listing_id: UUID) -> None:
    """The slow one writes the old price after the quick one wrote the new."""
    world.new_price(190000)
    with world.database.transaction(SYSTEM) as session:
        slow = pushes._claim(session, world.settings, listing_id)
    assert slow is not None
    world.change(Listing, lease_until=clock.machine_now() - timedelta(seconds=1))
    world.new_price(200000)
    assert world.push(listing_id).applied_version == 3
    with credentials.open_sealed(world.settings, slow.channel, slow.sealed) as channel:
        outcome = pushes._call(channel, slow)
    assert [i.price for i in world.woo.items()] == ["190000"]
    with world.database.transaction(SYSTEM) as session:
        pushes._record_push(session, world.settings, slow, outcome)
    listing = world.read(listing_id)
    assert (listing.wanted_version, listing.applied_version) == (4, 3)
    listing = world.push(listing_id)
    assert (listing.applied_version, [i.price for i in world.woo.items()]) == (4, ["200000"])


def test_keys_that_are_no_longer_accepted_break_the_account_once(world: World) -> None:
    listing_id = world.want()
    world.woo.revoke()
    listing = world.push(listing_id)
    assert listing.state == "parked"
    with world.database.transaction(SYSTEM) as session:
        account = session.get_one(ChannelAccount, world.account_id)
    assert account.state == "broken"
    assert world.events("account_broken") == 1
    calls = world.woo.calls()
    world.push(listing_id)
    assert world.woo.calls() == calls, "a broken account is not asked again"


@pytest.mark.parametrize(("demo", "elsewhere"), [(True, 0), (True, 1), (False, 0)])
def test_the_demos_shop_copies_pictures_from_this_machine_and_no_other_shop_is_sent_there(
    world: World, *, demo: bool, elsewhere: int
) -> None:
    with world.database.transaction(SYSTEM) as session:
        photo = kept_file(session, media.store_for(world.settings), png(7)).sha256
    world.change(Product, photo_sha256=photo)
    here = int(world.woo.pictures.rpartition(":")[2])
    world.settings = world.settings.model_copy(
        update={"demo": demo, "double_port": world.woo.port + elsewhere, "web_host": "127.0.0.1", "web_port": here}
    )
    assert world.push(world.want()).state == "live"
    expected = [f"{world.woo.pictures}/anh/{photo}.jpg"] if demo and not elsewhere else []
    assert world.woo.copied_pictures() == expected


def test_a_shop_that_sells_in_another_currency_by_now_gets_no_price(world: World) -> None:
    listing_id = world.want()
    world.woo.ask("settings", {"general/woocommerce_currency": "USD"})
    listing = world.push(listing_id)
    assert (listing.state, listing.error_code, world.woo.items()) == ("parked", "currency", [])
    account = world.account()
    assert (account.state, world.events("account_broken")) == ("broken", 1)
    assert account.error is not None
    assert "bán bằng USD" in account.error.vi
    world.woo.ask("settings", {"general/woocommerce_currency": "VND"})
    world.do(channel_accounts.resume_account, world.account_id)
    listing = world.push(listing_id)
    assert (listing.state, [i.price for i in world.woo.items()]) == ("live", ["185000"])


def test_a_product_the_channel_would_refuse_is_rejected_before_any_write(world: World) -> None:
    with world.database.transaction(SYSTEM) as session:
        session.execute(update(Variant).values(sku="X" * 150))
    listing = world.push(world.want())
    assert listing.state == "rejected"
    assert listing.error is not None
    assert "SKU" in listing.error.vi
    assert world.woo.count("create") == 0


def test_calls_are_logged_without_secrets(world: World) -> None:
    world.woo.fail("any", "status", status=500)
    world.push(world.want())
    with world.database.transaction(SYSTEM) as session:
        rows = session.execute(select(ChannelCall.verb, ChannelCall.outcome, ChannelCall.detail)).all()
    assert [r.verb for r in rows] == ["push:live"]
    assert all(s not in str(rows) for s in world.woo.secrets)


def test_unlisting_asks_the_shop_even_when_the_answer_to_creating_got_lost(world: World) -> None:
    listing_id = world.want()
    with world.database.transaction(SYSTEM) as session:
        claim = pushes._claim(session, world.settings, listing_id)
    assert claim is not None
    with credentials.open_sealed(world.settings, claim.channel, claim.sealed) as channel:
        pushes._call(channel, claim)  # killed here: it is on sale and we do not know its number
    with world.database.transaction(SYSTEM) as session:
        session.execute(update(Listing).values(lease_until=clock.machine_now() - timedelta(seconds=1)))
    with world.database.transaction(world.manager) as session:
        listings.want_unlisted(session, world.manager, listing_id)
    assert world.push(listing_id).state == "unlisted"
    assert [i.listed for i in world.woo.items()] == [False]


def test_an_answer_that_cannot_be_read_is_recorded_and_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing_id = world.want()
    with monkeypatch.context() as patch:
        patch.setattr(pushes, "_call", lambda _channel, _claim: int("not a number"))
        listing = world.push(listing_id)
    assert (listing.state, listing.error_code, listing.lease_id) == ("unknown", "answer_unreadable", None)
    assert world.push(listing_id).state == "live"
    assert len(world.woo.items()) == 1


@pytest.mark.parametrize("wanted", ["live", "unlisted"])
def test_an_item_made_under_the_old_sku_is_found_again(world: World, wanted: str) -> None:
    listing_id = world.want()
    world.woo.fail("create", "timeout_after_commit")
    assert world.push(listing_id).state == "unknown"
    world.change(Variant, sku="MO-500-MOI")
    if wanted == "unlisted":
        with world.database.transaction(world.manager) as session:
            listings.want_unlisted(session, world.manager, listing_id)
    listing = world.push(listing_id)
    assert (listing.state, listing.sent_skus, world.woo.count("create")) == (wanted, [], 1)
    assert [(i.remote_id, i.sku, i.listed) for i in world.woo.items()] == [
        (listing.remote_id, "MO-500-MOI" if wanted == "live" else "MO-500", wanted == "live")
    ]


def test_a_push_killed_while_it_looks_for_the_old_sku_forgets_nothing(world: World) -> None:
    listing_id = world.want()
    world.woo.fail("create", "timeout_after_commit")
    world.push(listing_id)
    world.change(Variant, sku="MO-500-MOI")
    world.woo.fail("any", "status", status=503)
    assert world.push(listing_id).sent_skus == ["MO-500", "MO-500-MOI"]
    assert (world.push(listing_id).state, world.woo.count("create"), len(world.woo.items())) == ("live", 1, 1)


def test_a_listing_that_waits_for_a_day_is_told_once(world: World, clock_at: Callable[[datetime], None]) -> None:
    start = clock.now()
    clock_at(start)
    listing_id = world.want()
    world.woo.fail("any", "status", status=503, times=-1)
    world.push(listing_id)
    clock_at(start + timedelta(hours=23, minutes=59))
    assert (world.push(listing_id).note, world.events("listing_troubled")) == (None, 0)
    for hours in (24, 30):
        clock_at(start + timedelta(hours=hours))
        listing = world.push(listing_id)
        assert (listing.state, listing.note_code, world.events("listing_troubled")) == ("waiting", "waiting_long", 1)
    assert listing.note is not None
    since = f"{clock.local(start):%H:%M ngày %d/%m/%Y}"
    assert listing.note.vi == (
        f"Thử gửi từ {since} mà sàn chưa nhận: Gian hàng đang trục trặc hoặc bảo trì. Hệ thống sẽ tự thử lại."
    )
    with world.database.transaction(SYSTEM) as session:
        troubles.tell_of_trouble(session, SYSTEM, ListingTroubled(listing_id=listing_id))
        troubles.tell_of_trouble(session, SYSTEM, ListingTroubled(listing_id=listing_id))
        assert session.scalar(select(func.count()).select_from(Notice)) == 2  # the two sellers
    world.woo.ask("faults", [])
    listing = world.push(listing_id)
    assert (listing.state, listing.note, listing.failing_since, listing.failures) == ("live", None, None, 0)


def test_a_listing_that_failed_many_times_is_told_once(world: World, listing_id: UUID) -> None:
    world.new_price(190000)
    world.woo.fail("change", "drop_before_commit", times=-1)
    for failures in range(1, pushes.MANY_FAILURES + 2):
        listing = world.push(listing_id)
        assert (listing.state, listing.failures) == ("unknown", failures)
        assert (world.events("listing_troubled"), listing.note is not None) == (
            (1, True) if failures >= pushes.MANY_FAILURES else (0, False)
        )

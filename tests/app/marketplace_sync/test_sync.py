"""What we want reaches the marketplace once, and only what the marketplace answers counts."""

import threading
from datetime import timedelta
from uuid import UUID

import pytest
from marketplace_world import World
from sqlalchemy import func, select, text, update

from app import clock
from app.actor import SYSTEM
from app.db import Words, new_id
from app.errors import Forbidden, Invalid, NotFound
from app.marketplace_sync import credentials, floors, listings, looks, pushes, queries, troubles
from app.marketplace_sync.channels.base import AuthRevoked, Credentials
from app.marketplace_sync.events import ListingTroubled
from app.marketplace_sync.models import ChannelAccount, ChannelCall, Listing, ListingObservation
from app.marketplace_sync.schemas import NewFloor, WantListing
from app.notices.models import Notice
from app.outbox import NotYet, OutboxEvent
from app.products.models import Variant


def events(world: World, name: str) -> int:
    with world.database.transaction(SYSTEM) as session:
        return session.scalar(select(func.count()).where(OutboxEvent.name == f"marketplace_sync.{name}")) or 0


def evidence(world: World) -> list[queries.Evidence]:
    with world.database.transaction(SYSTEM) as session:
        return queries.live_evidence(session, [world.product_id], as_of=clock.today(), known_at=clock.now())[
            world.product_id
        ]


def test_a_published_product_is_live_only_after_the_marketplace_answered(world: World) -> None:
    listing_id = world.want()
    assert [(e.state, e.reason_vi) for e in evidence(world)] == [
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
    (seen,) = evidence(world)
    assert (seen.state, seen.counted, seen.witness, seen.price_dong) == ("live", True, "marketplace", 185000)
    assert events(world, "listing_observed") == 1


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


def test_a_ban_is_seen_named_and_never_overwritten(world: World) -> None:
    listing_id = world.want()
    world.push(listing_id)
    world.woo.staff(world.woo.items()[0].remote_id, "ban", reason="thiếu giấy an toàn thực phẩm")
    listing = world.look(listing_id)
    assert listing.state == "blocked"
    assert events(world, "listing_troubled") == 1
    (seen,) = evidence(world)
    assert seen.state == "no"
    assert "thiếu giấy an toàn thực phẩm" in seen.reason_vi
    with world.database.transaction(world.manager) as session:
        listings.want_live(
            session, world.manager, WantListing(id=new_id(), account_id=world.account_id, variant_id=world.variant_id)
        )
    assert world.push(listing_id).state == "blocked"
    assert [i.listed for i in world.woo.items()] == [False]
    world.woo.staff(world.woo.items()[0].remote_id, "unban")
    assert world.look(listing_id).state == "live"
    assert [e.state for e in evidence(world)] == ["live"]


def test_a_price_changed_there_is_sent_again(world: World) -> None:
    listing_id = world.want()
    world.push(listing_id)
    world.woo.staff(world.woo.items()[0].remote_id, "edit", regular_price="99000")
    listing = world.look(listing_id)
    assert (listing.wanted_version, listing.applied_version) == (2, 1)
    world.push(listing_id)
    assert [i.price for i in world.woo.items()] == ["185000"]


def test_an_item_deleted_there_is_gone_until_a_person_starts_anew(world: World) -> None:
    listing_id = world.want()
    world.push(listing_id)
    world.woo.staff(world.woo.items()[0].remote_id, "delete")
    assert world.look(listing_id).state == "gone"
    assert world.woo.items() == []
    world.want()
    assert (world.push(listing_id).state, len(world.woo.items())) == ("live", 1)


def test_unlisting_takes_it_off_sale_and_is_seen(world: World) -> None:
    listing_id = world.want()
    world.push(listing_id)
    with world.database.transaction(world.manager) as session:
        listings.want_unlisted(session, world.manager, listing_id)
    assert world.push(listing_id).state == "unlisted"
    assert [(i.listed) for i in world.woo.items()] == [False]
    assert [e.state for e in evidence(world)] == ["no"]


def test_one_failed_look_changes_no_verdict(world: World) -> None:
    listing_id = world.want()
    world.push(listing_id)
    world.woo.fail("any", "status", status=503, times=5)
    assert world.look(listing_id).state == "live"
    with world.database.transaction(SYSTEM) as session:
        assert session.scalar(select(func.count()).select_from(ListingObservation)) == 1
    assert [e.state for e in evidence(world)] == ["live"]


def test_a_sighting_ages(world: World, clock_at: object) -> None:
    listing_id = world.want()
    world.push(listing_id)
    with world.database.transaction(SYSTEM) as session:
        later = clock.now() + timedelta(hours=49)
        (aged,) = queries.live_evidence(session, [world.product_id], as_of=clock.local(later).date(), known_at=later)[
            world.product_id
        ]
        (earlier,) = queries.live_evidence(
            session, [world.product_id], as_of=clock.today(), known_at=clock.now() + timedelta(hours=1)
        )[world.product_id]
    assert (aged.state, earlier.state) == ("stale", "live")


def test_what_was_not_known_yet_is_not_told(world: World) -> None:
    before = clock.now()
    listing_id = world.want()
    world.push(listing_id)
    with world.database.transaction(SYSTEM) as session:
        assert queries.live_evidence(session, [world.product_id], as_of=clock.today(), known_at=before) == {}


def test_an_own_shop_is_live_and_does_not_count_and_says_why(world: World) -> None:
    with world.database.transaction(SYSTEM) as session:
        session.execute(update(ChannelAccount).values(floor_id=None, legal_kind="own_site"))
    world.push(world.want())
    (seen,) = evidence(world)
    assert (seen.state, seen.counted) == ("live", False)
    assert (
        seen.reason_vi
        == "Đang bán ở trang bán hàng riêng (Gian hàng tỉnh); trang riêng không phải là sàn nên không được tính."
    )


def test_a_floor_the_province_no_longer_counts_is_said_to_be_so(world: World) -> None:
    world.push(world.want())
    with world.database.transaction(SYSTEM) as session:
        session.execute(
            text(
                "INSERT INTO floor_decisions (id, floor_id, counted, effective_on, legal_basis, recorded_at, person_id)"
                " SELECT :id, floor_id, false, :day, 'MẪU-02', :now, person_id FROM floor_decisions"
            ),
            {"id": new_id(), "day": clock.today(), "now": clock.now()},
        )
    (seen,) = evidence(world)
    assert (seen.state, seen.counted) == ("live", False)
    assert "không có trong danh sách" in seen.reason_vi


def test_keys_that_are_no_longer_accepted_break_the_account_once(world: World) -> None:
    listing_id = world.want()
    world.woo.revoke()
    listing = world.push(listing_id)
    assert listing.state == "parked"
    with world.database.transaction(SYSTEM) as session:
        account = session.get_one(ChannelAccount, world.account_id)
    assert account.state == "broken"
    assert events(world, "account_broken") == 1
    calls = world.woo.calls()
    world.push(listing_id)
    assert world.woo.calls() == calls, "a broken account is not asked again"


def test_a_product_the_channel_would_refuse_is_rejected_before_any_write(world: World) -> None:
    with world.database.transaction(SYSTEM) as session:
        session.execute(update(Variant).values(sku="X" * 150))
    listing = world.push(world.want())
    assert listing.state == "rejected"
    assert listing.error is not None
    assert "SKU" in listing.error.vi
    assert world.woo.count("create") == 0


def test_keys_are_sealed_and_opened_only_with_the_same_installation_key(world: World) -> None:
    sealed = credentials.seal(world.settings, Credentials({"consumer_key": "ck_thử"}))
    assert b"ck_th" not in sealed
    assert credentials.unseal(world.settings, sealed).get("consumer_key") == "ck_thử"
    other = world.settings.model_copy(
        update={"secret_key": None, "credentials_key": type(world.settings.secret_key)("y" * 40)}
    )
    with pytest.raises(AuthRevoked):
        credentials.unseal(other, sealed)


def test_calls_are_logged_without_secrets(world: World) -> None:
    world.woo.fail("any", "status", status=500)
    world.push(world.want())
    with world.database.transaction(SYSTEM) as session:
        rows = session.execute(select(ChannelCall.verb, ChannelCall.outcome, ChannelCall.detail)).all()
    assert [r.verb for r in rows] == ["push:live"]
    assert all(s not in str(rows) for s in world.woo.secrets)


def test_another_organisation_cannot_list_or_see(world: World) -> None:
    stranger = type(world.manager)(
        kind="person", person_id=new_id(), memberships=(), organisations=frozenset({new_id()})
    )
    listing_id = world.want()
    with world.database.transaction(stranger) as session:
        with pytest.raises(NotFound):
            queries.listing(session, stranger, listing_id)
        with pytest.raises(NotFound):
            listings.want_unlisted(session, stranger, listing_id)
        assert session.scalars(select(Listing)).all() == []
    assert world.read(listing_id).wanted == "live"


def test_only_the_province_decides_which_floors_count(world: World) -> None:

    new = NewFloor(id=new_id(), name="Sàn thử", hosts="san.example")
    with world.database.transaction(world.manager) as session, pytest.raises(Forbidden):
        floors.add_floor(session, world.manager, new)


def test_a_listing_of_somebody_elses_product_is_refused(world: World) -> None:
    with world.database.transaction(world.manager) as session, pytest.raises((Invalid, NotFound)):
        listings.want_live(
            session, world.manager, WantListing(id=new_id(), account_id=world.account_id, variant_id=new_id())
        )
    with world.database.transaction(SYSTEM) as session:
        assert session.scalar(select(func.count()).select_from(Listing)) == 0


def test_the_sellers_are_told_once_why_a_listing_stopped(world: World) -> None:
    listing_id = world.want()
    world.push(listing_id)
    world.woo.staff(world.woo.items()[0].remote_id, "ban", reason="thiếu giấy an toàn thực phẩm")
    world.look(listing_id)
    for _ in range(2):
        with world.database.transaction(SYSTEM) as session:
            troubles.tell_of_trouble(session, SYSTEM, ListingTroubled(listing_id=listing_id))
    with world.database.transaction(SYSTEM) as session:
        told = session.execute(select(Notice.person_id, Notice.title, Notice.link).order_by(Notice.person_id)).all()
    assert {t.person_id for t in told} == {world.manager.person_id, world.other.person_id}
    assert len(told) == 2
    assert told[0].title.vi == "“Mật ong rừng” chưa bán được ở Gian hàng tỉnh"
    assert told[0].link == f"/san/tin/{listing_id}"


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


# --- a slow shop delays only itself ------------------------------------------------------------------------------


def more_packs(world: World, count: int) -> list[UUID]:
    """Listings of so many further packs on the same account."""
    wanted = []
    for number in range(count):
        world.variant_id = new_id()
        with world.database.transaction(SYSTEM) as session:
            session.add(
                Variant(
                    id=world.variant_id,
                    organisation_id=world.organisation_id,
                    product_id=world.product_id,
                    sku=f"MO-{number}",
                    name=Words(vi=f"chai số {number}"),
                    price_dong=90000,
                    weight_grams=300,
                    created_at=clock.now(),
                )
            )
        wanted.append(world.want())
    return wanted


def hold(world: World, listing_ids: list[UUID], seconds: int) -> None:
    until = clock.machine_now() + timedelta(seconds=seconds)
    with world.database.transaction(SYSTEM) as session:
        session.execute(update(Listing).where(Listing.id.in_(listing_ids)).values(lease_until=until, lease_id=new_id()))


def test_an_account_has_few_calls_at_once_and_the_next_waits_without_a_trace(world: World) -> None:
    *busy, next_one = more_packs(world, pushes.CALLS_AT_ONCE + 1)
    hold(world, busy, 60)
    with pytest.raises(NotYet) as later:
        pushes.push(world.database, world.settings, next_one)
    assert later.value.wait == timedelta(seconds=2)
    assert (world.read(next_one).state, world.read(next_one).lease_until, world.woo.calls()) == ("draft", None, {})
    hold(world, busy[:1], -1)
    assert world.push(next_one).state == "live"


def look_until(world: World, seconds: int | None) -> None:
    until = None if seconds is None else clock.machine_now() + timedelta(seconds=seconds)
    with world.database.transaction(SYSTEM) as session:
        session.execute(update(ChannelAccount).values(look_until=until))


def test_two_never_look_at_one_account_at_once(world: World) -> None:
    listing_id = world.want()
    world.push(listing_id)
    look_until(world, 60)
    with world.database.transaction(SYSTEM) as session:
        session.execute(update(Listing).values(next_look_at=clock.machine_now() - timedelta(seconds=1)))
    before = world.woo.calls()
    assert looks.look(world.database, world.settings) == 0
    with pytest.raises(NotYet):
        looks.look(world.database, world.settings, listing_id)
    assert world.woo.calls() == before
    look_until(world, -1)  # whoever looked died at it
    assert looks.look(world.database, world.settings) == 1
    with world.database.transaction(SYSTEM) as session:
        assert session.scalars(select(ChannelAccount.look_until)).all() == [None]
    assert looks.look(world.database, world.settings) == 0

"""What is kept of the looks at a listing answers what was known at every moment as all the looks would."""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app import clock
from app.actor import SYSTEM
from app.db import Database, new_id
from app.marketplace_sync import queries, sightings
from app.marketplace_sync.channels.statuses import Reason, RemoteStatus
from app.marketplace_sync.models import ChannelAccount, Listing, ListingObservation
from app.marketplace_sync.queries.listings import Sighting, sightings_at
from app.messages import N_, Sentence
from app.settings import Settings
from tests.worlds.farm import NOON, a_pack, a_product, build

HOUR, TICK = timedelta(hours=1), timedelta(microseconds=1)
OUT = (Reason("out_of_stock", N_("Hết hàng.")),)
CLOSED = (Reason("page_closed", N_("Trang đóng.")),)
SAYINGS = (
    {"live": True, "buyable": True, "price_vnd": 185000, "stock": 7, "reasons": ()},
    {"live": True, "buyable": True, "price_vnd": 185000, "stock": 6, "reasons": ()},
    {"live": True, "buyable": True, "price_vnd": 99000, "stock": 6, "reasons": ()},
    {"live": True, "buyable": False, "price_vnd": 185000, "stock": 0, "reasons": OUT},
    {"live": False, "buyable": False, "price_vnd": 185000, "stock": 7, "reasons": CLOSED},
)
# Mostly nothing changes, at the pace of looks and with gaps of days in which the shop did not answer.
GAPS = st.one_of(st.just(900), st.just(6 * 3600), st.integers(2, 3600), st.integers(3600, 5 * 86400))
HISTORIES = st.lists(st.tuples(GAPS, st.sampled_from([0, 0, 0, 0, 0, 1, 2, 3, 4])), min_size=1, max_size=24)


class Shop:
    """One listing after the other of one account, and what was said of it."""

    def __init__(self, session: Session, settings: Settings, seller: UUID, product: UUID, pack: UUID) -> None:
        self.session, self.settings, self.seller, self.product, self.pack = session, settings, seller, product, pack

    def listing(self) -> Listing:
        account = ChannelAccount(
            id=new_id(), organisation_id=self.seller, channel="woocommerce", legal_kind="own_site", floor_id=None,
            name="Gian", base_url="https://x.example", credentials_sealed=b"x", state="active", created_at=NOON,
        )  # fmt: skip
        self.session.add(account)
        self.session.flush()
        listing = Listing(
            id=new_id(), organisation_id=self.seller, account_id=account.id, product_id=self.product,
            variant_id=self.pack, wanted="live", state="live", remote_id="7",
            created_at=NOON,
        )  # fmt: skip
        self.session.add(listing)
        self.session.flush()
        return listing

    def say(self, listing: Listing, at: datetime, saying: int) -> bool:
        seen = RemoteStatus(remote_id="7", raw="publish", url="https://x.example/7", seen_at=at, **SAYINGS[saying])
        return sightings.record_sighting(self.session, self.settings, listing, seen)

    def kept(self, listing: Listing) -> list[datetime]:
        rows = select(ListingObservation.seen_at).where(ListingObservation.listing_id == listing.id)
        return list(self.session.scalars(rows.order_by(ListingObservation.seen_at)))

    def at(self, listing: Listing, moment: datetime) -> Sighting | None:
        return sightings_at(self.session, [listing], moment).get(listing.id)


@pytest.fixture
def shop(database: Database, settings: Settings, clock_at: Callable[[datetime], None]) -> Iterator[Shop]:
    clock_at(NOON)
    people = build(database)
    product = a_product(database, people)
    pack = a_pack(database, people, product)
    with database.transaction(SYSTEM) as session:
        yield Shop(session, settings, people.cooperative, product, pack)


def saying_of(seen: Sighting) -> int:
    reasons = tuple(Reason(r.code, Sentence(r.text("vi"))) for r in seen.reasons)
    said = {"live": seen.live, "buyable": seen.buyable, "price_vnd": seen.price_dong, "stock": seen.stock}
    return SAYINGS.index(said | {"reasons": reasons})


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=HISTORIES, aside=st.lists(st.integers(0, 40 * 86400), max_size=6))
def test_what_is_kept_answers_as_all_the_looks_would(
    shop: Shop, history: list[tuple[int, int]], aside: list[int]
) -> None:
    with shop.session.begin_nested() as example:
        answers_as_all_the_looks_would(shop, history, aside)
        example.rollback()


def answers_as_all_the_looks_would(shop: Shop, history: list[tuple[int, int]], aside: list[int]) -> None:
    listing = shop.listing()
    looks: list[tuple[datetime, int]] = []
    at = NOON
    for gap, saying in history:
        at += timedelta(seconds=gap)
        looks.append((at, saying))
        assert shop.say(listing, at, saying)
    shop.session.flush()
    times, kept = [at for at, _ in looks], shop.kept(listing)
    assert set(kept) <= set(times)
    moments = {NOON + timedelta(seconds=s) for s in aside}
    for at in times:
        moments |= {at + step for step in (-TICK, timedelta(), TICK, 12 * HOUR, 48 * HOUR - TICK, 48 * HOUR)}
    moments |= {a + (b - a) / 2 for a, b in pairwise(times)}
    for moment in sorted(moments):
        seen, place = shop.at(listing, moment), bisect_right(times, moment) - 1
        if place < 0:
            assert seen is None
            continue
        assert seen is not None
        last, saying = looks[place]
        assert saying_of(seen) == saying
        assert seen.since in kept
        assert seen.since <= seen.seen_at <= last
        assert last - seen.seen_at < sightings.KEPT_EVERY
        if place + 1 == len(looks) or times[place + 1] in kept:
            assert seen.seen_at == last
        for age in (12 * HOUR, 48 * HOUR):
            assert (moment - seen.seen_at < age) == (moment - last < age)
        found = queries.live_evidence(shop.session, [shop.product], as_of=clock.local(moment).date(), known_at=moment)
        (told,) = found[shop.product]
        good = "live" if moment - last < 48 * HOUR else "stale"
        if not SAYINGS[saying]["live"]:
            good = "no"
        assert (told.listing_id, told.state, told.seen_at) == (listing.id, good, seen.seen_at)
    # Of looks that say nothing new two a day are kept at most.
    changes = {at for (_, before), (at, saying) in pairwise(looks) if before != saying} | {times[0]}
    for one, following in pairwise(kept):
        assert following in changes or following - one >= 12 * HOUR
    assert changes <= set(kept)


def test_a_day_of_looks_at_what_never_changes_keeps_two_rows(shop: Shop) -> None:
    listing = shop.listing()
    for quarter in range(96):
        shop.say(listing, NOON + quarter * HOUR / 4, 0)
    assert shop.kept(listing) == [NOON, NOON + 12 * HOUR]
    assert listing.last_seen_at == NOON + 95 * HOUR / 4


def test_a_late_sighting_holds_until_the_end_of_the_stretch_that_it_contradicts(shop: Shop) -> None:
    listing = shop.listing()
    for hours in (0, 2, 4):
        shop.say(listing, NOON + hours * HOUR, 0)
    assert not shop.say(listing, NOON + 3 * HOUR, 4)
    shop.say(listing, NOON + 5 * HOUR, 0)
    shop.session.flush()
    told = [shop.at(listing, NOON + hours * HOUR) for hours in (2.5, 3, 3.5, 4, 4.5, 5)]
    assert [saying_of(seen) for seen in told if seen] == [0, 4, 4, 0, 0, 0]
    assert [seen.seen_at - NOON for seen in told if seen] == [
        0 * HOUR,
        3 * HOUR,
        3 * HOUR,
        4 * HOUR,
        4 * HOUR,
        5 * HOUR,
    ]
    assert listing.state == "live"


def test_a_reason_kept_with_its_english_beside_it_is_read_and_no_news_when_it_is_said_again(shop: Shop) -> None:
    """Rows of before the catalogue had the English."""
    listing = shop.listing()
    shop.say(listing, NOON, 3)
    assert listing.last_reasons == [{"code": "out_of_stock", "vi": "Hết hàng.", "sentence": "Hết hàng."}]
    listing.last_reasons = [{"code": "out_of_stock", "vi": "Hết hàng.", "en": "Nothing left."}]
    seen = shop.at(listing, NOON)
    assert seen is not None
    assert [(r.code, r.text("vi"), r.text("en")) for r in seen.reasons] == [
        ("out_of_stock", "Hết hàng.", "Nothing left.")
    ]
    shop.say(listing, NOON + HOUR, 3)
    assert shop.kept(listing) == [NOON]


def test_a_sighting_before_the_first_one_says_what_was_there_then(shop: Shop) -> None:
    listing = shop.listing()
    shop.say(listing, NOON + 2 * HOUR, 0)
    assert not shop.say(listing, NOON + HOUR, 4)
    shop.session.flush()
    assert [shop.at(listing, NOON + h * HOUR) is None for h in (0.5, 1, 2)] == [True, False, False]
    assert shop.kept(listing) == [NOON + HOUR, NOON + 2 * HOUR]


def test_what_never_changes_is_looked_at_more_and_more_seldom_and_what_changed_soon(shop: Shop) -> None:
    listing = shop.listing()

    def wait_after(hours: float, saying: int = 0) -> float:
        before = clock.machine_now()
        shop.say(listing, NOON + hours * HOUR, saying)
        assert listing.next_look_at is not None
        return round((listing.next_look_at - before) / HOUR, 2)

    assert [wait_after(h) for h in (0, 0.25, 0.5, 1, 6, 12, 24)] == [0.25, 0.25, 0.25, 0.5, 3, 6, 6]
    assert wait_after(30, 1) == 0.25
    assert wait_after(38, 1) == 4


def test_each_month_of_sightings_is_a_partition_of_its_own(shop: Shop) -> None:
    listing = shop.listing()
    now = clock.machine_now()
    shop.say(listing, now, 0)
    shop.session.flush()
    table = shop.session.scalar(
        text("SELECT tableoid::regclass::text FROM listing_observations WHERE listing_id = :id"), {"id": listing.id}
    )
    assert table == f"listing_observations_{now:%Y%m}"


def test_one_product_is_asked_about_without_reading_the_sightings_of_others(shop: Shop) -> None:
    """Of the past too: two steps into the index for each listing."""
    listing, other = shop.listing(), shop.listing()
    for hours in range(400):
        for one in (listing, other):
            shop.say(one, NOON + hours * HOUR, hours % 2)
    shop.session.flush()
    assert asked_rows(shop, listing.id, NOON + 100.5 * HOUR) <= 2


def asked_rows(shop: Shop, listing_id: UUID, moment: datetime) -> int:
    """How many rows of observations PostgreSQL fetched to answer."""
    counted = (
        "SELECT coalesce(sum(pg_stat_get_xact_tuples_fetched(c.oid) + pg_stat_get_xact_tuples_returned(c.oid)), 0)"
        " FROM pg_class c WHERE c.relname LIKE 'listing_observations%' AND c.relkind = 'r'"
    )
    listing = shop.session.get_one(Listing, listing_id)
    shop.session.execute(text("SET LOCAL enable_seqscan = off"))
    before = shop.session.scalar(text(counted))
    assert shop.at(listing, moment) is not None
    return int((shop.session.scalar(text(counted)) or 0) - (before or 0))

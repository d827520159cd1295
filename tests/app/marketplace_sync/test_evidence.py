"""Only what the marketplace answered counts, while it is fresh, and every answer says why."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select, text, update

from app import clock
from app.actor import SYSTEM
from app.db import new_id
from app.marketplace_sync import queries
from app.marketplace_sync.models import ChannelAccount, Listing, ListingObservation
from tests.sightings import was_seen
from tests.worlds.shop import World


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


def test_a_sighting_is_good_until_the_very_moment_it_is_forty_eight_hours_old(world: World) -> None:
    listing_id = world.want()
    world.push(listing_id)
    with world.database.transaction(SYSTEM) as session:
        seen = session.scalars(select(func.max(ListingObservation.seen_at))).one()
        assert seen is not None
        moment, states = seen + timedelta(hours=48), []
        for at in (moment - timedelta(microseconds=1), moment):
            (one,) = queries.live_evidence(session, [world.product_id], as_of=clock.local(moment).date(), known_at=at)[
                world.product_id
            ]
            states.append((one.state, one.expires_at))
    assert states == [("live", moment), ("stale", moment)]


def test_a_pause_is_told_of_the_last_ten_minutes_and_of_nothing_before(
    world: World, listing_id: UUID, clock_at: Callable[[datetime], None]
) -> None:
    """It is only known as it is now; asked about a moment ago, now is what is meant."""
    noon = datetime(2026, 11, 24, 12, tzinfo=clock.VIETNAM)
    clock_at(noon)
    with world.database.transaction(SYSTEM) as session:
        was_seen(
            session,
            ListingObservation(id=new_id(), listing_id=listing_id, organisation_id=world.organisation_id,
                               seen_at=noon - timedelta(hours=1), live=False, buyable=False, raw_state="draft", reasons=[])
        )  # fmt: skip
        session.execute(update(Listing).values(recall_paused=True, created_at=noon - timedelta(days=4)))
        session.flush()
        told = []
        for at in (noon - timedelta(minutes=10), noon - timedelta(minutes=10, microseconds=1)):
            (one,) = queries.live_evidence(session, [world.product_id], as_of=noon.date(), known_at=at)[
                world.product_id
            ]
            told.append("vì thu hồi" in one.reason.text("vi"))
    assert told == [True, False]


def test_what_was_not_known_yet_is_not_told(world: World) -> None:
    before = clock.now()
    listing_id = world.want()
    world.push(listing_id)
    with world.database.transaction(SYSTEM) as session:
        assert queries.live_evidence(session, [world.product_id], as_of=clock.today(), known_at=before) == {}


@pytest.mark.parametrize(
    ("legal_kind", "vi", "en"),
    [
        (
            "own_site",
            "Đang bán ở trang bán hàng riêng (Gian hàng tỉnh); trang riêng không phải là sàn nên không được tính.",
            "On sale in its own shop (Gian hàng tỉnh); an own shop is no marketplace and does not count.",
        ),
        (
            "advertising",
            "Đang đăng ở trang quảng cáo (Gian hàng tỉnh); trang quảng cáo không phải là sàn nên không được tính.",
            "Shown on an advertising page (Gian hàng tỉnh); advertising is no marketplace and does not count.",
        ),
    ],
)
def test_what_is_no_marketplace_is_live_and_does_not_count_and_says_why(
    world: World, legal_kind: str, vi: str, en: str
) -> None:
    with world.database.transaction(SYSTEM) as session:
        session.execute(update(ChannelAccount).values(floor_id=None, legal_kind=legal_kind))
    world.push(world.want())
    (seen,) = world.evidence()
    assert (seen.state, seen.counted, seen.reason.text("vi"), seen.reason.text("en")) == ("live", False, vi, en)


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
    (seen,) = world.evidence()
    assert (seen.state, seen.counted) == ("live", False)
    assert "không có trong danh sách" in seen.reason.text("vi")


def test_a_pause_of_today_is_not_told_of_an_earlier_moment(world: World, listing_id: UUID) -> None:
    with world.database.transaction(SYSTEM) as session:
        for days in (3, 0):
            was_seen(
                session,
                ListingObservation(
                    id=new_id(),
                    listing_id=listing_id,
                    organisation_id=world.organisation_id,
                    seen_at=clock.now() - timedelta(days=days),
                    live=False,
                    buyable=False,
                    raw_state="draft",
                    reasons=[],
                ),
            )
        session.execute(update(Listing).values(recall_paused=True, created_at=clock.now() - timedelta(days=4)))
    told = []
    for days in (0, 1):
        with world.database.transaction(SYSTEM) as session:
            found = queries.live_evidence(
                session,
                [world.product_id],
                as_of=clock.today() - timedelta(days=days),
                known_at=clock.now(),
            )
        told.append([e.reason.text("vi") for e in found[world.product_id]])
    assert told == [
        ["Tạm ngưng bán trên Sàn nông sản tỉnh (mô phỏng) vì thu hồi lô hàng."],
        ["Đã bị gỡ khỏi Sàn nông sản tỉnh (mô phỏng)."],
    ]


def test_the_marketplaces_own_reason_is_told_though_a_recall_paused_it(world: World, listing_id: UUID) -> None:
    world.woo.staff(world.woo.items()[0].remote_id, "ban", reason="Thiếu giấy")
    world.look(listing_id)
    with world.database.transaction(SYSTEM) as session:
        session.execute(update(Listing).values(recall_paused=True))
    (one,) = world.evidence()
    assert (one.state, "Thiếu giấy" in one.reason.text("vi"), "thu hồi" in one.reason.text("vi")) == ("no", True, False)


def test_a_page_with_nothing_left_to_buy_is_on_sale_and_said_to_be_sold_out(world: World, listing_id: UUID) -> None:
    world.woo.order(world.woo.items()[0].remote_id, 40)
    told = world.events("listing_observed")
    world.look(listing_id)
    (one,) = world.evidence()
    assert (one.state, one.counted, one.sold_out, one.reason.text("vi"), one.reason.text("en")) == (
        "live",
        True,
        True,
        "Đang bán trên Sàn nông sản tỉnh (mô phỏng). Đang hết hàng, khách chưa mua được.",
        "On sale on Provincial farm floor (simulated). Sold out: nobody can buy it now.",
    )
    assert world.events("listing_observed") == told + 1, "the figures that rest on it are told"
    world.woo.staff(world.woo.items()[0].remote_id, "edit", stock_quantity=3, stock_status="instock")
    world.look(listing_id)
    assert [(e.state, e.sold_out) for e in world.evidence()] == [("live", False)]

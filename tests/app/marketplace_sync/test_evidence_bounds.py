"""What is said of every state a product may have in a place, and the very moments at which it changes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.orm import Session

from app import clock
from app.accounts.models import Organisation
from app.actor import SYSTEM
from app.db import Base, Database, Words, new_id
from app.marketplace_sync import queries
from app.marketplace_sync.models import (
    ChannelAccount,
    DeclaredConfirmation,
    DeclaredListing,
    Floor,
    FloorDecision,
    Listing,
    ListingObservation,
)
from app.marketplace_sync.queries.floors import floor_decisions, floor_of_host
from tests.sightings import was_seen
from tests.worlds.farm import NOON, World, a_pack, a_product, build, next_commune

TODAY = NOON.date()
DAY, HOUR, TICK = timedelta(days=1), timedelta(hours=1), timedelta(microseconds=1)
FIRST = date(2026, 1, 1)
OUT = {"code": "out_of_stock", "vi": "Hết hàng.", "en": "Out of stock."}
DRAFT = {"code": "draft", "vi": "Đang là bản nháp.", "en": "It is a draft."}
BAN = {"code": "ban", "vi": "Thiếu giấy.", "en": "A paper is missing."}


@dataclass
class Shelf:
    """One product of the cooperative, and rows written as they would be after a long story."""

    session: Session
    people: World
    product: UUID
    variant: UUID
    floor: UUID

    def add(self, row: Base) -> Any:
        self.session.add(row)
        self.session.flush()
        return row

    def decide(self, *, counted: bool, effective_on: date = FIRST, recorded_at: datetime = NOON - 9 * DAY) -> None:
        self.add(
            FloorDecision(id=new_id(), floor_id=self.floor, counted=counted, effective_on=effective_on, legal_basis="MẪU",
                          recorded_at=recorded_at, person_id=self.people.manager.person_id)
        )  # fmt: skip

    def listing(self, legal_kind: str = "marketplace", created_at: datetime = NOON - 9 * DAY, **facts: Any) -> UUID:
        account = self.add(
            ChannelAccount(id=new_id(), organisation_id=self.people.cooperative, channel="woocommerce", legal_kind=legal_kind,
                           floor_id=self.floor if legal_kind == "marketplace" else None, name="Gian", base_url="https://x.example",
                           credentials_sealed=b"x", state="active", created_at=created_at)
        )  # fmt: skip
        listing: Listing = self.add(
            Listing(id=new_id(), organisation_id=self.people.cooperative, account_id=account.id, product_id=self.product,
                    variant_id=self.variant, wanted="live", state="live", created_at=created_at, **facts)
        )  # fmt: skip
        return listing.id

    def see(self, listing_id: UUID, ago: timedelta = HOUR, *reasons: dict[str, str], live: bool = True) -> None:
        was_seen(
            self.session,
            ListingObservation(id=new_id(), listing_id=listing_id, organisation_id=self.people.cooperative, seen_at=NOON - ago,
                               live=live, buyable=live, raw_state="x", reasons=list(reasons), url="https://x.example/1",
                               price_dong=60000)
        )  # fmt: skip

    def declare(
        self, declared_at: datetime = NOON - 40 * DAY, withdrawn_at: datetime | None = None, **facts: Any
    ) -> UUID:
        whole = {"product_id": self.product, "url": f"https://san.example/{new_id()}"} | facts
        link: DeclaredListing = self.add(
            DeclaredListing(id=new_id(), organisation_id=self.people.cooperative, floor_id=self.floor, **whole,
                            declared_by=self.people.manager.person_id,
                            declared_at=declared_at, withdrawn_at=withdrawn_at)
        )  # fmt: skip
        return link.id

    def look(
        self, link: UUID, seen_on: date, *, on_sale: bool = True, colleague: bool = False, at: datetime = NOON - DAY
    ) -> UUID:
        look: DeclaredConfirmation = self.add(
            DeclaredConfirmation(id=new_id(), declared_listing_id=link, organisation_id=self.people.cooperative, on_sale=on_sale,
                                 confirmed_by=self.people.official.person_id, seen_on=seen_on, photo_sha256="0" * 64,
                                 recorded_at=at, by_colleague=colleague)
        )  # fmt: skip
        return look.id

    def told(self, as_of: date = TODAY, known_at: datetime = NOON, **how: Any) -> list[queries.Evidence]:
        found = queries.live_evidence(self.session, [self.product], as_of=as_of, known_at=known_at, **how)
        return found.get(self.product, [])

    def one(self, as_of: date = TODAY, known_at: datetime = NOON, **how: Any) -> queries.Evidence:
        (only,) = self.told(as_of, known_at, **how)
        return only


@pytest.fixture
def shelf(database: Database, clock_at: Callable[[datetime], None]) -> Any:
    clock_at(NOON)
    people, floor = build(database), new_id()
    product = a_product(database, people)
    variant = a_pack(database, people, product)
    with database.transaction(SYSTEM) as session:
        made = Shelf(session, people, product, variant, floor)
        made.add(
            Floor(id=floor, key="san-thu", name=Words(vi="Sàn thử", en="Trial floor"), hosts=["san.example"],
                  kind="marketplace", created_at=NOON - 9 * DAY)
        )  # fmt: skip
        yield made


@pytest.mark.parametrize(
    ("seen", "facts", "state", "vi", "en"),
    [
        (None, {}, "no", "Đã gửi lên Sàn thử, chưa thấy đang bán.", "Sent to Trial floor, not seen on sale yet."),
        (
            None,
            {"error": Words(vi="Thiếu ảnh.", en="No picture.")},
            "no",
            "Chưa lên được Sàn thử: Thiếu ảnh.",
            "Not yet on Trial floor: No picture.",
        ),
        ((HOUR, False), {}, "no", "Đã bị gỡ khỏi Sàn thử.", "Taken off Trial floor."),
        (
            (HOUR, False, BAN, DRAFT),
            {},
            "no",
            "Sàn thử không cho bán: Thiếu giấy. Đang là bản nháp.",
            "Trial floor does not sell it: A paper is missing. It is a draft.",
        ),
        (
            (HOUR, False, DRAFT),
            {"recall_paused": True},
            "no",
            "Tạm ngưng bán trên Sàn thử vì thu hồi lô hàng.",
            "Paused on Trial floor by a recall.",
        ),
        (
            (HOUR, False, BAN, DRAFT),
            {"recall_paused": True},
            "no",
            "Sàn thử không cho bán: Thiếu giấy.",
            "Trial floor does not sell it: A paper is missing.",
        ),
        (
            None,
            {"recall_paused": True},
            "no",
            "Tạm ngưng bán trên Sàn thử vì thu hồi lô hàng.",
            "Paused on Trial floor by a recall.",
        ),
        ((48 * HOUR - TICK, True), {}, "live", "Đang bán trên Sàn thử.", "On sale on Trial floor."),
        ((48 * HOUR, True), {}, "stale", "Đang bán trên Sàn thử.", "On sale on Trial floor."),
        ((49 * HOUR, True, OUT), {}, "stale", "Đang bán trên Sàn thử.", "On sale on Trial floor."),
        (
            (HOUR, True, OUT),
            {},
            "live",
            "Đang bán trên Sàn thử. Đang hết hàng, khách chưa mua được.",
            "On sale on Trial floor. Sold out: nobody can buy it now.",
        ),
    ],
)
def test_what_is_said_of_a_listing_on_a_floor_that_counts(
    shelf: Shelf, seen: tuple[Any, ...] | None, facts: dict[str, Any], state: str, vi: str, en: str
) -> None:
    shelf.decide(counted=True)
    listing = shelf.listing(**facts)
    if seen is not None:
        ago, live, *reasons = seen
        shelf.see(listing, ago, *reasons, live=live)
    found = shelf.one()
    assert (found.state, found.reason.text("vi"), found.reason.text("en")) == (state, vi, en)
    assert (found.counted, found.floor_name.vi, found.witness, found.listing_id) == (
        True,
        "Sàn thử",
        "marketplace",
        listing,
    )
    assert found.sold_out is ("Sold out" in en)
    assert found.expires_at == (NOON - seen[0] + 48 * HOUR if seen and state != "no" else None)
    seen_there = (None, None, None) if seen is None else (NOON - seen[0], "https://x.example/1", 60000)
    assert (found.seen_at, found.url, found.price_dong) == seen_there


@pytest.mark.parametrize(
    ("legal_kind", "live", "vi"),
    [
        ("marketplace", True, "Đang bán trên Sàn thử, sàn này không có trong danh sách được tính của tỉnh."),
        ("marketplace", False, "Đã bị gỡ khỏi Sàn thử."),
        (
            "own_site",
            True,
            "Đang bán ở trang bán hàng riêng (Gian); trang riêng không phải là sàn nên không được tính.",
        ),
        ("own_site", False, "Đã bị gỡ khỏi trang bán hàng riêng."),
        (
            "advertising",
            True,
            "Đang đăng ở trang quảng cáo (Gian); trang quảng cáo không phải là sàn nên không được tính.",
        ),
        ("advertising", False, "Đã bị gỡ khỏi trang quảng cáo."),
    ],
)
def test_what_does_not_count_says_why_as_long_as_it_is_on_sale(
    shelf: Shelf, legal_kind: str, vi: str, *, live: bool
) -> None:
    shelf.see(shelf.listing(legal_kind), live=live)
    for known_at, state in ((NOON, "live"), (NOON + 3 * DAY, "stale")):
        found = shelf.one(known_at.date(), known_at)
        assert (found.state, found.counted, found.reason.text("vi")) == (state if live else "no", False, vi)


def test_a_day_is_judged_by_its_last_moment_and_today_by_now(shelf: Shelf) -> None:
    shelf.decide(counted=True)
    listing = shelf.listing()
    midnight = clock.start_of_day(TODAY)
    assert queries.live_evidence(shelf.session, [], as_of=TODAY, known_at=NOON) == {}
    shelf.see(listing, NOON - midnight)  # the first moment of today
    assert (shelf.one(TODAY - DAY).seen_at, shelf.one(TODAY).seen_at) == (None, midnight)
    shelf.see(listing, NOON - midnight + TICK)  # the last moment of yesterday
    assert shelf.one(TODAY - DAY).seen_at == midnight - TICK
    shelf.see(listing, timedelta(0))
    assert (shelf.one(TODAY, NOON).seen_at, shelf.one(TODAY, NOON - TICK).seen_at) == (NOON, midnight)


def test_a_floor_and_its_decision_are_known_from_the_moment_they_were_written(shelf: Shelf) -> None:
    shelf.decide(counted=True, effective_on=TODAY, recorded_at=NOON)
    shelf.see(shelf.listing())
    assert shelf.one().counted
    assert not shelf.one(known_at=NOON - TICK).counted
    assert not shelf.one(TODAY - DAY).counted
    shelf.decide(counted=False, effective_on=TODAY + DAY, recorded_at=NOON)
    assert (shelf.one().counted, shelf.one(TODAY + DAY).counted) == (True, False)
    written = NOON - 9 * DAY
    shelf.listing(created_at=written - DAY)
    names = [[e.floor_name.vi for e in shelf.told(known_at=at)] for at in (written, written - TICK)]
    assert names == [["Sàn thử", "Sàn thử"], ["trang bán hàng riêng"]]


@pytest.mark.parametrize(
    ("seen_on", "state"), [(TODAY - 29 * DAY, "live"), (TODAY - 30 * DAY, "stale"), (TODAY, "live")]
)
def test_a_persons_look_is_good_for_thirty_days(shelf: Shelf, seen_on: date, state: str) -> None:
    shelf.decide(counted=True)
    link = shelf.declare()
    look = shelf.look(link, seen_on)
    found = shelf.one()
    assert (found.state, found.counted, found.witness, found.declared_id, found.look_id) == (
        state,
        True,
        "person",
        link,
        look,
    )
    assert (found.seen_at, found.expires_at) == (clock.start_of_day(seen_on), clock.start_of_day(seen_on + 30 * DAY))
    assert found.reason.text("vi") == f"Đang bán trên Sàn thử, có người xác nhận ngày {seen_on:%d/%m/%Y}."
    assert found.reason.text("en") == f"On sale on Trial floor, confirmed by a person on {seen_on:%d/%m/%Y}."
    shelf.look(link, seen_on, on_sale=False, at=NOON)
    gone = shelf.one()
    assert (gone.state, gone.expires_at) == ("no", None)
    assert gone.reason.text("vi") == f"Ngày {seen_on:%d/%m/%Y} có người xem, không thấy đang bán trên Sàn thử."


@pytest.mark.parametrize("kind", ["marketplace", "own_site", "advertising"])
def test_a_link_to_what_does_not_count_says_why(shelf: Shelf, kind: str) -> None:
    shelf.session.get_one(Floor, shelf.floor).kind = kind
    shelf.look(shelf.declare(), TODAY)
    found = shelf.one()
    why = {
        "marketplace": "Sàn này không có trong danh sách được tính của tỉnh.",
        "own_site": "Trang riêng không phải là sàn nên không được tính.",
        "advertising": "Trang quảng cáo không phải là sàn nên không được tính.",
    }[kind]
    assert (found.state, found.counted) == ("live", False)
    assert found.reason.text("vi") == f"Đang bán trên Sàn thử, có người xác nhận ngày 20/11/2026. {why}"


def test_a_link_waits_for_somebody_from_outside_and_names_the_colleagues_look(shelf: Shelf) -> None:
    shelf.decide(counted=True)
    link = shelf.declare()
    waits = "Đã khai đang bán trên Sàn thử, chờ người ngoài đơn vị xem và xác nhận."
    found = shelf.one()
    assert (found.state, found.counted, found.look_id, found.reason.text("vi")) == ("no", True, None, waits)
    look = shelf.look(link, TODAY, colleague=True)
    found = shelf.one()
    assert (found.state, found.look_id) == ("no", look)
    assert found.reason.text("vi") == f"{waits} Người cùng đơn vị xem ngày 20/11/2026, chưa tính."
    counted = shelf.one(colleagues_count=True)
    assert (counted.state, counted.look_id) == ("live", look)
    assert counted.reason.text("vi") == "Đang bán trên Sàn thử, có người cùng đơn vị xác nhận ngày 20/11/2026."


def test_a_link_and_its_looks_are_there_from_the_moment_they_were_written_until_it_is_withdrawn(shelf: Shelf) -> None:
    link = shelf.declare(NOON - 2 * HOUR, NOON)
    shelf.look(link, TODAY, at=NOON - HOUR)
    states = [
        [e.state for e in shelf.told(known_at=at)]
        for at in (NOON - 2 * HOUR - TICK, NOON - 2 * HOUR, NOON - HOUR - TICK, NOON - HOUR, NOON - TICK, NOON)
    ]
    assert states == [[], ["no"], ["no"], ["live"], ["live"], []]


def test_of_the_looks_of_one_side_the_newest_day_stands_and_of_one_day_the_last_written(shelf: Shelf) -> None:
    link = shelf.declare()
    shelf.look(link, TODAY, at=NOON - 3 * HOUR)
    shelf.look(link, TODAY - DAY, on_sale=False, at=NOON - HOUR)
    assert shelf.one().state == "live"
    inside = shelf.look(link, TODAY, on_sale=False, colleague=True, at=NOON - 2 * HOUR)
    assert (shelf.one().state, shelf.one(colleagues_count=True).look_id) == ("live", inside)
    outside = shelf.look(link, TODAY, at=NOON)
    assert shelf.one(colleagues_count=True).look_id == outside


def test_an_address_belongs_to_the_floor_of_its_host_and_of_what_lies_below_it(shelf: Shelf) -> None:
    shelf.session.get_one(Floor, shelf.floor).hosts = ["khac.example", "san.example"]
    asked = (
        "san.example",
        "www.san.example",
        "SAN.example",
        "a.b.san.example",
        "xsan.example",
        "san.example.vn",
        "example",
    )
    found = [floor_of_host(shelf.session, f"https://{host}/na-dai") for host in asked]
    assert [f is not None for f in found] == [True, True, True, True, False, False, False]


def test_decisions_about_floors_are_listed_the_newest_first(shelf: Shelf) -> None:
    assert floor_decisions(shelf.session) == []
    for counted, recorded_at in ((True, NOON - DAY), (False, NOON), (True, NOON - 2 * DAY)):
        shelf.decide(counted=counted, recorded_at=recorded_at)
    assert [d.recorded_at for d in floor_decisions(shelf.session)] == [NOON, NOON - DAY, NOON - 2 * DAY]


def test_an_official_sees_the_links_of_sellers_in_their_places_and_no_others(shelf: Shelf, database: Database) -> None:
    link = shelf.declare()

    def seen() -> list[UUID]:
        return [declared.id for declared, _ in queries.declared_list(shelf.session, shelf.people.official).lines]

    assert seen() == [link]
    commune, village = next_commune(database)
    seller = shelf.session.get_one(Organisation, shelf.people.cooperative)
    seller.commune_id, seller.village_id = commune, village
    assert seen() == [], "though other organisations lie in the official's places"
    seller.commune_id = shelf.people.commune
    assert seen() == [link]


def test_a_search_takes_signs_for_what_they_are_in_the_name_of_the_product_and_in_the_address(
    shelf: Shelf, database: Database
) -> None:
    names = ("Na 100% chín cây", "Na 100 quả")
    by_name = [shelf.declare(product_id=a_product(database, shelf.people, name_vi=name)) for name in names]
    by_address = [shelf.declare(url=f"https://san.example/{path}") for path in ("na_dai", "na-dai", "NA_DAI-2")]

    def found(search: str) -> set[UUID]:
        listed = queries.declared_list(shelf.session, shelf.people.official, search=search)
        assert listed.total.number == len(listed.lines)
        return {declared.id for declared, _ in listed.lines}

    assert found("NA 100") == set(by_name)
    assert found("100% c") == {by_name[0]}
    assert found("100%q") == set()
    assert found(" a_d ") == {by_address[0], by_address[2]}
    assert found("dai-2") == {by_address[2]}


def test_a_link_waits_until_somebody_from_outside_has_looked_at_it(shelf: Shelf) -> None:
    """Whatever others were looked at."""
    seen, by_colleague, by_nobody = (shelf.declare(NOON - days * DAY) for days in (1, 2, 3))
    shelf.look(seen, TODAY, on_sale=False)
    shelf.look(by_colleague, TODAY, colleague=True)

    def listed(**how: Any) -> list[UUID]:
        found = queries.declared_list(shelf.session, shelf.people.official, **how)
        return [declared.id for declared, _ in found.lines]

    assert listed() == [seen, by_colleague, by_nobody]
    assert listed(waiting=True) == [by_colleague, by_nobody]

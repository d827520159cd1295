"""Two shops, one ledger: whatever happens in whatever order, no jar is offered twice, and in the end all numbers agree."""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from app.marketplace_sync import reckoning
from app.marketplace_sync.channels.drafts import ListingDraft, number_to_send
from app.marketplace_sync.models import Listing

STEPS = (
    "order",
    "cancel",
    "record",
    "take_back",
    "spot",
    "packed",
    "lost",
    "reserved",
    "released",
    "push",
    "refused",
    "answer_lost",
    "look",
)


def listing(**numbers: int) -> Listing:
    return Listing(sold_there=0, recorded_there=0, sent_stocks=[], **numbers)


def draft(stock: int, known: tuple[int, ...] = (), ahead: int = 0) -> ListingDraft:
    return ListingDraft("1", "MO-500", "Mật ong", "", 1000, stock, known_stock=known, recorded_ahead=ahead)


@dataclass
class Trade:
    """A ledger and two shops that count by themselves; `open` and `closed` are their orders, not recorded and recorded."""

    there: int = 20
    promised: int = 0
    sold: int = 0
    listings: list[Listing] = field(default_factory=lambda: [listing(), listing()])
    shops: list[int | None] = field(default_factory=lambda: [None, None])
    open: list[int] = field(default_factory=lambda: [0, 0])
    closed: list[int] = field(default_factory=lambda: [0, 0])

    @property
    def left(self) -> int:
        return self.there - self.promised

    @property
    def truly_left(self) -> int:
        return max(self.left - sum(self.open), 0)

    def draft(self, which: int) -> ListingDraft:
        one = self.listings[which]
        reckoning.settle(self.listings, self.sold)
        offer = max(self.left - reckoning.not_recorded(self.listings), 0)
        return draft(offer, reckoning.known_stock(one), reckoning.recorded_ahead(one, self.listings, self.sold))

    def push(self, which: int, outcome: str = "push") -> int:
        """Returns the number that is sent."""
        carried, one, before = self.draft(which), self.listings[which], self.shops[which]
        number = carried.stock if before is None else number_to_send(carried, before)
        assert number <= max(self.left - self.open[which], 0)
        if outcome != "refused":
            self.shops[which] = number
            one.sent_stocks = [*one.sent_stocks, carried.stock]
        if outcome == "push":
            reckoning.settle(self.listings, self.sold)
            if before is not None:
                reckoning.read(one, self.listings, self.sold, before, carried.known_stock)
            one.sent_stocks = []
            reckoning.read(one, self.listings, self.sold, number, [number])
        return number

    def look(self, which: int) -> None:
        there, one = self.shops[which], self.listings[which]
        if there is not None:
            reckoning.settle(self.listings, self.sold)
            reckoning.read(one, self.listings, self.sold, there, reckoning.known_stock(one))

    def agree(self) -> None:
        """What the queue does: pushes until nothing changes."""
        for _ in range(3):
            for which in (0, 1):
                self.push(which)

    def do(self, step: str, which: int, units: int) -> None:
        if step in {"order", "cancel"}:
            self.trade_there(step, which, units)
        elif step in {"push", "refused"}:
            self.push(which, step)
        elif step == "look":
            self.look(which)
        elif step == "answer_lost":  # apart from orders: from two possible beginnings the nearer is believed
            self.look(which)
            assert self.push(which, step) == self.push(which)
        elif step in {"record", "take_back", "spot"}:
            self.write_sales(step, which, units)
        else:
            self.write_packs(step, units)

    def trade_there(self, step: str, which: int, units: int) -> None:
        there = self.shops[which]
        if there is not None:
            change = min(units, there) if step == "order" else -min(units, self.open[which])
            self.shops[which], self.open[which] = there - change, self.open[which] + change

    def write_sales(self, step: str, which: int, units: int) -> None:
        if step == "spot":
            self.agree()  # apart from orders: the two look the same when nobody looks in between
            units = 0 if sum(self.open) else min(units, self.left)
        elif step == "record":
            units = min(units, self.open[which], self.left)
        else:
            units = -min(units, self.closed[which])
        if step != "spot":
            self.open[which] -= units
            self.closed[which] += units
        self.there, self.sold = self.there - units, self.sold + units
        if step == "spot":
            self.agree()

    def write_packs(self, step: str, units: int) -> None:
        if step == "packed":
            self.there += units
        elif step == "lost":
            self.there -= min(units, self.left)
        elif step == "reserved":
            self.promised += min(units, self.left)
        else:
            self.promised -= min(units, self.promised)


STEP = st.tuples(st.sampled_from(STEPS), st.integers(0, 1), st.integers(1, 6))


@settings(max_examples=300, deadline=None)
@given(st.lists(STEP, max_size=25))
def test_no_jar_is_offered_twice_and_in_the_end_every_shop_has_the_ledger(steps: list[tuple[str, int, int]]) -> None:
    trade = Trade()
    for step in steps:
        trade.do(*step)
    for which in (0, 1):
        trade.look(which)
    for which in (0, 1):
        offered = trade.draft(which).stock
        assert offered <= trade.truly_left
        assert trade.push(which, "refused") == trade.push(which, "refused") == offered
    for which in (0, 1):
        trade.do("record", which, trade.open[which])
    trade.agree()
    if not sum(trade.open):
        assert trade.shops == [trade.left, trade.left]
        assert [one.sold_there for one in trade.listings] == [0, 0]


def test_a_cancelled_order_that_was_recorded_is_no_sale_when_its_line_is_taken_back() -> None:
    trade = Trade()
    trade.agree()
    for step in ("order", "look", "record"):
        trade.do(step, 0, 3)
    trade.agree()
    assert trade.shops == [17, 17]
    trade.shops[0] = 20
    trade.closed[0] = 0
    trade.look(0)
    trade.there, trade.sold = 20, 0
    trade.agree()
    assert (trade.shops, [one.sold_there for one in trade.listings]) == ([20, 20], [0, 0])


def test_of_two_beginnings_the_one_that_leaves_least_unrecorded_is_believed() -> None:
    assert number_to_send(draft(70, (100,), 30), 80) == 70
    assert number_to_send(draft(70, (100,), 10), 80) == 60
    assert number_to_send(draft(6, (10, 50), 5), 6) == 6
    assert number_to_send(draft(1, (10,), 0), 5) == 0


# --- the numbers of one step, exactly: (sold there, recorded there, spot sales) of each listing of a pack ---------------


def shops(*numbers: tuple[int, int, int | None]) -> list[Listing]:
    return [Listing(sold_there=a, recorded_there=b, spot_sales=c, sent_stocks=[]) for a, b, c in numbers]


def numbers_of(siblings: list[Listing]) -> list[tuple[int, int, int | None]]:
    return [(one.sold_there, one.recorded_there, one.spot_sales) for one in siblings]


def test_a_number_that_rose_cancels_what_is_not_recorded_first_then_what_is() -> None:
    one, *_others = siblings = shops((2, 3, 5), (0, 1, 4), (0, 0, None))
    reckoning.read(one, siblings, 10, 14, [10])
    assert (numbers_of(siblings), one.applied_stock) == ([(0, 1, 8), (0, 1, 6), (0, 0, 2)], 14)


def test_a_number_that_rose_by_no_more_than_is_not_recorded_undoes_nothing_that_is() -> None:
    one, *_others = siblings = shops((2, 3, 5), (0, 1, 4))
    reckoning.read(one, siblings, 10, 11, [10])
    assert numbers_of(siblings) == [(1, 3, 6), (0, 1, 4)]


def test_more_than_was_ever_sold_there_cannot_be_cancelled() -> None:
    one, *_others = siblings = shops((1, 1, 3), (0, 0, 3))
    reckoning.read(one, siblings, 4, 30, [10])
    assert numbers_of(siblings) == [(0, 0, 4), (0, 0, 4)]


def test_a_number_that_fell_is_recorded_as_far_as_the_ledger_sold_since() -> None:
    one, *_others = siblings = shops((0, 0, 2), (0, 0, 5))
    reckoning.read(one, siblings, 5, 8, [10])  # 3 were recorded since: both of these are among them
    assert (numbers_of(siblings), one.applied_stock) == ([(0, 2, 3), (0, 0, 3)], 8)
    one, *_others = siblings = shops((0, 0, 4), (0, 0, 5))
    reckoning.read(one, siblings, 5, 7, [10])  # 1 was recorded since, 2 are news
    assert numbers_of(siblings) == [(2, 1, 4), (0, 0, 4)]


def test_a_sale_that_was_taken_back_is_not_recorded_any_more() -> None:
    siblings = shops((0, 3, 6))
    reckoning.settle(siblings, 7)
    assert numbers_of(siblings) == [(2, 1, 6)]


def test_where_all_agrees_nothing_changes_hands() -> None:
    siblings = shops((3, 2, 4), (0, 2, 4))
    for _twice in range(2):
        reckoning.settle(siblings, 8)
        assert numbers_of(siblings) == [(3, 2, 4), (0, 2, 4)]


def test_what_the_ledger_records_is_of_the_shop_that_waits_for_it() -> None:
    siblings = shops((2, 0, 0), (1, 0, 0))
    reckoning.settle(siblings, 2)
    assert numbers_of(siblings) == [(0, 2, 0), (1, 0, 0)]
    reckoning.settle(siblings, 4)
    assert numbers_of(siblings) == [(0, 2, 0), (0, 1, 0)]
    assert reckoning.recorded_ahead(siblings[1], siblings, 4) == 1


def test_a_listing_that_was_never_read_has_nothing_recorded_ahead() -> None:
    siblings = shops((0, 0, None), (0, 1, 1))
    assert [reckoning.recorded_ahead(one, siblings, 5) for one in siblings] == [0, 3]
    reckoning.settle(siblings, 5)
    assert numbers_of(siblings) == [(0, 0, 4), (0, 1, 1)]


def test_the_numbers_a_shop_may_have_are_the_one_that_was_read_and_those_in_doubt() -> None:
    assert reckoning.known_stock(Listing(applied_stock=7, sent_stocks=[5, 0])) == (7, 5, 0)
    assert reckoning.known_stock(Listing(applied_stock=None, sent_stocks=[5])) == (5,)
    assert reckoning.not_recorded(shops((2, 9, 0), (3, 9, 0))) == 5

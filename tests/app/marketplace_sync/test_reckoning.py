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

"""The reckoning of sales, and who knows of which: pure arithmetic on a pack's listings and on what the ledger recorded as sold; no I/O.

Every shop lowers its own number at an order, and the ledger learns of it only when a person records the sale. So each listing
remembers how many were sold there and are not recorded (`sold_there`), how many are (`recorded_there`), and how many of the
ledger's sales were surely not its own when its number was last read (`spot_sales`).

- Is a number lower than the one we knew? It was sold there: recorded ahead as far as the ledger sold more since, else `sold_there`.
- Is it higher? Orders were cancelled: first of what is not recorded, then of what is.
- Did the ledger record a sale? It is of a shop with `sold_there`; the rest may be of orders we have not seen, until we look.
- Was a recorded sale taken back, below what was surely sold elsewhere? Then the shop's sale is not recorded any more.
- Was something packed, promised, released, lost or counted, or did a push fail? That is no sale, and changes nothing here.

What a shop is offered is what may be sold less the `sold_there` of ALL listings of the pack. A sale on the spot that is recorded
between two readings of a shop, and an order there meanwhile, look the same: the order is taken for the recorded one.
"""

from collections.abc import Iterable, Sequence

from app.marketplace_sync.channels.drafts import sold_since
from app.marketplace_sync.models import Listing


def known_stock(listing: Listing) -> tuple[int, ...]:
    """The numbers the shop may have if nothing happened there: the last one read, and those whose writing is in doubt."""
    return tuple(n for n in (listing.applied_stock, *listing.sent_stocks) if n is not None)


def not_recorded(siblings: Iterable[Listing]) -> int:
    """How many packs the shops sold that the ledger does not know of; always 0 or more."""
    return sum(listing.sold_there for listing in siblings)


def recorded_ahead(listing: Listing, siblings: Sequence[Listing], sold: int) -> int:
    """How many orders there may be recorded already though we have not seen them."""
    elsewhere = _elsewhere(siblings, sold)
    return max(elsewhere - (elsewhere if listing.spot_sales is None else listing.spot_sales), 0)


def settle(siblings: Sequence[Listing], sold: int) -> None:
    """Let the listings of one pack follow the ledger's recorded sales (`sold`, of all times). Repeating it changes nothing."""
    for listing in siblings:
        elsewhere = _elsewhere(siblings, sold)
        if listing.spot_sales is None:
            listing.spot_sales = elsewhere
        taken_back = min(max(listing.spot_sales - elsewhere, 0), listing.recorded_there)
        listing.recorded_there -= taken_back
        listing.sold_there += taken_back
    _cap(siblings, sold)
    for listing in siblings:
        _match(listing, siblings, sold, min(recorded_ahead(listing, siblings, sold), listing.sold_there))


def read(listing: Listing, siblings: Sequence[Listing], sold: int, there: int, known: Iterable[int]) -> None:
    """Take in the number a shop has, after `settle`; `known` are the numbers it would have if nothing happened there."""
    recorded, unrecorded = sold_since(known, there, recorded_ahead(listing, siblings, sold))
    if unrecorded >= 0:
        listing.sold_there += recorded + unrecorded
        _match(listing, siblings, sold, recorded)
    else:
        cancelled = min(-unrecorded, listing.sold_there)
        listing.sold_there -= cancelled
        undone = min(-unrecorded - cancelled, listing.recorded_there)  # the ledger's line is now of no order there
        listing.recorded_there -= undone
        for sibling in siblings:
            sibling.spot_sales = (sibling.spot_sales or 0) + undone
    listing.applied_stock = there
    listing.spot_sales = _elsewhere(siblings, sold)


def _elsewhere(siblings: Iterable[Listing], sold: int) -> int:
    """The ledger's sales that no order we saw stands for."""
    return sold - sum(listing.recorded_there for listing in siblings)


def _match(listing: Listing, siblings: Sequence[Listing], sold: int, units: int) -> None:
    """So many of the listing's orders are recorded; the ledger's lines for them are nobody else's any more."""
    listing.sold_there -= units
    listing.recorded_there += units
    _cap(siblings, sold)


def _cap(siblings: Sequence[Listing], sold: int) -> None:
    elsewhere = _elsewhere(siblings, sold)
    for listing in siblings:
        listing.spot_sales = elsewhere if listing.spot_sales is None else min(listing.spot_sales, elsewhere)

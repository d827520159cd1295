"""Where a product is on sale, as rows of the desk."""

from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest

from app.doors.cooperative.queries.on_sale import OnSale, sign_of
from app.marketplace_sync.queries import Evidence
from app.products.models import Product, Variant


def place(**facts: Any) -> Evidence:
    usual = {"state": "no", "listing_id": None, "listing_state": None, "price_dong": None}
    return cast("Evidence", SimpleNamespace(**usual | facts))


def goods(*places: Evidence, prices: tuple[int, ...] = (50_000,)) -> OnSale:
    packs = [cast("Variant", SimpleNamespace(price_dong=p)) for p in prices]
    return OnSale(cast("Product", SimpleNamespace()), packs, 3, places)


@pytest.mark.parametrize(
    ("facts", "sign"),
    [
        ({"state": "live", "listing_id": UUID(int=1), "listing_state": "drifted"}, "live"),
        ({"state": "live"}, "declared"),
        ({"state": "stale", "listing_state": "live"}, "stale"),
        ({"listing_state": "parked"}, "parked"),
        ({}, "unconfirmed"),
    ],
)
def test_a_place_has_one_sign(facts: dict[str, Any], sign: str) -> None:
    assert sign_of(place(**facts)) == sign


def test_a_place_without_a_price_has_that_of_the_first_pack() -> None:
    rows = goods(place(price_dong=60_000), place()).rows
    assert [r.price_dong for r in rows] == [60_000, 50_000]
    assert goods(place(), prices=()).rows[0].price_dong is None


def test_a_few_places_are_listed_and_the_others_counted() -> None:
    six = goods(*[place() for _ in range(6)])
    assert (len(six.rows), six.more_places) == (4, 2)
    assert goods(place()).more_places == 0


def test_a_product_that_is_nowhere_has_one_row_with_its_price() -> None:
    (row,) = goods().rows
    assert (row.place, row.price_dong) == (None, 50_000)

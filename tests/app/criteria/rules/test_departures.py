"""A pass that came only because something left the count is flagged."""

from dataclasses import replace

from app.criteria.rules import Assessment, Item, ItemSet, compare
from app.db import Words
from tests.app.criteria.rules.letter import PRODUCT, judged, products, village
from tests.app.criteria.rules.small_pack import fact

LEFT = replace(
    PRODUCT["mat"],
    reason=Words(vi="Chứng nhận hết hạn ngày 12/11/2026.", en="Certificate lapsed on 12/11/2026."),
)


def with_products(counted: str, live: str, left: tuple[Item, ...] = ()) -> Assessment:
    return judged(
        village(
            ocop_products=fact(ItemSet(have=products(*counted.split()), missing=left)),
            ocop_products_live=fact(ItemSet(have=products(*live.split()))),
        )
    )


def test_pass_gained_only_because_a_product_left_is_flagged_with_its_name() -> None:
    (flag,) = compare(with_products("hoi thach mat", "hoi thach"), with_products("hoi thach", "hoi thach", (LEFT,)))
    assert (flag.criterion_id, flag.clause, flag.only) == ("ocop-tren-san", 5, True)
    assert flag.left == (LEFT,)
    assert flag.gained == ()
    assert flag.reason.text("vi") == (
        "Tiêu chí 5 chuyển sang “đạt” chỉ vì có mục không còn được tính. "
        "Không còn tính 1: Mật ong rừng Nà Mẫu (Chứng nhận hết hạn ngày 12/11/2026)."
    )


def test_last_product_that_leaves_is_flagged_when_nothing_applies_any_more() -> None:
    (flag,) = compare(with_products("mat", ""), with_products("", "", (LEFT,)))
    assert flag.only
    assert flag.reason.text("vi").startswith("Tiêu chí 5 chuyển sang “không áp dụng” chỉ vì")


def test_pass_gained_by_listing_the_product_is_not_flagged() -> None:
    assert compare(with_products("hoi thach mat", "hoi thach"), with_products("hoi thach mat", "hoi thach mat")) == ()


def test_pass_that_needed_a_listing_and_a_departure_is_flagged_as_partly() -> None:
    (flag,) = compare(with_products("hoi thach mat", "hoi"), with_products("hoi thach", "hoi thach", (LEFT,)))
    assert not flag.only
    assert flag.gained == products("thach")
    assert "một phần vì" in flag.reason.text("vi")


def test_departure_that_did_not_decide_is_not_flagged() -> None:
    # The one that left was on sale: without its leaving the village would pass as well.
    assert compare(with_products("hoi thach mat", "hoi mat"), with_products("hoi thach", "hoi thach")) == ()
    # It passed before already.
    assert compare(with_products("hoi mat", "hoi mat"), with_products("hoi", "hoi")) == ()
    # It does not pass afterwards either.
    assert compare(with_products("hoi thach mat", "hoi"), with_products("hoi thach", "hoi")) == ()

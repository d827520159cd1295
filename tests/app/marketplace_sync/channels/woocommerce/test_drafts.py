"""A draft as the shop is sent it."""

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest
from faked_shop import faked, item
from kit import DRAFT
from woo_double import WooDouble

from app.marketplace_sync.channels.drafts import ListingDraft
from app.marketplace_sync.channels.errors import Validation
from app.marketplace_sync.channels.woocommerce.channel import WooCommerce


@pytest.mark.parametrize(
    ("known", "there", "wanted", "sent"),
    [
        ((), 3, 7, 7),
        ((10,), 10, 7, 7),
        ((10,), 8, 7, 5),
        ((10,), 8, 10, None),
        ((10,), 12, 7, 7),
        ((10, 7), 7, 7, None),
        ((10, 7), 6, 7, None),
        ((10, 50), 47, 50, None),
        ((2,), -3, 2, None),
        ((10,), None, 7, 7),
    ],
)
def test_what_was_sold_there_is_never_put_up_again(known: Any, there: Any, wanted: int, sent: int | None) -> None:
    """`sent` None: the write leaves the shop's own number alone."""
    bodies = []

    def shop(request: httpx.Request) -> httpx.Response:
        if request.method == "PUT":
            bodies.append(json.loads(request.content))
        return httpx.Response(200, json=item(stock_quantity=there, manage_stock=there is not None, status="draft"))

    with faked(shop) as channel:
        channel.update("5", replace(DRAFT, stock=wanted, known_stock=known))
    assert [body.get("stock_quantity") for body in bodies] == [sent]


def test_a_sale_price_set_by_hand_gives_way_to_ours(woo: WooDouble) -> None:
    by_hand = woo.make_by_hand(sku=DRAFT.sku, name="Hồi", price="5000", sale_price="1000")
    with woo.open() as channel:
        assert [status.price_vnd for status in channel.status([by_hand])] == [1000]
        assert channel.set_price(by_hand, 5000).price_vnd == 5000


def test_a_draft_reaches_the_shop_in_full(woo: WooDouble) -> None:
    draft = ListingDraft(
        listing_id="L-9",
        sku="LS-MACMAT-1",
        name="Quả mắc mật sấy",
        description_html="<p>Sấy lạnh</p><script>alert(1)</script>",
        price_vnd=85_000,
        stock=4,
        weight_grams=1250,
        images=(woo.picture("macmat"),),
        category="thực phẩm",
        attributes=(("Xuất xứ", "Lạng Sơn"), ("Hạng OCOP", "4 sao")),
        gtin="4006381333931",
    )
    with woo.open() as channel:
        assert channel.validate(draft) == []
        channel.publish(draft)
    (row,) = woo.state()["products"]
    assert (row["regular_price"], row["manage_stock"], row["stock_quantity"], row["weight"]) == (
        "85000",
        True,
        4,
        "1.25",
    )
    assert (row["global_unique_id"], row["description"]) == ("4006381333931", "<p>Sấy lạnh</p>")
    assert [category["name"] for category in row["categories"]] == ["Thực phẩm"]
    assert [(a["name"], a["options"], a["visible"]) for a in row["attributes"]] == [
        ("Xuất xứ", ["Lạng Sơn"], True),
        ("Hạng OCOP", ["4 sao"], True),
    ]
    assert [(image["name"], image["alt"]) for image in row["images"]] == [
        (f"hoi-{draft.images[0].sha256[:32]}", "Quả mắc mật sấy")
    ]
    page = woo.http.get(httpx.URL(row["permalink"]).path)
    assert (page.status_code, "Quả mắc mật sấy" in page.text, "85.000 ₫" in page.text) == (200, True, True)
    assert woo.http.get(httpx.URL(row["images"][0]["src"]).path).headers["Content-Type"] == "image/png"


def test_a_weight_unit_of_grams_is_respected(woo: WooDouble) -> None:
    with WooCommerce(woo.credentials(weight_unit="g"), allow_private=True) as channel:
        channel.publish(DRAFT)
        assert [issue.code for issue in channel.check().issues] == ["weight_unit"]
    assert woo.state()["products"][0]["weight"] == "500"


@pytest.mark.parametrize("name", ["missing", "text"])
def test_a_picture_that_cannot_be_copied_stops_the_item(woo: WooDouble, name: str) -> None:
    with woo.open() as channel, pytest.raises(Validation) as caught:
        channel.publish(replace(DRAFT, images=(woo.picture(name),)))
    assert caught.value.field == "images"
    assert woo.items() == []


@pytest.mark.parametrize("sku", ["A,B", "A B", "Hồi", "%41", "-A", "A" * 101])
def test_a_sku_that_the_shop_would_misread_is_refused_here(sku: str) -> None:
    with faked(lambda _: httpx.Response(500)) as channel:
        assert {issue.field for issue in channel.validate(replace(DRAFT, sku=sku))} == {"sku"}


def test_a_picture_without_an_ending_is_refused_here(woo: WooDouble) -> None:
    with woo.open() as channel:
        draft = replace(DRAFT, images=(replace(woo.picture("a"), url="https://hoi.vn/anh/abc"),))
        assert [(issue.field, issue.code) for issue in channel.validate(draft)] == [("images", "address")]

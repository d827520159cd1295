"""Signatures: known vectors, and what the double checks in its own way."""

from collections.abc import Iterator

import httpx
import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from app import clock
from app.marketplace_sync.channels.woocommerce.signatures import oauth1_base_string, oauth1_parameters
from doubles.woocommerce.base import Double
from doubles.woocommerce.process import create_app
from doubles.woocommerce.shop import Shop


def test_base_string_of_the_oauth_core_specification() -> None:
    params = {
        "oauth_consumer_key": "dpf43f3p2l4k3l03",
        "oauth_token": "nnch734d00sl2jdk",
        "oauth_nonce": "kllo9940pd9333jh",
        "oauth_timestamp": "1191242096",
        "oauth_signature_method": "HMAC-SHA1",
        "oauth_version": "1.0",
        "size": "original",
        "file": "vacation.jpg",
    }
    assert oauth1_base_string("GET", "http://photos.example.net/photos", params) == (
        "GET&http%3A%2F%2Fphotos.example.net%2Fphotos&file%3Dvacation.jpg%26oauth_consumer_key%3Ddpf43f3p2l4k3l03"
        "%26oauth_nonce%3Dkllo9940pd9333jh%26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D1191242096"
        "%26oauth_token%3Dnnch734d00sl2jdk%26oauth_version%3D1.0%26size%3Doriginal"
    )


def test_signed_parameters_of_a_fixed_call() -> None:
    signed = oauth1_parameters(
        "get",
        "http://127.0.0.1:8100/wp-json/wc/v3/products",
        {"sku": "LS HỒI/1"},
        key="ck_test",
        secret="cs_test",
        nonce="0123456789abcdef",
        timestamp=1_700_000_000,
    )
    assert signed["oauth_signature_method"] == "HMAC-SHA256"
    # printf '%s' "$BASE" | openssl dgst -sha256 -hmac 'cs_test&' -binary | base64
    assert signed["oauth_signature"] == "nIzp7n6i+kBV8sJNwMvWzSkGk5JES1LSLNurBg2PGSg="


@pytest.fixture(scope="module")
def inside() -> Iterator[FlaskClient]:
    """The double in this process, for many quick calls."""
    shop = Shop(":memory:", fetch_images=False)
    shop.home = "http://localhost"
    yield create_app(Double(shop, "ck_ế", "cs_&=%", "Thử")).test_client()
    shop.close()


@given(text=st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=40), number=st.integers(1, 10**9))
def test_any_query_is_signed_as_the_shop_checks_it(inside: FlaskClient, text: str, number: int) -> None:
    query = {"search": text, "per_page": "1", "include": f"{number},2"}
    params = oauth1_parameters(
        "GET",
        "http://localhost/wp-json/wc/v3/products",
        query,
        key="ck_ế",
        secret="cs_&=%",
        nonce=f"{number}-{clock.machine_now().timestamp()}-{hash(text)}",
        timestamp=int(clock.machine_now().timestamp()),
    )
    answer = inside.get(f"/wp-json/wc/v3/products?{httpx.QueryParams(params)}")
    assert (answer.status_code, answer.json) == (200, [])
    params["oauth_signature"] = params["oauth_signature"][::-1]
    params["oauth_nonce"] += "x"
    assert inside.get(f"/wp-json/wc/v3/products?{httpx.QueryParams(params)}").status_code == 401

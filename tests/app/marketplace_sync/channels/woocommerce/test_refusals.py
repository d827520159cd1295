"""Refusals of the shop, each as the error that it means."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from faked_shop import faked
from kit import DRAFT
from woo_double import WooDouble

from app import clock
from app.marketplace_sync.channels.errors import (
    AuthRevoked,
    NotFound,
    OutcomeUnknown,
    Permanent,
    Rejected,
    Retryable,
    Validation,
)
from app.marketplace_sync.channels.woocommerce import api


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (401, {"code": "woocommerce_rest_cannot_view", "message": "no"}, AuthRevoked, "woocommerce_rest_cannot_view"),
        (403, {"code": "rest_forbidden", "message": "no"}, AuthRevoked, "rest_forbidden"),
        (403, None, Retryable, "blocked"),
        (404, {"code": "rest_no_route", "message": "no"}, Permanent, "no_api"),
        (404, None, Permanent, "no_api"),
        (
            410,
            {"code": "woocommerce_rest_already_trashed", "message": "x"},
            NotFound,
            "woocommerce_rest_already_trashed",
        ),
        (400, {"code": "woocommerce_rest_product_invalid_id", "message": "Invalid ID."}, NotFound, "no_such_item"),
        (
            400,
            {"code": "product_invalid_global_unique_id", "message": "x"},
            Validation,
            "product_invalid_global_unique_id",
        ),
        (
            400,
            {"code": "woocommerce_product_image_upload_error", "message": "x"},
            Validation,
            "woocommerce_product_image_upload_error",
        ),
        (
            400,
            {"code": "rest_invalid_param", "message": "x", "data": {"params": {"regular_price": "x"}}},
            Validation,
            "rest_invalid_param",
        ),
        (400, {"code": "other", "message": "x"}, Permanent, "other"),
        (418, None, Permanent, "refused"),
        (200, {"code": "x", "message": "y", "data": {"status": 401}}, AuthRevoked, "x"),
        (200, {"code": "x", "message": "y"}, Retryable, "x"),
        (200, {"code": "x", "message": "y", "data": None}, Retryable, "x"),
    ],
)
def test_each_refusal_has_its_kind(status: int, body: Any, kind: str, code: str) -> None:
    def shop(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, json=body) if body is not None else httpx.Response(status, text="<html>no</html>")

    with faked(shop) as channel, pytest.raises(kind) as caught:
        channel.set_price("5", 1)
    assert caught.value.code == code
    assert caught.value.text("vi")


@pytest.mark.parametrize(
    ("status", "kind"), [(500, OutcomeUnknown), (502, OutcomeUnknown), (504, OutcomeUnknown), (503, Retryable)]
)
def test_a_server_error_at_creation_may_hide_a_success(status: int, kind: type[Exception]) -> None:
    with faked(lambda _: httpx.Response(status)) as channel:
        with pytest.raises(kind):
            channel.create(DRAFT)
        with pytest.raises(Retryable):
            channel.set_stock("5", 1)


def test_a_refused_field_is_named_as_ours() -> None:
    body = {"code": "rest_invalid_param", "message": "x", "data": {"status": 400, "params": {"regular_price": "no"}}}
    with faked(lambda _: httpx.Response(400, json=body)) as channel, pytest.raises(Validation) as caught:
        channel.set_price("5", 1)
    assert caught.value.field == "price_vnd"


def test_a_clock_too_far_off_is_named_as_such(woo: WooDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    real = clock.machine_now
    monkeypatch.setattr(clock, "machine_now", lambda: real() + timedelta(minutes=20))
    with woo.open() as channel, pytest.raises(Retryable) as caught:
        channel.find_by_sku("A")
    assert caught.value.code == "clock_skew"


def test_a_repeated_nonce_is_refused_there_and_retryable_here(woo: WooDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.secrets, "token_hex", lambda _: "0" * 32)
    with woo.open() as channel:
        assert channel.find_by_sku("A") is None
        with pytest.raises(Retryable) as caught:
            channel.find_by_sku("A")
    assert caught.value.code == "nonce_used"


def test_the_floors_own_gate_against_a_banned_item_is_a_rejection(woo: WooDouble) -> None:
    with woo.open() as channel:
        made = channel.publish(DRAFT)
        woo.staff(made.remote_id, "ban", reason="Ảnh sai")
        with pytest.raises(Rejected) as caught:
            channel._api.call("PUT", f"/products/{made.remote_id}", body={"status": "publish"})
    assert "Ảnh sai" in caught.value.reasons[0].text("vi")

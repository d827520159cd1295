"""The needs of every request to the simulated shop: the shop it is for, and how it is read and answered."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from flask import Response, current_app, request

from doubles.woocommerce.errors import ShopError
from doubles.woocommerce.shop import Shop

API: Final = "/wp-json/wc/v3"
SECURITY: Final = (
    "default-src 'none'; img-src 'self'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


@dataclass(frozen=True, slots=True)
class Double:
    """What every request needs."""

    shop: Shop
    key: str
    secret: str
    title: str


def double() -> Double:
    found = current_app.extensions["double"]
    assert isinstance(found, Double)  # noqa: S101 - create_app put it there; narrows the type
    return found


def shop() -> Shop:
    return double().shop


def json_answer(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON as PHP writes it: non-ASCII and slashes escaped."""
    text = json.dumps(value).replace("/", "\\/")
    return Response(text, status, {"Content-Type": "application/json; charset=UTF-8", **(headers or {})})


def page_answer(text: str, status: int = 200) -> Response:
    return Response(text, status, {"Content-Type": "text/html; charset=UTF-8", "Content-Security-Policy": SECURITY})


def json_body() -> dict[str, Any]:
    if not request.data:
        return {}
    try:
        value = json.loads(request.data.decode())
    except ValueError:
        raise ShopError(400, "rest_invalid_json", "Invalid JSON body passed.") from None
    if not isinstance(value, dict):
        raise ShopError(400, "rest_invalid_json", "Invalid JSON body passed.")
    return value


def chosen_fields(value: Any) -> Any:  # noqa: ANN401 - JSON in, JSON out
    """WordPress's `_fields`: only these members."""
    wanted = {name for name in request.args.get("_fields", "").split(",") if name}
    if not wanted:
        return value
    if isinstance(value, list):
        return [chosen_fields(entry) for entry in value]
    return {name: part for name, part in value.items() if name in wanted}

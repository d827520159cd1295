"""A product as a stored row: which values WooCommerce takes, what it makes of them, and how it compares texts."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Final

from app import clock
from doubles.woocommerce.errors import ShopError

STATUSES: Final = ("draft", "pending", "private", "publish", "future")
VISIBILITIES: Final = ("visible", "catalog", "search", "hidden")
META_MODERATION: Final = "_moderation"

_TYPES: Final[Mapping[str, type | tuple[type, ...]]] = {
    "name": str,
    "type": str,
    "status": str,
    "catalog_visibility": str,
    "description": str,
    "short_description": str,
    "sku": str,
    "global_unique_id": str,
    "regular_price": str,
    "sale_price": str,
    "manage_stock": bool,
    "stock_quantity": int,
    "stock_status": str,
    "weight": str,
    "images": list,
    "categories": list,
    "attributes": list,
    "meta_data": list,
}
_WORDS: Final = {str: "string", bool: "boolean", int: "integer", list: "array"}
_ENUMS: Final[Mapping[str, tuple[str, ...]]] = {
    "status": STATUSES,
    "catalog_visibility": VISIBILITIES,
    "type": ("simple", "grouped", "external", "variable"),
    "stock_status": ("instock", "outofstock", "onbackorder"),
}


def validate(body: Mapping[str, Any]) -> None:
    for name, kind in _TYPES.items():
        if name not in body or (body[name] is None and name == "stock_quantity"):
            continue
        value = body[name]
        right = isinstance(value, kind) and (kind is not int or not isinstance(value, bool))
        if not right:
            raise invalid(name, f"{name} is not of type {_WORDS[kind] if isinstance(kind, type) else kind}.")
        allowed = _ENUMS.get(name)
        if allowed and value not in allowed:
            raise invalid(name, f"{name} is not one of {', '.join(allowed)}.")


def invalid(name: str, why: str) -> ShopError:
    details = {name: {"code": "rest_invalid_type", "message": why, "data": None}}
    return ShopError(400, "rest_invalid_param", f"Invalid parameter(s): {name}", params={name: why}, details=details)


def blank_row() -> dict[str, Any]:
    return {
        **dates_now(),
        "name": "Product",
        "slug": "",
        "type": "simple",
        "status": "publish",
        "featured": False,
        "catalog_visibility": "visible",
        "description": "",
        "short_description": "",
        "sku": "",
        "global_unique_id": "",
        "price": "",
        "regular_price": "",
        "sale_price": "",
        "on_sale": False,
        "purchasable": False,
        "total_sales": 0,
        "virtual": False,
        "downloadable": False,
        "tax_status": "taxable",
        "tax_class": "",
        "manage_stock": False,
        "stock_quantity": None,
        "stock_status": "instock",
        "backorders": "no",
        "backorders_allowed": False,
        "backordered": False,
        "sold_individually": False,
        "weight": "",
        "dimensions": {"length": "", "width": "", "height": ""},
        "reviews_allowed": True,
        "average_rating": "0.00",
        "rating_count": 0,
        "parent_id": 0,
        "categories": [],
        "tags": [],
        "images": [],
        "attributes": [],
        "default_attributes": [],
        "grouped_products": [],
        "menu_order": 0,
        "meta_data": [],
    }


_PLAIN_NAMES: Final = (
    "type",
    "status",
    "catalog_visibility",
    "sku",
    "global_unique_id",
    "regular_price",
    "sale_price",
    "manage_stock",
    "stock_quantity",
    "stock_status",
    "weight",
    "attributes",
)


def apply(row: dict[str, Any], body: Mapping[str, Any]) -> None:
    for name in _PLAIN_NAMES:
        if name in body:
            row[name] = body[name]
    for name in ("name", "description", "short_description"):
        if name in body:
            row[name] = cleaned(str(body[name]))
    for entry in body.get("meta_data", []):
        key = str(entry.get("key", ""))
        if not key or key == META_MODERATION:
            continue
        known = next((item for item in row["meta_data"] if item["key"] == key), None)
        if known is None:
            row["meta_data"].append({"id": next_meta(row), "key": key, "value": entry.get("value")})
        else:
            known["value"] = entry.get("value")


def derive(row: dict[str, Any]) -> None:
    row["price"] = row["sale_price"] or row["regular_price"]
    row["on_sale"] = bool(row["sale_price"])
    row["purchasable"] = row["price"] != ""
    if row["manage_stock"]:
        row["stock_quantity"] = int(row["stock_quantity"] or 0)
        row["stock_status"] = "instock" if row["stock_quantity"] > 0 else "outofstock"
    else:
        row["stock_quantity"] = None
    changed = dates_now()
    row["date_modified"], row["date_modified_gmt"] = changed["date_modified"], changed["date_modified_gmt"]


def dates_now() -> dict[str, str]:
    now = clock.machine_now().replace(microsecond=0)
    local, utc = clock.local(now).replace(tzinfo=None).isoformat(), now.replace(tzinfo=None).isoformat()
    return {"date_created": local, "date_created_gmt": utc, "date_modified": local, "date_modified_gmt": utc}


def cleaned(text: str) -> str:
    """Roughly wp_filter_post_kses: bare ampersands become entities, active content goes."""
    text = re.sub(r"(?is)<(script|style|iframe|object|form)\b.*?(?:</\1\s*>|$)", "", text)
    text = re.sub(r"(?i)\son\w+\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s>]+)", "", text)
    return re.sub(r"&(?!#?\w{1,30};)", "&amp;", text)


def slugify(name: str) -> str:
    """As WordPress does for Vietnamese: without marks, đ as d."""
    plain = unicodedata.normalize("NFD", name.replace("đ", "d").replace("Đ", "D")).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:180] or "san-pham"


def collate(text: str) -> str:
    """MySQL's default collation sees neither case nor marks."""
    return unicodedata.normalize("NFD", text.casefold().replace("đ", "dj")).encode("ascii", "ignore").decode()


def meta_value(row: Mapping[str, Any], key: str) -> str:
    return next((str(entry["value"]) for entry in row["meta_data"] if entry["key"] == key), "")


def next_meta(row: Mapping[str, Any]) -> int:
    return max((int(entry["id"]) for entry in row["meta_data"]), default=0) + 1

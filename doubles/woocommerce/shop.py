"""The rules of a simulated WooCommerce shop: what REST v3 does to products, variations and orders.

It follows WooCommerce 9.4 where that surprises: a SKU in the bin blocks creation with another code than a live one and
is invisible to status=any; DELETE answers with the state from before; prices are strings; orders may oversell.
"""

import html
import itertools
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from doubles.woocommerce.errors import ShopError
from doubles.woocommerce.pictures import Pictures
from doubles.woocommerce.product_rows import (
    META_MODERATION,
    STATUSES,
    apply,
    blank_row,
    cleaned,
    collate,
    dates_now,
    derive,
    invalid,
    meta_value,
    next_meta,
    slugify,
    validate,
)
from doubles.woocommerce.store import Store

MAX_BATCH: Final = 100
MAX_PER_PAGE: Final = 100
CATEGORIES: Final = (
    "Thực phẩm",
    "Đồ uống",
    "Dược liệu và sản phẩm từ dược liệu",
    "Thủ công mỹ nghệ",
    "Sinh vật cảnh",
    "Dịch vụ du lịch cộng đồng",
)
SETTINGS: Final = {"general/woocommerce_currency": "VND", "products/woocommerce_weight_unit": "kg"}


class Shop(Store):
    """One shop: what REST v3, buyers and a marketplace's staff do to it. `home` is the address under which it is called."""

    def __init__(self, path: str | Path, *, fetch_images: bool = True) -> None:
        super().__init__(path)
        self.home = ""
        self._pictures = Pictures(self, fetch=fetch_images)
        with self.change():
            if not self._db.execute("SELECT 1 FROM posts WHERE kind = 'category'").fetchone():
                for name in CATEGORIES:
                    self.insert("category", "publish", {"name": name, "slug": slugify(name)})

    # ------------------------------------------------------------------ products

    def products(self, *, bin_too: bool = True) -> list[dict[str, Any]]:
        """All products as the API shows them, newest first."""
        return [self.shown(row) for row in self.rows("product") if bin_too or row["status"] != "trash"]

    def product(self, number: int) -> dict[str, Any]:
        row = self.row("product", number)
        if row is None:
            raise ShopError(404, "woocommerce_rest_product_invalid_id", "Invalid ID.")
        return self.shown(row)

    def product_by_slug(self, slug: str) -> dict[str, Any] | None:
        number = self.holder("slug", slug)
        return None if number is None else self.product(number)

    def search(self, query: Mapping[str, str]) -> tuple[list[dict[str, Any]], int, int]:
        """Rows of one page, how many in all, and how many pages."""
        page, per_page = _number(query, "page", 1, 1, None), _number(query, "per_page", 10, 1, MAX_PER_PAGE)
        rows = self.rows("product")
        wanted = query.get("status", "any")
        if wanted not in {"any", "trash", *STATUSES}:
            raise invalid("status", f"status is not one of any, future, trash, {', '.join(STATUSES)}.")
        rows = [row for row in rows if row["status"] == wanted or (wanted == "any" and row["status"] != "trash")]
        if query.get("sku"):
            skus = {collate(sku) for sku in [*query["sku"].split(","), query["sku"]]}
            rows = [row for row in rows if collate(row["sku"]) in skus]
        if query.get("include"):
            ids = {int(part) for part in re.findall(r"\d+", query["include"])}
            rows = [row for row in rows if row["id"] in ids]
        if query.get("search"):
            rows = [row for row in rows if collate(query["search"]) in collate(row["name"])]
        if query.get("modified_after"):
            rows = [row for row in rows if row["date_modified_gmt"] > query["modified_after"].rstrip("Z")]
        start = (page - 1) * per_page
        return [self.shown(row) for row in rows[start : start + per_page]], len(rows), math.ceil(len(rows) / per_page)

    def create_product(self, body: Mapping[str, Any]) -> dict[str, Any]:
        if body.get("id"):
            raise ShopError(400, "woocommerce_rest_product_exists", "Cannot create existing product.")
        validate(body)
        sku = str(body.get("sku", ""))
        self._refuse_taken_sku(sku, 0)
        self._refuse_taken_gtin(str(body.get("global_unique_id", "")), 0)
        images = self._pictures.chosen(body.get("images", []))
        with self.change():
            # The same lock that guards against two creations at once also knows the bin, and says so with another code.
            if sku and self.holder("sku_key", collate(sku), bin_too=True) is not None:
                raise ShopError(
                    400,
                    "woocommerce_rest_product_not_created",
                    f"The product with SKU ({sku}) you are trying to insert is already present in the lookup table",
                )
            row = blank_row()
            row["slug"] = self._free_slug(str(body.get("slug") or body.get("name") or ""))
            apply(row, body)
            row["images"] = images
            row["categories"] = self._categories(body.get("categories"))
            derive(row)
            kept = {name: value for name, value in row.items() if name not in {"status", "sku"}}
            number = self.insert("product", row["status"], kept, sku=row["sku"])
        return self.product(number)

    def update_product(self, number: int, body: Mapping[str, Any]) -> dict[str, Any]:
        validate(body)
        if self.row("product", number) is None:
            raise ShopError(400, "woocommerce_rest_product_invalid_id", "Invalid ID.")
        if body.get("sku"):
            self._refuse_taken_sku(str(body["sku"]), number)
        if body.get("global_unique_id"):
            self._refuse_taken_gtin(str(body["global_unique_id"]), number)
        images = self._pictures.chosen(body["images"]) if "images" in body else None
        with self.change():
            row = self.row("product", number)
            if row is None:
                raise ShopError(400, "woocommerce_rest_product_invalid_id", "Invalid ID.")
            why = meta_value(row, META_MODERATION)
            if why and body.get("status", row["status"]) != row["status"]:
                raise ShopError(403, "product_moderated", "Sản phẩm này đang bị sàn cấm bán.", reason=why)
            apply(row, body)
            if images is not None:
                row["images"] = images
            if "categories" in body:
                row["categories"] = self._categories(body["categories"])
            if row["status"] != "trash":
                row["slug"] = row["slug"].removesuffix("__trashed")
            derive(row)
            self.keep(number, row)
        return self.product(number)

    def delete_product(self, number: int, *, force: bool) -> dict[str, Any]:
        """The product as it was before, which is what WooCommerce answers."""
        with self.change():
            row = self.row("product", number)
            if row is None:
                raise ShopError(404, "woocommerce_rest_product_invalid_id", "Invalid ID.")
            before = self.shown(row)
            if force:
                self._db.execute(
                    "DELETE FROM posts WHERE id = ? OR (parent = ? AND kind <> 'shop_order')", (number, number)
                )
            elif row["status"] == "trash":
                raise ShopError(410, "woocommerce_rest_already_trashed", "The product has already been deleted.")
            else:
                row["status"] = "trash"
                row["slug"] += "__trashed"
                self.keep(number, row)
        return before

    def batch(self, body: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
        """Each entry succeeds or fails alone."""
        create, update, delete = (list(body.get(verb) or []) for verb in ("create", "update", "delete"))
        if len(create) + len(update) + len(delete) > MAX_BATCH:
            raise ShopError(
                413,
                "woocommerce_rest_request_entity_too_large",
                f"Unable to accept more than {MAX_BATCH} items for this request.",
            )
        answer: dict[str, list[dict[str, Any]]] = {}
        for verb, entries in (("create", create), ("update", update), ("delete", delete)):
            for entry in entries:
                number = int(entry if verb == "delete" else entry.get("id", 0))
                try:
                    if verb == "create":
                        done = self.create_product(entry)
                    elif verb == "update":
                        done = self.update_product(number, entry)
                    else:
                        done = self.delete_product(number, force=True)
                except ShopError as error:
                    done = {"id": number, "error": error.body}
                answer.setdefault(verb, []).append(done)
        return answer

    def shown(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """A stored row as the API shows it."""
        number = row["id"]
        permalink = (
            f"{self.home}/san-pham/{row['slug']}/"
            if row["status"] == "publish"
            else f"{self.home}/?post_type=product&p={number}"
        )
        images = [
            {**image, "src": f"{self.home}/wp-content/uploads/{image['id']}{image['ending']}"}
            for image in row["images"]
        ]
        links = {"self": [{"href": f"{self.home}/wp-json/wc/v3/products/{number}"}]}
        return {
            **row,
            "images": [{name: value for name, value in image.items() if name != "ending"} for image in images],
            "permalink": permalink,
            "variations": [variation["id"] for variation in self.rows("product_variation", number)],
            "_links": links,
        }

    def _refuse_taken_sku(self, sku: str, own: int) -> None:
        holder = self.holder("sku_key", collate(sku), own=own) if sku else None
        if holder is not None:
            raise ShopError(
                400, "product_invalid_sku", "Invalid or duplicated SKU.", resource_id=holder, unique_sku=f"{sku}-1"
            )

    def _refuse_taken_gtin(self, gtin: str, own: int) -> None:
        holder = self.holder("gtin", gtin, own=own) if gtin else None
        if holder is not None:
            message = "Invalid or duplicated GTIN, UPC, EAN or ISBN."
            raise ShopError(400, "product_invalid_global_unique_id", message, resource_id=holder)

    def _free_slug(self, name: str) -> str:
        slug = slugify(html.unescape(re.sub(r"<[^>]*>", "", cleaned(name))))
        for item in itertools.chain([slug], (f"{slug}-{number}" for number in itertools.count(2))):
            if not any(self.holder("slug", held, bin_too=True) for held in (item, f"{item}__trashed")):
                return item
        raise AssertionError  # pragma: no cover - the numbers do not end

    def _categories(self, wanted: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
        known = {row["id"]: row for row in self.categories()}
        chosen = [known[entry["id"]] for entry in wanted or [] if entry.get("id") in known]
        return [{"id": row["id"], "name": row["name"], "slug": row["slug"]} for row in chosen]

    def categories(self, search: str = "") -> list[dict[str, Any]]:
        return [
            {"id": row["id"], "name": row["name"], "slug": row["slug"], "parent": 0, "count": 0}
            for row in reversed(self.rows("category"))
            if collate(search) in collate(row["name"])
        ]

    # ------------------------------------------------------------------ variations and orders

    def variations(self, product: int) -> list[dict[str, Any]]:
        self.product(product)
        return self.rows("product_variation", product)

    def create_variation(self, product: int, body: Mapping[str, Any]) -> dict[str, Any]:
        self.product(product)
        validate(body)
        self._refuse_taken_sku(str(body.get("sku", "")), 0)
        row = {**blank_row(), "slug": "", "status": "publish"}
        apply(row, body)
        derive(row)
        kept = {name: value for name, value in row.items() if name not in {"status", "sku"}}
        with self.change():
            number = self.insert("product_variation", row["status"], kept, sku=row["sku"], parent=product)
        return self.variation(product, number)

    def variation(self, product: int, number: int) -> dict[str, Any]:
        row = self.row("product_variation", number)
        if row is None or row["parent_id"] != product:
            raise ShopError(404, "woocommerce_rest_product_variation_invalid_id", "Invalid ID.")
        return row

    def update_variation(self, product: int, number: int, body: Mapping[str, Any]) -> dict[str, Any]:
        validate(body)
        with self.change():
            row = self.variation(product, number)
            apply(row, body)
            derive(row)
            self.keep(number, row)
        return self.variation(product, number)

    def orders(self) -> list[dict[str, Any]]:
        return self.rows("shop_order")

    def create_order(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Takes stock below zero without a word: REST orders do not look at it."""
        with self.change():
            lines = []
            for line in body.get("line_items") or []:
                row = self.row("product", int(line.get("product_id", 0)))
                if row is None:
                    raise ShopError(400, "woocommerce_rest_invalid_product_id", "Invalid product ID.")
                quantity = int(line.get("quantity", 1))
                if row["manage_stock"]:
                    row["stock_quantity"] -= quantity
                row["total_sales"] += quantity
                derive(row)
                self.keep(row["id"], row)
                total = str(int(row["price"] or 0) * quantity)
                lines.append(
                    {
                        "product_id": row["id"],
                        "sku": row["sku"],
                        "name": row["name"],
                        "quantity": quantity,
                        "total": total,
                    }
                )
            total = str(sum(int(line["total"]) for line in lines))
            doc = {
                **dates_now(),
                "currency": "VND",
                "total": total,
                "line_items": lines,
                "billing": body.get("billing", {}),
            }
            number = self.insert("shop_order", str(body.get("status", "processing")), doc)
        return next(row for row in self.orders() if row["id"] == number)

    # ------------------------------------------------------------------ what a marketplace's own staff may do

    def moderate(self, number: int, action: str, given: Mapping[str, str]) -> dict[str, Any]:
        """ban, unban, edit (price, name, stock), trash, restore, delete; past every rule of the API."""
        before = self.product(number)
        with self.change():
            row = self.row("product", number)
            if row is None:
                return before
            row["meta_data"] = [
                entry for entry in row["meta_data"] if entry["key"] != META_MODERATION or action not in {"ban", "unban"}
            ]
            if action == "ban":
                row["status"] = "private"
                row["meta_data"].append(
                    {"id": next_meta(row), "key": META_MODERATION, "value": given.get("reason") or "Không ghi lý do"}
                )
            elif action in {"unban", "restore"}:
                row["status"] = "publish"
                row["slug"] = row["slug"].removesuffix("__trashed")
            elif action == "edit":
                apply(
                    row,
                    {
                        name: given[name]
                        for name in ("name", "regular_price", "status", "catalog_visibility")
                        if given.get(name)
                    },
                )
                if given.get("stock_quantity"):
                    row["stock_quantity"] = int(given["stock_quantity"])
            elif action == "trash":
                row["status"] = "trash"
                row["slug"] = row["slug"].removesuffix("__trashed") + "__trashed"
            elif action == "delete":
                self._db.execute("DELETE FROM posts WHERE id = ?", (number,))
                return before
            else:
                raise ShopError(400, "double_unknown_action", f"Unknown action {action}.")
            derive(row)
            self.keep(number, row)
        return self.product(number)


def _number(query: Mapping[str, str], name: str, default: int, low: int, high: int | None) -> int:
    text = query.get(name, str(default))
    if not text.isdigit() or int(text) < low or (high is not None and int(text) > high):
        between = (
            f"{name} must be between {low} (inclusive) and {high} (inclusive)"
            if high
            else f"{name} is not of type integer."
        )
        raise invalid(name, between)
    return int(text)

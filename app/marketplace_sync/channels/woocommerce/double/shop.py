"""The state and the rules of a simulated WooCommerce shop: what REST v3 does to products, kept in one SQLite file.

It follows WooCommerce 9.4 where that surprises: a SKU in the bin blocks creation with another code than a live one and
is invisible to status=any; DELETE answers with the state from before; prices are strings; orders may oversell.
"""

import contextlib
import html
import itertools
import json
import math
import re
import sqlite3
import threading
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import httpx

from app import clock

STATUSES: Final = ("draft", "pending", "private", "publish", "future")
VISIBILITIES: Final = ("visible", "catalog", "search", "hidden")
META_MODERATION: Final = "_moderation"
MAX_BATCH: Final = 100
MAX_PER_PAGE: Final = 100
MAX_IMAGE_BYTES: Final = 10_000_000
CATEGORIES: Final = (
    "Thực phẩm",
    "Đồ uống",
    "Dược liệu và sản phẩm từ dược liệu",
    "Thủ công mỹ nghệ",
    "Sinh vật cảnh",
    "Dịch vụ du lịch cộng đồng",
)
SETTINGS: Final = {"general/woocommerce_currency": "VND", "products/woocommerce_weight_unit": "kg"}

_SCHEMA = """
CREATE TABLE IF NOT EXISTS posts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    parent INTEGER NOT NULL DEFAULT 0,
    status TEXT NOT NULL,
    sku TEXT NOT NULL DEFAULT '',
    sku_key TEXT NOT NULL DEFAULT '',
    slug TEXT NOT NULL DEFAULT '',
    gtin TEXT NOT NULL DEFAULT '',
    doc TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS posts_of ON posts (kind, parent);
CREATE INDEX IF NOT EXISTS posts_sku ON posts (sku_key);
CREATE INDEX IF NOT EXISTS posts_slug ON posts (slug);
CREATE TABLE IF NOT EXISTS files (id INTEGER PRIMARY KEY, source TEXT NOT NULL, mime TEXT NOT NULL, content BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS calls (endpoint TEXT NOT NULL, status INTEGER NOT NULL, times INTEGER NOT NULL,
    PRIMARY KEY (endpoint, status));
CREATE TABLE IF NOT EXISTS faults (id INTEGER PRIMARY KEY AUTOINCREMENT, doc TEXT NOT NULL, remaining INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS nonces (nonce TEXT PRIMARY KEY, at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS options (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""

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


class ShopError(Exception):
    """An error body as WooCommerce writes it."""

    def __init__(self, status: int, code: str, message: str, **data: object) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.body: dict[str, object] = {"code": code, "message": message, "data": {"status": status, **data}}


class Shop:
    """One shop. Safe to share between threads; what it has accepted survives kill -9."""

    def __init__(self, path: str | Path, *, fetch_images: bool = True) -> None:
        self.home = ""
        self._fetch_images = fetch_images
        self._lock = threading.RLock()
        self._db = sqlite3.connect(str(path), check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")  # survives kill -9; only a power cut may lose the last moment
        self._db.executescript(_SCHEMA)
        with self._change():
            if not self._db.execute("SELECT 1 FROM posts WHERE kind = 'category'").fetchone():
                for name in CATEGORIES:
                    self._insert("category", "publish", {"name": name, "slug": slugify(name)})

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextlib.contextmanager
    def _change(self) -> Iterator[None]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def _insert(self, kind: str, status: str, doc: Mapping[str, Any], *, sku: str = "", parent: int = 0) -> int:
        row = self._db.execute(
            "INSERT INTO posts (kind, parent, status, sku, sku_key, slug, gtin, doc)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
            (kind, parent, status, sku, *_keys(sku, doc), json.dumps(doc)),
        ).fetchone()
        return int(row[0])

    def _rows(self, kind: str, parent: int = 0) -> list[dict[str, Any]]:
        with self._lock:
            found = self._db.execute(
                "SELECT id, status, sku, doc FROM posts WHERE kind = ? AND parent = ? ORDER BY id DESC", (kind, parent)
            ).fetchall()
        return [
            {**json.loads(doc), "id": int(number), "status": status, "sku": sku} for number, status, sku, doc in found
        ]

    def _row(self, kind: str, number: int) -> dict[str, Any] | None:
        with self._lock:
            found = self._db.execute(
                "SELECT id, status, sku, doc, parent FROM posts WHERE kind = ? AND id = ?", (kind, number)
            ).fetchone()
        if found is None:
            return None
        return {**json.loads(found[3]), "id": int(found[0]), "status": found[1], "sku": found[2], "parent_id": found[4]}

    def _store(self, number: int, doc: Mapping[str, Any]) -> None:
        kept = {name: value for name, value in doc.items() if name not in {"id", "status", "sku", "parent_id"}}
        self._db.execute(
            "UPDATE posts SET status = ?, sku = ?, sku_key = ?, slug = ?, gtin = ?, doc = ? WHERE id = ?",
            (doc["status"], doc["sku"], *_keys(doc["sku"], doc), json.dumps(kept), number),
        )

    def _holder(self, column: str, value: str, *, own: int = 0, bin_too: bool = False) -> int | None:
        """The product that holds a SKU, slug or GTIN."""
        with self._lock:
            row = self._db.execute(
                f"SELECT id FROM posts WHERE kind = 'product' AND {column} = ? AND id <> ?"  # noqa: S608 - our column names
                f" AND ({int(bin_too)} OR status <> 'trash') ORDER BY id",
                (value, own),
            ).fetchone()
        return None if row is None else int(row[0])

    # ------------------------------------------------------------------ options, nonces, calls, faults

    def option(self, name: str, default: str) -> str:
        with self._lock:
            row = self._db.execute("SELECT value FROM options WHERE name = ?", (name,)).fetchone()
        return default if row is None else str(row[0])

    def set_option(self, name: str, value: str) -> None:
        with self._change():
            self._db.execute("INSERT OR REPLACE INTO options VALUES (?, ?)", (name, value))

    def reset(self) -> None:
        """Forgets everything but the categories."""
        with self._change():
            self._db.execute("DELETE FROM posts WHERE kind <> 'category'")
            for table in ("files", "calls", "faults", "nonces", "options"):
                self._db.execute(f"DELETE FROM {table}")  # noqa: S608 - the names above

    def spend_nonce(self, nonce: str, at: int) -> bool:
        """False when this nonce was used within the last 15 minutes."""
        with self._change():
            self._db.execute("DELETE FROM nonces WHERE at < ?", (at - 900,))
            return self._db.execute("INSERT OR IGNORE INTO nonces VALUES (?, ?)", (nonce, at)).rowcount == 1

    def count_call(self, endpoint: str, status: int) -> None:
        with self._change():
            self._db.execute(
                "INSERT INTO calls VALUES (?, ?, 1) ON CONFLICT (endpoint, status) DO UPDATE SET times = times + 1",
                (endpoint, status),
            )

    def calls(self) -> dict[str, dict[str, int]]:
        """Times by endpoint and answered status; status 0 is a connection cut on purpose."""
        with self._lock:
            rows = self._db.execute("SELECT endpoint, status, times FROM calls ORDER BY endpoint, status").fetchall()
        counted: dict[str, dict[str, int]] = {}
        for endpoint, status, times in rows:
            counted.setdefault(endpoint, {})[str(status)] = times
        return counted

    def forget_calls(self) -> None:
        with self._change():
            self._db.execute("DELETE FROM calls")

    def set_faults(self, faults: list[dict[str, Any]]) -> None:
        """Replaces the script."""
        with self._change():
            self._db.execute("DELETE FROM faults")
            for fault in faults:
                self._db.execute(
                    "INSERT INTO faults (doc, remaining) VALUES (?, ?)", (json.dumps(fault), fault["times"])
                )

    def faults(self) -> list[dict[str, Any]]:
        with self._lock:
            rows = self._db.execute("SELECT doc, remaining FROM faults ORDER BY id").fetchall()
        return [{**json.loads(doc), "remaining": remaining} for doc, remaining in rows]

    def take_fault(self, method: str, path: str) -> dict[str, Any] | None:
        """The first fault of the script that is meant for this call, used up by one."""
        with self._change():
            rows = self._db.execute("SELECT id, doc FROM faults WHERE remaining <> 0 ORDER BY id").fetchall()
            for number, doc in rows:
                fault: dict[str, Any] = json.loads(doc)
                if fault["method"] in {"*", method} and re.search(fault["path"], path):
                    self._db.execute(
                        "UPDATE faults SET remaining = remaining - 1 WHERE id = ? AND remaining > 0", (number,)
                    )
                    return fault
        return None

    # ------------------------------------------------------------------ products

    def products(self, *, bin_too: bool = True) -> list[dict[str, Any]]:
        """All products as the API shows them, newest first."""
        return [self.shown(row) for row in self._rows("product") if bin_too or row["status"] != "trash"]

    def product(self, number: int) -> dict[str, Any]:
        row = self._row("product", number)
        if row is None:
            raise ShopError(404, "woocommerce_rest_product_invalid_id", "Invalid ID.")
        return self.shown(row)

    def product_by_slug(self, slug: str) -> dict[str, Any] | None:
        number = self._holder("slug", slug)
        return None if number is None else self.product(number)

    def search(self, query: Mapping[str, str]) -> tuple[list[dict[str, Any]], int, int]:
        """Rows of one page, how many in all, and how many pages."""
        page, per_page = _number(query, "page", 1, 1, None), _number(query, "per_page", 10, 1, MAX_PER_PAGE)
        rows = self._rows("product")
        wanted = query.get("status", "any")
        if wanted not in {"any", "trash", *STATUSES}:
            raise _invalid("status", f"status is not one of any, future, trash, {', '.join(STATUSES)}.")
        rows = [row for row in rows if row["status"] == wanted or (wanted == "any" and row["status"] != "trash")]
        if query.get("sku"):
            skus = {_collate(sku) for sku in [*query["sku"].split(","), query["sku"]]}
            rows = [row for row in rows if _collate(row["sku"]) in skus]
        if query.get("include"):
            ids = {int(part) for part in re.findall(r"\d+", query["include"])}
            rows = [row for row in rows if row["id"] in ids]
        if query.get("search"):
            rows = [row for row in rows if _collate(query["search"]) in _collate(row["name"])]
        if query.get("modified_after"):
            rows = [row for row in rows if row["date_modified_gmt"] > query["modified_after"].rstrip("Z")]
        start = (page - 1) * per_page
        return [self.shown(row) for row in rows[start : start + per_page]], len(rows), math.ceil(len(rows) / per_page)

    def create_product(self, body: Mapping[str, Any]) -> dict[str, Any]:
        if body.get("id"):
            raise ShopError(400, "woocommerce_rest_product_exists", "Cannot create existing product.")
        _validate(body)
        sku = str(body.get("sku", ""))
        self._refuse_taken_sku(sku, 0)
        self._refuse_taken_gtin(str(body.get("global_unique_id", "")), 0)
        images = self._images(body.get("images", []))
        with self._change():
            # The same lock that guards against two creations at once also knows the bin, and says so with another code.
            if sku and self._holder("sku_key", _collate(sku), bin_too=True) is not None:
                raise ShopError(
                    400,
                    "woocommerce_rest_product_not_created",
                    f"The product with SKU ({sku}) you are trying to insert is already present in the lookup table",
                )
            row = _blank()
            row["slug"] = self._free_slug(str(body.get("slug") or body.get("name") or ""))
            _apply(row, body)
            row["images"] = images
            row["categories"] = self._categories(body.get("categories"))
            _derive(row)
            kept = {name: value for name, value in row.items() if name not in {"status", "sku"}}
            number = self._insert("product", row["status"], kept, sku=row["sku"])
        return self.product(number)

    def update_product(self, number: int, body: Mapping[str, Any]) -> dict[str, Any]:
        _validate(body)
        if self._row("product", number) is None:
            raise ShopError(400, "woocommerce_rest_product_invalid_id", "Invalid ID.")
        if body.get("sku"):
            self._refuse_taken_sku(str(body["sku"]), number)
        if body.get("global_unique_id"):
            self._refuse_taken_gtin(str(body["global_unique_id"]), number)
        images = self._images(body["images"]) if "images" in body else None
        with self._change():
            row = self._row("product", number)
            if row is None:
                raise ShopError(400, "woocommerce_rest_product_invalid_id", "Invalid ID.")
            why = _meta_value(row, META_MODERATION)
            if why and body.get("status", row["status"]) != row["status"]:
                raise ShopError(403, "product_moderated", "Sản phẩm này đang bị sàn cấm bán.", reason=why)
            _apply(row, body)
            if images is not None:
                row["images"] = images
            if "categories" in body:
                row["categories"] = self._categories(body["categories"])
            if row["status"] != "trash":
                row["slug"] = row["slug"].removesuffix("__trashed")
            _derive(row)
            self._store(number, row)
        return self.product(number)

    def delete_product(self, number: int, *, force: bool) -> dict[str, Any]:
        """The product as it was before, which is what WooCommerce answers."""
        with self._change():
            row = self._row("product", number)
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
                self._store(number, row)
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
            "variations": [variation["id"] for variation in self._rows("product_variation", number)],
            "_links": links,
        }

    def _refuse_taken_sku(self, sku: str, own: int) -> None:
        holder = self._holder("sku_key", _collate(sku), own=own) if sku else None
        if holder is not None:
            raise ShopError(
                400, "product_invalid_sku", "Invalid or duplicated SKU.", resource_id=holder, unique_sku=f"{sku}-1"
            )

    def _refuse_taken_gtin(self, gtin: str, own: int) -> None:
        holder = self._holder("gtin", gtin, own=own) if gtin else None
        if holder is not None:
            message = "Invalid or duplicated GTIN, UPC, EAN or ISBN."
            raise ShopError(400, "product_invalid_global_unique_id", message, resource_id=holder)

    def _free_slug(self, name: str) -> str:
        slug = slugify(html.unescape(re.sub(r"<[^>]*>", "", _kses(name))))
        for item in itertools.chain([slug], (f"{slug}-{number}" for number in itertools.count(2))):
            if not any(self._holder("slug", held, bin_too=True) for held in (item, f"{item}__trashed")):
                return item
        raise AssertionError  # pragma: no cover - the numbers do not end

    def _categories(self, wanted: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
        known = {row["id"]: row for row in self.categories()}
        chosen = [known[entry["id"]] for entry in wanted or [] if entry.get("id") in known]
        return [{"id": row["id"], "name": row["name"], "slug": row["slug"]} for row in chosen]

    def categories(self, search: str = "") -> list[dict[str, Any]]:
        return [
            {"id": row["id"], "name": row["name"], "slug": row["slug"], "parent": 0, "count": 0}
            for row in reversed(self._rows("category"))
            if _collate(search) in _collate(row["name"])
        ]

    # ------------------------------------------------------------------ pictures

    def _images(self, wanted: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Known pictures by id, new ones copied from their address: again at every mention, as WooCommerce does."""
        chosen = []
        for entry in wanted:
            if entry.get("id"):
                row = self._row("attachment", int(entry["id"]))
                if row is None:
                    raise ShopError(
                        400, "woocommerce_product_invalid_image_id", f"#{entry['id']} is an invalid image ID."
                    )
                changed = {name: entry.get(name, row[name]) for name in ("name", "alt")}
                chosen.append({name: row[name] for name in _IMAGE_NAMES} | changed)
            elif entry.get("src"):
                chosen.append(self._copy_image(str(entry["src"]), entry))
        return chosen

    def _copy_image(self, source: str, entry: Mapping[str, Any]) -> dict[str, Any]:
        content = self._download(source) if self._fetch_images else b"\x89PNG\r\n\x1a\n"
        kind = next((kind for start, kind in _IMAGE_KINDS.items() if content.startswith(start)), None)
        if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
            kind = ("image/webp", ".webp")
        if kind is None:
            raise ShopError(
                400, "woocommerce_product_image_upload_error", "Sorry, you are not allowed to upload this file type."
            )
        mime, ending = kind
        made = _dates()
        details = {
            "name": str(entry.get("name") or source.rsplit("/", 1)[-1]),
            "alt": str(entry.get("alt", "")),
            "ending": ending,
        }
        with self._change():
            number = self._insert("attachment", "inherit", {**made, **details})
            self._db.execute("INSERT INTO files VALUES (?, ?, ?, ?)", (number, source, mime, content))
        return {"id": number, **made, **details}

    @staticmethod
    def _download(source: str) -> bytes:
        try:
            answer = httpx.get(source, timeout=5, follow_redirects=True, trust_env=False)
            if answer.status_code == httpx.codes.OK and len(answer.content) <= MAX_IMAGE_BYTES:
                return answer.content
            problem = f"HTTP {answer.status_code}"
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            problem = str(error)
        raise ShopError(
            400, "woocommerce_product_image_upload_error", f"Error getting remote image {source}. Error: {problem}"
        )

    def file(self, number: int) -> tuple[str, bytes] | None:
        with self._lock:
            row = self._db.execute("SELECT mime, content FROM files WHERE id = ?", (number,)).fetchone()
        return None if row is None else (str(row[0]), bytes(row[1]))

    def copied_images(self) -> list[str]:
        """The address of every picture ever copied, one entry per copy."""
        with self._lock:
            return [str(row[0]) for row in self._db.execute("SELECT source FROM files ORDER BY id")]

    # ------------------------------------------------------------------ variations and orders

    def variations(self, product: int) -> list[dict[str, Any]]:
        self.product(product)
        return self._rows("product_variation", product)

    def create_variation(self, product: int, body: Mapping[str, Any]) -> dict[str, Any]:
        self.product(product)
        _validate(body)
        self._refuse_taken_sku(str(body.get("sku", "")), 0)
        row = {**_blank(), "slug": "", "status": "publish"}
        _apply(row, body)
        _derive(row)
        kept = {name: value for name, value in row.items() if name not in {"status", "sku"}}
        with self._change():
            number = self._insert("product_variation", row["status"], kept, sku=row["sku"], parent=product)
        return self.variation(product, number)

    def variation(self, product: int, number: int) -> dict[str, Any]:
        row = self._row("product_variation", number)
        if row is None or row["parent_id"] != product:
            raise ShopError(404, "woocommerce_rest_product_variation_invalid_id", "Invalid ID.")
        return row

    def update_variation(self, product: int, number: int, body: Mapping[str, Any]) -> dict[str, Any]:
        _validate(body)
        with self._change():
            row = self.variation(product, number)
            _apply(row, body)
            _derive(row)
            self._store(number, row)
        return self.variation(product, number)

    def orders(self) -> list[dict[str, Any]]:
        return self._rows("shop_order")

    def create_order(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Takes stock below zero without a word: REST orders do not look at it."""
        with self._change():
            lines = []
            for line in body.get("line_items") or []:
                row = self._row("product", int(line.get("product_id", 0)))
                if row is None:
                    raise ShopError(400, "woocommerce_rest_invalid_product_id", "Invalid product ID.")
                quantity = int(line.get("quantity", 1))
                if row["manage_stock"]:
                    row["stock_quantity"] -= quantity
                row["total_sales"] += quantity
                _derive(row)
                self._store(row["id"], row)
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
                **_dates(),
                "currency": "VND",
                "total": total,
                "line_items": lines,
                "billing": body.get("billing", {}),
            }
            number = self._insert("shop_order", str(body.get("status", "processing")), doc)
        return next(row for row in self.orders() if row["id"] == number)

    # ------------------------------------------------------------------ what a marketplace's own staff may do

    def moderate(self, number: int, action: str, given: Mapping[str, str]) -> dict[str, Any]:
        """ban, unban, edit (price, name, stock), trash, restore, delete; past every rule of the API."""
        before = self.product(number)
        with self._change():
            row = self._row("product", number)
            if row is None:
                return before
            row["meta_data"] = [
                entry for entry in row["meta_data"] if entry["key"] != META_MODERATION or action not in {"ban", "unban"}
            ]
            if action == "ban":
                row["status"] = "private"
                row["meta_data"].append(
                    {"id": _next_meta(row), "key": META_MODERATION, "value": given.get("reason") or "Không ghi lý do"}
                )
            elif action in {"unban", "restore"}:
                row["status"] = "publish"
                row["slug"] = row["slug"].removesuffix("__trashed")
            elif action == "edit":
                _apply(
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
            _derive(row)
            self._store(number, row)
        return self.product(number)


_IMAGE_NAMES: Final = (
    "id",
    "date_created",
    "date_created_gmt",
    "date_modified",
    "date_modified_gmt",
    "name",
    "alt",
    "ending",
)
_IMAGE_KINDS: Final = {
    b"\xff\xd8\xff": ("image/jpeg", ".jpg"),
    b"\x89PNG\r\n": ("image/png", ".png"),
    b"GIF8": ("image/gif", ".gif"),
}


def slugify(name: str) -> str:
    """As WordPress does for Vietnamese: without marks, đ as d."""
    plain = unicodedata.normalize("NFD", name.replace("đ", "d").replace("Đ", "D")).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:180] or "san-pham"


def _collate(text: str) -> str:
    """MySQL's default collation sees neither case nor marks."""
    return unicodedata.normalize("NFD", text.casefold().replace("đ", "dj")).encode("ascii", "ignore").decode()


def _keys(sku: str, doc: Mapping[str, Any]) -> tuple[str, str, str]:
    return _collate(sku), str(doc.get("slug", "")), str(doc.get("global_unique_id", ""))


def _number(query: Mapping[str, str], name: str, default: int, low: int, high: int | None) -> int:
    text = query.get(name, str(default))
    if not text.isdigit() or int(text) < low or (high is not None and int(text) > high):
        between = (
            f"{name} must be between {low} (inclusive) and {high} (inclusive)"
            if high
            else f"{name} is not of type integer."
        )
        raise _invalid(name, between)
    return int(text)


def _invalid(name: str, why: str) -> ShopError:
    details = {name: {"code": "rest_invalid_type", "message": why, "data": None}}
    return ShopError(400, "rest_invalid_param", f"Invalid parameter(s): {name}", params={name: why}, details=details)


def _validate(body: Mapping[str, Any]) -> None:
    for name, kind in _TYPES.items():
        if name not in body or (body[name] is None and name == "stock_quantity"):
            continue
        value = body[name]
        right = isinstance(value, kind) and (kind is not int or not isinstance(value, bool))
        if not right:
            raise _invalid(name, f"{name} is not of type {_WORDS[kind] if isinstance(kind, type) else kind}.")
        allowed = _ENUMS.get(name)
        if allowed and value not in allowed:
            raise _invalid(name, f"{name} is not one of {', '.join(allowed)}.")


def _dates() -> dict[str, str]:
    now = clock.machine_now().replace(microsecond=0)
    local, utc = clock.local(now).replace(tzinfo=None).isoformat(), now.replace(tzinfo=None).isoformat()
    return {"date_created": local, "date_created_gmt": utc, "date_modified": local, "date_modified_gmt": utc}


def _blank() -> dict[str, Any]:
    return {
        **_dates(),
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


def _apply(row: dict[str, Any], body: Mapping[str, Any]) -> None:
    for name in _PLAIN_NAMES:
        if name in body:
            row[name] = body[name]
    for name in ("name", "description", "short_description"):
        if name in body:
            row[name] = _kses(str(body[name]))
    for entry in body.get("meta_data", []):
        key = str(entry.get("key", ""))
        if not key or key == META_MODERATION:
            continue
        known = next((item for item in row["meta_data"] if item["key"] == key), None)
        if known is None:
            row["meta_data"].append({"id": _next_meta(row), "key": key, "value": entry.get("value")})
        else:
            known["value"] = entry.get("value")


def _derive(row: dict[str, Any]) -> None:
    row["price"] = row["sale_price"] or row["regular_price"]
    row["on_sale"] = bool(row["sale_price"])
    row["purchasable"] = row["price"] != ""
    if row["manage_stock"]:
        row["stock_quantity"] = int(row["stock_quantity"] or 0)
        row["stock_status"] = "instock" if row["stock_quantity"] > 0 else "outofstock"
    else:
        row["stock_quantity"] = None
    changed = _dates()
    row["date_modified"], row["date_modified_gmt"] = changed["date_modified"], changed["date_modified_gmt"]


def _kses(text: str) -> str:
    """Roughly wp_filter_post_kses: bare ampersands become entities, active content goes."""
    text = re.sub(r"(?is)<(script|style|iframe|object|form)\b.*?(?:</\1\s*>|$)", "", text)
    text = re.sub(r"(?i)\son\w+\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s>]+)", "", text)
    return re.sub(r"&(?!#?\w{1,30};)", "&amp;", text)


def _meta_value(row: Mapping[str, Any], key: str) -> str:
    return next((str(entry["value"]) for entry in row["meta_data"] if entry["key"] == key), "")


def _next_meta(row: Mapping[str, Any]) -> int:
    return max((int(entry["id"]) for entry in row["meta_data"]), default=0) + 1

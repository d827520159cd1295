"""The store of the simulated shop, one SQLite file: its posts and files, and what tests count and script."""

import contextlib
import json
import re
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from doubles.woocommerce.product_rows import collate

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


class Store:
    """Safe to share between threads; what it has accepted survives kill -9."""

    def __init__(self, path: str | Path) -> None:
        self._lock = threading.RLock()
        self._db = sqlite3.connect(str(path), check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")  # survives kill -9; only a power cut may lose the last moment
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextlib.contextmanager
    def change(self) -> Iterator[None]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def insert(self, kind: str, status: str, doc: Mapping[str, Any], *, sku: str = "", parent: int = 0) -> int:
        row = self._db.execute(
            "INSERT INTO posts (kind, parent, status, sku, sku_key, slug, gtin, doc)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
            (kind, parent, status, sku, *_keys(sku, doc), json.dumps(doc)),
        ).fetchone()
        return int(row[0])

    def row(self, kind: str, number: int) -> dict[str, Any] | None:
        with self._lock:
            found = self._db.execute(
                "SELECT id, status, sku, doc, parent FROM posts WHERE kind = ? AND id = ?", (kind, number)
            ).fetchone()
        if found is None:
            return None
        return {**json.loads(found[3]), "id": int(found[0]), "status": found[1], "sku": found[2], "parent_id": found[4]}

    def rows(self, kind: str, parent: int = 0) -> list[dict[str, Any]]:
        with self._lock:
            found = self._db.execute(
                "SELECT id, status, sku, doc FROM posts WHERE kind = ? AND parent = ? ORDER BY id DESC", (kind, parent)
            ).fetchall()
        return [
            {**json.loads(doc), "id": int(number), "status": status, "sku": sku} for number, status, sku, doc in found
        ]

    def keep(self, number: int, doc: Mapping[str, Any]) -> None:
        kept = {name: value for name, value in doc.items() if name not in {"id", "status", "sku", "parent_id"}}
        self._db.execute(
            "UPDATE posts SET status = ?, sku = ?, sku_key = ?, slug = ?, gtin = ?, doc = ? WHERE id = ?",
            (doc["status"], doc["sku"], *_keys(doc["sku"], doc), json.dumps(kept), number),
        )

    def holder(self, column: str, value: str, *, own: int = 0, bin_too: bool = False) -> int | None:
        """The product that holds a SKU, slug or GTIN."""
        with self._lock:
            row = self._db.execute(
                f"SELECT id FROM posts WHERE kind = 'product' AND {column} = ? AND id <> ?"  # noqa: S608 - our column names
                f" AND ({int(bin_too)} OR status <> 'trash') ORDER BY id",
                (value, own),
            ).fetchone()
        return None if row is None else int(row[0])

    def file(self, number: int) -> tuple[str, bytes] | None:
        with self._lock:
            row = self._db.execute("SELECT mime, content FROM files WHERE id = ?", (number,)).fetchone()
        return None if row is None else (str(row[0]), bytes(row[1]))

    def copied_images(self) -> list[str]:
        """The address of every picture ever copied, one entry per copy."""
        with self._lock:
            return [str(row[0]) for row in self._db.execute("SELECT source FROM files ORDER BY id")]

    def insert_file(self, number: int, source: str, mime: str, content: bytes) -> None:
        self._db.execute("INSERT INTO files VALUES (?, ?, ?, ?)", (number, source, mime, content))

    # ------------------------------------------------------------------ options, nonces, calls, faults

    def option(self, name: str, default: str) -> str:
        with self._lock:
            row = self._db.execute("SELECT value FROM options WHERE name = ?", (name,)).fetchone()
        return default if row is None else str(row[0])

    def set_option(self, name: str, value: str) -> None:
        with self.change():
            self._db.execute("INSERT OR REPLACE INTO options VALUES (?, ?)", (name, value))

    def reset(self) -> None:
        """Forgets everything but the categories."""
        with self.change():
            self._db.execute("DELETE FROM posts WHERE kind <> 'category'")
            for table in ("files", "calls", "faults", "nonces", "options"):
                self._db.execute(f"DELETE FROM {table}")  # noqa: S608 - the names above

    def spend_nonce(self, nonce: str, at: int) -> bool:
        """False when this nonce was used within the last 15 minutes."""
        with self.change():
            self._db.execute("DELETE FROM nonces WHERE at < ?", (at - 900,))
            return self._db.execute("INSERT OR IGNORE INTO nonces VALUES (?, ?)", (nonce, at)).rowcount == 1

    def count_call(self, endpoint: str, status: int) -> None:
        with self.change():
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
        with self.change():
            self._db.execute("DELETE FROM calls")

    def set_faults(self, faults: list[dict[str, Any]]) -> None:
        """Replaces the script."""
        with self.change():
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
        with self.change():
            rows = self._db.execute("SELECT id, doc FROM faults WHERE remaining <> 0 ORDER BY id").fetchall()
            for number, doc in rows:
                fault: dict[str, Any] = json.loads(doc)
                if fault["method"] in {"*", method} and re.search(fault["path"], path):
                    self._db.execute(
                        "UPDATE faults SET remaining = remaining - 1 WHERE id = ? AND remaining > 0", (number,)
                    )
                    return fault
        return None


def _keys(sku: str, doc: Mapping[str, Any]) -> tuple[str, str, str]:
    return collate(sku), str(doc.get("slug", "")), str(doc.get("global_unique_id", ""))

"""The simulated shop's library of pictures: it copies them from their address, as WooCommerce does."""

from collections.abc import Mapping
from typing import Any, Final

import httpx

from doubles.woocommerce.errors import ShopError
from doubles.woocommerce.product_rows import dates_now
from doubles.woocommerce.store import Store

MAX_IMAGE_BYTES: Final = 10_000_000
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


class Pictures:
    """`fetch` False keeps the address only, with an empty picture."""

    def __init__(self, store: Store, *, fetch: bool) -> None:
        self._store = store
        self._fetch = fetch

    def chosen(self, wanted: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Known pictures by id, new ones copied from their address: again at every mention, as WooCommerce does."""
        found = []
        for entry in wanted:
            if entry.get("id"):
                row = self._store.row("attachment", int(entry["id"]))
                if row is None:
                    raise ShopError(
                        400, "woocommerce_product_invalid_image_id", f"#{entry['id']} is an invalid image ID."
                    )
                changed = {name: entry.get(name, row[name]) for name in ("name", "alt")}
                found.append({name: row[name] for name in _IMAGE_NAMES} | changed)
            elif entry.get("src"):
                found.append(self._copy_image(str(entry["src"]), entry))
        return found

    def _copy_image(self, source: str, entry: Mapping[str, Any]) -> dict[str, Any]:
        content = self._download(source) if self._fetch else b"\x89PNG\r\n\x1a\n"
        kind = next((kind for start, kind in _IMAGE_KINDS.items() if content.startswith(start)), None)
        if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
            kind = ("image/webp", ".webp")
        if kind is None:
            raise ShopError(
                400, "woocommerce_product_image_upload_error", "Sorry, you are not allowed to upload this file type."
            )
        mime, ending = kind
        made = dates_now()
        details = {
            "name": str(entry.get("name") or source.rsplit("/", 1)[-1]),
            "alt": str(entry.get("alt", "")),
            "ending": ending,
        }
        with self._store.change():
            number = self._store.insert("attachment", "inherit", {**made, **details})
            self._store.insert_file(number, source, mime, content)
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

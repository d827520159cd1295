"""Calls to one shop's REST v3: signed, answered, and the answer's shape checked."""

import base64
import json
import re
import secrets
from collections.abc import Mapping
from typing import Any, Final

from app import clock
from app.marketplace_sync.channels.http import Answer, Http, check_url
from app.marketplace_sync.channels.woocommerce.refusals import Refusals, not_found
from app.marketplace_sync.channels.woocommerce.signatures import oauth1_parameters

API: Final = "/wp-json/wc/v3"


class Api:
    """One attempt a call, with the account's keys. Raises ChannelErrors only."""

    def __init__(self, http: Http, shop_url: str, refusals: Refusals, *, key: str, secret: str) -> None:
        self._http = http
        self._shop_url = shop_url
        self._refusals = refusals
        self._key = key
        self._secret = secret

    def index(self) -> dict[str, Any]:
        """What the shop says of itself, asked without keys. Raises Permanent where it has no REST v3."""
        index = self._object(self._http.send("GET", f"{self._shop_url}/wp-json/", writes=False), creates=False)
        if "wc/v3" not in index.get("namespaces", []):
            raise self._refusals.no_api("")
        return index

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        creates: bool = False,
    ) -> dict[str, Any]:
        return self._object(self.answer(method, path, params=params, body=body, creates=creates), creates=creates)

    def rows(self, path: str, params: Mapping[str, str]) -> list[dict[str, Any]]:
        answer = self.answer("GET", path, params=params)
        rows = self._json(answer, creates=False)
        if not isinstance(rows, list) or not all(isinstance(row, dict) and "id" in row for row in rows):
            raise self._refusals.unreadable(answer, creates=False)
        return rows

    def _object(self, answer: Answer, *, creates: bool) -> dict[str, Any]:
        value = self._json(answer, creates=creates)
        if not isinstance(value, dict):
            raise self._refusals.unreadable(answer, creates=creates)
        return value

    def answer(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        creates: bool = False,
    ) -> Answer:
        url = f"{self._shop_url}{API}{path}"
        query = dict(params or {})
        headers: dict[str, str] = {"Accept": "application/json"}
        if url.startswith("https://"):
            pair = base64.b64encode(f"{self._key}:{self._secret}".encode()).decode()
            headers["Authorization"] = f"Basic {pair}"
        else:
            query = oauth1_parameters(
                method,
                url,
                query,
                key=self._key,
                secret=self._secret,
                nonce=secrets.token_hex(16),
                timestamp=int(clock.machine_now().timestamp()),
            )
        data = None
        if body is not None:
            data = json.dumps(body, ensure_ascii=False).encode()
            headers["Content-Type"] = "application/json; charset=utf-8"
        answer = self._http.send(method, url, params=query, headers=headers, body=data, writes=method != "GET")
        if not 200 <= answer.status < 300:  # noqa: PLR2004 - 2xx
            raise self._refusals.error(answer, creates=creates)
        said = self._json(answer, creates=creates)
        if isinstance(said, dict) and isinstance(said.get("code"), str) and "id" not in said:
            raise self._refusals.error(answer, creates=creates)
        return answer

    def _json(self, answer: Answer, *, creates: bool) -> Any:  # noqa: ANN401 - foreign JSON; every caller checks its shape
        try:
            return json.loads(answer.body.decode("utf-8-sig"))
        except (ValueError, RecursionError):
            raise self._refusals.unreadable(answer, creates=creates) from None


def shop_address(url: str) -> str:
    """People paste what they have: the front page, or some address of the API."""
    return re.sub(r"/(?:wp-json|wp-admin)(?:/.*)?$", "", check_url(url))


def checked_id(remote_id: str) -> str:
    """Ids go into addresses: nothing but digits may."""
    if not (remote_id.isascii() and remote_id.isdigit()) or len(remote_id) > 20:  # noqa: PLR2004 - a 64-bit number
        raise not_found(f"id {remote_id!r}"[:100])
    return remote_id


def product_path(remote_id: str) -> str:
    return f"/products/{checked_id(remote_id)}"

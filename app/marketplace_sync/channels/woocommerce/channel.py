"""One WooCommerce shop (REST v3): publish, price, stock, unlist, and what the shop itself says of an item.

Rules that are not ours come from WooCommerce 9.4 as it was seen to behave, and from its source where a comment says so.
"""

import base64
import contextlib
import html
import json
import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

import httpx

from app import clock
from app.marketplace_sync.channels.base import (
    AccountField,
    AuthExpired,
    AuthRevoked,
    Channel,
    ChannelError,
    CheckResult,
    Conflict,
    Credentials,
    Issue,
    Limits,
    ListingDraft,
    NotFound,
    OutcomeUnknown,
    Permanent,
    RateLimited,
    Rejected,
    RemoteStatus,
    Retryable,
    Spec,
    Validation,
    common_issues,
    number_to_send,
)
from app.marketplace_sync.channels.http import (
    Answer,
    Http,
    Redactor,
    Timeouts,
    check_url,
    resolve,
    retry_after,
)
from app.marketplace_sync.channels.woocommerce.items import (
    FIELDS,
    GONE,
    META_IMAGES,
    META_LISTING,
    REMOTE_WORDS,
    ban,
    counted_stock,
    gone,
    meta,
    moderation,
    nfc,
    not_told,
    observed,
)
from app.marketplace_sync.channels.woocommerce.pages import ProductPages
from app.marketplace_sync.channels.woocommerce.signatures import oauth1_parameters

KIND: Final = "woocommerce"
API: Final = "/wp-json/wc/v3"

IMAGE_ENDING = re.compile(r"\.(?:jpe?g|png|webp|gif)$", re.IGNORECASE)
SKU_SHAPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-/]*")
BLOCKED_WAIT: Final = timedelta(minutes=15)


class WooCommerce(Channel):
    """A shop reached with a consumer key and secret that may read and write."""

    limits: ClassVar[Limits] = Limits(
        name_max=200,
        description_max=60_000,
        sku_max=100,
        images_max=10,
        status_batch=100,
    )

    def __init__(
        self,
        credentials: Credentials,
        *,
        allow_private: bool = False,
        timeouts: Timeouts | None = None,
        transport: httpx.BaseTransport | None = None,
        resolver: Callable[[str, int], list[str]] = resolve,
    ) -> None:
        """`allow_private` is the installation's setting channel_sandbox. Raises Validation for a bad address."""
        self._key = credentials.get("consumer_key").strip()
        self._secret = credentials.get("consumer_secret").strip()
        self._kilograms = credentials.get("weight_unit", "kg") == "kg"
        self._base = _base_url(credentials.get("base_url"))
        self._redact = Redactor([self._key, self._secret, credentials.get("webhook_secret")])
        self._http = Http(
            allow_private=allow_private,
            redact=self._redact,
            timeouts=timeouts,
            transport=transport,
            resolver=resolver,
        )
        self._pages = ProductPages(self._http, self._base)

    def __repr__(self) -> str:
        return f"WooCommerce({self._base})"

    @classmethod
    def spec(cls) -> Spec:
        return Spec(
            kind=KIND,
            vi="Gian hàng WooCommerce",
            en="WooCommerce shop",
            fields=(
                AccountField(
                    "base_url",
                    "url",
                    vi="Địa chỉ gian hàng",
                    en="Shop address",
                    help_vi="Trang đầu của gian hàng, ví dụ https://gianhang.vn",
                    help_en="The shop's first page, for example https://shop.vn",
                ),
                AccountField(
                    "consumer_key",
                    "secret",
                    vi="Mã truy cập (consumer key)",
                    en="Consumer key",
                    help_vi="Trong quản trị gian hàng: WooCommerce → Cài đặt → Nâng cao → REST API, quyền Đọc/Ghi.",
                    help_en="In the shop's admin: WooCommerce → Settings → Advanced → REST API, permission Read/Write.",
                ),
                AccountField("consumer_secret", "secret", vi="Khóa bí mật (consumer secret)", en="Consumer secret"),
                AccountField(
                    "weight_unit",
                    "choice",
                    vi="Đơn vị khối lượng của gian hàng",
                    en="The shop's weight unit",
                    required=False,
                    choices=("kg", "g"),
                    default="kg",
                ),
                AccountField(
                    "webhook_secret",
                    "secret",
                    vi="Khóa webhook (nếu gian hàng báo tin sang)",
                    en="Webhook secret (if the shop sends messages)",
                    required=False,
                ),
            ),
            limits=cls.limits,
            abilities=frozenset(
                {"publish", "update", "price", "stock", "unlist", "delete", "status", "find_by_sku", "webhook"}
            ),
        )

    def close(self) -> None:
        self._http.close()

    # ------------------------------------------------------------------ verbs

    def check(self) -> CheckResult:
        index = self._object(self._http.send("GET", f"{self._base}/wp-json/", writes=False), creates=False)
        if "wc/v3" not in index.get("namespaces", []):
            raise self._no_api("")
        self._list("/products", {"per_page": "1", "_fields": "id"})
        # An empty batch changes nothing, but a key that may only read is refused here.
        self._answer("POST", "/products/batch", body={})
        return CheckResult(
            shop_name=str(index.get("name", "")),
            shop_url=str(index.get("url") or self._base),
            issues=tuple(self._setting_issues()),
        )

    def validate(self, draft: ListingDraft) -> list[Issue]:
        issues = list(common_issues(draft, self.limits))
        if draft.sku and not SKU_SHAPE.fullmatch(draft.sku):
            issues.append(
                Issue(
                    "sku",
                    "shape",
                    "Mã hàng (SKU) chỉ gồm chữ không dấu, số và các dấu . _ - / (WooCommerce hiểu dấu phẩy là hai mã).",
                    "The SKU may hold unaccented letters, digits and . _ - / only (WooCommerce reads a comma as two SKUs).",
                )
            )
        for image in draft.images:
            parts = urlsplit(image.url)
            if parts.scheme not in {"http", "https"} or not IMAGE_ENDING.search(parts.path):
                issues.append(
                    Issue(
                        "images",
                        "address",
                        "Ảnh cần có địa chỉ công khai, kết thúc bằng .jpg, .png hoặc .webp để gian hàng tự tải về.",
                        "A picture needs a public address that ends in .jpg, .png or .webp, for the shop to copy.",
                    )
                )
                break
        return issues

    def create(self, draft: ListingDraft) -> RemoteStatus:
        kind = {"type": "simple", "status": "publish", "catalog_visibility": "visible"}
        body = self._body(draft) | _stock(draft.stock) | kind
        if draft.images:
            body["images"] = [_new_image(draft, place) for place in range(len(draft.images))]
        category = self._category_id(draft.category)
        if category is not None:
            body["categories"] = [{"id": category}]
        asked_at = clock.now()
        try:
            made = self._call("POST", "/products", body=body, creates=True)
        except Conflict as conflict:
            if conflict.existing_remote_id is not None:
                raise
            return self._behind_the_lock(draft, conflict)
        return self._seen(made, asked_at)

    def update(self, remote_id: str, draft: ListingDraft) -> RemoteStatus:
        current = self._call("GET", self._path(remote_id), params={"_fields": FIELDS})
        body = self._body(draft) | _stock_to_send(draft, current)
        images = _wanted_images(draft, current)
        if images is not None:
            body["images"] = images
        return replace(self._put(remote_id, body), stock_before=counted_stock(current))

    def set_price(self, remote_id: str, price_vnd: int) -> RemoteStatus:
        return self._put(remote_id, _price(price_vnd))

    def set_stock(self, remote_id: str, stock: int) -> RemoteStatus:
        return self._put(remote_id, _stock(stock))

    def unlist(self, remote_id: str) -> RemoteStatus:
        asked_at = clock.now()
        try:
            current = self._call("GET", self._path(remote_id), params={"_fields": FIELDS})
            if current.get("status") in {"draft", "private", "trash"}:
                return self._seen(current, asked_at)
            return self._put(remote_id, {"status": "draft"})
        except NotFound:
            return gone(remote_id, asked_at)

    def relist(self, remote_id: str) -> RemoteStatus:
        asked_at = clock.now()
        current = self._call("GET", self._path(remote_id), params={"_fields": FIELDS})
        banned = moderation(current)
        if banned is not None:
            raise Rejected("banned", vi=banned.vi, en=banned.en, reasons=(banned,))
        if current.get("status") == "publish" and current.get("catalog_visibility") != "hidden":
            return self._seen(current, asked_at)
        return self._put(remote_id, {"status": "publish", "catalog_visibility": "visible"})

    def _put(self, remote_id: str, body: Mapping[str, Any]) -> RemoteStatus:
        asked_at = clock.now()
        return self._seen(self._call("PUT", self._path(remote_id), body=body), asked_at)

    def delete(self, remote_id: str) -> RemoteStatus:
        with contextlib.suppress(NotFound):  # gone, or in the bin already
            self._answer("DELETE", self._path(remote_id), params={"force": "false"})
        # The answer to DELETE still says "publish" while the item is in the bin already: only reading tells.
        (now,) = self.status([remote_id])
        return now

    def status(self, remote_ids: Sequence[str]) -> list[RemoteStatus]:
        seen: dict[str, RemoteStatus] = {}
        wanted = list(dict.fromkeys(remote_ids))
        for start in range(0, len(wanted), self.limits.status_batch):
            part = wanted[start : start + self.limits.status_batch]
            params = {
                "include": ",".join(map(_checked_id, part)),
                "status": "any",
                "per_page": "100",
                "_fields": FIELDS,
            }
            asked_at = clock.now()
            for item in self._list("/products", params):
                seen[str(item["id"])] = self._seen(item, asked_at)
        for remote_id in wanted:
            if remote_id not in seen:
                # status=any leaves out the bin: absence from the list is not yet proof.
                seen[remote_id] = self._status_of(remote_id)
        return [seen[remote_id] for remote_id in remote_ids]

    def _status_of(self, remote_id: str) -> RemoteStatus:
        asked_at = clock.now()
        try:
            item = self._call("GET", self._path(remote_id), params={"_fields": FIELDS})
        except NotFound:
            return gone(remote_id, asked_at)
        except (AuthRevoked, AuthExpired, RateLimited):
            raise
        except ChannelError as error:
            return not_told(remote_id, error, asked_at)
        return self._seen(item, asked_at)

    def find_by_sku(self, sku: str) -> RemoteStatus | None:
        asked_at = clock.now()
        found = self._by_sku(sku, "any")
        return None if found is None else self._seen(found, asked_at)

    # ------------------------------------------------------------------ reading

    def _seen(self, item: Mapping[str, Any], asked_at: datetime) -> RemoteStatus:
        return observed(item, asked_at, self._pages)

    def _by_sku(self, sku: str, status: str) -> dict[str, Any] | None:
        """The shop compares SKUs without case; an exact match wins over one that differs in case."""
        rows = self._list("/products", {"sku": sku, "status": status, "per_page": "100", "_fields": FIELDS})
        exact = [row for row in rows if str(row.get("sku", "")) == sku]
        alike = [row for row in rows if str(row.get("sku", "")).casefold() == sku.casefold()]
        return next(iter(exact or alike), None)

    def _behind_the_lock(self, draft: ListingDraft, conflict: Conflict) -> RemoteStatus:
        """The SKU is reserved, but the shop does not say by what: an item in the bin, or one made at this very moment."""
        found = self._by_sku(draft.sku, "any")
        if found is not None:
            raise Conflict(
                conflict.code, vi=conflict.vi, en=conflict.en, raw=conflict.raw, existing_remote_id=str(found["id"])
            )
        binned = self._by_sku(draft.sku, "trash")
        if binned is None:
            raise conflict
        remote_id = str(binned["id"])
        if meta(binned).get(META_LISTING) != draft.listing_id:
            raise Conflict(
                "sku_in_bin",
                vi=f"Mã hàng {draft.sku} đang nằm trong thùng rác của gian hàng (mã {remote_id})."
                " Hãy vào quản trị gian hàng khôi phục hoặc xóa hẳn tin đó, rồi đăng lại.",
                en=f"SKU {draft.sku} is held by an item in the shop's bin (item {remote_id})."
                " Restore or remove it for good in the shop's admin, then publish again.",
                raw=conflict.raw,
                existing_remote_id=remote_id,
            )
        written = self.update(remote_id, draft)
        try:
            return replace(self.relist(remote_id), stock_before=written.stock_before)
        except ChannelError as error:
            error.wrote = True
            raise

    def _setting_issues(self) -> Iterable[Issue]:
        currency = self._setting("general/woocommerce_currency")
        if currency not in {None, "VND"}:
            yield Issue(
                "base_url",
                "currency",
                f"Gian hàng đang bán bằng {currency}, không phải đồng: giá sẽ sai. Hãy đổi tiền tệ của gian hàng sang VND.",
                f"The shop sells in {currency}, not in đồng: prices would be wrong. Set the shop's currency to VND.",
            )
        unit = self._setting("products/woocommerce_weight_unit")
        ours = "kg" if self._kilograms else "g"
        if unit not in {None, ours}:
            yield Issue(
                "weight_unit",
                "weight_unit",
                f"Gian hàng tính khối lượng bằng {unit}, còn tài khoản này ghi {ours}: hãy sửa cho khớp.",
                f"The shop weighs in {unit}, this account says {ours}: make them agree.",
            )

    def _setting(self, name: str) -> str | None:
        """None where the key's owner may not read settings."""
        try:
            return str(self._call("GET", f"/settings/{name}").get("value") or "") or None
        except (AuthRevoked, NotFound, Permanent):
            return None

    def _category_id(self, hint: str | None) -> int | None:
        if not hint:
            return None
        wanted = nfc(hint).casefold()
        rows = self._list("/products/categories", {"search": nfc(hint), "per_page": "100", "_fields": "id,name"})
        return next((int(row["id"]) for row in rows if nfc(html.unescape(str(row["name"]))).casefold() == wanted), None)

    # ------------------------------------------------------------------ writing

    def _body(self, draft: ListingDraft) -> dict[str, Any]:
        body: dict[str, Any] = {
            "name": nfc(draft.name.strip()),
            "description": nfc(draft.description_html),
            "sku": draft.sku,
            "meta_data": [
                {"key": META_LISTING, "value": draft.listing_id},
                {"key": META_IMAGES, "value": ",".join(image.sha256 for image in draft.images)},
            ],
            "attributes": [
                {"name": nfc(name), "options": [nfc(value)], "visible": True, "variation": False, "position": place}
                for place, (name, value) in enumerate(draft.attributes)
            ],
            **_price(draft.price_vnd),
        }
        if draft.weight_grams is not None:
            weight = Decimal(draft.weight_grams) / (1000 if self._kilograms else 1)
            body["weight"] = format(weight.normalize(), "f")
        if draft.gtin is not None:
            body["global_unique_id"] = draft.gtin
        return body

    # ------------------------------------------------------------------ transport

    @staticmethod
    def _path(remote_id: str) -> str:
        return f"/products/{_checked_id(remote_id)}"

    def _call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        creates: bool = False,
    ) -> dict[str, Any]:
        return self._object(self._answer(method, path, params=params, body=body, creates=creates), creates=creates)

    def _list(self, path: str, params: Mapping[str, str]) -> list[dict[str, Any]]:
        answer = self._answer("GET", path, params=params)
        rows = self._json(answer, creates=False)
        if not isinstance(rows, list) or not all(isinstance(row, dict) and "id" in row for row in rows):
            raise self._unreadable(answer, creates=False)
        return rows

    def _object(self, answer: Answer, *, creates: bool) -> dict[str, Any]:
        value = self._json(answer, creates=creates)
        if not isinstance(value, dict):
            raise self._unreadable(answer, creates=creates)
        return value

    def _answer(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        creates: bool = False,
    ) -> Answer:
        url = f"{self._base}{API}{path}"
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
            raise self._error(answer, answer.status, creates=creates)
        said = self._json(answer, creates=creates)
        if isinstance(said, dict) and isinstance(said.get("code"), str) and "id" not in said:
            raise self._error(answer, answer.status, creates=creates)
        return answer

    def _json(self, answer: Answer, *, creates: bool) -> Any:  # noqa: ANN401 - foreign JSON; every caller checks its shape
        try:
            return json.loads(answer.body.decode("utf-8-sig"))
        except (ValueError, RecursionError):
            raise self._unreadable(answer, creates=creates) from None

    # ------------------------------------------------------------------ errors

    def _unreadable(self, answer: Answer, *, creates: bool) -> ChannelError:
        raw = self._raw(answer)
        if creates:
            return OutcomeUnknown(
                "answer_unreadable",
                vi="Gian hàng đã nhận tin nhưng trả lời không đọc được. Hệ thống sẽ tra lại xem tin đã có chưa.",
                en="The shop took the request but its answer cannot be read. It will be looked up before sending again.",
                raw=raw,
            )
        return Retryable(
            "answer_unreadable",
            vi="Gian hàng trả về một trang khác, có thể đang bảo trì. Hệ thống sẽ tự thử lại.",
            en="The shop answered with something else, perhaps a maintenance page. It will be tried again.",
            raw=raw,
        )

    def _error(self, answer: Answer, status: int, *, creates: bool) -> ChannelError:
        said = self._said(answer)
        code, message, data = str(said.get("code") or ""), str(said.get("message") or ""), said.get("data")
        details: Mapping[str, Any] = data if isinstance(data, dict) else {}
        if 200 <= status < 300:  # noqa: PLR2004 - an error inside a success: believe the status in the body
            inner = details.get("status")
            status = inner if isinstance(inner, int) else 0
        raw = self._raw(answer)
        wait = retry_after(answer.headers)
        by_code = self._by_code(code, message, details, raw)
        if by_code is not None:
            return by_code
        if 300 <= status < 400:  # noqa: PLR2004 - 3xx
            return self._moved(answer, raw)
        if status in {401, 403}:
            return self._refused(code, raw)
        if status == httpx.codes.NOT_FOUND:
            return self._no_api(raw) if code in {"", "rest_no_route"} else _not_found(raw)
        return self._by_status(status, code, message, raw, wait, creates=creates)

    def _by_status(
        self, status: int, code: str, message: str, raw: str, wait: timedelta | None, *, creates: bool
    ) -> ChannelError:
        if status == httpx.codes.TOO_MANY_REQUESTS:
            return RateLimited(
                "too_many_calls",
                vi="Gian hàng yêu cầu gửi chậm lại. Hệ thống sẽ tự đợi rồi gửi tiếp.",
                en="The shop asks us to slow down. It will be tried again after a pause.",
                raw=raw,
                after=wait,
            )
        if status in {500, 502, 504} and creates:
            return OutcomeUnknown(
                "server_error",
                vi=f"Gian hàng gặp trục trặc khi nhận tin (mã {status}). Hệ thống sẽ tra lại xem tin đã có chưa.",
                en=f"The shop failed while taking the item ({status}). It will be looked up before sending again.",
                raw=raw,
            )
        if status >= httpx.codes.INTERNAL_SERVER_ERROR or status in {0, 408, 425}:
            return Retryable(
                code or "server_error",
                vi="Gian hàng đang trục trặc hoặc bảo trì. Hệ thống sẽ tự thử lại.",
                en="The shop has trouble or is under maintenance. It will be tried again.",
                raw=raw,
                after=wait,
            )
        said = f"“{self._redact(message)}”" if message else str(status)
        return Permanent(
            code or "refused",
            vi=f"Gian hàng không nhận và nói: {said}. Hãy báo người quản trị gian hàng.",
            en=f"The shop refuses and says: {said}. Tell the shop's administrator.",
            raw=raw,
        )

    def _by_code(self, code: str, message: str, details: Mapping[str, Any], raw: str) -> ChannelError | None:
        """WooCommerce's own codes say more than the HTTP status, which the same code does not always keep."""
        if code == "product_invalid_sku":
            holder = details.get("resource_id")
            return _sku_taken(raw, str(holder) if holder else None)
        if code == "woocommerce_rest_product_not_created" and ("SKU" in message or "lookup" in message):
            return _sku_taken(raw, None)
        if code in {"woocommerce_rest_product_invalid_id", "woocommerce_rest_invalid_product_id"}:
            return _not_found(raw)
        if code == "product_moderated":
            reason = ban(str(details.get("reason") or message))
            return Rejected("banned", vi=reason.vi, en=reason.en, raw=raw, reasons=(reason,))
        if code == "woocommerce_rest_already_trashed":
            return NotFound(code, vi=REMOTE_WORDS["trash"].vi, en=REMOTE_WORDS["trash"].en, raw=raw)
        if "image" in code:
            return Validation(
                code,
                vi="Gian hàng không tải được ảnh sản phẩm. Hãy kiểm tra ảnh mở được từ bên ngoài và đúng loại JPG, PNG, WebP.",
                en="The shop could not copy a picture. Check that it opens from outside and is JPG, PNG or WebP.",
                raw=raw,
                field="images",
            )
        if code == "product_invalid_global_unique_id":
            return Validation(
                code,
                vi="Mã vạch (GTIN) này đã dùng cho một tin khác trên gian hàng, hoặc không đúng.",
                en="This barcode number (GTIN) is used by another item of the shop, or is not valid.",
                raw=raw,
                field="gtin",
            )
        if code in {"rest_invalid_param", "rest_missing_callback_param"}:
            params = details.get("params")
            names = ", ".join(map(str, params))[:100] if isinstance(params, dict | list) else "?"
            return Validation(
                code,
                vi=f"Gian hàng không nhận giá trị của: {names}.",
                en=f"The shop does not accept the value of: {names}.",
                raw=raw,
                field=_FIELD_OF.get(names.split(",", maxsplit=1)[0]),
            )
        return None

    def _refused(self, code: str, raw: str) -> ChannelError:
        if "timestamp" in raw.lower():
            return Retryable(
                "clock_skew",
                vi="Đồng hồ của máy chủ và của gian hàng lệch nhau quá 15 phút. Hãy chỉnh lại giờ máy chủ.",
                en="Our clock and the shop's differ by more than 15 minutes. Set the server's time right.",
                raw=raw,
            )
        if "nonce" in raw.lower():
            return Retryable(
                "nonce_used",
                vi="Gian hàng cho là yêu cầu bị gửi lặp. Hệ thống sẽ tự gửi lại.",
                en="The shop took the request for a repeated one. It will be sent again.",
                raw=raw,
                after=timedelta(seconds=1),
            )
        if not code:
            return Retryable(
                "blocked",
                vi="Tường lửa của gian hàng đang chặn hệ thống. Hãy nhờ người quản trị gian hàng cho phép máy chủ này.",
                en="The shop's firewall blocks us. Ask the shop's administrator to allow this server.",
                raw=raw,
                after=BLOCKED_WAIT,
            )
        return AuthRevoked(
            code,
            vi="Gian hàng không nhận mã truy cập này, hoặc mã không có quyền Đọc/Ghi. Hãy tạo mã mới trong gian hàng rồi nhập lại.",
            en="The shop refuses these keys, or they lack Read/Write. Make new ones in the shop and enter them again.",
            raw=raw,
        )

    def _moved(self, answer: Answer, raw: str) -> Permanent:
        place = answer.headers.get("location", "")
        host = urlsplit(place).netloc.rpartition("@")[2][:100] or "?"
        return Permanent(
            "moved",
            vi=f"Gian hàng đã chuyển sang {host}. Hãy sửa địa chỉ trong tài khoản gian hàng (kể cả http hay https).",
            en=f"The shop has moved to {host}. Correct the address in the account (http or https too).",
            raw=raw,
        )

    def _no_api(self, raw: str) -> Permanent:
        return Permanent(
            "no_api",
            vi="Địa chỉ này không có WooCommerce REST API. Hãy xem lại địa chỉ, và trong gian hàng chọn"
            " Cài đặt → Đường dẫn tĩnh khác kiểu “Đơn giản”.",
            en="There is no WooCommerce REST API at this address. Check it, and in the shop set"
            " Settings → Permalinks to anything but “Plain”.",
            raw=raw,
        )

    def _said(self, answer: Answer) -> dict[str, Any]:
        try:
            said = json.loads(answer.body.decode("utf-8-sig"))
        except (ValueError, RecursionError):
            return {}
        return said if isinstance(said, dict) else {}

    def _raw(self, answer: Answer) -> str:
        return self._redact(f"HTTP {answer.status} {answer.body[:2000].decode('utf-8', 'replace')}")


_FIELD_OF: Final = {
    "name": "name",
    "description": "description_html",
    "regular_price": "price_vnd",
    "stock_quantity": "stock",
    "sku": "sku",
    "weight": "weight_grams",
    "images": "images",
    "attributes": "attributes",
    "global_unique_id": "gtin",
}


def _base_url(url: str) -> str:
    """People paste what they have: the front page, or some address of the API."""
    return re.sub(r"/(?:wp-json|wp-admin)(?:/.*)?$", "", check_url(url))


def _checked_id(remote_id: str) -> str:
    """Ids go into addresses: nothing but digits may."""
    if not (remote_id.isascii() and remote_id.isdigit()) or len(remote_id) > 20:  # noqa: PLR2004 - a 64-bit number
        raise _not_found(f"id {remote_id!r}"[:100])
    return remote_id


def _price(price_vnd: int) -> dict[str, str]:
    """Prices are strings there. A sale price set by hand would win over ours: it is cleared."""
    return {"regular_price": str(int(price_vnd)), "sale_price": ""}


def _stock(stock: int) -> dict[str, Any]:
    return {"manage_stock": True, "stock_quantity": int(stock)}


def _stock_to_send(draft: ListingDraft, current: Mapping[str, Any]) -> dict[str, Any]:
    """The stock less what was sold there meanwhile; nothing where the shop has that number already."""
    there = counted_stock(current)
    if there is None:
        return _stock(draft.stock)
    wanted = number_to_send(draft, there)
    return {} if wanted == there else _stock(wanted)


def _image_name(sha256: str) -> str:
    """The picture's title in the shop's library: survives a new order of the pictures, unlike a list of ids."""
    return f"hoi-{sha256[:32]}"


def _new_image(draft: ListingDraft, place: int) -> dict[str, Any]:
    image = draft.images[place]
    return {"src": image.url, "name": _image_name(image.sha256), "alt": nfc(draft.name.strip())}


def _wanted_images(draft: ListingDraft, current: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """The pictures to send, known ones by id; None when the shop has exactly these already.

    Sending an address again makes WooCommerce copy the file again, at every update, until its disk is full.
    """
    rows = current.get("images")
    have = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    by_name = {str(row.get("name")): row.get("id") for row in have}
    wanted: list[dict[str, Any]] = []
    for place, image in enumerate(draft.images):
        known = by_name.get(_image_name(image.sha256))
        wanted.append({"id": known} if isinstance(known, int) else _new_image(draft, place))
    return None if [row.get("id") for row in wanted] == [row.get("id") for row in have] else wanted


def _sku_taken(raw: str, holder: str | None) -> Conflict:
    return Conflict(
        "sku_taken",
        vi="Mã hàng (SKU) này đã có trên gian hàng. Hãy xem tin trùng mã ở đó, kể cả trong thùng rác.",
        en="This SKU exists in the shop already. Look for the item with the same SKU there, in the bin too.",
        raw=raw,
        existing_remote_id=holder,
    )


def _not_found(raw: str) -> NotFound:
    return NotFound("no_such_item", vi=REMOTE_WORDS[GONE].vi, en=REMOTE_WORDS[GONE].en, raw=raw)

"""One WooCommerce shop (REST v3): publish, price, stock, unlist, and what the shop itself says of an item.

Rules that are not ours come from WooCommerce 9.4 as it was seen to behave, and from its source where a comment says so.
"""

import contextlib
import html
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from queue import SimpleQueue
from typing import Any, ClassVar, Final

import httpx

from app import clock
from app.marketplace_sync.channels.accounts import AccountField, CheckResult, Credentials, Spec
from app.marketplace_sync.channels.base import Channel
from app.marketplace_sync.channels.drafts import Issue, Limits, ListingDraft, common_issues
from app.marketplace_sync.channels.errors import (
    AuthExpired,
    AuthRevoked,
    ChannelError,
    Conflict,
    NotFound,
    Permanent,
    RateLimited,
    Rejected,
    WrongCurrency,
)
from app.marketplace_sync.channels.http import Http, Redactor, Timeouts, resolve
from app.marketplace_sync.channels.statuses import RemoteStatus
from app.marketplace_sync.channels.woocommerce import drafts
from app.marketplace_sync.channels.woocommerce.api import Api, checked_id, product_path, shop_address
from app.marketplace_sync.channels.woocommerce.items import (
    FIELDS,
    META_LISTING,
    counted_stock,
    gone,
    meta,
    moderation,
    nfc,
    not_told,
    observed,
)
from app.marketplace_sync.channels.woocommerce.pages import ProductPages
from app.marketplace_sync.channels.woocommerce.refusals import Refusals
from app.messages import N_

KIND: Final = "woocommerce"
PAGES_AT_ONCE: Final = 6  # as a browser asks one host


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
        key, secret = credentials.get("consumer_key").strip(), credentials.get("consumer_secret").strip()
        self._kilograms = credentials.get("weight_unit", "kg") == "kg"
        self._base = shop_address(credentials.get("base_url"))
        redact = Redactor([key, secret])
        self._http = Http(
            allow_private=allow_private,
            redact=redact,
            timeouts=timeouts,
            transport=transport,
            resolver=resolver,
        )
        self._api = Api(self._http, self._base, Refusals(redact), key=key, secret=secret)
        self._pages = ProductPages(self._http, self._base)

    def __repr__(self) -> str:
        return f"WooCommerce({self._base})"

    @classmethod
    def spec(cls) -> Spec:
        return Spec(
            kind=KIND,
            label=N_("Gian hàng WooCommerce"),
            fields=(
                AccountField(
                    "base_url",
                    "url",
                    N_("Địa chỉ gian hàng"),
                    N_("Trang đầu của gian hàng, ví dụ https://gianhang.vn"),
                ),
                AccountField(
                    "consumer_key",
                    "secret",
                    N_("Mã truy cập (consumer key)"),
                    N_("Trong quản trị gian hàng: WooCommerce → Cài đặt → Nâng cao → REST API, quyền Đọc/Ghi."),
                ),
                AccountField("consumer_secret", "secret", N_("Khóa bí mật (consumer secret)")),
                AccountField(
                    "weight_unit",
                    "choice",
                    N_("Đơn vị khối lượng của gian hàng"),
                    required=False,
                    choices=("kg", "g"),
                    default="kg",
                ),
            ),
            limits=cls.limits,
        )

    def close(self) -> None:
        self._http.close()

    # ------------------------------------------------------------------ verbs

    def check(self) -> CheckResult:
        index = self._api.index()
        self._api.rows("/products", {"per_page": "1", "_fields": "id"})
        # An empty batch changes nothing, but a key that may only read is refused here.
        self._api.answer("POST", "/products/batch", body={})
        currency = self._currency_in_dong()
        return CheckResult(
            shop_name=str(index.get("name", "")),
            shop_url=str(index.get("url") or self._base),
            issues=tuple(self._setting_issues(currency)),
        )

    def check_currency(self) -> None:
        self._currency_in_dong()

    def validate(self, draft: ListingDraft) -> list[Issue]:
        return [*common_issues(draft, self.limits), *drafts.issues(draft)]

    def create(self, draft: ListingDraft) -> RemoteStatus:
        kind = {"type": "simple", "status": "publish", "catalog_visibility": "visible"}
        body = drafts.body_of(draft, kilograms=self._kilograms) | drafts.stock(draft.stock) | kind
        if draft.images:
            body["images"] = drafts.new_images(draft)
        category = self._category_id(draft.category)
        if category is not None:
            body["categories"] = [{"id": category}]
        asked_at = clock.now()
        try:
            made = self._api.call("POST", "/products", body=body, creates=True)
        except Conflict as conflict:
            if conflict.existing_remote_id is not None:
                raise
            return self._behind_the_lock(draft, conflict)
        return self._seen(made, asked_at)

    def update(self, remote_id: str, draft: ListingDraft) -> RemoteStatus:
        current = self._item(remote_id)
        body = drafts.body_of(draft, kilograms=self._kilograms) | drafts.stock_to_send(draft, current)
        images = drafts.images_to_send(draft, current)
        if images is not None:
            body["images"] = images
        return replace(self._put(remote_id, body), stock_before=counted_stock(current))

    def set_price(self, remote_id: str, price_vnd: int) -> RemoteStatus:
        return self._put(remote_id, drafts.price(price_vnd))

    def set_stock(self, remote_id: str, stock: int) -> RemoteStatus:
        return self._put(remote_id, drafts.stock(stock))

    def unlist(self, remote_id: str) -> RemoteStatus:
        asked_at = clock.now()
        try:
            current = self._item(remote_id)
            if current.get("status") in {"draft", "private", "trash"}:
                return self._seen(current, asked_at)
            return self._put(remote_id, {"status": "draft"})
        except NotFound:
            return gone(remote_id, asked_at)

    def relist(self, remote_id: str) -> RemoteStatus:
        asked_at = clock.now()
        current = self._item(remote_id)
        banned = moderation(current)
        if banned is not None:
            raise Rejected("banned", banned, reasons=(banned,))
        if current.get("status") == "publish" and current.get("catalog_visibility") != "hidden":
            return self._seen(current, asked_at)
        return self._put(remote_id, {"status": "publish", "catalog_visibility": "visible"})

    def _put(self, remote_id: str, body: Mapping[str, Any]) -> RemoteStatus:
        asked_at = clock.now()
        return self._seen(self._api.call("PUT", product_path(remote_id), body=body), asked_at)

    def delete(self, remote_id: str) -> RemoteStatus:
        with contextlib.suppress(NotFound):  # gone, or in the bin already
            self._api.answer("DELETE", product_path(remote_id), params={"force": "false"})
        # The answer to DELETE still says "publish" while the item is in the bin already: only reading tells.
        (now,) = self.status([remote_id])
        return now

    def status(self, remote_ids: Sequence[str]) -> list[RemoteStatus]:
        seen: dict[str, RemoteStatus] = {}
        wanted = list(dict.fromkeys(remote_ids))
        for start in range(0, len(wanted), self.limits.status_batch):
            part = wanted[start : start + self.limits.status_batch]
            params = {
                "include": ",".join(map(checked_id, part)),
                "status": "any",
                "per_page": "100",
                "_fields": FIELDS,
            }
            asked_at = clock.now()
            for status in self._seen_together(self._api.rows("/products", params), asked_at):
                seen[status.remote_id] = status
        for remote_id in wanted:
            if remote_id not in seen:
                # status=any leaves out the bin: absence from the list is not yet proof.
                seen[remote_id] = self._status_of(remote_id)
        return [seen[remote_id] for remote_id in remote_ids]

    def _status_of(self, remote_id: str) -> RemoteStatus:
        asked_at = clock.now()
        try:
            item = self._item(remote_id)
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

    def _item(self, remote_id: str) -> dict[str, Any]:
        return self._api.call("GET", product_path(remote_id), params={"_fields": FIELDS})

    def _seen(self, item: Mapping[str, Any], asked_at: datetime) -> RemoteStatus:
        return observed(item, asked_at, self._pages)

    def _seen_together(self, items: Sequence[Mapping[str, Any]], asked_at: datetime) -> list[RemoteStatus]:
        """What visitors get at the pages of these items, a few pages at once: the shop's seconds add up, ours need not."""
        if len(items) <= 1:
            return [self._seen(item, asked_at) for item in items]
        with ExitStack() as open_lines, ThreadPoolExecutor(PAGES_AT_ONCE) as askers:
            free: SimpleQueue[ProductPages] = SimpleQueue()
            for _ in range(min(PAGES_AT_ONCE, len(items))):
                free.put(ProductPages(open_lines.enter_context(contextlib.closing(self._http.twin())), self._base))

            def seen(item: Mapping[str, Any]) -> RemoteStatus:
                pages = free.get()
                try:
                    return observed(item, asked_at, pages)
                finally:
                    free.put(pages)

            return list(askers.map(seen, items))

    def _by_sku(self, sku: str, status: str) -> dict[str, Any] | None:
        """The shop compares SKUs without case; an exact match wins over one that differs in case."""
        rows = self._api.rows("/products", {"sku": sku, "status": status, "per_page": "100", "_fields": FIELDS})
        exact = [row for row in rows if str(row.get("sku", "")) == sku]
        alike = [row for row in rows if str(row.get("sku", "")).casefold() == sku.casefold()]
        return next(iter(exact or alike), None)

    def _behind_the_lock(self, draft: ListingDraft, conflict: Conflict) -> RemoteStatus:
        """The SKU is reserved, but the shop does not say by what: an item in the bin, or one made at this very moment."""
        found = self._by_sku(draft.sku, "any")
        if found is not None:
            raise Conflict(conflict.code, conflict.said, raw=conflict.raw, existing_remote_id=str(found["id"]))
        binned = self._by_sku(draft.sku, "trash")
        if binned is None:
            raise conflict
        remote_id = str(binned["id"])
        if meta(binned).get(META_LISTING) != draft.listing_id:
            raise Conflict(
                "sku_in_bin",
                N_(
                    "Mã hàng %(sku)s đang nằm trong thùng rác của gian hàng (mã %(remote_id)s). Hãy vào quản trị gian "
                    "hàng khôi phục hoặc xóa hẳn tin đó, rồi đăng lại.",
                    sku=draft.sku,
                    remote_id=remote_id,
                ),
                raw=conflict.raw,
                existing_remote_id=remote_id,
            )
        written = self.update(remote_id, draft)
        try:
            return replace(self.relist(remote_id), stock_before=written.stock_before)
        except ChannelError as error:
            error.wrote = True
            raise

    def _currency_in_dong(self) -> str | None:
        """VND, or None where the key's owner may not read settings. Raises WrongCurrency."""
        currency = self._setting("general/woocommerce_currency")
        if currency not in {None, "VND"}:
            raise WrongCurrency(
                "currency",
                N_(
                    "Gian hàng đang bán bằng %(currency)s, không phải đồng, nên mọi giá đưa sang sẽ sai. Trong quản "
                    "trị gian hàng, vào WooCommerce → Cài đặt → Chung, đổi Tiền tệ sang VND (đồng), rồi kết nối lại.",
                    currency=currency,
                ),
                field="base_url",
            )
        return currency

    def _setting_issues(self, currency: str | None) -> Iterable[Issue]:
        if currency is None:
            yield Issue(
                "base_url",
                "currency_unknown",
                N_(
                    "Mã truy cập này không đọc được tiền tệ của gian hàng. Hãy xem trong WooCommerce → Cài đặt → "
                    "Chung: phải là VND (đồng), nếu không giá sẽ sai."
                ),
            )
        unit = self._setting("products/woocommerce_weight_unit")
        ours = "kg" if self._kilograms else "g"
        if unit not in {None, ours}:
            yield Issue(
                "weight_unit",
                "weight_unit",
                N_(
                    "Gian hàng tính khối lượng bằng %(unit)s, còn tài khoản này ghi %(ours)s, nên khối lượng trên sàn "
                    "sẽ sai. Hãy mở tài khoản chọn lại đơn vị, hoặc đổi trong WooCommerce → Cài đặt → Sản phẩm sang kg "
                    "hay g.",
                    unit=unit,
                    ours=ours,
                ),
            )

    def _setting(self, name: str) -> str | None:
        """None where the key's owner may not read settings."""
        try:
            return str(self._api.call("GET", f"/settings/{name}").get("value") or "") or None
        except (AuthRevoked, NotFound, Permanent):
            return None

    def _category_id(self, hint: str | None) -> int | None:
        if not hint:
            return None
        wanted = nfc(hint).casefold()
        rows = self._api.rows("/products/categories", {"search": nfc(hint), "per_page": "100", "_fields": "id,name"})
        return next((int(row["id"]) for row in rows if nfc(html.unescape(str(row["name"]))).casefold() == wanted), None)

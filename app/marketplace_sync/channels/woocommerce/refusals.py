"""What an answer that is no success means: the shop's own codes and statuses as errors that every channel raises."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import httpx

from app.addresses import split_address
from app.marketplace_sync.channels.errors import (
    AuthRevoked,
    ChannelError,
    Conflict,
    NotFound,
    OutcomeUnknown,
    Permanent,
    RateLimited,
    Rejected,
    Retryable,
    Validation,
)
from app.marketplace_sync.channels.http import Answer, Redactor, retry_after
from app.marketplace_sync.channels.woocommerce.items import GONE, REMOTE_WORDS, ban

BLOCKED_WAIT: Final = timedelta(minutes=15)

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


class Refusals:
    """Gives the errors to raise, with the answer in them but without the account's secrets."""

    def __init__(self, redact: Redactor) -> None:
        self._redact = redact

    def unreadable(self, answer: Answer, *, creates: bool) -> ChannelError:
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

    def error(self, answer: Answer, *, creates: bool) -> ChannelError:
        said, status = self._said(answer), answer.status
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
            return self.no_api(raw) if code in {"", "rest_no_route"} else not_found(raw)
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
            return not_found(raw)
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
        host = split_address(place).netloc.rpartition("@")[2][:100] or "?"
        return Permanent(
            "moved",
            vi=f"Gian hàng đã chuyển sang {host}. Hãy sửa địa chỉ trong tài khoản gian hàng (kể cả http hay https).",
            en=f"The shop has moved to {host}. Correct the address in the account (http or https too).",
            raw=raw,
        )

    def no_api(self, raw: str) -> Permanent:
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


def _sku_taken(raw: str, holder: str | None) -> Conflict:
    return Conflict(
        "sku_taken",
        vi="Mã hàng (SKU) này đã có trên gian hàng. Hãy xem tin trùng mã ở đó, kể cả trong thùng rác.",
        en="This SKU exists in the shop already. Look for the item with the same SKU there, in the bin too.",
        raw=raw,
        existing_remote_id=holder,
    )


def not_found(raw: str) -> NotFound:
    return NotFound("no_such_item", vi=REMOTE_WORDS[GONE].vi, en=REMOTE_WORDS[GONE].en, raw=raw)

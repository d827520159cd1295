"""Answers that are no success: the shop's own codes and statuses as errors that every channel raises."""

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
from app.messages import N_

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
                N_("Gian hàng đã nhận tin nhưng trả lời không đọc được. Hệ thống sẽ tra lại xem tin đã có chưa."),
                raw=raw,
            )
        return Retryable(
            "answer_unreadable",
            N_("Gian hàng trả về một trang khác, có thể đang bảo trì. Hệ thống sẽ tự thử lại."),
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
                N_("Gian hàng yêu cầu gửi chậm lại. Hệ thống sẽ tự đợi rồi gửi tiếp."),
                raw=raw,
                after=wait,
            )
        if status in {500, 502, 504} and creates:
            return OutcomeUnknown(
                "server_error",
                N_(
                    "Gian hàng gặp trục trặc khi nhận tin (mã %(status)s). Hệ thống sẽ tra lại xem tin đã có chưa.",
                    status=status,
                ),
                raw=raw,
            )
        if status >= httpx.codes.INTERNAL_SERVER_ERROR or status in {0, 408, 425}:
            return Retryable(
                code or "server_error",
                N_("Gian hàng đang trục trặc hoặc bảo trì. Hệ thống sẽ tự thử lại."),
                raw=raw,
                after=wait,
            )
        said = f"“{self._redact(message)}”" if message else str(status)
        return Permanent(
            code or "refused",
            N_("Gian hàng không nhận và nói: %(said)s. Hãy báo người quản trị gian hàng.", said=said),
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
            return Rejected("banned", reason, raw=raw, reasons=(reason,))
        if code == "woocommerce_rest_already_trashed":
            return NotFound(code, REMOTE_WORDS["trash"], raw=raw)
        if "image" in code:
            return Validation(
                code,
                N_(
                    "Gian hàng không tải được ảnh sản phẩm. Hãy kiểm tra ảnh mở được từ bên ngoài và đúng loại JPG, "
                    "PNG, WebP."
                ),
                raw=raw,
                field="images",
            )
        if code == "product_invalid_global_unique_id":
            return Validation(
                code,
                N_("Mã vạch (GTIN) này đã dùng cho một tin khác trên gian hàng, hoặc không đúng."),
                raw=raw,
                field="gtin",
            )
        if code in {"rest_invalid_param", "rest_missing_callback_param"}:
            params = details.get("params")
            names = ", ".join(map(str, params))[:100] if isinstance(params, dict | list) else "?"
            return Validation(
                code,
                N_("Gian hàng không nhận giá trị của: %(names)s.", names=names),
                raw=raw,
                field=_FIELD_OF.get(names.split(",", maxsplit=1)[0]),
            )
        return None

    def _refused(self, code: str, raw: str) -> ChannelError:
        if "timestamp" in raw.lower():
            return Retryable(
                "clock_skew",
                N_("Đồng hồ của máy chủ và của gian hàng lệch nhau quá 15 phút. Hãy chỉnh lại giờ máy chủ."),
                raw=raw,
            )
        if "nonce" in raw.lower():
            return Retryable(
                "nonce_used",
                N_("Gian hàng cho là yêu cầu bị gửi lặp. Hệ thống sẽ tự gửi lại."),
                raw=raw,
                after=timedelta(seconds=1),
            )
        if not code:
            return Retryable(
                "blocked",
                N_(
                    "Tường lửa của gian hàng đang chặn hệ thống. Hãy nhờ người quản trị gian hàng cho phép máy chủ này."
                ),
                raw=raw,
                after=BLOCKED_WAIT,
            )
        return AuthRevoked(
            code,
            N_(
                "Gian hàng không nhận mã truy cập này, hoặc mã không có quyền Đọc/Ghi. Hãy tạo mã mới trong gian "
                "hàng rồi nhập lại."
            ),
            raw=raw,
        )

    def _moved(self, answer: Answer, raw: str) -> Permanent:
        place = answer.headers.get("location", "")
        host = split_address(place).netloc.rpartition("@")[2][:100] or "?"
        return Permanent(
            "moved",
            N_(
                "Gian hàng đã chuyển sang %(host)s. Hãy sửa địa chỉ trong tài khoản gian hàng (kể cả http hay https).",
                host=host,
            ),
            raw=raw,
        )

    def no_api(self, raw: str) -> Permanent:
        return Permanent(
            "no_api",
            N_(
                "Địa chỉ này không có WooCommerce REST API. Hãy xem lại địa chỉ, và trong gian hàng chọn Cài đặt → "
                "Đường dẫn tĩnh khác kiểu “Đơn giản”."
            ),
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
        N_("Mã hàng (SKU) này đã có trên gian hàng. Hãy xem tin trùng mã ở đó, kể cả trong thùng rác."),
        raw=raw,
        existing_remote_id=holder,
    )


def not_found(raw: str) -> NotFound:
    return NotFound("no_such_item", REMOTE_WORDS[GONE], raw=raw)

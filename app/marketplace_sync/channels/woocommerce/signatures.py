"""The signatures on calls to a WooCommerce shop over plain http, and on the messages it sends."""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from app.marketplace_sync.channels.errors import Permanent

WEBHOOK_MAX_BYTES: Final = 1_000_000


def oauth1_parameters(
    method: str,
    url: str,
    params: Mapping[str, str],
    *,
    key: str,
    secret: str,
    nonce: str,
    timestamp: int,
) -> dict[str, str]:
    """Query parameters with a one-legged OAuth 1.0a signature (RFC 5849 §3.4, HMAC-SHA256, no token).

    WooCommerce takes Basic authentication over https only; this is its way over plain http.
    """
    signed = {
        **params,
        "oauth_consumer_key": key,
        "oauth_nonce": nonce,
        "oauth_signature_method": "HMAC-SHA256",
        "oauth_timestamp": str(timestamp),
    }
    base = oauth1_base_string(method, url, signed)
    digest = hmac.new(f"{secret}&".encode(), base.encode(), hashlib.sha256).digest()
    return {**signed, "oauth_signature": base64.b64encode(digest).decode()}


def oauth1_base_string(method: str, url: str, params: Mapping[str, str]) -> str:
    """RFC 5849 §3.4.1: names and values are encoded, sorted, joined, and the whole encoded once more."""
    pairs = sorted((_encode(name), _encode(value)) for name, value in params.items())
    normalised = "&".join(f"{name}={value}" for name, value in pairs)
    return "&".join((method.upper(), _encode(url), _encode(normalised)))


def webhook_signature(secret: str, raw: bytes) -> str:
    """Base64 of HMAC-SHA256 over the bytes as received; a re-dumped JSON never matches (WooCommerce escapes / and non-ASCII)."""
    return base64.b64encode(hmac.new(secret.encode(), raw, hashlib.sha256).digest()).decode()


def verify_webhook(secret: str, headers: Mapping[str, str], raw: bytes) -> str:
    """The topic ("product.updated"), or "ping" for the unsigned greeting sent when a webhook is saved.

    A ping proves nothing and must change nothing. Raises Permanent for anything else that is not properly signed.
    """
    found = {name.lower(): value for name, value in headers.items()}
    given = found.get("x-wc-webhook-signature", "")
    if not given and re.fullmatch(rb"webhook_id=\d{1,12}", raw):
        return "ping"
    signed = len(raw) <= WEBHOOK_MAX_BYTES and hmac.compare_digest(
        webhook_signature(secret, raw).encode(), given.encode()
    )
    if not secret or not signed:
        raise Permanent(
            "webhook_signature",
            vi="Tin báo từ gian hàng không có chữ ký đúng nên bị bỏ qua. Hãy xem lại khóa webhook của tài khoản.",
            en="The shop's message is not properly signed and was ignored. Check the account's webhook secret.",
        )
    return found.get("x-wc-webhook-topic", "")


def _encode(text: str) -> str:
    return quote(text, safe="-._~")

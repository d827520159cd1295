"""The signatures on calls to a WooCommerce shop over plain http."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import quote


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


def _encode(text: str) -> str:
    return quote(text, safe="-._~")

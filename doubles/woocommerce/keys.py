"""Keys and signatures of those who may call the simulated shop's API."""

import base64
import hashlib
import hmac
from typing import Final
from urllib.parse import quote, urlsplit

from flask import Response, request

from app import clock
from doubles.woocommerce.base import double, shop
from doubles.woocommerce.errors import ShopError

TIME_WINDOW: Final = 15 * 60


def authenticate() -> Response | None:
    secure = request.is_secure or request.headers.get("X-Forwarded-Proto") == "https"
    if not (_basic() if secure else False) and not _oauth():
        verb = {"GET": "list", "POST": "create", "PUT": "edit", "DELETE": "delete"}.get(request.method, "view")
        code = {"list": "woocommerce_rest_cannot_view", "view": "woocommerce_rest_cannot_view"}.get(
            verb, f"woocommerce_rest_cannot_{verb}"
        )
        raise ShopError(401, code, f"Sorry, you cannot {verb} resources.")
    permissions = shop().option("permissions", "read_write")
    needed = "read" if request.method in {"GET", "HEAD"} else "write"
    if needed not in permissions:
        raise ShopError(
            401, "woocommerce_rest_authentication_error", f"The API key provided does not have {needed} permissions."
        )
    return None


def _denied(message: str) -> ShopError:
    return ShopError(401, "woocommerce_rest_authentication_error", message)


def _known_key(given: str) -> bool:
    return (
        hmac.compare_digest(given.encode(), double().key.encode())
        and shop().option("permissions", "read_write") != "revoked"
    )


def _basic() -> bool:
    """WooCommerce looks at Basic credentials on encrypted connections only."""
    given = request.authorization
    if given is None or given.type != "basic" or not _known_key(given.username or ""):
        return False
    if not hmac.compare_digest((given.password or "").encode(), double().secret.encode()):
        raise _denied("Consumer secret is invalid.")
    return True


def _oauth() -> bool:
    """One-legged OAuth 1.0a, checked as class-wc-rest-authentication.php does, written apart from the channel's signing."""
    given = request.args.to_dict()
    names = ("oauth_consumer_key", "oauth_timestamp", "oauth_nonce", "oauth_signature", "oauth_signature_method")
    missing = [name for name in names if not given.get(name)]
    if len(missing) == len(names):
        return False
    if missing:
        raise ShopError(
            401, "woocommerce_rest_authentication_missing_parameter", f"Missing OAuth parameter {', '.join(missing)}"
        )
    if not _known_key(given["oauth_consumer_key"]):
        raise _denied("Consumer key is invalid.")
    signature = given.pop("oauth_signature").replace(" ", "+")
    pieces = [quote(f"{quote(name, safe='')}={quote(given[name], safe='')}", safe="") for name in sorted(given)]
    path = urlsplit(str(request.environ.get("REQUEST_URI", request.path))).path
    text = f"{request.method}&{quote(shop().home + path, safe='')}&{'%26'.join(pieces)}"
    algorithm = {"HMAC-SHA1": hashlib.sha1, "HMAC-SHA256": hashlib.sha256}.get(given["oauth_signature_method"])
    if algorithm is None:
        raise _denied("Invalid signature - signature method is invalid.")
    right = base64.b64encode(hmac.new(f"{double().secret}&".encode(), text.encode(), algorithm).digest()).decode()
    if not hmac.compare_digest(right.encode(), signature.encode()):
        raise _denied("Invalid signature - provided signature does not match.")
    now = int(clock.machine_now().timestamp())
    stamp = given["oauth_timestamp"]
    if not stamp.isdigit() or abs(int(stamp) - now) > TIME_WINDOW:
        raise _denied("Invalid timestamp.")
    if not shop().spend_nonce(given["oauth_nonce"], now):
        raise _denied("Invalid nonce - nonce has already been used.")
    return True

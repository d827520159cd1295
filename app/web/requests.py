"""Around every request: its id, its line in the log, its figures, and the headers of its answer."""

import ipaddress
import re
import secrets
from functools import lru_cache
from itertools import chain
from time import perf_counter

import structlog
from flask import Response, g, request
from prometheus_client import Counter, Histogram
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from app import answering
from app.errors import BadAddress
from app.logs import scrub
from app.messages import N_
from app.settings import Settings
from app.web.process import is_https, web

log = structlog.get_logger()

UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}
METHODS = UNSAFE | {"GET", "HEAD", "OPTIONS"}
REQUEST_ID = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9_-]{8,64}")  # it is kept, and digits alone may be a phone number

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self' data: blob:; style-src 'self'; script-src 'self'; font-src 'self';"
        " connect-src 'self'; manifest-src 'self'; worker-src 'self'; media-src 'self' blob:;"
        " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Permissions-Policy": "geolocation=(self), camera=(self), microphone=(self)",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}

REQUESTS = Counter("hoi_http_requests_total", "Requests answered", ["method", "endpoint", "status"])
SECONDS = Histogram("hoi_http_request_seconds", "Time to answer", ["endpoint"])


CONTROLS = re.compile(r"[\x00-\x1f\x7f]")  # PostgreSQL takes no NUL, and nobody types the others into an address


@lru_cache(maxsize=256)
def takes_html(accept: str) -> bool:
    """Whether a visitor with this Accept header reads HTML. Without one (empty), anything is welcome."""
    return not accept.strip() or parse_accept_header(accept, MIMEAccept).quality("text/html") > 0


FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Via")


class _Told:
    """Whether the log of this process has been told of the proxy already."""

    proxied_unknown = False


def proxied_unknown(settings: Settings) -> bool:
    """A proxy speaks for others, and HOI_TRUSTED_PROXIES says that none stands before us. Told to the log once.

    From a public address such a header proves nothing: anybody may write one, to be counted nowhere.
    """
    found = (
        not settings.trusted_proxies
        and any(name in request.headers for name in FORWARDED)
        and _may_be_a_proxy(request.remote_addr or "")
    )
    if found and not _Told.proxied_unknown:
        _Told.proxied_unknown = True
        log.error("a proxy stands before the web: set HOI_TRUSTED_PROXIES, or no limit by address can be kept")
    return found


def _may_be_a_proxy(address: str) -> bool:
    """On this machine or in a network of its own, RFC 1918 and the like; a Unix socket's caller has no address at all."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return True
    found = getattr(found, "ipv4_mapped", None) or found
    return found.is_loopback or found.is_private


def begin() -> None:
    """Name the request. Raises BadAddress for control characters in its address: here, so that no route has to think of them."""
    given = request.headers.get("X-Request-Id", "")
    g.request_id = given if REQUEST_ID.fullmatch(given) and scrub(given) == given else secrets.token_hex(8)
    g.started = perf_counter()
    answering.begin(request.path)
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)
    if any(CONTROLS.search(text) for text in [request.path, *chain.from_iterable(request.args.items(multi=True))]):
        raise BadAddress(
            "address_controls", N_("Địa chỉ này có ký tự không đọc được. Hãy gõ lại địa chỉ, hoặc về trang đầu.")
        )


def finish(response: Response) -> Response:
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    if is_https(web().settings):
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    if "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "no-store"
    response.headers["X-Request-Id"] = g.get("request_id", "")
    endpoint = request.endpoint or "none"
    seconds = perf_counter() - g.get("started", perf_counter())
    method = request.method if request.method in METHODS else "other"  # a label stays for ever; anybody may invent one
    REQUESTS.labels(method, endpoint, str(response.status_code)).inc()
    SECONDS.labels(endpoint).observe(seconds)
    if endpoint not in {"static", "_healthz", "_readyz", "_metrics"}:
        log.info(
            "request",
            method=method,
            endpoint=endpoint,
            status=response.status_code,
            ms=round(seconds * 1000, 1),
            person=str(g.actor.person_id) if "actor" in g and g.actor.person_id else None,
        )
    return response


def forget(_error: BaseException | None) -> None:
    structlog.contextvars.clear_contextvars()
    answering.end()

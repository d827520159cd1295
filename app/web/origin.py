"""The origin of a request that changes something: it must be a page of ours, asked before its form's token is.

- Sec-Fetch-Site, which no page's script can set, says "same-origin", or "none" for what the visitor did by hand;
- a browser too old for that sends Origin with every form: it must be ours;
- one too old for both must show the form's token, and a Referer, if it sends one, must be ours.

A sibling host under the same domain is foreign, as any other.
"""

from flask import request

from app.addresses import origin
from app.errors import Forbidden
from app.messages import N_
from app.web.process import web
from app.web.requests import UNSAFE


def refuse_foreign() -> None:
    """Raises Forbidden for what another site makes a browser send: our cookies would go along with it."""
    if request.method in UNSAFE and _is_ours() is False:
        raise foreign_page()


def surely_ours() -> bool:
    """The browser itself says so; neither a token nor a Referer suffices."""
    return _is_ours() is True and not {"Sec-Fetch-Site", "Origin"}.isdisjoint(request.headers.keys())


def foreign_page() -> Forbidden:
    return Forbidden(
        "foreign_page", N_("Yêu cầu này không đến từ trang của Hồi nên chưa ghi gì. Hãy mở lại trang của Hồi rồi gửi.")
    )


def _is_ours() -> bool | None:
    """None when the browser does not say."""
    fetched, sent_from = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if fetched is not None:
        return fetched in {"same-origin", "none"}
    if sent_from is not None:
        return _same(sent_from)
    referrer = request.headers.get("Referer")
    return None if referrer is None else _same(referrer)


def _same(address: str) -> bool:
    given = origin(address)
    return given != "" and given in {origin(request.host_url), web().settings.public_url}

"""Cookies of ours. Over HTTPS their names begin with __Host-: no sibling host under the same domain can set or replace one.

A browser takes such a name only with Secure, with Path=/ and without Domain (RFC 6265bis, section 4.1.3.2).
"""

from flask import request
from werkzeug.wrappers import Response as BaseResponse

from app.settings import Settings
from app.web.process import is_https, web


def cookie_name(plain: str, settings: Settings) -> str:
    return f"__Host-{plain}" if is_https(settings) else plain


def read_cookie(plain: str) -> str:
    """Its value, or nothing. Over HTTPS the plain name, which anybody near may have set, is not looked at."""
    return request.cookies.get(cookie_name(plain, web().settings), "")


def keep_cookie(response: BaseResponse, plain: str, value: str, *, max_age_seconds: int) -> None:
    settings = web().settings
    response.set_cookie(
        cookie_name(plain, settings),
        value,
        max_age=max_age_seconds,
        path="/",
        httponly=True,
        samesite="Lax",
        secure=is_https(settings),
    )


def drop_cookie(response: BaseResponse, plain: str) -> None:
    settings = web().settings
    response.delete_cookie(
        cookie_name(plain, settings), path="/", httponly=True, samesite="Lax", secure=is_https(settings)
    )

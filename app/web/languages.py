"""The language of a page: Vietnamese until the visitor chooses."""

from urllib.parse import urlsplit

from flask import redirect, request
from werkzeug.wrappers import Response as BaseResponse

from app.web.process import is_https, web

LANGUAGES = ("vi", "en")
LANGUAGE_COOKIE = "hoi_lang"


def language() -> str:
    """Vietnamese unless the visitor chose otherwise; a link may carry ?lang=."""
    asked = request.args.get("lang") or request.cookies.get(LANGUAGE_COOKIE) or ""
    return asked if asked in LANGUAGES else "vi"


def choose_language() -> BaseResponse:
    chosen = request.form.get("lang", "")
    response = redirect(own_address(request.form.get("back", "/")), 303)
    if chosen in LANGUAGES:
        response.set_cookie(LANGUAGE_COOKIE, chosen, max_age=31536000, samesite="Lax", secure=is_https(web().settings))
    return response


def own_address(wanted: str, default: str = "/") -> str:
    """The address, when it is a path of ours; browsers drop tabs and line ends, so those never pass."""
    ours = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable()
    return wanted if ours and not urlsplit(wanted).netloc else default

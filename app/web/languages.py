"""The language of a page: Vietnamese until the visitor chooses."""

from flask import redirect, request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Response as BaseResponse

from app.addresses import split_address
from app.languages import LANGUAGES, SOURCE
from app.web.process import is_https, web

LANGUAGE_COOKIE = "hoi_lang"
FORM_LANGUAGE = "form_language"


def language() -> str:
    """Vietnamese unless the visitor chose otherwise; a link may carry ?lang=."""
    asked = request.args.get("lang") or request.cookies.get(LANGUAGE_COOKIE) or ""
    return asked if asked in LANGUAGES else SOURCE


def form_language() -> str:
    """The language in which the form that was sent, or is about to be shown, writes its numbers.

    Every form carries it beside its token, so that a choice made meanwhile in another tab changes no number. A form that
    is shown again keeps the language in which it was filled; what carries none is read in the request's language.
    """
    if request.method == "GET" or request.is_json:
        return language()
    try:
        sent = request.form.get(FORM_LANGUAGE)
    except RequestEntityTooLarge:  # the form itself is what was too large
        sent = None
    return sent if sent in LANGUAGES else language()


def choose_language() -> BaseResponse:
    chosen = request.form.get("lang", "")
    response = redirect(own_address(request.form.get("back", "/")), 303)
    if chosen in LANGUAGES:
        response.set_cookie(LANGUAGE_COOKIE, chosen, max_age=31536000, samesite="Lax", secure=is_https(web().settings))
    return response


def own_address(wanted: str, default: str = "/") -> str:
    """The address, when it is a path of ours; browsers drop tabs and line ends, so those never pass."""
    ours = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable()
    return wanted if ours and not split_address(wanted).netloc else default

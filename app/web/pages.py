"""A page from its template, and the files that it names."""

import hashlib
from functools import lru_cache

from flask import Response, flash, g, make_response, redirect, render_template, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.actor import PUBLIC
from app.settings import ROOT
from app.web.kept import form_token
from app.web.languages import language
from app.web.process import web


def page(template: str, status: int = 200, **context: object) -> Response:
    """Render a template. Routes that re-show a form after an error get status 422 from the error renderer."""
    return make_response(render_template(template, **context), g.get("reshow_status", status))


def done(said: str, url: str, *, tone: str = "met") -> BaseResponse:
    """Something was written: say so on the page that comes next."""
    flash(said, tone)
    return redirect(url, 303)


def template_context() -> dict[str, object]:
    return {
        "csrf_token": form_token,  # in the place of Flask-WTF's own
        "actor": g.get("actor", PUBLIC),
        "lang": language(),
        "settings": web().settings,
        "request_id": g.get("request_id", ""),
        "form_errors": g.get("form_errors", {}),
        "form_values": g.get("form_values", {}),
        "form_problem": g.get("form_problem"),
        "sign_in_needed": "sign_in_needed" in g,
    }


@lru_cache(maxsize=512)
def _asset_hash(path: str) -> str:
    file = ROOT / "app" / "static" / path
    return hashlib.sha256(file.read_bytes()).hexdigest()[:10] if file.is_file() else "0"


def asset(path: str) -> str:
    """The address of a static file, with its content's hash, so that phones may keep it for a year."""
    return url_for("static", filename=path, v=_asset_hash(path))

"""Puts all of this into a Flask application."""

import re

from flask import Flask
from flask_babel import Babel
from flask_wtf.csrf import CSRFError, CSRFProtect
from jinja2.ext import Extension
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from app import clock
from app.actor import Right, Role
from app.db import new_id
from app.errors import HoiError
from app.languages import NAMES, SOURCE, address_in
from app.settings import ROOT
from app.web.cookies import cookie_name
from app.web.errors import csrf_error, database_away, database_busy, http_error, render_error, twice_at_once, unexpected
from app.web.formats import (
    counting,
    form_day,
    form_number,
    how_many,
    number,
    quantity,
    vn_date,
    vn_datetime,
    vnd,
    words,
)
from app.web.languages import FORM_LANGUAGE, choose_language, form_language, language
from app.web.operations import healthz, metrics, readyz
from app.web.origin import refuse_foreign
from app.web.pages import asset, template_context
from app.web.parsing import MAX_FORM_BYTES, widen
from app.web.process import Web, is_https
from app.web.requests import begin, finish, forget

_INDENT = re.compile(r"\n[ \t]+")


class WithoutIndents(Extension):
    """Templates are indented for who reads them; of that a page carries one blank, or a list of fifty weighs a quarter more."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:  # noqa: ARG002 - jinja's signature
        return _INDENT.sub("\n ", source)


SESSION_COOKIE = "hoi_bieu_mau"  # holds the token of forms, and nothing else
csrf = CSRFProtect()


def install(app: Flask, web: Web) -> None:
    app.extensions["hoi"] = web
    app.config.update(
        SECRET_KEY=web.settings.signing_key(),
        SESSION_COOKIE_NAME=cookie_name(SESSION_COOKIE, web.settings),
        SESSION_COOKIE_PATH="/",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=is_https(web.settings),
        MAX_CONTENT_LENGTH=MAX_FORM_BYTES,
        MAX_FORM_PARTS=2000,
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=False,  # it wants a Referer, which browsers may leave out; `refuse_foreign` asks what they never do
        BABEL_DEFAULT_LOCALE=SOURCE,
        BABEL_DEFAULT_TIMEZONE="Asia/Ho_Chi_Minh",
        BABEL_TRANSLATION_DIRECTORIES=str(ROOT / "app" / "locale"),
        TEMPLATES_AUTO_RELOAD=False,
    )
    app.jinja_env.add_extension(WithoutIndents)
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(
        vn_date=vn_date,
        vn_datetime=vn_datetime,
        vnd=vnd,
        quantity=quantity,
        number=number,
        form_day=form_day,
        form_number=form_number,
        how_many=how_many,
        words=words,
        address_in=address_in,
    )
    app.jinja_env.globals.update(
        form_language=form_language,
        FORM_LANGUAGE=FORM_LANGUAGE,
        LANGUAGE_NAMES=NAMES,
        asset=asset,
        new_id=new_id,
        counting=counting,
        today=clock.today,
        now=clock.now,
        Right=Right,
        Role=Role,
    )
    if web.settings.trusted_proxies:
        hops = web.settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]  # Flask's documented way
    Babel(app, locale_selector=language)
    app.url_value_preprocessor(widen)
    app.before_request(begin)
    app.before_request(refuse_foreign)
    csrf.init_app(app)  # asks for the form's token, after those two
    app.after_request(finish)
    app.teardown_request(forget)
    app.context_processor(template_context)
    app.register_error_handler(HoiError, render_error)
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(CSRFError, csrf_error)
    app.register_error_handler(IntegrityError, twice_at_once)
    app.register_error_handler(OperationalError, database_away)
    app.register_error_handler(InterfaceError, database_away)
    app.register_error_handler(PoolTimeout, database_busy)
    app.register_error_handler(Exception, unexpected)
    app.add_url_rule("/healthz", view_func=healthz, endpoint="_healthz")
    app.add_url_rule("/readyz", view_func=readyz, endpoint="_readyz")
    app.add_url_rule("/metrics", view_func=metrics, endpoint="_metrics")
    app.add_url_rule("/ngon-ngu", view_func=choose_language, methods=["POST"], endpoint="choose_language")

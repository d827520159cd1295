"""What every route needs: the transaction, the actor, parsing, the page, and one place that renders errors."""

import contextlib
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from time import perf_counter
from typing import TypeVar
from urllib.parse import urlsplit

import structlog
from flask import (
    Blueprint,
    Flask,
    Response,
    current_app,
    g,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from flask_babel import Babel, get_locale
from flask_babel import gettext as _
from flask_wtf.csrf import CSRFError, CSRFProtect
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.orm import Session
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge
from werkzeug.exceptions import NotFound as WerkzeugNotFound
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import RequestRedirect
from werkzeug.wrappers import Response as BaseResponse

from app import clock, outbox
from app.actor import PUBLIC, SYSTEM, Actor, Role
from app.db import Database, Words, new_id
from app.errors import (
    Conflict,
    Forbidden,
    HoiError,
    Invalid,
    InvalidMany,
    NotFound,
    PasswordTold,
    TooLarge,
    TooMany,
    Unauthenticated,
    Unavailable,
    forbidden,
    not_found,
)
from app.logs import scrub, told
from app.settings import Settings, shared_metrics

log = structlog.get_logger()

LANGUAGES = ("vi", "en")
LANGUAGE_COOKIE = "hoi_lang"
SIGN_IN_COOKIE = "hoi_phien"
MAX_FORM_BYTES = 1024 * 1024  # uploads go through media, in parts; a form is text
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

OWED = Gauge("hoi_outbox_owed", "Events and deliveries that are not settled yet", multiprocess_mode="mostrecent")
GIVEN_UP = Gauge(
    "hoi_outbox_given_up",
    "Deliveries that were given up and wait for `hoi deliveries --revive`",
    multiprocess_mode="mostrecent",
)
REQUESTS = Counter("hoi_http_requests_total", "Requests answered", ["method", "endpoint", "status"])
SECONDS = Histogram("hoi_http_request_seconds", "Time to answer", ["endpoint"])

csrf = CSRFProtect()
SchemaT = TypeVar("SchemaT", bound=BaseModel)
ActorBuilder = Callable[[Session, str, str], Actor]


@dataclass(frozen=True, slots=True)
class Web:
    """What one web process holds: settings, database and the builder of actors that accounts provides."""

    settings: Settings
    database: Database
    build_actor: ActorBuilder


def install(app: Flask, web: Web) -> None:
    app.extensions["hoi"] = web
    app.config.update(
        SECRET_KEY=web.settings.signing_key(),
        SESSION_COOKIE_NAME="hoi_bieu_mau",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=is_https(web.settings),
        MAX_CONTENT_LENGTH=MAX_FORM_BYTES,
        MAX_FORM_PARTS=2000,
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_SSL_STRICT=False,
        BABEL_DEFAULT_LOCALE="vi",
        BABEL_DEFAULT_TIMEZONE="Asia/Ho_Chi_Minh",
        BABEL_TRANSLATION_DIRECTORIES=str(Path(__file__).parent / "locale"),
        TEMPLATES_AUTO_RELOAD=False,
    )
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(
        vn_date=vn_date, vn_datetime=vn_datetime, vnd=vnd, quantity=quantity, number=number, words=words
    )
    app.jinja_env.globals.update(asset=asset, new_id=new_id, today=clock.today, now=clock.now, Role=Role)
    if web.settings.trusted_proxies:
        hops = web.settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]  # Flask's documented way
    Babel(app, locale_selector=language)
    csrf.init_app(app)
    app.before_request(_begin)
    app.after_request(_finish)
    app.teardown_request(_forget)
    app.context_processor(_template_context)
    app.register_error_handler(HoiError, _render_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(CSRFError, _csrf_error)
    app.register_error_handler(IntegrityError, _twice_at_once)
    app.register_error_handler(OperationalError, _database_away)
    app.register_error_handler(InterfaceError, _database_away)
    app.register_error_handler(Exception, _unexpected)
    app.add_url_rule("/healthz", view_func=_healthz)
    app.add_url_rule("/readyz", view_func=_readyz)
    app.add_url_rule("/metrics", view_func=_metrics)
    app.add_url_rule("/ngon-ngu", view_func=_choose_language, methods=["POST"], endpoint="choose_language")


def is_https(settings: Settings) -> bool:
    return (settings.public_url or "").startswith("https://")


def web() -> Web:
    extension: Web = current_app.extensions["hoi"]
    return extension


# --- the request -------------------------------------------------------------------------------------------------


def _begin() -> None:
    given = request.headers.get("X-Request-Id", "")
    g.request_id = given if REQUEST_ID.fullmatch(given) and scrub(given) == given else secrets.token_hex(8)
    g.started = perf_counter()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def _finish(response: Response) -> Response:
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


def _forget(_error: BaseException | None) -> None:
    structlog.contextvars.clear_contextvars()


def actor() -> Actor:
    """The current actor: built once per request from the sign-in cookie (or a bearer token on /api/), else PUBLIC."""
    if "actor" not in g:
        token = request.cookies.get(SIGN_IN_COOKIE, "")
        found = PUBLIC
        if token:
            with web().database.transaction(SYSTEM) as session:
                found = web().build_actor(session, token, g.request_id)
        g.actor = found.with_request(g.request_id)
    known: Actor = g.actor
    return known


def signed_in(*, to_change_password: bool = False) -> Actor:
    """The current actor, who must be a person. Raises Unauthenticated, which pages answer with the sign-in page, and
    PasswordTold, answered with the page that changes it, everywhere but there.
    """
    known = actor()
    if not known.is_person:
        raise Unauthenticated(
            "sign_in_needed",
            vi="Bác cần đăng nhập để xem trang này.",
            en="Please sign in to see this page.",
        )
    if known.must_change_password and not to_change_password:
        raise PasswordTold(
            "password_told",
            vi="Mật khẩu này do người khác đặt. Bác đổi sang mật khẩu của riêng mình rồi mới dùng tiếp.",
            en="Somebody else chose this password. Change it to one of your own, then go on.",
        )
    return known


def require(*roles: Role) -> Actor:
    """The current actor, who must hold one of the roles somewhere. Raises Unauthenticated or Forbidden."""
    known = signed_in()
    if not known.has(*roles):
        raise forbidden()
    return known


@contextmanager
def transaction(as_actor: Actor | None = None) -> Iterator[Session]:
    """The one transaction of this request, as the current actor."""
    with web().database.transaction(as_actor or actor()) as session:
        yield session


def set_sign_in_cookie(response: BaseResponse, token: str, *, max_age_seconds: int) -> BaseResponse:
    response.set_cookie(
        SIGN_IN_COOKIE,
        token,
        max_age=max_age_seconds,
        httponly=True,
        samesite="Lax",
        secure=is_https(web().settings),
    )
    return response


def clear_sign_in_cookie(response: BaseResponse) -> BaseResponse:
    response.delete_cookie(SIGN_IN_COOKIE, httponly=True, samesite="Lax", secure=is_https(web().settings))
    return response


# --- parsing -----------------------------------------------------------------------------------------------------


def parse(schema: type[SchemaT], **more: object) -> SchemaT:
    """The request's form or JSON as a frozen schema; empty form fields count as missing. Raises Invalid(Many).

    A field declared as a list takes every value of that name.
    """
    data: dict[str, object] = {}
    if request.is_json:
        body = _json_body()
        if not isinstance(body, dict):
            raise Invalid(
                "not_json", vi="Nội dung gửi lên không đọc được (cần JSON).", en="The body is not readable JSON."
            )
        data.update(body)
    else:
        lists = {n for n, f in schema.model_fields.items() if _wants_list(f.annotation)}
        for name in request.form:
            if name == "csrf_token":
                continue
            values = [v for v in request.form.getlist(name) if v.strip()]
            if values:
                data[name] = values if name in lists else values[-1]
    data.update(more)
    return parse_data(schema, data)


def _json_body() -> object:
    """None for what is no JSON, and for what nests deeper than any of our bodies."""
    try:
        return request.get_json(silent=True)
    except RecursionError:
        return None


def parse_query(schema: type[SchemaT]) -> SchemaT:
    """The query string as a frozen schema; unknown names are left out, since addresses pick up foreign parameters."""
    known = schema.model_fields.keys()
    return parse_data(schema, {k: v for k, v in request.args.items() if k in known and v.strip()})


def parse_data(schema: type[SchemaT], data: Mapping[str, object]) -> SchemaT:
    try:
        return schema.model_validate(data)
    except ValidationError as error:
        found = [invalid_from(d) for d in error.errors(include_url=False)]
        raise found[0] if len(found) == 1 else InvalidMany(found) from None


def accept_files(blueprint: Blueprint, endpoints: Mapping[str, int]) -> None:
    """Let these endpoints of the blueprint (by their short names) take forms of so many bytes: forms with a file field.

    It must happen before anything reads the form, the check of the form's token included.
    """

    def widen(endpoint: str | None, _values: object) -> None:
        short = (endpoint or "").removeprefix(f"{blueprint.name}.")
        if short in endpoints:
            request.max_content_length = endpoints[short] + MAX_FORM_BYTES

    blueprint.url_value_preprocessor(widen)


def sent_file(field: str) -> bytes:
    """What came in a file field of the form; empty when nothing was chosen."""
    sent = request.files.get(field)
    return sent.read() if sent is not None else b""


def _wants_list(annotation: object) -> bool:
    return str(annotation).startswith(("list[", "tuple[", "frozenset["))


_PROBLEMS: dict[str, tuple[str, str]] = {
    "missing": ("Còn thiếu mục này.", "This field is missing."),
    "extra_forbidden": ("Có mục lạ không dùng được ở đây.", "This field is not known here."),
    "string_too_short": ("Chưa đủ chữ: cần ít nhất {min_length}.", "Too short: at least {min_length} characters."),
    "string_too_long": ("Dài quá: nhiều nhất {max_length} chữ.", "Too long: at most {max_length} characters."),
    "string_pattern_mismatch": ("Viết chưa đúng mẫu.", "Not in the expected form."),
    "int_parsing": ("Cần một số nguyên, ví dụ 12.", "Give a whole number, for example 12."),
    "int_type": ("Cần một số nguyên, ví dụ 12.", "Give a whole number, for example 12."),
    "int_from_float": ("Cần một số nguyên, ví dụ 12.", "Give a whole number, for example 12."),
    "decimal_parsing": ("Cần một con số, ví dụ 2,5.", "Give a number, for example 2.5."),
    "decimal_max_places": (
        "Nhiều nhất {decimal_places} chữ số sau dấu phẩy.",
        "At most {decimal_places} decimal places.",
    ),
    "decimal_max_digits": ("Con số quá lớn.", "The number is too large."),
    "decimal_whole_digits": ("Con số quá lớn.", "The number is too large."),
    "greater_than": ("Phải lớn hơn {gt}.", "Must be more than {gt}."),
    "greater_than_equal": ("Nhỏ nhất là {ge}.", "At least {ge}."),
    "less_than_equal": ("Lớn nhất là {le}.", "At most {le}."),
    "less_than": ("Phải nhỏ hơn {lt}.", "Must be less than {lt}."),
    "date_from_datetime_parsing": ("Ngày viết chưa đúng, ví dụ 24/11/2026.", "Not a date, for example 24/11/2026."),
    "date_parsing": ("Ngày viết chưa đúng, ví dụ 24/11/2026.", "Not a date, for example 24/11/2026."),
    "datetime_parsing": ("Giờ viết chưa đúng.", "Not a date and time."),
    "datetime_from_date_parsing": ("Giờ viết chưa đúng.", "Not a date and time."),
    "timezone_aware": ("Giờ phải có múi giờ, ví dụ +07:00.", "The time needs a time zone, for example +07:00."),
    "uuid_parsing": ("Mã không đúng dạng.", "Not a valid identifier."),
    "uuid_type": ("Mã không đúng dạng.", "Not a valid identifier."),
    "enum": ("Chọn một mục trong danh sách.", "Choose one of the list."),
    "literal_error": ("Chọn một mục trong danh sách.", "Choose one of the list."),
    "url_parsing": ("Đường dẫn phải bắt đầu bằng https://", "The link must start with https://"),
    "url_scheme": ("Đường dẫn phải bắt đầu bằng https://", "The link must start with https://"),
}


def invalid_from(detail: ErrorDetails) -> Invalid:
    field = ".".join(str(part) for part in detail["loc"]) or None
    kind = detail["type"]
    context = {k: v for k, v in (detail.get("ctx") or {}).items() if k != "error"}
    inner = (detail.get("ctx") or {}).get("error")
    if isinstance(inner, HoiError):
        return Invalid(inner.code, vi=inner.vi, en=inner.en, field=field)
    if kind in {"value_error", "assertion_error"} and inner is not None:
        return Invalid("value_error", vi=str(inner), en=str(inner), field=field)
    vi, en = _PROBLEMS.get(kind, ("Giá trị này chưa đúng.", "This value is not right."))
    return Invalid(kind, vi=vi.format(**context), en=en.format(**context), field=field)


# --- the page ----------------------------------------------------------------------------------------------------


def language() -> str:
    """Vietnamese unless the visitor chose otherwise; a link may carry ?lang=."""
    asked = request.args.get("lang") or request.cookies.get(LANGUAGE_COOKIE) or ""
    return asked if asked in LANGUAGES else "vi"


def _choose_language() -> BaseResponse:
    chosen = request.form.get("lang", "")
    response = redirect(own_address(request.form.get("back", "/")), 303)
    if chosen in LANGUAGES:
        response.set_cookie(LANGUAGE_COOKIE, chosen, max_age=31536000, samesite="Lax", secure=is_https(web().settings))
    return response


def own_address(wanted: str, default: str = "/") -> str:
    """The address, when it is a path of ours; browsers drop tabs and line ends, so those never pass."""
    ours = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable()
    return wanted if ours and not urlsplit(wanted).netloc else default


def _template_context() -> dict[str, object]:
    return {
        "actor": g.get("actor", PUBLIC),
        "lang": language(),
        "settings": web().settings,
        "request_id": g.get("request_id", ""),
        "form_errors": g.get("form_errors", {}),
        "form_values": g.get("form_values", {}),
        "form_problem": g.get("form_problem"),
        "sign_in_needed": "sign_in_needed" in g,
    }


def page(template: str, status: int = 200, **context: object) -> Response:
    """Render a template. Routes that re-show a form after an error get status 422 from the error renderer."""
    return make_response(render_template(template, **context), g.get("reshow_status", status))


@lru_cache(maxsize=512)
def _asset_hash(path: str) -> str:
    file = Path(__file__).parent / "static" / path
    return hashlib.sha256(file.read_bytes()).hexdigest()[:10] if file.is_file() else "0"


def asset(path: str) -> str:
    """The address of a static file, with its content's hash, so that phones may keep it for a year."""
    return url_for("static", filename=path, v=_asset_hash(path))


def vn_date(value: date | datetime | None) -> str:
    """dd/mm/yyyy in Vietnam."""
    if value is None:
        return ""
    day = clock.local(value).date() if isinstance(value, datetime) else value
    return day.strftime("%d/%m/%Y")


def vn_datetime(value: datetime | None) -> str:
    """dd/mm/yyyy hh:mm in Vietnam."""
    return "" if value is None else clock.local(value).strftime("%d/%m/%Y %H:%M")


def number(value: Decimal | float | None, places: int | None = None) -> str:
    """1.234.567,8 in Vietnamese, 1,234,567.8 in English."""
    if value is None:
        return ""
    exact = Decimal(str(value))
    plain = f"{exact:,.{places}f}" if places is not None else f"{exact.normalize():,f}"
    return plain if str(get_locale()) == "en" else plain.translate(str.maketrans(",.", ".,"))


def vnd(value: int | None) -> str:
    """Money in đồng."""
    return "" if value is None else f"{number(Decimal(value))} đ"


UNITS: dict[str, tuple[str, str]] = {
    "kg": ("kg", "kg"),
    "g": ("g", "g"),
    "tan": ("tấn", "t"),
    "l": ("lít", "L"),
    "ml": ("ml", "ml"),
    "m3": ("m³", "m³"),
    "piece": ("cái", "pcs"),
    "plant": ("cây", "plants"),
    "animal": ("con", "head"),
    "bag": ("bao", "bags"),
    "basket": ("gùi", "baskets"),
    "tank16": ("bình 16 lít", "16 L tanks"),
    "box": ("hộp", "boxes"),
    "bottle": ("chai", "bottles"),
    "hour": ("giờ", "h"),
    "m2": ("m²", "m²"),
    "ha": ("ha", "ha"),
    "sao": ("sào", "sào (360 m²)"),
}


def quantity(value: Decimal | None, unit: str | None) -> str:
    """A number with its unit's word."""
    if value is None or unit is None:
        return ""
    vi, en = UNITS.get(unit, (unit, unit))
    return f"{number(value)} {en if str(get_locale()) == 'en' else vi}"


def unit_options(units: Iterable[str]) -> list[tuple[str, str]]:
    """Units with their words, to choose from in a form."""
    return [(unit, UNITS[unit][1 if language() == "en" else 0]) for unit in units]


def words(value: Words | None) -> str:
    """The text in the visitor's language."""
    return "" if value is None else value.text(str(get_locale()))


# --- errors ------------------------------------------------------------------------------------------------------


def wants_json() -> bool:
    if request.path.startswith("/api/") or request.is_json:
        return True
    best = request.accept_mimetypes.best_match(["text/html", "application/problem+json", "application/json"])
    return best in {"application/problem+json", "application/json"}


def problem(error: HoiError) -> dict[str, object]:
    """RFC 9457 problem details, in Vietnamese, with the English sentence beside it."""
    body: dict[str, object] = {
        "type": f"urn:hoi:error:{error.code}",
        "status": error.status,
        "title": error.text(language()),
        "detail_vi": error.vi,
        "detail_en": error.en,
        "code": error.code,
        "request_id": g.get("request_id", ""),
    }
    if error.field:
        body["field"] = error.field
    if isinstance(error, InvalidMany):
        body["errors"] = [{"field": e.field, "code": e.code, "vi": e.vi, "en": e.en} for e in error.errors]
    return body


def _render_error(error: HoiError) -> Response:
    headers: dict[str, str] = {}
    if isinstance(error, TooMany | Unavailable):
        headers["Retry-After"] = str(error.retry_after_seconds)
    if wants_json():
        response = jsonify(problem(error))
        response.content_type = "application/problem+json"
    elif isinstance(error, Unauthenticated) and request.method == "GET":
        return make_response(redirect(url_for("accounts.sign_in", next=request.full_path.rstrip("?")), 303))
    elif isinstance(error, PasswordTold):
        back = request.full_path.rstrip("?") if request.method == "GET" else None
        return make_response(redirect(url_for("accounts.change_password", next=back), 303))
    else:
        shown = _reshow_form(error)
        response = shown or make_response(render_template("error.html", error=error), error.status)
    response.status_code = error.status
    response.headers.update(headers)
    return response


def _reshow_form(error: HoiError) -> Response | None:
    """Show the form's own page again with what was typed and what is wrong, where the same address has one."""
    if request.method not in UNSAFE or not isinstance(error, Invalid | Conflict | TooMany | TooLarge | Unauthenticated):
        return None
    adapter = current_app.url_map.bind_to_environ(request.environ)
    try:
        endpoint, values = adapter.match(request.path, method="GET")
    except (HTTPException, RequestRedirect):
        return None
    found = error.errors if isinstance(error, InvalidMany) else [error]
    g.form_errors = {e.field: e.text(language()) for e in found if e.field}
    g.form_problem = error
    try:
        g.form_values = request.form
    except RequestEntityTooLarge:  # the form itself is what was too large
        g.form_values = {}
    g.reshow_status = error.status
    try:
        return make_response(current_app.view_functions[endpoint](**values))
    except (HoiError, HTTPException, OperationalError, InterfaceError):  # then the plain page says what was wrong
        return None


def _http_error(error: HTTPException) -> Response | HTTPException:
    if isinstance(error, RequestRedirect):
        return error
    if isinstance(error, WerkzeugNotFound):
        return _render_error(not_found())
    if isinstance(error, RequestEntityTooLarge):
        return _render_error(
            TooLarge(
                "too_large",
                vi="Gửi lên quá lớn. Ảnh và tệp bác gửi ở ô chọn ảnh; chữ thì viết ngắn lại.",
                en="That is too large. Send photos and files through the file field; shorten the text.",
            )
        )
    if isinstance(error, MethodNotAllowed):
        return _render_error(not_found())
    code = error.code or 500
    plain = Invalid(
        f"http_{code}",
        vi="Yêu cầu này không đọc được. Bác tải lại trang rồi thử lại.",
        en=f"{error.name}. Reload and try again.",
    )
    response = _render_error(plain)
    response.status_code = code
    return response


def _csrf_error(_error: CSRFError) -> Response:
    return _render_error(
        Forbidden(
            "form_expired",
            vi="Trang này mở đã lâu hoặc mở từ nơi khác nên chưa ghi được. Bác tải lại trang rồi gửi lại.",
            en="This page was open for too long, or the form came from elsewhere. Reload it and send again.",
        )
    )


LOST_RACES = frozenset({"23505", "40001", "40P01", "55P03"})  # unique, serialisation, deadlock, lock timeout


def _twice_at_once(error: DBAPIError) -> Response:
    """Two equal requests met in the database, and this one came second: the first one stands."""
    if getattr(error.orig, "sqlstate", None) not in LOST_RACES:
        return _unexpected(error)
    return _render_error(
        Conflict(
            "changed_meanwhile",
            vi="Việc này vừa được ghi, hoặc có người đang ghi cùng lúc. Bác tải lại trang để xem rồi làm tiếp.",
            en="This was recorded a moment ago, or somebody is at it. Reload the page to see, then go on.",
        )
    )


def _database_away(error: Exception) -> Response:
    if isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in LOST_RACES:
        return _twice_at_once(error)
    log.error("database away", **told(error))
    return _render_error(
        Unavailable(
            "database_away",
            vi="Máy chủ đang bận trong giây lát. Việc vừa gửi chưa được ghi. Bác đợi nửa phút rồi gửi lại.",
            en="Our database does not answer for the moment. Nothing was saved. Wait half a minute and send again.",
        )
    )


def _unexpected(error: Exception) -> Response:
    log.error("unexpected error", exc_info=error, **told(error))
    if current_app.testing and current_app.config.get("PROPAGATE_EXCEPTIONS"):
        raise error
    return _render_error(
        HoiError(
            "unexpected",
            vi="Có trục trặc phía chúng tôi, việc vừa gửi chưa được ghi. Bác thử lại; nếu vẫn vậy, đọc mã dưới đây cho người hỗ trợ.",
            en="Something went wrong on our side and nothing was saved. Try again; if it stays, tell support the code below.",
        )
    )


# --- operations --------------------------------------------------------------------------------------------------


def _healthz() -> Response:
    return Response("ok\n", mimetype="text/plain")


def _readyz() -> Response:
    """The database answers and has our tables. Not the broker: without it the web still takes every piece of work."""
    with web().database.transaction(SYSTEM) as session:
        session.execute(text("SELECT 1 FROM outbox_events LIMIT 1"))
    return Response("ready\n", mimetype="text/plain")


def _metrics() -> Response:
    if request.remote_addr not in {"127.0.0.1", "::1", None}:
        raise not_found()
    with contextlib.suppress(DBAPIError):  # without a database the rest of the figures matters all the more
        with web().database.transaction(SYSTEM) as session:
            owed, given_up = outbox.open_debts(session), outbox.count_dead(session)
        OWED.set(owed)
        GIVEN_UP.set(given_up)
    return Response(generate_latest(_figures()), content_type=CONTENT_TYPE_LATEST)


def _figures() -> CollectorRegistry:
    """Those of all processes of this web, whichever of them is asked."""
    together = shared_metrics()
    if together is None:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=together)  # type: ignore[no-untyped-call]  # the library gives no types here
    return registry


def same(left: str, right: str) -> bool:
    """Constant-time comparison of secrets."""
    return hmac.compare_digest(left.encode(), right.encode())


__all__ = [
    "LANGUAGES",
    "Forbidden",
    "NotFound",
    "Web",
    "_",
    "actor",
    "asset",
    "clear_sign_in_cookie",
    "csrf",
    "install",
    "language",
    "page",
    "parse",
    "parse_data",
    "parse_query",
    "require",
    "set_sign_in_cookie",
    "signed_in",
    "transaction",
    "web",
]

"""The one place that renders errors: a page for people, problem details for machines, the form again where it was refused."""

from collections.abc import Sequence

import structlog
from flask import Response, current_app, g, jsonify, make_response, redirect, render_template, request, url_for
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge
from werkzeug.exceptions import NotFound as WerkzeugNotFound
from werkzeug.routing import RequestRedirect

from app.db import is_busy
from app.errors import (
    Conflict,
    FormExpired,
    HoiError,
    Invalid,
    InvalidMany,
    NotAcceptable,
    PasswordTold,
    TooLarge,
    TooMany,
    Unauthenticated,
    Unavailable,
    WrongMethod,
    not_found,
)
from app.logs import told
from app.messages import N_, in_each_language
from app.web.kept import keep, seal, signed_out, why_not_taken
from app.web.languages import language
from app.web.origin import surely_ours
from app.web.requests import UNSAFE

log = structlog.get_logger()

LOST_RACES = frozenset({"23505"})  # somebody recorded the same at that moment


def wants_json() -> bool:
    if request.path.startswith("/api/") or request.is_json:
        return True
    best = request.accept_mimetypes.best_match(["text/html", "application/problem+json", "application/json"])
    return best in {"application/problem+json", "application/json"}


def problem(error: HoiError) -> dict[str, object]:
    """RFC 9457 problem details, with the sentence in each language."""
    body: dict[str, object] = {
        "type": f"urn:hoi:error:{error.code}",
        "status": error.status,
        "title": error.text(language()),
        **{f"detail_{spoken}": said for spoken, said in in_each_language(error).items()},
        "code": error.code,
        "request_id": g.get("request_id", ""),
    }
    if error.field:
        body["field"] = error.field
    if isinstance(error, InvalidMany):
        body["errors"] = [{"field": e.field, "code": e.code, **in_each_language(e)} for e in error.errors]
    return body


def render_error(error: HoiError) -> Response:
    headers: dict[str, str] = {}
    if isinstance(error, TooMany | Unavailable):
        headers["Retry-After"] = str(error.retry_after_seconds)
    if isinstance(error, WrongMethod):
        headers["Allow"] = error.allowed
    if wants_json() or isinstance(error, NotAcceptable):
        response = jsonify(problem(error))
        response.content_type = "application/problem+json"
    elif isinstance(error, Unauthenticated) and request.method == "GET":
        return make_response(redirect(url_for("accounts.sign_in", next=request.full_path.rstrip("?")), 303))
    elif isinstance(error, Unauthenticated) and request.method in UNSAFE:
        return not_sent(signed_out() if error.code == "sign_in_needed" else error)
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
    if request.method not in UNSAFE or not isinstance(error, Invalid | Conflict | TooMany | TooLarge | FormExpired):
        return None
    adapter = current_app.url_map.bind_to_environ(request.environ)
    try:
        endpoint, values = adapter.match(request.path, method="GET")
    except (HTTPException, RequestRedirect):
        return None
    found = error.errors if isinstance(error, InvalidMany) else [error]
    g.form_errors = _by_field(found)
    g.form_problem = error
    try:
        g.form_values = request.form
    except RequestEntityTooLarge:  # the form itself is what was too large
        g.form_values = {}
    g.reshow_status = error.status
    try:
        return make_response(current_app.view_functions[endpoint](**values))
    except (
        HoiError,
        HTTPException,
        OperationalError,
        InterfaceError,
        PoolTimeout,
    ):  # then the plain page says what was wrong
        return None


def _by_field(errors: Sequence[HoiError]) -> dict[str, str]:
    """What is wrong with each field: its sentences one after the other, each once."""
    said: dict[str, list[str]] = {}
    for error in errors:
        if error.field:
            said.setdefault(error.field, []).append(error.text(language()))
    return {field: " ".join(dict.fromkeys(texts)) for field, texts in said.items()}


def http_error(error: HTTPException) -> Response | HTTPException:
    if isinstance(error, RequestRedirect):
        return error
    if isinstance(error, WerkzeugNotFound):
        return render_error(not_found())
    if isinstance(error, RequestEntityTooLarge):
        return render_error(
            TooLarge("too_large", N_("Gửi lên quá lớn. Ảnh và tệp thì gửi ở ô chọn ảnh; chữ thì viết ngắn lại."))
        )
    if isinstance(error, MethodNotAllowed):
        return render_error(WrongMethod(error.valid_methods or ()))
    code = error.code or 500
    plain = Invalid(f"http_{code}", N_("Yêu cầu này không đọc được. Hãy tải lại trang rồi thử lại."))
    response = render_error(plain)
    response.status_code = code
    return response


def csrf_error(_error: CSRFError) -> Response:
    """The form again, filled, where its page can be shown to whoever asks; else a page that keeps what was typed."""
    error = why_not_taken()
    if wants_json():
        return render_error(error)
    shown = _reshow_form(error) if isinstance(error, FormExpired) and surely_ours() else None
    if shown is None:
        return not_sent(error)
    shown.status_code = error.status
    return shown


def not_sent(error: HoiError) -> Response:
    """What was typed is kept in the page itself; another person's is not sent in this one's name."""
    kept = None if error.code == "form_of_another" else keep()
    context = {"error": error, "kept": kept, "sealed": seal(kept) if kept else ""}
    signed = isinstance(error, Unauthenticated)
    return make_response(render_template("not_sent.html", signed_out=signed, **context), error.status)


def twice_at_once(error: DBAPIError) -> Response:
    """Two equal requests met in the database, and this one came second: the first one stands."""
    if getattr(error.orig, "sqlstate", None) not in LOST_RACES:
        return unexpected(error)
    return render_error(
        Conflict(
            "changed_meanwhile",
            N_("Việc này vừa được ghi, hoặc có người đang ghi cùng lúc. Hãy tải lại trang để xem rồi làm tiếp."),
        )
    )


def database_away(error: Exception) -> Response:
    if is_busy(error):
        return database_busy(error)
    if isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in LOST_RACES:
        return twice_at_once(error)
    log.error("database away", **told(error))
    return render_error(
        Unavailable(
            "database_away",
            N_("Máy chủ đang bận trong giây lát. Việc vừa gửi chưa được ghi. Hãy đợi nửa phút rồi gửi lại."),
        )
    )


def database_busy(error: Exception) -> Response:
    """Somebody else holds what this request needs, for longer than a page waits. Nobody was faster: it is no conflict."""
    log.warning("database busy", **told(error))
    return render_error(
        Unavailable(
            "database_busy",
            N_("Máy chủ đang bận trong giây lát. Việc vừa gửi chưa được ghi. Hãy đợi mươi giây rồi gửi lại."),
            retry_after_seconds=10,
        )
    )


def unexpected(error: Exception) -> Response:
    log.error("unexpected error", exc_info=error, **told(error))
    if current_app.testing and current_app.config.get("PROPAGATE_EXCEPTIONS"):
        raise error
    return render_error(
        HoiError(
            "unexpected",
            N_(
                "Có trục trặc phía chúng tôi, việc vừa gửi chưa được ghi. Hãy thử lại; nếu vẫn vậy, đọc mã dưới "
                "đây cho người hỗ trợ."
            ),
        )
    )

"""The page behind a code, and the form to type one."""

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask_babel import force_locale
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from app.actor import SYSTEM
from app.doors.consumer import queries
from app.doors.consumer.queries import BatchPage
from app.doors.consumer.routes.batch_view import batch_view, code_text, title_of
from app.errors import BadAddress, HoiError, Invalid, NotAcceptable, NotFound, not_found
from app.languages import LANGUAGES, SOURCE, address_in
from app.messages import N_
from app.trace import codes, pages, scan_addresses
from app.trace.pages import StoredPage
from app.web import page, takes_html, transaction, wants_json, web

blueprint = Blueprint("consumer", "app.doors.consumer", template_folder="templates")


def _language() -> str:
    """Public pages are in the language of their address, never of a cookie: the same bytes for every visitor."""
    asked = request.args.get("lang", SOURCE)
    return asked if asked in LANGUAGES else SOURCE


def render(batch: BatchPage, language: str, base: str) -> bytes:
    """The page in one language, within an application's context. Nothing of the request may show in it."""
    path = scan_addresses.path_of_code(batch.code)
    with force_locale(language):
        return render_template(
            "consumer/batch.html",
            view=batch_view(batch, language),
            lang=language,
            request=None,
            request_id="",
            path=path,
            photo_url=url_for("pictures.picture", sha256=batch.photo, nho=1) if batch.photo else None,
            report_url=address_in(f"{path}/bao-van-de", language),
            type_at=f"{base.split('://', 1)[-1]}/t",
        ).encode()


def _stored(session: Session, code: str, language: str) -> StoredPage:
    """The stored page; rendered now when there is none that may be served."""
    opened = pages.open_page(session, code, language)
    if opened.page is not None:
        return opened.page
    batch = queries.batch_page(session, code, language)
    body = render(batch, language, web().settings.printed_base())
    return pages.store(session, code, language, opened.version, body, batch.next_change_at)


def _read_by_people() -> None:
    """Raises NotAcceptable. What we have behind a code is a page; a program that reads none shall not take it for its own format."""
    if not takes_html(request.headers.get("Accept", "")):
        raise NotAcceptable


def _answer(code: str) -> BaseResponse:
    """The page of a code. Everything is read across organisations, so as SYSTEM."""
    language = _language()
    with transaction(SYSTEM) as session:
        known = next((c for c in scan_addresses.spellings(code) if queries.code_exists(session, c)), None)
        found = _stored(session, code, language) if known == code else None
    if known is not None and known != code:  # somebody typed the address, or copied a bracket along
        return _moved(scan_addresses.path_of_code(known))
    if found is None:
        return _not_there(unknown=True, typed=code_text(code), status=404)
    _read_by_people()
    packed = "gzip" in request.headers.get("Accept-Encoding", "")
    etag = f"{found.etag}-gz" if packed else found.etag
    response = make_response(found.body if packed else found.plain())
    for name, value in pages.headers(code, language, etag, web().settings.printed_base()):
        response.headers[name] = value
    if packed:
        response.headers["Content-Encoding"] = "gzip"
    return response.make_conditional(request)


def _not_there(
    *, status: int = 200, unknown: bool = False, problem: HoiError | None = None, typed: str = ""
) -> Response:
    """How to type a code, with what was wrong. Machines get the error as JSON."""
    if wants_json() and (unknown or problem is not None):
        raise problem or not_found(N_("mã này"))
    language = _language()
    with force_locale(language):
        return page("consumer/type.html", status, unknown=unknown, problem=problem, typed=typed, lang=language)


def _unreadable(problem: Invalid, typed: str) -> Response:
    """The same refusal for people and programs: the address itself is wrong."""
    bad = BadAddress(problem.code, problem.said)
    return _not_there(status=bad.status, problem=bad, typed=typed[: codes.LONGEST_INPUT])


@blueprint.get("/t")
@blueprint.get("/t/", endpoint="type_code_slash")
@blueprint.get("/T", endpoint="type_code_capital")
def type_code() -> BaseResponse:
    """The form; with `code`, the way to its page."""
    typed = request.args.get("code", "")
    if typed.strip():
        return _to_canonical(typed)
    _read_by_people()
    return _not_there()


@blueprint.get("/t/<path:text>")
def short(text: str) -> BaseResponse:
    ours = codes.is_canonical(text) and not text.isdigit()  # digits alone are from under a bar code
    return _answer(text) if ours else _to_canonical(text)


@blueprint.get("/T/<path:text>", endpoint="short_capital")
def _to_canonical(text: str) -> BaseResponse:
    goods = scan_addresses.gtin_of_text(text)
    if goods is not None:
        return _moved(f"/01/{goods}")
    try:
        code = scan_addresses.code_of_text(text)
    except Invalid as problem:
        return _unreadable(problem, text)
    return _moved(scan_addresses.path_of_code(code))


def _moved(path: str) -> BaseResponse:
    """The way to the one address of a page. What else stood in the query goes along; a code typed in the form stays behind."""
    items = request.query_string.decode("latin-1").split("&")
    query = "&".join(item for item in items if item and item.partition("=")[0] != "code")
    return redirect(f"{path}?{query}" if query else path, 301)


@blueprint.get("/01/<path:text>")
def gs1(text: str) -> BaseResponse:
    try:
        asked = scan_addresses.read(request.path, request.query_string.decode("latin-1"), _raw_path())
    except Invalid as problem:
        return _unreadable(problem, text)
    if asked.code is not None:
        return _answer(asked.code)
    if asked.gtin is not None:
        return _goods(asked.gtin)
    return _not_there(status=404, unknown=True, typed=asked.said)


def _raw_path() -> str | None:
    """The path as it was sent, percent signs and all, where the server tells it (`RAW_URI`); WSGI itself gives it decoded."""
    sent: str | None = request.environ.get("RAW_URI")
    return None if sent is None or not sent.startswith("/") else sent.partition("?")[0]


def _goods(gtin: str) -> BaseResponse:
    """What we know of a product whose number stands on the pack, without a lot: what it is, who makes it, and how to go on."""
    language = _language()
    with transaction(SYSTEM) as session:
        goods = queries.goods_of(session, gtin, language)
    if goods is None:
        return _not_there(status=404, problem=_unknown_goods(gtin), typed=f"{gtin}/")
    _read_by_people()
    with force_locale(language):
        response = page("consumer/goods.html", goods=goods, title=title_of(goods.product, goods.variant), lang=language)
    response.headers["Content-Language"] = language
    return response


def _unknown_goods(gtin: str) -> NotFound:
    return NotFound(
        "gtin_unknown",
        N_(
            "Chưa nơi nào ghi với chúng tôi sản phẩm mang số %(gtin)s. Mã vạch như vậy hàng nào cũng có, nên "
            "không có nghĩa là hàng giả. Nếu trên hộp có số lô, hãy ghi tiếp sau dấu gạch chéo; nếu có dòng 13 "
            "ký tự dưới mã vuông, hãy nhập dòng ấy.",
            gtin=gtin,
        ),
    )


@blueprint.after_request
def _by_accept(response: Response) -> Response:
    """Whether a page, a problem in JSON or a refusal is answered hangs on the Accept header, here everywhere."""
    response.vary.add("Accept")
    return response


@blueprint.get("/t/<code>/bao-van-de", endpoint="report")
@blueprint.get("/01/<gtin>/10/<lot>/bao-van-de", endpoint="report_gs1")
def report(code: str = "", gtin: str = "", lot: str = "") -> Response:
    known = scan_addresses.code_of_path(f"/t/{code}" if code else f"/01/{gtin}/10/{lot}")
    if known is None:
        raise not_found(N_("mã này"))
    language = _language()
    with transaction(SYSTEM) as session:
        batch = queries.batch_page(session, known, language)
    _read_by_people()
    with force_locale(language):
        return page(
            "consumer/report.html",
            batch=batch,
            lang=language,
            code_text=code_text(known),
            back_url=address_in(scan_addresses.path_of_code(known), language),
        )

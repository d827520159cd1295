"""A simulated WooCommerce shop as a process of its own, for the demo, the tests and an operator's sandbox.

    python -m app.marketplace_sync.channels.woocommerce.double --port 8100 --state shop.sqlite3

It checks real signatures, keeps what it accepted over kill -9, shows people a small shop, and fails on command.
It listens on this machine only. Under /_double/ staff of the "marketplace" ban, allow and change items; the same
addresses take JSON from tests:

    POST /_double/faults    a list of {kind, method, path, times, …}; replaces the script; [] clears it
    GET  /_double/state     products, orders, copied pictures, calls by endpoint and status, faults left
    POST /_double/calls     forgets the counted calls
    POST /_double/products/N  {action: ban|unban|edit|trash|restore|delete, reason, name, regular_price, stock_quantity, …}
    POST /_double/key       {permissions: read_write|read|revoked}
    POST /_double/settings  {general/woocommerce_currency: …, products/woocommerce_weight_unit: …}
    POST /_double/reset     forgets everything

Kinds of fault: status (status, retry_after, location), error_in_200, html_in_200, drop_before_commit, timeout_after_commit
(commits, then cuts the connection), hang_after_commit (commits, then never answers), slow (seconds), truncated
(the connection ends in mid-answer), cut_json (a whole answer with half a JSON). `times` -1 is for ever.
"""

import argparse
import base64
import hashlib
import hmac
import ipaddress
import json
import re
import select
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from flask import Blueprint, Flask, Response, abort, current_app, g, redirect, render_template_string, request, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server
from werkzeug.wrappers import Response as BaseResponse

from app import clock
from app.marketplace_sync.channels.woocommerce.double.errors import ShopError
from app.marketplace_sync.channels.woocommerce.double.product_rows import META_MODERATION
from app.marketplace_sync.channels.woocommerce.double.shop import SETTINGS, Shop

DEMO_KEY: Final = "ck_mo_phong_khong_phai_khoa_that"
DEMO_SECRET: Final = "cs_mo_phong_khong_phai_khoa_that"  # noqa: S105 - opens a simulated shop on this machine only
TITLE: Final = "Sàn nông sản tỉnh (mô phỏng)"
API: Final = "/wp-json/wc/v3"
TIME_WINDOW: Final = 15 * 60
LONGEST_HANG: Final = 120
FAULTS: Final = frozenset(
    {
        "status",
        "error_in_200",
        "html_in_200",
        "drop_before_commit",
        "timeout_after_commit",
        "hang_after_commit",
        "slow",
        "truncated",
        "cut_json",
    }
)
SECURITY: Final = (
    "default-src 'none'; img-src 'self'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


@dataclass(frozen=True, slots=True)
class Double:
    """What every request needs."""

    shop: Shop
    key: str
    secret: str
    title: str


api = Blueprint("api", __name__, url_prefix=API)
pages = Blueprint("pages", __name__)
staff = Blueprint("staff", __name__, url_prefix="/_double")


def _double() -> Double:
    found = current_app.extensions["double"]
    assert isinstance(found, Double)  # noqa: S101 - create_app put it there; narrows the type
    return found


def _shop() -> Shop:
    return _double().shop


def create_app(double: Double) -> Flask:
    """`double.shop.home` must be set to the address under which the shop is called."""
    app = Flask(__name__)
    app.extensions["double"] = double
    app.config["MAX_CONTENT_LENGTH"] = 5_000_000
    for blueprint in (api, pages, staff):
        app.register_blueprint(blueprint)
    app.before_request(_fail_early)
    app.after_request(_fail_late)
    app.register_error_handler(ShopError, _shop_error)
    app.register_error_handler(HTTPException, _http_error)
    app.add_template_filter(_dong, "dong")
    return app


# ---------------------------------------------------------------------- answers


def _answer(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON as PHP writes it: non-ASCII and slashes escaped."""
    text = json.dumps(value).replace("/", "\\/")
    return Response(text, status, {"Content-Type": "application/json; charset=UTF-8", **(headers or {})})


def _shop_error(error: ShopError) -> Response:
    return _answer(error.body, error.status)


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    if request.path.startswith("/wp-json"):
        code = {404: "rest_no_route", 405: "rest_no_route", 413: "rest_request_too_large"}.get(
            status, "internal_server_error"
        )
        message = "No route was found matching the URL and request method." if code == "rest_no_route" else error.name
        status = 404 if code == "rest_no_route" else status
        return _answer({"code": code, "message": message, "data": {"status": status}}, status)
    page = render_template_string(_LOST, title=_double().title, status=status)
    return _page(page, status)


def _page(text: str, status: int = 200) -> Response:
    return Response(text, status, {"Content-Type": "text/html; charset=UTF-8", "Content-Security-Policy": SECURITY})


def _body() -> dict[str, Any]:
    if not request.data:
        return {}
    try:
        value = json.loads(request.data.decode())
    except ValueError:
        raise ShopError(400, "rest_invalid_json", "Invalid JSON body passed.") from None
    if not isinstance(value, dict):
        raise ShopError(400, "rest_invalid_json", "Invalid JSON body passed.")
    return value


def _fields(value: Any) -> Any:  # noqa: ANN401 - JSON in, JSON out
    """WordPress's `_fields`: only these members."""
    wanted = {name for name in request.args.get("_fields", "").split(",") if name}
    if not wanted:
        return value
    if isinstance(value, list):
        return [_fields(entry) for entry in value]
    return {name: part for name, part in value.items() if name in wanted}


# ---------------------------------------------------------------------- faults and counting


def _endpoint() -> str:
    path = request.path.removeprefix(API) if request.path.startswith(API) else request.path
    path = re.sub(r"(?<=/)\d+(?=/|$)", "{id}", path)
    path = re.sub(r"^/san-pham/[^/]+/?$", "/san-pham/{slug}/", path)
    return f"{request.method} {re.sub(r'^/wp-content/.*', '/wp-content/', path) or '/'}"


def _fail_early() -> Response | None:
    g.fault = None
    if request.path.startswith("/_double"):
        return _only_from_here()
    fault = _shop().take_fault(request.method, request.path)
    g.fault = fault
    if fault is None:
        return None
    kind = fault["kind"]
    if kind == "slow":
        threading.Event().wait(float(fault.get("seconds", 1)))
    if kind == "drop_before_commit":
        _cut()
        return Response(status=500)
    if kind == "status":
        status = int(fault.get("status", 500))
        told = (("Retry-After", fault.get("retry_after")), ("Location", fault.get("location")))
        headers = {name: str(value) for name, value in told if value is not None}
        if fault.get("html"):
            return Response(
                "<html><body><h1>Bad gateway</h1></body></html>", status, {"Content-Type": "text/html", **headers}
            )
        message = fault.get("message", "Simulated trouble.")
        body = {"code": fault.get("code", "internal_server_error"), "message": message, "data": {"status": status}}
        return _answer(body, status, headers)
    if kind == "error_in_200":
        status = int(fault.get("status", 500))
        message = fault.get("message", "Simulated trouble inside a success.")
        return _answer(
            {"code": fault.get("code", "internal_server_error"), "message": message, "data": {"status": status}}
        )
    if kind == "html_in_200":
        return Response("<!doctype html><title>Briefly unavailable for scheduled maintenance.</title>", 200)
    return None


def _fail_late(response: Response) -> Response:
    """Runs after the commit. Counting comes last, so a counted call has happened."""
    if request.path.startswith("/_double"):
        return response
    fault = g.get("fault")
    kind = fault["kind"] if fault is not None else ""
    cut = kind in {"drop_before_commit", "timeout_after_commit", "hang_after_commit", "truncated"}
    _shop().count_call(_endpoint(), 0 if cut else response.status_code)
    if kind == "timeout_after_commit":
        _cut()
    elif kind == "hang_after_commit":
        _hang()
    elif kind == "truncated":
        _half(response)
    elif kind == "cut_json":
        response.set_data(response.get_data()[: len(response.get_data()) // 2])
    return response


def _connection() -> socket.socket:
    found = request.environ["werkzeug.socket"]
    assert isinstance(found, socket.socket)  # noqa: S101 - werkzeug's server puts it there; narrows the type
    return found


def _cut() -> None:
    g.cut = True
    try:
        _connection().shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def _hang() -> None:
    """Silent until the caller gives up."""
    line = _connection()
    readable, _, _ = select.select([line], [], [], LONGEST_HANG)
    if readable:
        line.recv(1, socket.MSG_PEEK)
    _cut()


def _half(response: Response) -> None:
    """All headers, half of the body, then the end of the connection."""
    data = response.get_data()
    head = f"HTTP/1.1 {response.status}\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\nConnection: close\r\n\r\n"
    try:
        _connection().sendall(head.encode() + data[: len(data) // 2])
    except OSError:
        return
    _cut()


# ---------------------------------------------------------------------- who may call the API


@api.before_request
def _authenticate() -> Response | None:
    secure = request.is_secure or request.headers.get("X-Forwarded-Proto") == "https"
    if not (_basic() if secure else False) and not _oauth():
        verb = {"GET": "list", "POST": "create", "PUT": "edit", "DELETE": "delete"}.get(request.method, "view")
        code = {"list": "woocommerce_rest_cannot_view", "view": "woocommerce_rest_cannot_view"}.get(
            verb, f"woocommerce_rest_cannot_{verb}"
        )
        raise ShopError(401, code, f"Sorry, you cannot {verb} resources.")
    permissions = _shop().option("permissions", "read_write")
    needed = "read" if request.method in {"GET", "HEAD"} else "write"
    if needed not in permissions:
        raise ShopError(
            401, "woocommerce_rest_authentication_error", f"The API key provided does not have {needed} permissions."
        )
    return None


def _denied(message: str) -> ShopError:
    return ShopError(401, "woocommerce_rest_authentication_error", message)


def _known_key(given: str) -> bool:
    return (
        hmac.compare_digest(given.encode(), _double().key.encode())
        and _shop().option("permissions", "read_write") != "revoked"
    )


def _basic() -> bool:
    """WooCommerce looks at Basic credentials on encrypted connections only."""
    given = request.authorization
    if given is None or given.type != "basic" or not _known_key(given.username or ""):
        return False
    if not hmac.compare_digest((given.password or "").encode(), _double().secret.encode()):
        raise _denied("Consumer secret is invalid.")
    return True


def _oauth() -> bool:
    """One-legged OAuth 1.0a, checked as class-wc-rest-authentication.php does, written apart from the channel's signing."""
    given = request.args.to_dict()
    names = ("oauth_consumer_key", "oauth_timestamp", "oauth_nonce", "oauth_signature", "oauth_signature_method")
    missing = [name for name in names if not given.get(name)]
    if len(missing) == len(names):
        return False
    if missing:
        raise ShopError(
            401, "woocommerce_rest_authentication_missing_parameter", f"Missing OAuth parameter {', '.join(missing)}"
        )
    if not _known_key(given["oauth_consumer_key"]):
        raise _denied("Consumer key is invalid.")
    signature = given.pop("oauth_signature").replace(" ", "+")
    pieces = [quote(f"{quote(name, safe='')}={quote(given[name], safe='')}", safe="") for name in sorted(given)]
    path = urlsplit(str(request.environ.get("REQUEST_URI", request.path))).path
    text = f"{request.method}&{quote(_shop().home + path, safe='')}&{'%26'.join(pieces)}"
    algorithm = {"HMAC-SHA1": hashlib.sha1, "HMAC-SHA256": hashlib.sha256}.get(given["oauth_signature_method"])
    if algorithm is None:
        raise _denied("Invalid signature - signature method is invalid.")
    right = base64.b64encode(hmac.new(f"{_double().secret}&".encode(), text.encode(), algorithm).digest()).decode()
    if not hmac.compare_digest(right.encode(), signature.encode()):
        raise _denied("Invalid signature - provided signature does not match.")
    now = int(clock.machine_now().timestamp())
    stamp = given["oauth_timestamp"]
    if not stamp.isdigit() or abs(int(stamp) - now) > TIME_WINDOW:
        raise _denied("Invalid timestamp.")
    if not _shop().spend_nonce(given["oauth_nonce"], now):
        raise _denied("Invalid nonce - nonce has already been used.")
    return True


# ---------------------------------------------------------------------- REST v3


@api.get("/products")
def _products() -> Response:
    rows, total, count = _shop().search(request.args)
    headers = {"X-WP-Total": str(total), "X-WP-TotalPages": str(count)}
    page = int(request.args.get("page", "1"))
    plain = {name: value for name, value in request.args.items() if not name.startswith("oauth_")}
    links = [
        f'<{_shop().home}{API}/products?{urlencode({**plain, "page": other})}>; rel="{name}"'
        for name, other, there in (("prev", min(page - 1, count), page > 1), ("next", page + 1, page < count))
        if there
    ]
    return _answer(_fields(rows), 200, {**headers, "Link": ", ".join(links)} if links else headers)


@api.post("/products")
def _create() -> Response:
    made = _shop().create_product(_body())
    return _answer(_fields(made), 201, {"Location": f"{_shop().home}{API}/products/{made['id']}"})


@api.get("/products/<int:number>")
def _one(number: int) -> Response:
    return _answer(_fields(_shop().product(number)))


@api.route("/products/<int:number>", methods=["PUT", "POST", "PATCH"])
def _update(number: int) -> Response:
    return _answer(_fields(_shop().update_product(number, _body())))


@api.delete("/products/<int:number>")
def _delete(number: int) -> Response:
    force = request.args.get("force", "false") in {"true", "1"}
    return _answer(_fields(_shop().delete_product(number, force=force)))


@api.route("/products/batch", methods=["POST", "PUT", "PATCH"])
def _batch() -> Response:
    return _answer(_shop().batch(_body()) or [])


@api.get("/products/<int:number>/variations")
def _variations(number: int) -> Response:
    rows = _shop().variations(number)
    return _answer(_fields(rows), 200, {"X-WP-Total": str(len(rows)), "X-WP-TotalPages": "1"})


@api.post("/products/<int:number>/variations")
def _create_variation(number: int) -> Response:
    return _answer(_shop().create_variation(number, _body()), 201)


@api.get("/products/<int:number>/variations/<int:variation>")
def _variation(number: int, variation: int) -> Response:
    return _answer(_fields(_shop().variation(number, variation)))


@api.put("/products/<int:number>/variations/<int:variation>")
def _update_variation(number: int, variation: int) -> Response:
    return _answer(_fields(_shop().update_variation(number, variation, _body())))


@api.get("/products/categories")
def _categories() -> Response:
    return _answer(_fields(_shop().categories(request.args.get("search", ""))))


@api.get("/orders")
def _orders() -> Response:
    rows = _shop().orders()
    return _answer(_fields(rows), 200, {"X-WP-Total": str(len(rows)), "X-WP-TotalPages": "1"})


@api.post("/orders")
def _order() -> Response:
    return _answer(_shop().create_order(_body()), 201)


@api.get("/settings/<group>/<name>")
def _setting(group: str, name: str) -> Response:
    key = f"{group}/{name}"
    if key not in SETTINGS:
        raise ShopError(404, "rest_setting_setting_invalid", "Invalid setting.")
    return _answer(_fields({"id": name, "value": _shop().option(key, SETTINGS[key])}))


# ---------------------------------------------------------------------- what visitors see


@pages.get("/wp-json/")
def _index() -> Response:
    home = _shop().home
    return _answer({"name": _double().title, "url": home, "home": home, "namespaces": ["wp/v2", "wc/v3"]})


@pages.get("/")
def _front() -> Response:
    shown = [
        row
        for row in _shop().products()
        if row["status"] == "publish" and row["catalog_visibility"] in {"visible", "catalog"}
    ]
    return _page(render_template_string(_FRONT, title=_double().title, products=shown))


@pages.get("/san-pham/<slug>/")
def _product_page(slug: str) -> Response:
    found = _shop().product_by_slug(slug)
    if found is None or found["status"] != "publish":
        abort(404)
    return _page(render_template_string(_PRODUCT, title=_double().title, product=found))


@pages.get("/wp-content/uploads/<int:number>.<ending>")
def _file(number: int, ending: str) -> Response:
    found = _shop().file(number)
    if found is None or not ending:
        abort(404)
    mime, content = found
    return Response(
        content, 200, {"Content-Type": mime, "Cache-Control": "max-age=86400", "X-Content-Type-Options": "nosniff"}
    )


@pages.get("/style.css")
def _style() -> Response:
    return Response(_CSS, 200, {"Content-Type": "text/css; charset=UTF-8"})


# ---------------------------------------------------------------------- the marketplace's staff, and tests


def _only_from_here() -> Response | None:
    """Another site's page must not press these buttons through somebody's browser."""
    name = urlsplit(f"//{request.host}").hostname or ""
    origin = request.headers.get("Origin")
    foreign = origin is not None and urlsplit(origin).netloc != request.host
    if not _is_loopback(name) or foreign:
        return Response("Chỉ mở được từ máy này.\n", 403, {"Content-Type": "text/plain; charset=UTF-8"})
    return None


@staff.get("/")
def _desk() -> Response:
    rows = [{**row, "ban": _why(row)} for row in _shop().products()]
    permissions = _shop().option("permissions", "read_write")
    return _page(
        render_template_string(_DESK, title=_double().title, products=rows, words=_WORDS, permissions=permissions)
    )


def _why(row: Mapping[str, Any]) -> str:
    return next((str(entry["value"]) for entry in row["meta_data"] if entry["key"] == META_MODERATION), "")


@staff.post("/products/<int:number>")
def _moderate(number: int) -> BaseResponse:
    given = _body() if request.is_json else request.form.to_dict()
    action = str(given.get("action", ""))
    after = _shop().moderate(number, action, {name: str(value) for name, value in given.items()})
    return _answer(after) if request.is_json else redirect(url_for("staff._desk"), 303)


@staff.post("/key")
def _key() -> BaseResponse:
    given = _body() if request.is_json else request.form.to_dict()
    permissions = str(given.get("permissions", ""))
    if permissions not in {"read_write", "read", "revoked"}:
        raise ShopError(400, "double_unknown_permissions", "read_write, read or revoked.")
    _shop().set_option("permissions", permissions)
    return _answer({"permissions": permissions}) if request.is_json else redirect(url_for("staff._desk"), 303)


@staff.get("/state")
def _state() -> Response:
    shop = _shop()
    return _answer(
        {
            "products": shop.products(),
            "orders": shop.orders(),
            "copied_images": shop.copied_images(),
            "calls": shop.calls(),
            "faults": shop.faults(),
        }
    )


@staff.post("/settings")
def _settings() -> Response:
    for name, value in _body().items():
        if name not in SETTINGS:
            raise ShopError(400, "double_unknown_setting", f"Known settings: {', '.join(SETTINGS)}.")
        _shop().set_option(name, str(value))
    return _answer({name: _shop().option(name, value) for name, value in SETTINGS.items()})


@staff.post("/calls")
def _forget_calls() -> Response:
    _shop().forget_calls()
    return _answer({})


@staff.post("/reset")
def _reset() -> Response:
    _shop().reset()
    return _answer({})


@staff.post("/faults")
def _faults() -> Response:
    try:
        given = json.loads(request.data.decode())
        script = [_fault(entry) for entry in given]
    except (ValueError, TypeError, AttributeError, re.error) as error:
        raise ShopError(400, "double_bad_fault", str(error)) from None
    _shop().set_faults(script)
    return _answer(_shop().faults())


def _fault(entry: dict[str, Any]) -> dict[str, Any]:
    if entry.get("kind") not in FAULTS:
        raise ValueError(f"kind is one of {', '.join(sorted(FAULTS))}")
    path = str(entry.get("path", f"^{API}/"))
    re.compile(path)
    return {**entry, "method": str(entry.get("method", "*")).upper(), "path": path, "times": int(entry.get("times", 1))}


def _dong(price: object) -> str:
    try:
        return f"{int(str(price)):,} ₫".replace(",", ".")
    except ValueError:
        return "chưa có giá"


_WORDS: Final = {
    "publish": "đang bán",
    "draft": "bản nháp",
    "pending": "chờ duyệt",
    "private": "đã ẩn",
    "future": "hẹn giờ",
    "trash": "thùng rác",
}

_HEAD: Final = """<!doctype html>
<html lang="vi"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{% block name %}{{ title }}{% endblock %}</title><link rel="stylesheet" href="/style.css"></head><body>
<p class="note" role="note">Trang mô phỏng để dùng thử. Không bán hàng thật.</p>
<header><a href="/">{{ title }}</a></header><main>"""

_LOST: Final = f"""{_HEAD}
<h1>Không có trang này</h1><p>Sản phẩm không còn bán trên sàn, hoặc địa chỉ chưa đúng (mã {{{{ status }}}}).</p>
<p><a href="/">Xem các sản phẩm đang bán</a></p></main></body></html>"""

_FRONT: Final = f"""{_HEAD}
<h1>Nông sản đang bán</h1>
{{% if not products %}}<p>Chưa có sản phẩm nào.</p>{{% endif %}}
<ul class="grid">{{% for product in products %}}<li><a href="/san-pham/{{{{ product.slug }}}}/">
{{% if product.images %}}<img src="{{{{ product.images[0].src }}}}" alt="" loading="lazy">{{% else %}}<span class="blank" aria-hidden="true"></span>{{% endif %}}
<span class="name">{{{{ product.name|safe }}}}</span><span class="price">{{{{ product.price|dong }}}}</span></a></li>{{% endfor %}}</ul>
</main></body></html>"""

_PRODUCT: Final = f"""{_HEAD}
<article><h1>{{{{ product.name|safe }}}}</h1>
{{% for image in product.images %}}<img src="{{{{ image.src }}}}" alt="{{{{ image.alt }}}}">{{% endfor %}}
<p class="price">{{{{ product.price|dong }}}}</p>
<p>{{% if product.stock_status == 'outofstock' %}}Hết hàng{{% elif product.manage_stock %}}Còn {{{{ product.stock_quantity }}}} sản phẩm{{% else %}}Còn hàng{{% endif %}}</p>
<p>Mã hàng: {{{{ product.sku or 'không có' }}}}</p>
{{% if product.attributes %}}<dl>{{% for item in product.attributes %}}<dt>{{{{ item.name }}}}</dt><dd>{{{{ item.options|join(', ') }}}}</dd>{{% endfor %}}</dl>{{% endif %}}
<div>{{{{ product.description|safe }}}}</div></article>
<p><a href="/">Xem sản phẩm khác</a></p></main></body></html>"""

_DESK: Final = f"""{_HEAD}
<h1>Bàn kiểm duyệt của sàn</h1>
<p>Ở đây người của sàn quyết định; hệ thống bên bán chỉ biết khi hỏi lại sàn.</p>
<form method="post" action="/_double/key"><label>Khóa kết nối của bên bán
<select name="permissions">{{% for value, word in (('read_write', 'đọc và ghi'), ('read', 'chỉ đọc'), ('revoked', 'đã thu hồi')) %}}
<option value="{{{{ value }}}}"{{% if value == permissions %}} selected{{% endif %}}>{{{{ word }}}}</option>{{% endfor %}}</select></label>
<button>Đổi quyền</button></form>
{{% if not products %}}<p>Chưa có tin nào gửi lên.</p>{{% endif %}}
{{% for product in products %}}<section><h2 id="tin-{{{{ product.id }}}}">{{{{ product.name|safe }}}}</h2>
<p>Tin {{{{ product.id }}}}, mã hàng {{{{ product.sku or 'không có' }}}}, {{{{ product.price|dong }}}}, còn {{{{ product.stock_quantity if product.manage_stock else 'không đếm' }}}}:
<strong>{{{{ 'bị cấm bán' if product.ban else words.get(product.status, product.status) }}}}</strong>{{% if product.ban %}} ({{{{ product.ban }}}}){{% endif %}}
{{% if product.status == 'publish' %}}<a href="/san-pham/{{{{ product.slug }}}}/">xem trang</a>{{% endif %}}</p>
<form method="post" action="/_double/products/{{{{ product.id }}}}"><label>Lý do
<input name="reason" value="Thiếu giấy chứng nhận an toàn thực phẩm" maxlength="200"></label><button aria-describedby="tin-{{{{ product.id }}}}" name="action" value="ban">Cấm bán</button></form>
<form method="post" action="/_double/products/{{{{ product.id }}}}"><button aria-describedby="tin-{{{{ product.id }}}}" name="action" value="unban">Cho bán lại</button></form>
<form method="post" action="/_double/products/{{{{ product.id }}}}"><label>Giá mới (đồng)
<input name="regular_price" inputmode="numeric" pattern="[0-9]+" required value="{{{{ product.regular_price }}}}"></label><button aria-describedby="tin-{{{{ product.id }}}}" name="action" value="edit">Sửa giá</button></form>
<form method="post" action="/_double/products/{{{{ product.id }}}}"><button aria-describedby="tin-{{{{ product.id }}}}" name="action" value="{{{{ 'restore' if product.status == 'trash' else 'trash' }}}}">{{{{ 'Lấy lại từ thùng rác' if product.status == 'trash' else 'Bỏ vào thùng rác' }}}}</button></form>
</section>{{% endfor %}}</main></body></html>"""

_CSS: Final = """:root{color-scheme:light dark;--paper:#fffaf2;--ink:#2a2118;--line:#d9ccb8;--mark:#9a3412}
@media(prefers-color-scheme:dark){:root{--paper:#1d1813;--ink:#f3e9db;--line:#4d4236;--mark:#fdba74}}
*{box-sizing:border-box}body{margin:0;font:1rem/1.5 system-ui,sans-serif;background:var(--paper);color:var(--ink)}
.note{margin:0;padding:.5rem 1rem;background:var(--mark);color:var(--paper);text-align:center;font-weight:600}
header{padding:.75rem 1rem;border-bottom:1px solid var(--line);font-size:1.25rem;font-weight:700}
header a{color:inherit;text-decoration:none}a{color:var(--mark)}main{max-width:64rem;margin:0 auto;padding:1rem}
.grid{list-style:none;padding:0;display:grid;gap:1rem;grid-template-columns:repeat(auto-fill,minmax(9rem,1fr))}
.grid a{display:flex;flex-direction:column;gap:.25rem;color:inherit;text-decoration:none}
img,.blank{width:100%;max-width:32rem;aspect-ratio:4/3;object-fit:cover;border-radius:.5rem;background:var(--line);display:block}
.name{font-weight:600}.price{color:var(--mark);font-weight:700;font-variant-numeric:tabular-nums}article .price{font-size:1.5rem}
dt{font-weight:600}dd{margin:0 0 .5rem}section{border-top:1px solid var(--line);padding:.5rem 0 1rem}h2{font-size:1.1rem;margin:.5rem 0}
form{display:flex;flex-wrap:wrap;gap:.5rem;align-items:end;margin:.5rem 0}label{display:grid;gap:.25rem;flex:1 1 12rem}
input,select,button{font:inherit;min-height:3rem;padding:.5rem .75rem;border:1px solid currentColor;border-radius:.5rem;background:transparent;color:inherit}
select option{background:var(--paper)}button{font-weight:600;cursor:pointer}:focus-visible{outline:3px solid var(--mark);outline-offset:2px}
"""


# ---------------------------------------------------------------------- the process


class _Handler(WSGIRequestHandler):
    """Logs no query: over plain http it carries keys and signatures."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        path = urlsplit(getattr(self, "path", "")).path
        sys.stderr.write(f"{clock.machine_now():%H:%M:%S} {getattr(self, 'command', '-')} {path} {code} {size}\n")

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - werkzeug's name
        sys.stderr.write(f"{clock.machine_now():%H:%M:%S} {type} {message % args if args else message}\n")


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def start(double: Double, host: str, port: int) -> BaseWSGIServer:
    """A server bound to this machine, not yet serving; port 0 takes a free one. Raises ValueError for any other host."""
    if not _is_loopback(host):
        raise ValueError(f"Sàn mô phỏng chỉ nghe trên máy này: dùng --host 127.0.0.1, không phải {host}")
    server = make_server(host, port, create_app(double), threaded=True, request_handler=_Handler)
    double.shop.home = f"http://{f'[{host}]' if ':' in host else host}:{server.port}"
    return server


def main() -> None:
    parser = argparse.ArgumentParser(
        prog=__package__, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, required=True, help="cổng nghe; 0 = cổng trống bất kỳ")
    parser.add_argument("--state", type=Path, required=True, help="tệp SQLite giữ mọi thứ sàn đã nhận")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--ck", default=DEMO_KEY, help="consumer key")
    parser.add_argument("--cs", default=DEMO_SECRET, help="consumer secret")
    parser.add_argument("--title", default=TITLE)
    parser.add_argument("--no-fetch-images", action="store_true", help="không tải ảnh, chỉ ghi địa chỉ")
    given = parser.parse_args()
    given.state.parent.mkdir(parents=True, exist_ok=True)
    shop = Shop(given.state, fetch_images=not given.no_fetch_images)
    try:
        server = start(Double(shop, given.ck, given.cs, given.title), given.host, given.port)
    except ValueError as error:
        parser.error(str(error))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    sys.stdout.write(f"{given.title}: {shop.home}/\n")
    sys.stdout.flush()
    try:
        server.serve_forever()
    finally:
        shop.close()

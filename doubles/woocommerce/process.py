"""A simulated WooCommerce shop as a process of its own, for the demo, the tests and an operator's sandbox.

    python -m doubles.woocommerce --port 8100 --state shop.sqlite3

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
import signal
import sys
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from app import clock
from doubles.woocommerce.base import Double, json_answer
from doubles.woocommerce.errors import ShopError
from doubles.woocommerce.faults import fail_early, fail_late
from doubles.woocommerce.pages import dong, lost, pages
from doubles.woocommerce.rest import api
from doubles.woocommerce.shop import Shop
from doubles.woocommerce.staff import staff
from doubles.woocommerce.this_machine import is_loopback

DEMO_KEY: Final = "ck_mo_phong_khong_phai_khoa_that"
DEMO_SECRET: Final = "cs_mo_phong_khong_phai_khoa_that"  # noqa: S105 - opens a simulated shop on this machine only
TITLE: Final = "Sàn nông sản tỉnh (mô phỏng)"


def create_app(double: Double) -> Flask:
    """`double.shop.home` must be set to the address under which the shop is called."""
    app = Flask(__name__)
    app.extensions["double"] = double
    app.config["MAX_CONTENT_LENGTH"] = 5_000_000
    for blueprint in (api, pages, staff):
        app.register_blueprint(blueprint)
    app.before_request(fail_early)
    app.after_request(fail_late)
    app.register_error_handler(ShopError, _shop_error)
    app.register_error_handler(HTTPException, _http_error)
    app.add_template_filter(dong, "dong")
    return app


def _shop_error(error: ShopError) -> Response:
    return json_answer(error.body, error.status)


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    if request.path.startswith("/wp-json"):
        code = {404: "rest_no_route", 405: "rest_no_route", 413: "rest_request_too_large"}.get(
            status, "internal_server_error"
        )
        message = "No route was found matching the URL and request method." if code == "rest_no_route" else error.name
        status = 404 if code == "rest_no_route" else status
        return json_answer({"code": code, "message": message, "data": {"status": status}}, status)
    return lost(status)


class _Handler(WSGIRequestHandler):
    """Logs no query: over plain http it carries keys and signatures."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        path = urlsplit(getattr(self, "path", "")).path
        sys.stderr.write(f"{clock.machine_now():%H:%M:%S} {getattr(self, 'command', '-')} {path} {code} {size}\n")

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - werkzeug's name
        sys.stderr.write(f"{clock.machine_now():%H:%M:%S} {type} {message % args if args else message}\n")


def start(double: Double, host: str, port: int) -> BaseWSGIServer:
    """A server bound to this machine, not yet serving; port 0 takes a free one. Raises ValueError for any other host."""
    if not is_loopback(host):
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

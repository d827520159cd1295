"""Failing on command, before and after the shop has done what it was asked, and counting the calls."""

import re
import select
import socket
import threading
from typing import Any, Final

from flask import Response, g, request

from doubles.woocommerce.base import API, json_answer, shop
from doubles.woocommerce.this_machine import only_from_here

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


def fail_early() -> Response | None:
    g.fault = None
    if request.path.startswith("/_double"):
        return only_from_here()
    fault = shop().take_fault(request.method, request.path)
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
        return json_answer(body, status, headers)
    if kind == "error_in_200":
        status = int(fault.get("status", 500))
        message = fault.get("message", "Simulated trouble inside a success.")
        return json_answer(
            {"code": fault.get("code", "internal_server_error"), "message": message, "data": {"status": status}}
        )
    if kind == "html_in_200":
        return Response("<!doctype html><title>Briefly unavailable for scheduled maintenance.</title>", 200)
    return None


def fail_late(response: Response) -> Response:
    """Runs after the commit. Counting comes last, so a counted call has happened."""
    if request.path.startswith("/_double"):
        return response
    fault = g.get("fault")
    kind = fault["kind"] if fault is not None else ""
    cut = kind in {"drop_before_commit", "timeout_after_commit", "hang_after_commit", "truncated"}
    shop().count_call(_endpoint(), 0 if cut else response.status_code)
    if kind == "timeout_after_commit":
        _cut()
    elif kind == "hang_after_commit":
        _hang()
    elif kind == "truncated":
        _half(response)
    elif kind == "cut_json":
        response.set_data(response.get_data()[: len(response.get_data()) // 2])
    return response


def _endpoint() -> str:
    path = request.path.removeprefix(API) if request.path.startswith(API) else request.path
    path = re.sub(r"(?<=/)\d+(?=/|$)", "{id}", path)
    path = re.sub(r"^/san-pham/[^/]+/?$", "/san-pham/{slug}/", path)
    return f"{request.method} {re.sub(r'^/wp-content/.*', '/wp-content/', path) or '/'}"


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


def read_fault(entry: dict[str, Any]) -> dict[str, Any]:
    if entry.get("kind") not in FAULTS:
        raise ValueError(f"kind is one of {', '.join(sorted(FAULTS))}")
    path = str(entry.get("path", f"^{API}/"))
    re.compile(path)
    return {**entry, "method": str(entry.get("method", "*")).upper(), "path": path, "times": int(entry.get("times", 1))}

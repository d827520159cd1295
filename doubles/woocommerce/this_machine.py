"""The simulated shop is for this machine only."""

import ipaddress
from urllib.parse import urlsplit

from flask import Response, request


def is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def only_from_here() -> Response | None:
    """Another site's page must not press these buttons through somebody's browser."""
    name = urlsplit(f"//{request.host}").hostname or ""
    origin = request.headers.get("Origin")
    foreign = origin is not None and urlsplit(origin).netloc != request.host
    if not is_loopback(name) or foreign:
        return Response("Chỉ mở được từ máy này.\n", 403, {"Content-Type": "text/plain; charset=UTF-8"})
    return None

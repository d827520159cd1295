"""Ports: a free one that no other Hồi takes, and whether something answers there."""

import http.client
import socket
import sys
from dataclasses import dataclass

from app.errors import SetupError
from app.messages import N_


@dataclass(frozen=True, slots=True)
class Port:
    """A free port that no other Hồi on this machine takes while `hold` stays open."""

    number: int
    hold: socket.socket


def free_port(host: str, wanted: int, tries: int = 200) -> Port:
    """Return the first free port from `wanted` on. Raises SetupError when none of `tries` is free."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    trouble: OSError | None = None
    for number in range(wanted, min(wanted + tries, 65536)):
        hold = socket.socket(socket.AF_UNIX)
        try:
            if sys.platform == "linux":
                # Two that start at once both see the port free; this name, which dies with us, lets only one have it.
                hold.bind(f"\0hoi-port-{number}")
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, number))
                probe.listen(1)
        except OSError as error:
            trouble = error
            hold.close()
        else:
            return Port(number, hold)
    raise SetupError(
        "no_free_port",
        N_(
            "Không mở được cổng nào từ %(wanted)s trên địa chỉ %(host)s (%(trouble)s). Hãy chọn cổng khác: "
            "HOI_WEB_PORT=9000 ./hoi …",
            wanted=wanted,
            host=host,
            trouble=trouble,
        ),
    )


def reached_at(host: str) -> str:
    """Return the address of this machine at which a server that listens on `host` answers."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound


def answers(host: str, port: int, path: str, seconds: float = 5) -> bool:
    """Tell whether an HTTP server answers 200 there."""
    connection = http.client.HTTPConnection(reached_at(host), port, timeout=seconds)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()

"""The WooCommerce double as a real process, its staff entrance, and a small server of pictures for it to copy."""

import hashlib
import http.server
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any, ClassVar

import httpx
from kit import Item

from app.marketplace_sync.channels.accounts import Credentials
from app.marketplace_sync.channels.drafts import Image
from app.marketplace_sync.channels.http import Timeouts
from app.marketplace_sync.channels.woocommerce.channel import WooCommerce

ROOT = Path(__file__).resolve().parents[4]
KEY = "ck_9d1f0f7c2b6f4c3f8b7e_thử"
SECRET = "cs_55a0e1f0c9a84c7db3d1&=%/+"


def png(seed: int) -> bytes:
    """A valid picture of one pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes([0, seed % 256, 90, 60])))
        + chunk(b"IEND", b"")
    )


class Pictures(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        name = self.path.rsplit("/", 1)[-1].removesuffix(".png")
        body = b"no picture" if name == "text" else png(zlib.crc32(name.encode()))
        self.send_response(404 if name == "missing" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Silent."""


class WooDouble:
    """The double's process, and its staff entrance."""

    secrets = (KEY, SECRET)
    PATHS: ClassVar = {
        "create": ("POST", "/products$"),
        "change": ("PUT", r"/products/\d+$"),
        "read": ("GET", "/wc/v3/products"),
        "any": ("*", "^/wp-json/wc/v3/"),
    }

    def __init__(self, directory: Path, pictures: str) -> None:
        self.directory = directory
        self.pictures = pictures
        self.start()

    def start(self, port: int = 0) -> None:
        command = [sys.executable, "-m", "doubles.woocommerce", "--port", str(port)]
        command += ["--state", str(self.directory / "shop.sqlite3"), "--ck", KEY, "--cs", SECRET]
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log)
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], 30)
        line = os.read(self.process.stdout.fileno(), 500).decode() if ready else ""
        assert "http://" in line, f"the double did not start: {self.log()}"
        self.url = line.rsplit(": ", 1)[-1].strip().rstrip("/")
        self.port = int(self.url.rsplit(":", 1)[-1])
        self.http = httpx.Client(base_url=self.url, trust_env=False, timeout=20)

    def stop(self, how: int = signal.SIGTERM) -> int:
        self.http.close()
        self.process.send_signal(how)
        code = self.process.wait(20)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def reset(self) -> None:
        self.ask("reset", {})

    def ask(self, path: str, value: object) -> Any:
        answer = self.http.post(f"/_double/{path}", json=value)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def state(self) -> dict[str, Any]:
        return self.http.get("/_double/state").json()

    def credentials(self, **other: str) -> Credentials:
        return Credentials({"base_url": self.url, "consumer_key": KEY, "consumer_secret": SECRET, **other})

    def open(self, *, read_timeout: float = 5, wrong_keys: bool = False, port: int | None = None) -> WooCommerce:
        other = {"consumer_secret": "cs_wrong"} if wrong_keys else {}
        if port is not None:
            other["base_url"] = f"http://127.0.0.1:{port}"
        return WooCommerce(self.credentials(**other), allow_private=True, timeouts=Timeouts(read=read_timeout))

    def fail(self, operation: str, kind: str, *, times: int = 1, **details: object) -> None:
        method, path = self.PATHS[operation]
        self.ask("faults", [{"method": method, "path": path, "kind": kind, "times": times, **details}])

    def items(self) -> list[Item]:
        return [
            Item(
                remote_id=str(row["id"]),
                sku=row["sku"],
                name=row["name"].replace("&amp;", "&"),
                price=row["price"],
                stock=row["stock_quantity"],
                listed=row["status"] == "publish",
            )
            for row in reversed(self.state()["products"])
        ]

    def calls(self) -> dict[str, int]:
        return {endpoint: sum(times.values()) for endpoint, times in self.state()["calls"].items()}

    def count(self, operation: str) -> int:
        endpoint = {"create": "POST /products", "change": "PUT /products/{id}", "read": "GET /products"}[operation]
        return self.calls().get(endpoint, 0)

    def picture(self, name: str) -> Image:
        return Image(hashlib.sha256(name.encode()).hexdigest(), f"{self.pictures}/{name}.png")

    def copied_pictures(self) -> list[str]:
        return self.state()["copied_images"]

    def make_by_hand(self, *, sku: str, name: str, price: str, **fields: Any) -> str:
        with self.open() as channel:
            made = channel._api.call(
                "POST", "/products", body={"sku": sku, "name": name, "regular_price": price, **fields}
            )
        self.ask("calls", {})
        return str(made["id"])

    def order(self, remote_id: str, quantity: int) -> None:
        """A buyer's order there: the shop takes it off the item's stock."""
        with self.open() as channel:
            line = {"product_id": int(remote_id), "quantity": quantity}
            channel._api.call("POST", "/orders", body={"line_items": [line]})

    def staff(self, remote_id: str, action: str, **fields: str) -> None:
        self.ask(f"products/{remote_id}", {"action": action, **fields})

    def revoke(self) -> None:
        self.ask("key", {"permissions": "revoked"})

    def log(self) -> str:
        return (self.directory / "log").read_text()

    def closed_port(self) -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])

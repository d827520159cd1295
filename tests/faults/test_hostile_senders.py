"""Shops that hang and photos that cost much: whoever sends them slows down nobody else."""

import http.client
import os
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from hashlib import sha256
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from app.actor import SYSTEM
from app.db import new_id
from app.marketplace_sync.models import AccountCheck
from app.media import MediaBlob
from app.web import SIGN_IN_COOKIE
from tests.app.media.files import encoded, jpeg_with_scans, leaf
from tests.faults.field import Farm

PUBLIC_SECONDS = 1.0
PHOTO_SECONDS = 5.0
GOING_ON_SECONDS = 8.0


class Visitor:
    """Somebody signed in, who knows the token of the forms."""

    def __init__(self, url: str, token: str) -> None:
        self.client = httpx.Client(base_url=url, cookies={SIGN_IN_COOKIE: token}, timeout=120, follow_redirects=True)
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.client.get("/tai-khoan/sua").text)
        assert found is not None
        self.form_token = found[1]

    def upload(self, raw: bytes) -> httpx.Response:
        headers = {"X-CSRFToken": self.form_token}
        body = {"id": str(new_id()), "size": len(raw), "sha256": sha256(raw).hexdigest()}
        assert self.client.post("/api/v1/uploads", json=body, headers=headers).status_code == 201
        at = f"/api/v1/uploads/{body['id']}"
        return self.client.patch(at, content=raw, headers=headers | {"Upload-Offset": "0"})


@pytest.fixture
def visit() -> Iterator[Callable[[str, str], Visitor]]:
    with ExitStack() as leaving:

        def made(url: str, token: str) -> Visitor:
            visitor = Visitor(url, token)
            leaving.callback(visitor.client.close)
            return visitor

        yield made


def p99(times: list[float]) -> float:
    return sorted(times)[min(len(times) - 1, int(len(times) * 0.99))]


def ask_while(url: str, paths: dict[str, str], over: Callable[[], bool]) -> dict[str, list[float]]:
    """How long each address took, asked ten times a second by a new connection each, until it is over."""
    took: dict[str, list[float]] = {name: [] for name in paths}
    while not over():
        for name, path in paths.items():
            began = time.monotonic()
            connection = http.client.HTTPConnection(httpx.URL(url).netloc.decode(), timeout=60)
            with closing(connection):  # httpx would spend more on making its client than the answer takes
                connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
                assert connection.getresponse().status == 200
            took[name].append(time.monotonic() - began)
        threading.Event().wait(0.1)
    return took


def check(what: str, took: dict[str, list[float]]) -> None:
    figures = {name: (len(times), round(p99(times), 3)) for name, times in took.items()}
    print(f"{what}: asked how often, and p99 in seconds: {figures}")  # noqa: T201 - the figures
    assert all(times and p99(times) < PUBLIC_SECONDS for times in took.values()), figures


def public(farm: Farm) -> dict[str, str]:
    return {"scan": f"/t/{next(iter(farm.codes.values()))}", "healthz": "/healthz"}


def store_page(url: str, farm: Farm) -> None:
    """Who asks first has it rendered; the others get what is stored."""
    assert httpx.get(url + public(farm)["scan"], timeout=60).status_code == 200


@contextmanager
def hanging_shop() -> Iterator[str]:
    """Answers at once, and then one byte every half second for as long as anybody listens."""
    over = threading.Event()
    serving: list[threading.Thread] = []

    def drip(line: socket.socket) -> None:
        with line, suppress(OSError):
            line.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500000\r\n\r\n")
            while not over.wait(0.5):
                line.sendall(b" ")

    def accept() -> None:
        with suppress(OSError):
            while not over.is_set():
                serving.append(threading.Thread(target=drip, args=(server.accept()[0],)))
                serving[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            over.set()
            server.shutdown(socket.SHUT_RDWR)
            for thread in [accepting, *serving]:
                thread.join()


@pytest.mark.faults
def test_nine_connects_to_a_hanging_shop(
    farm: Farm, run_processes: Any, wait_for: Callable[..., object], visit: Callable[[str, str], Visitor]
) -> None:
    running = run_processes("web", "relay", "caller")
    seller = visit(running.url, farm.world.token("mui"))

    def connect(url: str) -> int:
        form = {
            "csrf_token": seller.form_token, "id": str(new_id()), "organisation_id": str(farm.world["cooperative"]),
            "channel": "woocommerce", "name": "Gian treo", "base_url": url, "consumer_key": "ck", "consumer_secret": "cs",
        }  # fmt: skip
        return seller.client.post("/san/tai-khoan/moi", data=form, follow_redirects=False).status_code

    def checks(state: str) -> int:
        with farm.database.transaction(SYSTEM) as session:
            return session.scalar(select(func.count()).where(AccountCheck.state == state)) or 0

    store_page(running.url, farm)
    with hanging_shop() as url, ThreadPoolExecutor(9) as threads:
        began = time.monotonic()
        sent = [threads.submit(connect, url) for _ in range(9)]
        took = ask_while(
            running.url,
            public(farm),
            lambda: time.monotonic() - began > GOING_ON_SECONDS and all(one.done() for one in sent),
        )
        assert Counter(one.result() for one in sent) == {303: 3, 429: 6}
        wait_for(lambda: checks("refused") >= 1, 40, "the first shop to be given up")
        assert time.monotonic() - began < 60
    check("9 connects to a hanging shop", took)


@pytest.mark.faults
def test_hostile_pictures(farm: Farm, run_processes: Any, visit: Callable[[str, str], Visitor]) -> None:
    running = run_processes("web")
    attacker = [visit(running.url, farm.world.token("lanh")) for _ in range(4)]
    honest = visit(running.url, farm.world.token("mui"))
    bombs = (
        jpeg_with_scans(6320, 6320, 700),
        jpeg_with_scans(10_000, 11_900, 100),
    )  # refused, and the dearest that is taken
    store_page(running.url, farm)
    over = threading.Event()
    answers: list[tuple[int, str]] = []

    def attack(number: int) -> None:
        while not over.is_set():
            answer = attacker[number].upload(bombs[number % 2] + os.urandom(8))
            answers.append((answer.status_code, answer.json().get("code", "")))

    photo_took: list[float] = []

    def send_photos() -> None:
        for number in range(4):
            began = time.monotonic()
            answer = honest.upload(encoded(leaf(1200, 900 + number), "JPEG"))
            photo_took.append(time.monotonic() - began)
            assert (answer.status_code, answer.json()["finished"]) == (200, True)

    with ThreadPoolExecutor(5) as threads:
        attacks = [threads.submit(attack, number) for number in range(4)]
        try:
            while not answers:
                assert not any(one.done() for one in attacks)
            began, photos = time.monotonic(), threads.submit(send_photos)
            took = ask_while(
                running.url, public(farm), lambda: time.monotonic() - began > GOING_ON_SECONDS and photos.done()
            )
        finally:
            over.set()
        photos.result()
    print(f"photos: {[round(t, 2) for t in photo_took]} s; attacks: {dict(Counter(answers))}")  # noqa: T201 - the figures
    check("hostile pictures", took)
    assert max(photo_took) < PHOTO_SECONDS
    alone = attacker[0].upload(bombs[0] + os.urandom(8))  # beside the others it may never have come to its turn
    answers.append((alone.status_code, alone.json()["code"]))
    assert answers[-1][1] == "photo_too_many_scans"
    codes = {code for _, code in answers}
    assert "photos_at_once" in codes
    assert codes <= {"photo_too_many_scans", "photos_at_once", "photo_too_heavy", "uploads_open", ""}
    with farm.database.transaction(SYSTEM) as session:
        sizes = session.execute(select(MediaBlob.width, MediaBlob.height).where(MediaBlob.kind == "photo")).all()
    assert len([size for size in sizes if size.width == 1200]) == 4

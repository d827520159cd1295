"""Many photos at once leave the others their place."""

import gzip
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from hashlib import sha256
from itertools import islice

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select, text
from werkzeug.test import TestResponse

from app.actor import SYSTEM
from app.db import Database, new_id
from app.factory import create_app
from app.front.layer import Front
from app.front.scans import Scans
from app.front.stored import Asked, Found, Pages
from app.media import MediaBlob, PhotoRead, decoding
from app.settings import Settings
from tests.app.browsers import signed_in
from tests.app.front.pages import Answer
from tests.app.media.files import blobs, encoded, leaf, person

CODE = "0123456789ABY"
PAGE = gzip.compress(b"<!doctype html><h1>trang</h1>")


class Crowd:
    """The web with four threads, as the front has its eight: whoever comes fifth waits for one of them."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings = settings.model_copy(update={"database_url": database.url, "web_threads": 4})
        with database.transaction(SYSTEM) as session:
            session.execute(
                text(
                    "INSERT INTO public_pages (code, language, body, etag, wanted_version, body_version)"
                    " VALUES (:code, 'vi', :body, 'tag', 1, 1)"
                ),
                {"code": CODE, "body": PAGE},
            )
        self.flask = create_app(self.settings, database)
        self.flask.config["WTF_CSRF_ENABLED"] = False
        self.cookies = [signed_in(self.flask, person()) for _ in range(2)]
        self.senders: dict[str, str] = {}
        self.pages = Pages(self.settings)
        scans = Scans(lambda _tallies: None)
        self.front = Front(self.settings, self.flask, self.find, scans)
        self.threads = ThreadPoolExecutor(4)

    def find(self, asked: Sequence[Asked]) -> list[Found | None]:
        try:
            return self.pages.find(asked)
        finally:
            self.pages.close()  # the thread that opened it is the one to close it

    def client(self, cookie: str) -> FlaskClient:
        made = self.flask.test_client()
        made.set_cookie("hoi_phien", cookie)
        return made

    def begin(self, raw: bytes) -> str:
        identifier = str(new_id())
        body = {"id": identifier, "size": len(raw), "sha256": sha256(raw).hexdigest()}
        self.senders[identifier] = self.cookies[len(self.senders) % len(self.cookies)]
        assert self.client(self.senders[identifier]).post("/api/v1/uploads", json=body).status_code == 201
        return identifier

    def send(self, identifier: str, raw: bytes) -> TestResponse:
        client = self.client(self.senders[identifier])
        return client.patch(f"/api/v1/uploads/{identifier}", data=raw, headers={"Upload-Offset": "0"})

    def scan(self) -> Answer:
        return Answer(self.front, f"/t/{CODE}", accept_encoding="gzip")


def test_a_scan_is_answered_while_many_photos_are_slow(
    settings: Settings, fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd = Crowd(settings, fresh_database)
    raws = [encoded(leaf(64, 48 + number), "PNG") for number in range(8)]
    identifiers = [crowd.begin(raw) for raw in raws]
    go_on = threading.Event()

    run = decoding._run

    def slow(raw: bytes) -> PhotoRead:
        assert go_on.wait(60)
        return run(raw)

    monkeypatch.setattr(decoding, "_run", slow)
    with crowd.threads:
        try:
            sent = [crowd.threads.submit(crowd.send, *one) for one in zip(identifiers, raws, strict=True)]
            scanned = crowd.threads.submit(crowd.scan).result(30)
            refused = [one.result() for one in islice(as_completed(sent, timeout=30), 6)]
        finally:
            go_on.set()
        answers = [one.result(30) for one in sent]
    assert (scanned.status, scanned.body) == (200, PAGE)
    assert sorted(answer.status_code for answer in answers) == [200] * 2 + [503] * 6
    for answer in refused:
        assert answer.json is not None
        assert (answer.headers["Retry-After"], answer.json["code"]) == ("5", "photos_at_once")
        assert answer.json["detail_vi"].startswith("Nhiều ảnh đang được gửi lên cùng lúc")
    with fresh_database.transaction(SYSTEM) as session:
        assert blobs(session) == 4, "a large and a small copy of two photos"
    assert [crowd.send(*one).status_code for one in zip(identifiers, raws, strict=True)] == [200] * 8
    with fresh_database.transaction(SYSTEM) as session:
        assert session.scalar(select(func.count()).where(MediaBlob.kind == "photo")) == 8

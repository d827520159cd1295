"""The folder and the bucket keep bytes alike, whole or not at all."""

import os
import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from app import clock, media
from app.actor import SYSTEM
from app.errors import SetupError, Unavailable
from app.media import MediaStore, Upload
from app.settings import Settings
from tests.app.media.files import SessionFor, blobs, encoded, finish, kept_file, leaf, noise, person, send


def test_bytes_and_their_name_are_on_disk_before_a_row_tells_of_them(
    settings: Settings, store: MediaStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr("app.media.store._to_disk", synced.append)
    store.put("blobs/ab/abc", b"x")
    folder = (settings.var / "media").resolve() / "blobs" / "ab"
    assert synced == [folder / "abc", folder]


class Bucket(ThreadingHTTPServer):
    """The part of S3 that we use, with memory: put, get, list, delete many; answers 503 as often as it is told to."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), BucketHandler)
        self.objects: dict[str, bytes] = {}
        self.failures = 0
        self.requests: list[tuple[str, str]] = []
        self.unsigned = 0


class BucketHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Bucket

    def log_message(self, *_args: object) -> None:
        pass

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def begin(self) -> tuple[str, dict[str, list[str]], bytes] | None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        self.server.requests.append((self.command, parts.path))
        if "Credential=KHOA/" not in self.headers.get("Authorization", ""):
            self.server.unsigned += 1
            self.answer(403)
            return None
        if self.server.failures > 0:
            self.server.failures -= 1
            self.answer(503)
            return None
        return unquote(parts.path), parse_qs(parts.query, keep_blank_values=True), body

    def do_PUT(self) -> None:
        if asked := self.begin():
            self.server.objects[asked[0]] = asked[2]
            self.answer(200, ETag=f'"{sha256(asked[2]).hexdigest()[:32]}"')

    def do_GET(self) -> None:
        asked = self.begin()
        if asked is None:
            return
        path, query, _ = asked
        if "list-type" in query:
            prefix = path.rstrip("/") + "/" + query.get("prefix", [""])[0]
            keys = [k for k in sorted(self.server.objects) if k.startswith(prefix)]
            rows = "".join(
                f"<Contents><Key>{escape(k.split('/', 2)[2])}</Key><LastModified>2026-11-23T00:00:00.000Z</LastModified>"
                f'<ETag>"e"</ETag><Size>{len(self.server.objects[k])}</Size></Contents>'
                for k in keys
            )
            body = f"<ListBucketResult><IsTruncated>false</IsTruncated><KeyCount>{len(keys)}</KeyCount>{rows}</ListBucketResult>"
            self.answer(200, body.encode(), Content_Type="application/xml")
        elif path in self.server.objects:
            self.answer(200, self.server.objects[path], ETag='"e"', Last_Modified="Mon, 23 Nov 2026 00:00:00 GMT")
        else:
            self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")

    def do_POST(self) -> None:
        asked = self.begin()
        if asked is None:
            return
        assert "delete" in asked[1]
        keys = re.findall(r"<Key>([^<]+)</Key>", asked[2].decode())
        for key in keys:
            self.server.objects.pop(f"{asked[0].rstrip('/')}/{key}", None)
        gone = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
        self.answer(200, f"<DeleteResult>{gone}</DeleteResult>".encode(), Content_Type="application/xml")


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    server = Bucket()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(10)


def s3_settings(settings: Settings, bucket: Bucket) -> Settings:
    url = f"s3://anh/hoi?endpoint=http://127.0.0.1:{bucket.server_port}&region=vn"
    return settings.model_validate(
        settings.model_dump() | {"media_url": url, "media_key": "KHOA", "media_secret": "BI-MAT"}
    )


def test_a_bucket_keeps_photos_and_uploads_like_a_folder(
    session_for: SessionFor, settings: Settings, bucket: Bucket
) -> None:
    store = MediaStore(s3_settings(settings, bucket))
    actor, raw = person(), encoded(noise(200, 150), "JPEG")
    with session_for(actor) as session:
        upload = send(session, actor, store, raw)
        blob = finish(session, actor, store, upload.id).blob_sha256 or ""
        data = media.open_blob(session, store, blob).data
    assert sha256(data).hexdigest() == blob
    assert bucket.objects[f"/anh/hoi/blobs/{blob[:2]}/{blob}"] == data
    assert bucket.unsigned == 0
    with session_for(SYSTEM) as session:
        session.execute(update(Upload).values(created_at=clock.machine_now() - timedelta(days=8)))
        assert media.forget_old_uploads(session, store) == 1
    assert [k for k in bucket.objects if "uploads" in k] == []
    assert len(bucket.objects) == 2
    assert not (settings.var / "media").exists()


def test_a_bucket_that_stumbles_is_asked_again(db_session: Session, settings: Settings, bucket: Bucket) -> None:
    store = MediaStore(s3_settings(settings, bucket))
    bucket.failures = 2
    photo = kept_file(db_session, store, encoded(leaf(), "JPEG"))
    assert media.open_blob(db_session, store, photo.sha256).sha256 == photo.sha256


def test_a_bucket_that_stays_away_is_said_in_words_and_no_row_is_written(
    db_session: Session, settings: Settings, bucket: Bucket
) -> None:
    store = MediaStore(s3_settings(settings, bucket))
    bucket.failures = 1000
    with pytest.raises(Unavailable) as away:
        kept_file(db_session, store, encoded(leaf(), "JPEG"))
    assert away.value.code == "media_away"
    assert blobs(db_session) == 0


def test_an_object_missing_from_the_bucket_is_none(settings: Settings, bucket: Bucket) -> None:
    assert MediaStore(s3_settings(settings, bucket)).get("blobs/00/none") is None


@pytest.mark.parametrize("url", ["s3://anh", "ftp://anh/x", "s3://?endpoint=http://127.0.0.1"])
def test_a_store_that_is_not_fully_set_up_says_what_to_set(settings: Settings, url: str) -> None:
    with pytest.raises(SetupError, match="HOI_MEDIA_URL"):
        MediaStore(settings.model_validate(settings.model_dump() | {"media_url": url}))


def test_another_folder_may_be_named(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "ảnh của tỉnh"
    store = MediaStore(settings.model_validate(settings.model_dump() | {"media_url": str(folder)}))
    store.put("blobs/00/x", b"1")
    assert (folder / "blobs" / "00" / "x").read_bytes() == b"1"


def test_a_photo_is_whole_or_absent_never_half_in_the_folder(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MediaStore(settings)
    folder = settings.var / "media"
    store.put("blobs/00/x", b"old")
    folder.joinpath("blobs/00").chmod(0o500)
    if os.geteuid() == 0:  # root writes everywhere: the names a writer leaves are what can be looked at
        folder.joinpath("blobs/00").chmod(0o700)
        store.put("blobs/00/x", b"new")
        assert [p.name for p in folder.joinpath("blobs/00").iterdir()] == ["x"]
    else:
        with pytest.raises(Unavailable):
            store.put("blobs/00/x", b"new")
        folder.joinpath("blobs/00").chmod(0o700)
        assert folder.joinpath("blobs/00/x").read_bytes() == b"old"

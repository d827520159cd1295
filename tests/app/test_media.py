"""Photos that are photos, photos that are not, and files that arrive in parts."""

import gzip
import io
import os
import re
import struct
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest
from flask.testing import FlaskClient
from PIL import Image
from PIL.TiffImagePlugin import IFDRational
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from app import clock, front, media
from app.actor import SYSTEM, Actor
from app.db import Database, new_id
from app.errors import (
    Conflict,
    HoiError,
    Invalid,
    NotFound,
    SetupError,
    TooLarge,
    TooMany,
    Unauthenticated,
    Unavailable,
)
from app.factory import create_app
from app.media import MediaBlob, MediaStore, Upload
from app.media.pictures import decode
from app.media.uploads import MAX_PART_BYTES
from app.settings import Settings

SessionFor = Callable[[Actor], AbstractContextManager[Session]]


@pytest.fixture
def store(settings: Settings) -> MediaStore:
    return MediaStore(settings)


def person() -> Actor:
    return Actor(kind="person", person_id=new_id())


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def leaf(width: int = 640, height: int = 480) -> Image.Image:
    """A picture with something in it, so that orientation and quality show."""
    image = Image.new("RGB", (width, height), (40, 110, 50))
    image.paste((200, 30, 20), (0, 0, width // 4, height // 4))  # red stands at the top left
    return image


def noise(width: int, height: int) -> Image.Image:
    return Image.frombytes("RGB", (width, height), os.urandom(width * height * 3))


def png_claiming(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as book:
        book.writestr("a.txt", "a")
    return out.getvalue()


def blobs(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(MediaBlob)) or 0


def stored_files(settings: Settings) -> list[Path]:
    return sorted(p for p in (settings.var / "media").rglob("*") if p.is_file())


# --- photos ------------------------------------------------------------------------------------------------------


def test_a_large_photo_is_kept_at_1600_pixels_with_a_small_copy(db_session: Session, store: MediaStore) -> None:
    photo = media.store_photo(db_session, store, encoded(leaf(3000, 2000), "JPEG"))
    assert (photo.width, photo.height) == (1600, 1067)
    large = media.open_blob(db_session, store, photo.sha256)
    small = media.open_blob(db_session, store, photo.sha256, small=True)
    assert (large.media_type, small.media_type) == ("image/jpeg", "image/webp")
    with Image.open(io.BytesIO(large.data)) as opened:
        assert (opened.format, opened.size) == ("JPEG", (1600, 1067))
    with Image.open(io.BytesIO(small.data)) as opened:
        assert (opened.format, opened.size) == ("WEBP", (480, 320))
    assert photo.thumb_sha256 == small.sha256 == sha256(small.data).hexdigest()


def test_the_small_copy_of_the_busiest_picture_still_fits_a_scan_page(db_session: Session, store: MediaStore) -> None:
    photo = media.store_photo(db_session, store, encoded(noise(1200, 900), "JPEG", quality=70))
    assert len(media.open_blob(db_session, store, photo.sha256, small=True).data) <= media.THUMB_BYTES


def test_position_and_notes_inside_a_photo_do_not_survive(db_session: Session, store: MediaStore) -> None:
    exif = Image.Exif()
    exif[0x010F] = "MayAnhBiMat"
    exif.get_ifd(0x8825).update(
        {
            1: "N",
            2: (IFDRational(21), IFDRational(51), IFDRational(12)),
            3: "E",
            4: (IFDRational(106), IFDRational(45), IFDRational(1)),
        }
    )
    raw = encoded(
        leaf(), "JPEG", exif=exif, icc_profile=b"PROFILE-SECRET" * 20, comment=b"NHA-RIENG",
        xmp=b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>XMP-SECRET</x:xmpmeta>",
    )  # fmt: skip
    with Image.open(io.BytesIO(raw)) as opened:
        assert opened.getexif().get_ifd(0x8825)[2] == (21.0, 51.0, 12.0)
    photo = media.store_photo(db_session, store, raw)
    for small in (False, True):
        data = media.open_blob(db_session, store, photo.sha256, small=small).data
        for mark in (b"MayAnhBiMat", b"PROFILE-SECRET", b"NHA-RIENG", b"XMP-SECRET", b"Exif", b"xmpmeta", b"GPS"):
            assert mark not in data
        with Image.open(io.BytesIO(data)) as opened:
            assert dict(opened.getexif()) == {}
            assert opened.info.keys() <= {
                "jfif",
                "jfif_version",
                "jfif_unit",
                "jfif_density",
                "progressive",
                "progression",
                "loop",
                "background",
                "timestamp",
                "duration",
            }


def test_a_photo_taken_sideways_is_stored_upright(db_session: Session, store: MediaStore) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the phone was turned: show it rotated by 90 degrees clockwise
    photo = media.store_photo(db_session, store, encoded(leaf(800, 400), "JPEG", exif=exif))
    assert (photo.width, photo.height) == (400, 800)
    with Image.open(io.BytesIO(media.open_blob(db_session, store, photo.sha256).data)) as opened:
        red, green, _ = opened.convert("RGB").getpixel((380, 20))  # type: ignore[misc]  # a pixel of RGB is three numbers
    assert red > 150 > green


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # Pillow says so and goes on, as it should
def test_broken_notes_do_not_spoil_a_good_photo(db_session: Session, store: MediaStore) -> None:
    raw = encoded(leaf(), "JPEG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff" + b"\xff" * 40)
    assert media.store_photo(db_session, store, raw).width == 640


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("RGBA", "PNG"),
        ("LA", "PNG"),
        ("P", "PNG"),
        ("1", "PNG"),
        ("I;16", "PNG"),
        ("L", "JPEG"),
        ("CMYK", "JPEG"),
        ("P", "GIF"),
        ("RGBA", "WEBP"),
    ],
)
def test_every_way_of_writing_pixels_becomes_a_plain_photo(
    db_session: Session, store: MediaStore, mode: str, kind: str
) -> None:
    photo = media.store_photo(db_session, store, encoded(Image.new(mode, (60, 40)), kind))
    assert (photo.width, photo.height) == (60, 40)


def test_a_transparent_picture_lies_on_white_paper(db_session: Session, store: MediaStore) -> None:
    photo = media.store_photo(db_session, store, encoded(Image.new("RGBA", (50, 50), (0, 0, 0, 0)), "PNG"))
    with Image.open(io.BytesIO(media.open_blob(db_session, store, photo.sha256).data)) as opened:
        assert opened.getpixel((25, 25)) == (255, 255, 255)


def test_sixteen_bit_grey_keeps_its_shades(db_session: Session, store: MediaStore) -> None:
    image = Image.new("I;16", (20, 20), 128 * 256)
    photo = media.store_photo(db_session, store, encoded(image, "PNG"))
    with Image.open(io.BytesIO(media.open_blob(db_session, store, photo.sha256).data)) as opened:
        assert opened.convert("L").getpixel((10, 10)) == pytest.approx(128, abs=2)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_a_moving_picture_the_first_frame_is_kept(db_session: Session, store: MediaStore, kind: str) -> None:
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "blue", "green")]
    raw = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    photo = media.store_photo(db_session, store, raw)
    with Image.open(io.BytesIO(media.open_blob(db_session, store, photo.sha256).data)) as opened:
        assert getattr(opened, "n_frames", 1) == 1
        red, _, blue = opened.getpixel((5, 5))  # type: ignore[misc]  # a pixel of RGB is three numbers
    assert (red > 200, blue < 60) == (True, True)


REFUSED: dict[str, tuple[bytes, str]] = {
    "header claims 50,000 by 50,000 pixels": (png_claiming(50_000, 50_000), "photo_too_large"),
    "just over 40 million pixels": (png_claiming(8001, 5000), "photo_too_large"),
    "cut off in the middle": (encoded(leaf(), "JPEG")[:-400], "photo_broken"),
    "PNG cut off": (encoded(noise(100, 100), "PNG")[:-9000], "photo_broken"),
    "WebP cut off": (encoded(noise(100, 100), "WEBP")[:-900], "photo_broken"),
    "text named .jpg": ("Na Chi Lăng ngon lắm".encode(), "not_a_photo"),
    "SVG": (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "not_a_photo"),
    "HTML": (b"<!DOCTYPE html><html><body>a</body></html>", "not_a_photo"),
    "GIF that is also a script": (b"GIF89a/*<script>*/=1;" + encoded(leaf(), "GIF")[6:], "not_a_photo"),
    "photo with a ZIP behind it": (encoded(leaf(), "JPEG") + zipped(), "not_a_photo"),
    "PDF": (b"%PDF-1.7\n%%EOF", "not_a_photo"),
    "TIFF": (encoded(leaf(), "TIFF"), "not_a_photo"),
    "HEIC": (b"\x00\x00\x00\x18ftypheic" + b"\0" * 100, "photo_heic"),
    "nothing": (b"", "file_empty"),
    "over 12 MB": (b"\xff\xd8\xff" + b"\0" * media.MAX_BYTES, "file_too_large"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_whole_photo_is_refused_in_words_and_nothing_is_kept(
    db_session: Session, store: MediaStore, settings: Settings, name: str
) -> None:
    raw, code = REFUSED[name]
    with pytest.raises(HoiError) as refusal:
        media.store_photo(db_session, store, raw)
    assert refusal.value.code == code
    assert isinstance(refusal.value, Invalid | TooLarge)
    assert refusal.value.field == "file"
    assert len(refusal.value.vi) > 30
    assert blobs(db_session) == 0
    assert stored_files(settings) == []


def test_forty_million_pixels_exactly_are_within_the_limit(db_session: Session, store: MediaStore) -> None:
    raw = encoded(Image.new("L", (8000, 5000), 90), "PNG")
    photo = media.store_photo(db_session, store, raw)
    assert (photo.width, photo.height) == (1600, 1000)


def test_the_same_photo_twice_is_stored_once(db_session: Session, store: MediaStore, settings: Settings) -> None:
    raw = encoded(leaf(), "JPEG")
    first = media.store_photo(db_session, store, raw)
    kept = stored_files(settings)
    again = media.store_photo(db_session, store, raw)
    assert first == again
    assert blobs(db_session) == 2
    assert stored_files(settings) == kept
    assert [p.name for p in kept] == sorted([first.sha256, first.thumb_sha256], key=lambda d: (d[:2], d))


def test_the_same_pixels_in_another_wrapping_share_their_bytes(db_session: Session, store: MediaStore) -> None:
    first = media.store_photo(db_session, store, encoded(leaf(), "PNG"))
    exif = Image.Exif()
    exif[0x010F] = "Khac"
    second = media.store_photo(db_session, store, encoded(leaf(), "PNG", exif=exif))
    assert first.sha256 == second.sha256
    assert blobs(db_session) == 2


def test_bytes_that_changed_in_the_store_are_never_sent(
    db_session: Session, store: MediaStore, settings: Settings
) -> None:
    photo = media.store_photo(db_session, store, encoded(leaf(), "JPEG"))
    path = settings.var / "media" / "blobs" / photo.sha256[:2] / photo.sha256
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(Unavailable) as damage:
        media.open_blob(db_session, store, photo.sha256)
    assert damage.value.code == "media_damaged"


def test_an_unknown_hash_is_not_found(db_session: Session, store: MediaStore) -> None:
    with pytest.raises(NotFound):
        media.open_blob(db_session, store, "0" * 64)


def test_known_photos_are_told_from_other_hashes(db_session: Session, store: MediaStore) -> None:
    photo = media.store_photo(db_session, store, encoded(leaf(), "JPEG"))
    pdf = media.store_pdf(db_session, store, b"%PDF-1.7\nbody\n%%EOF")
    assert media.known_photos(db_session, [photo.sha256, pdf, "f" * 64]) == {photo.sha256}
    assert media.known_photos(db_session, []) == set()


def test_a_pdf_is_kept_as_it_came(db_session: Session, store: MediaStore) -> None:
    raw = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF\n"
    digest = media.store_pdf(db_session, store, raw)
    opened = media.open_blob(db_session, store, digest, small=True)
    assert (opened.kind, opened.media_type, opened.data) == ("pdf", "application/pdf", raw)


@pytest.mark.parametrize("raw", [b"%PDF-1.7 without an end", b"x%PDF-1.7\n%%EOF", b"%PDF-1.7\n%%EOF" + zipped()])
def test_what_is_no_whole_pdf_is_refused(db_session: Session, store: MediaStore, raw: bytes) -> None:
    with pytest.raises(Invalid, match="not_pdf"):
        media.store_pdf(db_session, store, raw)
    assert blobs(db_session) == 0


def test_blobs_can_be_added_but_never_changed_by_the_application(db_session: Session, store: MediaStore) -> None:
    media.store_photo(db_session, store, encoded(leaf(), "JPEG"))
    with pytest.raises(Exception, match="permission denied"), db_session.begin_nested():
        db_session.execute(update(MediaBlob).values(media_type="text/html"))


def test_bytes_and_their_name_are_on_disk_before_a_row_tells_of_them(
    settings: Settings, store: MediaStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr("app.media.store._to_disk", synced.append)
    store.put("blobs/ab/abc", b"x")
    folder = (settings.var / "media").resolve() / "blobs" / "ab"
    assert synced == [folder / "abc", folder]


# --- many at once ------------------------------------------------------------------------------------------------


CODE = "0123456789ABY"
PAGE = gzip.compress(b"<!doctype html><h1>trang</h1>")


class Crowd:
    """The web with four threads, as granian has its eight: whoever comes fifth waits for one of them."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings = settings.model_copy(update={"database_url": database.url, "web_threads": 4})
        self.person = person()
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
        self.flask.extensions["hoi"] = replace(self.flask.extensions["hoi"], build_actor=lambda _s, _t, _r: self.person)
        self.pages = front.Pages(self.settings)
        scans = front.Scans(lambda _tallies: None)
        self.flask.wsgi_app = front.Front(self.settings, self.flask.wsgi_app, self.find, scans)  # type: ignore[method-assign]
        self.threads = ThreadPoolExecutor(4)

    def find(self, *asked: str) -> front.Found | None:
        try:
            return self.pages.find(*asked)
        finally:
            self.pages._forget_connection()  # the thread that opened it is the one to close it

    def client(self) -> FlaskClient:
        made = self.flask.test_client()
        made.set_cookie("hoi_phien", "token")
        return made

    def begin(self, raw: bytes) -> str:
        identifier = str(new_id())
        body = {"id": identifier, "size": len(raw), "sha256": sha256(raw).hexdigest()}
        assert self.client().post("/api/v1/uploads", json=body).status_code == 201
        return identifier

    def send(self, identifier: str, raw: bytes) -> TestResponse:
        return self.client().patch(f"/api/v1/uploads/{identifier}", data=raw, headers={"Upload-Offset": "0"})

    def scan(self) -> TestResponse:
        return self.client().get(f"/t/{CODE}", headers={"Accept-Encoding": "gzip"})


def test_a_scan_is_answered_while_many_photos_are_slow(
    settings: Settings, fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd = Crowd(settings, fresh_database)
    raws = [encoded(leaf(64, 48 + number), "PNG") for number in range(8)]
    identifiers = [crowd.begin(raw) for raw in raws]
    go_on = threading.Event()

    def slow(raw: bytes) -> Image.Image:
        assert go_on.wait(60)
        return decode(raw)

    monkeypatch.setattr("app.media.blobs.decode", slow)
    with crowd.threads:
        try:
            sent = [crowd.threads.submit(crowd.send, *one) for one in zip(identifiers, raws, strict=True)]
            scanned = crowd.threads.submit(crowd.scan).result(30)
            refused = [one.result() for one in islice(as_completed(sent, timeout=30), 6)]
        finally:
            go_on.set()
        answers = [one.result(30) for one in sent]
    assert (scanned.status_code, scanned.data) == (200, PAGE)
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


# --- uploads in parts --------------------------------------------------------------------------------------------


def send(session: Session, actor: Actor, store: MediaStore, raw: bytes, *, part: int = 5000) -> Upload:
    upload = media.begin_upload(session, actor, upload_id=new_id(), size=len(raw), digest=sha256(raw).hexdigest())
    for offset in range(0, len(raw), part):
        upload = media.append_upload(
            session, actor, store, upload_id=upload.id, offset=offset, data=raw[offset : offset + part]
        )
    return upload


def test_a_photo_sent_in_parts_becomes_a_blob(session_for: SessionFor, store: MediaStore) -> None:
    actor, raw = person(), encoded(noise(200, 150), "JPEG")
    with session_for(actor) as session:
        upload = send(session, actor, store, raw)
        done = media.finish_upload(session, actor, store, upload_id=upload.id)
        again = media.finish_upload(session, actor, store, upload_id=upload.id)
        assert done.blob_sha256 == again.blob_sha256 == media.store_photo(session, store, raw).sha256
        assert done.finished_at is not None
        assert media.uploaded_by(session, actor, done.blob_sha256)
        assert not media.uploaded_by(session, person(), done.blob_sha256)


def test_a_lost_answer_is_mended_by_sending_the_part_again(session_for: SessionFor, store: MediaStore) -> None:
    actor, raw = person(), encoded(leaf(), "JPEG")
    with session_for(actor) as session:
        upload = media.begin_upload(session, actor, upload_id=new_id(), size=len(raw), digest=sha256(raw).hexdigest())
        for _ in range(3):
            media.append_upload(session, actor, store, upload_id=upload.id, offset=0, data=raw[:1000])
        assert upload.received == 1000
        with pytest.raises(Conflict, match="1000"):
            media.append_upload(session, actor, store, upload_id=upload.id, offset=1500, data=raw[1500:])
        assert upload.received == 1000
        with pytest.raises(Conflict, match="1000 of"):
            media.finish_upload(session, actor, store, upload_id=upload.id)
        media.append_upload(session, actor, store, upload_id=upload.id, offset=1000, data=raw[1000:])
        assert media.finish_upload(session, actor, store, upload_id=upload.id).blob_sha256 is not None


def test_a_part_written_before_a_crash_is_overwritten_by_what_is_sent_next(
    session_for: SessionFor, store: MediaStore
) -> None:
    actor, raw = person(), encoded(leaf(), "JPEG")
    with session_for(actor) as session:
        upload = media.begin_upload(session, actor, upload_id=new_id(), size=len(raw), digest=sha256(raw).hexdigest())
        store.put(f"uploads/{upload.id}/{0:012d}", b"bytes of a transaction that never committed")
        media.append_upload(session, actor, store, upload_id=upload.id, offset=0, data=raw[:700])
        media.append_upload(session, actor, store, upload_id=upload.id, offset=700, data=raw[700:])
        assert media.finish_upload(session, actor, store, upload_id=upload.id).blob_sha256 is not None


def test_the_same_announcement_again_resumes_and_another_file_under_it_is_refused(
    session_for: SessionFor, store: MediaStore
) -> None:
    actor, raw = person(), encoded(leaf(), "JPEG")
    identifier, digest = new_id(), sha256(raw).hexdigest()
    with session_for(actor) as session:
        media.begin_upload(session, actor, upload_id=identifier, size=len(raw), digest=digest)
        media.append_upload(session, actor, store, upload_id=identifier, offset=0, data=raw[:100])
        assert media.begin_upload(session, actor, upload_id=identifier, size=len(raw), digest=digest).received == 100
        with pytest.raises(Conflict, match="upload_id_taken"):
            media.begin_upload(session, actor, upload_id=identifier, size=len(raw), digest="0" * 64)


def test_somebody_elses_upload_is_neither_seen_nor_taken_over(session_for: SessionFor, store: MediaStore) -> None:
    owner, other, raw = person(), person(), encoded(leaf(), "JPEG")
    with session_for(owner) as session:
        upload_id = send(session, owner, store, raw).id
    with session_for(other) as session:
        assert session.scalar(select(func.count()).select_from(Upload)) == 0
        with pytest.raises(NotFound):
            media.upload_state(session, other, upload_id)
        with pytest.raises(NotFound):
            media.append_upload(session, other, store, upload_id=upload_id, offset=0, data=b"x")
        with pytest.raises(Conflict, match="upload_id_taken"):
            media.begin_upload(session, other, upload_id=upload_id, size=len(raw), digest=sha256(raw).hexdigest())
    with session_for(owner) as session:
        assert media.upload_state(session, owner, upload_id).received == len(raw)


def test_damaged_overlong_and_false_uploads_are_refused(session_for: SessionFor, store: MediaStore) -> None:
    actor, raw = person(), encoded(leaf(), "JPEG")
    with session_for(actor) as session:
        wrong = media.begin_upload(session, actor, upload_id=new_id(), size=len(raw), digest="a" * 64)
        media.append_upload(session, actor, store, upload_id=wrong.id, offset=0, data=raw)
        with pytest.raises(Invalid, match="upload_damaged"):
            media.finish_upload(session, actor, store, upload_id=wrong.id)
        short = media.begin_upload(session, actor, upload_id=new_id(), size=10, digest="b" * 64)
        with pytest.raises(Invalid, match="upload_overflow"):
            media.append_upload(session, actor, store, upload_id=short.id, offset=0, data=b"x" * 11)
        with pytest.raises(TooLarge, match="part_too_large"):
            media.append_upload(session, actor, store, upload_id=short.id, offset=0, data=b"x" * (MAX_PART_BYTES + 1))
        false = send(session, actor, store, b"not a photo at all")
        with pytest.raises(Invalid, match="not_a_photo"):
            media.finish_upload(session, actor, store, upload_id=false.id)
        assert blobs(session) == 0


@pytest.mark.parametrize(
    ("size", "digest", "kind"),
    [(0, "a" * 64, Invalid), (media.MAX_BYTES + 1, "a" * 64, TooLarge), (10, "A" * 64, Invalid), (10, "abc", Invalid)],
)
def test_an_announcement_that_cannot_end_well_is_refused_at_once(
    session_for: SessionFor, size: int, digest: str, kind: type[HoiError]
) -> None:
    actor = person()
    with session_for(actor) as session:
        with pytest.raises(kind):
            media.begin_upload(session, actor, upload_id=new_id(), size=size, digest=digest)
        assert session.scalar(select(func.count()).select_from(Upload)) == 0


def test_one_person_cannot_leave_uploads_half_sent_without_end(
    session_for: SessionFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.media.uploads.MAX_OPEN_UPLOADS", 2)
    actor, first = person(), new_id()
    with session_for(actor) as session:
        media.begin_upload(session, actor, upload_id=first, size=5, digest="a" * 64)
        media.begin_upload(session, actor, upload_id=new_id(), size=5, digest="b" * 64)
        with pytest.raises(TooMany):
            media.begin_upload(session, actor, upload_id=new_id(), size=5, digest="c" * 64)
        assert media.begin_upload(session, actor, upload_id=first, size=5, digest="a" * 64).id == first


def test_nobody_uploads_without_a_sign_in(db_session: Session) -> None:
    with pytest.raises(Unauthenticated):
        media.begin_upload(db_session, SYSTEM, upload_id=new_id(), size=5, digest="a" * 64)


def test_a_pdf_sent_in_parts_is_kept_too(session_for: SessionFor, store: MediaStore) -> None:
    actor, raw = person(), b"%PDF-1.4\n" + b"x" * 3000 + b"\n%%EOF"
    with session_for(actor) as session:
        done = media.finish_upload(session, actor, store, upload_id=send(session, actor, store, raw).id)
        assert done.blob_sha256 == sha256(raw).hexdigest()


def test_week_old_uploads_and_their_parts_go_and_blobs_stay(
    session_for: SessionFor, store: MediaStore, settings: Settings
) -> None:
    actor, raw = person(), encoded(leaf(), "JPEG")
    with session_for(actor) as session:
        old = send(session, actor, store, raw).id
        blob = media.finish_upload(session, actor, store, upload_id=old).blob_sha256 or ""
        young = send(session, actor, store, raw).id
    with session_for(SYSTEM) as session:
        session.execute(
            update(Upload).where(Upload.id == old).values(created_at=clock.machine_now() - timedelta(days=7, minutes=1))
        )
        assert media.forget_old_uploads(session, store) == 1
        assert media.forget_old_uploads(session, store) == 0
        assert session.scalars(select(Upload.id)).all() == [young]
        assert media.open_blob(session, store, blob).kind == "photo"
    assert not any(str(old) in str(p) for p in stored_files(settings))
    assert any(str(young) in str(p) for p in stored_files(settings))


def test_two_phones_finishing_at_once_store_one_blob(fresh_database: Database, store: MediaStore) -> None:
    actor, raw = person(), encoded(leaf(), "JPEG")
    with fresh_database.transaction(actor) as session:
        upload_id = send(session, actor, store, raw).id
    seen: list[str | None] = []

    def finish() -> None:
        with fresh_database.transaction(actor) as session:
            seen.append(media.finish_upload(session, actor, store, upload_id=upload_id).blob_sha256)

    threads = [threading.Thread(target=finish) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(seen) == 4
    assert len(set(seen)) == 1
    with fresh_database.transaction(SYSTEM) as session:
        assert blobs(session) == 2


# --- S3 ----------------------------------------------------------------------------------------------------------


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
        blob = media.finish_upload(session, actor, store, upload_id=upload.id).blob_sha256 or ""
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
    photo = media.store_photo(db_session, store, encoded(leaf(), "JPEG"))
    assert media.open_blob(db_session, store, photo.sha256).sha256 == photo.sha256


def test_a_bucket_that_stays_away_is_said_in_words_and_no_row_is_written(
    db_session: Session, settings: Settings, bucket: Bucket
) -> None:
    store = MediaStore(s3_settings(settings, bucket))
    bucket.failures = 1000
    with pytest.raises(Unavailable) as away:
        media.store_photo(db_session, store, encoded(leaf(), "JPEG"))
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

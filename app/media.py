"""Photos and files: sniffed, decoded under limits, re-encoded without their metadata, stored under their own hash."""

import os
import re
import struct
import threading
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store
from PIL import Image, UnidentifiedImageError
from sqlalchemy import CheckConstraint, ForeignKey, Index, delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from app import clock
from app.actor import Actor
from app.db import Base, Id
from app.errors import Conflict, Invalid, SetupError, TooLarge, TooMany, Unauthenticated, Unavailable, not_found
from app.settings import Settings

MAX_BYTES = 12 * 1024 * 1024
MAX_PIXELS = 40_000_000
PHOTO_EDGE = 1600
THUMB_EDGE = 480
THUMB_BYTES = 15 * 1024  # a scan page and its first picture must fit in 30 KB
MAX_PART_BYTES = 1024 * 1024
MAX_OPEN_UPLOADS = 500  # a phone that was offline for a season
UPLOADS_KEPT = timedelta(days=7)
ACCEPTED = {"JPEG": "image/jpeg", "MPO": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "GIF": "image/gif"}
SHA256 = re.compile(r"^[0-9a-f]{64}$")
ORIENTATION = 0x0112

# Pillow counts as well, and looks before it allocates; _decode says the same in words.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS


class MediaBlob(Base):
    """One stored file. `source_sha256` is the hash of the bytes that came in, `thumb_sha256` a photo's small copy."""

    __tablename__ = "media_blobs"
    __table_args__ = (
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256"),
        CheckConstraint("kind IN ('photo', 'thumb', 'pdf', 'import')", name="kind"),
        Index("ix_media_blobs_source_sha256", "source_sha256"),
    )

    sha256: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    media_type: Mapped[str]
    size: Mapped[int]
    width: Mapped[int | None]
    height: Mapped[int | None]
    stored_at: Mapped[datetime]
    source_sha256: Mapped[str]
    thumb_sha256: Mapped[str | None]


class Upload(Base):
    """A file on its way in parts: `received` bytes of `size`; done when `blob_sha256` is set."""

    __tablename__ = "uploads"
    __table_args__ = (
        CheckConstraint("received BETWEEN 0 AND size", name="received"),
        Index("ix_uploads_person_id", "person_id"),
        Index("ix_uploads_blob_sha256", "blob_sha256"),
        Index("ix_uploads_open", "created_at", postgresql_where=text("finished_at IS NULL")),
    )

    id: Mapped[Id]
    person_id: Mapped[UUID]
    size: Mapped[int]
    sha256: Mapped[str]
    received: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    blob_sha256: Mapped[str | None] = mapped_column(ForeignKey("media_blobs.sha256"))


@dataclass(frozen=True, slots=True)
class Photo:
    """A stored photo; width and height are those of the large copy."""

    sha256: str
    width: int
    height: int
    thumb_sha256: str


@dataclass(frozen=True, slots=True)
class OpenedBlob:
    sha256: str
    kind: str
    media_type: str
    data: bytes


# --- where bytes are kept ----------------------------------------------------------------------------------------


class MediaStore:
    """A folder or an S3-compatible bucket. Make it after fork. Writes are whole or not at all."""

    def __init__(self, settings: Settings) -> None:
        self._root: Path | None = None
        self._gate = threading.BoundedSemaphore(1)
        self._places = threading.BoundedSemaphore(max(1, settings.web_threads // 2))
        self._objects: LocalStore | S3Store
        if settings.media_url is None or "://" not in settings.media_url:
            self._root = Path(settings.media_url or settings.var / "media").resolve()
            self._objects = LocalStore(self._root, mkdir=True)
        else:
            self._objects = _s3(settings)

    def put(self, key: str, data: bytes) -> None:
        """Raises Unavailable when the store does not take it."""
        try:
            obstore.put(self._objects, key, data, use_multipart=False)
            if self._root is not None:
                _to_disk(self._root / key)
                _to_disk((self._root / key).parent)  # the name as well
        except (BaseError, OSError) as error:
            raise _away() from error

    def get(self, key: str) -> bytes | None:
        """None when there is no such object. Raises Unavailable when the store does not answer."""
        try:
            return bytes(obstore.get(self._objects, key).bytes())
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as error:
            raise _away() from error

    def delete(self, key: str) -> None:
        """Also when there is no such object."""
        try:
            obstore.delete(self._objects, key)
        except FileNotFoundError:
            return
        except (BaseError, OSError) as error:
            raise _away() from error

    def delete_under(self, prefix: str) -> int:
        """Returns how many objects went."""
        try:
            keys = [str(o["path"]) for page in obstore.list(self._objects, prefix) for o in page]
            if keys:
                obstore.delete(self._objects, keys)
        except FileNotFoundError:  # somebody else was faster
            return 0
        except (BaseError, OSError) as error:
            raise _away() from error
        return len(keys)

    @contextmanager
    def decoding(self) -> Iterator[None]:
        """Held while a photo is decoded: one at a time bounds this process to one large picture in memory.

        At most half of the web's threads wait here, so that many photos at once leave the others to everybody else. Raises
        Unavailable to whoever comes after them.
        """
        if not self._places.acquire(blocking=False):
            raise Unavailable(
                "photos_at_once",
                vi="Nhiều ảnh đang được gửi lên cùng lúc nên ảnh này chưa được ghi. Bác đợi vài giây rồi gửi lại.",
                en="Many photos are arriving at once, so this one was not saved. Wait a few seconds and send it again.",
                retry_after_seconds=5,
            )
        try:
            with self._gate:
                yield
        finally:
            self._places.release()


_making_store = threading.Lock()


def store_for(settings: Settings) -> MediaStore:
    """The store of this process for these settings: one, or photos would not wait for each other."""
    with _making_store:
        return _store(settings)


@lru_cache(maxsize=8)
def _store(settings: Settings) -> MediaStore:
    return MediaStore(settings)


def _s3(settings: Settings) -> S3Store:
    parts = urlsplit(settings.media_url or "")
    options = {k: v[-1] for k, v in parse_qs(parts.query).items()}
    if parts.scheme != "s3" or not parts.netloc or settings.media_key is None or settings.media_secret is None:
        raise SetupError(
            "media_url",
            vi="HOI_MEDIA_URL phải là một thư mục, hoặc s3://thùng?endpoint=https://máy-chủ&region=vùng kèm"
            " HOI_MEDIA_KEY và HOI_MEDIA_SECRET. Bác đặt lại ba giá trị này rồi chạy lại.",
            en="HOI_MEDIA_URL must be a folder, or s3://bucket?endpoint=https://server&region=region together with"
            " HOI_MEDIA_KEY and HOI_MEDIA_SECRET. Set these three and start again.",
        )
    endpoint = options.get("endpoint", "")
    region = options.get("region", "us-east-1")
    return S3Store(
        parts.netloc,
        prefix=parts.path.strip("/") or None,
        access_key_id=settings.media_key.get_secret_value(),
        secret_access_key=settings.media_secret.get_secret_value(),
        endpoint=endpoint or f"https://s3.{region}.amazonaws.com",
        region=region,
        virtual_hosted_style_request=options.get("style", "path") == "host",
        client_options={
            "allow_http": endpoint.startswith("http://"),
            "timeout": timedelta(seconds=20),
            "connect_timeout": timedelta(seconds=5),
        },
        retry_config={
            "max_retries": 3,
            "retry_timeout": timedelta(seconds=15),
            "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=2), "base": 2},
        },
    )


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _away() -> Unavailable:
    return Unavailable(
        "media_away",
        vi="Kho ảnh không trả lời lúc này nên chưa ghi được. Bác đợi một phút rồi gửi lại.",
        en="The photo store does not answer now, so nothing was saved. Wait a minute and send again.",
    )


def _blob_key(digest: str) -> str:
    return f"blobs/{digest[:2]}/{digest}"


# --- photos and files --------------------------------------------------------------------------------------------


def store_photo(session: Session, store: MediaStore, raw: bytes) -> Photo:
    """Keep a large copy (JPEG, at most 1600 px) and a small one (WebP, at most 480 px), upright and without metadata.

    The same bytes again give the same Photo. Raises Invalid or TooLarge with a sentence for whoever took the photo.
    """
    check_size(len(raw))
    source = sha256(raw).hexdigest()
    known = session.scalar(
        select(MediaBlob).where(MediaBlob.source_sha256 == source, MediaBlob.kind == "photo").limit(1)
    )
    if known is not None:
        return _as_photo(known)
    refuse_other_files(raw)
    with store.decoding():
        picture = _decode(raw)
        large, thumb = _jpeg(picture), _small_webp(picture)
    now = clock.now()
    thumb_digest = sha256(thumb.data).hexdigest()
    digest = sha256(large).hexdigest()
    rows = [
        MediaBlob(
            sha256=thumb_digest,
            kind="thumb",
            media_type="image/webp",
            size=len(thumb.data),
            width=thumb.width,
            height=thumb.height,
            stored_at=now,
            source_sha256=source,
            thumb_sha256=None,
        ),
        MediaBlob(
            sha256=digest,
            kind="photo",
            media_type="image/jpeg",
            size=len(large),
            width=picture.width,
            height=picture.height,
            stored_at=now,
            source_sha256=source,
            thumb_sha256=thumb_digest,
        ),
    ]
    _keep(session, store, rows, [thumb.data, large])
    return Photo(sha256=digest, width=picture.width, height=picture.height, thumb_sha256=thumb_digest)


def store_pdf(session: Session, store: MediaStore, raw: bytes) -> str:
    """Keep a PDF as it came; it is only ever sent as an attachment. Returns its hash. Raises Invalid or TooLarge."""
    check_size(len(raw))
    if not raw.startswith(b"%PDF-") or b"%%EOF" not in raw[-2048:] or zipfile.is_zipfile(BytesIO(raw)):
        raise Invalid(
            "not_pdf",
            vi="Tệp này không phải PDF, hoặc PDF bị thiếu một phần. Bác lưu lại thành PDF rồi gửi.",
            en="This is not a PDF, or a part of it is missing. Save it as PDF again and send it.",
            field="file",
        )
    return store_file(session, store, raw, kind="pdf", media_type="application/pdf")


def store_file(session: Session, store: MediaStore, raw: bytes, *, kind: str, media_type: str) -> str:
    """Keep bytes that the caller has judged. Returns their hash; the same bytes are kept once."""
    check_size(len(raw))
    digest = sha256(raw).hexdigest()
    row = MediaBlob(
        sha256=digest,
        kind=kind,
        media_type=media_type,
        size=len(raw),
        width=None,
        height=None,
        stored_at=clock.now(),
        source_sha256=digest,
        thumb_sha256=None,
    )
    _keep(session, store, [row], [raw])
    return digest


def forget_list(session: Session, digest: str) -> bool:
    """Delete the row of a list that came to be imported. False when other rows point to it. Runs as SYSTEM.

    The bytes stay until this is committed: `delete_forgotten` comes after, for a row without bytes would be a lie.
    """
    try:
        with session.begin_nested():
            session.execute(delete(MediaBlob).where(MediaBlob.sha256 == digest, MediaBlob.kind == "import"))
    except IntegrityError:
        return False
    return True


def delete_forgotten(session: Session, store: MediaStore, digest: str) -> bool:
    """Delete bytes that no row holds. False when a row holds them. Safe to repeat.

    The caller keeps out whoever would store the same bytes meanwhile.
    """
    if session.get(MediaBlob, digest) is not None:
        return False
    store.delete(_blob_key(digest))
    return True


def open_blob(session: Session, store: MediaStore, digest: str, *, small: bool = False) -> OpenedBlob:
    """The stored bytes, or with `small` a photo's small copy. Raises NotFound; Unavailable when the bytes were damaged.

    Who may see a blob is decided by the rows that point to it: ask them first.
    """
    row = session.get(MediaBlob, digest)
    if row is not None and small and row.thumb_sha256 is not None:
        row = session.get(MediaBlob, row.thumb_sha256)
    if row is None:
        raise not_found("tệp này", "this file")
    data = store.get(_blob_key(row.sha256))
    if data is None or sha256(data).hexdigest() != row.sha256:
        raise Unavailable(
            "media_damaged",
            vi="Tệp này không còn nguyên trong kho nên chưa mở được. Hãy báo người vận hành khôi phục từ bản sao lưu.",
            en="This file is not whole in the store. Ask the operator to restore it from the backup.",
        )
    return OpenedBlob(sha256=row.sha256, kind=row.kind, media_type=row.media_type, data=data)


def known_photos(session: Session, digests: Sequence[str]) -> set[str]:
    """Which of these hashes are stored photos."""
    if not digests:
        return set()
    found = session.scalars(
        select(MediaBlob.sha256).where(MediaBlob.sha256.in_(set(digests)), MediaBlob.kind.in_(("photo", "thumb")))
    )
    return set(found)


def check_size(size: int) -> None:
    """Raise when a file is empty or over 12 MB."""
    if size == 0:
        raise Invalid(
            "file_empty",
            vi="Tệp này rỗng, có thể máy chưa chép xong. Bác chọn lại tệp.",
            en="This file is empty. Choose it again.",
            field="file",
        )
    if size > MAX_BYTES:
        raise TooLarge(
            "file_too_large",
            vi="Tệp nặng quá 12 MB. Bác chụp lại ở cỡ nhỏ hơn, hoặc gửi tệp nhẹ hơn.",
            en="The file is over 12 MB. Take the photo at a smaller size, or send a lighter file.",
            field="file",
        )


def refuse_other_files(raw: bytes) -> None:
    """Raise Invalid for what only looks like a photo, or is two things at once."""
    if raw[4:8] == b"ftyp" and raw[8:12] in {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"}:
        raise Invalid(
            "photo_heic",
            vi="Ảnh này ở dạng HEIC, chúng tôi chưa mở được. Trên iPhone, bác vào Cài đặt, Camera, Định dạng, chọn"
            " “Tương thích nhất” rồi chụp lại; hoặc gửi ảnh chụp màn hình.",
            en="This photo is HEIC, which we cannot open yet. On an iPhone choose Settings, Camera, Formats, Most"
            " Compatible and take it again, or send a screenshot.",
            field="file",
        )
    start = raw[:1024].lower()
    marks = (b"<svg", b"<html", b"<!doctype", b"<script", b"<?php", b"%pdf-")
    if any(mark in start for mark in marks) or zipfile.is_zipfile(BytesIO(raw)):
        raise _not_a_photo()


def _not_a_photo() -> Invalid:
    return Invalid(
        "not_a_photo",
        vi="Tệp này không phải ảnh chụp. Bác chọn ảnh JPEG, PNG, WebP hoặc GIF.",
        en="This file is not a photo. Choose a JPEG, PNG, WebP or GIF.",
        field="file",
    )


def _decode(raw: bytes) -> Image.Image:
    """The first frame as clean RGB pixels, upright, at most PHOTO_EDGE on its longer side."""
    try:
        with Image.open(BytesIO(raw), formats=("JPEG", "PNG", "WEBP", "GIF")) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise _too_many_pixels()
            turn = _orientation(opened)
            opened.draft("RGB", (PHOTO_EDGE, PHOTO_EDGE))
            opened.load()
            small = _plain(opened)
            small.thumbnail((PHOTO_EDGE, PHOTO_EDGE), Image.Resampling.LANCZOS, reducing_gap=3.0)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_many_pixels() from None
    except UnidentifiedImageError:
        raise _not_a_photo() from None
    except (
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        struct.error,
        LookupError,
        TypeError,
        ArithmeticError,
        zlib.error,
    ):
        raise Invalid(
            "photo_broken",
            vi="Ảnh bị thiếu hoặc hỏng một phần. Bác mở ảnh trên máy xem có đủ không, rồi chọn lại hoặc chụp lại.",
            en="A part of this photo is missing or broken. Look at it on the phone, then choose or take it again.",
            field="file",
        ) from None
    upright = small.transpose(turn) if turn is not None else small
    clean = Image.new(
        "RGB", upright.size
    )  # a fresh picture carries no comment, profile, position or text of the old one
    clean.paste(upright)
    return clean


def _plain(image: Image.Image) -> Image.Image:
    if image.mode in {"I", "I;16", "I;16L", "I;16B", "F"}:
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L").convert("RGB")
    if image.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in image.info:
        seen = image.convert("RGBA")
        paper = Image.new("RGB", seen.size, "white")
        paper.paste(seen, mask=seen.getchannel("A"))
        return paper
    return image.convert("RGB")


def _orientation(image: Image.Image) -> Image.Transpose | None:
    try:
        value = image.getexif().get(ORIENTATION)
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, LookupError, TypeError, Warning):
        return None  # a photo with broken notes is still a photo
    turns = Image.Transpose
    return {
        2: turns.FLIP_LEFT_RIGHT,
        3: turns.ROTATE_180,
        4: turns.FLIP_TOP_BOTTOM,
        5: turns.TRANSPOSE,
        6: turns.ROTATE_270,
        7: turns.TRANSVERSE,
        8: turns.ROTATE_90,
    }.get(value if isinstance(value, int) else 0)


def _too_many_pixels() -> TooLarge:
    return TooLarge(
        "photo_too_large",
        vi="Ảnh có quá nhiều điểm ảnh (hơn 40 triệu). Bác chụp lại ở cỡ nhỏ hơn.",
        en="The photo has more than 40 million pixels. Take it at a smaller size.",
        field="file",
    )


def _jpeg(image: Image.Image) -> bytes:
    out = BytesIO()
    image.save(out, "JPEG", quality=82, optimize=True, progressive=True)
    return out.getvalue()


@dataclass(frozen=True, slots=True)
class _Small:
    data: bytes
    width: int
    height: int


def _small_webp(image: Image.Image) -> _Small:
    """As good as THUMB_BYTES allows: less quality first, then fewer pixels."""
    edge = THUMB_EDGE
    while True:
        small = image.copy()
        small.thumbnail((edge, edge), Image.Resampling.LANCZOS, reducing_gap=3.0)
        for quality in (74, 60, 45, 30):
            out = BytesIO()
            small.save(out, "WEBP", quality=quality, method=4)
            if out.tell() <= THUMB_BYTES or edge <= THUMB_EDGE // 4:
                return _Small(out.getvalue(), small.width, small.height)
        edge = edge * 3 // 4


def _keep(session: Session, store: MediaStore, rows: list[MediaBlob], contents: list[bytes]) -> None:
    # Bytes first: a row without bytes would be a lie, bytes without a row are only a little waste.
    for row, data in zip(rows, contents, strict=True):
        store.put(_blob_key(row.sha256), data)
    columns = [c.key for c in MediaBlob.__table__.columns]
    session.execute(
        insert(MediaBlob).on_conflict_do_nothing(), [{key: getattr(row, key) for key in columns} for row in rows]
    )


def _as_photo(row: MediaBlob) -> Photo:
    return Photo(row.sha256, row.width or 0, row.height or 0, row.thumb_sha256 or row.sha256)


# --- uploads in parts --------------------------------------------------------------------------------------------


def begin_upload(session: Session, actor: Actor, *, upload_id: UUID, size: int, digest: str) -> Upload:
    """Announce a file of `size` bytes with this SHA-256. The same announcement again returns the upload as it stands.

    Raises Conflict when the id is taken by another file, TooLarge, TooMany, Invalid.
    """
    if actor.person_id is None:
        raise Unauthenticated("sign_in_needed", vi="Bác cần đăng nhập để gửi ảnh.", en="Please sign in to send photos.")
    check_size(size)
    if not SHA256.match(digest):
        raise Invalid(
            "sha256",
            vi="Mã kiểm của tệp không đúng dạng (cần SHA-256, 64 chữ thường).",
            en="The file's checksum must be a SHA-256 in 64 lower-case hexadecimal digits.",
            field="sha256",
        )
    waiting = session.scalar(
        select(func.count()).where(Upload.person_id == actor.person_id, Upload.finished_at.is_(None))
    )
    if (waiting or 0) >= MAX_OPEN_UPLOADS and session.get(Upload, upload_id) is None:
        raise TooMany(
            "uploads_open",
            vi="Máy này còn quá nhiều ảnh gửi dở. Bác để máy gửi nốt các ảnh đó trước.",
            en="Too many files are half sent. Let them finish first.",
            retry_after_seconds=3600,
        )
    session.execute(
        insert(Upload)
        .values(
            id=upload_id,
            person_id=actor.person_id,
            size=size,
            sha256=digest,
            received=0,
            created_at=clock.machine_now(),
        )
        .on_conflict_do_nothing()
    )
    upload = session.get(Upload, upload_id)
    if upload is None or upload.person_id != actor.person_id or (upload.size, upload.sha256) != (size, digest):
        raise Conflict(
            "upload_id_taken",
            vi="Mã gửi này đã dùng cho tệp khác. Bác chọn lại ảnh để máy tạo mã mới.",
            en="This upload id belongs to another file. Choose the photo again to get a new id.",
        )
    return upload


def upload_state(session: Session, actor: Actor, upload_id: UUID) -> Upload:
    """The actor's own upload. Raises NotFound."""
    return _own_upload(session, actor, upload_id)


def append_upload(
    session: Session, actor: Actor, store: MediaStore, *, upload_id: UUID, offset: int, data: bytes
) -> Upload:
    """Add the bytes that begin at `offset`. A part that has already arrived changes nothing.

    Raises Conflict when `offset` is not where the upload stands (its state tells where), TooLarge over 1 MiB a part.
    """
    upload = _own_upload(session, actor, upload_id, lock=True)
    if upload.finished_at is not None or (data and offset + len(data) <= upload.received):
        return upload
    if len(data) > MAX_PART_BYTES:
        raise TooLarge(
            "part_too_large", vi="Mỗi phần gửi nhiều nhất 1 MB.", en="Send at most 1 MiB in one part.", field="body"
        )
    if offset != upload.received:
        raise Conflict(
            "upload_offset",
            vi=f"Máy chủ đã nhận {upload.received} byte. Máy sẽ gửi tiếp từ đó.",
            en=f"We hold {upload.received} bytes. Go on from there.",
        )
    if offset + len(data) > upload.size:
        raise Invalid(
            "upload_overflow",
            vi="Tệp gửi lên dài hơn đã báo. Bác chọn lại ảnh.",
            en="More bytes came than were announced. Choose the photo again.",
        )
    if data:
        store.put(_part_key(upload.id, offset), data)
        upload.received = offset + len(data)
    return upload


def finish_upload(session: Session, actor: Actor, store: MediaStore, *, upload_id: UUID) -> Upload:
    """Put the parts together, check the hash, and store the photo or PDF; `blob_sha256` names it. Safe to repeat.

    Raises Conflict while bytes are missing, Invalid when the content is not what was announced or not acceptable.
    """
    upload = _own_upload(session, actor, upload_id, lock=True)
    if upload.finished_at is not None:
        return upload
    whole = bytearray()
    while len(whole) < upload.received:
        part = store.get(_part_key(upload.id, len(whole)))
        if not part:
            break
        whole += part
    if len(whole) < upload.size:
        raise Conflict(
            "upload_incomplete",
            vi=f"Mới nhận {len(whole)} trên {upload.size} byte. Máy sẽ gửi tiếp.",
            en=f"We hold {len(whole)} of {upload.size} bytes. Send the rest first.",
        )
    raw = bytes(whole)
    if sha256(raw).hexdigest() != upload.sha256:
        raise Invalid(
            "upload_damaged",
            vi="Ảnh bị sai lệch trên đường gửi. Bác gửi lại ảnh này.",
            en="The file was damaged on its way. Send it again under a new id.",
        )
    if raw.startswith(b"%PDF-"):
        upload.blob_sha256 = store_pdf(session, store, raw)
    else:
        upload.blob_sha256 = store_photo(session, store, raw).sha256
    upload.finished_at = clock.machine_now()
    return upload


def forget_old_uploads(session: Session, store: MediaStore) -> int:
    """Drop uploads a week old and their parts; stored blobs stay. Returns how many. Runs as SYSTEM."""
    old = session.scalars(
        select(Upload.id)
        .where(Upload.created_at < clock.machine_now() - UPLOADS_KEPT)
        .order_by(Upload.created_at)
        .limit(1000)
        .with_for_update(skip_locked=True)
    ).all()
    for upload_id in old:
        store.delete_under(f"uploads/{upload_id}/")
    if old:
        session.execute(delete(Upload).where(Upload.id.in_(old)))
    return len(old)


def uploaded_by(session: Session, actor: Actor, digest: str) -> bool:
    """Did this person send this file within the week? Then they may look at it before any record points to it."""
    if actor.person_id is None:
        return False
    found = session.scalar(
        select(Upload.id).where(Upload.person_id == actor.person_id, Upload.blob_sha256 == digest).limit(1)
    )
    return found is not None


def _own_upload(session: Session, actor: Actor, upload_id: UUID, *, lock: bool = False) -> Upload:
    query = select(Upload).where(Upload.id == upload_id, Upload.person_id == actor.person_id)
    found = session.scalar(query.with_for_update() if lock else query)
    if found is None or actor.person_id is None:
        raise not_found("ảnh đang gửi này", "this upload")
    return found


def _part_key(upload_id: UUID, offset: int) -> str:
    return f"uploads/{upload_id}/{offset:012d}"

"""Stored files: one row for each content, photos with a large and a small copy."""

import re
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, delete, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from app import clock
from app.db import Base, one_of
from app.errors import Invalid, TooLarge, Unavailable, not_found
from app.media.decoding import TooHeavy
from app.media.pictures import PdfRead, PhotoRead, check_pdf, refusal, refuse_other_files, source_of
from app.media.store import MediaStore
from app.messages import N_

MAX_BYTES = 12 * 1024 * 1024
MAX_PHOTO_BYTES = 32 * 1024 * 1024  # a phone writes up to 30 MB at 108 million pixels
SHA256 = re.compile(r"^[0-9a-f]{64}$")
_REMEMBER = text("""
    INSERT INTO uploads (id, person_id, size, sha256, received, created_at, finished_at, blob_sha256)
    SELECT gen_random_uuid(), hoi_person(), size, source_sha256, size, :now, :now, sha256
      FROM media_blobs
     WHERE sha256 = :digest AND hoi_person() IS NOT NULL AND NOT EXISTS (
           SELECT FROM uploads u
            WHERE u.person_id = hoi_person()
              AND (u.blob_sha256 = :digest OR (u.sha256 = :source AND u.received = u.size)))""")


class MediaBlob(Base):
    """One stored file. `source_sha256` is the hash of the bytes that came in, `thumb_sha256` a photo's small copy."""

    __tablename__ = "media_blobs"
    __table_args__ = (
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256"),
        one_of("kind", ("photo", "thumb", "pdf", "import")),
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


@dataclass(frozen=True, slots=True)
class FoundBlob:
    """What is known of a blob without its bytes."""

    sha256: str
    kind: str
    media_type: str


@dataclass(frozen=True, slots=True)
class OpenedBlob:
    sha256: str
    kind: str
    media_type: str
    data: bytes


def read_photo(store: MediaStore, raw: bytes, sender: UUID | None) -> PhotoRead:
    """Both pictures of a photo, decoded in a process of its own. Call it before a transaction is open: it may take long.

    Raises Invalid or TooLarge with a sentence for whoever took the photo; Unavailable when too many come at once. What was too
    heavy once is remembered by its hash, and refused at once.
    """
    check_size(len(raw), MAX_PHOTO_BYTES)
    refuse_other_files(raw)
    mark = _too_heavy_key(source_of(raw))
    if store.get(mark) is not None:
        raise refusal("photo_too_heavy")
    try:
        return store.decoders.decode(raw, sender)
    except TooHeavy:
        store.put(mark, b"1")
        raise refusal("photo_too_heavy") from None


def read_photo_or_pdf(store: MediaStore, raw: bytes, sender: UUID | None) -> PhotoRead | PdfRead:
    """As `read_photo`; a PDF is only looked at from outside."""
    if not raw.startswith(b"%PDF-"):
        return read_photo(store, raw, sender)
    check_size(len(raw))
    return check_pdf(raw)


def keep(session: Session, store: MediaStore, read: PhotoRead | PdfRead) -> str:
    """Store what was read. Returns its hash, a photo's is that of its large picture; the same bytes again are kept once."""
    if isinstance(read, PdfRead):
        digest = store_file(session, store, read.raw, kind="pdf", media_type="application/pdf")
        remember_sender(session, digest)
    else:
        digest = _keep_photo(session, store, read)
        remember_sender(session, digest, read.source_sha256)
    return digest


def _keep_photo(session: Session, store: MediaStore, read: PhotoRead) -> str:
    known = session.scalar(
        select(MediaBlob.sha256)
        .where(MediaBlob.source_sha256 == read.source_sha256, MediaBlob.kind == "photo")
        .limit(1)
    )
    if known is not None:
        return known
    now = clock.now()
    small_digest, digest = sha256(read.small).hexdigest(), sha256(read.large).hexdigest()
    rows = [
        MediaBlob(
            sha256=small_digest,
            kind="thumb",
            media_type="image/webp",
            size=len(read.small),
            width=read.small_width,
            height=read.small_height,
            stored_at=now,
            source_sha256=read.source_sha256,
            thumb_sha256=None,
        ),
        MediaBlob(
            sha256=digest,
            kind="photo",
            media_type="image/jpeg",
            size=len(read.large),
            width=read.width,
            height=read.height,
            stored_at=now,
            source_sha256=read.source_sha256,
            thumb_sha256=small_digest,
        ),
    ]
    _keep(session, store, rows, [read.small, read.large])
    return digest


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

    A page takes the two steps apart: the store may be another company's, and no connection waits for that.
    """
    return read_blob(store, find_blob(session, digest, small=small))


def find_blob(session: Session, digest: str, *, small: bool = False) -> FoundBlob:
    """What is stored under this hash, or with `small` under that of the photo's small copy. Raises NotFound.

    Who may see a blob is decided by the rows that point to it: ask them first.
    """
    row = session.get(MediaBlob, digest)
    if row is not None and small and row.thumb_sha256 is not None:
        row = session.get(MediaBlob, row.thumb_sha256)
    if row is None:
        raise not_found(N_("tệp này"))
    return FoundBlob(row.sha256, row.kind, row.media_type)


def read_blob(store: MediaStore, found: FoundBlob) -> OpenedBlob:
    """Its bytes. Raises Unavailable when they were damaged, or the store does not answer."""
    data = store.get(_blob_key(found.sha256))
    if data is None or sha256(data).hexdigest() != found.sha256:
        raise Unavailable(
            "media_damaged",
            N_("Tệp này không còn nguyên trong kho nên chưa mở được. Hãy báo người vận hành khôi phục từ bản sao lưu."),
        )
    return OpenedBlob(sha256=found.sha256, kind=found.kind, media_type=found.media_type, data=data)


def remember_sender(session: Session, digest: str, source: str | None = None) -> None:
    """Write down that the person of this transaction sent this stored file, as an upload that is finished.

    For a week they may look at it and attach it to a record. Changes nothing for SYSTEM, nor when they sent it before or
    are sending it in parts; `source`: the hash of the bytes as they came, where that is another.
    """
    session.execute(_REMEMBER, {"digest": digest, "source": source or digest, "now": clock.machine_now()})


def check_size(size: int, most: int = MAX_BYTES) -> None:
    """Raise when a file is empty or over `most` bytes: 12 MB, or 32 MB for a photo."""
    if size == 0:
        raise Invalid(
            "file_empty",
            N_("Tệp này rỗng, có thể máy chưa chép xong. Hãy chọn lại tệp."),
            field="file",
        )
    if size > most:
        megabytes = most // 1024**2
        raise TooLarge(
            "file_too_large",
            N_("Tệp nặng quá %(megabytes)s MB. Hãy chụp lại ở cỡ nhỏ hơn, hoặc gửi tệp nhẹ hơn.", megabytes=megabytes),
            field="file",
        )


def _keep(session: Session, store: MediaStore, rows: list[MediaBlob], contents: list[bytes]) -> None:
    # Bytes first: a row without bytes would be a lie, bytes without a row are only a little waste.
    for row, data in zip(rows, contents, strict=True):
        store.put(_blob_key(row.sha256), data)
    columns = [c.key for c in MediaBlob.__table__.columns]
    session.execute(
        insert(MediaBlob).on_conflict_do_nothing(), [{key: getattr(row, key) for key in columns} for row in rows]
    )


def _blob_key(digest: str) -> str:
    return f"blobs/{digest[:2]}/{digest}"


def _too_heavy_key(source: str) -> str:
    return f"too-heavy/{source[:2]}/{source}"

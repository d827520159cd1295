"""Uploads in parts: a phone with a poor network goes on where it stopped."""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from app import clock
from app.actor import Actor
from app.db import Base, Id
from app.errors import Conflict, Invalid, TooLarge, TooMany, Unauthenticated, not_found
from app.media.blobs import MAX_PHOTO_BYTES, SHA256, MediaBlob, check_size, keep
from app.media.pictures import PdfRead, PhotoRead
from app.media.store import MediaStore
from app.messages import N_

MAX_PART_BYTES = 1024 * 1024
MAX_OPEN_UPLOADS = 500  # a phone that was offline for a season
UPLOADS_KEPT = timedelta(days=7)


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


def begin_upload(session: Session, actor: Actor, *, upload_id: UUID, size: int, digest: str) -> Upload:
    """Announce a file of `size` bytes with this SHA-256. The same announcement again returns the upload as it stands.

    Raises Conflict when the id is taken by another file, TooLarge, TooMany, Invalid.
    """
    if actor.person_id is None:
        raise Unauthenticated("sign_in_needed", N_("Cần đăng nhập để gửi ảnh."))
    check_size(size, MAX_PHOTO_BYTES)
    if not SHA256.match(digest):
        raise Invalid(
            "sha256",
            N_("Mã kiểm của tệp không đúng dạng (cần SHA-256, 64 chữ thường)."),
            field="sha256",
        )
    waiting = session.scalar(
        select(func.count()).where(Upload.person_id == actor.person_id, Upload.finished_at.is_(None))
    )
    if (waiting or 0) >= MAX_OPEN_UPLOADS and session.get(Upload, upload_id) is None:
        raise TooMany(
            "uploads_open",
            N_("Máy này còn quá nhiều ảnh gửi dở. Hãy để máy gửi nốt các ảnh đó trước."),
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
        raise Conflict("upload_id_taken", N_("Mã gửi này đã dùng cho tệp khác. Hãy chọn lại ảnh để máy tạo mã mới."))
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
        raise TooLarge("part_too_large", N_("Mỗi phần gửi nhiều nhất 1 MB."), field="body")
    if offset != upload.received:
        raise Conflict(
            "upload_offset", N_("Máy chủ đã nhận %(received)s byte. Máy sẽ gửi tiếp từ đó.", received=upload.received)
        )
    if offset + len(data) > upload.size:
        raise Invalid("upload_overflow", N_("Tệp gửi lên dài hơn đã báo. Hãy chọn lại ảnh."))
    if data:
        store.put(_part_key(upload.id, offset), data)
        upload.received = offset + len(data)
    return upload


def whole_upload(session: Session, actor: Actor, store: MediaStore, *, upload_id: UUID) -> bytes | None:
    """All bytes of an upload, with the hash that was announced; None when it is finished already.

    Read them with `read_photo_or_pdf` once this transaction has ended, and keep what was read with `finish_upload`.
    Raises Conflict while bytes are missing, Invalid when the content is not what was announced.
    """
    upload = _own_upload(session, actor, upload_id)
    if upload.finished_at is not None:
        return None
    whole = bytearray()
    while len(whole) < upload.received:
        part = store.get(_part_key(upload.id, len(whole)))
        if not part:
            break
        whole += part
    if len(whole) < upload.size:
        raise Conflict(
            "upload_incomplete",
            N_("Mới nhận %(whole)s trên %(size)s byte. Máy sẽ gửi tiếp.", whole=len(whole), size=upload.size),
        )
    raw = bytes(whole)
    if sha256(raw).hexdigest() != upload.sha256:
        raise Invalid("upload_damaged", N_("Ảnh bị sai lệch trên đường gửi. Hãy gửi lại ảnh này."))
    return raw


def finish_upload(
    session: Session, actor: Actor, store: MediaStore, *, upload_id: UUID, read: PhotoRead | PdfRead | None
) -> Upload:
    """Store what was read of the whole upload; `blob_sha256` names it. Safe to repeat; None for an upload finished before."""
    upload = _own_upload(session, actor, upload_id, lock=True)
    if upload.finished_at is None and read is not None:
        upload.blob_sha256 = keep(session, store, read)
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


def attachable(
    session: Session,
    actor: Actor,
    digests: Collection[str],
    *,
    sees: Callable[[Session, Actor, str], bool],
    kinds: Collection[str] = ("photo",),
) -> set[str]:
    """Which of these hashes are stored files of these kinds that the actor may attach to a record: what they sent within
    the week, and what they may open already, as `sees` says of the part's own records.

    Every verb that takes a hash asks this, for whoever a record belongs to may open its files: were it enough to know a
    hash, knowing it would open the file.
    """
    if not digests:
        return set()
    known = set(
        session.scalars(
            select(MediaBlob.sha256).where(MediaBlob.sha256.in_(set(digests)), MediaBlob.kind.in_(list(kinds)))
        )
    )
    if actor.kind == "system" or not known:
        return known
    own = select(Upload.blob_sha256).where(Upload.person_id == actor.person_id, Upload.blob_sha256.in_(known))
    sent = {digest for digest in session.scalars(own) if digest is not None}
    return sent | {digest for digest in known - sent if sees(session, actor, digest)}


def _own_upload(session: Session, actor: Actor, upload_id: UUID, *, lock: bool = False) -> Upload:
    query = select(Upload).where(Upload.id == upload_id, Upload.person_id == actor.person_id)
    found = session.scalar(query.with_for_update() if lock else query)
    if found is None or actor.person_id is None:
        raise not_found(N_("ảnh đang gửi này"))
    return found


def _part_key(upload_id: UUID, offset: int) -> str:
    return f"uploads/{upload_id}/{offset:012d}"

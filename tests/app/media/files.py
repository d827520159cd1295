"""Photos and other files to send, and a look at what was kept of them."""

import io
import os
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from hashlib import sha256
from pathlib import Path
from uuid import UUID

from PIL import Image
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import media
from app.actor import Actor
from app.db import new_id
from app.media import MediaBlob, MediaStore, Upload
from app.settings import Settings

SessionFor = Callable[[Actor], AbstractContextManager[Session]]


def person() -> Actor:
    return Actor(kind="person", person_id=new_id())


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def kept_file(session: Session, store: MediaStore, raw: bytes) -> MediaBlob:
    """What is kept of a photo or a PDF that the person of this transaction sends with a form."""
    digest = media.keep(session, store, media.read_photo_or_pdf(store, raw, None))
    return session.get_one(MediaBlob, digest)


def leaf(width: int = 640, height: int = 480) -> Image.Image:
    """A picture with something in it, so that orientation and quality show."""
    image = Image.new("RGB", (width, height), (40, 110, 50))
    image.paste((200, 30, 20), (0, 0, width // 4, height // 4))  # red stands at the top left
    return image


def noise(width: int, height: int) -> Image.Image:
    return Image.frombytes("RGB", (width, height), os.urandom(width * height * 3))


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as book:
        book.writestr("a.txt", "a")
    return out.getvalue()


def jpeg_with_scans(width: int, height: int, scans: int) -> bytes:
    """A grey progressive JPEG of so many scans: the first one black, the others empty and about 50 bytes each.

    What a decoder does for a scan grows with the picture, not with the bytes: 6320 by 6320 pixels cost 7 ms of CPU a scan.
    """

    def segment(marker: int, body: bytes) -> bytes:
        return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2, "big") + body

    blocks = -(-width // 8) * -(-height // 8)
    frame = b"\x08" + height.to_bytes(2, "big") + width.to_bytes(2, "big") + b"\x01\x01\x11\x00"
    one_code = bytes((1, *[0] * 15))  # a table with one code, the bit 0
    first = segment(0xDA, b"\x01\x01\x00\x00\x00\x00") + bytes(-(-blocks // 8))
    runs = -(-blocks // 32767)  # "this block and 32,766 more are empty" is the code and fourteen ones
    bits = ("0" + "1" * 14) * runs
    packed = (
        int(bits.ljust(-(-len(bits) // 8) * 8, "1"), 2)
        .to_bytes(-(-len(bits) // 8), "big")
        .replace(b"\xff", b"\xff\x00")
    )
    more = segment(0xDA, b"\x01\x01\x00\x01\x3f\x00") + packed
    return b"".join(
        (
            b"\xff\xd8",
            segment(0xDB, b"\x00" + b"\x10" * 64),
            segment(0xC2, frame),
            segment(0xC4, b"\x00" + one_code + b"\x00"),
            segment(0xC4, b"\x10" + one_code + b"\xe0"),
            first,
            more * (scans - 1),
            b"\xff\xd9",
        )
    )


def jpeg_claiming(width: int, height: int) -> bytes:
    """A small JPEG whose header says that it is that large."""
    raw = encoded(leaf(64, 64), "JPEG")
    at = raw.index(b"\xff\xc0") + 5
    return raw[:at] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + raw[at + 4 :]


def blobs(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(MediaBlob)) or 0


def stored_files(settings: Settings) -> list[Path]:
    return sorted(p for p in (settings.var / "media").rglob("*") if p.is_file())


def send(session: Session, actor: Actor, store: MediaStore, raw: bytes, *, part: int = 5000) -> Upload:
    upload = media.begin_upload(session, actor, upload_id=new_id(), size=len(raw), digest=sha256(raw).hexdigest())
    for offset in range(0, len(raw), part):
        upload = media.append_upload(
            session, actor, store, upload_id=upload.id, offset=offset, data=raw[offset : offset + part]
        )
    return upload


def finish(session: Session, actor: Actor, store: MediaStore, upload_id: UUID) -> Upload:
    """As the route does it, but within one transaction."""
    raw = media.whole_upload(session, actor, store, upload_id=upload_id)
    read = media.read_photo_or_pdf(store, raw, actor.person_id) if raw is not None else None
    return media.finish_upload(session, actor, store, upload_id=upload_id, read=read)

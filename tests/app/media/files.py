"""Photos and other files to send, and a look at what was kept of them."""

import io
import os
import zipfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from hashlib import sha256
from pathlib import Path

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

"""Stored files without a store: rows that say that a file is there, and who sent it."""

from typing import Literal

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app import clock
from app.actor import Actor
from app.db import new_id
from app.media import MediaBlob, Upload


def a_file(session: Session, digest: str, kind: Literal["photo", "pdf", "import"] = "photo") -> str:
    session.execute(
        insert(MediaBlob)
        .values(sha256=digest, kind=kind, media_type="image/jpeg", size=9, stored_at=clock.now(), source_sha256=digest)
        .on_conflict_do_nothing()
    )
    return digest


def sent(session: Session, actor: Actor, digest: str) -> str:
    """A file that this person has sent. Runs as SYSTEM."""
    a_file(session, digest)
    session.add(
        Upload(id=new_id(), person_id=actor.person_id, size=9, sha256=digest, received=9, created_at=clock.machine_now(),
               finished_at=clock.machine_now(), blob_sha256=digest)
    )  # fmt: skip
    session.flush()
    return digest

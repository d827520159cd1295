"""Photos, documents and links that come with a form as evidence."""

from collections.abc import Sequence

from flask import request
from sqlalchemy.orm import Session
from werkzeug.datastructures import FileStorage

from app import media
from app.actor import Actor
from app.errors import Invalid
from app.messages import N_
from app.web import web

MAX_PROOFS = 4


Proof = media.PhotoRead | media.PdfRead


def sent_proofs(sender: Actor) -> list[Proof]:
    """The photos and PDFs of this form, read; ask before a transaction is open."""
    store = media.store_for(web().settings)
    return [
        media.read_photo_or_pdf(store, sent.stream.read(media.MAX_PHOTO_BYTES + 1), sender.person_id)
        for sent in _files()
    ]


def evidence(session: Session, kept: Sequence[str], proofs: Sequence[Proof], link: str | None) -> tuple[str, ...]:
    """What is kept of the row before, what came with this form, and the link."""
    store = media.store_for(web().settings)
    found = [*kept, *(media.keep(session, store, proof) for proof in proofs)]
    if link:
        found.append(link)
    return tuple(dict.fromkeys(found))


def _files() -> list[FileStorage]:
    sent = [f for f in request.files.getlist("proof") if f.filename]
    if len(sent) > MAX_PROOFS:
        raise Invalid(
            "too_many_files",
            N_(
                "Mỗi lần gửi nhiều nhất %(max_proofs)s tệp. Hãy ghi lần này rồi gửi thêm lần sau.",
                max_proofs=MAX_PROOFS,
            ),
            field="proof",
        )
    return sent

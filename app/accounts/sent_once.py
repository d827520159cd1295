"""Once-only making: two who send the same at one moment, and an id that comes again with other content."""

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.errors import Conflict
from app.messages import N_


def alone(session: Session, *keys: object) -> None:
    """Let nobody else make the same thing at the same moment: the second waits, then finds what the first made."""
    for key in sorted(str(k) for k in keys if k is not None):
        session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 3))"), {"key": key})


def id_taken() -> Conflict:
    return Conflict("id_taken", N_("Mục này đã gửi với nội dung khác. Hãy tải lại trang rồi làm lại."))

"""Events of notices."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from app.outbox import Event


@dataclass(frozen=True, slots=True)
class NoticeCreated(Event):
    """Somebody is told something; a notice told before leaves no row under this id."""

    name: ClassVar[str] = "notices.notice_created"
    notice_id: UUID

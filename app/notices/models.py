"""Notices to a person, and each carrier's debt to deliver them."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Integer, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, Id, Words, one_of


class Urgency(StrEnum):
    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


class DeliveryState(StrEnum):
    """`sending`: claimed, outcome not yet known; claimable again when its lease ends."""

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    REFUSED = "refused"


class Notice(Base):
    """One thing told to one person. The same `key` is told once. Texts hold no phone and no personal number."""

    __tablename__ = "notices"
    __table_args__ = (
        one_of("urgency", Urgency),
        UniqueConstraint("person_id", "key"),
        Index("ix_notices_person_id", "person_id", "created_at", "id"),
        Index(
            "ix_notices_unseen",
            "person_id",
            "created_at",
            "id",
            postgresql_include=["reason", "key"],  # all that the bell asks for
            postgresql_where=text("seen_at IS NULL"),
        ),
        Index(
            "ix_notices_urgent",
            "person_id",
            "created_at",
            "id",
            postgresql_where=text("seen_at IS NULL AND urgency = 'high'"),
        ),
        Index("ix_notices_created_at", "created_at"),
    )

    id: Mapped[Id]
    person_id: Mapped[UUID] = mapped_column(ForeignKey("people.id"))
    key: Mapped[str]
    reason: Mapped[str]
    urgency: Mapped[str]
    title: Mapped[Words]
    body: Mapped[Words]
    link: Mapped[str | None]
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime | None]


class NoticeDelivery(Base):
    """One carrier's debt to one notice. `error` is the carrier's last complaint, without addresses."""

    __tablename__ = "notice_deliveries"
    __table_args__ = (one_of("state", DeliveryState),)

    notice_id: Mapped[UUID] = mapped_column(ForeignKey("notices.id"), primary_key=True)
    carrier: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    lease_until: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    error: Mapped[str | None]

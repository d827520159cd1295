"""The append-only trail of who did what; it holds ids of people, never their data."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, Session

from app import clock
from app.actor import Actor
from app.db import Base, Id, json_of, json_ready, new_id
from app.retention import MOST, Step, whole

SIGN_INS = ("accounts:sign_in:start", "accounts:sign_in:fail")


class AuditEntry(Base):
    """`action` reads subject:object:verb, for example `accounts:card:revoke`."""

    __tablename__ = "audit_entries"
    __table_args__ = (
        Index("ix_audit_entries_subject", "subject_id"),
        Index("ix_audit_entries_at", "at"),  # the oldest go after five years
        Index("ix_audit_entries_person_id", "person_id"),  # the file of one's own data asks by it
        Index(
            "ix_audit_entries_sign_ins", "at", postgresql_where=text(f"action IN {SIGN_INS}")
        ),  # forgotten after a year
    )

    id: Mapped[Id]
    at: Mapped[datetime]
    action: Mapped[str]
    person_id: Mapped[UUID | None]
    actor_kind: Mapped[str]
    device_id: Mapped[UUID | None]
    request_id: Mapped[str]
    subject_id: Mapped[UUID | None]
    organisation_id: Mapped[UUID | None]
    detail: Mapped[dict[str, Any]]


def record(
    session: Session,
    actor: Actor,
    action: str,
    *,
    subject_id: UUID | None = None,
    organisation_id: UUID | None = None,
    **detail: object,
) -> None:
    """Add one line to the trail, in the caller's transaction. `detail` must hold no personal data."""
    session.add(
        AuditEntry(
            at=clock.now(),
            action=action,
            person_id=actor.person_id,
            actor_kind=actor.kind,
            device_id=actor.device_id,
            request_id=actor.request_id,
            subject_id=subject_id,
            organisation_id=organisation_id,
            detail=json_ready(detail),
        )
    )


_RECORD = text(
    "INSERT INTO audit_entries (id, at, action, person_id, actor_kind, device_id, request_id, organisation_id, detail)"
    " SELECT id, :now, :action, :person_id, :kind, :device_id, :request_id, organisation_id, detail"
    " FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (id uuid, organisation_id uuid, detail jsonb)"
)


def record_each(session: Session, actor: Actor, action: str, details: Mapping[UUID, Mapping[str, object]]) -> None:
    """As `record` for many organisations, each with its detail, by one statement."""
    if not details:
        return
    rows = [
        {"id": new_id(), "organisation_id": organisation_id, "detail": detail}
        for organisation_id, detail in details.items()
    ]
    told = {"person_id": actor.person_id, "kind": actor.kind, "device_id": actor.device_id}
    said = {"request_id": actor.request_id, "now": clock.now(), "action": action}
    session.execute(_RECORD, told | said | {"rows": json_of(rows).decode()})


def forget_sign_ins(session: Session, before: datetime, most: int = 1000) -> int:
    """Delete up to `most` lines of signing in that are older than `before` (a year, or the database refuses), as SYSTEM."""
    asked = {"before": before, "most": most}
    return int(session.scalar(text("SELECT hoi_forget_sign_in_lines(:before, :most)"), asked) or 0)


def forget_old(session: Session, _onward: str) -> Step:
    """Delete lines older than five years, but those about a batch that is recalled or on hold; the database holds the rule."""
    return whole(int(session.scalar(text("SELECT hoi_forget_audit_lines(:most)"), {"most": MOST}) or 0))

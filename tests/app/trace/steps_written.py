"""What tests of the diary share: corrections, answers about consent, and what was stored and published."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text

from app.accounts import consents
from app.accounts.models import Purpose
from app.actor import SYSTEM, Actor
from app.db import Database, new_id
from app.outbox import OutboxEvent
from app.trace.models import CareLog
from app.trace.schemas import CorrectionIn
from tests.worlds.farm import NOON


def rows(database: Database) -> int:
    with database.transaction(SYSTEM) as session:
        return session.scalar(select(func.count()).select_from(CareLog)) or 0


def events(database: Database, name: str) -> list[dict[str, Any]]:
    with database.transaction(SYSTEM) as session:
        found = session.scalars(select(OutboxEvent).where(OutboxEvent.name == name).order_by(OutboxEvent.position))
        return [e.body for e in found]


def says(database: Database, actor: Actor, *, diary_agreed: bool) -> None:
    with database.transaction(actor) as session:
        given = {Purpose.ACCOUNT} | ({Purpose.DIARY} if diary_agreed else set())
        consents.answer_consents(session, actor, given)


def named(database: Database, *log_ids: UUID) -> list[UUID | None]:
    with database.transaction(SYSTEM) as session:
        found = {row.id: row.performed_by for row in session.execute(select(CareLog.id, CareLog.performed_by))}
    return [found[i] for i in log_ids]


def correction(site: Any, **facts: Any) -> CorrectionIn:
    whole = {
        "id": new_id(),
        "site_id": site,
        "kind": "weeding",
        "happened_at": NOON - timedelta(days=1),
        "reason": "ghi nhầm",
    }
    return CorrectionIn.model_validate(whole | facts)


def everything(database: Database) -> list[Any]:
    with database.transaction(SYSTEM) as session:
        logs = session.execute(text("SELECT * FROM care_logs ORDER BY position")).all()
        sent = session.execute(text("SELECT id FROM outbox_events ORDER BY id")).all()
        trail = session.execute(text("SELECT id FROM audit_entries ORDER BY id")).all()
    return [logs, sent, trail]

"""The stored answers of villages: today's, earlier ones, and those that time alone may change."""

import json
from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, defer

from app import clock
from app.accounts.queries import among
from app.criteria.models import VillageAssessment
from app.criteria.queries.choices import SMART_VILLAGE
from app.criteria.rules import Assessment
from app.criteria.rules.sheet import stored_reason
from app.db import Words
from app.places.models import Place
from app.places.queries import in_force


def current(
    session: Session, village_ids: Collection[UUID], pack_id: str = SMART_VILLAGE, *, whole: bool = True
) -> dict[UUID, VillageAssessment]:
    """The newest answer of each village that has one; not `whole`: for lists, without the assessment itself."""
    query = select(VillageAssessment).where(
        among(VillageAssessment.village_id, village_ids),
        VillageAssessment.pack_id == pack_id,
        VillageAssessment.current,
    )
    if not whole:
        query = query.options(defer(VillageAssessment.result, raiseload=True))
    return {row.village_id: row for row in session.scalars(query)}


def assessment(row: VillageAssessment) -> Assessment:
    """The answer with its counts as they read when it was last confirmed."""
    if not row.tallies:
        return as_computed(row)
    body = json.loads(_bytes(row.result))
    _count(body, row.tallies["items"])
    for name, day in row.tallies["facts"].items():
        body["facts"][name]["next_change_on"] = day
    return Assessment.from_json(json.dumps(body))


def as_computed(row: VillageAssessment) -> Assessment:
    """The answer as it was when it was first given."""
    return Assessment.from_json(_bytes(row.result))


def _count(node: object, tallies: dict[str, dict[str, Any]]) -> None:
    if isinstance(node, dict):
        said = tallies.get(str(node.get("id"))) if "reason_vi" in node else None
        if said is not None:
            node.pop("values", None)
            node.update(stored_reason(Words.kept_in(said)))
        for value in node.values():
            _count(value, tallies)
    elif isinstance(node, list):
        for value in node:
            _count(value, tallies)


def _bytes(result: dict[str, Any]) -> str:
    text: str = result["canonical"]
    return text


def flags_of(row: VillageAssessment) -> list[dict[str, Any]]:
    """What left the count and so brought an answer about that stands now; those of open answers wait until it stands."""
    return [f for f in row.flags if row.values.get(f["criterion_id"]) in FLAGGED]


FLAGGED = ("met", "not_applicable")


def computed_at(session: Session, pack_id: str = SMART_VILLAGE) -> datetime | None:
    """When the newest answer that this session sees was confirmed."""
    return session.scalar(
        select(func.max(VillageAssessment.confirmed_at)).where(
            VillageAssessment.pack_id == pack_id, VillageAssessment.current
        )
    )


def last_decided(session: Session, village_id: UUID, pack_id: str, criterion_id: str) -> VillageAssessment | None:
    """The newest answer in which this criterion was met or unmet."""
    return session.scalar(
        select(VillageAssessment)
        .where(
            VillageAssessment.village_id == village_id,
            VillageAssessment.pack_id == pack_id,
            VillageAssessment.values[criterion_id].astext.in_(["met", "unmet"]),
        )
        .order_by(VillageAssessment.computed_at.desc())
        .limit(1)
    )


def answer_at(session: Session, village_id: UUID, moment: datetime, pack_id: str) -> VillageAssessment | None:
    """The answer that stood at that moment."""
    return session.scalar(
        select(VillageAssessment)
        .where(
            VillageAssessment.village_id == village_id,
            VillageAssessment.pack_id == pack_id,
            VillageAssessment.computed_at <= moment,
        )
        .order_by(VillageAssessment.computed_at.desc())
        .limit(1)
    )


def before(session: Session, row: VillageAssessment) -> VillageAssessment | None:
    """The answer that this one replaced."""
    return session.scalar(
        select(VillageAssessment)
        .where(
            VillageAssessment.village_id == row.village_id,
            VillageAssessment.pack_id == row.pack_id,
            VillageAssessment.computed_at < row.computed_at,
        )
        .order_by(VillageAssessment.computed_at.desc())
        .limit(1)
    )


def history(
    session: Session, village_id: UUID, *, since: datetime, pack_id: str = SMART_VILLAGE
) -> list[VillageAssessment]:
    """The answers that stood at some time since then, oldest first, without their reasons; the one that stood at `since` included."""
    first = (
        select(func.max(VillageAssessment.computed_at))
        .where(
            VillageAssessment.village_id == village_id,
            VillageAssessment.pack_id == pack_id,
            VillageAssessment.computed_at <= since,
        )
        .scalar_subquery()
    )
    return list(
        session.scalars(
            select(VillageAssessment)
            .where(
                VillageAssessment.village_id == village_id,
                VillageAssessment.pack_id == pack_id,
                or_(VillageAssessment.computed_at > since, VillageAssessment.computed_at == first),
            )
            .options(defer(VillageAssessment.result, raiseload=True))
            .order_by(VillageAssessment.computed_at)
        )
    )


def due(session: Session, now: datetime) -> list[UUID]:
    """Villages whose answer time alone may have changed."""
    return list(
        session.scalars(
            select(VillageAssessment.village_id)
            .join(Place, Place.id == VillageAssessment.village_id)
            .where(
                VillageAssessment.current,
                VillageAssessment.next_change_at <= now,
                in_force(clock.local(now).date()),
            )
        )
    )

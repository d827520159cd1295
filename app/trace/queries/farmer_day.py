"""The farmer's day: what the phone's first screen needs."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import clock
from app.accounts.queries import among
from app.actor import Actor
from app.trace.models import CareLog, ConflictingSubmission, Cycle, Site
from app.trace.queries.chains import current
from app.trace.queries.diary import DiaryLine, lines_of
from app.trace.queries.pre_harvest import Waiting, harvest_allowed_from
from app.trace.queries.sites import site_lines


@dataclass(frozen=True, slots=True)
class FarmerSite:
    site: Site
    cycle: Cycle | None
    last_log_at: datetime | None
    waiting: Waiting | None


@dataclass(frozen=True, slots=True)
class FarmerToday:
    """What the phone's first screen needs: sites (the last used first), yesterday's and today's steps, last materials."""

    sites: tuple[FarmerSite, ...]
    last_site_id: UUID | None
    recent: tuple[DiaryLine, ...]
    logs_this_week: int
    conflicts: int


def today_for_farmer(session: Session, actor: Actor) -> FarmerToday:
    """For the person's own households; a manager sees all that the cooperative acts for."""
    lines = site_lines(session, actor)
    lines.sort(key=lambda s: (s.last_log_at is None, -(s.last_log_at.timestamp() if s.last_log_at else 0)))
    binding = harvest_allowed_from(session, [s.site.id for s in lines])
    mine = among(CareLog.organisation_id, actor.organisations)
    rows = session.scalars(
        select(CareLog)
        .where(mine, current(None))
        .order_by(CareLog.happened_at.desc(), CareLog.position.desc())
        .limit(10)
    ).all()
    week = clock.start_of_day(clock.today() - timedelta(days=6))
    return FarmerToday(
        sites=tuple(
            FarmerSite(s.site, s.cycles[0] if s.cycles else None, s.last_log_at, binding.get(s.site.id)) for s in lines
        ),
        last_site_id=lines[0].site.id if lines and lines[0].last_log_at else None,
        recent=tuple(lines_of(session, rows)),
        logs_this_week=session.scalar(
            select(func.count())
            .select_from(CareLog)
            .where(mine, CareLog.happened_at >= week, current(None, all_read=True))
        )
        or 0,
        conflicts=session.scalar(
            select(func.count())
            .select_from(ConflictingSubmission)
            .where(among(ConflictingSubmission.organisation_id, actor.organisations))
        )
        or 0,
    )

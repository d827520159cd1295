"""The places of work as the phone's first screen needs them."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from app.actor import Actor
from app.trace.models import Cycle, Site
from app.trace.queries.pre_harvest import Waiting, harvest_allowed_from
from app.trace.queries.sites import site_lines


@dataclass(frozen=True, slots=True)
class FarmerSite:
    """A place with its season, and the treatment after which nothing may be harvested there yet."""

    site: Site
    cycle: Cycle | None
    last_log_at: datetime | None
    waiting: Waiting | None


def farmer_sites(session: Session, actor: Actor) -> list[FarmerSite]:
    """Those of the person's own households, the last used first; a manager sees all that the cooperative acts for."""
    lines = site_lines(session, actor)
    lines.sort(key=lambda s: (s.last_log_at is None, -(s.last_log_at.timestamp() if s.last_log_at else 0)))
    binding = harvest_allowed_from(session, [s.site.id for s in lines])
    return [FarmerSite(s.site, s.cycles[0] if s.cycles else None, s.last_log_at, binding.get(s.site.id)) for s in lines]

"""What a certifier reads, and which findings they may correct."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from app.accounts import queries as accounts
from app.actor import Actor, Right
from app.errors import not_found
from app.trace import findings
from app.trace import queries as trace
from app.trace.models import CareLog, Site


@dataclass(frozen=True, slots=True)
class SiteToSee:
    """A site in the certifier's places, with what was last written there."""

    site: Site
    holder: str
    last_log_at: datetime | None


def sites_to_see(session: Session, actor: Actor, *, search: str = "") -> list[SiteToSee]:
    return [
        SiteToSee(s.site, s.holder, s.last_log_at)
        for s in trace.site_lines(session, actor.only(Right.RECORD_FINDING), search=search)
    ]


@dataclass(frozen=True, slots=True)
class Seen:
    """One site and the newest lines of its diary."""

    site: Site
    holder: str
    lines: Sequence[trace.DiaryLine]
    own: Collection[UUID]  # the findings among them that this certifier may correct


def site_to_see(session: Session, actor: Actor, site_id: UUID) -> Seen:
    """Raises NotFound for a site outside the certifier's places."""
    there = actor.only(Right.RECORD_FINDING)
    site = trace.site(session, there, site_id)
    names = accounts.organisation_names(session, [site.organisation_id])
    lines, _total = trace.diary_of_site(session, there, site_id)
    own = findings.own_findings(session, actor, [line.id for line in lines])
    return Seen(site, names.get(site.organisation_id, ""), lines, own)


def finding_to_correct(session: Session, actor: Actor, care_log_id: UUID) -> tuple[Site, CareLog]:
    """The site and how the finding stands now. Raises NotFound for what this certifier may not correct."""
    if care_log_id not in findings.own_findings(session, actor, [care_log_id]):
        raise not_found("nhận xét này", "this finding")
    line = trace.care_log(session, actor, care_log_id)
    return trace.site(session, actor, line.log.site_id), line.log

"""A certifier's sites, and the findings they may correct."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from app.accounts import queries as accounts
from app.actor import Actor, Right
from app.errors import not_found
from app.messages import N_
from app.trace import findings
from app.trace import queries as trace
from app.trace.models import CareLog, Site


def sites_to_see(session: Session, actor: Actor, *, search: str = "", mark: str = "") -> trace.SiteList:
    """A page of the sites in the certifier's places. Raises BadAddress for a mark that is none."""
    return trace.site_list(session, actor.only(Right.RECORD_FINDING), search=search, mark=mark)


@dataclass(frozen=True, slots=True)
class Seen:
    """One site and a page of its diary, the newest lines first."""

    site: Site
    holder: str
    diary: trace.Diary
    own: Collection[UUID]  # the findings among them that this certifier may correct


def site_to_see(session: Session, actor: Actor, site_id: UUID, mark: str = "") -> Seen:
    """Raises NotFound for a site outside the certifier's places, BadAddress for a mark that is none."""
    there = actor.only(Right.RECORD_FINDING)
    site = trace.site(session, there, site_id)
    names = accounts.organisation_names(session, [site.organisation_id])
    diary = trace.diary_of_site(session, there, site_id, mark=mark)
    own = findings.own_findings(session, actor, [line.id for line in diary.lines])
    return Seen(site, names.get(site.organisation_id, ""), diary, own)


def finding_to_correct(session: Session, actor: Actor, care_log_id: UUID) -> tuple[Site, CareLog]:
    """The site and how the finding stands now. Raises NotFound for what this certifier may not correct."""
    if care_log_id not in findings.own_findings(session, actor, [care_log_id]):
        raise not_found(N_("nhận xét này"))
    line = trace.care_log(session, actor, care_log_id)
    return trace.site(session, actor, line.log.site_id), line.log

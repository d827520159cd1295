"""Days to wait before harvest (thời gian cách ly)."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app import clock
from app.accounts.queries import among
from app.trace import steps
from app.trace.models import CareLog
from app.trace.queries.chains import current, root_id

# Ours, of no law: after a treatment whose days to wait nobody knows, a harvest counts as too early up to and with this day.
# It is the longest wait that the forms offer, so that the first day allowed is later than after any of them.
UNKNOWN_WAIT_DAYS = 30


@dataclass(frozen=True, slots=True)
class Waiting:
    """After this step nothing may be harvested on the site before `allowed_from`.

    `known` is false where nobody wrote how long to wait: then UNKNOWN_WAIT_DAYS count.
    """

    site_id: UUID
    care_log_id: UUID
    material: str | None
    applied_on: date
    allowed_from: date
    known: bool = True


def waiting(session: Session, site_ids: Collection[UUID], since: date | None = None) -> dict[UUID, list[Waiting]]:
    """Site id to the steps with days to wait (thời gian cách ly) on or after `since` (None: all), oldest first.

    Those with no day to wait, and treatments of which nobody knows the days, are among them.
    """
    if not site_ids:
        return {}
    query = (
        select(CareLog)
        .where(
            among(CareLog.site_id, site_ids),
            or_(CareLog.pre_harvest_days.is_not(None), CareLog.kind.in_(steps.TREATMENTS)),
            current(None, all_read=True),
        )
        .order_by(CareLog.happened_at, CareLog.position)
    )
    if since is not None:
        query = query.where(CareLog.happened_at >= clock.start_of_day(since))
    found: dict[UUID, list[Waiting]] = defaultdict(list)
    for row in session.scalars(query):
        found[row.site_id].append(waiting_after(row))
    return found


def binding(session: Session, site_ids: Collection[UUID], first: date, last: date) -> dict[UUID, list[Waiting]]:
    """As `waiting`, of the steps that may forbid a harvest on one of the days from `first` to `last`: the others are not read."""
    if not site_ids:
        return {}
    rows = session.scalars(
        select(CareLog)
        .where(
            among(CareLog.site_id, site_ids),
            CareLog.allowed_from > first,
            CareLog.happened_at < clock.start_of_day(last + timedelta(days=1)),
            current(None),
        )
        .order_by(CareLog.happened_at, CareLog.position)
    )
    found: dict[UUID, list[Waiting]] = defaultdict(list)
    for row in rows:
        found[row.site_id].append(waiting_after(row))
    return found


def waiting_after(step: CareLog) -> Waiting:
    """What this row says; a step that is no treatment and has no days to wait allows the harvest on its own day."""
    day = clock.local(step.happened_at).date()
    known = step.pre_harvest_days is not None or step.kind not in steps.TREATMENTS
    days = (step.pre_harvest_days or 0) if known else UNKNOWN_WAIT_DAYS + 1
    return Waiting(step.site_id, root_id(step), step.material, day, day + timedelta(days=days), known)


def binds_longest(steps_before: Sequence[Waiting], on: date) -> Waiting | None:
    """What forbids a harvest on that civil day: one whose days are known before one whose days are not."""
    binding = [w for w in steps_before if w.applied_on <= on < w.allowed_from]
    return max(binding, key=lambda w: (w.known, w.allowed_from), default=None)


def too_early(harvest: CareLog, steps_before: Sequence[Waiting]) -> list[Waiting]:
    """The steps whose days to wait were not over on the day of the harvest.

    - was it applied on or before the day of the harvest? (the hour is often guessed, so the day decides)
    - was the harvest before the first allowed day?
    """
    day = clock.local(harvest.happened_at).date()
    return [w for w in steps_before if w.applied_on <= day < w.allowed_from]


def harvest_allowed_from(session: Session, site_ids: Collection[UUID]) -> dict[UUID, Waiting]:
    """Sites on which nothing may be harvested today, with the step that binds longest."""
    today = clock.today()
    longest = {site: binds_longest(found, today) for site, found in binding(session, site_ids, today, today).items()}
    return {site_id: step for site_id, step in longest.items() if step is not None}

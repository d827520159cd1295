"""The diary: its steps as they stand, what was written about each, and what waits for a person to compare."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import cast, exists, func, literal, or_, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from app import clock
from app.accounts.queries import among
from app.actor import Actor
from app.db import fold, identity, keyset
from app.db.keyset import Count, Listed
from app.errors import not_found
from app.messages import N_
from app.trace.models import CareLog, ConflictingSubmission, Site
from app.trace.queries.chains import current, last_of_chain, root_id
from app.trace.queries.rights import visible
from app.trace.queries.sites import site

NEWEST_STEP = keyset.Order((CareLog.happened_at, datetime), (CareLog.position, int), newest_first=True)
NEWEST_CONFLICT = keyset.Order(
    (ConflictingSubmission.received_at, datetime), (ConflictingSubmission.id, UUID), newest_first=True
)


@dataclass(frozen=True, slots=True)
class DiaryLine:
    """One step as it stands. `id` is the first row's; `corrected` how often it was written anew."""

    id: UUID
    log: CareLog
    corrected: int


@dataclass(frozen=True, slots=True)
class Diary:
    """One page of a diary, and how many steps there are in all."""

    lines: Sequence[DiaryLine]
    page: Listed
    total: Count


def lines_of(session: Session, rows: Sequence[CareLog]) -> list[DiaryLine]:
    roots = [root_id(r) for r in rows if r.corrects_id is not None]
    counts: dict[UUID | None, int] = {}
    if roots:
        counts = {
            row.corrects_id: row.number
            for row in session.execute(
                select(CareLog.corrects_id, func.count().label("number"))
                .where(among(CareLog.corrects_id, roots))
                .group_by(CareLog.corrects_id)
            )
        }
    return [DiaryLine(root_id(r), r, counts.get(r.corrects_id, 0)) for r in rows]


def diary_of_site(
    session: Session,
    actor: Actor,
    site_id: UUID,
    *,
    kind: str | None = None,
    cycle_id: UUID | None = None,
    first: date | None = None,
    last: date | None = None,
    withdrawn: bool = False,
    mark: str = "",
    size: int = keyset.PAGE,
) -> Diary:
    """The steps of a site, the newest first. Raises NotFound, and BadAddress for a mark that is none."""
    place = site(session, actor, site_id)
    conditions = [CareLog.site_id == place.id]
    if kind is not None:
        conditions.append(CareLog.kind == kind)
    if cycle_id is not None:
        conditions.append(CareLog.cycle_id == cycle_id)
    if first is not None:
        conditions.append(CareLog.happened_at >= clock.start_of_day(first))
    if last is not None:
        conditions.append(CareLog.happened_at < clock.start_of_day(last + timedelta(days=1)))
    query, standing = select(CareLog).where(*conditions), last_of_chain if withdrawn else current
    found = keyset.listed(session, query.where(standing(None)), NEWEST_STEP, mark, size=size)
    if len(conditions) == 1:
        total = _steps_of_site(session, place.id, withdrawn=withdrawn)
    else:
        total = keyset.count(session, query.where(standing(None, all_read=True)))
    return Diary(lines_of(session, [row.CareLog for row in found.rows]), found, total)


def _steps_of_site(session: Session, site_id: UUID, *, withdrawn: bool) -> Count:
    """As `keyset.count` counts them, by a function that asks the rule of rows of the site instead of each of its steps."""
    most = keyset.MOST_COUNTED
    number = session.scalar(select(func.hoi_steps_of_site(site_id, withdrawn, most + 1))) or 0
    return Count(min(number, most), more=number > most)


def steps_of_cycles(session: Session, cycle_ids: Collection[UUID]) -> list[DiaryLine]:
    """The steps of these seasons. For SYSTEM: it asks nobody's rights."""
    rows = session.scalars(
        select(CareLog).where(among(CareLog.cycle_id, cycle_ids), current(None, all_read=True))
    ).all()
    return lines_of(session, rows)


def steps_of_no_cycle(
    session: Session, site_ids: Collection[UUID], first: date, last: date, most: int
) -> list[DiaryLine]:
    """The steps on these sites from `first` to `last` that name no season, of each site the newest `most`. For SYSTEM."""
    number = func.row_number().over(partition_by=CareLog.site_id, order_by=NEWEST_STEP.by())
    numbered = (
        select(CareLog.id, number.label("number"))
        .where(
            among(CareLog.site_id, site_ids),
            CareLog.cycle_id.is_(None),
            CareLog.happened_at >= clock.start_of_day(first),
            CareLog.happened_at < clock.start_of_day(last + timedelta(days=1)),
            current(None, all_read=True),
        )
        .subquery()
    )
    rows = session.scalars(select(CareLog).join(numbered, numbered.c.id == CareLog.id).where(numbered.c.number <= most))
    return lines_of(session, rows.all())


def care_log(session: Session, actor: Actor, care_log_id: UUID) -> DiaryLine:
    """The step as it stands now, under any id of its chain, also when it was withdrawn. Raises NotFound."""
    rows = chain(session, actor, care_log_id)
    return DiaryLine(rows[0].id, rows[-1], len(rows) - 1)


def chain(session: Session, actor: Actor, care_log_id: UUID) -> list[CareLog]:
    """Everything that was written about one step, the first row first. Raises NotFound."""
    asked = session.scalar(select(CareLog).where(CareLog.id == care_log_id, visible(actor, CareLog.organisation_id)))
    if asked is None:
        raise not_found(N_("dòng nhật ký này"))
    first = root_id(asked)
    return list(
        session.scalars(
            select(CareLog).where(or_(CareLog.id == first, CareLog.corrects_id == first)).order_by(CareLog.position)
        )
    )


@dataclass(frozen=True, slots=True)
class Conflicts:
    """One page of what came under a taken id, and how many there are in all."""

    rows: Sequence[ConflictingSubmission]
    page: Listed
    total: Count


def conflicts(
    session: Session, actor: Actor, *, site_id: UUID | None = None, mark: str = "", size: int = keyset.PAGE
) -> Conflicts:
    """What came under a taken id and waits for a person to compare, the newest first; of one site if named. Raises BadAddress."""
    query = select(ConflictingSubmission).where(visible(actor, ConflictingSubmission.organisation_id))
    if site_id is not None:
        query = query.where(ConflictingSubmission.site_id == site_id)
    found = keyset.listed(session, query, NEWEST_CONFLICT, mark, size=size)
    return Conflicts([row.ConflictingSubmission for row in found.rows], found, keyset.count(session, query))


def conflicts_of(session: Session, actor: Actor, care_log_ids: Collection[UUID]) -> list[ConflictingSubmission]:
    """What came under the ids of these steps and waits for a person to compare, the newest first."""
    return list(
        session.scalars(
            select(ConflictingSubmission)
            .where(
                visible(actor, ConflictingSubmission.organisation_id),
                among(ConflictingSubmission.care_log_id, care_log_ids),
            )
            .order_by(*NEWEST_CONFLICT.by())
        )
    )


@dataclass(frozen=True, slots=True)
class RecentMaterial:
    """What was used last time, to be offered again; but `pre_harvest_days` are the most ever written for it, since a
    shorter wait written once must not become the usual one.
    """

    kind: str
    material: str
    quantity: Decimal | None
    unit: str | None
    pre_harvest_days: int | None


def recent_materials(session: Session, actor: Actor, kind: str | None = None, limit: int = 12) -> list[RecentMaterial]:
    """The materials that the actor's organisations used last, each once per kind of step, the newest first."""
    query = (
        select(CareLog)
        .where(
            among(CareLog.organisation_id, actor.organisations),
            CareLog.material.is_not(None),
            CareLog.happened_at >= clock.now() - timedelta(days=730),
            current(None),
        )
        .order_by(CareLog.happened_at.desc(), CareLog.position.desc())
        .limit(400)
    )
    if kind is not None:
        query = query.where(CareLog.kind == kind)
    found: dict[tuple[str, str], RecentMaterial] = {}
    longest: dict[tuple[str, str], int] = {}  # a wait counts for every spelling: one without tones is no other medicine
    for row in session.scalars(query):
        material, days = row.material or "", row.pre_harvest_days
        found.setdefault(
            (row.kind, identity(material)), RecentMaterial(row.kind, material, row.quantity, row.unit, days)
        )
        if days is not None:
            spelled = (row.kind, fold(material))
            longest[spelled] = max(days, longest.get(spelled, days))
    return [
        replace(last, pre_harvest_days=longest.get((last.kind, fold(last.material))))
        for last in list(found.values())[:limit]
    ]


# A site is one household's, and so is a chain: only their corrections are read, once, and not asked for with each step.
_LOGS_IN_WINDOW = """
WITH lain AS MATERIALIZED (
    SELECT sv.site_id, sv.organisation_id, sv.village_id, sv.valid_from,
           CASE WHEN sv.ended_at > :known_at THEN NULL ELSE sv.valid_to END AS valid_to
      FROM site_villages sv JOIN organisations o ON o.id = sv.organisation_id AND o.kind = 'household'
     WHERE sv.village_id = ANY (:villages) AND sv.recorded_at <= :known_at
), corrected AS MATERIALIZED (
    SELECT l.corrects_id, max(l.position) AS position
      FROM care_logs l
     WHERE l.organisation_id IN (SELECT organisation_id FROM lain) AND l.corrects_id IS NOT NULL AND l.recorded_at <= :known_at
     GROUP BY l.corrects_id
)
SELECT v.village_id, r.organisation_id, d.day
  FROM lain v
  JOIN care_logs r ON r.site_id = v.site_id
 CROSS JOIN LATERAL (SELECT (r.happened_at AT TIME ZONE 'Asia/Ho_Chi_Minh')::date AS day) d
  LEFT JOIN corrected c ON c.corrects_id = coalesce(r.corrects_id, r.id)
 WHERE r.happened_at >= :start AND r.happened_at < :stop AND r.recorded_at <= :known_at AND NOT r.withdrawn
   AND v.valid_from <= d.day AND (v.valid_to IS NULL OR v.valid_to >= d.day)
   AND (c.position IS NULL OR c.position <= r.position)
 ORDER BY v.village_id, r.organisation_id, d.day
"""


def logs_in_window(
    session: Session, village_ids: Collection[UUID], *, first: date, last: date, known_at: datetime | None = None
) -> dict[UUID, dict[UUID, list[date]]]:
    """Village to household to the days of its steps (a day twice for two steps), oldest first, in one statement.

    Both days count. A step belongs to the village in which its site lay on that day, as known at `known_at` (aware; None: now).
    Households without a step, and villages without a household that wrote, are missing.
    """
    found: dict[UUID, dict[UUID, list[date]]] = {}
    if not village_ids:
        return found
    rows = session.execute(
        text(_LOGS_IN_WINDOW),
        {
            "villages": sorted(village_ids),
            "start": clock.start_of_day(first),
            "stop": clock.start_of_day(last + timedelta(days=1)),
            "known_at": known_at or clock.now(),
        },
    )
    for village_id, organisation_id, day in rows:
        found.setdefault(village_id, {}).setdefault(organisation_id, []).append(day)
    return found


def points_to_file(session: Session, actor: Actor, digest: str) -> bool:
    """Whether a site or a step that this actor may open points to the picture."""
    if session.scalar(select(exists().where(Site.photo_sha256 == digest, visible(actor, Site.organisation_id)))):
        return True
    has = CareLog.photos.op("@>")(cast(literal([digest], JSONB), JSONB))
    return bool(session.scalar(select(exists().where(has, visible(actor, CareLog.organisation_id)))))

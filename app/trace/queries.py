"""Questions about sites, the diary, batches and codes. How it was: the last row of each chain of corrections says it."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Literal
from uuid import UUID

from sqlalchemy import ColumnElement, Date, and_, cast, exists, false, func, literal, or_, select, text, true
from sqlalchemy.dialects.postgresql import JSONB, distinct_on
from sqlalchemy.orm import Session, aliased

from app import clock
from app.accounts import queries as accounts
from app.accounts.models import Organisation
from app.accounts.queries import among
from app.actor import Actor, Role
from app.db import Words, fold
from app.errors import not_found
from app.places import queries as places
from app.products import queries as products
from app.products.models import Certificate, Product, Variant
from app.products.queries import PublicCertificate, PublicProduct
from app.trace import steps
from app.trace.models import (
    Batch,
    BatchEvent,
    BatchEventKind,
    BatchSource,
    CareLog,
    ConflictingSubmission,
    Cycle,
    Site,
    SiteVillage,
    StockMovement,
    TraceCode,
)
from app.trace.schemas import factor

PAGE = 50
BatchState = Literal["open", "held", "recalled"]


def may_write(actor: Actor, organisation_id: UUID) -> bool:
    """Who keeps the diary of a holder: its own people, the manager of its cooperative, an extension officer on its behalf."""
    if actor.kind == "system" or actor.has(Role.FARMER, Role.COOPERATIVE_MANAGER, organisation_id=organisation_id):
        return True
    return organisation_id in actor.organisations and actor.has(Role.COOPERATIVE_MANAGER, Role.EXTENSION_OFFICER)


def may_write_for(actor: Actor, organisation_id: UUID) -> bool:
    """Whether the actor acts for this organisation at all, in whichever of the roles that work with goods."""
    working = actor.has(Role.FARMER, Role.COOPERATIVE_MANAGER, Role.PURCHASER)
    return actor.kind == "system" or (working and organisation_id in actor.organisations)


def may_handle(actor: Actor, organisation_id: UUID) -> bool:
    """Who makes batches and moves stock: also the purchaser."""
    return may_write(actor, organisation_id) or actor.has(Role.PURCHASER, organisation_id=organisation_id)


def _visible(actor: Actor, column: object) -> ColumnElement[bool]:
    """Rows of organisations that the actor may open: own, acted for, or in an official's places."""
    if actor.kind == "system":
        return true()
    mine = among(column, actor.organisations)
    if not actor.places:
        return mine
    return or_(mine, column.in_(select(Organisation.id).where(accounts.visible(actor))))  # type: ignore[attr-defined]  # a mapped column


def local_day(moment: object) -> ColumnElement[date]:
    """The civil date in Vietnam of a timestamptz column."""
    return cast(func.timezone("Asia/Ho_Chi_Minh", moment), Date)


# --- sites and cycles --------------------------------------------------------------------------------------------


def site(session: Session, actor: Actor, site_id: UUID, *, lock: bool = False) -> Site:
    """Raises NotFound, also for one that this actor may not open."""
    query = select(Site).where(Site.id == site_id, _visible(actor, Site.organisation_id))
    found = session.scalar(query.with_for_update(key_share=True) if lock else query)
    if found is None:
        raise not_found("thửa này", "this site")
    return found


def cycle(session: Session, actor: Actor, cycle_id: UUID, *, lock: bool = False) -> Cycle:
    """Raises NotFound, also for one that this actor may not open."""
    query = select(Cycle).where(Cycle.id == cycle_id, _visible(actor, Cycle.organisation_id))
    found = session.scalar(query.with_for_update(key_share=True) if lock else query)
    if found is None:
        raise not_found("vụ này", "this season")
    return found


def village_of_sites(session: Session, site_ids: Collection[UUID], on: date) -> dict[UUID, UUID]:
    rows = session.execute(
        select(SiteVillage.site_id, SiteVillage.village_id).where(
            among(SiteVillage.site_id, site_ids),
            SiteVillage.valid_from <= on,
            or_(SiteVillage.valid_to.is_(None), SiteVillage.valid_to >= on),
        )
    )
    return {row.site_id: row.village_id for row in rows}


@dataclass(frozen=True, slots=True)
class SiteLine:
    """A site with its holder, its village today, its open cycles and when it was last written about."""

    site: Site
    holder: str
    village_id: UUID | None
    cycles: tuple[Cycle, ...]
    last_log_at: datetime | None


def site_lines(session: Session, actor: Actor, *, search: str = "", limit: int = 500) -> list[SiteLine]:
    """Sites the actor may open, by holder and name."""
    query = (
        select(Site, Organisation.name)
        .join(Organisation, Organisation.id == Site.organisation_id)
        .where(_visible(actor, Site.organisation_id))
        .order_by(Organisation.name_folded, Site.name, Site.id)
        .limit(limit)
    )
    if search:
        wanted = fold(search)
        query = query.where(
            or_(
                func.vn_fold(Site.name).contains(wanted, autoescape=True),
                Organisation.name_folded.contains(wanted, autoescape=True),
            )
        )
    rows = session.execute(query).all()
    ids = [row.Site.id for row in rows]
    today = clock.today()
    villages = village_of_sites(session, ids, today)
    open_cycles: dict[UUID, list[Cycle]] = defaultdict(list)
    for one in session.scalars(
        select(Cycle)
        .where(among(Cycle.site_id, ids), or_(Cycle.ended_on.is_(None), Cycle.ended_on >= today))
        .order_by(Cycle.started_on.desc(), Cycle.id)
    ):
        open_cycles[one.site_id].append(one)
    last = {
        row.site_id: row.moment
        for row in session.execute(
            select(CareLog.site_id, func.max(CareLog.happened_at).label("moment"))
            .where(among(CareLog.site_id, ids), _current(None))
            .group_by(CareLog.site_id)
        )
    }
    return [
        SiteLine(row.Site, row.name, villages.get(row.Site.id), tuple(open_cycles[row.Site.id]), last.get(row.Site.id))
        for row in rows
    ]


def cycles_of(session: Session, site_id: UUID) -> list[Cycle]:
    """Newest first."""
    return list(
        session.scalars(select(Cycle).where(Cycle.site_id == site_id).order_by(Cycle.started_on.desc(), Cycle.id))
    )


# --- the diary ---------------------------------------------------------------------------------------------------


def root_id(row: CareLog) -> UUID:
    """The id of the first row of the chain: what other rows point to."""
    return row.corrects_id or row.id


def _last_of_chain(known_at: datetime | None) -> ColumnElement[bool]:
    later = aliased(CareLog)
    follows = exists().where(
        later.corrects_id == func.coalesce(CareLog.corrects_id, CareLog.id), later.position > CareLog.position
    )
    if known_at is None:
        return ~follows
    return and_(CareLog.recorded_at <= known_at, ~follows.where(later.recorded_at <= known_at))


def _current(known_at: datetime | None) -> ColumnElement[bool]:
    """How it was, as known at a moment: the last row of each chain, unless it takes the step back.

    - is there a later row of the same chain? then this one does not count
    - does the last row withdraw the step? then the step did not happen
    """
    return and_(_last_of_chain(known_at), ~CareLog.withdrawn)


@dataclass(frozen=True, slots=True)
class DiaryLine:
    """One step as it stands. `id` is the first row's; `corrected` how often it was written anew."""

    id: UUID
    log: CareLog
    corrected: int


def _lines(session: Session, rows: Sequence[CareLog]) -> list[DiaryLine]:
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
    page: int = 1,
    per_page: int = PAGE,
) -> tuple[list[DiaryLine], int]:
    """The steps of a site, the newest first, and how many there are in all. Raises NotFound."""
    place = site(session, actor, site_id)
    conditions = [CareLog.site_id == place.id, _last_of_chain(None) if withdrawn else _current(None)]
    if kind is not None:
        conditions.append(CareLog.kind == kind)
    if cycle_id is not None:
        conditions.append(CareLog.cycle_id == cycle_id)
    if first is not None:
        conditions.append(CareLog.happened_at >= clock.start_of_day(first))
    if last is not None:
        conditions.append(CareLog.happened_at < clock.start_of_day(last + timedelta(days=1)))
    total = session.scalar(select(func.count()).select_from(CareLog).where(*conditions)) or 0
    rows = session.scalars(
        select(CareLog)
        .where(*conditions)
        .order_by(CareLog.happened_at.desc(), CareLog.position.desc())
        .limit(per_page)
        .offset((page - 1) * per_page)
    ).all()
    return _lines(session, rows), total


def care_logs_of_cycle(
    session: Session, actor: Actor, cycle_id: UUID, known_at: datetime | None = None
) -> list[DiaryLine]:
    """The steps of one season as they happened. Raises NotFound."""
    season = cycle(session, actor, cycle_id)
    rows = session.scalars(
        select(CareLog)
        .where(CareLog.cycle_id == season.id, _current(known_at))
        .order_by(CareLog.happened_at, CareLog.position)
    ).all()
    return _lines(session, rows)


def care_log(session: Session, actor: Actor, care_log_id: UUID) -> DiaryLine:
    """The step as it stands now, under any id of its chain, also when it was withdrawn. Raises NotFound."""
    rows = chain(session, actor, care_log_id)
    return DiaryLine(rows[0].id, rows[-1], len(rows) - 1)


def chain(session: Session, actor: Actor, care_log_id: UUID) -> list[CareLog]:
    """Everything that was written about one step, the first row first. Raises NotFound."""
    asked = session.scalar(select(CareLog).where(CareLog.id == care_log_id, _visible(actor, CareLog.organisation_id)))
    if asked is None:
        raise not_found("dòng nhật ký này", "this diary line")
    first = root_id(asked)
    return list(
        session.scalars(
            select(CareLog).where(or_(CareLog.id == first, CareLog.corrects_id == first)).order_by(CareLog.position)
        )
    )


def conflicts_of(
    session: Session,
    actor: Actor,
    limit: int = 50,
    *,
    site_id: UUID | None = None,
    care_log_ids: Collection[UUID] | None = None,
) -> list[ConflictingSubmission]:
    """What came under a taken id and waits for a person to compare, the newest first; of one site or of these rows if named."""
    query = (
        select(ConflictingSubmission)
        .where(_visible(actor, ConflictingSubmission.organisation_id))
        .order_by(ConflictingSubmission.received_at.desc(), ConflictingSubmission.id)
        .limit(limit)
    )
    if site_id is not None:
        query = query.where(ConflictingSubmission.care_log_id.in_(select(CareLog.id).where(CareLog.site_id == site_id)))
    if care_log_ids is not None:
        query = query.where(among(ConflictingSubmission.care_log_id, care_log_ids))
    return list(session.scalars(query))


@dataclass(frozen=True, slots=True)
class RecentMaterial:
    """What was used last time, to be offered again."""

    kind: str
    material: str
    quantity: Decimal | None
    unit: str | None
    pre_harvest_days: int | None
    used_at: datetime


def recent_materials(session: Session, actor: Actor, kind: str | None = None, limit: int = 12) -> list[RecentMaterial]:
    """The materials that the actor's organisations used last, each once per kind of step, the newest first."""
    query = (
        select(CareLog)
        .where(
            among(CareLog.organisation_id, actor.organisations),
            CareLog.material.is_not(None),
            CareLog.happened_at >= clock.now() - timedelta(days=730),
            _current(None),
        )
        .order_by(CareLog.happened_at.desc(), CareLog.position.desc())
        .limit(400)
    )
    if kind is not None:
        query = query.where(CareLog.kind == kind)
    found: dict[tuple[str, str], RecentMaterial] = {}
    for row in session.scalars(query):
        key = (row.kind, fold(row.material or ""))
        if key not in found:
            found[key] = RecentMaterial(
                row.kind, row.material or "", row.quantity, row.unit, row.pre_harvest_days, row.happened_at
            )
    return list(found.values())[:limit]


# --- days to wait before harvest ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Waiting:
    """After this step nothing may be harvested on the site before `allowed_from`."""

    site_id: UUID
    care_log_id: UUID
    material: str | None
    applied_on: date
    allowed_from: date


def waiting(session: Session, site_ids: Collection[UUID], since: date | None = None) -> dict[UUID, list[Waiting]]:
    """Site id to the steps with days to wait (thời gian cách ly) on or after `since` (None: all), oldest first."""
    if not site_ids:
        return {}
    query = (
        select(CareLog)
        .where(among(CareLog.site_id, site_ids), CareLog.pre_harvest_days > 0, _current(None))
        .order_by(CareLog.happened_at, CareLog.position)
    )
    if since is not None:
        query = query.where(CareLog.happened_at >= clock.start_of_day(since))
    found: dict[UUID, list[Waiting]] = defaultdict(list)
    for row in session.scalars(query):
        day = clock.local(row.happened_at).date()
        allowed = day + timedelta(days=row.pre_harvest_days or 0)
        found[row.site_id].append(Waiting(row.site_id, root_id(row), row.material, day, allowed))
    return found


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
    found: dict[UUID, Waiting] = {}
    for site_id, rows in waiting(session, site_ids, today - timedelta(days=366)).items():
        binding = [w for w in rows if w.applied_on <= today < w.allowed_from]
        if binding:
            found[site_id] = max(binding, key=lambda w: w.allowed_from)
    return found


# --- the farmer's day --------------------------------------------------------------------------------------------


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
    mine = and_(among(CareLog.organisation_id, actor.organisations), _current(None))
    rows = session.scalars(
        select(CareLog).where(mine).order_by(CareLog.happened_at.desc(), CareLog.position.desc()).limit(10)
    ).all()
    week = clock.start_of_day(clock.today() - timedelta(days=6))
    return FarmerToday(
        sites=tuple(
            FarmerSite(s.site, s.cycles[0] if s.cycles else None, s.last_log_at, binding.get(s.site.id)) for s in lines
        ),
        last_site_id=lines[0].site.id if lines and lines[0].last_log_at else None,
        recent=tuple(_lines(session, rows)),
        logs_this_week=session.scalar(
            select(func.count()).select_from(CareLog).where(mine, CareLog.happened_at >= week)
        )
        or 0,
        conflicts=session.scalar(
            select(func.count())
            .select_from(ConflictingSubmission)
            .where(among(ConflictingSubmission.organisation_id, actor.organisations))
        )
        or 0,
    )


# --- for the criteria --------------------------------------------------------------------------------------------

_LOGS_IN_WINDOW = """
SELECT sv.village_id, r.organisation_id, d.day
  FROM care_logs r
 CROSS JOIN LATERAL (SELECT (r.happened_at AT TIME ZONE 'Asia/Ho_Chi_Minh')::date AS day) d
  JOIN site_villages sv ON sv.site_id = r.site_id AND sv.village_id = ANY (:villages) AND sv.recorded_at <= :known_at
       AND sv.valid_from <= d.day AND (sv.valid_to IS NULL OR sv.valid_to >= d.day OR sv.ended_at > :known_at)
  JOIN organisations o ON o.id = r.organisation_id AND o.kind = 'household'
 WHERE r.happened_at >= :start AND r.happened_at < :stop AND r.recorded_at <= :known_at AND NOT r.withdrawn
   AND NOT EXISTS (SELECT FROM care_logs l
                    WHERE l.corrects_id = coalesce(r.corrects_id, r.id) AND l.position > r.position
                      AND l.recorded_at <= :known_at)
 ORDER BY sv.village_id, r.organisation_id, d.day
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


def villages_of_site(session: Session, site_id: UUID) -> list[UUID]:
    """Every village the site ever lay in: whose answers may change with its diary."""
    return list(session.scalars(select(SiteVillage.village_id).where(SiteVillage.site_id == site_id).distinct()))


# --- batches -----------------------------------------------------------------------------------------------------


def batch(session: Session, actor: Actor, batch_id: UUID) -> Batch:
    """Raises NotFound, also for one that this actor may not open."""
    found = session.scalar(select(Batch).where(Batch.id == batch_id, _visible(actor, Batch.organisation_id)))
    if found is None:
        raise not_found("lô này", "this batch")
    return found


@dataclass(frozen=True, slots=True)
class BatchStanding:
    """What the events say of a batch: recalled goes before on hold. `event` is the one that made it so."""

    state: BatchState
    event: BatchEvent | None


_HOLD = (BatchEventKind.HELD, BatchEventKind.RELEASED)
_RECALL = (BatchEventKind.RECALLED, BatchEventKind.RECALL_LIFTED)


def standings(session: Session, batch_ids: Collection[UUID]) -> dict[UUID, BatchStanding]:
    """The state of each batch.

    - is the last of recalled/recall_lifted a recall? recalled
    - is the last of held/released a hold? held
    - else open
    """
    found = {b: BatchStanding("open", None) for b in batch_ids}
    pair = BatchEvent.kind.in_(_RECALL)
    rows = session.scalars(
        select(BatchEvent)
        .where(among(BatchEvent.batch_id, batch_ids), BatchEvent.kind.in_((*_HOLD, *_RECALL)))
        .ext(distinct_on(BatchEvent.batch_id, pair))
        .order_by(BatchEvent.batch_id, pair, BatchEvent.position.desc())
    )
    for row in rows:
        if row.kind == BatchEventKind.RECALLED:
            found[row.batch_id] = BatchStanding("recalled", row)
        elif row.kind == BatchEventKind.HELD and found[row.batch_id].state != "recalled":
            found[row.batch_id] = BatchStanding("held", row)
    return found


def standing(session: Session, batch_id: UUID) -> BatchStanding:
    return standings(session, [batch_id])[batch_id]


def is_held(session: Session, batch_id: UUID) -> bool:
    """On hold, whether or not it is recalled as well."""
    last = session.scalar(
        select(BatchEvent.kind)
        .where(BatchEvent.batch_id == batch_id, BatchEvent.kind.in_(_HOLD))
        .order_by(BatchEvent.position.desc())
        .limit(1)
    )
    return last == BatchEventKind.HELD


def events_of(session: Session, batch_id: UUID) -> list[BatchEvent]:
    return list(
        session.scalars(select(BatchEvent).where(BatchEvent.batch_id == batch_id).order_by(BatchEvent.position))
    )


@dataclass(frozen=True, slots=True)
class BatchLine:
    batch: Batch
    product_name: Words
    state: BatchState
    codes: int


def _last_of(kinds: tuple[BatchEventKind, ...]) -> ColumnElement[str | None]:
    return (
        select(BatchEvent.kind)
        .where(BatchEvent.batch_id == Batch.id, BatchEvent.kind.in_(kinds))
        .order_by(BatchEvent.position.desc())
        .limit(1)
        .correlate(Batch)
        .scalar_subquery()
    )


def _is_in(state: BatchState) -> ColumnElement[bool]:
    """The same rule as `standings`, as a condition."""
    recalled = func.coalesce(_last_of(_RECALL) == BatchEventKind.RECALLED, false())
    held = func.coalesce(_last_of(_HOLD) == BatchEventKind.HELD, false())
    if state == "recalled":
        return recalled
    return and_(~recalled, held if state == "held" else ~held)


def batch_lines(
    session: Session,
    actor: Actor,
    *,
    product_id: UUID | None = None,
    state: BatchState | None = None,
    page: int = 1,
    per_page: int = PAGE,
) -> tuple[list[BatchLine], int]:
    """The batches the actor may open, the newest first, and how many there are."""
    conditions = [_visible(actor, Batch.organisation_id)]
    if state is not None:
        conditions.append(_is_in(state))
    if product_id is not None:
        conditions.append(Batch.product_id == product_id)
    total = session.scalar(select(func.count()).select_from(Batch).where(*conditions)) or 0
    codes = select(func.count()).where(TraceCode.batch_id == Batch.id).correlate(Batch).scalar_subquery()
    rows = session.execute(
        select(Batch, Product.name, codes.label("codes"))
        .join(Product, Product.id == Batch.product_id)
        .where(*conditions)
        .order_by(Batch.created_at.desc(), Batch.id)
        .limit(per_page)
        .offset((page - 1) * per_page)
    ).all()
    states = standings(session, [r.Batch.id for r in rows])
    return [BatchLine(r.Batch, r.name, states[r.Batch.id].state, r.codes) for r in rows], total


@dataclass(frozen=True, slots=True)
class Harvest:
    """A harvest as it stands, and what is left of it. `left` is None where no quantity was written."""

    id: UUID
    log: CareLog
    site_name: str
    holder: str
    left: Decimal | None


def used_of_harvests(session: Session, root_ids: Collection[UUID]) -> dict[UUID, list[tuple[Decimal, str]]]:
    """Harvest id to the quantities that batches took of it."""
    found: dict[UUID, list[tuple[Decimal, str]]] = defaultdict(list)
    for root, quantity, unit in session.execute(
        select(BatchSource.care_log_id, BatchSource.quantity, BatchSource.unit).where(
            among(BatchSource.care_log_id, root_ids)
        )
    ):
        found[root].append((quantity, unit))
    return found


def left_of(log: CareLog, used: Sequence[tuple[Decimal, str]]) -> Decimal | None:
    """What no batch has taken yet, in the harvest's unit; None where it cannot be told."""
    if log.quantity is None or log.unit is None:
        return None
    left = log.quantity
    for quantity, unit in used:
        rate = factor(unit, log.unit)
        if rate is None:
            return None
        left -= quantity * rate
    return left


def harvests(session: Session, actor: Actor, *, product_id: UUID | None = None, days: int = 400) -> list[Harvest]:
    """The harvests of the organisations the actor acts for of which something is left, the newest first.

    With a product: those of its own cycles, and those of cycles without a product.
    """
    query = (
        select(CareLog, Site.name, Organisation.name)
        .join(Site, Site.id == CareLog.site_id)
        .join(Organisation, Organisation.id == CareLog.organisation_id)
        .outerjoin(Cycle, Cycle.id == CareLog.cycle_id)
        .where(
            among(CareLog.organisation_id, actor.organisations),
            CareLog.kind.in_(steps.HARVESTS),
            CareLog.happened_at >= clock.now() - timedelta(days=days),
            _current(None),
        )
        .order_by(CareLog.happened_at.desc(), CareLog.position.desc())
        .limit(500)
    )
    if product_id is not None:
        query = query.where(or_(Cycle.product_id == product_id, Cycle.product_id.is_(None)))
    rows = session.execute(query).all()
    used = used_of_harvests(session, [root_id(r[0]) for r in rows])
    found = [Harvest(root_id(r[0]), r[0], r[1], r[2], left_of(r[0], used.get(root_id(r[0]), []))) for r in rows]
    return [h for h in found if h.left is None or h.left > 0]


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A harvest in a batch; `log` is None where this actor may not see it any more."""

    source: BatchSource
    log: CareLog | None
    site_name: str | None
    holder: str


def sources_of(session: Session, batch_id: UUID) -> list[SourceLine]:
    sources = session.scalars(select(BatchSource).where(BatchSource.batch_id == batch_id)).all()
    logs = current_logs(session, [s.care_log_id for s in sources])
    names = accounts.organisation_names(session, {s.log_organisation_id for s in sources})
    sites = {
        s.id: s.name for s in session.scalars(select(Site).where(among(Site.id, {r.site_id for r in logs.values()})))
    }
    lines = [
        SourceLine(
            s,
            logs.get(s.care_log_id),
            sites.get(logs[s.care_log_id].site_id) if s.care_log_id in logs else None,
            names.get(s.log_organisation_id, ""),
        )
        for s in sources
    ]
    return sorted(
        lines, key=lambda s: (s.log.happened_at if s.log else datetime.max.replace(tzinfo=clock.VIETNAM), s.holder)
    )


def current_logs(session: Session, root_ids: Collection[UUID]) -> dict[UUID, CareLog]:
    """First id to the last row of the chain, withdrawn ones included."""
    rows = session.scalars(
        select(CareLog).where(
            or_(among(CareLog.id, root_ids), among(CareLog.corrects_id, root_ids)), _last_of_chain(None)
        )
    )
    return {root_id(r): r for r in rows}


def batches_of_site(session: Session, site_id: UUID) -> list[UUID]:
    """The batches made from harvests that were ever said to be of this site."""
    first = aliased(CareLog)
    named = exists().where(
        or_(first.id == BatchSource.care_log_id, first.corrects_id == BatchSource.care_log_id),
        first.site_id == site_id,
    )
    return list(session.scalars(select(BatchSource.batch_id).where(named).distinct().order_by(BatchSource.batch_id)))


def batches_of_products(session: Session, product_ids: Collection[UUID]) -> list[UUID]:
    """Whose public pages change with these products."""
    return list(session.scalars(select(Batch.id).where(among(Batch.product_id, product_ids)).order_by(Batch.id)))


def codes_of(session: Session, batch_id: UUID) -> list[TraceCode]:
    return list(
        session.scalars(select(TraceCode).where(TraceCode.batch_id == batch_id).order_by(TraceCode.kind.desc()))
    )


def batch_by_code(session: Session, code: str) -> Batch | None:
    """The batch that a canonical code names; for the public page run it as SYSTEM."""
    return session.scalar(select(Batch).join(TraceCode, TraceCode.batch_id == Batch.id).where(TraceCode.code == code))


def trace_code(session: Session, actor: Actor, code: str) -> TraceCode:
    """Raises NotFound, also for one that this actor may not open."""
    found = session.scalar(select(TraceCode).where(TraceCode.code == code, _visible(actor, TraceCode.organisation_id)))
    if found is None:
        raise not_found("mã này", "this code")
    return found


def next_lot(session: Session, product: Product, harvested_on: date) -> str:
    """A free lot code that people can read: NA-1126-01 is the first lot of "Na dai" harvested in November 2026."""
    word = next((w for w in fold(product.name.vi).upper().split() if w.isascii() and w.isalnum()), "LO")[:8]
    prefix = f"{word}-{harvested_on:%m%y}-"
    taken = set(
        session.scalars(
            select(Batch.lot).where(Batch.organisation_id == product.organisation_id, Batch.lot.startswith(prefix))
        )
    )
    number = next(n for n in range(1, len(taken) + 2) if f"{prefix}{n:02d}" not in taken)
    return f"{prefix}{number:02d}"


def movements_of(session: Session, batch_id: UUID) -> list[tuple[StockMovement, Variant]]:
    """The ledger of one lot, oldest first."""
    rows = session.execute(
        select(StockMovement, Variant)
        .join(Variant, Variant.id == StockMovement.variant_id)
        .where(StockMovement.batch_id == batch_id)
        .order_by(StockMovement.position)
    )
    return [(row[0], row[1]) for row in rows]


def movement_of_batch(session: Session, batch_id: UUID, movement_id: UUID) -> StockMovement:
    """Raises NotFound, also for a line of another lot."""
    found = session.scalar(
        select(StockMovement).where(StockMovement.id == movement_id, StockMovement.batch_id == batch_id)
    )
    if found is None:
        raise not_found("dòng kho này", "this stock line")
    return found


# --- pictures ----------------------------------------------------------------------------------------------------


def points_to_file(session: Session, actor: Actor, digest: str) -> bool:
    """Whether a site or a step that this actor may open points to the picture."""
    if session.scalar(select(exists().where(Site.photo_sha256 == digest, _visible(actor, Site.organisation_id)))):
        return True
    has = CareLog.photos.op("@>")(cast(literal([digest], JSONB), JSONB))
    return bool(session.scalar(select(exists().where(has, _visible(actor, CareLog.organisation_id)))))


# --- what the public may see -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PublicStep:
    """Steps of one kind within one month, put together. `by` are names that people agreed to show, or "một người của hộ"."""

    month: date
    kind: str
    first_on: date
    last_on: date
    times: int
    materials: tuple[str, ...]
    witnesses: tuple[str, ...]
    by: tuple[str, ...]
    corrected: int
    doubtful: int


@dataclass(frozen=True, slots=True)
class PublicGap:
    """Months inside the season about which nobody wrote anything."""

    first_month: date
    last_month: date


@dataclass(frozen=True, slots=True)
class PublicBatch:
    """Everything that the public page may say, field by field. Nothing else of a batch leaves the house.

    `next_change_on` is the first civil date on which time alone changes what is said.
    """

    batch_id: UUID
    lot: str
    product: PublicProduct
    pack: Words | None
    gtin: str | None
    net_quantity: Decimal | None
    net_unit: str | None
    holder_name: str
    holder_place: str | None
    grown_in: tuple[str, ...]
    growers: int
    season_from: date | None
    harvested_on: date
    made_on: date
    expires_on: date | None
    state: BatchState
    state_reason: Words | None
    state_since: datetime | None
    certificates: tuple[PublicCertificate, ...]
    lapsed: tuple[PublicCertificate, ...]
    timeline: tuple[PublicStep, ...]
    gaps: tuple[PublicGap, ...]
    codes: tuple[str, ...]
    next_change_on: date | None


def public_batch(session: Session, batch_id: UUID, language: str = "vi") -> PublicBatch:
    """Run it as SYSTEM: it picks the public fields. Raises NotFound."""
    row = session.get(Batch, batch_id)
    if row is None:
        raise not_found("lô này", "this batch")
    today = clock.today()
    product = products.public_product(session, row.product_id, today)
    pack = session.get(Variant, row.variant_id) if row.variant_id else None
    sources = session.scalars(select(BatchSource).where(BatchSource.batch_id == row.id)).all()
    harvested = list(current_logs(session, [s.care_log_id for s in sources]).values())
    season_from, logs = _season(session, row, harvested)
    now = standing(session, row.id)
    site_ids = {h.site_id for h in harvested}
    villages = village_of_sites(session, site_ids, row.harvested_on)
    names = places.full_names(session, set(villages.values()))
    holder = session.get_one(Organisation, row.organisation_id)
    holder_place = holder.village_id or holder.commune_id
    lapsed = _lapsed(session, row, today)
    changes = [c.last_day + timedelta(days=1) for c in product.certificates if c.last_day is not None]
    if row.expires_on is not None:
        changes.append(row.expires_on + timedelta(days=1))
    return PublicBatch(
        batch_id=row.id,
        lot=row.lot,
        product=product,
        pack=pack.name if pack else None,
        gtin=pack.gtin if pack else None,
        net_quantity=pack.net_quantity if pack else None,
        net_unit=pack.net_unit if pack else None,
        holder_name=product.holder_name,
        holder_place=places.full_names(session, [holder_place]).get(holder_place) if holder_place else None,
        grown_in=tuple(sorted(set(names.values()))),
        growers=len({s.log_organisation_id for s in sources}),
        season_from=season_from,
        harvested_on=row.harvested_on,
        made_on=row.made_on,
        expires_on=row.expires_on,
        state=now.state,
        state_reason=now.event.reason if now.event else None,
        state_since=now.event.at if now.event else None,
        certificates=product.certificates,
        lapsed=lapsed,
        timeline=_timeline(session, logs, language),
        gaps=_gaps(season_from, row.harvested_on, logs),
        codes=tuple(c.code for c in codes_of(session, row.id)),
        next_change_on=min((c for c in changes if c > today), default=None),
    )


def _season(session: Session, row: Batch, harvested: Sequence[CareLog]) -> tuple[date | None, list[CareLog]]:
    """The first day of the season, and the steps of the harvested cycles (without a cycle: of the site, one year back)."""
    until = clock.start_of_day(max(row.made_on, row.harvested_on) + timedelta(days=1))
    cycle_ids = {h.cycle_id for h in harvested if h.cycle_id}
    bare = {h.site_id for h in harvested if not h.cycle_id}
    year = clock.start_of_day(row.harvested_on - timedelta(days=365))
    logs = session.scalars(
        select(CareLog)
        .where(
            or_(
                among(CareLog.cycle_id, cycle_ids),
                and_(among(CareLog.site_id, bare), CareLog.happened_at >= year),
            ),
            CareLog.happened_at < until,
            _current(None),
        )
        .order_by(CareLog.happened_at, CareLog.position)
    ).all()
    starts = list(session.scalars(select(Cycle.started_on).where(among(Cycle.id, cycle_ids))))
    if not starts:
        starts = [clock.local(log.happened_at).date() for log in logs[:1]]
    return min(starts, default=None), list(logs)


def _timeline(session: Session, logs: Sequence[CareLog], language: str) -> tuple[PublicStep, ...]:
    labels = accounts.public_person_labels(
        session, {log.performed_by for log in logs if log.performed_by is not None}, language
    )
    groups: dict[tuple[date, str], list[CareLog]] = defaultdict(list)
    for log in logs:
        groups[clock.local(log.happened_at).date().replace(day=1), log.kind].append(log)
    lines = []
    for (month, kind), rows in groups.items():
        days = [clock.local(r.happened_at).date() for r in rows]
        lines.append(
            PublicStep(
                month=month,
                kind=kind,
                first_on=min(days),
                last_on=max(days),
                times=len(rows),
                materials=tuple(dict.fromkeys(r.material for r in rows if r.material)),
                witnesses=tuple(dict.fromkeys(r.witness for r in rows)),
                by=tuple(dict.fromkeys(labels[r.performed_by] for r in rows if r.performed_by is not None)),
                corrected=sum(r.corrects_id is not None for r in rows),
                doubtful=sum(r.time_doubtful for r in rows),
            )
        )
    return tuple(sorted(lines, key=lambda s: (s.month, s.first_on, s.kind)))


def _months(first: date, last: date) -> list[date]:
    found, month = [], first.replace(day=1)
    while month <= last:
        found.append(month)
        month = (month + timedelta(days=32)).replace(day=1)
    return found


def _gaps(season_from: date | None, until: date, logs: Sequence[CareLog]) -> tuple[PublicGap, ...]:
    """Runs of whole months of the season without a single step."""
    if season_from is None:
        return ()
    written = {clock.local(log.happened_at).date().replace(day=1) for log in logs}
    gaps: list[PublicGap] = []
    for month in _months(season_from, until):
        if month in written:
            continue
        if gaps and (gaps[-1].last_month + timedelta(days=32)).replace(day=1) == month:
            gaps[-1] = PublicGap(gaps[-1].first_month, month)
        else:
            gaps.append(PublicGap(month, month))
    return tuple(gaps)


def _lapsed(session: Session, row: Batch, today: date) -> tuple[PublicCertificate, ...]:
    """Certificates that held when the batch was made and hold no more: said, not hidden."""
    then = products.certificates_on(session, [row.product_id], row.made_on).get(row.product_id, [])
    ended: list[Certificate] = [c for c in then if products.state_on(c, today) in {"lapsed", "revoked"}]
    return tuple(products.public_certificate(c) for c in ended)

"""Queries of the farmer's pages: which households one writes for, their places of work, and what was written there."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session, aliased

from app import clock
from app.accounts import queries as accounts
from app.accounts import rights
from app.accounts.models import Organisation
from app.actor import Actor, Right
from app.db import Words, fold, keyset
from app.db.keyset import Count, Listed
from app.doors.farmer import pictures
from app.errors import not_found
from app.messages import N_
from app.trace import queries as trace
from app.trace.models import CareLog, Cycle, Site, SiteKind, Witness
from app.trace.queries import FarmerSite, Holder, Waiting
from app.trace.steps import HARVESTS, STEPS, Step

# As what their own eyes count: at home as the farmer, whatever they are elsewhere.
EYES = (
    (Right.FARM, Witness.FARMER),
    (Right.VOUCH_AS_COOPERATIVE, Witness.COOPERATIVE),
    (Right.VOUCH_AS_OFFICER, Witness.OFFICER),
)
SOON = timedelta(days=7)
LATE = timedelta(days=30)


# --- for whom ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class House:
    """The household one writes for. `writer` is the actor with the right to do so, `scope` the same one looking at this
    household only; `acting_for` when it is not their own; `witness` what their own eyes count as.
    """

    id: UUID
    name: str
    village_id: UUID | None
    acting_for: bool
    witness: Witness
    writer: Actor

    @property
    def scope(self) -> Actor:
        return replace(self.writer, organisations=frozenset({self.id}), places=frozenset(), units=frozenset())


@dataclass(frozen=True, slots=True)
class HouseRow:
    id: UUID
    name: str
    logs_today: int  # written today and not taken back


def own_house_ids(actor: Actor) -> tuple[UUID, ...]:
    return tuple(sorted(actor.where(Right.FARM)))


def house(session: Session, actor: Actor, asked: UUID | None) -> House | None:
    """The household asked for, else the actor's first own one; None when there is none to take. Raises NotFound."""
    own = own_house_ids(actor)
    if asked is None:
        if not own:
            return None
        asked = own[0]
    found = accounts.organisation(session, actor, asked)
    return _house(actor, found, rights.on_behalf_of(session, actor, found))


def _house(actor: Actor, organisation: Organisation | Holder, writer: Actor) -> House:
    witness = next((w for right, w in EYES if writer.may(right, organisation.id)), Witness.FARMER)
    acting_for = not actor.may(Right.REPRESENT, organisation.id)
    return House(organisation.id, organisation.name, organisation.village_id, acting_for, witness, writer)


@dataclass(frozen=True, slots=True)
class Houses:
    """The households of many places of work. `writer` may write in all of them."""

    writer: Actor
    _of_site: Mapping[UUID, Holder | None]
    _houses: Mapping[UUID, House]

    def of_site(self, site_id: UUID) -> House:
        """Raises NotFound for a place of work that the actor may not open, or in whose household they may not write."""
        if site_id not in self._of_site:
            raise not_found(N_("nơi sản xuất này"))
        holder = self._of_site[site_id]
        if holder is None or holder.id not in self._houses:
            raise not_found(N_("hộ này"))
        return self._houses[holder.id]

    def holders(self) -> dict[UUID, UUID]:
        """Whose each of the places of work is."""
        return {site_id: holder.id for site_id, holder in self._of_site.items() if holder is not None}


def houses_of_sites(session: Session, actor: Actor, site_ids: Collection[UUID]) -> Houses:
    """The households of these places of work, by a number of statements that does not follow how many they are."""
    of_site = trace.holders_of_sites(session, actor, site_ids)
    found = {holder.id: holder for holder in of_site.values() if holder is not None}
    writer, theirs = rights.on_behalf_of_each(session, actor, list(found.values()))
    return Houses(writer, of_site, {o.id: _house(actor, o, writer) for o in theirs})


BY_NAME = keyset.Order((Organisation.name_sorted, str), (Organisation.id, UUID))
FEW_HOUSES = 8  # one looks through them


@dataclass(frozen=True, slots=True)
class HouseList:
    """The actor's own households, on the first page only; one page of the others they may write for, and how many others there are.

    Who is of more own households than a page holds has them among the others. `searchable`: there are enough to look for one.
    """

    own: Sequence[HouseRow]
    others: Sequence[HouseRow]
    page: Listed
    total: Count
    searchable: bool


def households(session: Session, actor: Actor, search: str = "", mark: str = "") -> HouseList:
    """Whom this actor may write for, by name. Raises BadAddress for a mark that is none."""
    query = select(Organisation).where(accounts.visible(actor), rights.held_in(actor, Right.KEEP_DIARY))
    if search:
        query = query.where(Organisation.name_folded.contains(fold(search), autoescape=True))
    home = accounts.among(Organisation.id, actor.where(Right.REPRESENT))
    mine = session.scalars(query.where(home).order_by(*BY_NAME.by()).limit(keyset.PAGE + 1)).all()
    apart = len(mine) <= keyset.PAGE
    own = [] if mark or not apart else mine
    foreign = query.where(~home) if apart else query
    found = keyset.listed(session, foreign, BY_NAME, mark)
    others = [row.Organisation for row in found.rows]
    written = _written_today(session, [o.id for o in (*own, *others)])

    def rows(some: Sequence[Organisation]) -> list[HouseRow]:
        return [HouseRow(o.id, o.name, written.get(o.id, 0)) for o in some]

    total = keyset.count(session, foreign)
    return HouseList(rows(own), rows(others), found, total, searchable=len(mine) + total.number > FEW_HOUSES)


def _written_today(session: Session, house_ids: Collection[UUID]) -> dict[UUID, int]:
    """Household to the steps first written today that stand; read from today's rows, not from the whole diary."""
    back, after = aliased(CareLog), aliased(CareLog)
    taken_back = exists().where(
        back.corrects_id == CareLog.id,
        back.withdrawn,
        ~exists().where(after.corrects_id == CareLog.id, after.position > back.position),
    )
    counted = session.execute(
        select(CareLog.organisation_id, func.count().label("steps"))
        .where(
            accounts.among(CareLog.organisation_id, house_ids),
            CareLog.recorded_at >= clock.start_of_day(clock.today()),
            CareLog.corrects_id.is_(None),
            ~taken_back,
        )
        .group_by(CareLog.organisation_id)
    )
    return {row.organisation_id: row.steps for row in counted}


@dataclass(frozen=True, slots=True)
class Doer:
    person_id: UUID
    label: str


def people(session: Session, at: House) -> list[Doer]:
    """Who works in this household today, each once, by the name they are called."""
    found: dict[UUID, Doer] = {}
    for member in accounts.members(session, at.writer, [at.id]):
        if member.name is not None:
            label = f"{member.address_as} {accounts.given_name(member.name)}"
            found.setdefault(member.person_id, Doer(member.person_id, label))
    return list(found.values())


def names(
    session: Session, person_ids: Collection[UUID | None], *, house_ids: Collection[UUID] = ()
) -> dict[UUID, str]:
    """How to call the people whom this session's actor may know, also those of households opened already; others are
    missing.
    """
    wanted = {p for p in person_ids if p is not None}
    rows = accounts.known_people(session, session.info["actor"], wanted, also_of=house_ids)
    return {row.person_id: accounts.addressed(row) for row in rows}


# --- places of work ----------------------------------------------------------------------------------------------


def sites(session: Session, at: House) -> list[FarmerSite]:
    """The sites of this household alone, the one worked on last first."""
    return trace.farmer_sites(session, at.scope)


def site(known: Sequence[FarmerSite], asked: UUID | None) -> FarmerSite:
    """The site asked for, else the one worked on last. Raises NotFound."""
    found = next((s for s in known if asked is None or s.site.id == asked), None)
    if found is None:
        raise not_found(N_("nơi sản xuất này"))
    return found


def cycle_on(session: Session, site_id: UUID, on: date) -> Cycle | None:
    """The season that ran on that day; the youngest where two overlap."""
    return next(
        (
            c
            for c in trace.cycles_of(session, site_id)
            if c.started_on <= on and (c.ended_on is None or c.ended_on >= on)
        ),
        None,
    )


def waiting(session: Session, site_id: UUID, on: date) -> Waiting | None:
    """What forbids a harvest on that civil day, the longest wait of several; None when nothing does."""
    return trace.binds_longest(trace.waiting(session, [site_id]).get(site_id, []), on)


# --- what was written --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LogView:
    """One step as it stands after all corrections. `id` is the first row's, which never changes."""

    id: UUID
    organisation_id: UUID
    site_id: UUID
    site: str
    cycle_id: UUID | None
    kind: str
    step: Step
    happened_at: datetime
    day: date
    recorded_at: datetime
    performed_by: UUID | None
    performer: str | None
    writer: str
    written_for: bool
    witness: str
    witnessed_by: UUID | None
    material: str | None
    quantity: Decimal | None
    unit: str | None
    pre_harvest_days: int | None
    note: str | None
    photos: tuple[str, ...]
    corrected: bool
    withdrawn: bool
    time_doubtful: bool
    reason: str | None

    @property
    def harvest_from(self) -> date | None:
        """The first day on which one may harvest again."""
        return None if self.pre_harvest_days is None else self.day + timedelta(days=self.pre_harvest_days)


def recent(
    session: Session,
    house_id: UUID,
    *,
    site_id: UUID | None = None,
    most: int = 5,
    withdrawn: bool = True,
) -> list[LogView]:
    """The newest steps of the household, or of one of its sites, by the day they happened, each as it stands now."""
    # One of the two: asked for both, PostgreSQL takes them for independent and reads the household's to find the site's.
    whose = CareLog.organisation_id == house_id if site_id is None else CareLog.site_id == site_id
    query = (
        select(CareLog)
        .where(whose, trace.last_of_chain(None))
        .order_by(CareLog.happened_at.desc(), CareLog.position.desc())
        .limit(most)
    )
    if not withdrawn:
        query = query.where(CareLog.withdrawn.is_(False))
    return views(session, list(session.scalars(query)))


NEWEST_STEP = keyset.Order((CareLog.happened_at, datetime), (CareLog.position, int), newest_first=True)


def diary(session: Session, house_id: UUID, mark: str = "") -> tuple[list[LogView], Listed]:
    """A page of what was written in the household, the newest step first, each as it stands now. Raises BadAddress."""
    query = select(CareLog).where(CareLog.organisation_id == house_id, trace.last_of_chain(None))
    found = keyset.listed(session, query, NEWEST_STEP, mark)
    return views(session, [row.CareLog for row in found.rows]), found


def views(session: Session, rows: Sequence[CareLog]) -> list[LogView]:
    called = names(
        session,
        {p for r in rows for p in (r.performed_by, r.written_by)},
        house_ids={r.organisation_id for r in rows},
    )
    where = {s.id: s.name for s in session.scalars(select(Site).where(Site.id.in_({r.site_id for r in rows})))}
    return [_view(row, called, where) for row in rows]


_UNNAMED = {Witness.COOPERATIVE: "hợp tác xã", Witness.OFFICER: "cán bộ", Witness.CERTIFIER: "người chứng nhận"}


def _view(row: CareLog, called: dict[UUID, str], where: dict[UUID, str]) -> LogView:
    return LogView(
        id=row.corrects_id or row.id,
        organisation_id=row.organisation_id,
        site_id=row.site_id,
        site=where.get(row.site_id, ""),
        cycle_id=row.cycle_id,
        kind=row.kind,
        step=STEPS[row.kind],
        happened_at=row.happened_at,
        day=clock.local(row.happened_at).date(),
        recorded_at=row.recorded_at,
        performed_by=row.performed_by,
        performer=called.get(row.performed_by) if row.performed_by else None,
        writer=called.get(row.written_by) or _UNNAMED.get(Witness(row.witness), "người khác"),
        written_for=row.performed_by != row.written_by,
        witness=row.witness,
        witnessed_by=row.witnessed_by,
        material=row.material,
        quantity=pictures.plain(row.quantity) if row.quantity is not None else None,
        unit=row.unit,
        pre_harvest_days=row.pre_harvest_days,
        note=row.note,
        photos=tuple(row.photos),
        corrected=row.corrects_id is not None and not row.withdrawn,
        withdrawn=row.withdrawn,
        time_doubtful=row.time_doubtful,
        reason=row.reason,
    )


# --- what to say about this week ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hint:
    """What this week says about a site: wait, unknown_wait, harvest, late, quiet or done; only what the records hold."""

    kind: str
    day: date | None = None
    material: str | None = None
    crop: Words | None = None
    step: str | None = None
    days: int = 0
    count: int = 0


def hint(session: Session, at: House, here: FarmerSite) -> Hint | None:
    """Nothing is guessed: without a season or a step there is nothing to say."""
    now = clock.today()
    if here.waiting is not None and not here.waiting.known:
        return Hint("unknown_wait", day=here.waiting.applied_on)
    if here.waiting is not None:
        return Hint("wait", day=here.waiting.allowed_from, material=here.waiting.material)
    logs = recent(session, at.id, site_id=here.site.id, most=60, withdrawn=False)
    due = here.cycle.expected_harvest_on if here.cycle else None
    if here.cycle is not None and due is not None:
        harvested = any(log.kind in HARVESTS and log.day >= due - SOON for log in logs)
        step = "honey_extracting" if here.site.kind == SiteKind.APIARY else "harvesting"
        if not harvested and now - LATE <= due < now:
            return Hint("late", day=due, crop=here.cycle.crop, step=step)
        if not harvested and now <= due <= now + SOON:
            return Hint("harvest", day=due, crop=here.cycle.crop, step=step)
    this_week = sum(log.day > now - SOON for log in logs)
    if this_week:
        return Hint("done", count=this_week)
    return Hint("quiet", days=(now - logs[0].day).days) if logs else None

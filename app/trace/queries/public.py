"""What the public may see of a batch."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from app import clock
from app.accounts import queries as accounts
from app.accounts.models import Organisation
from app.accounts.queries import among
from app.db import Words
from app.errors import not_found
from app.places import queries as places
from app.products import queries as products
from app.products.models import Certificate, Variant
from app.products.queries import PublicCertificate, PublicProduct
from app.trace.models import Batch, BatchSource, CareLog, Cycle
from app.trace.queries.batches import BatchState, codes_of, standing
from app.trace.queries.chains import current, current_logs
from app.trace.queries.sites import village_of_sites


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
            current(None),
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

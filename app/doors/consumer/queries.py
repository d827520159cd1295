"""Everything that the public page of a batch says, composed of public fields only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, aliased

from app import clock
from app.accounts import queries as accounts
from app.accounts.models import Organisation
from app.actor import SYSTEM, Actor
from app.db import Words
from app.errors import not_found
from app.logs import scrub
from app.marketplace_sync import queries as marketplaces
from app.places import queries as places
from app.products import queries as products
from app.products.models import Certificate, Product, Scheme, Variant
from app.trace import queries as traces
from app.trace import steps
from app.trace.models import Batch, BatchSource, CareLog, CodeKind, Cycle, TraceCode, Witness
from app.trace.queries import DiaryLine

GAP_DAYS = 45  # our choice: so long without a written step is shown as a gap
WITHOUT_CYCLE_DAYS = 365  # steps on the same site that name no season count as this harvest's for so long
MOST_STEPS = 500
OLD_CERTIFICATES_DAYS = 365  # one that ended longer ago says nothing about what is sold now


@dataclass(frozen=True, slots=True)
class Line:
    """One step on the way, and who vouches for it.

    For a harvest, `last_treated` is the last day of a treatment on its site up to then, and `waited_days` the days since;
    where the days to wait after any of those treatments are unknown, `waited_days` is None. `wait_unknown`: such a treatment.
    `for_another`: whoever wrote it wrote down what somebody else did, and so confirms nothing.
    `outsider`: what the writer was (cooperative, officer) where they were none of the household's people; `own_work`: such a
    writer did it too, and so confirms nothing either, whatever witness was named.
    """

    day: date
    kind: str
    name: Words
    witness: str
    material: str | None = None
    quantity: Decimal | None = None
    unit: str | None = None
    wait_days: int | None = None
    waited_days: int | None = None
    last_treated: date | None = None
    photos: int = 0
    wait_unknown: bool = False
    for_another: bool = False
    outsider: str | None = None
    own_work: bool = False
    corrected: bool = False
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class Gap:
    """Days between two steps on which nobody wrote anything down."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class ShownCertificate:
    scheme: str
    stars: int | None
    issuer: str
    number: str
    scope: Words | None
    valid_from: date
    valid_to: date | None
    state: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where it can be bought, as last seen there."""

    floor: Words
    url: str
    price_dong: int | None
    seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class BatchPage:
    """The public page's content. `next_change_at` is when time alone will change it."""

    code: str
    kind: str
    gtin: str | None
    lot: str
    state: str
    state_reason: Words | None
    state_day: date | None
    product: Words
    variant: Words | None
    photo: str | None
    producer: str
    producer_address: str
    growers: tuple[str, ...]
    villages: tuple[str, ...]
    harvested_on: date
    harvest_days: tuple[date, ...]
    made_on: date
    expires_on: date | None
    expired: bool
    quantity: Decimal
    unit: str
    certificates: tuple[ShownCertificate, ...]
    way: tuple[Line | Gap, ...]
    shops: tuple[Place, ...]
    next_change_at: datetime | None

    @property
    def lines(self) -> list[Line]:
        return [w for w in self.way if isinstance(w, Line)]

    @property
    def gaps(self) -> list[Gap]:
        return [w for w in self.way if isinstance(w, Gap)]

    @property
    def confirmed(self) -> int:
        """Steps that a person who is not of the household vouches for, and did not write down in the household's place."""
        return sum(
            line.witness not in {Witness.FARMER, Witness.MACHINE} and not line.for_another and not line.own_work
            for line in self.lines
        )

    @property
    def written_for_another(self) -> int:
        return sum(line.for_another for line in self.lines)

    @property
    def valid_certificates(self) -> list[ShownCertificate]:
        return [c for c in self.certificates if c.state == "valid"]

    @property
    def standards(self) -> list[ShownCertificate]:
        """What was certified to a standard of growing or making; the stars of OCOP are a rank, no standard."""
        return [c for c in self.valid_certificates if c.scheme != Scheme.OCOP]


def code_exists(session: Session, code: str) -> bool:
    return session.scalar(select(func.count()).where(TraceCode.code == code)) == 1


def batch_page(session: Session, code: str) -> BatchPage:
    """Needs a session of SYSTEM: it reads across organisations, and gives out named public fields only. Raises NotFound."""
    row = session.execute(
        select(TraceCode, Batch, Product, Variant, Organisation)
        .join(Batch, Batch.id == TraceCode.batch_id)
        .join(Product, Product.id == Batch.product_id)
        .outerjoin(Variant, Variant.id == Batch.variant_id)
        .join(Organisation, Organisation.id == Batch.organisation_id)
        .where(TraceCode.code == code)
    ).one_or_none()
    if row is None:
        raise not_found("mã này", "this code")
    label, batch, product, variant, holder = row
    today, now = clock.today(), clock.now()
    sources = _sources(session, batch.id)
    way = _way(session, sources, batch)
    harvested_on = traces.harvest_day(batch, sources)
    villages = _villages(session, sources, batch, harvested_on)
    seats = [p for p in (holder.village_id or holder.commune_id,) if p is not None]
    names = places.full_names(session, {*villages, *seats})
    growers = accounts.organisation_names(session, {s.organisation_id for s in sources} - {holder.id})
    certificates, certificate_changes = _certificates(session, batch, today)
    shops, shop_changes = _shops(session, product.id, today, now)
    standing = traces.standing(session, batch.id)
    event = standing.event
    changes = [*certificate_changes, *shop_changes]
    if batch.expires_on is not None:
        changes.append(clock.start_of_day(batch.expires_on + timedelta(days=1)))
    return BatchPage(
        code=label.code,
        kind=label.kind,
        gtin=label.gtin,
        lot=batch.lot,
        state=standing.state,
        state_reason=traces.public_reason(event),
        state_day=clock.local(event.at).date() if event is not None else None,
        product=_covered(product.name),
        variant=_covered(variant.name) if variant is not None else None,
        photo=product.photo_sha256,
        producer=_said(holder.name),
        producer_address=", ".join(names[s] for s in seats if s in names),
        growers=tuple(sorted(map(_said, growers.values()))),
        villages=tuple(sorted(names[v] for v in villages if v in names)),
        harvested_on=harvested_on,
        harvest_days=tuple(sorted({clock.local(s.happened_at).date() for s in sources if s.kind in steps.HARVESTS}))
        or (harvested_on,),
        made_on=batch.made_on,
        expires_on=batch.expires_on,
        expired=batch.expires_on is not None and batch.expires_on < today,
        quantity=batch.quantity,
        unit=batch.unit,
        certificates=certificates,
        way=tuple(way),
        shops=shops,
        next_change_at=min((c for c in changes if c > now), default=None),
    )


def _said(text: str) -> str:
    """What somebody typed, without what looks like a person's number: every free text of the page goes through here."""
    return str(scrub(text))


def _covered(words: Words) -> Words:
    return Words.model_validate(scrub(words.model_dump()))


def _sources(session: Session, batch_id: UUID) -> list[CareLog]:
    """The harvests that went in, as they stand after corrections."""
    roots = session.scalars(select(BatchSource.care_log_id).where(BatchSource.batch_id == batch_id)).all()
    return [log for log in traces.current_logs(session, roots).values() if not log.withdrawn]


def _way(session: Session, sources: Sequence[CareLog], batch: Batch) -> list[Line | Gap]:
    """Every step of the seasons that the harvests belong to, newest first, with the gaps between them."""
    if not sources:
        return []
    last = max(clock.local(s.happened_at).date() for s in sources)
    until = clock.start_of_day(max(batch.made_on, last) + timedelta(days=1))
    used = {traces.root_id(s) for s in sources}
    kept = [
        line
        for line in _season(session, sources, last)
        if line.log.happened_at < until and (line.log.kind not in steps.HARVESTS or line.id in used)
    ]
    kept.sort(key=lambda line: (line.log.happened_at, line.log.position))
    logs = [line.log for line in kept]
    outsiders = traces.written_from_outside(session, logs)
    lines = [_line(line.log, logs, outsiders.get(line.log.id), corrected=line.corrected > 0) for line in kept]
    way: list[Line | Gap] = []
    for index, line in enumerate(lines):
        if index and (line.day - lines[index - 1].day).days > GAP_DAYS:
            way.append(Gap(lines[index - 1].day + timedelta(days=1), line.day - timedelta(days=1)))
        way.append(line)
    return way[::-1]


def _season(session: Session, sources: Sequence[CareLog], last: date) -> list[DiaryLine]:
    """The steps of the harvested seasons; where a harvest names none, those of its site that name none either.

    Days to wait bind the site, so a treatment of it within that time is shown also when it names another season or none.
    """
    found: dict[UUID, DiaryLine] = {}
    starts: list[date] = []
    for cycle_id in {s.cycle_id for s in sources if s.cycle_id is not None}:
        found.update((line.id, line) for line in traces.care_logs_of_cycle(session, SYSTEM, cycle_id))
        starts.append(session.get_one(Cycle, cycle_id).started_on)
    first = last - timedelta(days=WITHOUT_CYCLE_DAYS)
    for site_id in {s.site_id for s in sources if s.cycle_id is None}:
        rows, _ = traces.diary_of_site(session, SYSTEM, site_id, first=first, last=last, per_page=MOST_STEPS)
        found.update((line.id, line) for line in rows if line.log.cycle_id is None)
    waits = traces.waiting(session, {s.site_id for s in sources}, min(starts, default=first))
    others = {w.care_log_id for of_site in waits.values() for w in of_site if w.applied_on <= last} - found.keys()
    if others:
        found.update(
            (root, DiaryLine(root, log, int(log.corrects_id is not None)))
            for root, log in traces.current_logs(session, others).items()
        )
    return list(found.values())


def _line(log: CareLog, others: Sequence[CareLog], outsider: Witness | None, *, corrected: bool) -> Line:
    step = steps.STEPS[log.kind]
    day = clock.local(log.happened_at).date()
    treated = [
        wait
        for o in others
        if (o.pre_harvest_days is not None or o.kind in steps.TREATMENTS)
        and o.site_id == log.site_id
        # The hour is often guessed, so the day decides.
        and (wait := traces.waiting_after(o)).applied_on <= day
    ]
    last_treated = max((w.applied_on for w in treated), default=None) if step.harvest else None
    return Line(
        day=day,
        kind=log.kind,
        name=Words(vi=step.vi, en=step.en),
        witness=log.witness,
        material=_said(log.material) if log.material else None,
        quantity=log.quantity,
        unit=log.unit,
        wait_days=log.pre_harvest_days,
        waited_days=(day - last_treated).days if last_treated and all(w.known for w in treated) else None,
        last_treated=last_treated,
        wait_unknown=not traces.waiting_after(log).known,
        photos=len(log.photos),
        # Done by somebody without a name here: then it was another's work when its writer is also its witness.
        for_another=log.written_by == log.witnessed_by
        if log.performed_by is None
        else log.written_by != log.performed_by,
        outsider=outsider,
        own_work=outsider is not None and log.performed_by == log.written_by,
        corrected=corrected,
        doubtful=log.time_doubtful,
    )


def _villages(session: Session, sources: Sequence[CareLog], batch: Batch, harvested_on: date) -> set[UUID]:
    """Where the harvests grew; a batch without a site there, where the product is said to be made."""
    found = traces.village_of_sites(session, {s.site_id for s in sources}, harvested_on)
    if found:
        return set(found.values())
    return set(products.villages_of(session, [batch.product_id], harvested_on).get(batch.product_id, []))


def _certificates(session: Session, batch: Batch, today: date) -> tuple[tuple[ShownCertificate, ...], list[datetime]]:
    later = aliased(Certificate)
    rows = session.scalars(
        select(Certificate)
        .outerjoin(later, later.supersedes_id == Certificate.id)
        .where(
            later.id.is_(None),
            Certificate.organisation_id == batch.organisation_id,
            or_(Certificate.product_id == batch.product_id, Certificate.product_id.is_(None)),
        )
    )
    shown: list[ShownCertificate] = []
    changes: list[datetime] = []
    for row in rows:
        ends = products.last_day(row)
        days = (row.valid_from, *(() if ends is None else (ends + timedelta(days=1),)))
        changes.extend(clock.start_of_day(day) for day in days)
        if ends is not None:
            changes.append(clock.start_of_day(ends + timedelta(days=OLD_CERTIFICATES_DAYS + 1)))
        state = str(products.state_on(row, today))
        state = "valid" if state == "expiring" else state  # a warning for the holder, no news for a buyer
        too_old = ends is not None and (today - ends).days > OLD_CERTIFICATES_DAYS
        if row.valid_from <= today and not too_old:
            shown.append(
                ShownCertificate(
                    row.scheme,
                    row.stars,
                    _said(row.issuer),
                    row.decision_number,
                    _covered(row.scope) if row.scope is not None else None,
                    row.valid_from,
                    row.valid_to,
                    state,
                )
            )
    shown.sort(key=lambda c: (c.state != "valid", c.scheme != Scheme.OCOP, -(c.stars or 0), c.number))
    return tuple(shown), changes


def _shops(session: Session, product_id: UUID, today: date, now: datetime) -> tuple[tuple[Place, ...], list[datetime]]:
    evidence = marketplaces.live_evidence(session, [product_id], as_of=today, known_at=now).get(product_id, [])
    # The address is the shop's word: only one that a browser opens as a page becomes a link.
    live = [e for e in evidence if e.state == "live" and (e.url or "").startswith(("https://", "http://"))]
    shops = tuple(Place(e.floor_name, e.url or "", e.price_dong, e.seen_at) for e in live)
    return shops, [e.expires_at for e in live if e.expires_at is not None]


# --- labels ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LabelOf:
    """What a label of a batch needs."""

    batch_id: UUID
    code: str
    kind: str
    gtin: str | None
    lot: str
    product: str


def label_of(session: Session, actor: Actor, batch_id: UUID, kind: CodeKind) -> LabelOf:
    """The code of one of the actor's own batches. Raises NotFound, also when no code of that kind was issued."""
    row = session.execute(
        select(TraceCode, Batch, Product, Variant)
        .join(Batch, Batch.id == TraceCode.batch_id)
        .join(Product, Product.id == Batch.product_id)
        .outerjoin(Variant, Variant.id == Batch.variant_id)
        .where(Batch.id == batch_id, TraceCode.kind == kind, TraceCode.organisation_id.in_(sorted(actor.organisations)))
    ).one_or_none()
    if row is None:
        raise not_found("mã của lô này", "a code of this batch")
    code, batch, product, variant = row
    names = [product.name.vi, *([variant.name.vi] if variant is not None else [])]
    return LabelOf(batch.id, code.code, code.kind, code.gtin, batch.lot, _said(", ".join(names)))

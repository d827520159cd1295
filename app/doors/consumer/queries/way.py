"""The way from field to pack: the steps that were written down, the gaps between them, and where they were done."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import clock
from app.accounts.queries import among
from app.db import Words
from app.doors.consumer.queries.public_texts import said
from app.products import queries as products
from app.trace import queries as traces
from app.trace import steps
from app.trace.models import Batch, BatchSource, CareLog, Cycle, Witness
from app.trace.queries import DiaryLine, Waiting

GAP_DAYS = 45  # our choice: so long without a written step is shown as a gap
WITHOUT_CYCLE_DAYS = 365  # steps on the same site that name no season count as this harvest's for so long
MOST_STEPS = 500


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


def harvests_of(session: Session, batch_id: UUID) -> list[CareLog]:
    """The harvests that went in, as they stand after corrections."""
    roots = session.scalars(select(BatchSource.care_log_id).where(BatchSource.batch_id == batch_id)).all()
    return [log for log in traces.current_logs(session, roots).values() if not log.withdrawn]


def way_of(session: Session, sources: Sequence[CareLog], batch: Batch) -> list[Line | Gap]:
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
    outsiders = traces.written_from_outside(session, [line.log for line in kept])
    waits: dict[UUID, list[Waiting]] = defaultdict(list)
    for log in (line.log for line in kept):
        if log.pre_harvest_days is not None or log.kind in steps.TREATMENTS:
            waits[log.site_id].append(traces.waiting_after(log))
    lines = [_line(k.log, waits[k.log.site_id], outsiders.get(k.log.id), corrected=k.corrected > 0) for k in kept]
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
    first = begun = last - timedelta(days=WITHOUT_CYCLE_DAYS)
    if seasons := {s.cycle_id for s in sources if s.cycle_id is not None}:
        found.update((line.id, line) for line in traces.steps_of_cycles(session, seasons))
        begun = session.execute(select(func.min(Cycle.started_on)).where(among(Cycle.id, seasons))).scalar_one()
    if without := {s.site_id for s in sources if s.cycle_id is None}:
        lines = traces.steps_of_no_cycle(session, without, first, last, MOST_STEPS)
        found.update((line.id, line) for line in lines)
    waits = traces.waiting(session, {s.site_id for s in sources}, begun)
    others = {w.care_log_id for of_site in waits.values() for w in of_site if w.applied_on <= last} - found.keys()
    if others:
        found.update(
            (root, DiaryLine(root, log, int(log.corrects_id is not None)))
            for root, log in traces.current_logs(session, others).items()
        )
    return list(found.values())


def _line(log: CareLog, waits: Sequence[Waiting], outsider: Witness | None, *, corrected: bool) -> Line:
    """`waits`: the treatments of this step's site."""
    step = steps.STEPS[log.kind]
    day = clock.local(log.happened_at).date()
    treated = [w for w in waits if w.applied_on <= day]  # the hour is often guessed, so the day decides
    last_treated = max((w.applied_on for w in treated), default=None) if step.harvest else None
    return Line(
        day=day,
        kind=log.kind,
        name=Words.of(step.name),
        witness=log.witness,
        material=said(log.material) if log.material else None,
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


def villages_of(session: Session, sources: Sequence[CareLog], batch: Batch, harvested_on: date) -> set[UUID]:
    """Where the harvests grew; a batch without a site there, where the product is said to be made."""
    found = traces.village_of_sites(session, {s.site_id for s in sources}, harvested_on)
    if found:
        return set(found.values())
    return set(products.villages_of(session, [batch.product_id], harvested_on).get(batch.product_id, []))

"""Villages to derive, as a set: reactions mark them, and what is marked is derived together, in small transactions.

A mark carries when it was first set and how often since: a mark of the same village that was taken away and set anew is
another one. Who derives holds an advisory lock for each village, derives, and takes away the mark
only as it was read: one that was set again meanwhile stays, and so does the mark of somebody who has not committed yet.
A process that dies loses its transaction and with it the locks; its marks stand.
"""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app import clock, outbox
from app.accounts.events import OrganisationChanged
from app.actor import SYSTEM, Actor
from app.criteria import queries
from app.criteria.assessments import derive
from app.criteria.events import ParameterChosen, VillageFactRecorded, VillagesMarked
from app.db import Database
from app.marketplace_sync.events import DeclaredConfirmed, FloorListChanged, ListingObserved
from app.places import queries as places
from app.places.events import PremisesChanged, VillagesImported
from app.products import queries as products
from app.products.events import CertificateLapsed, CertificateRecorded, ProductChanged, ProductRetired
from app.trace import queries as trace
from app.trace.events import CareLogCorrected, CareLogRecorded, SiteChanged

MOST_TOGETHER = 200
log = structlog.get_logger()


# --- marks -------------------------------------------------------------------------------------------------------


def mark(
    session: Session,
    actor: Actor,
    village_ids: Collection[UUID],
    *,
    awaited: bool = True,
    pack_id: str = queries.SMART_VILLAGE,
) -> None:
    """Have these villages derived soon; `awaited`: somebody just did something and will look, so before all others.

    In the transaction of a change make it the last thing: whoever marks the same village waits for the commit.
    """
    if not village_ids:
        return
    asked = {"villages": sorted(village_ids), "pack": pack_id, "now": clock.machine_now(), "awaited": awaited}
    session.execute(_MARK, asked)
    outbox.publish(session, actor, VillagesMarked(awaited=awaited))


# In the order of ids, so that two that mark the same villages wait for each other instead of blocking each other.
_MARK = text(
    "INSERT INTO villages_to_derive AS v (village_id, pack_id, asked_at, awaited, times)"
    " SELECT id, :pack, :now, :awaited, 1 FROM unnest(CAST(:villages AS uuid[])) AS id ORDER BY id"
    " ON CONFLICT (village_id, pack_id)"
    " DO UPDATE SET times = v.times + 1, awaited = v.awaited OR EXCLUDED.awaited"
)


@dataclass(frozen=True, slots=True)
class _Mark:
    village_id: UUID
    pack_id: str
    times: int
    asked_at: datetime
    awaited: bool


def _take(session: Session, passed_over: Collection[_Mark], batch: int, *, awaited: bool) -> list[_Mark]:
    """Marks that nobody else works on, those awaited first, each locked until the transaction ends."""
    rows = session.execute(_TAKE, _columns(passed_over) | {"awaited": awaited, "batch": batch})
    return [_Mark(*row) for row in rows]


# The locks are tried row by row in the order given and no further than the limit: MATERIALIZED keeps the two apart.
_TAKE = text(
    "WITH first AS MATERIALIZED (SELECT village_id, pack_id, times, asked_at, awaited FROM villages_to_derive v"
    " WHERE (v.awaited OR NOT :awaited) AND NOT EXISTS (SELECT FROM"
    " unnest(CAST(:villages AS uuid[]), CAST(:packs AS text[]), CAST(:times AS integer[]), CAST(:asked AS timestamptz[]))"
    " AS p (village_id, pack_id, times, asked_at)"
    " WHERE p.village_id = v.village_id AND p.pack_id = v.pack_id AND p.times = v.times AND p.asked_at = v.asked_at)"
    " ORDER BY v.awaited DESC, v.asked_at, v.village_id)"
    " SELECT village_id, pack_id, times, asked_at, awaited FROM first"
    " WHERE pg_try_advisory_xact_lock(hashtextextended('derive ' || village_id || pack_id, 0)) LIMIT :batch"
)


def _settle(session: Session, taken: Collection[_Mark]) -> set[tuple[UUID, str]]:
    """Take away the marks as they were read, and return them. Waits for nobody: a mark that is being set stays."""
    rows = session.execute(_SETTLE, _columns(taken))
    return {(row.village_id, row.pack_id) for row in rows}


_SETTLE = text(
    "WITH mine AS (SELECT v.village_id, v.pack_id FROM villages_to_derive v"
    " JOIN unnest(CAST(:villages AS uuid[]), CAST(:packs AS text[]), CAST(:times AS integer[]), CAST(:asked AS timestamptz[]))"
    " AS t (village_id, pack_id, times, asked_at) ON t.village_id = v.village_id AND t.pack_id = v.pack_id"
    " AND t.times = v.times AND t.asked_at = v.asked_at"
    " FOR UPDATE OF v SKIP LOCKED)"
    " DELETE FROM villages_to_derive v USING mine WHERE v.village_id = mine.village_id AND v.pack_id = mine.pack_id"
    " RETURNING v.village_id, v.pack_id"
)


def _columns(marks: Collection[_Mark]) -> dict[str, list[object]]:
    return {
        "villages": [m.village_id for m in marks],
        "packs": [m.pack_id for m in marks],
        "times": [m.times for m in marks],
        "asked": [m.asked_at for m in marks],
    }


# --- deriving what is marked -------------------------------------------------------------------------------------


@dataclass(slots=True)
class Drained:
    """What a drain did. `more`: its time was over before its work. `passed_over`: marks that it leaves to others."""

    changed: int = 0
    derived: int = 0
    more: bool = False
    passed_over: list[_Mark] = field(default_factory=list)


def drain(
    database: Database, *, awaited: bool = False, batch: int = MOST_TOGETHER, seconds: float | None = None
) -> Drained:
    """Derive what is marked, up to `batch` villages in a transaction, until nothing is left or `seconds` are over.

    `awaited`: only what somebody waits for. Several at once share the work. A village that cannot be derived keeps its
    mark and stops no other; what went wrong is raised at the end.
    """
    done = Drained()
    failed: list[Exception] = []
    until = None if seconds is None else time.monotonic() + seconds
    while True:
        try:
            taken = _derive_some(database, done, min(batch, MOST_TOGETHER), awaited=awaited)
        except Exception as error:
            if isinstance(error, DBAPIError) and error.connection_invalidated:
                raise
            log.warning("villages are derived one by one", error=type(error).__name__)
            taken = _derive_each(database, done, failed, min(batch, MOST_TOGETHER), awaited=awaited)
        if not taken:
            break
        if until is not None and time.monotonic() >= until:
            done.more = True
            break
    if failed:
        raise ExceptionGroup("villages that cannot be derived", failed)
    return done


def _derive_some(database: Database, done: Drained, batch: int, *, awaited: bool) -> int:
    with database.transaction(SYSTEM) as session:
        taken = _take(session, done.passed_over, batch, awaited=awaited)
        changed = sum(_derive(session, [m for m in taken if m.pack_id == pack], pack) for pack in _packs(taken))
        settled = _settle(session, taken)
    done.changed += changed
    done.derived += len(taken)
    # Set again by somebody who commits later: their own event has it derived then. If they have, the number differs.
    done.passed_over += [m for m in taken if (m.village_id, m.pack_id) not in settled]
    return len(taken)


def _derive_each(database: Database, done: Drained, failed: list[Exception], most: int, *, awaited: bool) -> int:
    """One village in each transaction, so that the one that fails is found and passed over."""
    for number in range(most):
        mark_: _Mark | None = None
        try:
            with database.transaction(SYSTEM) as session:
                taken = _take(session, done.passed_over, 1, awaited=awaited)
                if not taken:
                    return number
                mark_ = taken[0]
                changed = _derive(session, taken, mark_.pack_id)
                settled = _settle(session, taken)
        except Exception as error:
            if mark_ is None or (isinstance(error, DBAPIError) and error.connection_invalidated):
                raise
            failed.append(error)
            done.passed_over.append(mark_)
            _wait_no_longer(database, mark_)
            continue
        done.changed += changed
        done.derived += 1
        if not settled:
            done.passed_over.append(mark_)
    return most


def _wait_no_longer(database: Database, failing: _Mark) -> None:
    """Who follows people's steps meets this village once; after that only the chore in bulk tries it, and says so."""
    with database.transaction(SYSTEM) as session:
        session.execute(
            text("UPDATE villages_to_derive SET awaited = false WHERE village_id = :village AND pack_id = :pack"),
            {"village": failing.village_id, "pack": failing.pack_id},
        )


def _derive(session: Session, marks: Sequence[_Mark], pack_id: str) -> int:
    return derive(
        session,
        SYSTEM,
        [m.village_id for m in marks],
        pack_id,
        awaited={m.village_id for m in marks if m.awaited},
    )


def _packs(marks: Collection[_Mark]) -> list[str]:
    return sorted({m.pack_id for m in marks})


# --- reactions ---------------------------------------------------------------------------------------------------


def derive_of_fact(session: Session, actor: Actor, event: VillageFactRecorded | PremisesChanged) -> None:
    mark(session, actor, [event.village_id])


def derive_of_product(
    session: Session, actor: Actor, event: ProductChanged | ProductRetired | DeclaredConfirmed
) -> None:
    mark(session, actor, queries.villages_of_products(session, [event.product_id]))


def derive_of_listings(session: Session, actor: Actor, events: Sequence[ListingObserved]) -> None:
    """What shops answered: there are many at once, and nobody waits for one of them."""
    seen = {event.product_id for event in events}
    mark(session, actor, queries.villages_of_products(session, seen), awaited=False)


def derive_of_certificate(session: Session, actor: Actor, event: CertificateRecorded | CertificateLapsed) -> None:
    affected = (
        [event.product_id]
        if event.product_id is not None
        else products.ids_of_organisation(session, [event.organisation_id])
    )
    mark(session, actor, queries.villages_of_products(session, affected))


def derive_of_organisation(session: Session, actor: Actor, event: OrganisationChanged) -> None:
    """Its name stands in the answers that speak of its products. A seat is only ever added, so no village was left."""
    affected = products.ids_of_organisation(session, [event.organisation_id])
    if affected:
        mark(session, actor, queries.villages_of_products(session, affected), awaited=False)


def derive_of_diary(
    session: Session, actor: Actor, events: Sequence[CareLogRecorded | CareLogCorrected | SiteChanged]
) -> None:
    """Only where the diary is asked for: everywhere else a step changes no answer, and steps are many."""
    villages = trace.villages_of_sites(session, {event.site_id for event in events})
    mark(session, actor, queries.villages_with_agriculture(session, villages))


def mark_selling(session: Session, actor: Actor, _event: FloorListChanged) -> None:
    """Every village that has OCOP products: the list of floors that count changed."""
    mark(session, actor, queries.villages_with_products(session), awaited=False)


def mark_all(session: Session, actor: Actor, _event: ParameterChosen | VillagesImported | None = None) -> int:
    """Every village of today: a choice of the province, or new villages, may change any answer. Returns how many."""
    everything = [v.id for v in places.all_villages(session, clock.today())]
    mark(session, actor, everything, awaited=False)
    return len(everything)


def mark_due(session: Session, actor: Actor) -> int:
    """The villages whose answer time alone may have changed since it was last confirmed. Returns how many."""
    due = queries.due(session, clock.now())
    mark(session, actor, due, awaited=False)
    return len(due)


def rebuild(database: Database, *, batch: int = MOST_TOGETHER) -> Drained:
    """Derive every village of today, now; a worker that runs helps. Killed, it goes on where it was, here or in a worker.

    The projection can always be rebuilt from the records.
    """
    with database.transaction(SYSTEM) as session:
        mark_all(session, SYSTEM)
    return drain(database, batch=batch)

"""Facts that people recorded of villages: what stands on a day, and everything that was ever written."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from typing import TypedDict
from uuid import UUID

from sqlalchemy import Select, cast, exists, func, literal, or_, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from app import clock
from app.accounts.queries import among
from app.actor import Actor, Right
from app.criteria.models import VillageFact
from app.criteria.queries.villages import require_village
from app.criteria.schemas import Kind
from app.db import keyset


class When(TypedDict):
    """On which civil date, as known at which moment."""

    as_of: date
    known_at: datetime


def points_to_file(session: Session, actor: Actor, digest: str) -> bool:
    """Whether the file is evidence of a village that this official answers for."""
    overseen = actor.places_where(Right.OVERSEE)
    if not overseen:
        return False
    has = VillageFact.evidence.op("@>")(cast(literal([digest], JSONB), JSONB))
    return bool(session.scalar(select(exists().where(has, among(VillageFact.village_id, overseen)))))


def standing_facts(
    session: Session, village_ids: Iterable[UUID], *, as_of: date, known_at: datetime, kinds: Sequence[str] = ()
) -> dict[UUID, list[VillageFact]]:
    """The rows that stand: observed by `as_of`, recorded by `known_at`, not superseded by then, not taken back."""
    query = _standing(list(village_ids), as_of, known_at, kinds)
    query = query.order_by(VillageFact.observed_on.desc(), VillageFact.recorded_at.desc())
    found: dict[UUID, list[VillageFact]] = defaultdict(list)
    for row in session.scalars(query):
        found[row.village_id].append(row)
    return found


LAST_SEEN = keyset.Order(
    (VillageFact.observed_on, date), (VillageFact.recorded_at, datetime), (VillageFact.id, UUID), newest_first=True
)


def standing_page(
    session: Session, village_id: UUID, kind: Kind, *, on: date, mark: str = "", without: str = ""
) -> keyset.Paged[VillageFact]:
    """A page of the entries of a register that stand on a day, the last observed first; `without`: only those in whose value
    this field is empty. Raises BadAddress for a mark that is none.
    """
    query = _standing([village_id], on, clock.now(), [kind])
    if without:
        query = query.where(func.coalesce(VillageFact.value[without].astext, "") == "")
    return keyset.paged(session, query, LAST_SEEN, mark)


def _standing(
    village_ids: Collection[UUID], as_of: date, known_at: datetime, kinds: Collection[str] = ()
) -> Select[VillageFact]:
    query = select(VillageFact).where(
        VillageFact.village_id.in_(village_ids),
        VillageFact.observed_on <= as_of,
        VillageFact.recorded_at <= known_at,
        VillageFact.withdrawn.is_(False),
        or_(
            VillageFact.superseded_at.is_(None),
            VillageFact.superseded_at > known_at,
            VillageFact.superseded_on > as_of,
        ),
    )
    return query.where(VillageFact.kind.in_(kinds)) if kinds else query


NEWEST = keyset.Order((VillageFact.recorded_at, datetime), (VillageFact.id, UUID), newest_first=True)


def fact_history(
    session: Session,
    actor: Actor,
    village_id: UUID,
    kinds: Sequence[str],
    *,
    as_of: date | None = None,
    known_at: datetime | None = None,
    mark: str = "",
) -> keyset.Paged[VillageFact]:
    """A page of the rows of these kinds, the newest first, up to a day and a state of knowledge; nothing is ever edited.

    Raises BadAddress for a mark that is none.
    """
    require_village(actor, village_id)
    query = select(VillageFact).where(VillageFact.village_id == village_id, VillageFact.kind.in_(kinds))
    if as_of is not None:
        query = query.where(VillageFact.observed_on <= as_of)
    if known_at is not None:
        query = query.where(VillageFact.recorded_at <= known_at)
    return keyset.paged(session, query, NEWEST, mark)


def newest_fact_at(session: Session, village_id: UUID) -> datetime | None:
    """When somebody last recorded anything of the village."""
    return session.scalar(select(func.max(VillageFact.recorded_at)).where(VillageFact.village_id == village_id))


def superseded_ids(
    session: Session, fact_ids: Iterable[UUID], *, as_of: date | None = None, known_at: datetime | None = None
) -> set[UUID]:
    """Those of the rows that a later one corrects, as it was on the day and as it was known."""
    query = select(VillageFact.supersedes_id).where(VillageFact.supersedes_id.in_(list(fact_ids)))
    if as_of is not None:
        query = query.where(VillageFact.observed_on <= as_of)
    if known_at is not None:
        query = query.where(VillageFact.recorded_at <= known_at)
    return {i for i in session.scalars(query) if i is not None}


def evidence_of(session: Session, village_id: UUID, kind: str, subject: UUID) -> set[str]:
    """Every piece of evidence that was ever given for one thing."""
    rows = session.scalars(
        select(VillageFact.evidence).where(
            VillageFact.village_id == village_id, VillageFact.kind == kind, VillageFact.subject == subject
        )
    )
    return {str(one) for row in rows for one in row}


def villages_with_agriculture(session: Session, village_ids: Collection[UUID]) -> set[UUID]:
    """Those of the villages that ever recorded a smart agriculture model: only there the diary counts."""
    return set(
        session.scalars(
            select(VillageFact.village_id).where(
                among(VillageFact.village_id, village_ids),
                VillageFact.kind == "model",
                VillageFact.value["field"].astext == "smart_agriculture",
            )
        )
    )

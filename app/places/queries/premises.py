"""The premises of villages: households, offices, culture houses."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, func, literal, select
from sqlalchemy.orm import Session, aliased

from app.db import fold, keyset
from app.places.models import Premises
from app.places.queries.dates import then_in_force


def premises_of(session: Session, village_id: UUID, on: date, known_at: datetime | None = None) -> list[Premises]:
    """The premises of a village on a date, as we knew them at `known_at` (aware; None: now)."""
    return list(
        session.scalars(
            select(Premises)
            .where(Premises.village_id == village_id, then_in_force(Premises, on, known_at))
            .order_by(Premises.kind, Premises.label_folded, Premises.id)
        )
    )


IN_ORDER = keyset.Order((Premises.kind, str), (Premises.label_folded, str), (Premises.id, UUID))


def premises_page(
    session: Session, village_id: UUID, on: date, *, kinds: Collection[str] = (), search: str = "", mark: str = ""
) -> keyset.Paged[Premises]:
    """A page of `premises_of`, of these kinds (none: of any), whose label has this part. Raises BadAddress for a mark that is none."""
    query = select(Premises).where(Premises.village_id == village_id, then_in_force(Premises, on, None))
    if kinds:
        query = query.where(Premises.kind.in_(kinds))
    if search.strip():
        query = query.where(Premises.label_folded.contains(fold(search.strip()), autoescape=True))
    return keyset.paged(session, query, IN_ORDER, mark)


def premises_counts(
    session: Session, village_ids: Collection[UUID], on: date, known_at: datetime | None = None
) -> dict[UUID, dict[str, int]]:
    """Village id to kind to number. Nothing recorded is missing from the answer, not zero."""
    found: dict[UUID, dict[str, int]] = defaultdict(dict)
    if not village_ids:
        return found
    for village_id, kind, count in session.execute(
        select(Premises.village_id, Premises.kind, func.count())
        .where(Premises.village_id.in_(set(village_ids)), then_in_force(Premises, on, known_at))
        .group_by(Premises.village_id, Premises.kind)
    ):
        found[village_id][kind] = count
    return found


def premises_keys(session: Session, village_ids: Sequence[UUID]) -> dict[tuple[UUID, str, str], str]:
    """(village, kind, what makes the label the same) of every premises without an end, to its label."""
    other = aliased(Premises)
    rows = session.execute(
        select(other.village_id, other.kind, other.label_key, other.label)
        .where(other.village_id.in_(set(village_ids)), other.valid_to.is_(None))
        .order_by(other.label, other.id)
    )
    return {(village, kind, key): label for village, kind, key, label in rows}


def premises_of_villages(
    session: Session, village_ids: Collection[UUID], on: date, known_at: datetime | None = None
) -> dict[UUID, list[Premises]]:
    """`premises_of` for many villages in one statement; a village without any is missing."""
    found: dict[UUID, list[Premises]] = defaultdict(list)
    if village_ids:
        for one in session.scalars(
            select(Premises)
            .where(
                Premises.village_id == any_(literal(sorted(village_ids), ARRAY(Uuid()))),
                then_in_force(Premises, on, known_at),
            )
            .order_by(Premises.village_id, Premises.kind, Premises.label_folded, Premises.id)
        ):
            found[one.village_id].append(one)
    return found


def premises_labels(session: Session, village_id: UUID) -> dict[str, str]:
    """Id, as text, of every premises the village ever had to its label."""
    rows = session.execute(select(Premises.id, Premises.label).where(Premises.village_id == village_id))
    return {str(key): label for key, label in rows}

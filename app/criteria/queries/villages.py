"""Villages as the criteria ask about them: whose each is, its households, its attributes."""

from collections.abc import Collection
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.accounts.models import Organisation, OrganisationKind
from app.accounts.queries import among
from app.actor import Actor, Right
from app.db import numbered
from app.errors import not_found
from app.messages import N_
from app.places.models import Place, PlaceAttribute


def require_village(actor: Actor, village_id: UUID) -> None:
    """Raises NotFound unless the actor answers for this village."""
    if not actor.may_at(Right.OVERSEE, village_id):
        raise not_found(N_("thôn này"))


def households_of(session: Session, village_ids: Collection[UUID]) -> dict[UUID, str]:
    """Households that have a diary account in these villages, with their labels."""
    rows = session.execute(
        select(Organisation.id, Organisation.name)
        .where(Organisation.kind == OrganisationKind.HOUSEHOLD, among(Organisation.village_id, village_ids))
        .order_by(numbered(Organisation.name_folded), Organisation.id)
    )
    return dict(rows.all())


def attributes(
    session: Session, village_ids: Collection[UUID], keys: Collection[str], *, as_of: date, known_at: datetime
) -> dict[UUID, dict[str, str]]:
    """Village id to its attributes on the date: its own, else its commune's."""
    found: dict[UUID, dict[str, str]] = {village: {} for village in village_ids}
    if not keys:
        return found
    own = PlaceAttribute.place_id == Place.id
    rows = session.execute(
        select(Place.id, PlaceAttribute.key, PlaceAttribute.value)
        .join(PlaceAttribute, or_(own, PlaceAttribute.place_id == Place.parent_id))
        .where(
            among(Place.id, village_ids),
            PlaceAttribute.key.in_(keys),
            PlaceAttribute.valid_from <= as_of,
            or_(PlaceAttribute.valid_to.is_(None), PlaceAttribute.valid_to >= as_of),
            PlaceAttribute.recorded_at <= known_at,
        )
        .order_by(own, PlaceAttribute.recorded_at)
    )
    for village, key, value in rows:
        found[village][key] = value
    return found

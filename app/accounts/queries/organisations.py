"""Questions about organisations and the households that are members of them."""

from collections.abc import Collection
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, func, literal, or_, select
from sqlalchemy.orm import Session

from app import clock
from app.accounts.models import HouseholdMembership, Organisation, OrganisationKind
from app.accounts.queries.scope import among, known_then, valid_on, visible
from app.actor import Actor
from app.db import fold, identity, numbered
from app.errors import not_found


def organisation(session: Session, actor: Actor, organisation_id: UUID) -> Organisation:
    """Raises NotFound, also for one that this actor may not open."""
    found = session.scalar(select(Organisation).where(Organisation.id == organisation_id, visible(actor)))
    if found is None:
        raise not_found("đơn vị này", "this organisation")
    return found


def organisations_by_id(session: Session, actor: Actor, organisation_ids: Collection[UUID]) -> list[Organisation]:
    """Those of these that the actor may open."""
    query = select(Organisation).where(among(Organisation.id, organisation_ids), visible(actor))
    return list(session.scalars(query.order_by(Organisation.id)))


def organisation_names(session: Session, organisation_ids: Collection[UUID]) -> dict[UUID, str]:
    """Labels that anybody may read; no household's label holds personal data."""
    if not organisation_ids:
        return {}
    names = func.hoi_organisation_names(literal(sorted(organisation_ids), ARRAY(Uuid()))).table_valued("id", "name")
    return {UUID(str(row.id)): row.name for row in session.execute(select(names.c.id, names.c.name))}


def organisations(
    session: Session,
    actor: Actor,
    *,
    search: str = "",
    kinds: Collection[OrganisationKind] = (),
    commune_id: UUID | None = None,
    limit: int = 200,
) -> list[Organisation]:
    """Those the actor may open, by name."""
    query = (
        select(Organisation)
        .where(visible(actor))
        .order_by(numbered(Organisation.name_folded), Organisation.id)
        .limit(limit)
    )
    if search:
        query = query.where(Organisation.name_folded.contains(fold(search), autoescape=True))
    if kinds:
        query = query.where(Organisation.kind.in_(kinds))
    if commune_id is not None:
        query = query.where(Organisation.commune_id == commune_id)
    return list(session.scalars(query))


def member_households(
    session: Session, actor: Actor, cooperative_id: UUID, on: date | None = None, known_at: datetime | None = None
) -> list[Organisation]:
    """The households that are thành viên of the cooperative on a date, as far as the actor may open them, by label."""
    return list(
        session.scalars(
            select(Organisation)
            .join(HouseholdMembership, HouseholdMembership.household_id == Organisation.id)
            .where(
                visible(actor),
                HouseholdMembership.cooperative_id == cooperative_id,
                known_then(HouseholdMembership, on or clock.today(), known_at),
            )
            .order_by(numbered(Organisation.name_folded), Organisation.id)
        )
    )


def households_labelled(
    session: Session, actor: Actor, label: str, *, cooperative_id: UUID, village_id: UUID
) -> list[Organisation]:
    """The households of this label, in whatever case and spelling of its tones, in the cooperative today or, as far as the actor may open
    them, in the village.
    """
    members = member_household_ids(session, [cooperative_id], clock.today())
    query = select(Organisation).where(
        visible(actor),
        Organisation.kind == OrganisationKind.HOUSEHOLD,
        Organisation.name_folded == fold(label),
        or_(among(Organisation.id, members), Organisation.village_id == village_id),
    )
    same = identity(label)
    return [o for o in session.scalars(query.order_by(Organisation.id)) if identity(o.name) == same]


def member_household_ids(session: Session, cooperative_ids: Collection[UUID], on: date) -> set[UUID]:
    if not cooperative_ids:
        return set()
    return set(
        session.scalars(
            select(HouseholdMembership.household_id).where(
                HouseholdMembership.cooperative_id.in_(set(cooperative_ids)), valid_on(HouseholdMembership, on)
            )
        )
    )


def cooperatives_of(session: Session, household_id: UUID, on: date) -> list[UUID]:
    return list(
        session.scalars(
            select(HouseholdMembership.cooperative_id)
            .where(HouseholdMembership.household_id == household_id, valid_on(HouseholdMembership, on))
            .order_by(HouseholdMembership.cooperative_id)
        )
    )

"""Questions about organisations and the households that are members of them."""

from collections.abc import Collection
from datetime import date
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Select, Uuid, func, literal, or_, select
from sqlalchemy.orm import Session

from app import clock
from app.accounts.models import HouseholdMembership, Organisation, OrganisationKind
from app.accounts.queries.scope import among, valid_on, visible
from app.actor import Actor
from app.db import fold, identity, keyset
from app.db.keyset import Choices
from app.errors import not_found
from app.messages import N_


def organisation(session: Session, actor: Actor, organisation_id: UUID) -> Organisation:
    """Raises NotFound, also for one that this actor may not open."""
    found = session.scalar(select(Organisation).where(Organisation.id == organisation_id, visible(actor)))
    if found is None:
        raise not_found(N_("đơn vị này"))
    return found


def organisation_names(session: Session, organisation_ids: Collection[UUID]) -> dict[UUID, str]:
    """Labels that anybody may read; no household's label holds personal data."""
    if not organisation_ids:
        return {}
    names = func.hoi_organisation_names(literal(sorted(organisation_ids), ARRAY(Uuid()))).table_valued("id", "name")
    return {UUID(str(row.id)): row.name for row in session.execute(select(names.c.id, names.c.name))}


BY_NAME = keyset.Order((Organisation.name_sorted, str), (Organisation.id, UUID))
MOST_NAMED = 1000  # a name that more of them bear is found sooner by walking the list in its order


def organisations(
    session: Session,
    actor: Actor,
    *,
    search: str = "",
    kinds: Collection[OrganisationKind] = (),
    commune_id: UUID | None = None,
    mark: str = "",
) -> keyset.Paged[Organisation]:
    """A page of those the actor may open, by name. `search`: a part of the name, tones or not, or an organisation's tax code.

    Raises BadAddress for a mark that is none.
    """
    query = select(Organisation).where(visible(actor))
    if search.strip():
        query = query.where(_named(session, search.strip()))
    if kinds:
        query = query.where(Organisation.kind.in_(kinds))
    if commune_id is not None:
        query = query.where(Organisation.commune_id == commune_id)
    return keyset.paged(session, query, BY_NAME, mark)


def _named(session: Session, part: str) -> ColumnElement[bool]:
    """Whose name has this part, or whose tax code it is; a person's number finds nobody.

    The database asks the index of names only outside of row-level security, so it names the few of them first.
    """
    pattern = "%" + fold(part).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    found = func.hoi_organisations_named(pattern, part, MOST_NAMED + 1).table_valued("id")
    ids = [UUID(str(row.id)) for row in session.execute(select(found.c.id))]
    if len(ids) <= MOST_NAMED:
        return among(Organisation.id, ids)
    return Organisation.name_folded.contains(fold(part), autoescape=True)


def organisations_to_choose(
    session: Session,
    organisation_ids: Collection[UUID],
    *,
    own: Collection[UUID] = (),
    search: str = "",
    chosen: UUID | None = None,
) -> Choices:
    """For a select: id, name and commune of these organisations, `own` ones first; see `keyset.choices`."""
    return keyset.choices(
        session,
        select(Organisation.id, Organisation.name, Organisation.commune_id).where(
            among(Organisation.id, organisation_ids)
        ),
        BY_NAME,
        search=Organisation.name_folded.contains(fold(search), autoescape=True) if search else None,
        asked=search,
        chosen=Organisation.id == chosen if chosen else None,
        own=among(Organisation.id, own) if own else None,
    )


BESIDE_PEOPLE = 30  # households on the page that lists the organisation's people, too


def member_household_page(
    session: Session, actor: Actor, cooperative_id: UUID, *, search: str = "", mark: str = ""
) -> keyset.Paged[Organisation]:
    """A page of today's members of the cooperative, as far as the actor may open them, by label; `search` is a part of it.

    Raises BadAddress for a mark that is none.
    """
    query = _members_of(actor, cooperative_id)
    if search.strip():
        query = query.where(Organisation.name_folded.contains(fold(search.strip()), autoescape=True))
    return keyset.paged(session, query, BY_NAME, mark, size=BESIDE_PEOPLE)


def member_household(session: Session, actor: Actor, cooperative_id: UUID, household_id: UUID) -> Organisation:
    """One of today's members of the cooperative. Raises NotFound."""
    found = session.scalar(_members_of(actor, cooperative_id).where(Organisation.id == household_id))
    if found is None:
        raise not_found(N_("thành viên này"))
    return found


def _members_of(actor: Actor, cooperative_id: UUID) -> Select[Organisation]:
    member = select(HouseholdMembership.household_id).where(
        HouseholdMembership.cooperative_id == cooperative_id, valid_on(HouseholdMembership, clock.today())
    )
    return select(Organisation).where(visible(actor), Organisation.id.in_(member))


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

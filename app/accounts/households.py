"""Households: they join a cooperative and leave it, and an extension officer writes for them."""

from datetime import date, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import audit, clock
from app.accounts import actors, organisations, queries, sent_once
from app.accounts.models import HouseholdMembership, Organisation, OrganisationKind
from app.accounts.schemas import HouseholdIn
from app.actor import Actor, Right, check_may, check_may_everywhere
from app.errors import Conflict, Invalid, not_found
from app.messages import N_
from app.places import queries as places
from app.places.models import Level

TAKES_IN_HOUSEHOLDS = frozenset(
    {OrganisationKind.COOPERATIVE, OrganisationKind.COOPERATIVE_GROUP, OrganisationKind.ENTERPRISE}
)


def add_household(session: Session, actor: Actor, cooperative_id: UUID, form: HouseholdIn) -> Organisation:
    """A new household that becomes thành viên of the manager's cooperative. Same id, other content: Conflict; so is the
    label of a household that is there already, unless the form says even so.
    """
    check_may(actor, Right.MANAGE_MEMBERS, cooperative_id)
    organisations.check_place(session, form.village_id, Level.VILLAGE, "village_id")
    joined = form.joined_on or clock.today()
    if joined > clock.today():
        raise _future("joined_on")
    commune_id = places.place(session, form.village_id).parent_id
    sent_once.alone(session, form.id)
    ours = form.id in queries.member_household_ids(session, [cooperative_id], clock.today())
    known = form.id in queries.organisation_names(session, [form.id])
    if known and not ours:
        raise sent_once.id_taken()  # somebody else's: it must not be adopted by naming its id
    if not known and not form.even_so:
        _check_label(session, actor, cooperative_id, form)
    wider = actors.act_also_for(session, actor, form.id, rights=[Right.MANAGE_PEOPLE])
    household = organisations.new_organisation(
        session, wider, form.id, OrganisationKind.HOUSEHOLD, form.name, form.tax_code, form.village_id, commune_id
    )
    if not known:
        _join(session, wider, household.id, cooperative_id, joined)
    return household


def _check_label(session: Session, actor: Actor, cooperative_id: UUID, form: HouseholdIn) -> None:
    if queries.households_labelled(
        session, actor, form.name, cooperative_id=cooperative_id, village_id=form.village_id
    ):
        raise Conflict(
            "same_label",
            N_(
                "Đã có hộ tên “%(name)s”. Nếu vẫn là hộ đó thì không thêm nữa; nếu là hộ khác, hãy đổi tên, hoặc "
                "bấm “Vẫn tạo”.",
                name=form.name,
            ),
            field="name",
        )


def join_household(session: Session, actor: Actor, household_id: UUID, cooperative_id: UUID, *, on: date) -> None:
    """A household known already becomes thành viên, also one that left. By an administrator, whom the household asks: no
    cooperative pulls in a foreign household.

    Raises Conflict when it is a member already.
    """
    check_may_everywhere(actor, Right.ADMINISTER)
    household = queries.organisation(session, actor, household_id)
    cooperative = queries.organisation(session, actor, cooperative_id)
    if household.kind != OrganisationKind.HOUSEHOLD or cooperative.kind not in TAKES_IN_HOUSEHOLDS:
        raise Invalid("kinds", N_("Chỉ hộ mới làm thành viên, và chỉ của hợp tác xã, tổ hợp tác hoặc doanh nghiệp."))
    if on > clock.today():
        raise _future("joined_on")
    if cooperative_id in queries.cooperatives_of(session, household_id, clock.today()):
        raise Conflict("member_already", N_("Hộ này đã là thành viên."))
    _join(session, actors.act_also_for(session, actor, household_id, cooperative_id), household_id, cooperative_id, on)


def _join(session: Session, actor: Actor, household_id: UUID, cooperative_id: UUID, on: date) -> None:
    session.add(
        HouseholdMembership(
            household_id=household_id,
            cooperative_id=cooperative_id,
            valid_from=on,
            recorded_at=clock.now(),
            granted_by=actor.person_id,
        )
    )
    audit.record(
        session, actor, "accounts:household:join", subject_id=household_id, organisation_id=cooperative_id, on=on
    )


def end_household(session: Session, actor: Actor, household_id: UUID, cooperative_id: UUID, *, on: date) -> None:
    """`on` is the last day of membership. By the cooperative, the household itself, or an administrator.

    Raises Forbidden, also where a card does not suffice, and NotFound when it is no member.
    """
    if actor.may(Right.FARM, household_id):
        actors.check_card_suffices(session, actor)
    elif not actor.may_everywhere(Right.ADMINISTER):
        check_may(actor, Right.MANAGE_MEMBERS, cooperative_id)
    if on > clock.today():
        raise _future("on")
    row = session.scalar(
        select(HouseholdMembership)
        .where(
            HouseholdMembership.household_id == household_id,
            HouseholdMembership.cooperative_id == cooperative_id,
            HouseholdMembership.valid_to.is_(None),
        )
        .with_for_update()
    )
    if row is None:
        raise not_found(N_("thành viên này"))
    actors.act_also_for(session, actor, household_id, cooperative_id)
    row.valid_to = max(on, row.valid_from - timedelta(days=1))
    row.ended_at, row.ended_by = clock.now(), actor.person_id
    audit.record(
        session, actor, "accounts:household:leave", subject_id=household_id, organisation_id=cooperative_id, on=on
    )


def _future(field: str) -> Invalid:
    return Invalid("future", N_("Ngày này chưa tới. Chọn hôm nay hoặc trước đó."), field=field)

"""Organisations: made by an administrator, changed by whoever manages them."""

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import audit, clock
from app.accounts import actors, queries, schemas, sent_once
from app.accounts.events import OrganisationChanged
from app.accounts.models import Organisation, OrganisationKind
from app.accounts.schemas import OrganisationChange, OrganisationIn, SeatChange
from app.actor import Actor, Right, check_may, check_may_everywhere
from app.db import check_version
from app.errors import Conflict, Invalid
from app.messages import N_
from app.outbox import publish
from app.places import queries as places
from app.places.models import Level


def create_organisation(session: Session, actor: Actor, form: OrganisationIn) -> Organisation:
    """By an administrator. The same id again gives the same organisation; with other content Conflict."""
    check_may_everywhere(actor, Right.ADMINISTER)
    commune_id = _commune_of_seat(session, form.kind, form.village_id, form.commune_id)
    sent_once.alone(session, form.id)
    wider = actors.act_also_for(session, actor, form.id, rights=[Right.MANAGE_PEOPLE])
    return new_organisation(session, wider, form.id, form.kind, form.name, form.tax_code, form.village_id, commune_id)


def new_organisation(
    session: Session,
    actor: Actor,
    organisation_id: UUID,
    kind: OrganisationKind,
    name: str,
    tax_code: str | None,
    village_id: UUID | None,
    commune_id: UUID | None,
) -> Organisation:
    if kind == OrganisationKind.HOUSEHOLD:
        schemas.neutral_label(name)
    known = session.get(Organisation, organisation_id)
    if known is not None:
        if (known.kind, known.name, known.tax_code, known.village_id, known.commune_id) == (
            kind, name, tax_code, village_id, commune_id,
        ):  # fmt: skip
            return known
        raise sent_once.id_taken()
    _check_tax_code(session, kind, tax_code)
    row = Organisation(
        id=organisation_id,
        kind=kind,
        name=name,
        tax_code=tax_code,
        village_id=village_id,
        commune_id=commune_id,
        created_at=clock.now(),
        version=1,
    )
    session.add(row)
    session.flush()  # memberships and rows of other parts point at it
    audit.record(session, actor, "accounts:organisation:create", subject_id=row.id, organisation_id=row.id, kind=kind)
    return row


def change_organisation(session: Session, actor: Actor, organisation_id: UUID, form: OrganisationChange) -> None:
    """Rename, or correct the tax code. By its manager, the cooperative of a household, or an administrator."""
    row = queries.organisation(session, actor, organisation_id)
    check_may(actor, Right.MANAGE_PEOPLE, organisation_id)
    actors.act_also_for(session, actor, organisation_id, rights=[Right.MANAGE_PEOPLE])
    check_version(row, form.version)
    if row.kind == OrganisationKind.HOUSEHOLD and form.name != row.name:
        schemas.neutral_label(form.name)
    if form.tax_code != row.tax_code:
        _check_tax_code(session, OrganisationKind(row.kind), form.tax_code)
    row.name, row.tax_code = form.name, form.tax_code
    audit.record(session, actor, "accounts:organisation:change", subject_id=row.id, organisation_id=row.id)
    publish(session, actor, OrganisationChanged(organisation_id=row.id))


def move_organisation(session: Session, actor: Actor, organisation_id: UUID, form: SeatChange) -> None:
    """Set the village and commune of its seat where they are missing. By its manager, the cooperative of a household, or
    an administrator. What rests on the seat is derived anew. The same seat is no change; another one is a Conflict,
    because a seat has no days and criteria read today's for every earlier day.
    """
    row = queries.organisation(session, actor, organisation_id)
    check_may(actor, Right.MANAGE_PEOPLE, organisation_id)
    commune_id = _commune_of_seat(session, OrganisationKind(row.kind), form.village_id, form.commune_id)
    if row.village_id not in {None, form.village_id} or row.commune_id not in {None, commune_id}:
        raise Conflict(
            "seat_known",
            N_(
                "Trụ sở đã có rồi. Đổi trụ sở làm thay đổi kết quả của hai thôn nên chưa đổi ở đây được; hãy báo "
                "cán bộ xã."
            ),
        )
    if row.kind == OrganisationKind.HOUSEHOLD and form.village_id is None:
        raise Invalid("village_missing", N_("Chọn thôn của hộ."), field="village_id")
    if (row.village_id, row.commune_id) == (form.village_id, commune_id):
        return
    actors.act_also_for(session, actor, organisation_id, rights=[Right.MANAGE_PEOPLE])
    check_version(row, form.version)
    row.village_id, row.commune_id = form.village_id, commune_id
    audit.record(
        session,
        actor,
        "accounts:organisation:move",
        subject_id=row.id,
        organisation_id=row.id,
        village_id=form.village_id,
        commune_id=commune_id,
    )
    publish(session, actor, OrganisationChanged(organisation_id=row.id))


def _commune_of_seat(
    session: Session, kind: OrganisationKind, village_id: UUID | None, commune_id: UUID | None
) -> UUID | None:
    check_place(session, village_id, Level.VILLAGE, "village_id")
    check_place(session, commune_id, Level.COMMUNE, "commune_id")
    if village_id is not None:
        above = places.place(session, village_id).parent_id
        if commune_id is not None and commune_id != above:
            raise Invalid(
                "village_elsewhere",
                N_("Thôn này không thuộc xã đã chọn."),
                field="village_id",
            )
        commune_id = above
    if commune_id is None and kind != OrganisationKind.AUTHORITY:
        raise Invalid(
            "commune_missing",
            N_("Chọn xã, phường nơi đặt trụ sở."),
            field="commune_id",
        )
    return commune_id


def _check_tax_code(session: Session, kind: OrganisationKind, tax_code: str | None) -> None:
    if tax_code is None:
        return
    if len(tax_code) == 12 and kind != OrganisationKind.HOUSEHOLD:  # noqa: PLR2004 - a personal number
        raise Invalid(
            "personal_tax_code",
            N_("Mã 12 chữ số chỉ dùng cho hộ. Đơn vị này cần mã 10 hoặc 13 chữ số."),
            field="tax_code",
        )
    if session.scalar(select(func.hoi_tax_code_taken(tax_code))):
        raise Conflict(
            "tax_code_taken",
            N_("Mã số thuế này đã có đơn vị khác dùng. Hãy kiểm tra lại mã."),
            field="tax_code",
        )


def check_place(session: Session, place_id: UUID | None, level: Level, field: str) -> None:
    if place_id is None:
        return
    found = places.place(session, place_id)
    today = clock.today()
    if found.level != level or (found.valid_to is not None and found.valid_to < today):
        raise Invalid("place", N_("Chọn một nơi đang có trong danh sách."), field=field)

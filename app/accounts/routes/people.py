"""Pages of the people of an organisation and of their roles."""

from uuid import UUID

from flask import Response, redirect, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from app import clock
from app.accounts import offers, people, queries, rights, roles, schemas
from app.accounts.models import AddressAs, Organisation
from app.accounts.routes.base import blueprint, count_lookup
from app.actor import OFFICIAL_ROLES, Actor, Right
from app.errors import forbidden
from app.places import queries as places
from app.places.models import Level
from app.web import done, language, page, parse, parse_query, signed_in, transaction


@blueprint.get("/don-vi/<uuid:organisation_id>/them-nguoi")
def new_person(organisation_id: UUID) -> Response:
    actor = signed_in()
    with transaction() as session:
        row = queries.organisation(session, actor, organisation_id)
        may_give = roles.grantable(actor, row)
        if not may_give:
            raise forbidden()
        return page(
            "accounts/new_person.html",
            organisation=row,
            roles=may_give,
            places=_places_of_roles(session, actor, row) if set(may_give) & OFFICIAL_ROLES else [],
            forms_of_address=[(a, a) for a in AddressAs],
        )


def _places_of_roles(session: Session, actor: Actor, row: Organisation) -> list[tuple[UUID, str]]:
    """The province, its communes, and the villages of the authority's own commune."""
    today = clock.today()
    found = [places.province(session), *places.current_communes(session, today)]
    if row.commune_id is not None:
        found += places.current_villages(session, row.commune_id, today)
    return [
        (p.id, places.full_name(p, language=language()))
        for p in found
        if actor.may_at(Right.OVERSEE, p.id) or p.level == Level.PROVINCE
    ]


@blueprint.post("/don-vi/<uuid:organisation_id>/them-nguoi")
def new_person_send(organisation_id: UUID) -> BaseResponse:
    actor = signed_in()
    form = parse(schemas.PersonIn)
    count_lookup(actor, form.phone, form.full_name)
    with transaction() as session:
        person_id = people.add_person(session, actor, organisation_id, form)
    if person_id != form.id:  # known already: their page is not shown before they accept
        return redirect(url_for("accounts.organisation", organisation_id=organisation_id), 303)
    return _to_person(organisation_id, person_id)


@blueprint.get("/don-vi/<uuid:organisation_id>/nguoi/<uuid:person_id>")
def person(organisation_id: UUID, person_id: UUID) -> Response:
    actor = signed_in()
    with transaction() as session:
        return _person_page(session, actor, organisation_id, person_id)


def _person_page(
    session: Session, actor: Actor, organisation_id: UUID, person_id: UUID, *, password: str = ""
) -> Response:
    row = queries.organisation(session, actor, organisation_id)
    wider = rights.look_after(session, actor, organisation_id)
    data = queries.looked_after(session, wider, person_id)
    asked = parse_query(schemas.Account)
    held = queries.roles_in(session, wider, person_id, wider.organisations, mark=asked.trang)
    managed = sorted(actor.where(Right.MANAGE_MEMBERS))
    joined = queries.cooperatives_of(session, organisation_id, clock.today())
    printers = [c for c in managed if c == organisation_id or c in joined]
    names = queries.organisation_names(session, {m.organisation_id for m in held.rows})
    return page(
        "accounts/person.html",
        organisation=row,
        data=data,
        held=held,
        names=names,
        place_names=places.full_names(session, {m.place_id for m in held.rows if m.place_id}, language()),
        roles=roles.grantable(actor, row),
        printer=printers[0] if printers and queries.farms(session, wider, person_id, wider.organisations) else None,
        card=queries.open_card(session, person_id, printers[0]) if printers else None,
        devices=queries.device_page(session, person_id, asked.trang_may),
        machine_now=clock.machine_now(),
        password=password,
    )


@blueprint.get("/don-vi/<uuid:organisation_id>/nguoi/<uuid:person_id>/sua")
def change_person(organisation_id: UUID, person_id: UUID) -> Response:
    actor = signed_in()
    with transaction() as session:
        return page(
            "accounts/change_person.html",
            data=people.change_of(session, actor, organisation_id, person_id),
            forms_of_address=[(a, a) for a in AddressAs],
            back=url_for(".person", organisation_id=organisation_id, person_id=person_id),
        )


@blueprint.post("/don-vi/<uuid:organisation_id>/nguoi/<uuid:person_id>/sua")
def change_person_send(organisation_id: UUID, person_id: UUID) -> BaseResponse:
    actor = signed_in()
    form = parse(schemas.PersonalChange)
    count_lookup(actor, form.phone, form.full_name, of=person_id)
    with transaction() as session:
        people.change_personal_data(session, actor, person_id, form, organisation_id=organisation_id)
    return _to_person(organisation_id, person_id)


@blueprint.get("/don-vi/<uuid:organisation_id>/vai-tro/<uuid:membership_id>/thoi")
def end_role(organisation_id: UUID, membership_id: UUID) -> Response:
    """Asked first: the person is shut out at once."""
    actor = signed_in()
    with transaction() as session:
        row = queries.organisation(session, actor, organisation_id)
        wider = rights.look_after(session, actor, organisation_id)
        held = queries.member(session, wider, row.id, membership_id)
        return page("accounts/end_role.html", organisation=row, held=held)


@blueprint.post("/don-vi/<uuid:organisation_id>/vai-tro/<uuid:membership_id>/thoi")
def end_role_send(organisation_id: UUID, membership_id: UUID) -> BaseResponse:
    actor = signed_in()
    with transaction() as session:
        roles.end_role(session, actor, membership_id, organisation_id)
    return done(_("Người này không còn vai trò đó."), url_for("accounts.organisation", organisation_id=organisation_id))


@blueprint.post("/don-vi/<uuid:organisation_id>/loi-moi/<uuid:role_offer_id>/rut")
def withdraw_offer(organisation_id: UUID, role_offer_id: UUID) -> BaseResponse:
    actor = signed_in()
    with transaction() as session:
        offers.withdraw_offer(session, actor, role_offer_id, organisation_id)
    return done(_("Đã rút lời mời."), url_for("accounts.organisation", organisation_id=organisation_id))


@blueprint.post("/don-vi/<uuid:organisation_id>/nguoi/<uuid:person_id>/mat-khau")
def first_password(organisation_id: UUID, person_id: UUID) -> Response:
    """Answers with the page itself: the password is shown this once and kept nowhere."""
    actor = signed_in()
    with transaction() as session:
        password = people.first_password(session, actor, organisation_id, person_id)
        return _person_page(session, actor, organisation_id, person_id, password=password)


@blueprint.post("/don-vi/<uuid:organisation_id>/nguoi/<uuid:person_id>/ket-thuc-phien")
def end_sign_ins(organisation_id: UUID, person_id: UUID) -> BaseResponse:
    actor = signed_in()
    with transaction() as session:
        people.end_sign_ins(session, actor, organisation_id, person_id)
    return _to_person(organisation_id, person_id)


def _to_person(organisation_id: UUID, person_id: UUID) -> BaseResponse:
    return redirect(url_for("accounts.person", organisation_id=organisation_id, person_id=person_id), 303)

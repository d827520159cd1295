"""Pages of organisations: the list, one with its people and households, making and changing one."""

from typing import Any
from uuid import UUID

from flask import Response, redirect, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from app import clock
from app.accounts import organisations, queries, rights, schemas
from app.accounts.models import Organisation, OrganisationKind
from app.accounts.routes.base import KIND_WORDS, blueprint, communes_and_villages
from app.actor import Actor, Right
from app.errors import forbidden
from app.places import queries as places
from app.places.schemas import InCommune
from app.web import done, language, page, parse, parse_query, require, signed_in, transaction


@blueprint.get("/don-vi", endpoint="organisations")
def all_organisations() -> Response:
    actor = signed_in()
    asked = parse_query(schemas.Organisations)
    with transaction() as session:
        kinds = [asked.loai] if asked.loai else []
        found = queries.organisations(
            session, actor, search=asked.q, kinds=kinds, commune_id=asked.xa, mark=asked.trang
        )
        return page(
            "accounts/organisations.html",
            asked=asked,
            found=found,
            kinds=[(kind, KIND_WORDS[kind].text(language())) for kind in OrganisationKind],
            communes=places.commune_choices(session, clock.today(), language()),
            place_names=places.full_names(
                session, {p for o in found.rows if (p := o.village_id or o.commune_id)}, language()
            ),
        )


@blueprint.get("/nguoi-va-the")
def people() -> BaseResponse:
    """The people of the organisation that the actor manages; who manages several chooses from the list."""
    actor = require(Right.MANAGE_MEMBERS)
    own = sorted(actor.where(Right.MANAGE_MEMBERS))
    if len(own) > 1:
        return redirect(url_for("accounts.organisations"), 303)
    return redirect(url_for("accounts.organisation", organisation_id=own[0]), 303)


@blueprint.get("/don-vi/moi")
def new_organisation() -> Response:
    require(Right.ADMINISTER)
    with transaction() as session:
        return page(
            "accounts/new_organisation.html",
            kinds=list(OrganisationKind),
            communes=places.commune_choices(session, clock.today(), language()),
        )


@blueprint.post("/don-vi/moi")
def new_organisation_send() -> BaseResponse:
    actor = require(Right.ADMINISTER)
    form = parse(schemas.OrganisationIn)
    with transaction() as session:
        made = organisations.create_organisation(session, actor, form)
    return redirect(url_for("accounts.organisation", organisation_id=made.id), 303)


@blueprint.get("/don-vi/<uuid:organisation_id>")
def organisation(organisation_id: UUID) -> Response:
    actor = signed_in()
    asked = parse_query(schemas.People)
    with transaction() as session:
        row = queries.organisation(session, actor, organisation_id)
        return page(
            "accounts/organisation.html", organisation=row, asked=asked, **_people_page(session, actor, row, asked)
        )


def _people_page(session: Session, actor: Actor, row: Organisation, asked: schemas.People) -> dict[str, Any]:
    """Everybody who may open the organisation sees what it is; its people only who looks after them."""
    may_look = actor.may(Right.MANAGE_PEOPLE, row.id)
    wider = rights.look_after(session, actor, row.id) if may_look else actor
    households = (
        queries.member_household_page(session, actor, row.id, search=asked.q, mark=asked.trang_ho)
        if row.kind != OrganisationKind.HOUSEHOLD
        else None
    )
    place_id = row.village_id or row.commune_id
    people = queries.member_page(session, wider, row.id, search=asked.q, mark=asked.trang) if may_look else None
    shown = [h.id for h in households.rows] if households else []
    living_there: dict[UUID, list[queries.Member]] = {}
    for member in queries.members(session, wider, shown) if may_look and shown else []:
        living_there.setdefault(member.organisation_id, []).append(member)
    paged = any(found.listed.previous or found.listed.next for found in (people, households) if found)
    return {
        "may_look": may_look,
        "people": people,
        "households": households,
        "offers": queries.offers_of(
            session, row.id, offered_by=None if may_look else actor.person_id, mark=asked.trang_moi
        ),
        "searchable": bool(asked.q) or paged,
        "living_there": living_there,
        "cooperatives": queries.organisation_names(session, queries.cooperatives_of(session, row.id, clock.today())),
        "manages": actor.may(Right.MANAGE_MEMBERS, row.id),
        "administers": actor.may_everywhere(Right.ADMINISTER),
        "place": places.full_names(session, [place_id], language())[place_id] if place_id else "",
        "place_names": places.full_names(
            session, {p.place_id for p in people.rows if p.place_id} if people else (), language()
        ),
        "waiting": queries.waiting_count(session, actor.where(Right.MANAGE_MEMBERS), clock.machine_now()),
    }


@blueprint.get("/don-vi/<uuid:organisation_id>/sua")
def change_organisation(organisation_id: UUID) -> Response:
    actor = signed_in()
    with transaction() as session:
        row = queries.organisation(session, actor, organisation_id)
        if not actor.may(Right.MANAGE_PEOPLE, row.id):
            raise forbidden()
        return page("accounts/change_organisation.html", organisation=row)


@blueprint.get("/don-vi/<uuid:organisation_id>/tru-so")
def move_organisation(organisation_id: UUID) -> Response:
    actor = signed_in()
    asked = parse_query(InCommune)
    with transaction() as session:
        row = queries.organisation(session, actor, organisation_id)
        if not actor.may(Right.MANAGE_PEOPLE, row.id):
            raise forbidden()
        commune_id = row.commune_id or asked.commune
        place_id = row.village_id or commune_id
        return page(
            "accounts/move_organisation.html",
            organisation=row,
            place=places.full_names(session, [place_id], language()).get(place_id, "") if place_id else "",
            **communes_and_villages(session, commune_id),
        )


@blueprint.post("/don-vi/<uuid:organisation_id>/tru-so")
def move_organisation_send(organisation_id: UUID) -> BaseResponse:
    actor = signed_in()
    form = parse(schemas.SeatChange)
    with transaction() as session:
        organisations.move_organisation(session, actor, organisation_id, form)
    return done(
        _("Đã lưu trụ sở.") if form.village_id else _("Đã lưu xã, phường của trụ sở; chưa chọn thôn."),
        url_for("accounts.organisation", organisation_id=organisation_id),
    )


@blueprint.post("/don-vi/<uuid:organisation_id>/sua")
def change_organisation_send(organisation_id: UUID) -> BaseResponse:
    actor = signed_in()
    form = parse(schemas.OrganisationChange)
    with transaction() as session:
        organisations.change_organisation(session, actor, organisation_id, form)
    return redirect(url_for("accounts.organisation", organisation_id=organisation_id), 303)

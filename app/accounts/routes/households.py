"""Pages on which a household joins a cooperative and leaves it."""

from datetime import timedelta
from uuid import UUID

from flask import Response, redirect, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from app import clock
from app.accounts import households, queries, schemas
from app.accounts.models import OrganisationKind
from app.accounts.routes.base import blueprint, communes_and_villages, next_address
from app.actor import Right, check_may
from app.errors import forbidden, not_found
from app.messages import N_
from app.places import queries as places
from app.places.schemas import InCommune
from app.web import done, language, page, parse, parse_query, require, signed_in, transaction


@blueprint.get("/don-vi/<uuid:organisation_id>/them-ho")
def new_household(organisation_id: UUID) -> Response:
    actor = require(Right.MANAGE_MEMBERS)
    asked = parse_query(InCommune)
    with transaction() as session:
        row = queries.organisation(session, actor, organisation_id)
        if not actor.may(Right.MANAGE_MEMBERS, organisation_id):
            raise forbidden()
        commune_id = asked.commune or row.commune_id
        return page(
            "accounts/new_household.html",
            organisation=row,
            **communes_and_villages(session, commune_id),
        )


@blueprint.post("/don-vi/<uuid:organisation_id>/them-ho")
def new_household_send(organisation_id: UUID) -> BaseResponse:
    actor = require(Right.MANAGE_MEMBERS)
    form = parse(schemas.HouseholdIn)
    with transaction() as session:
        household = households.add_household(session, actor, organisation_id, form)
    return redirect(url_for("accounts.new_person", organisation_id=household.id), 303)


@blueprint.get("/don-vi/<uuid:organisation_id>/ho/<uuid:household_id>/roi")
def household_leaves(organisation_id: UUID, household_id: UUID) -> Response:
    """Asked first: the manager cannot take the household back alone."""
    actor = require(Right.MANAGE_PEOPLE)
    with transaction() as session:
        row = queries.organisation(session, actor, organisation_id)
        if not actor.may_everywhere(Right.ADMINISTER):
            check_may(actor, Right.MANAGE_MEMBERS, organisation_id)
        household = queries.member_household(session, actor, row.id, household_id)
        return page("accounts/household_leaves.html", organisation=row, household=household)


@blueprint.post("/don-vi/<uuid:organisation_id>/ho/<uuid:household_id>/roi")
def household_leaves_send(organisation_id: UUID, household_id: UUID) -> BaseResponse:
    actor = signed_in()
    with transaction() as session:
        households.end_household(session, actor, household_id, organisation_id, on=clock.today() - timedelta(days=1))
    return done(
        _("Hộ này không còn là thành viên từ hôm nay."),
        next_address(url_for("accounts.organisation", organisation_id=organisation_id)),
    )


@blueprint.get("/don-vi/<uuid:organisation_id>/vao-hop-tac-xa")
def household_joins(organisation_id: UUID) -> Response:
    """Which cooperative a household joins, of its own commune or of another."""
    actor = require(Right.ADMINISTER)
    asked = parse_query(schemas.Joining)
    with transaction() as session:
        row = queries.organisation(session, actor, organisation_id)
        if row.kind != OrganisationKind.HOUSEHOLD:
            raise not_found(N_("hộ này"))
        commune_id = asked.commune or row.commune_id
        member_of = queries.cooperatives_of(session, row.id, clock.today())
        found = queries.organisations(
            session, actor, search=asked.q, kinds=households.TAKES_IN_HOUSEHOLDS, commune_id=commune_id
        )
        return page(
            "accounts/join_household.html",
            organisation=row,
            commune_id=commune_id,
            communes=places.commune_choices(session, clock.today(), language()),
            cooperatives=[(o.id, o.name) for o in found.rows if o.id not in member_of],
            more=found.listed.next is not None,
            search=asked.q,
        )


@blueprint.post("/don-vi/<uuid:organisation_id>/vao-hop-tac-xa")
def household_joins_send(organisation_id: UUID) -> BaseResponse:
    actor = require(Right.ADMINISTER)
    form = parse(schemas.JoinIn)
    with transaction() as session:
        households.join_household(session, actor, organisation_id, form.cooperative_id, on=clock.today())
    return done(
        _("Hộ này là thành viên từ hôm nay."), url_for("accounts.organisation", organisation_id=organisation_id)
    )

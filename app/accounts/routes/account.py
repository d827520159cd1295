"""Pages of one's own account: name and phone, roles, and the phones that are signed in."""

from typing import Any
from uuid import UUID

from flask import Response, redirect, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from app import clock
from app.accounts import actors, people, queries, roles, schemas, signin
from app.accounts.models import AddressAs
from app.accounts.routes.base import blueprint, count_lookup, own_person_id
from app.actor import SYSTEM, Actor, Role
from app.errors import not_found
from app.messages import N_
from app.places import queries as places
from app.web import done, language, page, parse, parse_query, signed_in, transaction


@blueprint.get("/tai-khoan")
def account() -> Response:
    actor = signed_in()
    asked = parse_query(schemas.Account)
    with transaction() as session:
        return page(
            "accounts/account.html",
            me=queries.looked_after(session, actor, own_person_id(actor)),
            **sessions(session, actor, asked),
        )


def sessions(session: Session, actor: Actor, asked: schemas.Account) -> dict[str, Any]:
    """What every page about oneself shows of roles, sign-ins and phones; by card only the roles that a card signs in for."""
    decides = actors.card_suffices(session, actor)
    own = own_person_id(actor)
    shown = queries.role_page(
        session, own, clock.today(), mark=asked.trang, roles=() if decides else actor.roles or {Role.FARMER}
    )
    offered = queries.offers_to(session, own_person_id(actor)) if decides else []
    return {
        "decides": decides,
        "held": shown,
        "offers": offered,
        "names": queries.organisation_names(
            session, {m.organisation_id for m in shown.rows} | {o.organisation_id for o in offered}
        ),
        "place_names": places.full_names(session, {m.place_id for m in shown.rows if m.place_id}, language()),
        "sign_ins": queries.open_sign_ins(session, own, clock.machine_now(), asked.trang_phien),
        "devices": queries.device_page(session, own, asked.trang_may),
        "here": actor.sign_in_id,
        "by_card": actor.device_id is not None,
    }


@blueprint.get("/tai-khoan/dang-nhap")
def recent_sign_ins() -> Response:
    """Not by card: a lent phone must not show where its owner signs in."""
    actor = signed_in()
    mark = parse_query(schemas.PageMark).trang
    with transaction() as session:
        actors.check_card_suffices(session, actor)
    with transaction(SYSTEM) as session:
        found = queries.sign_in_lines(session, own_person_id(actor), mark)
        return page("accounts/recent_sign_ins.html", found=found, lines=[row[0] for row in found.rows])


@blueprint.get("/tai-khoan/vai-tro/<uuid:membership_id>/thoi")
def leave_role(membership_id: UUID) -> Response:
    """Asked first: only somebody else can give the role back."""
    actor = signed_in()
    with transaction() as session:
        actors.check_card_suffices(session, actor)
        held = next(
            (m for m in queries.roles_of(session, own_person_id(actor), clock.today()) if m.id == membership_id), None
        )
        if held is None:
            raise not_found(N_("vai trò này"))
        return page(
            "accounts/leave_role.html",
            held=held,
            organisation_name=queries.organisation_names(session, [held.organisation_id])[held.organisation_id],
            givers=roles.may_give_back(session, actor, held.organisation_id, Role(held.role)),
        )


@blueprint.post("/tai-khoan/vai-tro/<uuid:membership_id>/thoi")
def leave_role_send(membership_id: UUID) -> BaseResponse:
    actor = signed_in()
    with transaction() as session:
        roles.end_role(session, actor, membership_id)
    return done(_("Đã kết thúc vai trò này."), url_for("accounts.account"))


@blueprint.get("/tai-khoan/sua")
def change_me() -> Response:
    actor = signed_in()
    with transaction() as session:
        data = queries.looked_after(session, actor, own_person_id(actor))
        return page(
            "accounts/change_person.html",
            data=data,
            forms_of_address=[(a, a) for a in AddressAs],
            back=url_for(".account"),
        )


@blueprint.post("/tai-khoan/sua")
def change_me_send() -> BaseResponse:
    actor = signed_in()
    form = parse(schemas.PersonalChange)
    count_lookup(actor, form.phone, form.full_name, of=own_person_id(actor))
    with transaction() as session:
        people.change_personal_data(session, actor, own_person_id(actor), form)
    return redirect(url_for("accounts.account"), 303)


@blueprint.post("/tai-khoan/phien/<uuid:sign_in_id>/ket-thuc")
def end_sign_in(sign_in_id: UUID) -> BaseResponse:
    actor = signed_in()
    with transaction() as session:
        signin.end(session, actor, sign_in_id)
    return redirect(url_for("accounts.account"), 303)

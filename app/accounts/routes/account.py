"""Pages of one's own account: name and phone, roles, and the phones that are signed in."""

from typing import Any
from uuid import UUID

from flask import Response, flash, redirect, url_for
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
from app.web import page, parse, parse_query, signed_in, transaction


@blueprint.get("/tai-khoan")
def account() -> Response:
    known = signed_in()
    asked = parse_query(schemas.Account)
    with transaction() as db:
        return page(
            "accounts/account.html",
            me=queries.looked_after(db, known, own_person_id(known)),
            **sessions(db, known, asked),
        )


def sessions(db: Session, known: Actor, asked: schemas.Account) -> dict[str, Any]:
    """What every page about oneself shows of roles, sign-ins and phones; by card only the roles that a card signs in for."""
    decides = actors.card_suffices(db, known)
    own = own_person_id(known)
    shown = queries.role_page(
        db, own, clock.today(), mark=asked.trang, roles=() if decides else known.roles or {Role.FARMER}
    )
    offered = queries.offers_to(db, own_person_id(known)) if decides else []
    return {
        "decides": decides,
        "held": shown,
        "offers": offered,
        "names": queries.organisation_names(
            db, {m.organisation_id for m in shown.rows} | {o.organisation_id for o in offered}
        ),
        "place_names": places.full_names(db, {m.place_id for m in shown.rows if m.place_id}),
        "sign_ins": queries.open_sign_ins(db, own, clock.machine_now(), asked.trang_phien),
        "devices": queries.device_page(db, own, asked.trang_may),
        "here": known.sign_in_id,
        "by_card": known.device_id is not None,
    }


@blueprint.get("/tai-khoan/dang-nhap")
def recent_sign_ins() -> Response:
    """Not by card: a lent phone must not show where its owner signs in."""
    known = signed_in()
    mark = parse_query(schemas.PageMark).trang
    with transaction() as db:
        actors.check_card_suffices(db, known)
    with transaction(SYSTEM) as db:
        found = queries.sign_in_lines(db, own_person_id(known), mark)
        return page("accounts/recent_sign_ins.html", found=found, lines=[row[0] for row in found.rows])


@blueprint.get("/tai-khoan/vai-tro/<uuid:membership_id>/thoi")
def leave_role(membership_id: UUID) -> Response:
    """Asked first: only somebody else can give the role back."""
    known = signed_in()
    with transaction() as db:
        actors.check_card_suffices(db, known)
        held = next(
            (m for m in queries.roles_of(db, own_person_id(known), clock.today()) if m.id == membership_id), None
        )
        if held is None:
            raise not_found(N_("vai trò này"))
        return page(
            "accounts/leave_role.html",
            held=held,
            organisation_name=queries.organisation_names(db, [held.organisation_id])[held.organisation_id],
            givers=roles.may_give_back(db, known, held.organisation_id, Role(held.role)),
        )


@blueprint.post("/tai-khoan/vai-tro/<uuid:membership_id>/thoi")
def leave_role_send(membership_id: UUID) -> BaseResponse:
    known = signed_in()
    with transaction() as db:
        roles.end_role(db, known, membership_id)
    flash(_("Đã thôi vai trò này."), "met")
    return redirect(url_for("accounts.account"), 303)


@blueprint.get("/tai-khoan/sua")
def change_me() -> Response:
    known = signed_in()
    with transaction() as db:
        data = queries.looked_after(db, known, own_person_id(known))
        return page(
            "accounts/change_person.html",
            data=data,
            forms_of_address=[(a, a) for a in AddressAs],
            back=url_for(".account"),
        )


@blueprint.post("/tai-khoan/sua")
def change_me_send() -> BaseResponse:
    known = signed_in()
    form = parse(schemas.PersonalChange)
    count_lookup(known, form.phone, form.full_name, of=own_person_id(known))
    with transaction() as db:
        people.change_personal_data(db, known, own_person_id(known), form)
    return redirect(url_for("accounts.account"), 303)


@blueprint.post("/tai-khoan/phien/<uuid:sign_in_id>/ket-thuc")
def end_sign_in(sign_in_id: UUID) -> BaseResponse:
    known = signed_in()
    with transaction() as db:
        signin.end(db, known, sign_in_id)
    return redirect(url_for("accounts.account"), 303)

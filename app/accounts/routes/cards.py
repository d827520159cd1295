"""Pages of cards on paper, lost phones, and the cooperative's word on phones that wait."""

from base64 import b64encode
from uuid import UUID

import qrcode
from flask import Response, redirect, url_for
from qrcode.constants import ERROR_CORRECT_M
from werkzeug.wrappers import Response as BaseResponse

from app import clock
from app.accounts import card_requests, cards, devices, queries, schemas
from app.accounts.routes.base import blueprint, next_address, signing_key
from app.actor import Right
from app.web import page, parse, parse_query, require, signed_in, transaction, web


@blueprint.post("/don-vi/<uuid:organisation_id>/in-the")
def print_card(organisation_id: UUID) -> BaseResponse:
    actor = require(Right.MANAGE_MEMBERS)
    form = parse(schemas.PrintCard)
    with transaction() as session:
        made = cards.print_card(session, actor, organisation_id, form, key=signing_key())
    return redirect(url_for("accounts.printed_card", card_id=made.id), 303)


@blueprint.get("/the-in/<uuid:card_id>")
def printed_card(card_id: UUID) -> Response:
    actor = require(Right.MANAGE_MEMBERS)
    with transaction() as session:
        made, secret, pin = cards.printed(session, actor, card_id, key=signing_key())
        data = queries.looked_after(session, actor, made.person_id)
        names = queries.organisation_names(session, [made.organisation_id])
    settings = web().settings
    address = f"{settings.printed_base()}{url_for('accounts.card', secret=secret)}"
    return page(
        "accounts/printed_card.html",
        card=made,
        pin=pin,
        person=f"{data.address_as} {data.full_name}",
        organisation=names[made.organisation_id],
        code="-".join(secret[i : i + 4] for i in range(0, len(secret), 4)),
        qr=qr_image(address),
        trial=settings.public_url is None,
        back_url=url_for("accounts.organisation", organisation_id=made.organisation_id),
    )


def qr_image(content: str) -> str:
    """A QR with its quiet zone as the address of an image: one SVG path, sharp at any size."""
    code = qrcode.QRCode(error_correction=ERROR_CORRECT_M, border=4)
    code.add_data(content)
    code.make(fit=True)
    rows = code.get_matrix()
    drawn = "".join(f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, dark in enumerate(row) if dark)
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {len(rows)} {len(rows)}" shape-rendering="crispEdges">'
        f'<path fill="#fff" d="M0 0h{len(rows)}v{len(rows)}H0z"/><path d="{drawn}"/></svg>'
    )
    return f"data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}"


@blueprint.post("/the-in/<uuid:card_id>/huy")
def revoke_card(card_id: UUID) -> BaseResponse:
    actor = signed_in()
    with transaction() as session:
        cards.revoke_card(session, actor, card_id)
    return redirect(next_address(url_for("accounts.account")), 303)


@blueprint.post("/may/<uuid:device_id>/mat")
def lost_phone(device_id: UUID) -> BaseResponse:
    """One tap: that phone and its sign-ins end now."""
    actor = signed_in()
    with transaction() as session:
        devices.revoke_device(session, actor, device_id)
    return redirect(next_address(url_for("accounts.account")), 303)


@blueprint.get("/xac-nhan-may", endpoint="card_requests")
def waiting_phones() -> Response:
    actor = require(Right.MANAGE_MEMBERS)
    with transaction() as session:
        managed = actor.where(Right.MANAGE_MEMBERS)
        mark = parse_query(schemas.PageMark).trang
        found = queries.waiting_requests(session, managed, clock.machine_now(), mark)
        response = page("accounts/card_requests.html", found=found, rows=[(row[0], row[1]) for row in found.rows])
    response.headers["Refresh"] = "15"
    return response


@blueprint.post("/xac-nhan-may/<uuid:card_request_id>")
def card_decide(card_request_id: UUID) -> BaseResponse:
    actor = require(Right.MANAGE_MEMBERS)
    form = parse(schemas.Decision)
    with transaction() as session:
        card_requests.decide(session, actor, card_request_id, right_person=form.word == "right")
    return redirect(url_for("accounts.card_requests"), 303)

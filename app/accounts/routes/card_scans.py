"""Pages of a card on the phone that scanned it."""

from flask import Response, redirect, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.accounts import card_requests, card_scans, schemas, tokens
from app.accounts.routes.base import agent, blueprint, signing_key
from app.accounts.routes.sign_in import leave_old, or_raise, welcome
from app.actor import SYSTEM
from app.web import keep_cookie, page, parse, read_cookie, transaction, visitor_address

DEVICE_COOKIE = "hoi_may"
TWO_YEARS = 2 * 365 * 86400
WAITING_REFRESH_SECONDS = 4


@blueprint.get("/the")
def card_typed() -> Response:
    return page("accounts/card_typed.html")


@blueprint.post("/the")
def card_typed_send() -> BaseResponse:
    """The code under the QR, for a phone whose camera fails."""
    form = parse(schemas.TypedCode)
    with transaction(SYSTEM) as session:
        secret = card_scans.typed_secret(session, form.code)
    return redirect(url_for("accounts.card", secret=secret), 303)


@blueprint.get("/the/<secret>")
def card(secret: str) -> Response:
    """Shows whose card this is; binds nothing, so that whatever fetches addresses ahead of people does no harm."""
    with transaction(SYSTEM) as session:
        found = card_scans.scan(session, secret, device_token=_device_token())
    response = page("accounts/card.html", card=found, secret=secret)
    if found.state == card_scans.CardState.WAITING:
        response.headers["Refresh"] = str(WAITING_REFRESH_SECONDS)
    response.headers["Referrer-Policy"] = (
        "same-origin"  # the address is a secret; with no-referrer a form would tell no Origin
    )
    return response


@blueprint.post("/the/<secret>")
def card_pin(secret: str) -> BaseResponse:
    form, token = parse(schemas.Pin), _device_token() or tokens.new_token()
    with transaction(SYSTEM) as session:
        outcome = card_scans.enter_by_pin(
            session, secret, form.pin, key=signing_key(), device_token=token, agent=agent(), address=visitor_address()
        )
        leave_old(session, outcome)
    return _keep_device(welcome(or_raise(outcome), url_for("accounts.after_sign_in")), token)


@blueprint.post("/the/<secret>/vao")
def card_enter(secret: str) -> BaseResponse:
    with transaction(SYSTEM) as session:
        granted = card_scans.enter(
            session, secret, device_token=_device_token(), agent=agent(), address=visitor_address()
        )
        leave_old(session, granted)
    return _keep_device(welcome(granted, url_for("accounts.after_sign_in")), _device_token())


@blueprint.post("/the/<secret>/hoi")
def card_ask(secret: str) -> BaseResponse:
    form, token = parse(schemas.AskCard), _device_token() or tokens.new_token()
    with transaction(SYSTEM) as session:
        card_requests.ask(session, secret, form.id, device_token=token, agent=agent())
    return _keep_device(redirect(url_for("accounts.card", secret=secret), 303), token)


def _device_token() -> str:
    return read_cookie(DEVICE_COOKIE)[:100]


def _keep_device(response: BaseResponse, token: str) -> BaseResponse:
    keep_cookie(response, DEVICE_COOKIE, token, max_age_seconds=TWO_YEARS)
    return response

"""Pages of signing in and out, and of changing one's password."""

from flask import Response, redirect, url_for
from flask import session as browser_session
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from app.accounts import actors, attempts, consents, devices, passwords, schemas, signin
from app.accounts.routes.base import BROWSER_COOKIE, agent, blueprint, next_address, origin, own_person_id, signing_key
from app.accounts.signin import Granted
from app.actor import SYSTEM
from app.errors import Forbidden, HoiError, TooMany
from app.messages import N_
from app.web import (
    Kept,
    become,
    clear_sign_in_cookie,
    keep_cookie,
    page,
    parse,
    set_sign_in_cookie,
    signed_in,
    transaction,
    unseal,
)
from app.web import actor as current_actor

BROWSER_DAYS = 400  # the longest that browsers keep a cookie


@blueprint.get("/dang-nhap")
def sign_in() -> Response:
    return page("accounts/sign_in.html", next=next_address(""))


@blueprint.post("/dang-nhap")
def sign_in_send() -> BaseResponse:
    form = parse(schemas.SignInForm)
    key, here = signing_key(), origin()
    with transaction(SYSTEM) as session:
        tried = passwords.begin_sign_in(session, phone=form.phone, key=key, origin=here)
    if isinstance(tried, TooMany):
        raise tried
    right = passwords.matches(tried, form.password)  # no transaction is open: it takes long on purpose
    with transaction(SYSTEM) as session:
        outcome = passwords.end_sign_in(session, tried, form.password, right=right, key=key, origin=here, agent=agent())
        leave_old(session, outcome)
    granted = or_raise(outcome)
    kept = unseal(form.kept) if form.kept and not granted.must_change else None
    if kept is not None:
        return send_again(granted, kept)
    first = "accounts.change_password" if granted.must_change else "accounts.after_sign_in"
    return welcome(granted, url_for(first, next=next_address("") or None))


def send_again(granted: Granted, kept: Kept) -> BaseResponse:
    """Signed in again: what was typed before is shown once more, to be sent by hand, and only by who had opened that page."""
    browser_session.clear()
    become(granted.token)
    if kept.by not in {None, granted.person_id}:
        error = Forbidden(
            "form_of_another", N_("Đã vào. Trang chưa gửi lúc nãy do người khác mở, nên Hồi không gửi thay.")
        )
        return signed(page("not_sent.html", error=error, kept=None, signed_out=False), granted)
    error = Forbidden("send_again", N_("Đã vào lại. Chữ viết lúc nãy chưa được gửi: xem lại rồi bấm “Gửi lại”."))
    return signed(page("not_sent.html", error=error, kept=kept, signed_out=False), granted)


def or_raise(outcome: Granted | HoiError) -> Granted:
    if isinstance(outcome, HoiError):
        raise outcome
    return outcome


def leave_old(session: Session, outcome: Granted | HoiError) -> None:
    """Whoever signs in anew in a browser leaves the sign-in it had."""
    old = current_actor()
    if isinstance(outcome, Granted) and old.sign_in_id is not None:
        signin.end(session, old, old.sign_in_id)


def welcome(granted: Granted, address: str) -> BaseResponse:
    browser_session.clear()  # a token of the form made before the sign-in is worth nothing after it
    return signed(redirect(address, 303), granted)


def signed(response: BaseResponse, granted: Granted) -> BaseResponse:
    """The answer with the cookies of a new sign-in."""
    set_sign_in_cookie(response, granted.token, max_age_seconds=granted.max_age_seconds)
    actor = attempts.remember(origin().browser, granted.person_id, signing_key())
    keep_cookie(response, BROWSER_COOKIE, actor, max_age_seconds=BROWSER_DAYS * 86400)
    return response


@blueprint.post("/dang-xuat")
def sign_out() -> BaseResponse:
    actor = current_actor()
    if actor.sign_in_id is not None:
        with transaction() as session:
            signin.end(session, actor, actor.sign_in_id)
    browser_session.clear()
    return clear_sign_in_cookie(redirect(url_for("accounts.sign_in"), 303))


@blueprint.post("/dang-xuat-moi-noi")
def sign_out_everywhere() -> BaseResponse:
    actor = signed_in()
    form = parse(schemas.SignOutEverywhere)
    with transaction() as session:
        devices.sign_out_everywhere(session, actor, unbind=form.unbind)
    browser_session.clear()
    return clear_sign_in_cookie(redirect(url_for("accounts.sign_in"), 303))


@blueprint.get("/doi-mat-khau")
def change_password() -> Response:
    actor = signed_in(to_change_password=True)
    return page("accounts/change_password.html", must_change=actor.must_change_password)


@blueprint.post("/doi-mat-khau")
def change_password_send() -> BaseResponse:
    actor = signed_in(to_change_password=True)
    form = parse(schemas.ChangePassword)
    with transaction(SYSTEM) as session:
        tried = passwords.begin_change(session, actor, key=signing_key())
    if isinstance(tried, TooMany):
        raise tried
    right = passwords.matches(tried, form.current)
    with transaction(SYSTEM) as session:
        refused = passwords.end_change(session, actor, tried, form, right=right)
    if refused is not None:
        raise refused
    told = actor.must_change_password
    return redirect(
        url_for("accounts.after_sign_in", next=next_address("") or None) if told else next_address(url_for(".account")),
        303,
    )


@blueprint.get("/vao")
def after_sign_in() -> BaseResponse:
    """First the questions of consent, then where they were going; who has answered them or may not by card passes through."""
    actor = signed_in()
    with transaction() as session:
        asked = actors.card_suffices(session, actor) and consents.unasked(session, own_person_id(actor))
    return redirect(url_for("accounts.consents", next=next_address()) if asked else next_address(), 303)

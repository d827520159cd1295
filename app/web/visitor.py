"""The visitor: the actor of the request, their cookie, and the one transaction in their name."""

from collections.abc import Iterator
from contextlib import contextmanager

from flask import g, request
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from app.actor import PUBLIC, SYSTEM, Actor, Right
from app.errors import PasswordTold, Unauthenticated, forbidden
from app.messages import N_
from app.web.cookies import drop_cookie, keep_cookie, read_cookie
from app.web.process import web
from app.web.requests import proxied_unknown

SIGN_IN_COOKIE = "hoi_phien"


def actor() -> Actor:
    """The current actor: built once per request from the sign-in cookie, else PUBLIC."""
    if "actor" not in g:
        token = read_cookie(SIGN_IN_COOKIE)
        found = PUBLIC
        if token:
            with web().database.transaction(SYSTEM) as session:
                found = web().build_actor(session, token, g.request_id)
        g.actor = found.with_request(g.request_id)
    known: Actor = g.actor
    return known


def become(token: str) -> None:
    """From here on this request acts as who has just signed in."""
    with web().database.transaction(SYSTEM) as session:
        g.actor = web().build_actor(session, token, g.request_id).with_request(g.request_id)
    g.pop("me", None)


def signed_in(*, to_change_password: bool = False) -> Actor:
    """The current actor, who must be a person. Raises Unauthenticated, which pages answer with the sign-in page, and
    PasswordTold, answered with the page that changes it, everywhere but there.
    """
    known = actor()
    if not known.is_person:
        raise Unauthenticated("sign_in_needed", N_("Cần đăng nhập để xem trang này."))
    if known.must_change_password and not to_change_password:
        raise PasswordTold(
            "password_told",
            N_("Mật khẩu này do người khác đặt. Hãy đổi sang mật khẩu của riêng mình rồi mới dùng tiếp."),
        )
    return known


def require(*rights: Right) -> Actor:
    """The current actor, who must have one of the rights somewhere: where, the verb asks. Raises Unauthenticated or Forbidden."""
    known = signed_in()
    if not known.may_somewhere(*rights):
        raise forbidden()
    return known


@contextmanager
def transaction(as_actor: Actor | None = None) -> Iterator[Session]:
    """The one transaction of this request, as the current actor."""
    who = as_actor or actor()
    with web().database.transaction(who) as session:
        around = g.get("transaction")
        if who is g.get("actor"):
            g.transaction = session
        try:
            yield session
        finally:
            g.transaction = around


@contextmanager
def page_transaction() -> Iterator[Session]:
    """For what the frame of a page asks: the request's transaction where the page is made within it, else one of its own.

    A second one beside it would hold a second connection: with as many requests as connections, all would wait for each other.
    """
    if (around := g.get("transaction")) is not None:
        yield around
        return
    with transaction() as session:
        yield session


def visitor_address() -> str:
    """Where the request comes from; empty where a proxy nearby hides it that HOI_TRUSTED_PROXIES does not count.

    To take the proxy's own address for everybody's would make one limit for the whole province.
    """
    return "" if proxied_unknown(web().settings) else request.remote_addr or ""


def set_sign_in_cookie(response: BaseResponse, token: str, *, max_age_seconds: int) -> BaseResponse:
    keep_cookie(response, SIGN_IN_COOKIE, token, max_age_seconds=max_age_seconds)
    return response


def clear_sign_in_cookie(response: BaseResponse) -> BaseResponse:
    drop_cookie(response, SIGN_IN_COOKIE)
    return response

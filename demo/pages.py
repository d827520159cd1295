"""The demo's pages: the first page with the ways in, one tap into them, and the page of all parts."""

from flask import Blueprint, Response, redirect, request, url_for
from sqlalchemy import select
from werkzeug.wrappers import Response as BaseResponse

from app.accounts import signin
from app.accounts.models import PersonalData, SignInMethod
from app.actor import SYSTEM
from app.doors.welcome import queries
from app.errors import not_found
from app.web import actor, page, set_sign_in_cookie, transaction, web
from demo import cast, loader

blueprint = Blueprint("demo", __name__, template_folder="templates")


def front() -> BaseResponse:
    """Everybody's first page, with the ways in; whoever is signed in goes on to their own door."""
    door = queries.door_of(actor())
    if door is not None:
        return redirect(url_for(door), 303)
    with transaction(SYSTEM) as session:
        samples = loader.samples(session, web().settings)
    return page("demo/front.html", ways_in=cast.PLAYERS, demo_password=cast.PASSWORD, samples=samples)


@blueprint.post("/_vao-thu/<who>")
def try_out(who: str) -> BaseResponse:
    """One tap into the demo as one of its people."""
    player = next((p for p in cast.PLAYERS if p.key == who), None)
    if player is None:
        raise not_found()
    with transaction(SYSTEM) as session:
        person_id = session.scalar(select(PersonalData.person_id).where(PersonalData.phone == player.phone))
        if person_id is None:
            raise not_found("người này trong bản mẫu", "this person of the demo")
        agent = request.headers.get("User-Agent", "")
        granted = signin.start(session, SYSTEM, person_id, method=SignInMethod.PASSWORD, agent=agent)
    response = redirect(url_for("welcome.front"), 303)
    return set_sign_in_cookie(response, granted.token, max_age_seconds=granted.max_age_seconds)


@blueprint.get("/_style")
def style() -> Response:
    """Every part in every state, for those who build pages; for no search engine."""
    response = page("demo/style.html", form_errors={"sai": "Tháng hai không có ngày 31. Bác xem lại ngày."})
    response.headers["X-Robots-Tag"] = "noindex"
    return response

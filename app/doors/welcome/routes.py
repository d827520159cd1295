"""The first page, looking up a code, what Hồi is, and in the demo the ways in and the page of all parts."""

from typing import Any
from urllib.parse import quote

from flask import Blueprint, Response, current_app, g, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app import clock
from app.accounts import signin
from app.accounts.models import SignInMethod
from app.actor import SYSTEM
from app.addresses import split_address
from app.doors import demo
from app.doors.demo import cast
from app.doors.welcome import queries
from app.errors import not_found
from app.messages import N_
from app.web import actor, page, page_transaction, set_sign_in_cookie, transaction, web

blueprint = Blueprint("welcome", __name__, template_folder="templates")

LONGEST_TYPED = 300


@blueprint.get("/")
def front() -> BaseResponse:
    """Everybody's first page; whoever is signed in goes on to their own door."""
    door = queries.door_of(actor())
    if door is not None and door in current_app.view_functions:
        return redirect(url_for(door), 303)
    return page("welcome/front.html", **_demo())


@blueprint.get("/gioi-thieu")
def about() -> Response:
    return page("welcome/about.html")


@blueprint.get("/tra-cuu")
def look_up() -> BaseResponse:
    """A typed or pasted code goes on to its own address, which answers in words also when it cannot be a code."""
    typed = request.args.get("ma", "").strip()[:LONGEST_TYPED]
    return redirect(address_of(typed) if typed else url_for("consumer.type_code"), 303)


def address_of(typed: str) -> str:
    """Where a typed code leads; of an address that somebody copied only the path counts, whatever its host."""
    path = split_address(typed if "//" in typed else f"//{typed}").path
    if path.startswith(("/t/", "/01/")):
        return quote(path, safe="/%")
    return url_for("consumer.type_code", code=typed)


# --- the demo ----------------------------------------------------------------------------------------------------


def _demo() -> dict[str, Any]:
    if not web().settings.demo:
        return {}
    with transaction(SYSTEM) as session:
        found = demo.samples(session, web().settings)
    return {"ways_in": cast.PLAYERS, "demo_password": cast.PASSWORD, "samples": found}


def ways_in() -> tuple[cast.Player, ...]:
    """Who may be tried out, in the demo only."""
    return cast.PLAYERS if web().settings.demo else ()


@blueprint.post("/_vao-thu/<who>")
def try_out(who: str) -> BaseResponse:
    """One tap into the demo as one of its people. There is no such address outside the demo."""
    player = next((p for p in ways_in() if p.key == who), None)
    if player is None:
        raise not_found()
    with transaction(SYSTEM) as session:
        person_id = queries.person_with_phone(session, player.phone)
        if person_id is None:
            raise not_found(N_("người này trong bản mẫu"))
        agent = request.headers.get("User-Agent", "")
        granted = signin.start(session, SYSTEM, person_id, method=SignInMethod.PASSWORD, agent=agent)
    response = redirect(url_for("welcome.front"), 303)
    return set_sign_in_cookie(response, granted.token, max_age_seconds=granted.max_age_seconds)


@blueprint.get("/_style")
def style() -> Response:
    """Every part in every state, for those who build pages; in the demo only, and for no search engine."""
    if not web().settings.demo:
        raise not_found()
    response = page("style.html", form_errors={"sai": "Tháng hai không có ngày 31. Bác xem lại ngày."})
    response.headers["X-Robots-Tag"] = "noindex"
    return response


# --- the frame of desk pages -------------------------------------------------------------------------------------


@blueprint.app_context_processor
def frame() -> dict[str, object]:
    """`desk_facts()` and `has_page(endpoint)` for templates; asked only by pages that have a desk's frame."""
    return {"desk_facts": _desk_facts, "has_page": current_app.view_functions.__contains__}


def _desk_facts() -> queries.Desk:
    if "desk" not in g:
        with page_transaction() as session:
            g.desk = queries.desk(session, actor(), clock.machine_now())
    facts: queries.Desk = g.desk
    return facts

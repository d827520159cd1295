"""The first page, looking up a code, and what Hồi is."""

from urllib.parse import quote

from flask import Blueprint, Response, current_app, g, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app import clock
from app.addresses import split_address
from app.doors.welcome import queries
from app.web import actor, page, page_transaction

blueprint = Blueprint("welcome", __name__, template_folder="templates")

LONGEST_TYPED = 300


@blueprint.get("/")
def front() -> BaseResponse:
    """Everybody's first page; whoever is signed in goes on to their own door."""
    door = queries.door_of(actor())
    if door is not None and door in current_app.view_functions:
        return redirect(url_for(door), 303)
    return page("welcome/front.html")


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

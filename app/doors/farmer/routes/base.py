"""The blueprints of the farmer's pages and of the phone's address, and what the pages share."""

from datetime import datetime
from uuid import UUID

from flask import Blueprint, redirect, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from app import clock
from app.actor import Actor, Right
from app.doors.farmer import pictures, queries
from app.doors.farmer.queries import House
from app.errors import not_found
from app.trace.models import Site
from app.trace.steps import STEPS, Step
from app.web import actor as current_actor
from app.web import require

blueprint = Blueprint("farmer", "app.doors.farmer", url_prefix="/nong-dan", template_folder="templates")
items = Blueprint("items", "app.doors.farmer", url_prefix="/api/v1")


@blueprint.context_processor
def _pictures() -> dict[str, object]:
    return {"hues": pictures.HUES, "site_icons": pictures.SITE_ICONS}


def signed_in_writer() -> Actor:
    return require(Right.KEEP_DIARY)


def household_in_address(house: House) -> UUID | None:
    """The household for an address; one's own first household needs no mention."""
    own = queries.own_house_ids(current_actor())
    return None if own and own[0] == house.id else house.id


def to_households() -> BaseResponse:
    return redirect(url_for("farmer.households"), 303)


def step_of(kind: str) -> Step:
    if kind not in STEPS:
        raise not_found()
    return STEPS[kind]


def site_of(session: Session, house: House, asked: UUID | None) -> Site:
    return queries.site(queries.sites(session, house), asked).site


def short_moment(when: datetime) -> str:
    """The hour for today, else the day: as short as a state line must be."""
    moment = clock.local(when)
    return f"{moment:%H:%M}" if moment.date() == clock.today() else f"{moment:%d/%m}"

"""An official's own place, and the pages of province and commune."""

from typing import Annotated, Literal
from uuid import UUID

from flask import Response, redirect
from pydantic import BaseModel, ConfigDict, StringConstraints
from werkzeug.wrappers import Response as BaseResponse

from app import clock
from app.criteria import queries as criteria
from app.criteria.rules import outside_period
from app.doors.official import queries
from app.doors.official.routes.base import URLS, blueprint, place_url, signed_in_official, title_of, trail_to
from app.places import queries as places
from app.places.models import Level
from app.web import page, parse_query, transaction


class Browse(BaseModel):
    """Search, order and filter of a list."""

    model_config = ConfigDict(frozen=True)
    q: Annotated[str, StringConstraints(max_length=100, strip_whitespace=True)] = ""
    xep: Literal["ten", "dat", "chua-dat", "thieu", "thon"] = "ten"
    loc: Literal["tat-ca", "dat", "chua-dat", "thieu"] = "tat-ca"
    xem: Literal["bang", "o"] = "bang"


@blueprint.get("/thon-thong-minh")
def home() -> BaseResponse:
    """The official's own place; several places are listed."""
    actor = signed_in_official()
    with transaction() as session:
        own = [p for p in queries.own_places(session, actor) if p.level in URLS]
        if len(own) == 1:
            return redirect(place_url(own[0]), 303)
        villages = [p for p in own if p.level == Level.VILLAGE]
        return page(
            "official/home.html",
            own=[(p, place_url(p)) for p in own if p.level != Level.VILLAGE],
            lines=queries.village_lines(session, villages),
            pack=criteria.pack(),
        )


@blueprint.get("/tinh")
def province() -> Response:
    actor = signed_in_official()
    asked = parse_query(Browse)
    today = clock.today()
    with transaction() as session:
        here = queries.place_of(session, actor, places.province(session).id, Level.PROVINCE)
        pack = criteria.pack()
        lines = queries.commune_lines(session, today)
        total = queries.total(line.tally for line in lines)
        found = queries.villages_named(session, actor, asked.q, today) if asked.q else []
        above = places.chains(session, [p.id for p in found])
        return page(
            "official/province.html",
            here=here,
            asked=asked,
            pack=pack,
            outside=outside_period(pack, today),
            lines=_sorted(_filtered(lines, asked), asked),
            communes=len(lines),
            total=total,
            clauses=queries.clause_lines(session, today, pack, total.total),
            found=[(p, place_url(p), places.full_name(p, above.get(p.id, ()))) for p in found],
            computed_at=criteria.computed_at(session),
        )


def _filtered(lines: list[queries.CommuneLine], asked: Browse) -> list[queries.CommuneLine]:
    keep = {
        "dat": lambda t: t.met > 0,
        "chua-dat": lambda t: t.unmet > 0,
        "thieu": lambda t: t.insufficient + t.not_assessed > 0,
    }.get(asked.loc)
    return [line for line in lines if keep is None or keep(line.tally)]


def _sorted(lines: list[queries.CommuneLine], asked: Browse) -> list[queries.CommuneLine]:
    """By name, or the largest number first."""
    key = {
        "dat": lambda t: t.met,
        "chua-dat": lambda t: t.unmet,
        "thieu": lambda t: t.insufficient + t.not_assessed,
        "thon": lambda t: t.total,
    }.get(asked.xep)
    return lines if key is None else sorted(lines, key=lambda line: -key(line.tally))


@blueprint.get("/xa/<uuid:commune_id>")
def commune(commune_id: UUID) -> Response:
    actor = signed_in_official()
    asked = parse_query(Browse)
    today = clock.today()
    with transaction() as session:
        here = queries.place_of(session, actor, commune_id, Level.COMMUNE)
        pack = criteria.pack()
        lines = queries.village_lines(session, places.current_villages(session, commune_id, today))
        wanted: dict[str, set[str | None]] = {"dat": {"met"}, "chua-dat": {"unmet"}, "thieu": {"insufficient", None}}
        overall = wanted.get(asked.loc)
        total = criteria.tallies(session, today).get(commune_id, criteria.Tally())
        shown = [x for x in lines if overall is None or (x.assessment.overall if x.assessment else None) in overall]
        if asked.xep == "dat":
            shown.sort(key=lambda x: -(x.assessment.met if x.assessment else -1))
        return page(
            "official/commune.html",
            here=here,
            asked=asked,
            pack=pack,
            trail=trail_to(actor, places.ancestors(session, commune_id), title_of(here)),
            outside=outside_period(pack, today),
            lines=shown,
            total=total,
            clauses=queries.clause_lines(session, today, pack, total.total, commune_id),
            computed_at=max((x.assessment.confirmed_at for x in lines if x.assessment), default=None),
        )

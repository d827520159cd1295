"""An official's own place, and the pages of province and commune."""

from typing import Annotated, Literal
from uuid import UUID

from flask import Response, redirect
from pydantic import BaseModel, ConfigDict, StringConstraints
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from app import clock
from app.actor import Actor
from app.criteria import queries as criteria
from app.criteria.rules import Value, outside_period
from app.doors.official import queries
from app.doors.official.routes.base import URLS, blueprint, place_url, signed_in_official, title_of, trail_to
from app.places import queries as places
from app.places.models import Level, Place
from app.web import language, page, parse_query, transaction


class Browse(BaseModel):
    """Search, order and filter of a list."""

    model_config = ConfigDict(frozen=True)
    q: Annotated[str, StringConstraints(max_length=100, strip_whitespace=True)] = ""
    xep: Literal["ten", "dat", "chua-dat", "thieu", "thon"] = "ten"
    loc: Literal["tat-ca", "dat", "chua-dat", "thieu"] = "tat-ca"
    xem: Literal["bang", "o"] = "bang"
    trang: str = ""


class Answers(BaseModel):
    """Which answers to one criterion are listed, and which page of the list."""

    model_config = ConfigDict(frozen=True)
    loc: Literal["tat-ca", "dat", "chua-dat", "thieu", "khong-ap-dung"] = "tat-ca"
    trang: str = ""


ANSWERS: dict[str, tuple[Value, ...]] = {
    "tat-ca": tuple(Value),
    "dat": (Value.MET,),
    "chua-dat": (Value.UNMET,),
    "thieu": (Value.INSUFFICIENT,),
    "khong-ap-dung": (Value.NOT_APPLICABLE,),
}


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
        found = queries.villages_named(session, actor, asked.q, today, asked.trang) if asked.q else None
        above = places.chains(session, [p.id for p in found.rows]) if found else {}
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
            found=found,
            named=[(p, place_url(p), places.full_name(p, above.get(p.id, ()), language())) for p in found.rows]
            if found
            else [],
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
        found = criteria.villages_of_commune(
            session,
            commune_id,
            today,
            overall=() if asked.loc == "tat-ca" else ANSWERS[asked.loc],
            best_first=asked.xep == "dat",
            mark=asked.trang,
        )
        total = criteria.tallies(session, today).get(commune_id, criteria.Tally())
        return page(
            "official/commune.html",
            here=here,
            asked=asked,
            pack=pack,
            trail=trail_to(actor, places.ancestors(session, commune_id), title_of(here)),
            outside=outside_period(pack, today),
            lines=queries.village_lines(session, found.rows),
            found=found,
            total=total,
            clauses=queries.clause_lines(session, today, pack, total.total, commune_id),
            computed_at=criteria.computed_at_in(session, commune_id, today),
        )


@blueprint.get("/tinh/tieu-chi/<criterion_id>")
def province_clause(criterion_id: str) -> Response:
    actor = signed_in_official()
    with transaction() as session:
        here = queries.place_of(session, actor, places.province(session).id, Level.PROVINCE)
        return _clause_page(session, actor, here, criterion_id)


@blueprint.get("/xa/<uuid:commune_id>/tieu-chi/<criterion_id>")
def commune_clause(commune_id: UUID, criterion_id: str) -> Response:
    actor = signed_in_official()
    with transaction() as session:
        here = queries.place_of(session, actor, commune_id, Level.COMMUNE)
        return _clause_page(session, actor, here, criterion_id)


def _clause_page(session: Session, actor: Actor, here: Place, criterion_id: str) -> Response:
    """The villages of a place by their answer to one criterion."""
    asked = parse_query(Answers)
    today = clock.today()
    commune_id = here.id if here.level == Level.COMMUNE else None
    tallies = criteria.tallies(session, today)
    counted = sum(t.total for place_id, t in tallies.items() if commune_id in {None, place_id})
    clause = queries.clause_line(session, today, criteria.pack(), counted, criterion_id, commune_id)
    found = criteria.villages_answering(
        session,
        actor,
        today,
        criterion_id,
        ANSWERS[asked.loc],
        commune_id=commune_id,
        mark=asked.trang,
    )
    return page(
        "official/clause.html",
        here=here,
        asked=asked,
        clause=clause,
        counts={key: clause.answering(values) for key, values in ANSWERS.items()},
        lines=queries.village_lines(session, found.rows),
        found=found,
        communes=places.places(session, {v.parent_id for v in found.rows if v.parent_id}) if commune_id is None else {},
        trail=trail_to(actor, [here, *places.ancestors(session, here.id)], ""),
    )

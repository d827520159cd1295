"""Pages of village, commune and province officials: the answer first, then why, then the record."""

import csv
import io
from datetime import date, datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from flask import Blueprint, Response, redirect, url_for
from pydantic import BaseModel, ConfigDict, StringConstraints
from werkzeug.wrappers import Response as BaseResponse

from app import clock
from app.actor import OFFICIAL_ROLES, Actor
from app.criteria import queries as criteria
from app.criteria import village_facts
from app.criteria.rules import VALUE_LABELS, Value, outside_period
from app.doors.official import queries
from app.errors import Invalid
from app.places import queries as places
from app.places.models import Level, Place
from app.web import language, page, parse_query, require, transaction, web

blueprint = Blueprint("official", __name__, template_folder="templates")

REFRESH_SECONDS = 2


class Browse(BaseModel):
    """Search, order and filter of a list."""

    model_config = ConfigDict(frozen=True)
    q: Annotated[str, StringConstraints(max_length=100, strip_whitespace=True)] = ""
    xep: Literal["ten", "dat", "chua-dat", "thieu", "thon"] = "ten"
    loc: Literal["tat-ca", "dat", "chua-dat", "thieu"] = "tat-ca"
    xem: Literal["bang", "o"] = "bang"


class Dials(BaseModel):
    """The day asked about, and until when records count as known; both optional."""

    model_config = ConfigDict(frozen=True)
    ngay: date | None = None
    biet_den: date | None = None

    @property
    def known_at(self) -> datetime | None:
        """The last moment of the day, never later than now."""
        if self.biet_den is None:
            return None
        return min(clock.start_of_day(self.biet_den + timedelta(days=1)) - timedelta(microseconds=1), clock.now())


def _dials() -> Dials:
    """Raises Invalid for a day that is not from the pack's first day until today."""
    dials = parse_query(Dials)
    first, last = criteria.pack().effective_from, clock.today()
    faults = [
        (name, label_vi, label_en)
        for name, day, label_vi, label_en in (
            ("ngay", dials.ngay, "Tính đến ngày", "As of"),
            ("biet_den", dials.biet_den, "Theo điều đã ghi đến hết ngày", "As recorded by the end of"),
        )
        if day is not None and not first <= day <= last
    ]
    if faults:  # a page of its own tells of it, without a form to put each sentence beside its field
        raise Invalid(
            "day_out_of_range",
            vi=" ".join(
                f"Ô “{vi}”: chọn một ngày từ {first:%d/%m/%Y} đến hôm nay, {last:%d/%m/%Y}." for _, vi, _ in faults
            ),
            en=" ".join(f"“{en}”: choose a day from {first:%d/%m/%Y} to today, {last:%d/%m/%Y}." for *_, en in faults),
            field=faults[0][0],
        )
    return dials


def _official() -> Actor:
    return require(*OFFICIAL_ROLES)


URLS = {Level.PROVINCE: "official.province", Level.COMMUNE: "official.commune", Level.VILLAGE: "official.village"}


def _url(place: Place) -> str:
    if place.level == Level.PROVINCE:
        return url_for("official.province")
    if place.level == Level.COMMUNE:
        return url_for("official.commune", commune_id=place.id)
    return url_for("official.village", village_id=place.id)


def _trail(actor: Actor, above: list[Place], here: str) -> list[tuple[str, str | None]]:
    """From the widest place that the official answers for down to here."""
    steps: list[tuple[str, str | None]] = [
        (_title(p), _url(p) if p.id in actor.places else None) for p in reversed(above)
    ]
    return [*((text, url) for text, url in steps if url), (here, None)]


def _title(place: Place) -> str:
    text = f"{place.kind_word} {place.name}"
    return text[:1].upper() + text[1:]


# --- home --------------------------------------------------------------------------------------------------------


@blueprint.get("/thon-thong-minh")
def home() -> BaseResponse:
    """The official's own place; several places are listed."""
    actor = _official()
    with transaction() as session:
        own = [p for p in queries.own_places(session, actor) if p.level in URLS]
        if len(own) == 1:
            return redirect(_url(own[0]), 303)
        villages = [p for p in own if p.level == Level.VILLAGE]
        return page(
            "official/home.html",
            own=[(p, _url(p)) for p in own if p.level != Level.VILLAGE],
            lines=queries.village_lines(session, villages),
            pack=criteria.pack(),
        )


# --- province and commune ----------------------------------------------------------------------------------------


@blueprint.get("/tinh")
def province() -> Response:
    actor = _official()
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
            found=[(p, _url(p), places.full_name(p, above.get(p.id, ()))) for p in found],
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
    actor = _official()
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
            trail=_trail(actor, places.ancestors(session, commune_id), _title(here)),
            outside=outside_period(pack, today),
            lines=shown,
            total=total,
            clauses=queries.clause_lines(session, today, pack, total.total, commune_id),
            computed_at=max((x.assessment.confirmed_at for x in lines if x.assessment), default=None),
        )


@blueprint.get("/tinh/thon.csv")
def province_csv() -> Response:
    actor = _official()
    with transaction() as session:
        queries.place_of(session, actor, places.province(session).id, Level.PROVINCE)
        communes = places.current_communes(session, clock.today())
        by_commune = {c.id: c for c in communes}
        villages = places.all_villages(session, clock.today())
        villages.sort(key=lambda v: (by_commune[v.parent_id].sort_key if v.parent_id in by_commune else "", v.sort_key))
        lines = queries.village_lines(session, villages)
    return _csv([(by_commune.get(x.place.parent_id) if x.place.parent_id else None, x) for x in lines], "thon.csv")


@blueprint.get("/xa/<uuid:commune_id>/thon.csv")
def commune_csv(commune_id: UUID) -> Response:
    actor = _official()
    with transaction() as session:
        here = queries.place_of(session, actor, commune_id, Level.COMMUNE)
        lines = queries.village_lines(session, places.current_villages(session, commune_id, clock.today()))
    return _csv([(here, x) for x in lines], "thon.csv")


def _csv(rows: list[tuple[Place | None, queries.VillageLine]], name: str) -> Response:
    """One line for each village, as spreadsheets in Vietnam open it: semicolons, and the mark of UTF-8."""
    pack = criteria.pack()
    sample = ["dữ liệu mẫu"] if web().settings.demo else []
    out = io.StringIO()
    write = csv.writer(out, delimiter=";")
    write.writerow(
        ["Mã xã", "Xã, phường", "Mã thôn", "Thôn", "Kết quả", "Số tiêu chí đạt", "Số tiêu chí xét"]
        + [f"{c.clause}. {c.label.vi}" for c in pack.criterion]
        + ["Số tiêu chí có mục thôi tính", "Tính lúc", *(["Ghi chú"] if sample else [])]
    )
    for commune_place, line in rows:
        found = line.assessment
        write.writerow(
            [commune_place.code if commune_place else "", _title(commune_place) if commune_place else ""]
            + [line.place.code, _safe(_title(line.place))]
            + [_word(found.overall if found else None), found.met if found else "", found.total if found else ""]
            + [_word(found.values.get(c.id) if found else None) for c in pack.criterion]
            + [line.flags if found else ""]
            + [f"{clock.local(found.confirmed_at):%d/%m/%Y %H:%M}" if found else ""]
            + sample
        )
    return Response(
        ("\ufeff" + out.getvalue()).encode(),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _safe(text: str) -> str:
    """A spreadsheet runs a cell that begins like a formula."""
    return "'" + text if text[:1] in {"=", "+", "-", "@", "\t"} else text


def _word(value: str | None) -> str:
    return VALUE_LABELS[Value(value)].vi if value else "Chưa tính"


# --- one village -------------------------------------------------------------------------------------------------


def _view(village_id: UUID) -> tuple[Actor, Dials, queries.VillageView]:
    actor = _official()
    dials = _dials()
    return actor, dials, queries.village(web().database, actor, village_id, as_of=dials.ngay, known_at=dials.known_at)


@blueprint.get("/thon/<uuid:village_id>")
def village(village_id: UUID) -> Response:
    actor, dials, view = _view(village_id)
    response = page(
        "official/village.html",
        view=view,
        dials=dials,
        trail=_trail(actor, view.above, _title(view.village)),
        may_record=actor.has(*village_facts.RECORDERS),
    )
    if view.waiting:
        response.headers["Refresh"] = str(REFRESH_SECONDS)
    return response


@blueprint.get("/thon/<uuid:village_id>/tieu-chi/<criterion_id>")
def criterion(village_id: UUID, criterion_id: str) -> Response:
    actor, dials, view = _view(village_id)
    return page(
        "official/criterion.html",
        view=view,
        dials=dials,
        proof=queries.proof(web().database, actor, view, criterion_id, language()),
        trail=_trail(actor, [view.village, *view.above], ""),
        may_record=actor.has(*village_facts.RECORDERS),
    )


@blueprint.get("/thon/<uuid:village_id>/in")
def dossier(village_id: UUID) -> Response:
    """The self-assessment on paper."""
    actor, dials, view = _view(village_id)
    proofs = [queries.proof(web().database, actor, view, c.criterion.id, language()) for c in view.clauses]
    return page("official/dossier.html", view=view, dials=dials, proofs=proofs)

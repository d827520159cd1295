"""Recording what is true of a village."""

from datetime import date
from typing import Annotated, Any, Literal, get_origin
from uuid import UUID

from flask import Response, request, url_for
from flask_babel import gettext as _
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from app import clock, media
from app.actor import Actor
from app.criteria import queries, village_facts
from app.criteria.models import VillageFact, needs_proof
from app.criteria.routes.base import COUNTED, PAGES, blueprint, counted, page_of, recorded, recorded_unproven, recorder
from app.criteria.routes.digital_addresses import record_addresses
from app.criteria.routes.proofs import MAX_PROOFS, evidence, sent_proofs
from app.criteria.schemas import FIELDS, VALUES, Kind, NewVillageFact, NoModel, Shape
from app.db import new_id
from app.errors import not_found
from app.fields import ClientId, Day
from app.forms import HttpsLink, Search
from app.messages import N_
from app.places import queries as places
from app.places.models import Level, Place
from app.web import done, page, parse, parse_data, parse_query, takes_files, transaction

MANY = {"group_activity", "feedback", "model"}


class Common(BaseModel):
    """What every form of a fact has, beside the fact's own fields."""

    model_config = ConfigDict(frozen=True)
    id: ClientId
    subject: UUID | None = None
    observed_on: Day | None = None
    link: HttpsLink | None = None
    note: Annotated[str, StringConstraints(max_length=1000)] = ""
    keep: tuple[str, ...] = ()


class Withdrawn(BaseModel):
    """Which record was a mistake."""

    model_config = ConfigDict(frozen=True)
    id: ClientId
    fact: UUID


class Asked(BaseModel):
    """Which thing a form is about, none means a new one; which page of what was recorded, of the register's entries, and of the
    places that are listed, of whose names `q` is a part.
    """

    model_config = ConfigDict(frozen=True)
    muc: UUID | None = None
    trang: str = ""
    trang_so: str = ""
    trang_noi: str = ""
    q: Search = ""


class Declared(BaseModel):
    model_config = ConfigDict(frozen=True)
    none: tuple[Literal["production_business", "public_order", "smart_lighting", "smart_agriculture"], ...] = Field(
        min_length=1
    )
    observed_on: Day


@blueprint.get("/thon/<uuid:village_id>/ghi")
def recording(village_id: UUID) -> Response:
    actor = recorder(village_id)
    with transaction() as session:
        village = _village(places.place(session, village_id))
        standing = queries.standing_facts(session, [village_id], as_of=clock.today(), known_at=clock.now())
        by_kind: dict[str, list[VillageFact]] = {}
        for row in standing.get(village_id, []):
            by_kind.setdefault(row.kind, []).append(row)
        return page(
            "criteria/recording.html",
            village=village,
            above=places.ancestors(session, village_id),
            by_kind=by_kind,
            pages=PAGES,
            pack=queries.pack(),
            premises=counted(places.premises_of(session, village_id, clock.today())),
            history=queries.fact_history(
                session,
                actor,
                village_id,
                [k for k in VALUES if k != "digital_address"],
                mark=request.args.get("trang", ""),
            ),
        )


def _village(found: Place) -> Place:
    if found.level != Level.VILLAGE:
        raise not_found(N_("thôn này"))
    return found


@blueprint.get("/thon/<uuid:village_id>/ghi/<kind>")
def record(village_id: UUID, kind: str) -> Response:
    """The form of one kind of fact, filled with what stands, and everything recorded before."""
    actor = recorder(village_id)
    kinds, criterion_id = page_of(kind)
    asked = parse_query(Asked)
    today = clock.today()
    with transaction() as session:
        village = _village(places.place(session, village_id))
        standing = queries.standing_facts(session, [village_id], as_of=today, known_at=clock.now(), kinds=kinds).get(
            village_id, []
        )
        history = queries.fact_history(session, actor, village_id, kinds, mark=asked.trang)
        main = [r for r in standing if r.kind == kinds[0]]
        about = next((r for r in main if r.subject == asked.muc), None) if asked.muc else None
        if kinds[0] not in MANY and main:
            about = main[0]
        return page(
            f"criteria/{kinds[0]}.html",
            village=village,
            above=places.ancestors(session, village_id),
            kind=kind,
            criterion=queries.pack().criteria_by_id[criterion_id],
            about=about,
            standing=main,
            declared_none={r.value["field"]: r for r in standing if r.kind == "no_model"},
            fields=FIELDS,
            history=history,
            superseded=queries.superseded_ids(session, [r.id for r in history.rows]),
            asked=asked,
            **_listed(session, village_id, kinds[0], asked, today),
            premises_names=places.premises_labels(session, village_id) if kind == "dia-chi-so" else {},
            codes={UUID(r.value["premises_id"]): r.value.get("code") for r in standing if r.kind == "digital_address"},
            households=queries.households_of(session, [village_id]),
            max_proofs=MAX_PROOFS,
        )


def _listed(session: Session, village_id: UUID, kind: Kind, asked: Asked, today: date) -> dict[str, Any]:
    """The entries of a register, and the places that have a code each: a page of either."""
    if kind == "digital_address":
        return {
            "premises_count": len(counted(places.premises_of(session, village_id, today))),
            "premises": places.premises_page(
                session, village_id, today, kinds=COUNTED, search=asked.q, mark=asked.trang_noi
            ),
        }
    if kind not in MANY:
        return {}
    without = "answered_on" if kind == "feedback" else ""
    return {"entries": queries.standing_page(session, village_id, kind, on=today, mark=asked.trang_so, without=without)}


@blueprint.post("/thon/<uuid:village_id>/ghi/<kind>")
@takes_files(2 * media.MAX_PHOTO_BYTES)
def record_send(village_id: UUID, kind: str) -> BaseResponse:
    actor = recorder(village_id)
    kinds, _criterion = page_of(kind)
    if kinds[0] == "digital_address":
        return record_addresses(actor, village_id)
    if "declare_none" in request.form:
        return _declare_none(actor, village_id)
    common = parse(Common)
    shape = VALUES[kinds[0]]
    value = _value(shape)
    subject = _subject(village_id, kinds[0], common)
    sent = sent_proofs(actor)
    with transaction() as session:
        before = queries.evidence_of(session, village_id, kinds[0], subject)
        proofs = evidence(session, [e for e in common.keep if e in before], sent, common.link)
        village_facts.record_village_fact(
            session,
            actor,
            village_id,
            NewVillageFact(
                id=common.id,
                kind=kinds[0],
                subject=subject,
                observed_on=common.observed_on or _observed_on(value),
                evidence=proofs,
                note=common.note,
            ),
            value,
        )
    if not proofs and needs_proof(kinds[0], value.model_dump()):
        return recorded_unproven(village_id, kind, subject if kinds[0] in MANY else None)
    return recorded(village_id)


def _subject(village_id: UUID, kind: str, common: Common) -> UUID:
    """A thing that the village has once has one subject; a new one of many is named by the form's own id."""
    if kind in MANY:
        return common.subject or common.id
    return village_facts.subject_of(village_id, kind)


def _observed_on(value: Shape) -> date:
    """The day a register's entry speaks of, where the form asks for no other."""
    for name in ("answered_on", "received_on"):
        day = getattr(value, name, None)
        if isinstance(day, date):
            return day
    return clock.today()


def _value(shape: type[Shape]) -> Shape:
    """The fact's own fields of the form; a box that is not ticked is a no."""
    data: dict[str, object] = {}
    for name, declared in shape.model_fields.items():
        if declared.annotation is bool:
            data[name] = request.form.get(name) == "1"
        elif get_origin(declared.annotation) is tuple:
            data[name] = request.form.getlist(name)
        elif request.form.get(name, "").strip():
            data[name] = request.form[name].strip()
    return parse_data(shape, data)


@blueprint.post("/thon/<uuid:village_id>/ghi/<kind>/rut-lai")
def withdraw_send(village_id: UUID, kind: str) -> BaseResponse:
    actor = recorder(village_id)
    page_of(kind)
    form = parse(Withdrawn)
    with transaction() as session:
        village_facts.withdraw_village_fact(session, actor, village_id, form.fact, form.id)
    return done(
        _("Đã rút lại. Kết quả của thôn tự tính lại trong vài giây."),
        url_for("criteria.record", village_id=village_id, kind=kind),
    )


def _declare_none(actor: Actor, village_id: UUID) -> BaseResponse:
    """The village says that it has no model in these fields, so that silence is not taken for an answer."""
    form = parse_data(
        Declared, {"none": request.form.getlist("none"), "observed_on": request.form.get("observed_on", "")}
    )
    with transaction() as session:
        for field in form.none:
            village_facts.record_village_fact(
                session,
                actor,
                village_id,
                NewVillageFact(
                    id=new_id(),
                    kind="no_model",
                    subject=village_facts.subject_of(village_id, "no_model", field),
                    observed_on=form.observed_on,
                ),
                NoModel(field=field),
            )
    return recorded(village_id)

"""Recording what is true of a village, and writing down what the province chose."""

import csv
import io
from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext as _
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy.orm import Session
from werkzeug.datastructures import FileStorage
from werkzeug.wrappers import Response as BaseResponse

from app import clock, media
from app.actor import Actor, Role
from app.criteria import queries, service
from app.criteria.models import VillageFact
from app.criteria.rules import Parameter
from app.criteria.schemas import (
    FIELDS,
    VALUES,
    DigitalAddress,
    Kind,
    NewParameterChoice,
    NewVillageFact,
    NoModel,
    Shape,
)
from app.db import fold, new_id
from app.errors import Invalid, InvalidMany, not_found
from app.places import queries as places
from app.places.models import Level, Place, Premises
from app.web import (
    accept_files,
    language,
    page,
    parse,
    parse_data,
    parse_query,
    require,
    signed_in,
    transaction,
    vn_date,
    web,
)

blueprint = Blueprint("criteria", __name__, template_folder="templates")
accept_files(blueprint, {"record_send": 4 * media.MAX_BYTES})

RECORDERS = tuple(service.RECORDERS)
CHOOSERS = (Role.PROVINCE_OFFICIAL, Role.ADMINISTRATOR)
# What the address says, the kinds of facts behind it, and what the pack calls the criterion they serve.
PAGES: dict[str, tuple[tuple[Kind, ...], str]] = {
    "to-cong-nghe-so": (("digital_group",), "to-cong-nghe-so"),
    "hoat-dong": (("group_activity",), "to-cong-nghe-so"),
    "kenh": (("channel",), "nen-tang-so"),
    "phan-anh": (("feedback",), "nen-tang-so"),
    "wifi": (("wifi",), "wifi-nha-van-hoa"),
    "dia-chi-so": (("digital_address",), "dia-chi-so"),
    "mo-hinh": (("model", "no_model"), "mo-hinh-chuyen-doi-so"),
}
MANY = {"group_activity", "feedback", "model"}
MAX_PROOFS = 4
Link = Annotated[str, StringConstraints(pattern=r"^https://[^\s]{3,300}$")]


class Common(BaseModel):
    """What every form of a fact has, beside the fact's own fields."""

    model_config = ConfigDict(frozen=True)
    id: UUID
    subject: UUID | None = None
    observed_on: date | None = None
    link: Link | None = None
    note: Annotated[str, StringConstraints(max_length=1000)] = ""
    keep: tuple[str, ...] = ()


class Withdrawn(BaseModel):
    """Which record was a mistake."""

    model_config = ConfigDict(frozen=True)
    id: UUID
    fact: UUID


class Asked(BaseModel):
    """Which thing a form is about; none means a new one."""

    model_config = ConfigDict(frozen=True)
    muc: UUID | None = None


class Addresses(BaseModel):
    model_config = ConfigDict(frozen=True)
    observed_on: date
    list: Annotated[str, StringConstraints(max_length=200_000)] = ""
    link: Link | None = None


class Chosen(BaseModel):
    model_config = ConfigDict(frozen=True)
    id: UUID
    value: int | str
    valid_from: date
    decided_by: Annotated[str, StringConstraints(min_length=3, max_length=300)]


class Declared(BaseModel):
    model_config = ConfigDict(frozen=True)
    none: tuple[Literal["production_business", "public_order", "smart_lighting", "smart_agriculture"], ...] = Field(
        min_length=1
    )
    observed_on: date


@blueprint.app_template_filter("both")
def both(value: object) -> str:
    """A text of the criteria in the visitor's language."""
    found: str = value.text(language())  # type: ignore[attr-defined]  # rules.Both
    return found


@blueprint.app_template_filter("iso_date")
def iso_date(value: str | None) -> str:
    """A day kept as text, as people write it."""
    return vn_date(date.fromisoformat(value)) if value else ""


# --- recording ---------------------------------------------------------------------------------------------------


def _recorder(village_id: UUID) -> Actor:
    """Who may record here. Raises NotFound for a village elsewhere, Forbidden for a role that records nothing."""
    actor = signed_in()
    queries.require_village(actor, village_id)
    return require(*RECORDERS)


@blueprint.get("/thon/<uuid:village_id>/ghi")
def recording(village_id: UUID) -> Response:
    actor = _recorder(village_id)
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
            premises=_counted(places.premises_of(session, village_id, clock.today())),
            history=queries.fact_history(
                session, actor, village_id, [k for k in VALUES if k != "digital_address"], limit=20
            ),
        )


def _village(found: Place) -> Place:
    if found.level != Level.VILLAGE:
        raise not_found("thôn này", "this village")
    return found


def _counted(premises: list[Premises]) -> list[Premises]:
    return [p for p in premises if p.kind in {"household", "office"}]


@blueprint.get("/thon/<uuid:village_id>/ghi/<kind>")
def record(village_id: UUID, kind: str) -> Response:
    """The form of one kind of fact, filled with what stands, and everything recorded before."""
    actor = _recorder(village_id)
    kinds, criterion_id = _page_of(kind)
    asked = parse_query(Asked)
    today = clock.today()
    with transaction() as session:
        village = _village(places.place(session, village_id))
        standing = queries.standing_facts(session, [village_id], as_of=today, known_at=clock.now(), kinds=kinds).get(
            village_id, []
        )
        history = queries.fact_history(session, actor, village_id, kinds, limit=400)
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
            superseded=queries.superseded_ids(session, [r.id for r in history]),
            premises=_counted(places.premises_of(session, village_id, today)),
            premises_names=places.premises_labels(session, village_id) if kind == "dia-chi-so" else {},
            codes={UUID(r.value["premises_id"]): r.value.get("code") for r in standing if r.kind == "digital_address"},
            households=queries.households_of(session, [village_id]),
            max_proofs=MAX_PROOFS,
        )


def _page_of(kind: str) -> tuple[tuple[Kind, ...], str]:
    if kind not in PAGES:
        raise not_found()
    return PAGES[kind]


@blueprint.post("/thon/<uuid:village_id>/ghi/<kind>")
def record_send(village_id: UUID, kind: str) -> BaseResponse:
    actor = _recorder(village_id)
    kinds, _criterion = _page_of(kind)
    if kinds[0] == "digital_address":
        return _record_addresses(actor, village_id)
    if "declare_none" in request.form:
        return _declare_none(actor, village_id)
    common = parse(Common)
    shape = VALUES[kinds[0]]
    value = _value(shape)
    subject = _subject(village_id, kinds[0], common)
    with transaction() as session:
        before = queries.evidence_of(session, village_id, kinds[0], subject)
        service.record_village_fact(
            session,
            actor,
            village_id,
            NewVillageFact(
                id=common.id,
                kind=kinds[0],
                subject=subject,
                observed_on=common.observed_on or _observed_on(value),
                evidence=_evidence(session, [e for e in common.keep if e in before], common.link),
                note=common.note,
            ),
            value,
        )
    return _recorded(village_id)


def _recorded(village_id: UUID) -> BaseResponse:
    flash(_("Đã ghi. Kết quả của thôn tự tính lại trong vài giây."), "met")
    return redirect(url_for("official.village", village_id=village_id), 303)


def _subject(village_id: UUID, kind: str, common: Common) -> UUID:
    """A thing that the village has once has one subject; a new one of many is named by the form's own id."""
    if kind in MANY:
        return common.subject or common.id
    return service.subject_of(village_id, kind)


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
        elif str(declared.annotation).startswith("tuple["):
            data[name] = request.form.getlist(name)
        elif request.form.get(name, "").strip():
            data[name] = request.form[name].strip()
    return parse_data(shape, data)


def _evidence(session: Session, kept: Sequence[str], link: str | None) -> tuple[str, ...]:
    """What is kept of the row before, photos and PDFs of this form, and the link."""
    store = media.store_for(web().settings)
    found = list(kept)
    for sent in _files():
        raw = sent.stream.read(media.MAX_BYTES + 1)
        found.append(
            media.store_pdf(session, store, raw)
            if raw.startswith(b"%PDF-")
            else media.store_photo(session, store, raw).sha256
        )
    if link:
        found.append(link)
    return tuple(dict.fromkeys(found))


def _files() -> list[FileStorage]:
    sent = [f for f in request.files.getlist("proof") if f.filename]
    if len(sent) > MAX_PROOFS:
        raise Invalid(
            "too_many_files",
            vi=f"Mỗi lần gửi nhiều nhất {MAX_PROOFS} tệp. Bác ghi lần này rồi gửi thêm lần sau.",
            en=f"At most {MAX_PROOFS} files at once. Send the others in a second round.",
            field="proof",
        )
    return sent


@blueprint.post("/thon/<uuid:village_id>/ghi/<kind>/rut-lai")
def withdraw_send(village_id: UUID, kind: str) -> BaseResponse:
    actor = _recorder(village_id)
    _page_of(kind)
    form = parse(Withdrawn)
    with transaction() as session:
        service.withdraw_village_fact(session, actor, village_id, form.fact, form.id)
    flash(_("Đã rút lại. Kết quả của thôn tự tính lại trong vài giây."), "met")
    return redirect(url_for("criteria.record", village_id=village_id, kind=kind), 303)


def _declare_none(actor: Actor, village_id: UUID) -> BaseResponse:
    """The village says that it has no model in these fields, so that silence is not taken for an answer."""
    form = parse_data(
        Declared, {"none": request.form.getlist("none"), "observed_on": request.form.get("observed_on", "")}
    )
    with transaction() as session:
        for field in form.none:
            service.record_village_fact(
                session,
                actor,
                village_id,
                NewVillageFact(
                    id=new_id(),
                    kind="no_model",
                    subject=service.subject_of(village_id, "no_model", field),
                    observed_on=form.observed_on,
                ),
                NoModel(field=field),
            )
    return _recorded(village_id)


# --- digital addresses: the whole list at once -------------------------------------------------------------------


def _record_addresses(actor: Actor, village_id: UUID) -> BaseResponse:
    form = parse(Addresses)
    with transaction() as session:
        premises = _counted(places.premises_of(session, village_id, clock.today()))
        typed = _typed_codes(premises)
        listed, lines = _listed_codes(premises, form.list)
        service.record_digital_addresses(
            session,
            actor,
            village_id,
            codes=typed | listed,
            observed_on=form.observed_on,
            evidence=_evidence(session, (), form.link),
            lines=lines,
        )
    return _recorded(village_id)


def _typed_codes(premises: list[Premises]) -> dict[UUID, str | None]:
    """What stands in the boxes of the list; a box that was not on the page says nothing."""
    found: dict[UUID, str | None] = {}
    faults: list[Invalid] = []
    for one in premises:
        name = f"code_{one.id}"
        if name in request.form:
            _take(found, faults, one, request.form[name], name)
    if faults:
        raise InvalidMany(faults)
    return found


def _take(found: dict[UUID, str | None], faults: list[Invalid], one: Premises, text: str, field: str) -> None:
    code = "".join(c for c in text if not c.isspace() and c not in ".-")
    if not code:
        found[one.id] = None
    elif len(code) == 10 and code.isascii() and code.isdigit():  # noqa: PLR2004 - the ten digits of a Vpostcode
        found[one.id] = DigitalAddress(premises_id=one.id, code=code).code
    else:
        faults.append(
            Invalid(
                "not_a_digital_address",
                vi=f"{one.label}: mã địa chỉ số có đúng 10 chữ số, đang là “{text.strip()[:30]}”.",
                en=f"{one.label}: a digital address has exactly 10 digits, this is “{text.strip()[:30]}”.",
                field=field,
            )
        )


def _listed_codes(premises: list[Premises], text: str) -> tuple[dict[UUID, str | None], dict[UUID, int]]:
    """Lines of a pasted list, "label;code" with a semicolon, a tab or a comma between: the codes, and the line of each."""
    if not text.strip():
        return {}, {}
    by_label = {fold(p.label): p for p in premises}
    first = text.strip().splitlines()[0]
    between = next((s for s in ("\t", ";", ",") if s in first), ";")
    found: dict[UUID, str | None] = {}
    lines: dict[UUID, int] = {}
    faults: list[Invalid] = []
    for number, line in enumerate(csv.reader(io.StringIO(text.strip()), delimiter=between), start=1):
        if not any(cell.strip() for cell in line):
            continue
        one = by_label.get(fold(line[0]))
        if one is None and number == 1 and not any(c.isdigit() for c in line[-1]):
            continue  # the heading
        if one is None:
            faults.append(
                Invalid(
                    "label_unknown",
                    vi=f"Dòng {number}: thôn không có nơi nào tên “{line[0].strip()[:60]}” trong danh sách.",
                    en=f"Line {number}: the village's list has no place called “{line[0].strip()[:60]}”.",
                    field="list",
                )
            )
            continue
        _take(found, faults, one, line[1] if len(line) > 1 else "", "list")
        lines[one.id] = number
    if faults:
        raise InvalidMany(faults) if len(faults) > 1 else faults[0]
    return {premises_id: code for premises_id, code in found.items() if code is not None}, lines


# --- the province's choices --------------------------------------------------------------------------------------


@blueprint.get("/tinh/lua-chon")
def choices() -> Response:
    signed_in()
    pack = queries.pack()
    with transaction() as session:
        actor = signed_in()
        in_force = queries.choices_in_force(session, pack.id, as_of=clock.today(), known_at=clock.now())
        return page(
            "criteria/choices.html",
            pack=pack,
            in_force=in_force,
            values=pack.settings({name: row.value for name, row in in_force.items()}),
            may_choose=actor.has(*CHOOSERS),
        )


def _parameter(name: str) -> Parameter:
    found = queries.pack().parameters_by_name.get(name)
    if found is None:
        raise not_found()
    return found


@blueprint.get("/tinh/lua-chon/<name>")
def choose(name: str) -> Response:
    require(*CHOOSERS)
    parameter = _parameter(name)
    pack = queries.pack()
    with transaction() as session:
        chosen = queries.choices(session, pack.id, as_of=clock.today(), known_at=clock.now())
        return page(
            "criteria/choose.html",
            pack=pack,
            parameter=parameter,
            value=pack.settings(chosen)[name],
            history=[r for r in queries.choice_history(session, pack.id) if r.name == name],
        )


@blueprint.post("/tinh/lua-chon/<name>")
def choose_send(name: str) -> BaseResponse:
    actor = require(*CHOOSERS)
    parameter = _parameter(name)
    form = parse(Chosen)
    with transaction() as session:
        service.choose_parameter(
            session,
            actor,
            NewParameterChoice(
                id=form.id,
                pack_id=queries.SMART_VILLAGE,
                name=parameter.name,
                value=form.value,
                valid_from=form.valid_from,
                decided_by=form.decided_by,
            ),
        )
    flash(_("Đã ghi lựa chọn. Kết quả của các thôn tự tính lại từ ngày áp dụng."), "met")
    return redirect(url_for("criteria.choices"), 303)

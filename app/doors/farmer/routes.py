"""The farmer's pages: home, one step in taps, what was written; and the address where phones hand in what they kept."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, g, jsonify, redirect, request, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from app import clock, media
from app.actor import SYSTEM, Actor
from app.db import fold
from app.doors.farmer import pictures, queries, schemas
from app.doors.farmer.queries import House, LogView
from app.errors import Conflict, Forbidden, HoiError, Invalid, not_found
from app.media import MAX_BYTES
from app.trace import diary
from app.trace import queries as trace
from app.trace import sites as trace_sites
from app.trace.models import Site, SiteKind, Witness
from app.trace.queries import Waiting
from app.trace.schemas import CareLogIn, CorrectionIn, NewSite
from app.trace.steps import STEPS, Step
from app.web import (
    UNITS,
    accept_files,
    csrf,
    language,
    page,
    parse,
    parse_data,
    parse_query,
    quantity,
    require,
    transaction,
    vn_date,
    web,
)
from app.web import actor as current_actor

blueprint = Blueprint("farmer", __name__, url_prefix="/nong-dan", template_folder="templates")
items = Blueprint("items", __name__, url_prefix="/api/v1")
accept_files(blueprint, {"save": MAX_BYTES, "save_correction": MAX_BYTES, "save_site": MAX_BYTES})

NO_REASON = "Không ghi lý do"  # kept with the correction, in Vietnamese whatever the page's language
MEDICINES = ("spraying", "vaccinating", "treating")
WAIT_CHOICES = (0, 3, 7, 10, 14, 21, 30)
DIARY_PAGE = 40
UNITS_SHOWN = 2


@blueprint.context_processor
def _pictures() -> dict[str, object]:
    return {"hues": pictures.HUES, "site_icons": pictures.SITE_ICONS}


def _writer() -> Actor:
    return require(*queries.WRITERS)


def _ho(house: House) -> UUID | None:
    """The household for an address; one's own first household needs no mention."""
    own = queries.own_house_ids(current_actor())
    return None if own and own[0] == house.id else house.id


def _elsewhere() -> BaseResponse:
    return redirect(url_for("farmer.households"), 303)


# --- home --------------------------------------------------------------------------------------------------------


@blueprint.get("")
def home() -> BaseResponse:
    """The plot worked on last is chosen already; a manager or officer without a household chooses one first."""
    actor, asked = _writer(), parse_query(schemas.Asked)
    with transaction() as session:
        house = queries.house(session, actor, asked.ho)
        if house is None:
            return _elsewhere()
        known = queries.today(session, house)
        here = queries.site(known, asked.vuon) if known.sites else None
        called = queries.names(session, [actor.person_id])
        recent = queries.recent(session, house.id, most=4)
        return page(
            "farmer/home.html",
            who=called.get(actor.person_id) if actor.person_id else None,
            date_text=_weekday(clock.today()),
            house=house,
            ho=_ho(house),
            sites=[s.site for s in known.sites],
            site=here.site if here else None,
            hint=queries.hint(session, house, here) if here else None,
            tiles=pictures.tiles(here.site.kind if here else None),
            recent=recent,
            saved_text=_moment(max(log.recorded_at for log in recent)) if recent else "",
        )


def _moment(when: datetime) -> str:
    """The hour for today, else the day: as short as a state line must be."""
    moment = clock.local(when)
    return f"{moment:%H:%M}" if moment.date() == clock.today() else f"{moment:%d/%m}"


def _weekday(day: date) -> str:
    names = (_("Thứ hai"), _("Thứ ba"), _("Thứ tư"), _("Thứ năm"), _("Thứ sáu"), _("Thứ bảy"), _("Chủ nhật"))
    return f"{names[day.weekday()]}, {vn_date(day)}"


@blueprint.get("/ho")
def households() -> Response:
    asked = parse_query(schemas.SearchHouse)
    actor = _writer()
    with transaction() as session:
        found, total = queries.households(session, actor, asked.q)
        return page("farmer/households.html", households=found, total=total, search=asked.q)


@blueprint.get("/muc-khac")
def more() -> Response:
    actor = _writer()
    links = [(url_for("farmer.show_diary"), "book", _("Việc đã ghi"))] if queries.own_house_ids(actor) else []
    links.append((url_for("farmer.households"), "home", _("Ghi hộ nhà khác")))
    if queries.own_house_ids(actor):
        links.append((url_for("farmer.new_site"), "plus", _("Thêm chỗ làm")))
    links.append((url_for("accounts.account"), "user", _("Tài khoản và máy này")))
    return page("farmer/more.html", links=links)


@blueprint.get("/viec-khac")
def kinds() -> BaseResponse:
    actor, asked = _writer(), parse_query(schemas.Asked)
    with transaction() as session:
        house = queries.house(session, actor, asked.ho)
        if house is None:
            return _elsewhere()
        site = _site(session, house, asked.vuon)
        shown = {s.kind for s in pictures.tiles(site.kind)}
        others = [s for s in STEPS.values() if s.kind not in shown]
        return page("farmer/kinds.html", house=house, ho=_ho(house), site=site, steps=others)


# --- one step ----------------------------------------------------------------------------------------------------


@blueprint.get("/ghi/<kind>")
def write(kind: str) -> BaseResponse:
    actor, step, asked = _writer(), _step(kind), parse_query(schemas.Asked)
    with transaction() as session:
        house = queries.house(session, actor, asked.ho)
        if house is None:
            return _elsewhere()
        return _step_page(session, house, _site(session, house, asked.vuon), step)


@blueprint.post("/ghi/<kind>")
def save(kind: str) -> BaseResponse:
    actor, step, asked = _writer(), _step(kind), parse_query(schemas.Asked)
    form = parse(schemas.StepForm, photos=_photos())
    with transaction() as session:
        house = queries.house(session, actor, asked.ho)
        if house is None:
            return _elsewhere()
        if form.choose_again:
            return _form_again(session, house, step, form)
        log = CareLogIn(id=form.id, **_facts(session, house, step, form))
        questions = _questions(session, house, step, log, new=True)
        if questions and not form.anyway:
            site = _site(session, house, log.site_id)
            back = url_for("farmer.home", ho=_ho(house), vuon=site.id)
            return _ask(questions, form.photos, where=site.name, back=back)
        [outcome] = diary.record_care_logs(session, house.writer, [log])
    return _after(outcome.error, form.id)


def _after(error: HoiError | None, log_id: UUID) -> BaseResponse:
    """Raised outside the transaction: what contradicts the stored step is kept beside it."""
    if isinstance(error, Conflict):
        raise Conflict(
            "already_written",
            vi="Việc này đã ghi rồi, nhưng nội dung khác lần này. Bác mở Việc đã ghi, bấm Sửa.",
            en="This step is written already, with other content. Open what was written and correct it.",
        )
    if error is not None:
        raise error
    return redirect(url_for("farmer.show", log_id=log_id), 303)


def _form_again(
    session: Session, house: House, step: Step, form: schemas.StepForm, *, before: LogView | None = None
) -> Response:
    """Back from a question: the form with everything as it was chosen."""
    g.form_values = request.form
    return _step_page(session, house, _site(session, house, form.site_id), step, before=before)


def _step_page(session: Session, house: House, site: Site, step: Step, *, before: LogView | None = None) -> Response:
    used = trace.recent_materials(session, house.scope, step.kind, limit=4)
    named = pictures.materials(step, [u.material for u in used])
    last = {u.unit: u.quantity for u in reversed(used) if u.unit}
    if before is not None and before.unit:
        last[before.unit] = before.quantity
    units = [
        {
            "unit": unit,
            "word": _unit_word(unit),
            "icon": pictures.UNIT_ICONS[unit],
            "amounts": pictures.amounts(step, unit, last.get(unit)),
        }
        for unit in sorted(step.units, key=lambda unit: unit not in last)
    ]
    known = {u.pre_harvest_days for u in used} | ({before.pre_harvest_days} if before else set())
    wait = queries.waiting(session, site.id, clock.today()) if step.harvest and before is None else None
    own = queries.people(session, house)
    doer = str(before.performed_by or "other") if before else _usual_doer(house, own)
    return page(
        "farmer/write.html",
        step=step,
        site=site,
        house=house,
        before=before,
        back=url_for("farmer.show", log_id=before.id)
        if before
        else url_for("farmer.home", ho=_ho(house), vuon=site.id),
        yesterday=clock.today() - timedelta(days=1),
        materials=named,
        last_used=used[0].material if used else "",
        days={u.material: u.pre_harvest_days for u in used},
        units=units,
        shown_first=[u["unit"] for u in units[:UNITS_SHOWN]],
        tapped={f"{u['unit']}:{n}" for u in units for n in u["amounts"]},
        wait_choices=sorted({*WAIT_CHOICES, *(n for n in known if n is not None)}),
        people=own,
        performer=doer,
        wait=wait,
        wait_text=_wait_text(wait) if wait else "",
        kept_photos=_kept(),
    )


def _usual_doer(house: House, own: list[queries.Doer]) -> str:
    """Oneself at home; in somebody else's household the one person there is, if there is only one."""
    if not house.acting_for:
        return str(house.writer.person_id)
    return str(own[0].person_id) if len(own) == 1 else ""


def _unit_word(unit: str) -> str:
    vi, en = UNITS[unit]
    return en if language() == "en" else vi


def _facts(
    session: Session, house: House, step: Step, form: schemas.StepForm, *, before: LogView | None = None
) -> dict[str, Any]:
    photos = tuple(dict.fromkeys((before.photos if before else ()) + form.photos))
    measured, unit = form.measured(step)
    happened_at = form.happened_at()
    cycle = queries.cycle_on(session, form.site_id, clock.local(happened_at).date())
    saw = house.acting_for and form.seen == "saw"
    material = form.material_named(step)
    unnamed_before = before is not None and before.material is None
    if step.kind in MEDICINES and material is None and not photos and not unnamed_before:
        raise Invalid(
            "medicine_unnamed",
            vi="Chưa rõ thuốc gì. Bác chọn một ô thuốc, viết tên vào ô “Loại khác”, hoặc chụp ảnh nhãn rồi ghi.",
            en="Which medicine is missing. Choose one, write its name under “Another kind”, or take a photo of the label.",
            field="material_other",
        )
    return {
        "site_id": form.site_id,
        "cycle_id": cycle.id if cycle else None,
        "kind": step.kind,
        "happened_at": happened_at,
        "performed_by": _doer(session, house, form),
        "witnessed_by": house.writer.person_id if saw else None,
        "witness": house.witness if saw or not house.acting_for else Witness.FARMER,
        "material": material,
        "quantity": measured,
        "unit": unit,
        "pre_harvest_days": _waiting_days(session, house, step, form),
        "note": form.note,
        "photos": photos,
    }


def _waiting_days(session: Session, house: House, step: Step, form: schemas.StepForm) -> int | None:
    """The days as chosen; but days that the page had chosen for another material give way to this material's own.

    Without a script nothing on the page follows the material that a finger chooses.
    """
    if not step.waits:
        return None
    material = form.material_named(step) or ""
    if form.days_for is None or fold(form.days_for) == fold(material) or form.pre_harvest_days != form.days_shown:
        return form.pre_harvest_days
    return _known_days(session, house, step, material)


def _known_days(session: Session, house: House, step: Step, material: str) -> int | None:
    used = trace.recent_materials(session, house.scope, step.kind, limit=400)
    return next((u.pre_harvest_days for u in used if fold(u.material) == fold(material)), None)


def _doer(session: Session, house: House, form: schemas.StepForm) -> UUID | None:
    """Somebody of this household or the writer; None for people without a name here: hired hands, exchanged labour."""
    if form.performed_by == "other":
        return None
    if form.performed_by not in {house.writer.person_id, *(p.person_id for p in queries.people(session, house))}:
        raise Invalid(
            "not_of_the_household",
            vi="Người này không còn trong hộ. Bác chọn lại ai làm.",
            en="This person is not of the household. Choose again who did it.",
            field="performed_by",
        )
    return form.performed_by


# --- what is asked once more -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Question:
    """Something unlikely or incomplete, asked once in words. `yes` and `no` are the two buttons; `leave`: no ends here,
    otherwise it leads back to the form.
    """

    title: str
    text: str
    yes: str
    no: str
    hint: str = ""
    leave: bool = False


def _questions(
    session: Session, house: House, step: Step, log: CareLogIn | CorrectionIn, *, new: bool
) -> list[Question]:
    """What to ask before this is stored, the gravest first."""
    asked = []
    day = clock.local(log.happened_at).date()
    wait = queries.waiting(session, log.site_id, day) if step.harvest else None
    if wait is not None:
        asked.append(
            Question(
                _("Chưa hết cách ly"),
                _wait_text(wait),
                _("Đã hái rồi, vẫn ghi"),
                _("Chưa hái, về đầu"),
                _("Ghi bây giờ, lô làm từ chỗ này sẽ bị giữ lại cho đến khi hợp tác xã xem."),
                leave=True,
            )
        )
    known = _known_days(session, house, step, log.material) if step.waits and log.material else None
    if known is not None and known > (-1 if log.pre_harvest_days is None else log.pre_harvest_days):
        asked.append(_shorter_wait(log, known))
    if new and step.units and log.quantity is None and not log.photos and log.note is None:
        what = f"{step.en if language() == 'en' else step.vi} {log.material or ''}".strip()
        asked.append(
            Question(
                _("Chưa chọn lượng"),
                _("Bác chưa chọn lượng. Ghi “%(what)s” không có lượng?", what=what),
                _("Ghi không có lượng"),
                _("Chọn lượng"),
            )
        )
    return asked


def _shorter_wait(log: CareLogIn | CorrectionIn, known: int) -> Question:
    title, hint = _("Cách ly ít ngày hơn trước"), _("Bác xem lại số trên nhãn. Hái sớm quá, hàng sẽ bị giữ lại.")
    if log.pre_harvest_days is None:
        text = _("%(what)s: trước đây ghi cách ly %(n)s ngày, lần này chưa rõ.", what=log.material, n=known)
        return Question(title, text, _("Chưa rõ, vẫn ghi"), _("Chọn lại số ngày"), hint)
    text = _(
        "%(what)s: trước đây ghi cách ly %(n)s ngày, lần này chỉ %(now)s ngày.",
        what=log.material, n=known, now=log.pre_harvest_days,
    )  # fmt: skip
    yes = _("Đúng %(n)s ngày, vẫn ghi", n=log.pre_harvest_days)
    return Question(title, text, yes, _("Chọn lại số ngày"), hint)


def _wait_text(wait: Waiting) -> str:
    facts = {
        "what": wait.material or "",
        "day": vn_date(wait.applied_on),
        "n": (wait.allowed_from - wait.applied_on).days,
        "until": vn_date(wait.allowed_from),
    }
    if not wait.known:
        return str(
            _(
                "Lần dùng thuốc ngày %(day)s chưa rõ cách ly. Bác xem nhãn thuốc; chưa rõ thì từ %(until)s mới hái.",
                **facts,
            )
        )
    if wait.material:
        return str(_("%(day)s dùng %(what)s, cách ly %(n)s ngày: từ %(until)s mới được hái.", **facts))
    return str(_("%(day)s phun thuốc, cách ly %(n)s ngày: từ %(until)s mới được hái.", **facts))


def _ask(questions: list[Question], photos: tuple[str, ...], *, where: str, back: str) -> Response:
    """One page for all questions: yes sends the same form again, so nothing need be typed twice."""
    left_out = {"csrf_token", "anyway", "choose_again", "photos"}
    fields = [(k, v) for k, v in request.form.items(multi=True) if k not in left_out]
    fields += [("photos", sha) for sha in photos]
    return page("farmer/ask.html", questions=questions, first=questions[0], fields=fields, where=where, back=back)


# --- what was written --------------------------------------------------------------------------------------------


@blueprint.get("/nhat-ky")
def show_diary() -> BaseResponse:
    actor, asked = _writer(), parse_query(schemas.Older)
    with transaction() as session:
        house = queries.house(session, actor, asked.ho)
        if house is None:
            return _elsewhere()
        logs = queries.recent(session, house.id, before=asked.truoc, most=DIARY_PAGE)
        older = logs[-1].happened_at if len(logs) == DIARY_PAGE else None
        return page("farmer/diary.html", house=house, ho=_ho(house), logs=logs, older=older)


@blueprint.get("/viec/<uuid:log_id>")
def show(log_id: UUID) -> Response:
    actor = _writer()
    with transaction() as session:
        house, history = _history(session, actor, log_id)
        log = history[-1]
        return page(
            "farmer/show.html",
            may_correct=diary.may_correct(house.writer, house.id, history[0].witness),
            log=log,
            history=[(row, _told(earlier, row)) for earlier, row in zip([None, *history[:-1]], history, strict=True)],
            ho=_ho(house),
            saved_text=_moment(log.recorded_at),
            back=url_for("farmer.home", ho=_ho(house), vuon=log.site_id),
        )


def _told(before: LogView | None, row: LogView) -> str:
    """What was changed and why, as far as somebody said why."""
    changes = _changes(before, row) if before else []
    reason = [row.reason] if row.reason and row.reason != NO_REASON else []
    return "; ".join(changes + reason)


def _changes(before: LogView, after: LogView) -> list[str]:
    """What one version says otherwise than the one before it, each as “Cách ly: 0 → 3 ngày”."""
    if after.withdrawn:
        return []
    unwritten = _("chưa ghi")
    facts = (
        (_("Lượng"), *(quantity(v.quantity, v.unit) if v.quantity is not None else unwritten for v in (before, after))),
        (_("Dùng"), *(v.material or unwritten for v in (before, after))),
        (_("Ngày"), *(vn_date(v.day) for v in (before, after))),
        (
            _("Cách ly"),
            *(_("chưa rõ") if (n := v.pre_harvest_days) is None else _("%(n)s ngày", n=n) for v in (before, after)),
        ),
        (_("Người làm"), *(v.performer or _("người khác") for v in (before, after))),
        (_("Viết thêm"), *(v.note or unwritten for v in (before, after))),
        (_("Ảnh"), *(str(len(v.photos)) for v in (before, after))),
    )
    return [f"{what}: {old} → {new}" for what, old, new in facts if old != new]


def _history(session: Session, actor: Actor, log_id: UUID) -> tuple[House, list[LogView]]:
    """All rows of one step in order, for somebody who may write in that household. Raises NotFound."""
    rows = trace.chain(session, actor, log_id)
    house = queries.house(session, actor, rows[0].organisation_id)
    if house is None:
        raise not_found("việc này", "this step")
    return house, queries.views(session, rows)


@blueprint.get("/viec/<uuid:log_id>/sua")
def correct(log_id: UUID) -> BaseResponse:
    actor = _writer()
    with transaction() as session:
        house, history = _history(session, actor, log_id)
        diary.check_may_correct(house.writer, house.id, history[0].witness)
        before = history[-1]
        return _step_page(session, house, _site(session, house, before.site_id), before.step, before=before)


@blueprint.post("/viec/<uuid:log_id>/sua")
def save_correction(log_id: UUID) -> BaseResponse:
    actor = _writer()
    form = parse(schemas.StepForm, photos=_photos())
    with transaction() as session:
        house, history = _history(session, actor, log_id)
        before = history[-1]
        if form.choose_again:
            return _form_again(session, house, before.step, form, before=before)
        facts = _facts(session, house, before.step, form, before=before)
        correction = CorrectionIn(id=form.id, reason=form.reason or NO_REASON, **facts)
        questions = _questions(session, house, before.step, correction, new=False)
        if questions and not form.anyway:
            back = url_for("farmer.home", ho=_ho(house), vuon=before.site_id)
            return _ask(questions, form.photos, where=before.site, back=back)
        diary.correct_care_log(session, house.writer, before.id, correction)
    return _after(None, before.id)


@blueprint.post("/viec/<uuid:log_id>/bo")
def withdraw(log_id: UUID) -> BaseResponse:
    actor, form = _writer(), parse(schemas.Withdrawal)
    with transaction() as session:
        house, history = _history(session, actor, log_id)
    before = history[-1]
    if not before.withdrawn:
        lots = _lots_of(before) if diary.may_correct(house.writer, house.id, history[0].witness) else []
        if lots and not form.anyway:
            return _ask([_taken_from(lots)], (), where=before.site, back=url_for("farmer.show", log_id=before.id))
        with transaction() as session:
            diary.correct_care_log(session, house.writer, before.id, _withdrawal(before, form.id))
    return redirect(url_for("farmer.show", log_id=before.id), 303)


def _lots_of(log: LogView) -> list[str]:
    """The cooperative's batches are not the household's to read, but their numbers stand on every label."""
    if not log.step.harvest:
        return []
    with transaction(SYSTEM) as session:
        return trace.lots_of_harvest(session, log.id)


def _taken_from(lots: list[str]) -> Question:
    """Taking back a harvest puts the lots made from it on hold."""
    named = ", ".join(lots)
    return Question(
        _("Lần hái này đã vào lô"),
        _("Lần thu hoạch này đã vào lô %(lots)s. Bỏ đi thì lô %(lots)s sẽ bị tạm giữ.", lots=named),
        _("Ghi nhầm thật, vẫn bỏ"),
        _("Không bỏ"),
        _("Nếu chỉ sai số lượng hay sai ngày, bác bấm “Không bỏ”, rồi bấm Sửa."),
        leave=True,
    )


def _withdrawal(before: LogView, correction_id: UUID) -> CorrectionIn:
    """The same facts, taken back. Sent twice it has the same content."""
    return CorrectionIn(
        id=correction_id,
        site_id=before.site_id,
        cycle_id=before.cycle_id,
        kind=before.kind,
        happened_at=before.happened_at,
        performed_by=before.performed_by,
        witness=Witness(before.witness),
        witnessed_by=before.witnessed_by,
        material=before.material,
        quantity=before.quantity,
        unit=before.unit,
        pre_harvest_days=before.pre_harvest_days,
        note=before.note,
        photos=before.photos,
        reason="Ghi nhầm",
        withdrawn=True,
    )


# --- places of work ----------------------------------------------------------------------------------------------


def _step(kind: str) -> Step:
    if kind not in STEPS:
        raise not_found()
    return STEPS[kind]


def _site(session: Session, house: House, asked: UUID | None) -> Site:
    return queries.site(queries.today(session, house), asked).site


@blueprint.get("/cho-lam/them")
def new_site() -> BaseResponse:
    actor, asked = _writer(), parse_query(schemas.Asked)
    with transaction() as session:
        house = queries.house(session, actor, asked.ho)
        if house is None:
            return _elsewhere()
        kinds = [{"value": k.value, "text": _site_word(k), "icon": pictures.SITE_ICONS[k]} for k in SiteKind]
        return page("farmer/new_site.html", house=house, ho=_ho(house), kinds=kinds, kept_photos=_kept())


@blueprint.post("/cho-lam/them")
def save_site() -> BaseResponse:
    actor, asked = _writer(), parse_query(schemas.Asked)
    kept = _photos()
    form = parse(schemas.SiteForm, photos=kept)
    with transaction() as session:
        house = queries.house(session, actor, asked.ho)
        if house is None:
            return _elsewhere()
        if house.village_id is None:
            raise Invalid(
                "village_unknown",
                vi="Chưa rõ nhà này ở thôn nào nên chưa thêm được. Hợp tác xã hoặc cán bộ xã ghi thôn cho hộ trước.",
                en="The village of this household is not known yet. Ask the cooperative or the commune to set it.",
            )
        new = NewSite(
            id=form.id,
            organisation_id=house.id,
            kind=form.kind,
            name=form.name or _site_word(form.kind),
            village_id=house.village_id,
            photo_sha256=kept[0] if kept else None,
        )
        trace_sites.create_site(session, house.writer, new)
    return redirect(url_for("farmer.home", ho=_ho(house), vuon=form.id), 303)


def _site_word(kind: SiteKind) -> str:
    words = {
        SiteKind.PLOT: _("Ruộng, nương"),
        SiteKind.ORCHARD: _("Vườn cây"),
        SiteKind.FOREST: _("Rừng"),
        SiteKind.POND: _("Ao cá"),
        SiteKind.BARN: _("Chuồng"),
        SiteKind.APIARY: _("Đàn ong"),
        SiteKind.WORKSHOP: _("Xưởng, chỗ đóng gói"),
    }
    return str(words[kind])


# --- photos ------------------------------------------------------------------------------------------------------


def _photos() -> tuple[str, ...]:
    """The pictures of this form: those kept at an earlier try, and the one that came now.

    It is stored at once, in a transaction of its own, so that a mistake elsewhere in the form does not lose it.
    """
    kept = tuple(dict.fromkeys(sha for sha in request.form.getlist("photos") if media.SHA256.match(sha)))
    file = request.files.get("photo")
    if file is not None and file.filename:
        with transaction() as session:
            kept += (media.store_photo(session, media.store_for(web().settings), file.read()).sha256,)
    g.kept_photos = kept
    return kept


def _kept() -> tuple[str, ...]:
    found: tuple[str, ...] = g.get("kept_photos", ())
    return found


# --- the phone's API ---------------------------------------------------------------------------------------------


@items.post("/items")
def receive() -> Response:
    """A batch of items that a phone kept. Each is judged alone; the answer says for each id what became of it."""
    _from_our_page()
    actor = _writer()
    if not request.is_json:
        raise Invalid("not_json", vi="Nội dung gửi lên phải là JSON.", en="The body must be JSON.")
    envelope = parse(schemas.Envelope)
    answers = [Answer(_id_of(raw)) for raw in envelope.items]
    with transaction() as session:
        places = _Places(session, actor)
        logs: dict[int, CareLogIn] = {}
        for index, raw in enumerate(envelope.items):
            try:
                logs[index] = _read_item(places, raw)
            except HoiError as error:
                answers[index].error = error
        writer = replace(places.writer, device_id=actor.device_id or envelope.device_id)
        outcomes = diary.record_care_logs(session, writer, list(logs.values()), phone_now=envelope.sent_at)
        for index, outcome in zip(logs, outcomes, strict=True):
            answers[index].status, answers[index].error = outcome.status, outcome.error
    body = {"received_at": clock.now().isoformat(), "items": [answer.spelled() for answer in answers]}
    return jsonify(body)


csrf.exempt(receive)  # the cookie alone does not open this door either: see _from_our_page


@dataclass(slots=True)
class Answer:
    """What became of one item; `id` as it was sent, so that the phone finds it again."""

    id: str | None
    status: str = "refused"
    error: HoiError | None = None

    def spelled(self) -> dict[str, object]:
        if self.error is None:
            return {"id": self.id, "status": self.status}
        told: dict[str, object] = {"code": self.error.code, "vi": self.error.vi, "en": self.error.en}
        if self.error.field:
            told["field"] = self.error.field
        return {"id": self.id, "status": self.status, "error": told}


def _id_of(raw: object) -> str | None:
    found = raw.get("id") if isinstance(raw, dict) else None
    return found if isinstance(found, str) and len(found) <= 64 else None  # noqa: PLR2004 - longer is no id


class _Places:
    """The households of the sites that a batch names, each asked for once; `writer` may write in all found so far."""

    def __init__(self, session: Session, actor: Actor) -> None:
        self._session = session
        self._actor = actor
        self._found: dict[UUID, House] = {}
        self.writer = actor

    def house_of(self, site_id: UUID) -> House:
        """Raises NotFound for a site in whose household the actor may not write."""
        if site_id not in self._found:
            site = trace.site(self._session, self._actor, site_id)
            house = queries.house(self._session, self.writer, site.organisation_id)
            if house is None:
                raise not_found("chỗ làm này", "this place of work")
            self._found[site_id], self.writer = house, house.writer
        return self._found[site_id]


def _read_item(places: _Places, raw: object) -> CareLogIn:
    """One item as the diary takes it. Raises what is wrong with it."""
    if not isinstance(raw, dict):
        raise Invalid("not_an_item", vi="Mục này không đọc được.", en="This item is not an object.")
    item = parse_data(schemas.Item, raw)
    body = parse_data(schemas.CareLogBody1, item.body)
    house = places.house_of(body.site_id)
    saw = house.acting_for and body.seen == "saw"
    facts = body.model_dump(exclude={"seen"}, exclude_unset=True) | {
        "witness": house.witness if saw or not house.acting_for else Witness.FARMER,
        "witnessed_by": house.writer.person_id if saw else None,
    }
    return parse_data(CareLogIn, facts | {"id": item.id})


def _from_our_page() -> None:
    """Refuse what another site makes a browser send: the cookie would go along with it.

    - the browser says that the page is ours (Sec-Fetch-Site, or Origin where that is missing), or
    - the sender shows the form's token (X-CSRFToken), which another site cannot read.
    """
    fetched, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    ours = {request.host_url.rstrip("/"), web().settings.public_url}
    if fetched == "same-origin" or (fetched is None and origin is not None and origin in ours):
        return
    if "X-CSRFToken" in request.headers:
        csrf.protect()
        return
    raise Forbidden(
        "foreign_page",
        vi="Yêu cầu này không đến từ trang của Hồi nên chưa ghi gì. Bác mở lại trang ghi việc rồi gửi.",
        en="This request does not come from a page of ours, so nothing was saved. Send X-CSRFToken, or use our pages.",
    )

"""Pages of the desk for sites, the diary, batches, codes and stock."""

from collections.abc import Collection
from datetime import datetime, time
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from app import clock, media
from app.accounts import queries as accounts
from app.accounts.models import Organisation
from app.actor import SYSTEM, Actor, Role
from app.errors import forbidden
from app.places import queries as places
from app.products import queries as products
from app.products.schemas import Day, Form
from app.trace import batches as batch_verbs
from app.trace import codes, diary, pages, queries, steps, stock
from app.trace import sites as site_verbs
from app.trace.models import BatchEventKind, CodeKind, MovementKind, SiteKind, Witness
from app.trace.schemas import (
    AREA_UNITS,
    BatchEventIn,
    CareLogIn,
    CorrectionIn,
    DiaryFilter,
    EditSite,
    EndCycle,
    IssueCode,
    Movement,
    NewBatch,
    NewCycle,
    NewSite,
    ReverseMovement,
)
from app.web import (
    accept_files,
    language,
    page,
    parse,
    parse_data,
    parse_query,
    sent_file,
    signed_in,
    transaction,
    unit_options,
    web,
)

blueprint = Blueprint("trace", __name__, template_folder="templates")
accept_files(
    blueprint,
    {
        "new_site_send": media.MAX_BYTES,
        "edit_site_send": media.MAX_BYTES,
        "new_log_send": media.MAX_BYTES,
    },
)


class Chosen(Form):
    """Which product a list or form is about."""

    product: UUID | None = None
    state: queries.BatchState | None = None
    page: int = 1


class When(Form):
    day: Day
    hour: time | None = None

    def moment(self) -> datetime:
        """The day at its hour in Vietnam; without an hour noon, or now while today's noon has not come."""
        moment = datetime.combine(self.day, self.hour or time(12), clock.VIETNAM)
        return min(moment, clock.now()) if self.hour is None and self.day == clock.today() else moment


class HappenedAt(Form):
    """When packs moved; left out: now."""

    day: Day | None = None
    hour: time | None = None

    def moment(self) -> datetime | None:
        """None while it is now: the same form sent again a minute later must say the same."""
        if self.hour is None and self.day in {None, clock.today()}:
            return None
        return When(day=self.day or clock.today(), hour=self.hour).moment()


_DECISIONS = {
    BatchEventKind.HELD,
    BatchEventKind.RELEASED,
    BatchEventKind.RECALLED,
    BatchEventKind.RECALL_LIFTED,
}


def _site_kinds() -> dict[str, str]:
    return {
        SiteKind.PLOT: _("Ruộng, nương"),
        SiteKind.ORCHARD: _("Vườn cây"),
        SiteKind.FOREST: _("Rừng"),
        SiteKind.POND: _("Ao"),
        SiteKind.BARN: _("Chuồng"),
        SiteKind.APIARY: _("Trại ong"),
        SiteKind.WORKSHOP: _("Xưởng"),
    }


def _witnesses() -> dict[str, str]:
    return {
        Witness.FARMER: _("người làm tự ghi"),
        Witness.NEIGHBOUR: _("hàng xóm làm chứng"),
        Witness.COOPERATIVE: _("hợp tác xã làm chứng"),
        Witness.OFFICER: _("cán bộ làm chứng"),
        Witness.LABORATORY: _("phòng thử nghiệm"),
        Witness.CERTIFIER: _("tổ chức chứng nhận"),
        Witness.MACHINE: _("máy đo"),
    }


def _vouching() -> dict[str, str]:
    """What the writer says by choosing a witness."""
    return {
        Witness.FARMER: _("Hộ tự nói, tôi chỉ ghi lại"),
        Witness.NEIGHBOUR: _("Tôi là hàng xóm, tận mắt thấy"),
        Witness.COOPERATIVE: _("Hợp tác xã tận mắt thấy"),
        Witness.OFFICER: _("Cán bộ tận mắt thấy"),
    }


def _event_words() -> dict[str, str]:
    return {
        BatchEventKind.CREATED: _("Tạo lô"),
        BatchEventKind.PACKED: _("Đóng gói"),
        BatchEventKind.HELD: _("Tạm giữ"),
        BatchEventKind.RELEASED: _("Thôi giữ"),
        BatchEventKind.RECALLED: _("Thu hồi"),
        BatchEventKind.RECALL_LIFTED: _("Thôi thu hồi"),
    }


def _movement_words() -> dict[str, str]:
    return {
        MovementKind.PACKED: _("Đóng gói"),
        MovementKind.RESERVED: _("Giữ cho khách"),
        MovementKind.RELEASED: _("Bỏ giữ"),
        MovementKind.SOLD: _("Đã bán"),
        MovementKind.RETURNED: _("Khách trả lại"),
        MovementKind.LOST: _("Hao hụt"),
        MovementKind.COUNTED: _("Kiểm đếm"),
    }


def _photo(session: Session) -> str | None:
    raw = sent_file("photo")
    return media.store_photo(session, media.store_for(web().settings), raw).sha256 if raw else None


def _form(*leave_out: str) -> dict[str, Any]:
    """The filled fields of the form, without those that the route puts together itself."""
    skip = {"csrf_token", *leave_out}
    return {name: value for name, value in request.form.items() if name not in skip and value.strip()}


# --- sites -------------------------------------------------------------------------------------------------------


def _holders(session: Session, actor: Actor) -> list[Organisation]:
    own = {m.organisation_id for m in actor.memberships}
    found = [o for o in accounts.organisations(session, actor) if queries.may_write(actor, o.id)]
    return sorted(found, key=lambda o: (o.id not in own, o.name_folded))


def _villages(
    session: Session, holders: Collection[Organisation], chosen: Collection[UUID] = ()
) -> list[tuple[UUID, str]]:
    communes = {o.commune_id for o in holders if o.commune_id is not None}
    today = clock.today()
    ids = {v.id for commune in communes for v in places.current_villages(session, commune, today)} | set(chosen)
    return sorted(places.full_names(session, ids).items(), key=lambda pair: pair[1])


@blueprint.get("/thua")
def sites() -> Response:
    actor = signed_in()
    asked = request.args.get("q", "")[:100]
    with transaction() as session:
        rows = queries.site_lines(session, actor, search=asked)
        return page(
            "trace/sites.html",
            q=asked,
            rows=rows,
            villages=places.full_names(session, {r.village_id for r in rows if r.village_id}),
            waiting=queries.harvest_allowed_from(session, [r.site.id for r in rows]),
            conflicts=queries.conflicts_of(session, actor),
            kinds=_site_kinds(),
            steps=steps.STEPS,
            may_create=bool(_holders(session, actor)),
        )


@blueprint.get("/thua/moi")
def new_site() -> Response:
    actor = signed_in()
    with transaction() as session:
        holders = _holders(session, actor)
        if not holders:
            raise forbidden()
        return page(
            "trace/site_form.html",
            site=None,
            village_id=None,
            holders=[(o.id, o.name) for o in holders],
            villages=_villages(session, holders),
            kinds=_site_kinds(),
            units=unit_options(AREA_UNITS),
        )


@blueprint.post("/thua/moi")
def new_site_send() -> BaseResponse:
    with transaction(signed_in()) as session:
        site_id = site_verbs.create_site(session, signed_in(), parse(NewSite, photo_sha256=_photo(session)))
    flash(_("Đã ghi thửa. Bước tiếp: mở vụ."), "met")
    return redirect(url_for("trace.site", site_id=site_id), 303)


@blueprint.get("/thua/<uuid:site_id>/sua")
def edit_site(site_id: UUID) -> Response:
    actor = signed_in()
    with transaction() as session:
        row = queries.site(session, actor, site_id)
        if not queries.may_write(actor, row.organisation_id):
            raise forbidden()
        village_id = queries.village_of_sites(session, [row.id], clock.today()).get(row.id)
        holder = accounts.organisation(session, actor, row.organisation_id)
        return page(
            "trace/site_form.html",
            site=row,
            village_id=village_id,
            holders=[(holder.id, holder.name)],
            villages=_villages(session, [holder], [village_id] if village_id else []),
            kinds=_site_kinds(),
            units=unit_options(AREA_UNITS),
        )


@blueprint.post("/thua/<uuid:site_id>/sua")
def edit_site_send(site_id: UUID) -> BaseResponse:
    actor = signed_in()
    with transaction() as session:
        kept = queries.site(session, actor, site_id).photo_sha256
        site_verbs.update_site(session, actor, site_id, parse(EditSite, photo_sha256=_photo(session) or kept))
    flash(_("Đã sửa thửa."), "met")
    return redirect(url_for("trace.site", site_id=site_id), 303)


@blueprint.get("/thua/<uuid:site_id>")
def site(site_id: UUID) -> Response:
    """The diary of a site, with filters; on another page of it, the next fifty steps."""
    actor = signed_in()
    asked = parse_query(DiaryFilter)
    with transaction() as session:
        row = queries.site(session, actor, site_id)
        lines, total = queries.diary_of_site(
            session,
            actor,
            site_id,
            kind=asked.kind,
            cycle_id=asked.cycle,
            first=asked.first,
            last=asked.last,
            withdrawn=True,
            page=asked.page,
        )
        cycles = queries.cycles_of(session, site_id)
        village_id = queries.village_of_sites(session, [site_id], clock.today()).get(site_id)
        return page(
            "trace/site.html",
            site=row,
            asked=asked,
            lines=lines,
            total=total,
            page_count=max(1, -(-total // queries.PAGE)),
            page_url=lambda number: url_for(
                "trace.site", site_id=site_id, **{**request.args.to_dict(), "page": number}
            ),
            cycles=cycles,
            cycle_names={c.id: c.crop for c in cycles},
            village=places.full_names(session, [village_id]).get(village_id, "") if village_id else "",
            holder=accounts.organisation_names(session, [row.organisation_id]).get(row.organisation_id, ""),
            waiting=queries.harvest_allowed_from(session, [site_id]).get(site_id),
            steps=steps.STEPS,
            kinds=_site_kinds(),
            witnesses=_witnesses(),
            conflicts={c.care_log_id for c in queries.conflicts_of(session, actor, site_id=site_id)},
            names=_names(session, actor, row.organisation_id),
            may_write=queries.may_write(actor, row.organisation_id),
        )


def _names(session: Session, actor: Actor, organisation_id: UUID) -> dict[UUID, str]:
    """The people of the holder by name, for whoever acts for it."""
    mine = {organisation_id} | {m.organisation_id for m in actor.memberships}
    return {m.person_id: m.name for m in accounts.members(session, actor, mine) if m.name}


# --- seasons -----------------------------------------------------------------------------------------------------


@blueprint.get("/thua/<uuid:site_id>/vu-moi")
def new_cycle(site_id: UUID) -> Response:
    actor = signed_in()
    with transaction() as session:
        row = queries.site(session, actor, site_id)
        if not queries.may_write(actor, row.organisation_id):
            raise forbidden()
        return page(
            "trace/cycle_form.html",
            site=row,
            products=[(p.id, p.name.text(language())) for p in products.products_to_grow(session, actor)],
        )


@blueprint.post("/thua/<uuid:site_id>/vu-moi")
def new_cycle_send(site_id: UUID) -> BaseResponse:
    with transaction(signed_in()) as session:
        site_verbs.start_cycle(session, signed_in(), parse(NewCycle, site_id=site_id))
    flash(_("Đã mở vụ."), "met")
    return redirect(url_for("trace.site", site_id=site_id), 303)


@blueprint.get("/vu/<uuid:cycle_id>/ket-thuc")
def end_cycle(cycle_id: UUID) -> Response:
    actor = signed_in()
    with transaction() as session:
        row = queries.cycle(session, actor, cycle_id)
        if not queries.may_write(actor, row.organisation_id):
            raise forbidden()
        return page("trace/cycle_end.html", cycle=row, site=queries.site(session, actor, row.site_id))


@blueprint.post("/vu/<uuid:cycle_id>/ket-thuc")
def end_cycle_send(cycle_id: UUID) -> BaseResponse:
    actor = signed_in()
    with transaction() as session:
        site_id = queries.cycle(session, actor, cycle_id).site_id
        site_verbs.end_cycle(session, actor, cycle_id, parse(EndCycle))
    flash(_("Đã kết thúc vụ."), "met")
    return redirect(url_for("trace.site", site_id=site_id), 303)


# --- writing and correcting --------------------------------------------------------------------------------------


def _log_form(session: Session, actor: Actor, site_id: UUID, old: queries.DiaryLine | None) -> Response:
    row = queries.site(session, actor, site_id)
    if not queries.may_write(actor, row.organisation_id):
        raise forbidden()
    return page(
        "trace/log_form.html",
        site=row,
        old=old,
        day=clock.local(old.log.happened_at) if old else None,
        cycles=queries.cycles_of(session, site_id),
        kinds=[(s.kind, s.en if language() == "en" else s.vi) for s in steps.STEPS.values()],
        units=unit_options(steps.UNITS),
        witnesses=[(w, _vouching()[w]) for w in diary.witnesses_of(actor, row.organisation_id)],
        people=sorted(_names(session, actor, row.organisation_id).items(), key=lambda pair: pair[1]),
    )


def _as_witness(actor: Actor) -> dict[str, UUID | None]:
    """Who vouches for more than was told is the one who writes."""
    told = request.form.get("witness") in {None, "", Witness.FARMER}
    return {} if told else {"witnessed_by": actor.person_id}


@blueprint.get("/thua/<uuid:site_id>/ghi")
def new_log(site_id: UUID) -> Response:
    with transaction(signed_in()) as session:
        return _log_form(session, signed_in(), site_id, None)


@blueprint.post("/thua/<uuid:site_id>/ghi")
def new_log_send(site_id: UUID) -> BaseResponse:
    actor = signed_in()
    when = parse_data(When, {k: v for k, v in _form().items() if k in When.model_fields})
    with transaction() as session:
        photo = _photo(session)
        log = parse_data(
            CareLogIn,
            _form("day", "hour", "photo")
            | _as_witness(actor)
            | {"site_id": site_id, "happened_at": when.moment(), "photos": (photo,) if photo else ()},
        )
        outcome = diary.record_care_logs(session, actor, [log])[0]
        if outcome.status == "refused" and outcome.error is not None:
            raise outcome.error
    # A conflict was kept beside the first step: raising inside the transaction would lose it.
    if outcome.error is not None:
        raise outcome.error
    flash(_("Đã ghi vào nhật ký."), "met")
    return redirect(url_for("trace.site", site_id=site_id), 303)


@blueprint.get("/dong-nhat-ky/<uuid:care_log_id>")
def step(care_log_id: UUID) -> Response:
    """Everything that was written about one step, the first row first, and what came under its id with other content."""
    actor = signed_in()
    with transaction() as session:
        rows = queries.chain(session, actor, care_log_id)
        return page(
            "trace/step.html",
            rows=rows,
            conflicts=[
                (c, _sent(c.body)) for c in queries.conflicts_of(session, actor, care_log_ids=[r.id for r in rows])
            ],
            site=queries.site(session, actor, rows[-1].site_id),
            steps=steps.STEPS,
            witnesses=_witnesses(),
            names=_names(session, actor, rows[0].organisation_id),
            may_correct=diary.may_correct(actor, rows[0].organisation_id, rows[0].witness),
        )


def _sent(body: dict[str, Any]) -> CareLogIn:
    """What was kept of a conflicting submission, as what it was when it came."""
    return CareLogIn.model_validate(body)


@blueprint.get("/dong-nhat-ky/<uuid:care_log_id>/sua")
def correct(care_log_id: UUID) -> Response:
    actor = signed_in()
    with transaction() as session:
        first = queries.chain(session, actor, care_log_id)[0]
        diary.check_may_correct(actor, first.organisation_id, first.witness)
        line = queries.care_log(session, actor, care_log_id)
        return _log_form(session, actor, line.log.site_id, line)


@blueprint.post("/dong-nhat-ky/<uuid:care_log_id>/sua")
def correct_send(care_log_id: UUID) -> BaseResponse:
    actor = signed_in()
    when = parse_data(When, {k: v for k, v in _form().items() if k in When.model_fields})
    with transaction() as session:
        line = queries.care_log(session, actor, care_log_id)
        new = parse_data(
            CorrectionIn,
            _form("day", "hour")
            | _as_witness(actor)
            | {"site_id": line.log.site_id, "happened_at": when.moment(), "photos": tuple(line.log.photos)},
        )
        diary.correct_care_log(session, actor, care_log_id, new)
    flash(_("Đã ghi dòng sửa; dòng cũ vẫn giữ."), "met")
    return redirect(url_for("trace.step", care_log_id=care_log_id), 303)


# --- batches -----------------------------------------------------------------------------------------------------


@blueprint.get("/lo")
def batches() -> Response:
    actor = signed_in()
    asked = parse_query(Chosen)
    with transaction() as session:
        number = max(asked.page, 1)
        rows, total = queries.batch_lines(session, actor, product_id=asked.product, state=asked.state, page=number)
        return page(
            "trace/batches.html",
            rows=rows,
            total=total,
            number=number,
            asked=asked,
            states=[("open", _("Bán được")), ("held", _("Tạm giữ")), ("recalled", _("Đang thu hồi"))],
            page_count=max(1, -(-total // queries.PAGE)),
            page_url=lambda number: url_for("trace.batches", product=asked.product, state=asked.state, page=number),
            may_create=any(queries.may_handle(actor, o) for o in actor.organisations),
        )


@blueprint.get("/lo/moi")
def new_batch() -> Response:
    """First the product, then its harvests."""
    actor = signed_in()
    chosen = request.form.get("product_id") or request.args.get("product")
    with transaction() as session:
        mine = [p for p in products.products_of(session, actor) if queries.may_handle(actor, p.organisation_id)]
        product = next((p for p in mine if str(p.id) == chosen), None)
        found = queries.harvests(session, actor, product_id=product.id) if product else []
        last = max((clock.local(h.log.happened_at).date() for h in found), default=clock.today())
        return page(
            "trace/batch_form.html",
            products=[(p.id, p.name.text(language())) for p in mine],
            product=product,
            packs=[
                (v.id, v.name.text(language()))
                for v in (products.variants_of(session, [product.id]).get(product.id, []) if product else [])
            ],
            harvests=found,
            lot=queries.next_lot(session, product, last) if product else "",
            units=unit_options(steps.UNITS),
            last=last,
        )


@blueprint.post("/lo/moi")
def new_batch_send() -> BaseResponse:
    actor = signed_in()
    form = request.form
    sources = [
        {"care_log_id": chosen} | ({"quantity": form[f"amount-{chosen}"]} if form.get(f"amount-{chosen}") else {})
        for chosen in form.getlist("source")
    ]
    amounts = [name for name in form if name.startswith("amount-")]
    new = parse_data(NewBatch, _form("source", *amounts) | {"sources": sources})
    with transaction() as session:
        batch_id = batch_verbs.create_batch(session, actor, new)
        held = queries.standing(session, batch_id).state == "held"
    if held:
        flash(_("Đã tạo lô, nhưng lô bị tạm giữ: xem lý do trong phần Diễn biến."), "wait")
    else:
        flash(_("Đã tạo lô. Bước tiếp: tạo mã QR và in tem."), "met")
    return redirect(url_for("trace.batch", batch_id=batch_id), 303)


@blueprint.get("/lo/<uuid:batch_id>")
@blueprint.get("/lo/<uuid:batch_id>/ma", endpoint="batch_code")
@blueprint.get("/lo/<uuid:batch_id>/kho", endpoint="batch_stock")
def batch(batch_id: UUID) -> Response:
    """One batch; its forms post to addresses of their own, where a refused form shows this page again."""
    actor = signed_in()
    with transaction() as session:
        row = queries.batch(session, actor, batch_id)
        product = products.product(session, actor, row.product_id)
        packs = products.variants_of(session, [product.id]).get(product.id, [])
        levels = stock.levels(session, [p.id for p in packs])
        scans = pages.scans_by_day(session, actor, [row.id])
        movements = queries.movements_of(session, row.id)
        return page(
            "trace/batch.html",
            batch=row,
            product=product,
            harvested_on=queries.harvest_days(session, [row])[row.id],
            standing=queries.standing(session, row.id),
            held=queries.is_held(session, row.id),
            events=queries.events_of(session, row.id),
            event_words=_event_words(),
            sources=queries.sources_of(session, actor, row.id),
            codes=[
                (c, pages.path_of_code(c.code), codes.grouped(c.code) if c.kind == CodeKind.SHORT else c.code)
                for c in queries.codes_of(session, row.id)
            ],
            packs=packs,
            levels={p.id: levels.get(p.id, {}).get(row.id) for p in packs},
            movements=movements,
            taken_back={m.corrects_id for m, _pack in movements if m.corrects_id},
            movement_words=_movement_words(),
            scans=sum(s.scans for s in scans),
            scan_days=scans[-30:],
            pack={p.id: p for p in packs}.get(row.variant_id) if row.variant_id else None,
            names=_names(session, actor, row.organisation_id),
            may_decide=queries.may_write(actor, row.organisation_id),
            may_handle=queries.may_handle(actor, row.organisation_id),
            may_label=row.organisation_id in actor.organisations,
            may_print=actor.has(Role.COOPERATIVE_MANAGER, Role.PURCHASER),
        )


@blueprint.get("/lo/<uuid:batch_id>/quyet-dinh")
def decide(batch_id: UUID) -> BaseResponse:
    """What the decision will do, before it is made; without a decision, the batch."""
    actor = signed_in()
    kind = request.form.get("kind") or request.args.get("kind")
    if kind not in _DECISIONS:
        return batch(batch_id)
    with transaction() as session:
        row = queries.batch(session, actor, batch_id)
        if not queries.may_write(actor, row.organisation_id):
            raise forbidden()
        movements = [m for m, _pack in queries.movements_of(session, row.id)]
        to_buyers = {MovementKind.SOLD, MovementKind.RETURNED}
        promises = {MovementKind.RESERVED, MovementKind.RELEASED}
        facts: dict[str, Any] = {
            "batch": row,
            "kind": kind,
            "product": products.product(session, actor, row.product_id),
            "event_words": _event_words(),
            "sold": -sum(m.units for m in movements if m.kind in to_buyers),
            "here": sum(m.units for m in movements if m.kind not in promises),
            "promised": -sum(m.units for m in movements if m.kind in promises),
            "codes": queries.codes_of(session, row.id),
        }
    told = None
    if kind == BatchEventKind.RECALLED:
        with transaction(SYSTEM) as session:
            told = batch_verbs.told_of_recall(session, session.get_one(Organisation, row.organisation_id))
    return page("trace/decide.html", told=told, **facts)


@blueprint.post("/lo/<uuid:batch_id>/quyet-dinh")
def decide_send(batch_id: UUID) -> BaseResponse:
    with transaction(signed_in()) as session:
        batch_verbs.record_batch_event(session, signed_in(), batch_id, parse(BatchEventIn))
    flash(_("Đã ghi. Trang quét mã đổi theo trong vòng một phút."), "met")
    return redirect(url_for("trace.batch", batch_id=batch_id), 303)


@blueprint.post("/lo/<uuid:batch_id>/ma")
def issue_code(batch_id: UUID) -> BaseResponse:
    with transaction(signed_in()) as session:
        batch_verbs.issue_code(session, signed_in(), batch_id, CodeKind(parse(IssueCode).kind))
    flash(_("Lô đã có mã. Bác in tem ngay được."), "met")
    return redirect(url_for("trace.batch", batch_id=batch_id), 303)


@blueprint.post("/lo/<uuid:batch_id>/kho")
def move_stock(batch_id: UUID) -> BaseResponse:
    when = parse_data(HappenedAt, {k: v for k, v in _form().items() if k in HappenedAt.model_fields})
    new = parse_data(Movement, _form("day", "hour") | {"batch_id": batch_id, "happened_at": when.moment()})
    with transaction(signed_in()) as session:
        stock.move(session, signed_in(), new)
    flash(_("Đã ghi vào sổ kho."), "met")
    return redirect(url_for("trace.batch", batch_id=batch_id), 303)


@blueprint.post("/lo/<uuid:batch_id>/kho/<uuid:movement_id>/hoan")
def reverse_movement(batch_id: UUID, movement_id: UUID) -> BaseResponse:
    with transaction(signed_in()) as session:
        row = queries.batch(session, signed_in(), batch_id)
        queries.movement_of_batch(session, row.id, movement_id)
        stock.reverse(session, signed_in(), movement_id, parse(ReverseMovement))
    flash(_("Đã ghi dòng hoàn lại."), "met")
    return redirect(url_for("trace.batch", batch_id=batch_id), 303)


@blueprint.get("/lo/<uuid:batch_id>/kho/<uuid:movement_id>/hoan")
def reverse_form(batch_id: UUID, movement_id: UUID) -> Response:
    actor = signed_in()
    with transaction() as session:
        row = queries.batch(session, actor, batch_id)
        if not queries.may_handle(actor, row.organisation_id):
            raise forbidden()
        movement = queries.movement_of_batch(session, row.id, movement_id)
        lines = [m for m, _pack in queries.movements_of(session, row.id)]
        return page(
            "trace/reverse.html",
            batch=row,
            movement=movement,
            pack=products.variant(session, actor, movement.variant_id),
            done=movement.corrects_id is not None or any(m.corrects_id == movement.id for m in lines),
            words=_movement_words(),
        )

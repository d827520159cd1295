"""Pages of batches: the list, a new one, one with all that belongs to it, decisions and codes."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from flask import Response, flash, g, redirect, request, url_for
from flask_babel import gettext as _
from pydantic import Field
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as BaseResponse

from app import clock
from app.accounts.models import Organisation
from app.actor import SYSTEM, Right
from app.errors import Invalid, InvalidMany, forbidden
from app.fields import Counter
from app.products import queries as products
from app.products.schemas import Form
from app.trace import batch_events, codes, pages, queries, scan_addresses, steps, stock
from app.trace import batches as batch_verbs
from app.trace.models import BatchEventKind, CodeKind, MovementKind
from app.trace.routes.base import blueprint, filled_fields, movement_words, names_of_people
from app.trace.schemas import BatchEventIn, IssueCode, NewBatch, SourceIn
from app.web import (
    language,
    page,
    parse,
    parse_data,
    parse_query,
    quantity,
    signed_in,
    transaction,
    unit_options,
    vn_date,
)

NEWEST_HARVESTS = 8  # so many are open on the form of a new batch; the others are folded


class Chosen(Form):
    """Which product a list or form is about."""

    product: UUID | None = None
    state: queries.BatchState | None = None
    page: Annotated[Counter, Field(le=10000)] = 1


_DECISIONS = {
    BatchEventKind.HELD,
    BatchEventKind.RELEASED,
    BatchEventKind.RECALLED,
    BatchEventKind.RECALL_LIFTED,
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
            may_create=actor.may_somewhere(Right.HANDLE_GOODS),
        )


@blueprint.get("/lo/moi")
def new_batch() -> Response:
    """First the product, then its harvests."""
    actor = signed_in()
    chosen = request.form.get("product_id") or request.args.get("product")
    with transaction() as session:
        mine = [p for p in products.products_of(session, actor) if actor.may(Right.HANDLE_GOODS, p.organisation_id)]
        product = next((p for p in mine if str(p.id) == chosen), None)
        found = queries.harvests(session, actor, product_id=product.id) if product else []
        last = max((clock.local(h.log.happened_at).date() for h in found), default=clock.today())
        usable = [h for h in found if h.left is not None]
        older = usable[NEWEST_HARVESTS:]
        chosen_ids = request.form.getlist("source")
        return page(
            "trace/batch_form.html",
            products=[(p.id, p.name.text(language())) for p in mine],
            product=product,
            packs=[
                (v.id, v.name.text(language()))
                for v in (products.variants_of(session, [product.id]).get(product.id, []) if product else [])
            ],
            amounts={
                f"amount-{h.id}": _(
                    "Lấy bao nhiêu của ngày %(day)s, %(site)s", day=vn_date(h.log.happened_at), site=h.site_name
                )
                for h in usable
            },
            newest=_by_site(usable[:NEWEST_HARVESTS]),
            older=_by_site(older),
            older_count=len(older),
            unweighed=[h for h in found if h.left is None],
            chosen=chosen_ids,
            chosen_older=any(str(h.id) in chosen_ids for h in older),
            totals=_totals(usable, request.form),
            unit=usable[0].log.unit if usable else None,
            lot=queries.next_lot(session, product, last) if product else "",
            units=unit_options(steps.UNITS),
            last=last,
        )


def _by_site(harvests: Sequence[queries.Harvest]) -> list[tuple[str, list[queries.Harvest]]]:
    """The harvests under the name of their site and holder; the site that was harvested last comes first."""
    found: dict[UUID, list[queries.Harvest]] = {}
    for harvest in harvests:
        found.setdefault(harvest.log.site_id, []).append(harvest)
    return [(f"{some[0].site_name}, {some[0].holder}", some) for some in found.values()]


def _totals(harvests: Sequence[queries.Harvest], form: MultiDict[str, str]) -> list[str]:
    """What the ticked harvests give together, one text a unit; an amount that is no number is told when the batch is made."""
    totals: dict[str | None, Decimal] = {}
    ticked = set(form.getlist("source"))
    for harvest in harvests:
        if str(harvest.id) not in ticked or harvest.left is None:
            continue
        typed = form.get(f"amount-{harvest.id}")
        try:
            source = parse_data(SourceIn, {"care_log_id": harvest.id} | ({"quantity": typed} if typed else {}))
        except Invalid:
            continue
        amount = harvest.left if source.quantity is None else source.quantity
        totals[harvest.log.unit] = totals.get(harvest.log.unit, Decimal(0)) + amount
    return [quantity(amount, unit) for unit, amount in totals.items()]


@blueprint.post("/lo/moi")
def new_batch_send() -> BaseResponse:
    actor = signed_in()
    form = request.form
    if "tally" in form:
        g.form_values = form
        return new_batch()
    ticked = form.getlist("source")
    sources = [
        {"care_log_id": chosen} | ({"quantity": form[f"amount-{chosen}"]} if form.get(f"amount-{chosen}") else {})
        for chosen in ticked
    ]
    amounts = [name for name in form if name.startswith("amount-")]
    try:
        new = parse_data(NewBatch, filled_fields("source", *amounts) | {"sources": sources})
    except Invalid as error:
        shown_as = {f"sources.{i}.quantity": f"amount-{chosen}" for i, chosen in enumerate(ticked)}
        for wrong in (error, *(error.errors if isinstance(error, InvalidMany) else ())):
            wrong.field = shown_as.get(wrong.field or "", wrong.field)
        raise
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
                (c, scan_addresses.path_of_code(c.code), codes.grouped(c.code) if c.kind == CodeKind.SHORT else c.code)
                for c in queries.codes_of(session, row.id)
            ],
            packs=packs,
            levels={p.id: levels.get(p.id, {}).get(row.id) for p in packs},
            movements=movements,
            taken_back={m.corrects_id for m, _pack in movements if m.corrects_id},
            movement_words=movement_words(),
            scans=sum(s.scans for s in scans),
            scan_days=scans[-30:],
            pack={p.id: p for p in packs}.get(row.variant_id) if row.variant_id else None,
            names=names_of_people(session, actor, row.organisation_id),
            may_decide=actor.may(Right.RECALL_BATCH, row.organisation_id),
            may_handle=actor.may(Right.HANDLE_GOODS, row.organisation_id),
            may_label=actor.may(Right.HANDLE_GOODS, row.organisation_id),
            may_print=actor.may(Right.PRINT_LABELS, row.organisation_id),
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
        if not actor.may(Right.RECALL_BATCH, row.organisation_id):
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
            told = batch_events.told_of_recall(session, session.get_one(Organisation, row.organisation_id))
    return page("trace/decide.html", told=told, **facts)


@blueprint.post("/lo/<uuid:batch_id>/quyet-dinh")
def decide_send(batch_id: UUID) -> BaseResponse:
    with transaction(signed_in()) as session:
        batch_events.record_batch_event(session, signed_in(), batch_id, parse(BatchEventIn))
    flash(_("Đã ghi. Trang quét mã đổi theo trong vòng một phút."), "met")
    return redirect(url_for("trace.batch", batch_id=batch_id), 303)


@blueprint.post("/lo/<uuid:batch_id>/ma")
def issue_code(batch_id: UUID) -> BaseResponse:
    with transaction(signed_in()) as session:
        batch_verbs.issue_code(session, signed_in(), batch_id, CodeKind(parse(IssueCode).kind))
    flash(_("Lô đã có mã. Bác in tem ngay được."), "met")
    return redirect(url_for("trace.batch", batch_id=batch_id), 303)

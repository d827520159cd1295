"""Pages of batches: the list, a new one, one with all that belongs to it, decisions and codes."""

from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any
from uuid import UUID

from flask import Response, g, request, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as BaseResponse

from app import clock
from app.accounts.models import Organisation
from app.actor import SYSTEM, Actor, Right
from app.errors import Invalid, InvalidMany, NotFound, forbidden
from app.fields import Ticked
from app.forms import Form, Search, Searched
from app.products import queries as products
from app.products.models import Product
from app.trace import batch_events, pages, queries, steps, stock
from app.trace import batches as batch_verbs
from app.trace.models import BatchEventKind, CodeKind
from app.trace.routes import batch_views as views
from app.trace.routes.base import blueprint, filled_fields, movement_words, names_of_people
from app.trace.schemas import MOST_SOURCES, BatchEventIn, IssueCode, NewBatch, SourceIn
from app.web import (
    done,
    language,
    page,
    parse,
    parse_data,
    parse_query,
    picked,
    quantity,
    signed_in,
    transaction,
    unit_options,
    vn_date,
)

NEWEST_EVENTS = 30  # of a batch that its page shows at first
FIRST_SOURCES = 30
NEWEST_HARVESTS = 8  # so many are open on the form of a new batch; the others are folded


class BatchFilter(Form):
    """Which batches a list shows."""

    product: UUID | None = None
    state: queries.Wanted | None = None
    q: Search = ""
    trang: str = ""


class BatchView(Form):
    """`trang`: a page of the ledger. `all`: every harvest and event, not the first ones."""

    trang: str = ""
    all: Ticked = False


class HarvestFilter(Form):
    """Which harvests the form of a new batch shows. `find`: of whom, where; `shown`: the mark of the page it stands on; `trang`: of the
    page that is asked for.
    """

    find: Search = ""
    shown: str = ""
    trang: str | None = None


@blueprint.get("/lo")
def batches() -> Response:
    actor = signed_in()
    asked = parse_query(BatchFilter)
    chosen: dict[str, Any] = {"product": asked.product, "state": asked.state, "q": asked.q or None}
    with transaction() as session:
        return page(
            "trace/batches.html",
            found=queries.batch_list(
                session, actor, product_id=asked.product, state=asked.state, search=asked.q, mark=asked.trang
            ),
            asked=asked,
            states=[
                ("open", _("Bán được")),
                ("held", _("Tạm giữ")),
                ("recalled", _("Đang thu hồi")),
                ("stopped", _("Tạm giữ hoặc thu hồi")),
            ],
            page_url=lambda mark: url_for("trace.batches", **chosen, trang=mark),
            may_create=actor.may_somewhere(Right.HANDLE_GOODS),
        )


@blueprint.get("/lo/moi")
def new_batch() -> Response:
    """First the product, then its harvests: fifty a page, and whatever is ticked stays ticked on the others."""
    actor = signed_in()
    asked = parse_data(HarvestFilter, {k: v for k, v in request.form.items() if k in HarvestFilter.model_fields})
    chosen = picked("product_id") or picked("product")
    chosen_ids = request.form.getlist("source")
    with transaction() as session:
        product = _handled(session, actor, chosen) if chosen else None
        if product is None:
            return _which_product(session, actor)
        found = queries.harvests(
            session,
            actor,
            product_id=product.id,
            search=asked.find,
            mark=asked.shown if asked.trang is None else asked.trang,
            chosen=_ids(chosen_ids),
        )
        last = max(
            (clock.local(h.log.happened_at).date() for h in [*found.chosen, *found.lines]), default=clock.today()
        )
        usable = [h for h in found.lines if h.left is not None]
        elsewhere = [h for h in found.chosen if h.left is not None]
        older = usable[NEWEST_HARVESTS:]
        return page(
            "trace/batch_form.html",
            product=product,
            found=found,
            find=asked.find,
            shown=asked.shown if asked.trang is None else asked.trang,
            days=queries.HARVEST_DAYS,
            packs=[
                (v.id, v.name.text(language())) for v in products.variants_of(session, [product.id]).get(product.id, [])
            ],
            amounts={
                f"amount-{h.id}": _(
                    "Lấy bao nhiêu của ngày %(day)s, %(site)s", day=vn_date(h.log.happened_at), site=h.site_name
                )
                for h in [*elsewhere, *usable]
            },
            elsewhere=_by_site(elsewhere),
            newest=_by_site(usable[:NEWEST_HARVESTS]),
            older=_by_site(older),
            older_count=len(older),
            unweighed=[h for h in found.lines if h.left is None],
            chosen=chosen_ids,
            chosen_older=any(str(h.id) in chosen_ids for h in older),
            totals=_totals([*elsewhere, *usable], request.form),
            unit=next((h.log.unit for h in [*elsewhere, *usable]), None),
            lot=queries.next_lot(session, product, last),
            units=unit_options(steps.UNITS),
            last=last,
        )


def _handled(session: Session, actor: Actor, product_id: UUID) -> Product | None:
    """The product, where this actor may make batches of it and it is still made."""
    try:
        found = products.product(session, actor, product_id)
    except NotFound:
        return None
    return found if found.retired_on is None and actor.may(Right.HANDLE_GOODS, found.organisation_id) else None


def _which_product(session: Session, actor: Actor) -> Response:
    asked = parse_query(Searched)
    choices = products.products_to_choose(session, actor.where(Right.HANDLE_GOODS), search=asked.tim)
    names = [(p.id, p.name.text(language())) for p in choices.rows]
    return page("trace/batch_product.html", choices=choices, products=names)


def _ids(sent: Sequence[str]) -> list[UUID]:
    """Those that are ids; what else was sent is told when the batch is made."""
    found = []
    for text in sent[:MOST_SOURCES]:
        with suppress(ValueError):
            found.append(UUID(text))
    return found


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
    if "tally" in form or "trang" in form:
        g.form_values = form
        return new_batch()
    ticked = form.getlist("source")
    sources = [
        {"care_log_id": chosen} | ({"quantity": form[f"amount-{chosen}"]} if form.get(f"amount-{chosen}") else {})
        for chosen in ticked
    ]
    amounts = [name for name in form if name.startswith("amount-")]
    try:
        new = parse_data(
            NewBatch, filled_fields("source", *HarvestFilter.model_fields, *amounts) | {"sources": sources}
        )
    except Invalid as error:
        shown_as = {f"sources.{i}.quantity": f"amount-{chosen}" for i, chosen in enumerate(ticked)}
        for wrong in (error, *(error.errors if isinstance(error, InvalidMany) else ())):
            wrong.field = shown_as.get(wrong.field or "", wrong.field)
        raise
    with transaction() as session:
        batch_id = batch_verbs.create_batch(session, actor, new)
        held = queries.standing(session, batch_id).state == "held"
    url = url_for("trace.batch", batch_id=batch_id)
    if held:
        return done(_("Đã tạo lô, nhưng lô bị tạm giữ: xem lý do trong phần Diễn biến."), url, tone="wait")
    return done(_("Đã tạo lô. Bước tiếp: tạo mã QR và in tem."), url)


@blueprint.get("/lo/<uuid:batch_id>")
@blueprint.get("/lo/<uuid:batch_id>/ma", endpoint="batch_code")
@blueprint.get("/lo/<uuid:batch_id>/kho", endpoint="batch_stock")
def batch(batch_id: UUID) -> Response:
    """One batch; its forms post to addresses of their own, where a refused form shows this page again."""
    actor, asked = signed_in(), parse_query(BatchView)
    with transaction() as session:
        row = queries.batch(session, actor, batch_id)
        product = products.product(session, actor, row.product_id)
        packs = products.variants_of(session, [product.id]).get(product.id, [])
        levels = stock.levels(session, [p.id for p in packs], lot=row.id)
        pack = {p.id: p for p in packs}.get(row.variant_id) if row.variant_id else None
        scans = pages.scans_by_day(session, actor, [row.id])
        events, sources = queries.events_of(session, row.id), queries.sources_of(session, actor, row.id)
        standing, known = queries.standing(session, row.id), queries.codes_of(session, row.id)
        ledger = queries.ledger(session, row.id, asked.trang)
        may_handle = actor.may(Right.HANDLE_GOODS, row.organisation_id)
        may_print = actor.may(Right.PRINT_LABELS, row.organisation_id)
        names = names_of_people(session, actor, row.organisation_id)
        return page(
            "trace/batch.html",
            batch=row,
            product=product,
            harvested_on=queries.harvest_days(session, [row])[row.id],
            state=standing.state,
            warned=views.warned(standing),
            codes=views.code_rows(known),
            to_make=views.codes_to_make(known, pack) if may_handle else [],
            labels=views.labels(standing, may_label=may_handle, may_print=may_print),
            scans=sum(s.scans for s in scans),
            scan_days=[s.scans for s in scans[-30:]],
            sources=sources if asked.all else sources[:FIRST_SOURCES],
            source_count=len(sources),
            stock=[(p, levels[p.id][row.id]) for p in packs if row.id in levels.get(p.id, {})],
            to_move=[(p.id, p.name.text(language())) for p in packs] if may_handle else [],
            movement_words=movement_words(),
            ledger=views.ledger_rows(ledger, may_handle=may_handle),
            ledger_page=ledger.page,
            never_packed=not ledger.lines and not asked.trang,
            page_url=lambda mark: url_for(
                "trace.batch", batch_id=row.id, trang=mark, all=1 if asked.all else None, _anchor="so-kho"
            ),
            story=views.story(events if asked.all else events[-NEWEST_EVENTS:], names),
            event_count=len(events),
            decisions=views.decisions_now(events, standing, row.lot)
            if actor.may(Right.RECALL_BATCH, row.organisation_id)
            else [],
        )


@blueprint.get("/lo/<uuid:batch_id>/quyet-dinh")
def decide(batch_id: UUID) -> BaseResponse:
    """What the decision will do, before it is made; without a decision, the batch."""
    actor = signed_in()
    kind = request.form.get("kind") or request.args.get("kind") or ""
    if kind not in views.decisions(""):
        return batch(batch_id)
    with transaction() as session:
        row = queries.batch(session, actor, batch_id)
        if not actor.may(Right.RECALL_BATCH, row.organisation_id):
            raise forbidden()
        product = products.product(session, actor, row.product_id)
        moved, known = queries.moved(session, row.id), queries.codes_of(session, row.id)
    effects = []
    if kind == BatchEventKind.RECALLED:
        with transaction(SYSTEM) as session:
            told = batch_events.told_of_recall(session, session.get_one(Organisation, row.organisation_id))
        effects = views.of_a_recall(moved, quantity(row.quantity, row.unit), len(known), told)
    return page(
        "trace/decide.html",
        batch=row,
        product=product,
        decision=views.decisions(row.lot)[kind],
        name=views.event_words()[kind],
        effects=effects,
    )


@blueprint.post("/lo/<uuid:batch_id>/quyet-dinh")
def decide_send(batch_id: UUID) -> BaseResponse:
    with transaction(signed_in()) as session:
        batch_events.record_batch_event(session, signed_in(), batch_id, parse(BatchEventIn))
    return done(_("Đã ghi. Trang quét mã đổi theo trong vòng một phút."), url_for("trace.batch", batch_id=batch_id))


@blueprint.post("/lo/<uuid:batch_id>/ma")
def issue_code(batch_id: UUID) -> BaseResponse:
    with transaction(signed_in()) as session:
        batch_verbs.issue_code(session, signed_in(), batch_id, CodeKind(parse(IssueCode).kind))
    return done(_("Lô đã có mã. In tem ngay được."), url_for("trace.batch", batch_id=batch_id))

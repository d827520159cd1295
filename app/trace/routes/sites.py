"""Pages of sites, of their diaries with filters, and of seasons."""

from collections.abc import Collection
from uuid import UUID

from flask import Response, flash, redirect, request, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from app import clock
from app.accounts import queries as accounts
from app.accounts.models import Organisation
from app.accounts.schemas import Choosing
from app.actor import Right
from app.errors import forbidden
from app.places import queries as places
from app.places.queries import VillageChoices
from app.places.schemas import InCommune
from app.products import queries as products
from app.trace import queries, steps
from app.trace import sites as site_verbs
from app.trace.models import SiteKind
from app.trace.routes.base import blueprint, kept_photo, names_of_people, sent_photo, witness_words
from app.trace.schemas import AREA_UNITS, DiaryFilter, EditSite, EndCycle, NewCycle, NewSite
from app.web import language, page, parse, parse_query, signed_in, transaction, unit_options


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


def _villages(session: Session, holders: Collection[Organisation], present: UUID | None = None) -> VillageChoices:
    """Those of the holders' communes, of the commune asked for, and the present one."""
    near, asked = [o.commune_id for o in holders], parse_query(InCommune).commune
    return places.village_choices(session, near, clock.today(), asked=asked, also=[present] if present else [])


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
            may_create=bool(actor.where(Right.KEEP_DIARY)),
        )


@blueprint.get("/thua/moi")
def new_site() -> Response:
    actor = signed_in()
    with transaction() as session:
        if not actor.where(Right.KEEP_DIARY):
            raise forbidden()
        asked = parse_query(Choosing).tim
        holders, count = accounts.choices(session, actor, Right.KEEP_DIARY, search=asked)
        return page(
            "trace/site_form.html",
            site=None,
            village_id=None,
            holders=[(o.id, o.name) for o in holders],
            holder_count=count,
            asked_holder=asked,
            villages=_villages(session, holders),
            kinds=_site_kinds(),
            units=unit_options(AREA_UNITS),
        )


@blueprint.post("/thua/moi")
def new_site_send() -> BaseResponse:
    actor = signed_in()
    read = sent_photo(actor)
    with transaction() as session:
        site_id = site_verbs.create_site(session, actor, parse(NewSite, photo_sha256=kept_photo(session, read)))
    flash(_("Đã ghi thửa. Bước tiếp: mở vụ."), "met")
    return redirect(url_for("trace.site", site_id=site_id), 303)


@blueprint.get("/thua/<uuid:site_id>/sua")
def edit_site(site_id: UUID) -> Response:
    actor = signed_in()
    with transaction() as session:
        row = queries.site(session, actor, site_id)
        if not actor.may(Right.KEEP_DIARY, row.organisation_id):
            raise forbidden()
        village_id = queries.village_of_sites(session, [row.id], clock.today()).get(row.id)
        holder = accounts.organisation(session, actor, row.organisation_id)
        return page(
            "trace/site_form.html",
            site=row,
            village_id=village_id,
            holders=[(holder.id, holder.name)],
            villages=_villages(session, [holder], village_id),
            kinds=_site_kinds(),
            units=unit_options(AREA_UNITS),
        )


@blueprint.post("/thua/<uuid:site_id>/sua")
def edit_site_send(site_id: UUID) -> BaseResponse:
    actor = signed_in()
    read = sent_photo(actor)
    with transaction() as session:
        photo = kept_photo(session, read) or queries.site(session, actor, site_id).photo_sha256
        site_verbs.update_site(session, actor, site_id, parse(EditSite, photo_sha256=photo))
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
            witnesses=witness_words(),
            conflicts={c.care_log_id for c in queries.conflicts_of(session, actor, site_id=site_id)},
            names=names_of_people(session, actor, row.organisation_id),
            may_write=actor.may(Right.KEEP_DIARY, row.organisation_id),
        )


@blueprint.get("/thua/<uuid:site_id>/vu-moi")
def new_cycle(site_id: UUID) -> Response:
    actor = signed_in()
    with transaction() as session:
        row = queries.site(session, actor, site_id)
        if not actor.may(Right.KEEP_DIARY, row.organisation_id):
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
        if not actor.may(Right.KEEP_DIARY, row.organisation_id):
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

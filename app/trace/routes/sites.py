"""Pages of sites, of their diaries with filters, and of seasons."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from flask import Response, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from app import clock, media
from app.accounts import queries as accounts
from app.actor import Right
from app.errors import forbidden
from app.forms import Searched
from app.places import queries as places
from app.places.queries import VillageChoices
from app.places.schemas import InCommune
from app.products import queries as products
from app.trace import queries, steps
from app.trace import sites as site_verbs
from app.trace.models import SiteKind
from app.trace.routes.base import blueprint, kept_photo, names_of_people, sent_photo
from app.trace.routes.diary_views import diary_rows
from app.trace.schemas import AREA_UNITS, ConflictFilter, DiaryFilter, EditSite, EndCycle, NewCycle, NewSite, SiteFilter
from app.web import (
    done,
    language,
    page,
    parse,
    parse_query,
    picked,
    signed_in,
    takes_files,
    transaction,
    unit_options,
    vn_date,
    words,
)

FEW_CONFLICTS = 3  # of them the list of sites tells; the others stand on a page of their own


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


def _villages(session: Session, communes: Collection[UUID | None], present: UUID | None = None) -> VillageChoices:
    """Those of the holders' communes, of the commune asked for, and the present one."""
    near, asked = list(communes), parse_query(InCommune).commune
    also = [present] if present else []
    return places.village_choices(session, near, clock.today(), asked=asked, also=also, language=language())


@blueprint.get("/thua")
def sites() -> Response:
    actor = signed_in()
    asked = parse_query(SiteFilter)
    with transaction() as session:
        found = queries.site_list(session, actor, search=asked.q, mark=asked.trang)
        return page(
            "trace/sites.html",
            q=asked.q,
            found=found,
            page_url=lambda mark: url_for("trace.sites", q=asked.q or None, trang=mark),
            villages=places.full_names(session, {r.village_id for r in found.lines if r.village_id}, language()),
            waiting=queries.harvest_allowed_from(session, [r.site.id for r in found.lines]),
            conflicts=queries.conflicts(session, actor, size=FEW_CONFLICTS),
            kinds=_site_kinds(),
            steps=steps.STEPS,
            may_create=bool(actor.where(Right.KEEP_DIARY)),
        )


@blueprint.get("/thua/gui-trung")
def conflicts() -> Response:
    """What was sent under a taken id, all of it by pages, of one site if named."""
    actor, asked = signed_in(), parse_query(ConflictFilter)
    with transaction() as session:
        site = queries.site(session, actor, asked.site) if asked.site else None
        found = queries.conflicts(session, actor, site_id=asked.site, mark=asked.trang)
        return page(
            "trace/conflicts.html",
            site=site,
            found=found,
            page_url=lambda mark: url_for("trace.conflicts", site=asked.site, trang=mark),
            holders=accounts.organisation_names(session, {c.organisation_id for c in found.rows}),
            steps=steps.STEPS,
        )


@blueprint.get("/thua/moi")
def new_site() -> Response:
    actor = signed_in()
    with transaction() as session:
        mine = actor.where(Right.KEEP_DIARY)
        if not mine:
            raise forbidden()
        own = {m.organisation_id for m in actor.memberships}
        holders = accounts.organisations_to_choose(
            session, mine, own=own, search=parse_query(Searched).tim, chosen=picked("organisation_id")
        )
        return page(
            "trace/site_form.html",
            site=None,
            village_id=None,
            holders=holders,
            villages=_villages(session, {o.commune_id for o in holders.rows}),
            kinds=_site_kinds(),
            units=unit_options(AREA_UNITS),
        )


@blueprint.post("/thua/moi")
@takes_files(media.MAX_PHOTO_BYTES)
def new_site_send() -> BaseResponse:
    actor = signed_in()
    read = sent_photo(actor)
    with transaction() as session:
        site_id = site_verbs.create_site(session, actor, parse(NewSite, photo_sha256=kept_photo(session, read)))
    return done(_("Đã lưu nơi sản xuất. Bước tiếp: mở vụ."), url_for("trace.site", site_id=site_id))


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
            villages=_villages(session, {holder.commune_id}, village_id),
            kinds=_site_kinds(),
            units=unit_options(AREA_UNITS),
        )


@blueprint.post("/thua/<uuid:site_id>/sua")
@takes_files(media.MAX_PHOTO_BYTES)
def edit_site_send(site_id: UUID) -> BaseResponse:
    actor = signed_in()
    read = sent_photo(actor)
    with transaction() as session:
        photo = kept_photo(session, read) or queries.site(session, actor, site_id).photo_sha256
        site_verbs.update_site(session, actor, site_id, parse(EditSite, photo_sha256=photo))
    return done(_("Đã sửa nơi sản xuất."), url_for("trace.site", site_id=site_id))


@blueprint.get("/thua/<uuid:site_id>")
def site(site_id: UUID) -> Response:
    """The diary of a site, with filters; on another page of it, the next fifty steps."""
    actor = signed_in()
    asked = parse_query(DiaryFilter)
    with transaction() as session:
        row = queries.site(session, actor, site_id)
        diary = queries.diary_of_site(
            session,
            actor,
            site_id,
            kind=asked.kind,
            cycle_id=asked.cycle,
            first=asked.first,
            last=asked.last,
            withdrawn=True,
            mark=asked.trang,
        )
        cycles = queries.cycles_of(session, site_id)
        sent_twice = queries.conflicts_of(session, actor, [i for x in diary.lines for i in (x.id, x.log.id)])
        may_write = actor.may(Right.KEEP_DIARY, row.organisation_id)
        village_id = queries.village_of_sites(session, [site_id], clock.today()).get(site_id)
        return page(
            "trace/site.html",
            site=row,
            asked=asked,
            diary=diary,
            rows=diary_rows(
                diary.lines,
                names_of_people(session, actor, row.organisation_id),
                {c.id: c.crop for c in cycles},
                conflicts={c.care_log_id for c in sent_twice},
                may_write=may_write,
            ),
            page_url=lambda mark: url_for("trace.site", site_id=site_id, **_filters(asked), trang=mark),
            cycles=cycles,
            village=places.full_names(session, [village_id], language()).get(village_id, "") if village_id else "",
            holder=accounts.organisation_names(session, [row.organisation_id]).get(row.organisation_id, ""),
            waiting=queries.harvest_allowed_from(session, [site_id]).get(site_id),
            steps=steps.STEPS,
            kinds_of_steps=[(s.kind, words(s)) for s in steps.STEPS.values()],
            cycles_of_site=[(c.id, f"{words(c.crop)} {vn_date(c.started_on)}") for c in cycles],
            kinds=_site_kinds(),
            sent_twice=queries.conflicts(session, actor, site_id=site_id, size=FEW_CONFLICTS),
            may_write=may_write,
        )


def _filters(asked: DiaryFilter) -> dict[str, Any]:
    """The filters of a diary for the address of another page of it."""
    chosen = {"kind": asked.kind, "cycle": asked.cycle, "first": asked.first, "last": asked.last}
    return {name: str(value) for name, value in chosen.items() if value is not None}


@blueprint.get("/thua/<uuid:site_id>/vu-moi")
def new_cycle(site_id: UUID) -> Response:
    actor = signed_in()
    with transaction() as session:
        row = queries.site(session, actor, site_id)
        if not actor.may(Right.KEEP_DIARY, row.organisation_id):
            raise forbidden()
        choices = products.products_to_grow(
            session, actor, search=parse_query(Searched).tim, chosen=picked("product_id")
        )
        return page(
            "trace/cycle_form.html",
            site=row,
            choices=choices,
            products=[(p.id, p.name.text(language())) for p in choices.rows],
        )


@blueprint.post("/thua/<uuid:site_id>/vu-moi")
def new_cycle_send(site_id: UUID) -> BaseResponse:
    with transaction(signed_in()) as session:
        site_verbs.start_cycle(session, signed_in(), parse(NewCycle, site_id=site_id))
    return done(_("Đã mở vụ."), url_for("trace.site", site_id=site_id))


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
    return done(_("Đã kết thúc vụ."), url_for("trace.site", site_id=site_id))

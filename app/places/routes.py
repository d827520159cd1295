"""Browse and search the province, import lists, rename and end villages and premises, set the group of a commune."""

from uuid import UUID

from flask import Blueprint, Response, redirect, request, url_for
from flask_babel import get_locale
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from app import clock, media
from app.actor import Actor
from app.errors import Invalid, forbidden
from app.messages import N_
from app.places import attributes, imports, lists, queries, service, villages
from app.places.models import ImportKind, Level, Place, PlaceName
from app.places.names import Called
from app.places.schemas import (
    ApplyImport,
    Browse,
    CommuneGroup,
    Listed,
    NewImport,
    NewName,
    PremisesEnd,
    VillageEnd,
    WhichSheet,
)
from app.sheets import MAX_ROWS, problems_csv
from app.sheets import template as template_of
from app.web import done, language, page, parse, parse_query, signed_in, takes_files, transaction, web

blueprint = Blueprint("places", __name__, template_folder="templates")

SHOWN_PROBLEMS = 50
SHOWN_CHANGES = 50


def _manager() -> Actor:
    actor = signed_in()
    if not service.may_manage(actor):
        raise forbidden()
    return actor


def _store() -> media.MediaStore:
    return media.store_for(web().settings)


@blueprint.get("/dia-ban")
def browse() -> Response:
    actor = signed_in()
    asked = parse_query(Browse)
    on = asked.on or clock.today()
    with transaction() as session:
        page_of_found = queries.search_page(session, asked.q, on=on, mark=asked.trang) if asked.q else None
        found = page_of_found.rows if page_of_found else []
        above = queries.chains(session, [p.id for p in found])
        lines = [] if asked.q else queries.commune_lines(session, on)
        old_communes = [] if lines or asked.q else queries.current_communes(session, on)
        shown = [*found, *old_communes, *(p for chain in above.values() for p in chain)]
        names = queries.names_on(session, [p.id for p in shown], on)

        def named(place: Place) -> Place | PlaceName:
            return names.get(place.id, place)

        return page(
            "places/browse.html",
            asked=asked,
            on=on,
            province=queries.province(session),
            lines=lines,
            old_communes=[(p, named(p)) for p in old_communes],
            page_of_found=page_of_found,
            found=[
                (p, named(p), queries.full_name(named(p), [named(a) for a in above.get(p.id, ())], language()))
                for p in found
            ],
            may_manage=service.may_manage(actor),
        )


@blueprint.get("/dia-ban/<uuid:place_id>")
def show(place_id: UUID) -> Response:
    actor = signed_in()
    asked = parse_query(Listed)
    with transaction() as session:
        place = queries.place(session, place_id)
        on = place.valid_to or clock.today()
        below = queries.child_page(session, place_id, on, asked.trang)
        premises = (
            queries.premises_page(session, place_id, on, search=asked.q, mark=asked.trang_noi)
            if place.level == Level.VILLAGE
            else None
        )
        return page(
            "places/show.html",
            place=place,
            asked=asked,
            above=queries.ancestors(session, place_id),
            below=below,
            counts=queries.village_counts(session, on) if place.level in {Level.PROVINCE, Level.DISTRICT} else {},
            names=queries.names_of(session, place_id),
            became=queries.became(session, place_id),
            before=queries.was_before(session, place_id),
            ending=queries.ending_of(session, place_id),
            premises=premises,
            groups=queries.attribute_history(session, place_id, attributes.GROUP_KEY),
            group=queries.attribute(session, place_id, attributes.GROUP_KEY, on),
            may_manage=service.may_manage(actor),
        )


@blueprint.post("/dia-ban/<uuid:place_id>")
def show_end_premises(place_id: UUID) -> BaseResponse:
    """The form on the village's page: some premises are no more."""
    actor = _manager()
    form = parse(PremisesEnd)
    with transaction() as session:
        villages.end_premises(session, actor, place_id, form.premises_id, last_day=form.last_day)
    return done(
        _("Đã ghi ngày cuối. Kết quả của thôn tự tính lại trong vài giây."), url_for("places.show", place_id=place_id)
    )


# --- one village -------------------------------------------------------------------------------------------------


@blueprint.get("/dia-ban/<uuid:place_id>/doi-ten")
def rename_form(place_id: UUID) -> Response:
    _manager()
    with transaction() as session:
        return page(
            "places/rename.html",
            place=queries.open_village(session, place_id),
            names=queries.names_of(session, place_id),
            kinds=imports.VILLAGE_WORDS,
        )


@blueprint.post("/dia-ban/<uuid:place_id>/doi-ten")
def rename_send(place_id: UUID) -> BaseResponse:
    actor = _manager()
    form = parse(NewName)
    with transaction() as session:
        villages.rename_village(
            session, actor, place_id, kind_word=form.kind_word, name=form.name, valid_from=form.valid_from
        )
    return redirect(url_for("places.show", place_id=place_id), 303)


@blueprint.get("/dia-ban/<uuid:place_id>/ket-thuc")
def end_form(place_id: UUID) -> Response:
    _manager()
    today = clock.today()
    with transaction() as session:
        place = queries.open_village(session, place_id)
        commune = queries.place(session, place.parent_id) if place.parent_id is not None else place
        others = queries.current_villages(session, commune.id, today)
        return page(
            "places/end.html",
            place=place,
            commune=commune,
            others=[v for v in others if v.id != place_id],
            chosen=frozenset(request.form.getlist("into")),
            premises=len(queries.premises_of(session, place_id, today)),
        )


@blueprint.post("/dia-ban/<uuid:place_id>/ket-thuc")
def end_send(place_id: UUID) -> BaseResponse:
    actor = _manager()
    form = parse(VillageEnd)
    with transaction() as session:
        villages.end_village(
            session,
            actor,
            place_id,
            ending_id=form.id,
            last_day=form.last_day,
            into=form.into,
            decision=form.decision,
        )
    return redirect(url_for("places.show", place_id=place_id), 303)


# --- the group of a commune --------------------------------------------------------------------------------------


@blueprint.get("/dia-ban/nhom-xa")
def groups() -> Response:
    _manager()
    with transaction() as session:
        return page("places/groups.html", lines=queries.commune_lines(session, clock.today()))


@blueprint.get("/dia-ban/<uuid:place_id>/nhom")
def group_form(place_id: UUID) -> Response:
    _manager()
    with transaction() as session:
        return page(
            "places/group.html",
            place=queries.place(session, place_id),
            history=queries.attribute_history(session, place_id, attributes.GROUP_KEY),
        )


@blueprint.post("/dia-ban/<uuid:place_id>/nhom")
def group_set(place_id: UUID) -> BaseResponse:
    actor = _manager()
    form = parse(CommuneGroup)
    with transaction() as session:
        attributes.set_attribute(
            session,
            actor,
            place_id=place_id,
            key=attributes.GROUP_KEY,
            value=form.value,
            valid_from=form.valid_from,
            basis=form.basis,
        )
    return redirect(url_for("places.groups"), 303)


# --- imports -----------------------------------------------------------------------------------------------------


@blueprint.get("/dia-ban/nhap")
def new_import() -> Response:
    actor = _manager()
    with transaction() as session:
        has_villages = bool(queries.village_counts(session, clock.today()))
        return page(
            "places/import_new.html",
            columns=imports.COLUMNS,
            sent=queries.own_imports(session, actor, parse_query(Listed).trang),
            effective_on=clock.today() if has_villages else service.MERGER,
            max_rows=MAX_ROWS,
            kept_days=lists.LISTS_KEPT.days,
        )


@blueprint.post("/dia-ban/nhap")
@takes_files(media.MAX_BYTES)
def new_import_send() -> BaseResponse:
    actor = _manager()
    form = parse(NewImport)
    sent = request.files.get("file")
    if sent is None or not sent.filename:
        raise Invalid("file_missing", N_("Chưa chọn tệp."), field="file")
    raw = sent.stream.read(media.MAX_BYTES + 1)
    with transaction() as session:
        lists.begin_import(
            session,
            actor,
            _store(),
            import_id=form.id,
            kind=form.kind,
            effective_on=form.effective_on,
            file_name=sent.filename,
            raw=raw,
        )
    return redirect(url_for("places.preview", import_id=form.id), 303)


@blueprint.get("/dia-ban/nhap/<uuid:import_id>")
def preview(import_id: UUID) -> Response:
    actor = _manager()
    asked = parse_query(WhichSheet)
    with transaction() as session:
        row, plan = lists.plan_import(session, actor, _store(), import_id, asked.trang)
        return page(
            "places/import_preview.html",
            row=row,
            plan=plan,
            failed=queries.failed_job(session, row),
            shown_problems=plan.problems[:SHOWN_PROBLEMS],
            shown_changes=SHOWN_CHANGES,
        )


@blueprint.post("/dia-ban/nhap/<uuid:import_id>")
def apply(import_id: UUID) -> BaseResponse:
    actor = _manager()
    asked, form = parse_query(WhichSheet), parse(ApplyImport)
    with transaction() as session:
        job_id = lists.request_import(session, actor, _store(), import_id, sheet=asked.trang, seen=form.seen)
    return redirect(url_for("jobs.show", job_id=job_id), 303)


@blueprint.get("/dia-ban/nhap/<uuid:import_id>/can-sua.csv")
def problems(import_id: UUID) -> Response:
    actor = _manager()
    asked = parse_query(WhichSheet)
    with transaction() as session:
        plan = lists.plan_import(session, actor, _store(), import_id, asked.trang)[1]
    return _download(problems_csv(plan.problems, language()), "can-sua.csv")


@blueprint.get("/dia-ban/nhap/mau/<any(villages, premises):kind>.csv")
def template(kind: str) -> Response:
    _manager()
    name = "mau-danh-sach-thon.csv" if kind == ImportKind.VILLAGES else "mau-danh-sach-co-so.csv"
    return _download(template_of(imports.COLUMNS[ImportKind(kind)]), name)


@blueprint.get("/dia-ban/nhap/dang-co/<any(villages, premises):kind>.csv")
def current(kind: str) -> Response:
    """The list in force, to be mended in a spreadsheet and sent back."""
    _manager()
    name = "danh-sach-thon.csv" if kind == ImportKind.VILLAGES else "danh-sach-co-so.csv"
    with transaction() as session:
        return _download(imports.current_list(session, ImportKind(kind), clock.today()), name)


def _download(body: bytes, name: str) -> Response:
    return Response(
        body,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@blueprint.app_template_filter("place_title")
def place_title(place: Place | PlaceName) -> str:
    """As a heading: “Xã Chi Lăng”."""
    return Called(place.kind_word, place.name, first=True).text(str(get_locale()))


@blueprint.app_template_filter("place_name")
def place_name(place: Place | PlaceName) -> str:
    """Within a sentence: “xã Chi Lăng”."""
    return Called(place.kind_word, place.name).text(str(get_locale()))

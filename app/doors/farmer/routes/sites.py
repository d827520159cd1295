"""Places of work that a household adds on its phone."""

from flask import redirect, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from app.doors.farmer import pictures, queries, schemas
from app.doors.farmer.routes.base import blueprint, household_in_address, signed_in_writer, to_households
from app.doors.farmer.routes.photos import kept_photos, sent_photos
from app.errors import Invalid
from app.media import MAX_PHOTO_BYTES
from app.messages import N_
from app.trace import sites as trace_sites
from app.trace.models import SiteKind
from app.trace.schemas import NewSite
from app.web import page, parse, parse_query, takes_files, transaction


@blueprint.get("/cho-lam/them")
def new_site() -> BaseResponse:
    actor, asked = signed_in_writer(), parse_query(schemas.Asked)
    with transaction() as session:
        house = queries.house(session, actor, asked.ho)
        if house is None:
            return to_households()
        kinds = [{"value": k.value, "text": _site_word(k), "icon": pictures.SITE_ICONS[k]} for k in SiteKind]
        return page(
            "farmer/new_site.html", house=house, ho=household_in_address(house), kinds=kinds, kept_photos=kept_photos()
        )


@blueprint.post("/cho-lam/them")
@takes_files(MAX_PHOTO_BYTES)
def save_site() -> BaseResponse:
    actor, asked = signed_in_writer(), parse_query(schemas.Asked)
    kept = sent_photos()
    form = parse(schemas.SiteForm, photos=kept)
    with transaction() as session:
        house = queries.house(session, actor, asked.ho)
        if house is None:
            return to_households()
        if house.village_id is None:
            raise Invalid(
                "village_unknown",
                N_("Chưa rõ nhà này ở thôn nào nên chưa thêm được. Hợp tác xã hoặc cán bộ xã ghi thôn cho hộ trước."),
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
    return redirect(url_for("farmer.home", ho=household_in_address(house), vuon=form.id), 303)


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

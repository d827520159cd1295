"""The farmer's home, its other tiles, and for those who write for others the list of households."""

from datetime import date

from flask import Response, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from app import clock
from app.doors.farmer import pictures, queries, schemas
from app.doors.farmer.routes.base import (
    blueprint,
    household_in_address,
    short_moment,
    signed_in_writer,
    site_of,
    to_households,
)
from app.notices import queries as notices
from app.trace.steps import STEPS
from app.web import page, parse_query, transaction, vn_date


@blueprint.get("")
def home() -> BaseResponse:
    """The plot worked on last is chosen already; a manager or officer without a household chooses one first."""
    actor, asked = signed_in_writer(), parse_query(schemas.Asked)
    with transaction() as session:
        house = queries.house(session, actor, asked.ho)
        if house is None:
            return to_households()
        known = queries.sites(session, house)
        here = queries.site(known, asked.vuon) if known else None
        called = queries.names(session, [actor.person_id])
        recent = queries.recent(session, house.id, most=4)
        return page(
            "farmer/home.html",
            who=called.get(actor.person_id) if actor.person_id else None,
            date_text=_weekday(clock.today()),
            house=house,
            ho=household_in_address(house),
            sites=[s.site for s in known],
            site=here.site if here else None,
            hint=queries.hint(session, house, here) if here else None,
            tiles=pictures.tiles(here.site.kind if here else None),
            unseen=notices.unseen_count(session, actor),
            urgent=notices.unseen_urgent(session, actor),
            recent=recent,
            saved_text=short_moment(max(log.recorded_at for log in recent)) if recent else "",
        )


def _weekday(day: date) -> str:
    names = (_("Thứ hai"), _("Thứ ba"), _("Thứ tư"), _("Thứ năm"), _("Thứ sáu"), _("Thứ bảy"), _("Chủ nhật"))
    return f"{names[day.weekday()]}, {vn_date(day)}"


@blueprint.get("/ho")
def households() -> Response:
    asked = parse_query(schemas.SearchHouse)
    actor = signed_in_writer()
    with transaction() as session:
        return page(
            "farmer/households.html",
            found=queries.households(session, actor, asked.q, asked.trang),
            page_url=lambda mark: url_for("farmer.households", q=asked.q or None, trang=mark),
            search=asked.q,
        )


@blueprint.get("/muc-khac")
def more() -> Response:
    actor = signed_in_writer()
    links = [(url_for("notices.inbox"), "bell", _("Tin báo"))]
    if queries.own_house_ids(actor):
        links.append((url_for("farmer.show_diary"), "book", _("Việc đã ghi")))
    links.append((url_for("farmer.households"), "home", _("Ghi hộ bà con")))
    if queries.own_house_ids(actor):
        links.append((url_for("farmer.new_site"), "plus", _("Thêm nơi sản xuất")))
    links.append((url_for("accounts.account"), "user", _("Tài khoản của tôi")))
    with transaction() as session:
        return page("farmer/more.html", links=links, unseen=notices.unseen_count(session, actor))


@blueprint.get("/viec-khac")
def kinds() -> BaseResponse:
    actor, asked = signed_in_writer(), parse_query(schemas.Asked)
    with transaction() as session:
        house = queries.house(session, actor, asked.ho)
        if house is None:
            return to_households()
        site = site_of(session, house, asked.vuon)
        shown = {s.kind for s in pictures.tiles(site.kind)}
        others = [s for s in STEPS.values() if s.kind not in shown]
        return page("farmer/kinds.html", house=house, ho=household_in_address(house), site=site, steps=others)

"""The cooperative's desk and the certifier's reading room."""

from uuid import UUID

from flask import Blueprint, Response, url_for
from flask_babel import gettext as _
from pydantic import BaseModel, ConfigDict, Field
from werkzeug.wrappers import Response as BaseResponse

from app import clock
from app.actor import Right
from app.doors.cooperative import queries
from app.trace import findings
from app.trace.models import Witness
from app.trace.schemas import FindingCorrectionIn, FindingIn
from app.trace.steps import STEPS
from app.web import done, page, parse, parse_query, require, transaction

blueprint = Blueprint("cooperative", __name__, template_folder="templates")
certifier = Blueprint("certifier", __name__, template_folder="templates")


class Search(BaseModel):
    model_config = ConfigDict(frozen=True)
    q: str = Field(default="", max_length=80)
    trang: str = ""


@blueprint.get("/hop-tac-xa")
def home() -> Response:
    actor, asked = require(Right.SELL), parse_query(Search)
    with transaction() as session:
        colleagues = queries.colleagues_count(session)
        goods = queries.on_sale(session, actor, asked.trang, colleagues=colleagues)
        return page(
            "cooperative/home.html",
            todo=queries.today(session, actor, colleagues=colleagues),
            goods=goods,
            page_url=lambda mark: url_for("cooperative.home", trang=mark, _anchor="noi-ban"),
            numbers=queries.numbers(session, actor, goods),
            now=clock.now(),
        )


@certifier.get("/chung-nhan", endpoint="home")
def reading_room() -> Response:
    actor = require(Right.CORRECT_FINDING)
    asked = parse_query(Search)
    with transaction() as session:
        return page(
            "cooperative/certifier.html",
            found=queries.sites_to_see(session, actor, search=asked.q, mark=asked.trang),
            page_url=lambda mark: url_for("certifier.home", q=asked.q or None, trang=mark),
            asked=asked,
        )


@certifier.get("/chung-nhan/<uuid:site_id>")
def finding_form(site_id: UUID) -> Response:
    actor, asked = require(Right.CORRECT_FINDING), parse_query(Search)
    with transaction() as session:
        return page(
            "cooperative/finding.html",
            seen=queries.site_to_see(session, actor, site_id, asked.trang),
            page_url=lambda mark: url_for("certifier.finding_form", site_id=site_id, trang=mark),
            steps=STEPS,
            witnesses=_witnesses(),
        )


def _witnesses() -> dict[str, str]:
    return {
        Witness.FARMER: _("người của hộ ghi"),
        Witness.NEIGHBOUR: _("hàng xóm làm chứng"),
        Witness.COOPERATIVE: _("hợp tác xã ghi"),
        Witness.OFFICER: _("cán bộ ghi"),
        Witness.LABORATORY: _("phòng thử nghiệm"),
        Witness.CERTIFIER: _("tổ chức chứng nhận"),
        Witness.MACHINE: _("máy đo"),
    }


@certifier.post("/chung-nhan/<uuid:site_id>")
def finding(site_id: UUID) -> BaseResponse:
    actor = require(Right.CORRECT_FINDING)
    new = parse(FindingIn)
    with transaction() as session:
        findings.record_finding(session, actor, site_id, new)
    return done(_("Đã ghi nhận xét của mình vào nhật ký."), url_for("certifier.finding_form", site_id=site_id))


@certifier.get("/chung-nhan/nhan-xet/<uuid:care_log_id>")
def correct_finding_form(care_log_id: UUID) -> Response:
    actor = require(Right.CORRECT_FINDING)
    with transaction() as session:
        site, log = queries.finding_to_correct(session, actor, care_log_id)
        return page("cooperative/correct_finding.html", site=site, log=log)


@certifier.post("/chung-nhan/nhan-xet/<uuid:care_log_id>")
def correct_finding(care_log_id: UUID) -> BaseResponse:
    actor = require(Right.CORRECT_FINDING)
    new = parse(FindingCorrectionIn)
    with transaction() as session:
        site, _log = queries.finding_to_correct(session, actor, care_log_id)
        findings.correct_finding(session, actor, care_log_id, new)
    return done(_("Đã ghi dòng sửa; dòng cũ vẫn giữ."), url_for("certifier.finding_form", site_id=site.id))

"""The blueprint of the criteria, who may record in a village, and what its forms share."""

from datetime import date
from uuid import UUID

from flask import Blueprint, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from app.accounts.named_rights import RECORDERS as RECORDING
from app.actor import Actor
from app.criteria import queries
from app.criteria.schemas import Kind
from app.errors import not_found
from app.places.models import Premises
from app.web import done, require, signed_in, vn_date

blueprint = Blueprint("criteria", __name__, template_folder="../templates")
RECORDERS = tuple(RECORDING)
# What the address says, the kinds of facts behind it, and what the pack calls the criterion they serve.
PAGES: dict[str, tuple[tuple[Kind, ...], str]] = {
    "to-cong-nghe-so": (("digital_group",), "to-cong-nghe-so"),
    "hoat-dong": (("group_activity",), "to-cong-nghe-so"),
    "kenh": (("channel",), "nen-tang-so"),
    "phan-anh": (("feedback",), "nen-tang-so"),
    "wifi": (("wifi",), "wifi-nha-van-hoa"),
    "dia-chi-so": (("digital_address",), "dia-chi-so"),
    "mo-hinh": (("model", "no_model"), "mo-hinh-chuyen-doi-so"),
}


@blueprint.app_template_filter("iso_date")
def iso_date(value: str | None) -> str:
    """A day kept as text, as people write it."""
    return vn_date(date.fromisoformat(value)) if value else ""


def recorder(village_id: UUID) -> Actor:
    """Who may record here. Raises NotFound for a village elsewhere, Forbidden for a role that records nothing."""
    actor = signed_in()
    queries.require_village(actor, village_id)
    return require(*RECORDERS)


COUNTED = ("household", "office")


def counted(premises: list[Premises]) -> list[Premises]:
    return [p for p in premises if p.kind in COUNTED]


def page_of(kind: str) -> tuple[tuple[Kind, ...], str]:
    if kind not in PAGES:
        raise not_found()
    return PAGES[kind]


def recorded(village_id: UUID) -> BaseResponse:
    """To the village's answer."""
    return done(
        _("Đã ghi. Kết quả của thôn tự tính lại trong vài giây."), url_for("official.village", village_id=village_id)
    )


def recorded_unproven(village_id: UUID, kind: str, subject: UUID | None = None) -> BaseResponse:
    """Back to the form of what was recorded, where its evidence can be added."""
    return done(
        _("Đã ghi, nhưng chưa có ảnh hay giấy nên chưa tính. Hãy thêm minh chứng ngay ở trang này."),
        url_for("criteria.record", village_id=village_id, kind=kind, muc=subject),
        tone="wait",
    )

"""The blueprint of the desk's pages from site to pack, and what its pages share."""

from datetime import datetime, time
from typing import Any
from uuid import UUID

from flask import Blueprint, request
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from app import clock, media
from app.accounts import queries as accounts
from app.actor import Actor
from app.fields import Day
from app.forms import Form
from app.trace.models import MovementKind, Witness
from app.web import OUR_FIELDS, sent_file, web

blueprint = Blueprint("trace", "app.trace", template_folder="templates")


class When(Form):
    day: Day
    hour: time | None = None

    def moment(self) -> datetime:
        """The day at its hour in Vietnam; without an hour noon, or now while today's noon has not come."""
        moment = datetime.combine(self.day, self.hour or time(12), clock.VIETNAM)
        return min(moment, clock.now()) if self.hour is None and self.day == clock.today() else moment


def witness_words() -> dict[str, str]:
    return {
        Witness.FARMER: _("người làm tự ghi"),
        Witness.NEIGHBOUR: _("hàng xóm làm chứng"),
        Witness.COOPERATIVE: _("hợp tác xã làm chứng"),
        Witness.OFFICER: _("cán bộ làm chứng"),
        Witness.LABORATORY: _("phòng thử nghiệm"),
        Witness.CERTIFIER: _("tổ chức chứng nhận"),
        Witness.MACHINE: _("máy đo"),
    }


def movement_words() -> dict[str, str]:
    return {
        MovementKind.PACKED: _("Đóng gói"),
        MovementKind.RESERVED: _("Giữ cho khách"),
        MovementKind.RELEASED: _("Bỏ giữ"),
        MovementKind.SOLD: _("Đã bán"),
        MovementKind.RETURNED: _("Khách trả lại"),
        MovementKind.LOST: _("Hao hụt"),
        MovementKind.COUNTED: _("Kiểm đếm"),
    }


def sent_photo(sender: Actor) -> media.PhotoRead | None:
    """The photo of the form, read; ask before a transaction is open, and keep it with `kept_photo`."""
    raw = sent_file("photo")
    return media.read_photo(media.store_for(web().settings), raw, sender.person_id) if raw else None


def kept_photo(session: Session, read: media.PhotoRead | None) -> str | None:
    return media.keep(session, media.store_for(web().settings), read) if read is not None else None


def filled_fields(*leave_out: str) -> dict[str, Any]:
    """The filled fields of the form, without those that the route puts together itself."""
    skip = OUR_FIELDS | set(leave_out)
    return {name: value for name, value in request.form.items() if name not in skip and value.strip()}


def names_of_people(session: Session, actor: Actor, organisation_id: UUID) -> dict[UUID, str]:
    """The people of the holder by name, for whoever acts for it."""
    mine = {organisation_id} | {m.organisation_id for m in actor.memberships}
    return {m.person_id: m.name for m in accounts.members(session, actor, mine) if m.name}

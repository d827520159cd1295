"""Schemas of what a person records of a village and chooses for the province, parsed once at the edge."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from app.errors import Conflict
from app.fields import ClientId, Day, Whole
from app.forms import DecidedBy, HttpsLink, Text200, TidyForm
from app.messages import N_

FIELDS = ("production_business", "public_order", "smart_lighting", "smart_agriculture")


class Shape(TidyForm):
    """What a fact of one kind says."""


class DigitalGroup(Shape):
    """Tổ công nghệ số cộng đồng: the decision that established it. Personal names stay on the paper itself."""

    decision_number: Text200
    decided_on: Day
    issuer: Text200
    members: Whole = Field(ge=1, le=100)


class GroupActivity(Shape):
    """One session in which the group helped people; observed_on is its day."""

    topic: Text200
    people: Whole = Field(ge=1, le=10000)


class Channel(Shape):
    """The village's channel; `exists` false records that somebody looked and there is none."""

    exists: bool
    platform: Literal["zalo", "facebook", "other"] | None = None
    link: HttpsLink | None = None
    households: Whole | None = Field(default=None, ge=0, le=100000)


class Feedback(Shape):
    """Phản ánh, kiến nghị: the topic in general words, the day it came and the day it was answered."""

    topic: Text200
    received_on: Day
    answered_on: Day | None = None


class Wifi(Shape):
    available: bool
    network: Annotated[str, StringConstraints(max_length=64)] | None = None


class DigitalAddress(Shape):
    """A Vpostcode of ten digits, kept as text because of leading zeros (Decision 1178/QĐ-BTTTT)."""

    premises_id: UUID
    code: Annotated[str, StringConstraints(pattern=r"^[0-9]{10}$")] | None


class NoModel(Shape):
    """Somebody looked and the village has no model in this field: a declaration, so that nobody's silence counts as one."""

    field: Literal["production_business", "public_order", "smart_lighting", "smart_agriculture"]


class Model(Shape):
    """One digital transformation model. For smart agriculture `household_ids` are the participants whose diary counts;
    empty means every household of the village that keeps a diary.
    """

    field: Literal["production_business", "public_order", "smart_lighting", "smart_agriculture"]
    title: Text200
    participants: Whole = Field(ge=1, le=100000)
    started_on: Day
    tool: Text200
    household_ids: tuple[UUID, ...] = ()
    ended_on: Day | None = None


VALUES: dict[str, type[Shape]] = {
    "digital_group": DigitalGroup,
    "group_activity": GroupActivity,
    "channel": Channel,
    "feedback": Feedback,
    "wifi": Wifi,
    "digital_address": DigitalAddress,
    "model": Model,
    "no_model": NoModel,
}
Kind = Literal["digital_group", "group_activity", "channel", "feedback", "wifi", "digital_address", "model", "no_model"]


class NewVillageFact(Shape):
    """`id` is the client's; `subject` names the thing that this row is about (the client's id of a new thing)."""

    id: ClientId
    kind: Kind
    subject: UUID
    observed_on: Day
    evidence: tuple[Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$|^https://[^\s]{3,300}$")], ...] = Field(
        default=(), max_length=10
    )
    note: Annotated[str, StringConstraints(max_length=1000)] = ""
    withdrawn: bool = False


class NewParameterChoice(Shape):
    id: ClientId
    pack_id: Text200
    name: Text200
    value: int | str
    valid_from: Day
    decided_by: DecidedBy


def other_content() -> Conflict:
    return Conflict("same_id_other_content", N_("Việc này đã ghi với nội dung khác. Hãy mở lại trang rồi ghi lại."))

"""Schemas of sites, steps, batches and stock as phones and pages send them, parsed once at the edge."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from app.db import Words, nfc
from app.errors import Unreadable
from app.fields import ClientId, Counter, Day, Degrees, Moment, Ticked, Whole
from app.forms import Amount, Form, Line, Paragraphs, Reason, Search, Sha256, ShortLine, SomeAmount, WaitingDays
from app.messages import N_
from app.trace import steps
from app.trace.models import BatchEventKind, MovementKind, SiteKind, Witness

AREA_UNITS = ("m2", "sao", "ha")
MOST_LOGS = 200
MOST_PHOTOS = 6
MOST_SOURCES = 200
SHORT = 150  # characters: no spelling of them in NFC is longer than a line may be


# --- sites and cycles --------------------------------------------------------------------------------------------


class SiteFacts(Form):
    name: ShortLine
    kind: SiteKind
    village_id: UUID
    area: SomeAmount | None = None
    area_unit: Literal["m2", "sao", "ha"] | None = None
    photo_sha256: Sha256 | None = None
    latitude: Annotated[Degrees, Field(ge=-90, le=90, decimal_places=6)] | None = None
    longitude: Annotated[Degrees, Field(ge=-180, le=180, decimal_places=6)] | None = None

    @model_validator(mode="after")
    def _pairs(self) -> "SiteFacts":
        if (self.area is None) != (self.area_unit is None):
            raise Unreadable("area_unit", N_("Diện tích cần cả con số và đơn vị."))
        if (self.latitude is None) != (self.longitude is None):
            raise Unreadable("position", N_("Vị trí cần cả vĩ độ và kinh độ."))
        return self


class NewSite(SiteFacts):
    """`since`: the first day it is known to lie in that village; left out, since before our records begin."""

    id: ClientId
    organisation_id: UUID
    since: Day | None = None


class EditSite(SiteFacts):
    version: Counter
    moved_on: Day | None = None


class NewCycle(Form):
    id: ClientId
    site_id: UUID
    product_id: UUID | None = None
    crop_vi: ShortLine
    crop_en: ShortLine | None = None
    started_on: Day
    expected_harvest_on: Day | None = None

    def crop(self) -> Words:
        return Words(vi=self.crop_vi, en=self.crop_en)


class EndCycle(Form):
    ended_on: Day
    version: Counter


# --- the diary ---------------------------------------------------------------------------------------------------


class StepFacts(BaseModel):
    """What was done. Photos are hashes of pictures that we have.

    `performed_by` left out: the one who writes; None: somebody without a name here (hired, or labour exchanged).
    """

    model_config = Form.model_config

    site_id: UUID
    cycle_id: UUID | None = None
    kind: str
    happened_at: Moment
    performed_by: UUID | None = None
    witnessed_by: UUID | None = None
    witness: Witness = Witness.FARMER
    material: Line | None = None
    quantity: Amount | None = None
    unit: str | None = None
    pre_harvest_days: WaitingDays | None = None
    note: Annotated[Paragraphs, StringConstraints(max_length=1000)] | None = None
    photos: tuple[Sha256, ...] = ()

    @field_validator("kind")
    @classmethod
    def _known_kind(cls, value: str) -> str:
        if value not in steps.STEPS:
            raise Unreadable("kind", N_("Chọn một việc trong danh sách."))
        return value

    @field_validator("unit")
    @classmethod
    def _known_unit(cls, value: str | None) -> str | None:
        if value is not None and value not in steps.UNITS:
            raise Unreadable("unit", N_("Chọn đơn vị trong danh sách."))
        return value

    @field_validator("photos")
    @classmethod
    def _few_photos(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(value) > MOST_PHOTOS:
            raise Unreadable("photos", N_("Mỗi việc nhiều nhất %(most_photos)s ảnh.", most_photos=MOST_PHOTOS))
        return tuple(dict.fromkeys(value))

    @model_validator(mode="after")
    def _fits(self) -> "StepFacts":
        self.check_fits()
        return self

    def check_fits(self) -> None:
        """Raises Unreadable where what is said of the step does not go together."""
        if self.quantity is not None and self.unit is None:
            raise Unreadable("unit_missing", N_("Số lượng phải có đơn vị, ví dụ 2 bao hoặc 16 lít."))
        if self.unit is not None and self.quantity is None:
            raise Unreadable("quantity_missing", N_("Có đơn vị thì cần con số."))
        if self.pre_harvest_days is not None and not steps.STEPS[self.kind].waits:
            raise Unreadable(
                "pre_harvest_days",
                N_("Việc này không có thời gian cách ly. Chỉ phun thuốc, cho ăn thuốc, tiêm và chữa bệnh mới có."),
            )


class CareLogIn(StepFacts):
    """One step as a phone or page sends it, under an id of its own."""

    id: ClientId

    @classmethod
    def of_read(cls, facts: Mapping[str, Any]) -> "CareLogIn | None":
        """As validation makes it of values that another schema has read within the same limits: only what a step must fit is
        asked. None where it does not, or where a text is so long that its limit must be asked again.
        """
        step = _NOTHING_SAID.model_copy(update=facts)
        if len(step.material or "") + len(step.note or "") > SHORT:
            return None
        try:
            cls._known_kind(step.kind)
            cls._known_unit(step.unit)
            photos = cls._few_photos(step.photos)
            step.check_fits()
        except Unreadable:
            return None
        return step if len(photos) == len(step.photos) else step.model_copy(update={"photos": photos})


# Copied, since to construct each step costs three times as much; what is required comes with the copy.
_NOTHING_SAID = CareLogIn.model_construct()  # type: ignore[call-arg]


class CorrectionIn(StepFacts):
    """How it really was, as a whole. `withdrawn`: it did not happen. Append-only: the old row stays."""

    id: ClientId
    reason: Reason
    withdrawn: Ticked = False


class FindingIn(Form):
    """What a certifier saw, in their own words."""

    id: ClientId
    note: Annotated[Paragraphs, StringConstraints(min_length=3, max_length=1000)]


class FindingCorrectionIn(FindingIn):
    """The finding in better words, or `withdrawn`: it no longer stands. The old row stays."""

    reason: Reason
    withdrawn: Ticked = False


class DiaryFilter(Form):
    kind: str | None = None
    cycle: UUID | None = None
    first: Day | None = None
    last: Day | None = None
    trang: str = ""


class SiteFilter(Form):
    q: Search = ""
    trang: str = ""


class ConflictFilter(Form):
    site: UUID | None = None
    trang: str = ""


# --- batches -----------------------------------------------------------------------------------------------------


def _lot(value: str) -> str:
    plain = nfc(value).upper()
    if not re.fullmatch(r"[A-Z0-9][A-Z0-9._\-]{0,19}", plain):
        raise Unreadable(
            "lot", N_("Mã lô chỉ gồm chữ không dấu, số, gạch ngang và dấu chấm, nhiều nhất 20 ký tự. Ví dụ NA-1126-01.")
        )
    return plain


Lot = Annotated[str, AfterValidator(_lot)]


class SourceIn(Form):
    """How much of one harvest goes in; without a quantity, all that is left of it."""

    care_log_id: UUID
    quantity: SomeAmount | None = None


class NewBatch(Form):
    """`quantity` in `unit` is what came out: after drying it is less than what went in, never more."""

    id: ClientId
    product_id: UUID
    variant_id: UUID | None = None
    lot: Lot
    quantity: SomeAmount
    unit: str
    made_on: Day | None = None
    sources: tuple[SourceIn, ...]

    @field_validator("unit")
    @classmethod
    def _known_unit(cls, value: str) -> str:
        if value not in steps.UNITS:
            raise Unreadable("unit", N_("Chọn đơn vị trong danh sách."))
        return value

    @field_validator("sources")
    @classmethod
    def _some(cls, value: tuple[SourceIn, ...]) -> tuple[SourceIn, ...]:
        if not value:
            raise Unreadable(
                "no_sources", N_("Chọn ít nhất một lần thu hoạch. Chưa có thì ghi thu hoạch vào nhật ký trước.")
            )
        if len(value) > MOST_SOURCES or len({s.care_log_id for s in value}) != len(value):
            raise Unreadable(
                "sources", N_("Mỗi lần thu hoạch chọn một lần, nhiều nhất %(most_sources)s.", most_sources=MOST_SOURCES)
            )
        return value


class BatchEventIn(Form):
    id: ClientId
    kind: Literal[BatchEventKind.HELD, BatchEventKind.RELEASED, BatchEventKind.RECALLED, BatchEventKind.RECALL_LIFTED]
    reason: Reason
    reason_en: Line | None = None

    def words(self) -> Words:
        return Words(vi=self.reason, en=self.reason_en)


class IssueCode(Form):
    kind: Literal["short", "gs1"] = "short"


# --- stock -------------------------------------------------------------------------------------------------------


class Movement(Form):
    """`units` as a person says it, never negative: for a count the number found, else the size of the movement."""

    id: ClientId
    variant_id: UUID
    batch_id: UUID | None = None
    kind: MovementKind
    units: Annotated[Whole, Field(ge=0, le=10_000_000)]
    happened_at: Moment | None = None
    reason: Line | None = None

    @model_validator(mode="after")
    def _fits(self) -> "Movement":
        if self.units == 0 and self.kind != MovementKind.COUNTED:
            raise Unreadable("units", N_("Số gói phải từ 1 trở lên."))
        if self.kind == MovementKind.PACKED and self.batch_id is None:
            raise Unreadable("batch_id", N_("Đóng gói phải chọn lô."))
        if self.kind in {MovementKind.LOST, MovementKind.COUNTED} and self.reason is None:
            raise Unreadable("reason", N_("Hao hụt và kiểm đếm phải ghi lý do."))
        return self


class ReverseMovement(Form):
    id: ClientId
    reason: Reason


def factor(unit: str, other: str) -> Decimal | None:
    """How many of `other` one `unit` is; None when they measure different things."""
    if unit == other:
        return Decimal(1)
    one, two = steps.FACTORS.get(unit), steps.FACTORS.get(other)
    if one is None or two is None or one[0] != two[0]:
        return None
    return Decimal(one[1]) / Decimal(two[1])

"""Schemas of what a phone sends: the form of one step, and the envelope of a batch of items kept offline."""

import re
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from app import clock
from app.errors import Invalid
from app.fields import ClientId, Counter, Day, Moment, Number, PhoneNow, Ticked
from app.forms import Amount, Form, Line, Paragraphs, Reason, Search, Sha256, ShortLine, WaitingDays
from app.messages import N_
from app.trace.models import SiteKind
from app.trace.steps import Step

MAX_ITEMS = 200
_AMOUNT = re.compile(r"([a-z0-9]{1,10}):([0-9]{1,9}(?:\.[0-9]{1,3})?)")
NOON = timedelta(hours=12)

Note = Annotated[Paragraphs, StringConstraints(max_length=1000)]


class StepForm(Form):
    """One step from the page. `day` is a date, or "other" and then `on`; `amount` is unit:number.

    `days_for` is the material for which the page had chosen `days_shown` days to wait; none once somebody chose anew.
    `choose_again`: back from a question to the form. `anyway`: every question was answered with yes.
    """

    id: ClientId
    opened_at: Moment
    site_id: UUID
    day: Annotated[str, StringConstraints(max_length=10)]
    on: Day | None = None
    material: Line | None = None
    material_other: Line | None = None
    amount: Annotated[str, StringConstraints(max_length=24)] | None = None
    number: Annotated[Number, Field(max_digits=12, decimal_places=3)] | None = None
    unit: Annotated[str, StringConstraints(max_length=10)] | None = None
    pre_harvest_days: WaitingDays | None = None
    days_for: Line | None = None
    days_shown: Annotated[Counter, Field(ge=0, le=365)] | None = None
    performed_by: UUID | Literal["other"]
    seen: Literal["told", "saw"] = "told"
    photos: tuple[Sha256, ...] = ()
    note: Note | None = None
    reason: Reason | None = None
    anyway: Ticked = False
    choose_again: Ticked = False

    def happened_at(self) -> datetime:
        """The moment the page was opened for that same day, noon for another; the same each time the form is sent."""
        chosen = self.on if self.day == "other" else _date(self.day)
        if chosen is None:
            raise Invalid(
                "day_missing",
                N_("Chưa rõ ngày nào. Hãy chọn Hôm nay, Hôm qua hoặc một ngày trên lịch."),
                field="on" if self.day == "other" else "day",
            )
        opened = clock.local(self.opened_at)
        return self.opened_at if opened.date() == chosen else clock.start_of_day(chosen) + NOON

    def material_named(self, step: Step) -> str | None:
        if not step.material:
            return None
        return self.material_other if self.material == "+" else self.material

    def measured(self, step: Step) -> tuple[Decimal | None, str | None]:
        """How much, in which unit; a typed number wins over a tapped one. Nothing given is None, never zero."""
        if not step.units:
            return None, None
        if self.number is not None:
            if self.unit not in step.units:
                raise _which_unit()
            if self.number <= 0:
                raise Invalid(
                    "number_not_positive",
                    N_("Lượng ở ô “Số khác” phải lớn hơn 0. Chưa rõ bao nhiêu thì để trống ô đó."),
                    field="number",
                )
            return self.number, self.unit
        if self.amount is None:
            return None, None
        read = _AMOUNT.fullmatch(self.amount)
        if read is None or read[1] not in step.units:
            raise _which_unit()
        return Decimal(read[2]), read[1]


def _date(value: str) -> date | None:
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def _which_unit() -> Invalid:
    return Invalid(
        "unit",
        N_("Chưa rõ tính bằng gì. Hãy bấm lại vào một ô số."),
        field="amount",
    )


class SiteForm(Form):
    """A new place of work; without a name it is called after its picture."""

    id: ClientId
    kind: SiteKind
    name: ShortLine | None = None
    photos: tuple[Sha256, ...] = ()


class Asked(Form):
    """Which household, which place of work: from the address."""

    ho: UUID | None = None
    vuon: UUID | None = None


class SearchHouse(Form):
    """A part of a household's name, and which page of the list: the mark that a page before gave."""

    q: Search = ""
    trang: str = ""


class Older(Form):
    ho: UUID | None = None
    trang: str = ""


class Withdrawal(Form):
    id: ClientId
    anyway: Ticked = False


# --- the phone's API ---------------------------------------------------------------------------------------------


class Envelope(Form):
    """Strict as a whole; each item is judged alone, so it stays unread here."""

    device_id: UUID | None = None
    sent_at: PhoneNow
    items: Annotated[list[Any], Field(min_length=1, max_length=MAX_ITEMS)]


class ItemHead(BaseModel):
    model_config = Form.model_config

    id: ClientId
    kind: Literal["care_log"]
    version: Annotated[Literal[1], Field(alias="schema")]


class Item(ItemHead):
    """`body` is read by the schema that `kind` and `schema` name; a schema stays accepted for at least 12 months."""

    body: dict[str, Any]


class CareLogBody1(BaseModel):
    """care_log, schema 1: its own copy of what a step says, so that phones need not follow our changes.

    `performed_by` left out: the one who is signed in; null: somebody without a name here.
    """

    model_config = Form.model_config

    site_id: UUID
    cycle_id: UUID | None = None
    kind: Annotated[str, StringConstraints(max_length=40)]
    happened_at: Moment
    performed_by: UUID | None = None
    seen: Literal["told", "saw"] = "told"
    material: Line | None = None
    quantity: Amount | None = None
    unit: Annotated[str, StringConstraints(max_length=10)] | None = None
    pre_harvest_days: WaitingDays | None = None
    note: Note | None = None
    photos: tuple[Sha256, ...] = ()


class CareLogItem1(ItemHead):
    """The item and its body at once: what nothing is wrong with."""

    body: CareLogBody1

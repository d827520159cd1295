"""Values in the form of a step: what was typed, else what is being corrected, else the usual."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from app import clock
from app.doors.farmer.queries import LogView
from app.web import form_number


@dataclass(frozen=True, slots=True)
class UnitRow:
    """One unit of the step, and the amounts of it that can be tapped."""

    unit: str
    word: str
    icon: str
    amounts: Sequence[Decimal]


@dataclass(frozen=True, slots=True)
class Offer:
    """What the form offers to tap: materials and the days to wait known of them, and amounts as `unit:number`."""

    materials: Sequence[str]
    last_used: str
    days: Mapping[str, int | None]
    amounts: Collection[str]
    units_shown: Collection[str]


@dataclass(frozen=True, slots=True)
class Chosen:
    """`material` is None where a step without one is corrected; `waits` is "" for “not known”, None where nothing is tapped."""

    day: str
    other_day: str
    material: str | None
    is_other_material: bool
    other_material: str
    amount: str
    more_units: bool
    other_amount: bool
    number: str
    unit: str
    waits: str | None
    waits_for: str | None
    waits_shown: str
    doer: str | None
    note: str


def chosen(typed: Mapping[str, str], before: LogView | None, offer: Offer, *, doer: str) -> Chosen:
    if typed:  # the whole form: what was emptied stays empty
        before = None
    material = typed.get("material") if typed else _material(before, offer)
    amount = (typed.get("amount") or "") if typed else _amount(before)
    waits = typed.get("pre_harvest_days") if typed else _waits(before, offer, material)
    tapped = amount in offer.amounts
    return Chosen(
        day=typed.get("day") or (before.day if before else clock.today()).isoformat(),
        other_day=typed.get("on") or _other_day(before),
        material=material,
        is_other_material=material == "+" or bool(before and material and material not in offer.materials),
        other_material=typed.get("material_other") or _other_material(before, offer),
        amount=amount,
        more_units=bool(amount) and amount.split(":")[0] not in offer.units_shown,
        other_amount=bool(typed.get("number") or (before and amount and not tapped)),
        number=typed.get("number") or ("" if before is None or tapped else form_number(before.quantity)),
        unit=typed.get("unit") or (before.unit if before else None) or "",
        waits=waits,
        waits_for=typed.get("days_for") if typed else material,
        waits_shown=(typed.get("days_shown") if typed else waits) or "",
        doer=typed.get("performed_by") if typed else doer,
        note=typed.get("note") or (before.note if before else None) or "",
    )


def _material(before: LogView | None, offer: Offer) -> str | None:
    return before.material if before else offer.last_used


def _other_material(before: LogView | None, offer: Offer) -> str:
    named = before.material if before else None
    return "" if named is None or named in offer.materials else named


def _amount(before: LogView | None) -> str:
    return f"{before.unit}:{before.quantity}" if before and before.quantity is not None else ""


def _waits(before: LogView | None, offer: Offer, material: str | None) -> str:
    days = before.pre_harvest_days if before else offer.days.get(material or "")
    return "" if days is None else str(days)


def _other_day(before: LogView | None) -> str:
    today = clock.today()
    return before.day.isoformat() if before and before.day not in {today, today - timedelta(days=1)} else ""

"""An item is read once: as it was when its head, its body and the step were read one after the other, faults included."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from flask import Flask

from app.actor import Actor
from app.db import new_id
from app.doors.farmer import schemas
from app.doors.farmer.queries import House
from app.doors.farmer.routes import phone_items
from app.errors import HoiError, InvalidMany
from app.trace.care_logs import digest_of
from app.trace.models import Witness
from app.trace.schemas import CareLogIn
from app.web import parse_data

SITE, ITEM, OTHER = new_id(), new_id(), new_id()
LEAST = {"site_id": str(SITE), "kind": "spraying", "happened_at": "2026-11-20T07:00:00+07:00"}
FACTS: dict[str, tuple[object, ...]] = {
    "site_id": (str(SITE).upper(), "", None, 7),
    "cycle_id": (None, str(OTHER), "x"),
    "kind": ("weeding", "feeding", "no such", "x" * 41, "", None),
    "happened_at": ("2026-11-20T00:00:00Z", "2026-11-20T07:00:00", "1999-01-01T00:00:00Z", 0, None),
    "performed_by": (None, str(OTHER), "ai đó"),
    "seen": ("saw", "heard", None),
    "material": (None, " Dầu  khoáng\u00a0", "Du\u0302", "", " ", "a\u0000", "x" * 200, "x" * 201, "\u0958" * 120, 5),
    "quantity": (None, "2.5", 2.5, 2, "2,5", "0", "-1", "1.2345", "9" * 13, True, float("nan"), "x"),
    "unit": (None, "tank16", "kg", "ells", "x" * 11, 5),
    "pre_harvest_days": (None, 0, 7, "7", 365, 366, -1, 1.5, True, "x"),
    "note": (None, "gió nhẹ", "a\r\n\n\n\nb ", "", "x" * 1000, "x" * 1001, "\u0958" * 600, ["x"]),
    "photos": ([], ["a" * 64], ["a" * 64, "b" * 64, "a" * 64], ["c" * 64] * 7, [f"{n:064x}" for n in range(7)], ["A"], "x"),
    "witness": ("certifier",),
}  # fmt: skip
HEADS: tuple[object, ...] = (
    *(None, [], "x", {}, {"id": str(ITEM)}, {"id": str(UUID(int=0))}, {"id": "x", "kind": "x", "schema": 2, "body": []}),
    *({"id": str(ITEM), "kind": "care_log", "schema": schema, "body": body} for schema, body in product((1, "1", True, 2), (LEAST, [], None))),
    {"id": str(ITEM), "kind": "care_log", "version": 1, "body": LEAST},
    {"id": str(ITEM), "kind": "care_log", "schema": 1, "body": LEAST, "more": 1},
)  # fmt: skip


@dataclass
class Read:
    """The step with what was said in it and its digest, or the faults."""

    step: CareLogIn | None = None
    said: frozenset[str] = frozenset()
    digest: str = ""
    faults: tuple[tuple[str, str | None, str], ...] = ()


def outcome(read: Callable[[], CareLogIn]) -> Read:
    try:
        step = read()
    except InvalidMany as many:
        return Read(faults=tuple((e.code, e.field, e.text("vi")) for e in many.errors))
    except HoiError as one:
        return Read(faults=((one.code, one.field, one.text("vi")),))
    return Read(step, frozenset(step.model_fields_set), digest_of(step))


def by_parts(house: House, raw: Any) -> CareLogIn:
    if not isinstance(raw, dict):
        return phone_items._step_of(house, *phone_items._read_item(raw))
    item = parse_data(schemas.Item, raw)
    body = parse_data(schemas.CareLogBody1, item.body)
    saw = house.acting_for and body.seen == "saw"
    facts = body.model_dump(exclude={"seen"}, exclude_unset=True) | {
        "witness": house.witness if saw or not house.acting_for else Witness.FARMER,
        "witnessed_by": house.writer.person_id if saw else None,
    }
    return parse_data(CareLogIn, facts | {"id": item.id})


@pytest.mark.parametrize("acting_for", [True, False])
def test_every_item_reads_as_it_does_part_by_part(*, acting_for: bool) -> None:
    house = House(new_id(), "Hộ", None, acting_for, Witness.OFFICER, Actor("person", person_id=OTHER))
    bodies = [LEAST | {name: value} for name, values in FACTS.items() for value in values]
    bodies += [
        LEAST | {"quantity": "2.50", "unit": "kg", name: value} for name, values in FACTS.items() for value in values
    ]
    bodies += [{k: v for k, v in LEAST.items() if k != name} for name in LEAST]
    items = [*HEADS, *({"id": str(ITEM), "kind": "care_log", "schema": 1, "body": body} for body in bodies)]
    stored = 0
    with Flask("test").test_request_context(method="POST", json={}):
        for raw in items:
            once = outcome(lambda raw=raw: phone_items._step_of(house, *phone_items._read_item(raw)))
            assert once == outcome(lambda raw=raw: by_parts(house, raw)), raw
            stored += once.step is not None
    assert stored > len(items) / 4


def test_equal_steps_have_one_digest_however_they_were_made() -> None:
    facts = {"id": ITEM, "site_id": SITE, "kind": "spraying", "happened_at": "2026-11-20T07:00:00+07:00", "unit": "kg"}
    one = CareLogIn.model_validate(facts | {"quantity": Decimal("2.50")})
    other = CareLogIn.model_validate(facts | {"quantity": 2.5, "happened_at": "2026-11-20T00:00:00Z"})
    assert digest_of(one) == digest_of(other)

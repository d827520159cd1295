"""Lạng Sơn as it ships with the program: province, closed districts, old and new communes, lineage."""

import csv
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from app.db import new_id, nfc
from app.places.models import Level, Place, PlaceLineage
from app.places.service import IMPORT_LOCK, MERGER, insert_places

DATA = Path(__file__).resolve().parent / "data"
MERGER_DECISION = "Nghị quyết 1672/NQ-UBTVQH15 ngày 16/06/2025"


def load_reference(session: Session) -> int:
    """Add what is missing of Lạng Sơn: province, closed districts, old and new communes, lineage. Returns how many rows.

    Safe to call at every start. Codes repeat between old and new communes, so rows are matched by code and dates.
    """
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": IMPORT_LOCK})
    units = list(csv.DictReader(StringIO((DATA / "langson-units.csv").read_text(encoding="utf-8"))))
    query = select(Place.code, Place.valid_to, Place.id).where(Place.level != Level.VILLAGE)
    # Before 1 July 2025 and since: a code alone does not say which unit is meant.
    known = {(row.code, row.valid_to is not None and row.valid_to < MERGER): row.id for row in session.execute(query)}
    added = 0
    for level in (Level.PROVINCE, Level.DISTRICT, Level.COMMUNE):
        rows = [u for u in units if u["level"] == level]
        new = [u for u in rows if (u["code"], bool(u["valid_to"])) not in known]
        places = [_reference_row(u, known) for u in new]
        known.update({(u["code"], bool(u["valid_to"])): p["id"] for u, p in zip(new, places, strict=True)})
        added += insert_places(session, places, None)
    lines = list(csv.DictReader(StringIO((DATA / "langson-lineage.csv").read_text(encoding="utf-8"))))
    there = {(row.old_id, row.new_id) for row in session.execute(select(PlaceLineage.old_id, PlaceLineage.new_id))}
    lineage = [
        {
            "old_id": known[line["old_code"], True],
            "new_id": known[line["new_code"], False],
            "partial": line["partial"] == "1",
            "decision": MERGER_DECISION,
            "effective_on": MERGER,
        }
        for line in lines
    ]
    missing = [row for row in lineage if (row["old_id"], row["new_id"]) not in there]
    if missing:
        session.execute(insert(PlaceLineage), missing)
    return added + len(missing)


def _reference_row(unit: dict[str, str], known: dict[tuple[str, bool], UUID]) -> dict[str, Any]:
    parent = unit["parent_code"]
    closed = bool(unit["valid_to"])
    return {
        "id": new_id(),
        "code": unit["code"],
        "level": unit["level"],
        "kind_word": nfc(unit["kind_word"]),
        "name": nfc(unit["name"]),
        "parent_id": known.get((parent, closed)) or known.get((parent, False)) if parent else None,
        "valid_from": date.fromisoformat(unit["valid_from"]) if unit["valid_from"] else None,
        "valid_to": date.fromisoformat(unit["valid_to"]) if closed else None,
    }

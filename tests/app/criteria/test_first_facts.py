"""The migration that gives every thing one first record, on rows from before it."""

from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy import select, text

from app.actor import SYSTEM
from app.criteria.models import VillageFact
from app.db import new_id
from app.migrations import versions
from tests.worlds.village import LONG_AGO, TODAY, Province


def test_two_first_records_of_one_thing_become_one_story(province: Province) -> None:
    (file,) = Path(versions.__path__[0]).glob("*_first_facts.py")
    chain: str = import_module(f"{versions.__name__}.{file.stem}").CHAIN
    subject, other = new_id(), new_id()

    def fact(**more: Any) -> VillageFact:
        values = {
            "id": new_id(), "village_id": province.village, "kind": "wifi", "subject": subject, "observed_on": TODAY,
            "value": {"available": True}, "recorded_at": LONG_AGO, "person_id": province.actors["officer"].person_id,
            "witness": "village", "evidence": [], "note": "", "withdrawn": False,
        }  # fmt: skip
        return VillageFact(**(values | more))

    with province.database.transaction(SYSTEM) as session:
        session.execute(text("SET LOCAL ROLE NONE"))
        session.execute(text("DROP INDEX uq_village_facts_first"))
        first, single = fact(), fact(subject=other)
        apart = fact(recorded_at=LONG_AGO + timedelta(days=1))  # nobody had seen the first one
        for row in (first, single, apart):
            session.add(row)
            session.flush()
        corrected = fact(supersedes_id=first.id)
        session.add(corrected)
        session.flush()
        session.execute(text(chain))
        session.expire_all()
        before = dict(session.execute(select(VillageFact.id, VillageFact.supersedes_id)).all())
        assert before == {first.id: None, corrected.id: first.id, apart.id: corrected.id, single.id: None}

"""Every table has an end or a written reason, and the operator's manual says the same."""

import re
from pathlib import Path

from sqlalchemy import text

from app.actor import SYSTEM
from app.criteria import queries
from app.db import Database
from app.retention import RULES
from worker import chores, schedule

PAGE = re.compile(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
# What goes with the rows that its parent's verb deletes.
WITH_ANOTHER = {"notice_deliveries", "conflicting_submissions", "outbox_deliveries"}


def test_every_table_has_an_end_or_a_written_reason(database: Database) -> None:
    with database.transaction(SYSTEM) as session:
        there = set(
            session.scalars(
                text(
                    "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
                    " AND relkind IN ('r', 'p') AND NOT relispartition"
                )
            )
        )
    assert there - set(RULES) == set(), "write in app/retention.py how long the new table is kept, and why"
    assert set(RULES) - there == set(), "a rule for a table that is no more"
    assert all(rule.kept and rule.why for rule in RULES.values())


def test_each_end_is_run_by_the_clock(database: Database) -> None:
    assert {rule.chore for rule in RULES.values() if rule.chore} <= set(schedule.CHORES)
    with database.transaction(SYSTEM) as session:
        months = set(session.scalars(text("SELECT name FROM kept_months")))
    ended = {name for name, rule in RULES.items() if rule.chore == "end_what_is_old"}
    assert ended - WITH_ANOTHER == set(chores.ENDS) | months


def test_the_manual_says_the_same(root: Path) -> None:
    manual = (root / "docs/operator.md").read_text("utf-8")
    table = manual[manual.index("| Bảng | Giữ bao lâu |") : manual.index("**Byte một năm.**")]
    written = {m[1]: (m[2], m[3]) for m in PAGE.finditer(table)}
    assert written == {name: (rule.kept, rule.why) for name, rule in RULES.items()}


def test_no_criterion_looks_back_further_than_steps_are_kept() -> None:
    """Steps stay 60 months at least, so no open answer ever loses one of its own."""
    windows = [p.maximum for p in queries.pack().parameters_by_name.values() if p.name.endswith("_days")]
    assert windows
    assert max(w or 10**6 for w in windows) < 60 * 30

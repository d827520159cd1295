"""A database filled in proportion, and what a question costs there: so that a cost which grows with the province is noticed."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from app.db import Database

COMMUNES, VILLAGES, MEMBERS = 65, 1905, 40
# Each line makes the rows 1 to :n of one table; `at` is when all of it was written down.
_ROWS = f"""
INSERT INTO places (id, code, level, kind_word, name, sort_key, parent_id, valid_from, recorded_at)
    VALUES (%(key)s('province', 1), 'F0', 'province', 'tỉnh', 'Đầy', 'f', NULL, NULL, %(at)s);
INSERT INTO places (id, code, level, kind_word, name, sort_key, parent_id, valid_from, recorded_at)
    SELECT %(key)s('commune', i), 'F1' || i, 'commune', 'xã', 'Xã ' || i, 'f', %(key)s('province', 1), NULL, %(at)s
      FROM generate_series(1, {COMMUNES}) i;
INSERT INTO places (id, code, level, kind_word, name, sort_key, parent_id, valid_from, recorded_at)
    SELECT %(key)s('village', i), 'F2' || i, 'village', 'thôn', 'Thôn ' || i, 'f', %(key)s('commune', 1 + i %% {COMMUNES}), NULL,
           %(at)s FROM generate_series(1, {VILLAGES}) i;
INSERT INTO people (id, created_at) SELECT %(key)s('person', i), %(at)s FROM generate_series(1, %(n)s) i;
INSERT INTO organisations (id, kind, name, village_id, commune_id, created_at, version)
    SELECT %(key)s('household', i), 'household', 'Hộ số ' || i, %(key)s('village', 1 + i %% {VILLAGES}),
           %(key)s('commune', 1 + (1 + i %% {VILLAGES}) %% {COMMUNES}), %(at)s, 1 FROM generate_series(1, %(n)s) i;
INSERT INTO organisations (id, kind, name, village_id, commune_id, created_at, version)
    SELECT %(key)s('cooperative', i), 'cooperative', 'HTX ' || i, %(key)s('village', 1 + i %% {VILLAGES}),
           %(key)s('commune', 1 + (1 + i %% {VILLAGES}) %% {COMMUNES}), %(at)s, 1
      FROM generate_series(0, %(n)s / {MEMBERS}) i;
INSERT INTO memberships (id, person_id, organisation_id, role, valid_from, recorded_at)
    SELECT %(key)s('membership', i), %(key)s('person', i), %(key)s('household', i), 'farmer', '2025-01-01', %(at)s
      FROM generate_series(1, %(n)s) i;
INSERT INTO household_memberships (id, household_id, cooperative_id, valid_from, recorded_at)
    SELECT %(key)s('member', i), %(key)s('household', i), %(key)s('cooperative', i / {MEMBERS}), '2025-01-01', %(at)s
      FROM generate_series(1, %(n)s) i;
INSERT INTO sites (id, organisation_id, name, kind, created_at, version)
    SELECT %(key)s('site', i), %(key)s('household', i), 'Vườn', 'orchard', %(at)s, 1 FROM generate_series(1, %(n)s) i;
INSERT INTO site_villages (id, site_id, organisation_id, village_id, valid_from, recorded_at)
    SELECT %(key)s('lies', i), %(key)s('site', i), %(key)s('household', i), %(key)s('village', 1 + i %% {VILLAGES}),
           '2025-01-01', %(at)s FROM generate_series(1, %(n)s) i;
INSERT INTO cycles (id, organisation_id, site_id, crop, started_on, created_at, version)
    SELECT %(key)s('cycle', i), %(key)s('household', i), %(key)s('site', i), '{{"vi": "na"}}', '2026-01-01', %(at)s, 1
      FROM generate_series(1, %(n)s) i;
INSERT INTO care_logs (id, organisation_id, site_id, kind, happened_at, recorded_at, written_by, witness, photos, withdrawn,
                       time_doubtful, content_sha256)
    SELECT %(key)s('step' || s, i), %(key)s('household', i), %(key)s('site', i), CASE s WHEN 1 THEN 'harvesting' ELSE 'weeding' END,
           %(at)s, %(at)s, %(key)s('person', i), 'farmer', '[]', false, false, ''
      FROM generate_series(1, %(n)s) i, generate_series(1, %(steps)s) s;
INSERT INTO products (id, organisation_id, name, alcoholic, created_at, version)
    SELECT %(key)s('product', i), %(key)s('cooperative', i), '{{"vi": "Na"}}', false, %(at)s, 1
      FROM generate_series(0, %(n)s / {MEMBERS}) i;
INSERT INTO batches (id, organisation_id, product_id, lot, harvested_on, quantity, unit, made_on, created_at, content_sha256)
    SELECT %(key)s('batch', i), %(key)s('cooperative', i / {MEMBERS}), %(key)s('product', i / {MEMBERS}), 'L' || i, '2026-08-12', 1,
           'kg', '2026-08-12', %(at)s, '' FROM generate_series(1, %(n)s) i;
INSERT INTO batch_sources (batch_id, care_log_id, organisation_id, log_organisation_id, quantity, unit)
    SELECT %(key)s('batch', i), %(key)s('step1', i), %(key)s('cooperative', i / {MEMBERS}), %(key)s('household', i), 1, 'kg'
      FROM generate_series(1, %(n)s) i;
INSERT INTO trace_codes (code, organisation_id, batch_id, kind, lot, created_at)
    SELECT 'F' || i, %(key)s('cooperative', i / {MEMBERS}), %(key)s('batch', i), 'short', 'L' || i, %(at)s
      FROM generate_series(1, %(n)s) i;
INSERT INTO public_pages (code, language, wanted_version)
    SELECT 'F' || i, 'vi', 1 FROM generate_series(1, %(n)s) i
"""


def key(connection: psycopg.Connection[Any], what: str, number: int) -> UUID:
    """The id of the row of this number, say "household" 7."""
    found = connection.execute("SELECT pg_temp.fill_key(%s, %s)", (what, number)).fetchone()
    assert found is not None
    value: UUID = found[0]
    return value


def fill(owner: psycopg.Connection[Any], households: int, *, steps: int = 5) -> None:
    """Places of a whole province, and so many households, each with a person, a site, `steps` steps, a batch and its page."""
    owner.execute(
        "CREATE OR REPLACE FUNCTION pg_temp.fill_key(what text, number bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS"
        " $$ SELECT md5(what || '/' || number)::uuid $$"
    )
    for statement in _ROWS.split(";\n"):
        filled = statement.replace("%(key)s", "pg_temp.fill_key")
        owner.execute(filled.encode(), {"n": households, "steps": steps, "at": "2026-08-20T03:00:00Z"})
    owner.commit()
    owner.autocommit = True
    owner.execute("VACUUM (FULL) sites")  # each was written again by its batch: in life at another time than all others
    owner.execute("VACUUM (ANALYZE)")
    owner.autocommit = False


@contextmanager
def statements(engine: Engine) -> Iterator[list[tuple[str, Any]]]:
    """The statements that are sent meanwhile, with their parameters."""
    sent: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        sent.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)


def buffers(database: Database, session: Session, ask: Any) -> int:
    """How many pages of the database the statements of `ask()` touched, when all are in memory: planning is not counted."""
    with statements(database.engine) as sent:
        ask()
    return sum(_touched(session, statement, parameters) for statement, parameters in sent)


def _touched(session: Session, statement: str, parameters: Any) -> int:
    explain = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}"
    raw = session.connection().exec_driver_sql(explain, parameters).scalar_one()
    plan = raw[0] if isinstance(raw, list) else json.loads(raw)[0]
    return int(plan["Plan"]["Shared Hit Blocks"]) + int(plan["Plan"]["Shared Read Blocks"])

"""The migrations make exactly what the models say, in one line of descent, and lock nobody out of a large table."""

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.script import ScriptDirectory

from app.db import Database
from app.errors import SetupError
from app.migrations import large
from app.migrations import run as migrations
from tests.conftest import owner_of

Add = Callable[[str, str], None]


def test_the_migrated_database_is_the_models(worker_database_url: str) -> None:
    migrations.check(owner_of(worker_database_url))


def test_there_is_one_head_and_one_beginning() -> None:
    script = ScriptDirectory.from_config(migrations.config("postgresql://nowhere"))
    assert (len(script.get_heads()), len(script.get_bases())) == (1, 1)
    numbers = [revision.revision for revision in script.walk_revisions()]
    assert len(numbers) == len(set(numbers)) == len(list((migrations.HERE / "versions").glob("[0-9]*.py")))
    assert (min(numbers), migrations.LAST_OF_PARTS in numbers) == (migrations.FIRST, True)


@pytest.fixture
def owner(fresh_database: Database) -> Iterator[psycopg.Connection]:
    with psycopg.connect(owner_of(fresh_database.url), autocommit=True) as connection:
        yield connection


@pytest.fixture
def add(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Add:
    """`add("0110", "op.execute(…)")`: one more migration, after the newest."""
    here = tmp_path / "migrations"
    shutil.copytree(migrations.HERE, here)
    monkeypatch.setattr(migrations, "HERE", here)

    def write(number: str, body: str) -> None:
        before = max(path.name[:4] for path in (here / "versions").glob("[0-9]*.py"))
        (here / "versions" / f"{number}_more.py").write_text(
            f'from alembic import op\nfrom app.migrations import large\nrevision = "{number}"\n'
            f'down_revision = "{before}"\n\ndef upgrade() -> None:\n    {body}\n'
        )

    return write


@pytest.mark.parametrize(
    ("found", "code", "words"),
    [
        ("0044", "schema_of_before", "do bản Hồi trước ngày 01/12/2026 tạo ra (cấu trúc 0044)"),
        ("9901", "schema_of_later", "cấu trúc 9901, mới hơn bản Hồi này"),
    ],
)
def test_what_no_migration_leads_on_is_refused_and_left_as_it_is(
    fresh_database: Database, owner: psycopg.Connection, found: str, code: str, words: str
) -> None:
    owner.execute("UPDATE alembic_version SET version_num = %s", (found,))
    with pytest.raises(SetupError) as refused:
        migrations.upgrade(owner_of(fresh_database.url))
    assert (refused.value.code, words in refused.value.text("vi")) == (code, True)
    assert owner.execute("SELECT version_num FROM alembic_version").fetchall() == [(found,)]


def test_a_migration_waits_for_a_lock_and_works_for_a_limited_time(
    fresh_database: Database, owner: psycopg.Connection, add: Add
) -> None:
    told = "current_setting('lock_timeout') AS lock, current_setting('statement_timeout') AS statement"
    add("9901", f'op.execute("CREATE TABLE told AS SELECT {told}")')
    add("9902", 'large.index("ix_told", "told", ["lock"])')
    add("9903", f'op.execute("INSERT INTO told SELECT {told}")')
    migrations.upgrade(owner_of(fresh_database.url))
    assert owner.execute("SELECT lock, statement FROM told").fetchall() == [("4s", "1min")] * 2


def test_one_that_gets_no_lock_says_so_and_goes_on_at_the_next_call(
    fresh_database: Database, owner: psycopg.Connection, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large, "TIMEOUTS", large.TIMEOUTS.replace("4s", "100ms"))
    add("9901", 'op.execute("CREATE TABLE first ()")')
    add("9902", 'op.execute("ALTER TABLE care_logs ADD COLUMN second text")')
    with psycopg.connect(owner_of(fresh_database.url)) as reader:
        reader.execute("SELECT FROM care_logs")
        with pytest.raises(SetupError) as refused:
            migrations.upgrade(owner_of(fresh_database.url))
    assert (refused.value.code, "Chạy lại lệnh này" in refused.value.text("vi")) == ("schema_busy", True)
    assert owner.execute("SELECT version_num FROM alembic_version").fetchall() == [("9901",)]
    migrations.upgrade(owner_of(fresh_database.url))
    assert owner.execute("SELECT version_num FROM alembic_version").fetchall() == [("9902",)]


def test_an_index_on_a_large_table_is_made_beside_writers_and_anew_where_one_was_left_broken(
    fresh_database: Database, owner: psycopg.Connection, add: Add
) -> None:
    owner.execute("CREATE INDEX ix_premises_kind ON premises (kind)")
    owner.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_premises_kind'::regclass")
    add("9901", 'large.index("ix_premises_kind", "premises", ["kind"])')
    made = threading.Thread(target=migrations.upgrade, args=(owner_of(fresh_database.url),))
    with psycopg.connect(owner_of(fresh_database.url)) as writer:
        writer.execute("LOCK TABLE premises IN ROW EXCLUSIVE MODE")
        made.start()
        made.join(1)
        assert made.is_alive(), "it waits for who writes"
        owner.execute("UPDATE premises SET kind = kind")  # and nobody waits for it
    made.join(30)
    assert owner.execute(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_premises_kind'::regclass"
    ).fetchall() == [(True,)]


def test_who_waits_to_migrate_holds_no_snapshot_for_which_an_index_would_wait(
    fresh_database: Database, owner: psycopg.Connection, wait_for: Callable[..., Any]
) -> None:
    owner.execute("SELECT pg_advisory_lock(%s)", (migrations.LOCK_KEY,))
    second = threading.Thread(target=migrations.upgrade, args=(owner_of(fresh_database.url),))
    second.start()
    asks = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'SELECT pg_try_advisory%'"
    wait_for(lambda: owner.execute(asks).fetchall(), 30, "the second")
    owner.execute("SET lock_timeout = '5s'")
    owner.execute("CREATE INDEX CONCURRENTLY ix_premises_kind ON premises (kind)")
    assert second.is_alive()
    owner.execute("SELECT pg_advisory_unlock(%s)", (migrations.LOCK_KEY,))
    second.join(30)
    assert not second.is_alive()

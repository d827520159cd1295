"""The migrations make exactly what the models say, in one line of descent."""

from collections.abc import Iterator

import psycopg
import pytest
from alembic.script import ScriptDirectory

from app.db import Database
from app.errors import SetupError
from app.migrations import run as migrations
from tests.conftest import owner_of


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

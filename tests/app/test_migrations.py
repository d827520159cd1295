"""The migrations make exactly what the models say, in one line of descent."""

from alembic.script import ScriptDirectory

from app.migrations import run as migrations
from tests.conftest import owner_of


def test_the_migrated_database_is_the_models(worker_database_url: str) -> None:
    migrations.check(owner_of(worker_database_url))


def test_there_is_one_head_and_one_beginning() -> None:
    script = ScriptDirectory.from_config(migrations.config("postgresql://nowhere"))
    assert (len(script.get_heads()), len(script.get_bases())) == (1, 1)
    numbers = [revision.revision for revision in script.walk_revisions()]
    assert len(numbers) == len(set(numbers)) == len(list((migrations.HERE / "versions").glob("[0-9]*.py")))

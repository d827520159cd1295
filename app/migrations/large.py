"""Changes of a table that may be large, made while people work: nobody waits for its locks longer than a moment."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from alembic import op

# A statement that waits for its lock lets everybody wait who comes after it; one that works holds what it has locked.
TIMEOUTS = "SET lock_timeout = '4s'; SET statement_timeout = '60s'"
AS_LONG_AS_IT_TAKES = "SET lock_timeout = 0; SET statement_timeout = 0"


@contextmanager
def patiently() -> Iterator[None]:
    """For statements that take as long as the table is large and for which nobody waits: indices, VALIDATE CONSTRAINT.

    Outside of a transaction, each by itself; so they stand in a migration of their own that may be run again.
    """
    with op.get_context().autocommit_block():
        op.execute(AS_LONG_AS_IT_TAKES)
        yield
        op.execute(TIMEOUTS)


def index(name: str, table: str, columns: Sequence[str], **more: Any) -> None:  # noqa: ANN401 - as op.create_index takes it
    """An index on a table that is there already. One that an interrupted attempt left broken is made anew."""
    with patiently():
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        op.create_index(name, table, list(columns), postgresql_concurrently=True, **more)


def validate(table: str, constraint: str) -> None:
    """The second half of a constraint that an earlier migration added NOT VALID."""
    with patiently():
        op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {constraint}")

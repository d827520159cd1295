"""Alembic's entry: one connection, a transaction for each migration, an advisory lock, timeouts that protect a live province."""

import re
import time

from alembic import context
from sqlalchemy import create_engine, pool, text

from app.db import Base
from app.migrations import tables
from app.migrations.large import TIMEOUTS
from app.migrations.run import LOCK_KEY

PARTITIONED = {t.name for t in tables.ALL if t.dialect_options["postgresql"]["partition_by"]}
WITHOUT_MODEL = {"clock_shift", "partitioned_tables"}
_MONTH = re.compile(r"(\w+)_(\d{6}|other)")

assert tables.ALL  # noqa: S101 - importing it is what fills Base.metadata


def has_a_model(name: str | None, kind: str, _parents: object) -> bool:
    """Months of a partitioned table come and go by themselves, and two tables of the kernel are read by SQL only."""
    if kind != "table" or name is None:
        return True
    month = _MONTH.fullmatch(name)
    return name not in WITHOUT_MODEL and (month is None or month[1] not in PARTITIONED)


def run() -> None:
    engine = create_engine(context.config.attributes["url"], poolclass=pool.NullPool)
    with engine.connect() as connection:
        # Asked again and again: one statement that waits would hold a snapshot, for which CREATE INDEX CONCURRENTLY waits.
        while not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": LOCK_KEY}):
            connection.commit()
            time.sleep(0.2)
        connection.execute(text(TIMEOUTS))
        connection.commit()
        try:
            context.configure(
                connection=connection,
                target_metadata=Base.metadata,
                compare_type=True,
                include_name=has_a_model,
                transaction_per_migration=True,
            )
            with context.begin_transaction():
                context.run_migrations()
        finally:
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": LOCK_KEY})
            connection.commit()
    engine.dispose()


def show() -> None:
    """Write the SQL of migrations, for the check that reads it (`run.new_ones`)."""
    context.configure(dialect_name="postgresql", target_metadata=Base.metadata, transaction_per_migration=True)
    with context.begin_transaction():
        context.execute(TIMEOUTS)
        context.run_migrations()


if context.is_offline_mode():
    show()
else:
    run()

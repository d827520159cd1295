"""Alembic's entry: one connection, one transaction, an advisory lock, and timeouts that protect a live province."""

import re

from alembic import context
from sqlalchemy import create_engine, pool, text

from app.db import Base
from app.migrations import tables

PARTITIONED = {t.name for t in tables.ALL if t.dialect_options["postgresql"]["partition_by"]}
WITHOUT_MODEL = {"clock_shift", "partitioned_tables"}
_MONTH = re.compile(r"(\w+)_(\d{6}|other)")
LOCK_KEY = 20260115  # any constant of ours: two processes that migrate at once wait for each other

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
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": LOCK_KEY})  # as long as the other one takes
        connection.execute(text("SET lock_timeout = '4s'"))  # also counts for advisory locks, so it comes second
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


if context.is_offline_mode():
    raise SystemExit("Chỉ chạy di trú trên cơ sở dữ liệu thật: dùng `./hoi migrate`.")
run()

"""Columns, constraints and indices in the words of a migration; constraints get their names by the convention of `db.Base`.

A kind of column takes the names of all that stand beside each other. A column holds something unless it says `nullable`.
"""

from collections.abc import Iterable
from typing import Any, Protocol

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine

Parts = Iterable[SchemaItem]


class Kind(Protocol):
    """`to` is the table whose row the column names by its id, or table and column; `own` such a table of the same organisation."""

    def __call__(
        self,
        *names: str,
        to: str | None = None,
        own: str | None = None,
        nullable: bool = False,
        unique: bool = False,
        primary: bool = False,
        default: str | None = None,
    ) -> Parts: ...


def _of(kind: TypeEngine[Any]) -> Kind:
    def columns(
        *names: str,
        to: str | None = None,
        own: str | None = None,
        nullable: bool = False,
        unique: bool = False,
        primary: bool = False,
        default: str | None = None,
    ) -> Parts:
        begins = None if default is None else sa.text(default)
        target = to if to is None or "." in to else f"{to}.id"
        for name in names:
            key = () if target is None else (sa.ForeignKey(target),)
            yield sa.Column(
                name, kind, *key, nullable=nullable, unique=unique, primary_key=primary, server_default=begins
            )
            if own is not None:
                yield pair(name, own)

    return columns


identifier = _of(sa.Uuid())
text = _of(sa.Text())
data = _of(postgresql.JSONB())
octets = _of(sa.LargeBinary())
flag = _of(sa.Boolean())
small = _of(sa.SmallInteger())
number = _of(sa.Integer())
big = _of(sa.BigInteger())
amount = _of(sa.Numeric(18, 3))
day = _of(sa.Date())
moment = _of(sa.DateTime(timezone=True))


def table(name: str, *parts: SchemaItem | Parts, **more: Any) -> None:  # noqa: ANN401 - of PostgreSQL's dialect
    flat: list[SchemaItem] = []
    for part in parts:
        flat += [part] if isinstance(part, SchemaItem) else part
    op.create_table(name, *flat, **more)


def key() -> SchemaItem:
    """The row's own id."""
    return sa.Column("id", sa.Uuid(), primary_key=True)


def owned_key() -> Parts:
    """The row's own id, which other rows name together with its organisation."""
    return key(), unique("id", "organisation_id")


def position() -> SchemaItem:
    """In which order rows were written."""
    return sa.Column("position", sa.BigInteger(), sa.Identity(always=True), nullable=False, unique=True)


def computed(name: str, by: str, *, kind: TypeEngine[Any] | None = None, nullable: bool = False) -> SchemaItem:
    """A column that the database fills by this expression, see `db.folded` and `db.in_order`."""
    return sa.Column(name, kind or sa.Text(), sa.Computed(by, persisted=True), nullable=nullable)


def primary(*columns: str) -> SchemaItem:
    return sa.PrimaryKeyConstraint(*columns)


def unique(*columns: str) -> SchemaItem:
    return sa.UniqueConstraint(*columns)


def pair(column: str, to: str, organisation: str = "organisation_id", *, named: str | None = None) -> SchemaItem:
    """`column` names a row of the table `to` that belongs to the organisation in the column `organisation`."""
    name = op.f(named) if named else None
    return sa.ForeignKeyConstraint([column, organisation], [f"{to}.id", f"{to}.organisation_id"], name=name)


def check(name: str, condition: str) -> SchemaItem:
    return sa.CheckConstraint(condition, name=name)


def one_of(column: str, words: str) -> SchemaItem:
    """The column holds one of these words, which stand between blanks."""
    listed = ", ".join(f"'{word}'" for word in words.split())
    return check(column, f"{column} IN ({listed})")


def span() -> Parts:
    yield from day("valid_from")
    yield from day("valid_to", nullable=True)


def dated() -> Parts:
    """For rows of a `span` with `ended_at`, see `db.dated`."""
    return check("order", "valid_to >= valid_from - 1"), check("ended", "(valid_to IS NULL) = (ended_at IS NULL)")


def index(
    table: str,
    columns: str,
    *,
    named: str | None = None,
    unique: bool = False,
    where: str | None = None,
    include: str = "",
    nulls_not_distinct: bool = False,
    using: str = "",
    ops: dict[str, str] | None = None,
) -> None:
    """An index on a table that the same migration makes: ix_<table>_<first column> or ix_<table>_<named>, uq_ where unique."""
    listed = columns.split(", ")
    op.create_index(
        f"{'uq' if unique else 'ix'}_{table}_{named or listed[0]}",
        table,
        [sa.text(column) if " " in column else column for column in listed],
        unique=unique,
        postgresql_where=None if where is None else sa.text(where),
        postgresql_include=include.split(", ") if include else [],
        postgresql_nulls_not_distinct=nulls_not_distinct or None,
        postgresql_using=using,
        postgresql_ops=ops or {},
    )


def indices(table: str, *each: str) -> None:
    for columns in each:
        index(table, columns)


def one_open(table: str, columns: str, where: str = "valid_to IS NULL", *, nulls_not_distinct: bool = False) -> None:
    """Of these only one at a time: the next one may begin when this one has its end."""
    index(table, columns, named="open", unique=True, where=where, nulls_not_distinct=nulls_not_distinct)


def trigrams(table: str, column: str) -> None:
    """The index in which a part of a folded name is found."""
    index(table, column, using="gin", ops={column: "gin_trgm_ops"})

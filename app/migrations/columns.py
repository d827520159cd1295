"""The columns and foreign keys that most tables have, named by the convention of `db.Base`."""

import sqlalchemy as sa
from alembic import op

LONGEST_NAME = 63  # PostgreSQL cuts longer ones


def identifier(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.Uuid(), nullable=nullable)


def moment(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def points(table: str, column: str, to: str, key: str = "id") -> sa.ForeignKeyConstraint:
    """`column` names a row of the table `to`."""
    return sa.ForeignKeyConstraint([column], [f"{to}.{key}"], name=op.f(f"fk_{table}_{column}_{to}"))


def pair(table: str, column: str, to: str, organisation: str = "organisation_id") -> sa.ForeignKeyConstraint:
    """`column` names a row of the table `to` that belongs to the organisation in the column `organisation`."""
    return sa.ForeignKeyConstraint(
        [column, organisation],
        [f"{to}.id", f"{to}.organisation_id"],
        name=op.f(f"fk_{table}_{column}_{organisation}_{to}"[:LONGEST_NAME]),
    )

"""Rules of rows, said by every table in its migration: who may read and write it, and whether its rows may ever change."""

from alembic import op

APPEND_ONLY = "SELECT, INSERT"
DATED = "SELECT, INSERT, UPDATE"
FREE = "SELECT, INSERT, UPDATE, DELETE"


def grant(table: str, rights: str) -> None:
    """Give the application's role exactly these rights; it owns no table."""
    op.execute(f"GRANT {rights} ON {table} TO hoi_app")
    op.execute(f"GRANT SELECT ON {table} TO hoi_app")


def open_rows(table: str, rights: str = DATED) -> None:
    """Rows that belong to nobody in particular (places, packs, public pages): without a policy, until `replace` adds some."""
    grant(table, rights)


def sees(column: str = "organisation_id") -> str:
    """The rows of the actor's own organisations, and of those that lie in an official's units.

    What the actor is told to be is read once a statement; where the organisation lies, once a row by its id: a set of all
    organisations of a province would be made for the first row of whatever is asked.
    """
    return (
        f"hoi_is_system() OR {column} = ANY ((SELECT hoi_organisations())::uuid[]) OR {around('hoi_units()', column)}"
    )


def around(units: str, column: str = "organisation_id") -> str:
    """Whether the row's organisation lies in one of the units that this SQL function gives."""
    return _told(units, f"FROM organisations seat WHERE seat.id = {column}", "village_id", "commune_id", "province_id")


def placed(units: str, column: str = "village_id") -> str:
    """Whether the row's village is or lies in one of the units that this SQL function gives."""
    return _told(units, f"FROM places seat WHERE seat.id = {column}", "id", "parent_id", "province_id")


def _told(units: str, where: str, *levels: str) -> str:
    any_level = " OR ".join(f"seat.{level} = ANY ((SELECT {units})::uuid[])" for level in levels)
    return f"((SELECT {units} <> '{{}}') AND (SELECT {any_level} {where}))"


def _may_at(right: str) -> str:
    return f"hoi_may_at('{right}')"


def may(right: str, column: str = "organisation_id") -> str:
    """Whether the named right holds in the row's organisation, read once a statement; see `app.actor.Right`."""
    return f"(SELECT hoi_is_system()) OR {column} = ANY ((SELECT hoi_may('{right}'))::uuid[])"


def may_around(right: str, column: str = "organisation_id") -> str:
    """As `may`, and where the right holds for a unit in which the organisation lies."""
    return f"{may(right, column)} OR {around(_may_at(right), column)}"


# --- as it was before migration 0031, which says all of this again ------------------------------------------------


def seen(column: str = "organisation_id") -> str:
    """What `sees` says now."""
    return (
        f"hoi_is_system() OR {column} = ANY ((SELECT hoi_organisations())::uuid[])"
        f" OR {column} IN (SELECT hoi_overseen())"
    )


def may_there(right: str, column: str = "organisation_id") -> str:
    """What `may_around` says now."""
    return f"{may(right, column)} OR {column} IN (SELECT hoi_lying_in(hoi_may_at('{right}')))"


def organisation_rows(table: str, rights: str = DATED, column: str = "organisation_id") -> None:
    """Rows of an organisation, as they were before migration 0024: a new table says `replace(..., add=may(right))`."""
    grant(table, rights)
    _policy(table, seen(column), f"hoi_writes({column})")


def person_rows(table: str, rights: str = DATED, column: str = "person_id") -> None:
    """Rows of one person: that person and SYSTEM."""
    grant(table, rights)
    _policy(table, f"hoi_is_person({column})")


def guarded_rows(table: str, using: str, rights: str = DATED, check: str | None = None) -> None:
    """Rows with a rule of their own: `using` is an SQL condition, `check` another one for writing."""
    grant(table, rights)
    _policy(table, using, check)


def replace(
    table: str, *, read: str, add: str, change: str, keep: str | None = None, remove: str = "hoi_is_system()"
) -> None:
    """Put one SQL condition for each command in the place of every policy that the table has had until now.

    `change` also says who may lock a row; `keep`, where it is given, whose changes are kept: who locks need not write.
    """
    op.execute(f"""
        DO $$ DECLARE old name; BEGIN
            FOR old IN SELECT policyname FROM pg_policies WHERE schemaname = 'public' AND tablename = '{table}' LOOP
                EXECUTE format('DROP POLICY %I ON {table}', old);
            END LOOP;
        END $$""")
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY {table}_read ON {table} FOR SELECT TO hoi_app USING ({read})")
    op.execute(f"CREATE POLICY {table}_add ON {table} FOR INSERT TO hoi_app WITH CHECK ({add})")
    op.execute(
        f"CREATE POLICY {table}_change ON {table} FOR UPDATE TO hoi_app USING ({change}) WITH CHECK ({keep or change})"
    )
    op.execute(f"CREATE POLICY {table}_remove ON {table} FOR DELETE TO hoi_app USING ({remove})")


def _policy(table: str, using: str, check: str | None = None) -> None:
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY {table}_rows ON {table} TO hoi_app USING ({using}) WITH CHECK ({check or using})")


def month_partitions(table: str) -> None:
    """Give a table partitioned by RANGE its partitions: this month and three ahead; hoi_make_partitions() goes on."""
    op.execute(f"INSERT INTO partitioned_tables (name) VALUES ('{table}')")
    op.execute(f"SELECT hoi_make_partitions('{table}', now())")
    op.execute(f"CREATE TABLE {table}_other PARTITION OF {table} DEFAULT")

"""Rules of rows, said by every table in its migration: who may read and write it, and whether its rows may ever change."""

from alembic import op

APPEND_ONLY = "SELECT, INSERT"
DATED = "SELECT, INSERT, UPDATE"
FREE = "SELECT, INSERT, UPDATE, DELETE"

# In brackets of their own these are asked once a statement, not once a row.
SYSTEM = "(SELECT hoi_is_system())"
ANYBODY = "(SELECT hoi_kind() <> '')"
SOMEBODY = "(SELECT hoi_kind() IN ('system', 'person'))"
PROVINCE = "(SELECT hoi_is_of_province())"
NOBODY = "false"


def grant(table: str, rights: str) -> None:
    """Give the application's role exactly these rights; it owns no table."""
    op.execute(f"GRANT {rights} ON {table} TO hoi_app")


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


def may(right: str, column: str = "organisation_id") -> str:
    """Whether the named right holds in the row's organisation, read once a statement; see `app.actor.Right`."""
    return f"{SYSTEM} OR {column} = ANY ((SELECT hoi_may('{right}'))::uuid[])"


def may_around(right: str, column: str = "organisation_id") -> str:
    """As `may`, and where the right holds for a unit in which the organisation lies."""
    units = f"hoi_may_at('{right}')"
    return f"{may(right, column)} OR {around(units, column)}"


def rows(
    table: str,
    rights: str,
    *,
    read: str,
    add: str,
    change: str,
    keep: str | None = None,
    remove: str = "hoi_is_system()",
) -> None:
    """A new table's grants, and one SQL condition for each command.

    `change` also says who may lock a row; `keep`, where it is given, whose changes are kept: who locks need not write. Rows that a
    verb deletes itself have DELETE among their grants; everybody but SYSTEM is refused by `remove`.
    """
    grant(table, rights)
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    policy(table, "read", f"FOR SELECT TO hoi_app USING ({read})")
    policy(table, "add", f"FOR INSERT TO hoi_app WITH CHECK ({add})")
    policy(table, "change", f"FOR UPDATE TO hoi_app USING ({change}) WITH CHECK ({keep or change})")
    policy(table, "remove", f"FOR DELETE TO hoi_app USING ({remove})")


def written_by(right: str, rights: str, *tables: str, read: str | None = None) -> None:
    """Rows of an organisation, written by a named right there. Whoever sees one may lock it while they work on what hangs on it."""
    seen = read or sees()
    for table in tables:
        rows(table, rights, read=seen, add=may(right), change=seen, keep=may(right))
        # A right in one organisation would otherwise fetch the rows of another.
        op.execute(f"""
            CREATE OR REPLACE TRIGGER {table}_stay BEFORE UPDATE OF organisation_id ON {table} FOR EACH ROW
            WHEN (OLD.organisation_id <> NEW.organisation_id) EXECUTE FUNCTION hoi_never()""")


def one_rule(table: str, rights: str, using: str, check: str | None = None) -> None:
    """A new table's grants, and one SQL condition for all commands; `check` another one for what is written."""
    grant(table, rights)
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    policy(table, "rows", f"TO hoi_app USING ({using}) WITH CHECK ({check or using})")


def ends(table: str) -> None:
    """What began is never rewritten: only its end is added."""
    op.execute(f"GRANT UPDATE (valid_to, ended_at, ended_by) ON {table} TO hoi_app")


def policy(table: str, name: str, says: str) -> None:
    op.execute(f"CREATE POLICY {table}_{name} ON {table} {says}")


def forget(table: str) -> None:
    """Drop every policy that the table has had until now, for a migration that says its rules anew."""
    op.execute(f"""
        DO $$ DECLARE old name; BEGIN
            FOR old IN SELECT policyname FROM pg_policies WHERE schemaname = 'public' AND tablename = '{table}' LOOP
                EXECUTE format('DROP POLICY %I ON {table}', old);
            END LOOP;
        END $$""")


def by_month(table: str, *, kept: int, last_of: str | None = None, of_before: str | None = None) -> None:
    """Give a table partitioned by RANGE its partitions, this month and three ahead, and the rule by which they end.

    hoi_make_partitions() goes on with them; the words of the rule are explained at hoi_end_month().
    """
    op.execute(f"INSERT INTO partitioned_tables (name) VALUES ('{table}')")
    op.execute(f"SELECT hoi_make_partitions('{table}', now())")
    op.execute(f"CREATE TABLE {table}_other PARTITION OF {table} DEFAULT")
    rule = [f"'{word}'" if word else "NULL" for word in (last_of, of_before)]
    op.execute(
        f"INSERT INTO kept_months (name, months, last_of, of_before) VALUES ('{table}', {kept}, {', '.join(rule)})"
    )

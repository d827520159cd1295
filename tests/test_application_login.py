"""What somebody holds who can run any SQL as the application: its grants, and no way to more."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import errors

from app.db import Database

Row = tuple[Any, ...]


@pytest.fixture
def intruder(fresh_database: Database) -> Iterator["psycopg.Connection[Row]"]:
    """A session of the application's login, without the options that our own code opens it with."""
    with psycopg.connect(fresh_database.url, autocommit=True) as connection:
        yield connection


def one(connection: "psycopg.Connection[Row]", statement: str) -> Row:
    row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return row


def test_the_application_signs_in_as_itself_and_is_member_of_nothing(intruder: "psycopg.Connection[Row]") -> None:
    assert one(intruder, "SELECT session_user::text, current_user::text") == ("hoi_app", "hoi_app")
    powers = "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication, rolinherit FROM pg_roles"
    assert one(intruder, f"{powers} WHERE rolname = session_user") == (False,) * 6
    assert one(intruder, "SELECT count(*) FROM pg_auth_members WHERE member = 'hoi_app'::regrole") == (0,)
    assert one(intruder, "SELECT count(*) FROM pg_shdepend WHERE refobjid = 'hoi_app'::regrole AND deptype = 'o'") == (
        0,
    )


@pytest.mark.parametrize("statement", ["SET ROLE none", "RESET ROLE", "RESET SESSION AUTHORIZATION", "RESET ALL"])
def test_what_ends_a_borrowed_role_gains_nothing(intruder: "psycopg.Connection[Row]", statement: str) -> None:
    intruder.execute(statement.encode())
    assert one(intruder, "SELECT session_user::text, current_user::text") == ("hoi_app", "hoi_app")
    with pytest.raises(errors.InsufficientPrivilege):
        intruder.execute("SELECT * FROM pg_authid")


@pytest.mark.parametrize(
    "statement",
    [
        "SET ROLE hoi",
        "SET SESSION AUTHORIZATION hoi",
        "SELECT rolpassword FROM pg_authid",
        "COPY clock_shift TO PROGRAM 'cat'",
        "COPY clock_shift TO '/tmp/hoi-stolen'",
        "SELECT pg_read_file('postgresql.conf')",
        "SELECT lo_import('/etc/passwd')",
        "CREATE TABLE mine (a int)",
        "CREATE SCHEMA mine",
        "CREATE FUNCTION public.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE EXTENSION dblink",
        "CREATE ROLE mine",
        "ALTER ROLE hoi_app SUPERUSER",
        "ALTER SYSTEM SET log_statement = 'all'",
        "ALTER TABLE memberships DISABLE ROW LEVEL SECURITY",
        "DROP POLICY audit_add ON audit_entries",
        "TRUNCATE audit_entries",
        "SET session_replication_role = replica",
    ],
)
def test_the_way_up_is_closed(intruder: "psycopg.Connection[Row]", statement: str) -> None:
    with pytest.raises(psycopg.Error) as refused:
        intruder.execute(statement.encode())
    assert refused.value.sqlstate == errors.InsufficientPrivilege.sqlstate


def test_no_partition_is_granted_to_the_application(intruder: "psycopg.Connection[Row]") -> None:
    """Row-level security stands on the parent: a partition that could be asked itself would answer everything."""
    partitions = intruder.execute(
        "SELECT oid::regclass::text FROM pg_class WHERE relispartition AND relkind = 'r'"
    ).fetchall()
    assert len(partitions) > 5
    open_ones = [name for (name,) in partitions if one(intruder, f"SELECT has_table_privilege('{name}', 'SELECT')")[0]]
    assert open_ones == []


def test_a_function_with_the_owners_rights_sees_no_table_of_the_callers(intruder: "psycopg.Connection[Row]") -> None:
    unsafe = intruder.execute(
        "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef"
        " AND NOT 'search_path=public, pg_temp' = ANY (coalesce(proconfig, '{}'))"
    ).fetchall()
    assert unsafe == [], "SECURITY DEFINER needs SET search_path = public, pg_temp"
    intruder.execute(
        "CREATE TEMP TABLE partitioned_tables (name text); INSERT INTO partitioned_tables VALUES ('memberships')"
    )
    with pytest.raises(errors.RaiseException, match="not a partitioned table of ours"):
        intruder.execute("SELECT hoi_make_partitions('memberships', now())")

"""What row-level security costs: it reads an actor's rights once a statement, and a row's place from the row."""

import re
from collections.abc import Callable

import psycopg
from sqlalchemy import text

from app.actor import SYSTEM, Actor, Membership, Role
from app.db import Database, new_id
from tests import filled
from tests.actors import acting
from tests.conftest import MakeDatabase, owner_of

SMALL, LARGE = 480, 4800
# For each table the row that household 73, of cooperative 1 in commune 10, has there.
ROWS = {
    "organisations": "id = key('household', 73)",
    "memberships": "id = key('membership', 73)",
    "household_memberships": "id = key('member', 73)",
    "sites": "id = key('site', 73)",
    "site_villages": "id = key('lies', 73)",
    "cycles": "id = key('cycle', 73)",
    "care_logs": "id = key('step1', 73)",
    "products": "id = key('product', 1)",
    "batches": "id = key('batch', 73)",
    "batch_sources": "batch_id = key('batch', 73)",
    "trace_codes": "code = 'F73'",
}
# What a condition may say of a row itself; everything else it must read once a statement.
OF_A_ROW = {"hoi_is_person", "hoi_is_system", "hoi_kind"}
# Only for a writing of one row.
OF_A_WRITING = OF_A_ROW | {"hoi_answers_for"}


def test_no_policy_reads_the_actors_rights_once_a_row(database: Database) -> None:
    with database.transaction(SYSTEM) as session:
        policies = session.execute(text("SELECT tablename, policyname, cmd, qual, with_check FROM pg_policies")).all()
    assert len(policies) > 150
    for policy in policies:
        for clause in (policy.qual, policy.with_check):
            once = re.sub(r"SELECT \(?hoi_\w+\(", "SELECT once(", clause or "")
            left = set(re.findall(r"hoi_\w+(?=\()", once))
            reading = policy.cmd in {"SELECT", "ALL"}
            assert left <= (OF_A_ROW if reading else OF_A_WRITING), (policy.tablename, policy.policyname, clause)
            # A set of organisations would be made for the first row; the two that are small are the actor's own.
            sets = set(re.findall(r"IN \( SELECT (\w+)", clause or ""))
            assert sets <= {"hoi_cooperatives"}, (policy.tablename, policy.policyname, clause)


def test_nobody_writes_only_because_they_belong_to_an_organisation(database: Database) -> None:
    """Every writing asks a named right; of which organisations somebody is, in whichever role, says what they see."""
    with database.transaction(SYSTEM) as session:
        written = session.execute(
            text("SELECT tablename, with_check FROM pg_policies WHERE with_check IS NOT NULL")
        ).all()
    assert len(written) > 100
    assert [table for table, check in written if "hoi_organisations()" in check] == []


def actors_of(key: Callable[[str, int], object]) -> dict[str, Actor]:
    def placed(role: Role, place: object) -> Actor:
        return acting(Membership(new_id(), role, place), places=[place])  # type: ignore[arg-type]  # ids

    households = [key("household", i) for i in range(filled.MEMBERS, 2 * filled.MEMBERS)]
    return {
        "province": placed(Role.PROVINCE_OFFICIAL, key("province", 1)),
        "commune": placed(Role.COMMUNE_OFFICIAL, key("commune", 10)),
        "cooperative": acting(
            Membership(key("cooperative", 1), Role.COOPERATIVE_MANAGER),  # type: ignore[arg-type]  # an id
            households=households,  # type: ignore[arg-type]  # ids
        ),
        "farmer": acting(Membership(key("household", 73), Role.FARMER)),  # type: ignore[arg-type]  # an id
    }


def costs(database: Database, households: int) -> dict[tuple[str, str], int]:
    """Pages touched by a SELECT of one row, by actor and table, in a province of so many households."""
    found = {}
    with psycopg.connect(owner_of(database.url)) as owner:
        filled.fill(owner, households)
        key = lambda what, number: filled.key(owner, what, number)  # noqa: E731 - three words, used below
        for name, actor in actors_of(key).items():
            for table, which in ROWS.items():
                literal = re.sub(r"key\('(\w+)', (\d+)\)", lambda m: f"'{key(m[1], int(m[2]))}'", which)
                for asked in (literal, "true"):  # "true": what an official's list begins with
                    ask = text(f"SELECT * FROM {table} WHERE {asked} LIMIT 1")
                    with database.transaction(actor) as session:
                        pages = filled.buffers(database, session, lambda s=session, a=ask: s.execute(a))
                    if asked != "true" or name == "province":
                        found[name, f"{table} {asked}"] = pages
    return found


def rows_of(database: Database, actor: Actor) -> dict[str, int]:
    with database.transaction(actor) as session:
        return {t: session.scalar(text(f"SELECT count(*) FROM {t}")) or 0 for t in ("sites", "care_logs", "batches")}


def test_one_row_costs_as_much_in_a_large_province_as_in_a_small_one(make_database: MakeDatabase) -> None:
    small, large = costs(make_database(), SMALL), costs(make_database(), LARGE)
    assert len(large) == len(small) == 5 * len(ROWS)
    # A level more of an index is no growth; a set of all organisations would be hundreds of pages.
    grown = {which: (small[which], pages) for which, pages in large.items() if pages > small[which] + 6}
    assert grown == {}


def test_an_official_sees_what_lies_in_their_unit_and_nothing_beside_it(make_database: MakeDatabase) -> None:
    database = make_database()
    with psycopg.connect(owner_of(database.url)) as owner:
        filled.fill(owner, 2 * filled.MEMBERS)
        actors = actors_of(lambda what, number: filled.key(owner, what, number))
        in_commune = [i for i in range(1, 81) if 1 + (1 + i % filled.VILLAGES) % filled.COMMUNES == 10]
    assert rows_of(database, actors["province"]) == {"sites": 80, "care_logs": 400, "batches": 80}
    assert rows_of(database, actors["commune"]) == {
        "sites": len(in_commune), "care_logs": 5 * len(in_commune), "batches": 0,
    }  # fmt: skip
    assert rows_of(database, actors["cooperative"]) == {"sites": 40, "care_logs": 200, "batches": 40}
    assert rows_of(database, actors["farmer"]) == {"sites": 1, "care_logs": 5, "batches": 0}

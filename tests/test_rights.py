"""Row-level security alone, without the verbs above it: what the database refuses to a transaction told who acts."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from uuid import UUID

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.orm import Session

from app.accounts import actors
from app.actor import PUBLIC, SYSTEM, Actor
from app.db import Database, new_id
from demo import cast

pytestmark = pytest.mark.slow
REFUSED = "42501"  # insufficient privilege: no grant, or a policy said no
# What somebody without a sign-in may add: a line in the trail, and news of it.
ADDED_BY_VISITORS = {"audit_entries", "outbox_events"}


# --- generated: every table --------------------------------------------------------------------------------------


def tables(database: Database) -> list[str]:
    with database.transaction(SYSTEM) as session:
        return list(
            session.execute(
                text(
                    "SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace"
                    " AND c.relkind IN ('r', 'p') ORDER BY 1"
                )
            ).scalars()
        )


def attempts(session: Session | Connection, table: str) -> Iterator[tuple[str, str]]:
    """(what, SQL) of one reading and every kind of writing; a column that may be updated is set to itself."""
    column = session.execute(
        text(
            "SELECT attname FROM pg_attribute WHERE attrelid = CAST(:table AS regclass) AND attnum > 0"
            " AND attgenerated = '' AND attidentity = '' AND has_column_privilege(attrelid, attnum, 'UPDATE') LIMIT 1"
        ),
        {"table": table},
    ).scalar_one_or_none()
    yield "reads", f'SELECT * FROM "{table}"'
    yield "adds to", f'INSERT INTO "{table}" DEFAULT VALUES'
    if column is not None:
        yield "changes", f'UPDATE "{table}" SET "{column}" = "{column}"'
    yield "empties", f'DELETE FROM "{table}"'


def succeeds(session: Session | Connection, statement: str) -> bool:
    """Whether the statement reached a row. A constraint that refuses it counts too: row-level security is asked first."""
    try:
        with session.begin_nested():
            result = session.execute(text(statement))
            return bool(result.fetchall() if result.returns_rows else result.rowcount)  # type: ignore[attr-defined]  # a cursor's
    except DBAPIError as error:
        return getattr(error.orig, "sqlstate", None) != REFUSED


def test_a_missing_actor_reads_nothing_and_writes_nothing(demo_database: Database) -> None:
    every = tables(demo_database)
    with demo_database.transaction(SYSTEM) as session:
        filled = [t for t in every if succeeds(session, f'SELECT * FROM "{t}" LIMIT 1')]
    assert len(filled) > 30
    with demo_database.engine.connect() as bare:
        done = [f"{what} {t}" for t in every for what, statement in attempts(bare, t) if succeeds(bare, statement)]
    assert done == []


def test_a_visitor_writes_nothing(demo_database: Database) -> None:
    with demo_database.transaction(PUBLIC) as session:
        done = [
            f"{what} {t}"
            for t in tables(demo_database)
            for what, statement in attempts(session, t)
            if what != "reads" and succeeds(session, statement)
        ]
    assert done == [f"adds to {t}" for t in sorted(ADDED_BY_VISITORS)]


# --- by hand: what each role may not -----------------------------------------------------------------------------


@pytest.fixture
def player(demo_database: Database) -> Callable[[str], Actor]:
    """The actor of somebody of the demo, by key."""

    def find(key: str) -> Actor:
        phone = next(p.phone for p in cast.PLAYERS if p.key == key)
        with demo_database.transaction(SYSTEM) as session:
            person = session.execute(
                text("SELECT person_id FROM personal_data WHERE phone = :phone"), {"phone": phone}
            ).scalar_one()
            return actors.actor_for(session, UUID(str(person)))

    return find


@pytest.fixture
def trying(demo_database: Database) -> Callable[[Actor], AbstractContextManager[Session]]:
    """A transaction of the actor that leaves nothing behind."""

    @contextmanager
    def begin(actor: Actor) -> Iterator[Session]:
        with Session(demo_database.engine) as session:
            demo_database.tell_actor(session, actor)
            yield session

    return begin


def rows(session: Session, statement: str, **values: object) -> int:
    return session.execute(text(statement), values).rowcount  # type: ignore[attr-defined]  # a cursor's


def refused(session: Session, statement: str, **values: object) -> bool:
    with pytest.raises(ProgrammingError) as caught, session.begin_nested():
        session.execute(text(statement), values)
    return getattr(caught.value.orig, "sqlstate", None) == REFUSED


MEMBERSHIP = (
    "INSERT INTO memberships (id, person_id, organisation_id, role, valid_from, recorded_at)"
    " VALUES (:id, :person, :organisation, :role, '2026-01-01', now())"
)


@pytest.mark.parametrize("key", ["thu-mua", "can-bo-khuyen-nong", "hop-tac-xa", "tinh"])
def test_nobody_but_the_person_is_erased(player: Callable, trying: Callable, key: str) -> None:
    actor = player(key)
    with trying(actor) as session:
        assert rows(session, "UPDATE people SET erased_at = now()") == 1
        assert session.execute(text("SELECT id FROM people WHERE erased_at IS NOT NULL")).scalars().all() == [
            actor.person_id
        ]


def test_a_colleague_changes_neither_password_nor_data(player: Callable, trying: Callable) -> None:
    purchaser, manager = player("thu-mua"), player("hop-tac-xa")
    with trying(purchaser) as session:
        known = session.execute(text("SELECT person_id FROM personal_data")).scalars().all()
        assert manager.person_id in known
        assert rows(session, "SELECT FROM credentials WHERE person_id <> :me", me=purchaser.person_id) == 0
        for statement in (
            "UPDATE credentials SET password_hash = 'x' WHERE person_id <> :me",
            "UPDATE personal_data SET phone = NULL WHERE person_id <> :me",
            "UPDATE sign_ins SET ended_at = NULL WHERE person_id <> :me",
            "DELETE FROM credentials WHERE person_id <> :me",
            "DELETE FROM personal_data WHERE person_id <> :me",
        ):
            assert rows(session, statement, me=purchaser.person_id) == 0, statement
        assert refused(session, "UPDATE sign_ins SET person_id = person_id")


def test_a_manager_changes_those_whose_every_role_is_theirs_to_give_and_deletes_nobody(
    player: Callable, trying: Callable, demo_database: Database
) -> None:
    manager, purchaser, official = player("hop-tac-xa"), player("thu-mua"), player("xa")
    [office] = {m.organisation_id for m in official.memberships}
    change = "UPDATE personal_data SET address_as = 'cô' WHERE person_id = :person"
    with trying(manager) as session:
        assert rows(session, change, person=purchaser.person_id) == 1
        assert rows(session, "DELETE FROM personal_data WHERE person_id <> :me", me=manager.person_id) == 0
        assert rows(session, change, person=official.person_id) == 0
    elsewhere = {"id": new_id(), "person": purchaser.person_id, "organisation": office, "role": "digital_group"}
    with demo_database.transaction(SYSTEM) as session:
        session.execute(text(MEMBERSHIP), elsewhere)
    with trying(manager) as session:
        assert rows(session, change, person=purchaser.person_id) == 0


def test_a_farmer_gives_no_role_and_takes_nobody_in(player: Callable, trying: Callable) -> None:
    farmer, manager = player("nong-dan"), player("hop-tac-xa-2")
    [household] = {m.organisation_id for m in farmer.memberships}
    [cooperative] = {m.organisation_id for m in manager.memberships}
    values = {"id": new_id(), "person": farmer.person_id, "organisation": household}
    with trying(farmer) as session:
        for role in ("administrator", "province_official", "cooperative_manager", "farmer"):
            assert refused(session, MEMBERSHIP, **values, role=role)
        assert refused(
            session,
            "INSERT INTO household_memberships (id, household_id, cooperative_id, valid_from, recorded_at)"
            " VALUES (:id, :household, :cooperative, '2026-01-01', now())",
            id=new_id(),
            household=household,
            cooperative=cooperative,
        )
        assert refused(session, "INSERT INTO people (id, created_at) VALUES (:id, now())", id=new_id())


def test_a_manager_gives_the_roles_of_a_cooperative_and_no_other(player: Callable, trying: Callable) -> None:
    manager, farmer = player("hop-tac-xa"), player("nong-dan")
    [cooperative] = {m.organisation_id for m in manager.memberships}
    values = {"person": farmer.person_id, "organisation": cooperative}
    with trying(manager) as session:
        assert refused(session, MEMBERSHIP, **values, id=new_id(), role="administrator")
        assert rows(session, MEMBERSHIP, **values, id=new_id(), role="purchaser") == 1
    with trying(player("hop-tac-xa-2")) as session:
        assert refused(session, MEMBERSHIP, **values, id=new_id(), role="purchaser")
        [own] = {m.organisation_id for m in player("hop-tac-xa-2").memberships}
        [household] = {m.organisation_id for m in farmer.memberships}
        assert refused(
            session,
            "INSERT INTO household_memberships (id, household_id, cooperative_id, valid_from, recorded_at)"
            " VALUES (:id, :household, :cooperative, '2026-01-01', now())",
            id=new_id(),
            household=household,
            cooperative=own,
        )


@pytest.mark.parametrize("table", ["cards", "devices", "card_requests"])
def test_a_purchaser_of_the_cooperative_has_nothing_to_do_with_cards(
    player: Callable, trying: Callable, table: str
) -> None:
    with trying(player("thu-mua")) as session:
        assert refused(session, f"INSERT INTO {table} DEFAULT VALUES")
        assert rows(session, f"SELECT FROM {table}") == 0


PROVINCE = ("places", "place_names", "place_lineage", "place_attributes", "premises", "floors", "floor_decisions",
            "parameter_choices")  # fmt: skip


@pytest.mark.parametrize("key", ["nong-dan", "hop-tac-xa", "can-bo-khuyen-nong", "xa", "chung-nhan"])
def test_who_is_not_of_the_province_changes_nothing_of_everybodys(player: Callable, trying: Callable, key: str) -> None:
    with trying(player(key)) as session:
        assert rows(session, "SELECT FROM places LIMIT 1") == 1
        for table in PROVINCE:
            assert refused(session, f"INSERT INTO {table} DEFAULT VALUES")
        for statement in (
            "UPDATE places SET name = name",
            "UPDATE place_names SET name = name",
            "UPDATE place_attributes SET value = value",
            "UPDATE premises SET label = label",
            "UPDATE floors SET hosts = hosts",
            "UPDATE clock_shift SET shift = '1 day'",
        ):
            assert rows(session, statement) == 0, statement
        assert session.execute(text("SELECT count(*) FROM clock_shift")).scalar_one() == 1


def test_an_official_of_the_province_changes_places_but_not_the_clock(player: Callable, trying: Callable) -> None:
    with trying(player("tinh")) as session:
        assert rows(session, "UPDATE places SET name = name WHERE level = 'province'") == 1
        assert rows(session, "UPDATE clock_shift SET shift = '1 day'") == 0


def test_a_public_page_is_made_stale_by_its_own_organisation_only(player: Callable, trying: Callable) -> None:
    stale = (
        "INSERT INTO public_pages (code, language, wanted_version) VALUES (:code, 'vi', 1)"
        " ON CONFLICT (code, language) DO UPDATE SET wanted_version = public_pages.wanted_version + 1"
    )
    manager = player("hop-tac-xa")
    with trying(manager) as session:
        code = session.execute(
            text("SELECT code FROM trace_codes WHERE organisation_id = ANY (:own) ORDER BY code LIMIT 1"),
            {"own": list(manager.organisations)},
        ).scalar_one()
        assert rows(session, stale, code=code) == 1
    for key in ("hop-tac-xa-2", "xa", "tinh"):
        with trying(player(key)) as session:
            assert refused(session, stale, code=code)
            assert rows(session, "UPDATE public_pages SET body = NULL WHERE code = :code", code=code) == 0


def test_a_right_comes_from_the_roles_of_the_sign_in_not_from_all_of_the_persons(
    player: Callable, trying: Callable, demo_database: Database
) -> None:
    """By card an administrator who also farms is a farmer and nothing else."""
    administrator, farmer = player("quan-tri"), player("nong-dan")
    with demo_database.transaction(SYSTEM) as session:
        session.execute(
            text(
                "INSERT INTO data_requests (id, person_id, kind, detail, received_at, answer_due_at, fulfil_due_at)"
                " VALUES (:id, :person, 'see', '', now(), now(), now())"
            ),
            {"id": new_id(), "person": farmer.person_id},
        )
    with trying(administrator) as session:
        assert rows(session, "SELECT FROM data_requests") == 1
    with trying(Actor(kind="person", person_id=administrator.person_id)) as session:
        assert rows(session, "SELECT FROM data_requests") == 0

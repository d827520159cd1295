"""A step is stored once under its id, and what comes under it with other content is kept beside it."""

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from sqlalchemy import select

from app.actor import Actor
from app.db import Database
from app.trace import diary, queries
from app.trace.models import ConflictingSubmission
from tests.app.trace.steps_written import events, rows
from tests.worlds.farm import World, a_log, a_site, build, write


def test_the_same_step_again_is_answered_and_not_doubled(database: Database, world: World) -> None:
    site = a_site(database, world.farmer, world.household, world.village)
    log = a_log(site)
    assert write(database, world.farmer, log, log) == ["stored", "repeated"]
    assert write(database, world.farmer, log) == ["repeated"]
    assert write(database, world.manager, log) == ["repeated"]
    assert rows(database) == 1
    assert len(events(database, "trace.care_log_recorded")) == 1


def test_other_content_under_the_same_id_is_a_conflict_and_both_are_kept_once(database: Database, world: World) -> None:
    site = a_site(database, world.farmer, world.household, world.village)
    log = a_log(site)
    other = log.model_copy(update={"note": "khác"})
    assert write(database, world.farmer, log) == ["stored"]
    for _ in range(3):
        assert write(database, world.farmer, other, a_log(site)) == ["conflict", "stored"]
    with database.transaction(world.farmer) as session:
        kept = session.scalars(select(ConflictingSubmission)).all()
        line = queries.care_log(session, world.farmer, log.id)
    assert [(k.care_log_id, k.body["note"]) for k in kept] == [(log.id, "khác")]
    assert line.log.note is None


def test_two_contents_under_one_id_in_one_call(database: Database, world: World) -> None:
    site = a_site(database, world.farmer, world.household, world.village)
    log = a_log(site)
    assert write(database, world.farmer, log, log.model_copy(update={"note": "khác"})) == ["stored", "conflict"]
    assert rows(database) == 1


def test_a_strangers_id_is_a_conflict_that_tells_nothing(database: Database, world: World) -> None:
    mine = a_site(database, world.farmer, world.household, world.village)
    theirs = a_site(database, world.stranger, world.foreign, world.village)
    log = a_log(mine, note="riêng của hộ")
    write(database, world.farmer, log)
    with database.transaction(world.stranger) as session:
        same = log.model_copy(update={"site_id": theirs})
        outcome = diary.record_care_logs(session, world.stranger, [same])[0]
    assert outcome.status == "conflict"
    assert "riêng" not in str(outcome.error)


def test_what_came_under_a_taken_id_is_listed_at_the_site_of_the_step_that_stands(
    database: Database, world: World
) -> None:
    first, second = (a_site(database, world.farmer, world.household, world.village) for _ in range(2))
    neighbours = a_site(database, world.neighbour, world.other, world.village)
    theirs = a_site(database, world.stranger, world.foreign, world.village)
    log, twice = a_log(first), a_log(second)
    write(database, world.farmer, log)
    assert write(database, world.farmer, log.model_copy(update={"site_id": second})) == ["conflict"]
    assert write(database, world.farmer, twice, twice.model_copy(update={"site_id": first})) == ["stored", "conflict"]
    assert write(database, world.manager, log.model_copy(update={"site_id": neighbours})) == ["conflict"]
    assert write(database, world.stranger, log.model_copy(update={"site_id": theirs})) == ["conflict"]

    def listed(actor: Actor, site: UUID) -> list[tuple[UUID, UUID]]:
        with database.transaction(actor) as session:
            found = queries.conflicts(session, actor, site_id=site)
            assert found.total.number == len(found.rows)
            return sorted((c.care_log_id, c.organisation_id) for c in found.rows)

    assert listed(world.farmer, first) == [(log.id, world.household)]
    assert listed(world.manager, first) == sorted([(log.id, world.household), (log.id, world.other)])
    assert listed(world.farmer, second) == [(twice.id, world.household)]
    assert listed(world.manager, neighbours) == []
    assert listed(world.stranger, theirs) == [(log.id, world.foreign)], "not the site of a household that is not theirs"


def test_ten_at_once_leave_one_row_and_one_event(fresh_database: Database) -> None:
    world = build(fresh_database)
    site = a_site(fresh_database, world.farmer, world.household, world.village)
    logs = [a_log(site, note=str(i)) for i in range(5)]
    orders = [logs if i % 2 else logs[::-1] for i in range(10)]
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda order: write(fresh_database, world.farmer, *order), orders))
    flat = [status for answer in answers for status in answer]
    assert (flat.count("stored"), flat.count("repeated"), len(flat)) == (5, 45, 50)
    assert rows(fresh_database) == 5

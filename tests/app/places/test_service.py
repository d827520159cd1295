"""Imports that apply whole or not at all, names and attributes with their dates, and who may."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app import clock, jobs
from app.actor import PUBLIC, SYSTEM, Actor, Role
from app.audit import AuditEntry
from app.db import Database, new_id
from app.errors import Conflict, Forbidden, HoiError, Invalid, NotFound, TooLarge
from app.jobs import Job
from app.media import MAX_BYTES, MediaStore
from app.outbox import OutboxEvent
from app.places import queries, service
from app.places.models import ImportKind, Place, PlaceAttribute, PlaceImport, PlaceName, Premises

Csv = Callable[..., bytes]
START = date(2025, 7, 1)


def send(
    database: Database, actor: Actor, store: MediaStore, raw: bytes, *, kind: ImportKind = ImportKind.VILLAGES,
    on: date = START, import_id: UUID | None = None,
) -> UUID:  # fmt: skip
    with database.transaction(actor) as session:
        return service.begin_import(
            session, actor, store, import_id=import_id or new_id(), kind=kind, effective_on=on,
            file_name="danh sách.csv", raw=raw,
        )  # fmt: skip


def press(database: Database, actor: Actor, store: MediaStore, import_id: UUID) -> UUID:
    with database.transaction(actor) as session:
        return service.request_import(session, actor, store, import_id)


def work(database: Database, store: MediaStore, job_id: UUID) -> Job:
    handlers: dict[str, jobs.Handler] = {
        service.IMPORT_JOB: lambda session, actor, job, report: service.apply_import(session, actor, job, report, store)
    }
    with database.transaction(SYSTEM) as session:
        jobs.run(database, session, job_id, handlers.__getitem__, SYSTEM)
    with database.transaction(SYSTEM) as session:
        return session.get_one(Job, job_id)


def imported(database: Database, actor: Actor, store: MediaStore, raw: bytes, **how: object) -> Job:
    import_id = send(database, actor, store, raw, **how)  # type: ignore[arg-type]  # named facts of `send`
    return work(database, store, press(database, actor, store, import_id))


def villages(database: Database) -> list[tuple[str, str, str]]:
    with database.transaction(SYSTEM) as session:
        rows = session.scalars(select(Place).where(Place.level == "village").order_by(Place.code)).all()
        return [(v.code, v.kind_word, v.name) for v in rows]


def events(database: Database) -> list[str]:
    with database.transaction(SYSTEM) as session:
        return list(session.scalars(select(OutboxEvent.name).order_by(OutboxEvent.position)))


# --- importing ---------------------------------------------------------------------------------------------------


def test_a_list_is_seen_first_and_applied_by_the_job(
    loaded: Database, official: Actor, store: MediaStore, village_csv: Csv
) -> None:
    import_id = send(loaded, official, store, village_csv("06463;T01;thôn;Quán Thanh", "06463;T02;bản;Nà Pàn"))
    with loaded.transaction(official) as session:
        row, plan = service.plan_import(session, official, store, import_id)
        assert (len(plan.villages), plan.unchanged, plan.problems, row.applied_at) == (2, 0, [], None)
    assert villages(loaded) == []
    job = work(loaded, store, press(loaded, official, store, import_id))
    assert (job.state, job.result, job.total, job.done) == ("done", {"added": 2, "renamed": 0, "unchanged": 0}, 2, 2)
    assert villages(loaded) == [("T01", "thôn", "Quán Thanh"), ("T02", "bản", "Nà Pàn")]
    with loaded.transaction(official) as session:
        row = queries.import_of(session, official, import_id)
        assert row.applied_at is not None
        assert (
            session.scalars(select(PlaceName.person_id).where(PlaceName.name == "Nà Pàn")).one() == official.person_id
        )
    assert events(loaded) == ["jobs.job_requested", "places.villages_imported"]
    with loaded.transaction(SYSTEM) as session:
        actions = session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all()
        assert actions == ["places:import:preview", "places:import:apply", "places:import:done"]


def test_pressing_twice_and_running_twice_does_not_double(
    loaded: Database, official: Actor, store: MediaStore, village_csv: Csv
) -> None:
    import_id = send(loaded, official, store, village_csv("06463;T01;thôn;Quán Thanh"))
    first = press(loaded, official, store, import_id)
    assert press(loaded, official, store, import_id) == first
    work(loaded, store, first)
    work(loaded, store, first)
    assert press(loaded, official, store, import_id) == first
    assert villages(loaded) == [("T01", "thôn", "Quán Thanh")]
    with loaded.transaction(SYSTEM) as session:
        assert session.scalar(select(func.count()).select_from(Job)) == 1


def test_two_people_importing_the_same_list_add_it_once(
    fresh_database: Database, as_role: Callable[[Role], Actor], store: MediaStore, village_csv: Csv
) -> None:
    with fresh_database.transaction(SYSTEM) as session:
        service.load_reference(session)
    raw = village_csv("06463;T01;thôn;Quán Thanh", "06463;T02;thôn;Nà Pàn")
    pressed = []
    for role in (Role.PROVINCE_OFFICIAL, Role.ADMINISTRATOR):
        actor = as_role(role)
        pressed.append(press(fresh_database, actor, store, send(fresh_database, actor, store, raw)))
    results = [work(fresh_database, store, job).result for job in pressed]
    assert results == [{"added": 2, "renamed": 0, "unchanged": 0}, {"added": 0, "renamed": 0, "unchanged": 2}]
    assert len(villages(fresh_database)) == 2


def test_one_wrong_row_and_nothing_of_the_list_is_applied(
    loaded: Database, official: Actor, store: MediaStore, village_csv: Csv
) -> None:
    import_id = send(loaded, official, store, village_csv("06463;T01;thôn;Quán Thanh", "99999;T02;thôn;Nà Pàn"))
    with pytest.raises(Invalid, match="import_problems"):
        press(loaded, official, store, import_id)
    assert (villages(loaded), events(loaded)) == ([], [])
    with loaded.transaction(SYSTEM) as session:
        assert session.scalar(select(func.count()).select_from(Job)) == 0
        assert session.get_one(PlaceImport, import_id).job_id is None


def test_a_list_that_became_wrong_after_the_button_fails_whole_with_its_reason(
    loaded: Database, official: Actor, store: MediaStore, village_csv: Csv
) -> None:
    import_id = send(loaded, official, store, village_csv("06463;T01;thôn;Quán Thanh", "06463;T02;thôn;Nà Pàn"))
    job_id = press(loaded, official, store, import_id)
    imported(loaded, official, store, village_csv("06040;T02;thôn;Chen Ngang"))
    job = work(loaded, store, job_id)
    assert job.state == "failed"
    assert job.error is not None
    assert "Mã T02 đang là mã của thôn Chen Ngang" in job.error.vi
    assert villages(loaded) == [("T02", "thôn", "Chen Ngang")]


def test_a_list_that_is_already_there_offers_nothing_to_import(
    loaded: Database, official: Actor, store: MediaStore, village_csv: Csv
) -> None:
    raw = village_csv("06463;T01;thôn;Quán Thanh")
    imported(loaded, official, store, raw)
    again = send(loaded, official, store, raw)
    with pytest.raises(Conflict, match="import_nothing"):
        press(loaded, official, store, again)


def test_sending_the_same_form_again_is_one_import_and_another_file_under_it_a_conflict(
    loaded: Database, official: Actor, store: MediaStore, village_csv: Csv
) -> None:
    identifier, raw = new_id(), village_csv("06463;T01;thôn;Quán Thanh")
    assert send(loaded, official, store, raw, import_id=identifier) == send(
        loaded, official, store, raw, import_id=identifier
    )
    with pytest.raises(Conflict, match="import_id_taken"):
        send(loaded, official, store, raw + b"\n", import_id=identifier)
    with loaded.transaction(official) as session:
        assert session.scalar(select(func.count()).select_from(PlaceImport)) == 1


def test_a_new_name_keeps_the_place_and_remembers_the_old_name(
    loaded: Database, official: Actor, store: MediaStore, village_csv: Csv
) -> None:
    imported(loaded, official, store, village_csv("06463;T01;thôn;Quán Thanh", "06463;T02;thôn;Nà Pàn"))
    with loaded.transaction(SYSTEM) as session:
        before = session.scalars(select(Place.id).where(Place.code == "T01")).one()
    changed = clock.today() - timedelta(days=3)
    job = imported(
        loaded, official, store, village_csv("06463;T01;khối phố;Quán Thanh Mới", "06463;T02;thôn;Nà Pàn"), on=changed
    )
    assert job.result == {"added": 0, "renamed": 1, "unchanged": 1}
    with loaded.transaction(SYSTEM) as session:
        place = session.scalars(select(Place).where(Place.code == "T01")).one()
        assert (place.id, place.kind_word, place.name) == (before, "khối phố", "Quán Thanh Mới")
        assert [(n.kind_word, n.name, n.valid_from, n.valid_to) for n in queries.names_of(session, place.id)] == [
            ("khối phố", "Quán Thanh Mới", changed, None),
            ("thôn", "Quán Thanh", START, changed - timedelta(days=1)),
        ]
        assert [p.code for p in queries.search_places(session, "quan thanh moi")] == ["T01"]
    assert events(loaded)[-2:] == ["places.place_changed", "places.villages_imported"]


def test_a_name_corrected_from_its_own_first_day_was_never_in_force(
    loaded: Database, official: Actor, store: MediaStore, village_csv: Csv
) -> None:
    imported(loaded, official, store, village_csv("06463;T01;thôn;Quán Than"))
    imported(loaded, official, store, village_csv("06463;T01;thôn;Quán Thanh"))
    with loaded.transaction(SYSTEM) as session:
        place = session.scalars(select(Place).where(Place.code == "T01")).one()
        assert [(n.name, n.valid_from) for n in queries.names_of(session, place.id)] == [("Quán Thanh", START)]
        assert session.scalar(select(func.count()).where(PlaceName.place_id == place.id)) == 2


def test_premises_come_in_the_same_way_and_end_once(
    loaded: Database, official: Actor, store: MediaStore, village_csv: Csv
) -> None:
    imported(loaded, official, store, village_csv("06463;T01;thôn;Quán Thanh"))
    raw = "Mã thôn;Loại;Nhãn\nT01;hộ;Hộ số 1\nT01;nhà văn hóa;Nhà văn hóa thôn\n".encode()
    assert imported(loaded, official, store, raw, kind=ImportKind.PREMISES).result == {
        "added": 2,
        "renamed": 0,
        "unchanged": 0,
    }
    more = raw + "T01;Hộ;hộ SỐ 1\n".encode()
    with pytest.raises(Invalid, match="already in row 2"):
        press(loaded, official, store, send(loaded, official, store, more, kind=ImportKind.PREMISES))
    with loaded.transaction(official) as session:
        row = session.scalars(select(Premises).where(Premises.label == "Hộ số 1")).one()
        day = clock.today() - timedelta(days=1)
        with pytest.raises(Invalid, match="last_day"):
            service.end_premises(session, official, row.id, last_day=clock.today() + timedelta(days=1))
        with pytest.raises(Invalid, match="last_day"):
            service.end_premises(session, official, row.id, last_day=START - timedelta(days=1))
        assert row.valid_to is None
        service.end_premises(session, official, row.id, last_day=day)
        service.end_premises(session, official, row.id, last_day=day)
        with pytest.raises(Invalid, match="last_day"):
            service.end_premises(session, official, row.id, last_day=clock.today())
        assert [p.label for p in queries.premises_of(session, row.village_id, clock.today())] == ["Nhà văn hóa thôn"]
        with pytest.raises(NotFound):
            service.end_premises(session, official, new_id(), last_day=day)
    assert imported(loaded, official, store, raw, kind=ImportKind.PREMISES).result == {
        "added": 1,
        "renamed": 0,
        "unchanged": 1,
    }
    assert events(loaded).count("places.premises_changed") == 3


@pytest.mark.slow
def test_fifty_thousand_villages_go_in_whole(
    loaded: Database, official: Actor, store: MediaStore, village_csv: Csv
) -> None:
    job = imported(loaded, official, store, village_csv(*(f"06463;T{n};thôn;Thử {n}" for n in range(50_000))))
    assert job.result == {"added": 50_000, "renamed": 0, "unchanged": 0}
    with loaded.transaction(SYSTEM) as session:
        assert session.scalar(select(func.count()).where(Place.level == "village")) == 50_000


@pytest.mark.parametrize("day", [START - timedelta(days=1), clock.today() + timedelta(days=1)])
def test_a_day_before_the_merger_or_in_the_future_is_refused(
    loaded: Database, official: Actor, store: MediaStore, village_csv: Csv, day: date
) -> None:
    with pytest.raises(Invalid) as refusal:
        send(loaded, official, store, village_csv("06463;T01;thôn;Một"), on=day)
    assert refusal.value.field == "effective_on"
    with loaded.transaction(official) as session:
        assert session.scalar(select(func.count()).select_from(PlaceImport)) == 0


@pytest.mark.parametrize(("raw", "error"), [(b"", Invalid), (b"x" * (MAX_BYTES + 1), TooLarge)])
def test_an_empty_or_enormous_file_is_refused(
    loaded: Database, official: Actor, store: MediaStore, raw: bytes, error: type[HoiError]
) -> None:
    with pytest.raises(error):
        send(loaded, official, store, raw)


@pytest.mark.parametrize("role", [r for r in Role if r not in {Role.PROVINCE_OFFICIAL, Role.ADMINISTRATOR}])
def test_nobody_but_the_province_changes_its_places(
    loaded: Database, as_role: Callable[[Role], Actor], store: MediaStore, village_csv: Csv, role: Role
) -> None:
    actor = as_role(role)
    with pytest.raises(Forbidden):
        send(loaded, actor, store, village_csv("06463;T01;thôn;Một"))
    with loaded.transaction(actor) as session:
        commune = queries.by_code(session, "06463", clock.today())
        assert commune is not None
        with pytest.raises(Forbidden):
            set_group(session, actor, commune.id, "1", clock.today())
        with pytest.raises(Forbidden):
            service.end_premises(session, actor, new_id(), last_day=clock.today())
        assert session.scalar(select(func.count()).select_from(PlaceAttribute)) == 0


def test_one_official_does_not_see_anothers_import(
    loaded: Database, as_role: Callable[[Role], Actor], official: Actor, store: MediaStore, village_csv: Csv
) -> None:
    import_id = send(loaded, official, store, village_csv("06463;T01;thôn;Một"))
    other = as_role(Role.PROVINCE_OFFICIAL)
    with loaded.transaction(other) as session:
        assert session.get(PlaceImport, import_id) is None
        with pytest.raises(NotFound):
            service.plan_import(session, other, store, import_id)
        with pytest.raises(NotFound):
            service.request_import(session, other, store, import_id)


def test_places_are_never_deleted_by_the_application(loaded: Database) -> None:
    for table in (Place, PlaceName, PlaceAttribute, Premises):
        with (
            loaded.transaction(SYSTEM) as session,
            pytest.raises(Exception, match="permission denied"),
            session.begin_nested(),
        ):
            session.execute(delete(table))


def test_the_real_worker_applies_a_list_after_its_button(
    fresh_database: Database, running_worker: Any, wait_for: Any, official: Actor, village_csv: Csv
) -> None:
    running = running_worker()
    store = MediaStore(running.settings)
    with fresh_database.transaction(SYSTEM) as session:
        service.load_reference(session)
    import_id = send(fresh_database, official, store, village_csv("06463;T01;thôn;Quán Thanh"))
    job_id = press(fresh_database, official, store, import_id)

    def finished() -> Job | None:
        with fresh_database.transaction(SYSTEM) as session:
            job = session.get_one(Job, job_id)
            return job if job.finished_at else None

    job = wait_for(finished, 30, "the import")
    assert (job.state, job.error, job.result) == ("done", None, {"added": 1, "renamed": 0, "unchanged": 0})
    assert villages(fresh_database) == [("T01", "thôn", "Quán Thanh")]


# --- attributes --------------------------------------------------------------------------------------------------


def set_group(
    session: Session, actor: Actor, place_id: UUID, value: str, day: date, basis: str = "QĐ thử 1/QĐ-UBND"
) -> UUID:
    return service.set_attribute(
        session, actor, place_id=place_id, key="commune_group", value=value, valid_from=day, basis=basis
    )


def test_a_group_holds_from_its_day_until_the_next_one(loaded: Database, official: Actor) -> None:
    first, second = date(2026, 2, 15), date(2026, 8, 1)
    with loaded.transaction(official) as session:
        commune = queries.by_code(session, "06463", clock.today())
        assert commune is not None
        assert queries.attribute(session, commune.id, "commune_group", first) is None
        set_group(session, official, commune.id, "3", first)
        set_group(session, official, commune.id, "2", second)
        seen = [queries.attribute(session, commune.id, "commune_group", day) for day in (
            first - timedelta(days=1), first, second - timedelta(days=1), second, clock.today())]  # fmt: skip
        assert seen == [None, "3", "3", "2", "2"]
        assert queries.attributes_on(session, "commune_group", clock.today()) == {commune.id: "2"}
    assert events(loaded) == ["places.place_changed", "places.place_changed"]


def test_the_same_group_again_changes_nothing_and_a_correction_leaves_its_trace(
    loaded: Database, official: Actor
) -> None:
    day = date(2026, 2, 15)
    with loaded.transaction(official) as session:
        commune = queries.by_code(session, "06463", clock.today())
        assert commune is not None
        one = set_group(session, official, commune.id, "3", day)
        assert set_group(session, official, commune.id, "3", day) == one
        set_group(session, official, commune.id, "2", day, "QĐ thử 2/QĐ-UBND")
        assert queries.attribute(session, commune.id, "commune_group", day) == "2"
        rows = [
            (a.value, a.valid_from, a.valid_to) for a in queries.attribute_history(session, commune.id, "commune_group")
        ]
        assert sorted(rows) == [("2", day, None), ("3", day, day - timedelta(days=1))]  # type: ignore[type-var]  # no two share a value
        with pytest.raises(Invalid) as refusal:
            set_group(session, official, commune.id, "1", day - timedelta(days=1))
        assert refusal.value.field == "valid_from"
        assert len(queries.attribute_history(session, commune.id, "commune_group")) == 2


def test_a_group_is_for_communes_in_force(loaded: Database, official: Actor) -> None:
    with loaded.transaction(official) as session:
        old = queries.by_code(session, "06463", date(2025, 6, 30))
        assert old is not None
        for place_id in (old.id, queries.province(session).id):
            with pytest.raises(Invalid, match="not_here"):
                set_group(session, official, place_id, "1", clock.today())
        with pytest.raises(NotFound):
            set_group(session, official, new_id(), "1", clock.today())
        with pytest.raises(Forbidden):
            set_group(session, PUBLIC, old.id, "1", clock.today())

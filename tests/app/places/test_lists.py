"""Lists of villages and premises: seen first, applied whole or not at all, forgotten in time."""

from collections.abc import Callable
from datetime import date, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, func, select, update

from app import clock, jobs
from app.actor import SYSTEM, Actor, Role
from app.audit import AuditEntry
from app.db import Database, new_id
from app.errors import Conflict, Forbidden, HoiError, Invalid, NotFound, TooLarge
from app.jobs import Job
from app.media import MAX_BYTES, MediaBlob, MediaStore, Upload
from app.places import lists, queries, reference
from app.places import villages as village_verbs
from app.places.models import ImportKind, Place, PlaceAttribute, PlaceImport, PlaceName, Premises
from tests.app.media.files import kept_file
from tests.app.places.verbs import START, Csv, end, events, imported, press, rename, send, set_group, work


def villages(database: Database) -> list[tuple[str, str, str]]:
    with database.transaction(SYSTEM) as session:
        rows = session.scalars(select(Place).where(Place.level == "village").order_by(Place.code)).all()
        return [(v.code, v.kind_word, v.name) for v in rows]


def test_a_list_is_seen_first_and_applied_by_the_job(
    loaded: Database, official: Actor, store: MediaStore, village_csv: Csv
) -> None:
    import_id = send(loaded, official, store, village_csv("06463;T01;thôn;Quán Thanh", "06463;T02;bản;Nà Pàn"))
    with loaded.transaction(official) as session:
        row, plan = lists.plan_import(session, official, store, import_id)
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
        reference.load_reference(session)
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
    digest = sha256(raw + b"\n").hexdigest()
    assert store.get(f"blobs/{digest[:2]}/{digest}") is None, "the refused file is not kept"


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
        assert [p.code for p in queries.search_page(session, "quan thanh moi", on=clock.today()).rows] == ["T01"]
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
            village_verbs.end_premises(
                session, official, row.village_id, row.id, last_day=clock.today() + timedelta(days=1)
            )
        with pytest.raises(Invalid, match="last_day"):
            village_verbs.end_premises(session, official, row.village_id, row.id, last_day=START - timedelta(days=1))
        assert row.valid_to is None
        village_verbs.end_premises(session, official, row.village_id, row.id, last_day=day)
        village_verbs.end_premises(session, official, row.village_id, row.id, last_day=day)
        with pytest.raises(Invalid, match="last_day"):
            village_verbs.end_premises(session, official, row.village_id, row.id, last_day=clock.today())
        assert [p.label for p in queries.premises_of(session, row.village_id, clock.today())] == ["Nhà văn hóa thôn"]
        with pytest.raises(NotFound):
            village_verbs.end_premises(session, official, row.village_id, new_id(), last_day=day)
        with pytest.raises(NotFound):  # the right premises under another village's address
            village_verbs.end_premises(session, official, new_id(), row.id, last_day=day)
    assert imported(loaded, official, store, raw, kind=ImportKind.PREMISES).result == {
        "added": 1,
        "renamed": 0,
        "unchanged": 1,
    }
    assert events(loaded).count("places.premises_changed") == 3


def test_a_list_whose_job_failed_can_be_imported_again(
    loaded: Database, official: Actor, store: MediaStore, village_csv: Csv
) -> None:
    import_id = send(loaded, official, store, village_csv("06463;T01;thôn;Quán Thanh"))
    first = press(loaded, official, store, import_id)
    with loaded.transaction(SYSTEM) as session:
        jobs.give_up(session, first)
    second = press(loaded, official, store, import_id)
    assert second != first
    assert press(loaded, official, store, import_id) == second
    work(loaded, store, first)  # delivered late: it was given up and does nothing
    assert villages(loaded) == []
    assert work(loaded, store, second).result == {"added": 1, "renamed": 0, "unchanged": 0}
    assert press(loaded, official, store, import_id) == second
    assert villages(loaded) == [("T01", "thôn", "Quán Thanh")]


def test_a_failed_list_is_judged_anew_before_it_is_tried_again(
    loaded: Database, official: Actor, store: MediaStore, village_csv: Csv
) -> None:
    import_id = send(loaded, official, store, village_csv("06463;T02;thôn;Nà Pàn"))
    job_id = press(loaded, official, store, import_id)
    imported(loaded, official, store, village_csv("06040;T02;thôn;Chen Ngang"))
    assert work(loaded, store, job_id).state == "failed"
    with pytest.raises(Invalid, match="import_problems"):
        press(loaded, official, store, import_id)
    with loaded.transaction(SYSTEM) as session:
        assert session.get_one(PlaceImport, import_id).job_id == job_id


def files(database: Database) -> set[str]:
    with database.transaction(SYSTEM) as session:
        return set(session.scalars(select(MediaBlob.sha256).where(MediaBlob.kind == "import")))


def forget(database: Database, store: MediaStore) -> int:
    with database.transaction(SYSTEM) as session:
        before = set(session.scalars(select(MediaBlob.sha256)))
        count = lists.forget_lists(session)
        gone = before - set(session.scalars(select(MediaBlob.sha256)))
    with database.transaction(SYSTEM) as session:
        for digest in gone:
            assert lists.delete_forgotten_list(session, store, digest)
    return count


def grow_old(database: Database, *import_ids: UUID) -> None:
    with database.transaction(SYSTEM) as session:
        sent = clock.now() - lists.LISTS_KEPT - timedelta(minutes=1)
        session.execute(update(PlaceImport).where(PlaceImport.id.in_(import_ids)).values(created_at=sent))


def test_the_file_of_a_list_that_nobody_applied_goes_and_every_other_stays(
    loaded: Database, official: Actor, store: MediaStore, village_csv: Csv
) -> None:
    refused = send(loaded, official, store, village_csv("99999;T01;thôn;Hộ bà Lý Thị Mai"))
    fresh = send(loaded, official, store, village_csv("06463;T02;thôn;Nà Pàn"))
    waiting = send(loaded, official, store, village_csv("06463;T03;thôn;Nà Mò"))
    press(loaded, official, store, waiting)
    applied = send(loaded, official, store, village_csv("06463;T04;thôn;Nà Lầu"))
    work(loaded, store, press(loaded, official, store, applied))
    shared = send(loaded, official, store, village_csv("06463;T02;thôn;Nà Pàn"))
    assert forget(loaded, store) == 0
    grow_old(loaded, refused, waiting, applied, shared)
    with loaded.transaction(SYSTEM) as session:
        gone = session.get_one(PlaceImport, refused).blob_sha256
    before = files(loaded)
    assert (forget(loaded, store), forget(loaded, store)) == (1, 0)
    assert before - files(loaded) == {gone}
    assert store.get(f"blobs/{gone[:2]}/{gone}") is None
    with loaded.transaction(official) as session:
        with pytest.raises(Conflict, match="import_forgotten"):
            lists.plan_import(session, official, store, refused)
        assert lists.plan_import(session, official, store, fresh)[1].changes == 1
        assert session.get_one(PlaceImport, refused).file_name == "danh sách.csv"
    again = send(loaded, official, store, village_csv("99999;T01;thôn;Hộ bà Lý Thị Mai"), import_id=refused)
    with loaded.transaction(official) as session:
        assert len(lists.plan_import(session, official, store, again)[1].problems) == 1


def test_bytes_go_only_after_the_commit_and_not_when_the_list_came_again(
    loaded: Database, official: Actor, store: MediaStore, village_csv: Csv
) -> None:
    raw = village_csv("06463;T01;thôn;Một")
    import_id = send(loaded, official, store, raw)
    grow_old(loaded, import_id)
    (digest,) = files(loaded)
    key = f"blobs/{digest[:2]}/{digest}"
    with pytest.raises(ZeroDivisionError), loaded.transaction(SYSTEM) as session:
        assert lists.forget_lists(session) == 1
        raise ZeroDivisionError
    assert (files(loaded), store.get(key)) == ({digest}, raw)
    assert "places.list_forgotten" not in events(loaded)
    with loaded.transaction(SYSTEM) as session:
        assert lists.forget_lists(session) == 1
    assert (files(loaded), store.get(key), events(loaded)[-1]) == (set(), raw, "places.list_forgotten")
    send(loaded, official, store, raw)
    with loaded.transaction(SYSTEM) as session:
        assert not lists.delete_forgotten_list(session, store, digest)
    assert (files(loaded), store.get(key)) == ({digest}, raw)


def test_bytes_that_another_row_points_to_are_not_forgotten(
    loaded: Database, official: Actor, store: MediaStore, village_csv: Csv
) -> None:
    import_id = send(loaded, official, store, village_csv("06463;T01;thôn;Một"))
    grow_old(loaded, import_id)
    (digest,) = files(loaded)
    with loaded.transaction(official) as session:
        session.add(
            Upload(
                person_id=official.person_id,
                size=1,
                sha256=digest,
                created_at=clock.now(),
                finished_at=clock.now(),
                blob_sha256=digest,
            )
        )
    assert (forget(loaded, store), files(loaded)) == (0, {digest})


def test_only_the_system_deletes_lists_and_nothing_but_lists(
    loaded: Database, official: Actor, store: MediaStore, village_csv: Csv
) -> None:
    send(loaded, official, store, village_csv("06463;T01;thôn;Một"))
    with loaded.transaction(SYSTEM) as session:
        pdf = kept_file(session, store, b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF\n").sha256
    with loaded.transaction(official) as session:
        session.execute(delete(MediaBlob))
    with loaded.transaction(SYSTEM) as session:
        assert session.scalar(select(func.count()).select_from(MediaBlob)) == 2
        session.execute(delete(MediaBlob))
    with loaded.transaction(SYSTEM) as session:
        assert session.scalars(select(MediaBlob.sha256)).all() == [pdf]


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
            village_verbs.end_premises(session, actor, new_id(), new_id(), last_day=clock.today())
        with pytest.raises(Forbidden):
            end(session, actor, new_id())
        with pytest.raises(Forbidden):
            rename(session, actor, new_id(), "Một")
        assert session.scalar(select(func.count()).select_from(PlaceAttribute)) == 0


def test_one_official_does_not_see_anothers_import(
    loaded: Database, as_role: Callable[[Role], Actor], official: Actor, store: MediaStore, village_csv: Csv
) -> None:
    import_id = send(loaded, official, store, village_csv("06463;T01;thôn;Một"))
    other = as_role(Role.PROVINCE_OFFICIAL)
    with loaded.transaction(other) as session:
        assert session.get(PlaceImport, import_id) is None
        with pytest.raises(NotFound):
            lists.plan_import(session, other, store, import_id)
        with pytest.raises(NotFound):
            lists.request_import(session, other, store, import_id)


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
        reference.load_reference(session)
    import_id = send(fresh_database, official, store, village_csv("06463;T01;thôn;Quán Thanh"))
    job_id = press(fresh_database, official, store, import_id)

    def finished() -> Job | None:
        with fresh_database.transaction(SYSTEM) as session:
            job = session.get_one(Job, job_id)
            return job if job.finished_at else None

    job = wait_for(finished, 30, "the import")
    assert (job.state, job.error, job.result) == ("done", None, {"added": 1, "renamed": 0, "unchanged": 0})
    assert villages(fresh_database) == [("T01", "thôn", "Quán Thanh")]

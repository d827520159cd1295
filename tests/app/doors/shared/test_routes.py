"""Uploads that a bad network cuts, pictures for those a row admits, and jobs that only their owner watches."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from hashlib import sha256
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from app import clock, jobs
from app.accounts.models import Person, PersonalData
from app.actor import PUBLIC, SYSTEM, Actor, Membership, Role
from app.db import Database, Words, new_id
from app.doors.shared import queries
from app.factory import create_app
from app.jobs import Job
from app.media import MAX_PHOTO_BYTES, MediaBlob, MediaStore
from app.settings import Settings
from tests.actors import acting
from tests.app.browsers import browser_of
from tests.app.media.files import kept_file


def photo(colour: str = "green") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (800, 600), colour).save(out, "JPEG")
    return out.getvalue()


@pytest.fixture
def app(settings: Settings, database: Database) -> Flask:
    made = create_app(settings, database)
    made.config["WTF_CSRF_ENABLED"] = False
    return made


@pytest.fixture
def new_person(database: Database) -> Callable[[], Actor]:
    def make() -> Actor:
        person = Actor(kind="person", person_id=new_id())
        with database.transaction(SYSTEM) as session:
            session.add(Person(id=person.person_id, created_at=clock.now()))
            session.flush()  # the data below point at the person
            session.add(
                PersonalData(
                    person_id=person.person_id, full_name="Người Thử", address_as="bác", language="vi",
                    updated_at=clock.now(),
                )
            )  # fmt: skip
        return person

    return make


@pytest.fixture
def client_of(app: Flask) -> Callable[[Actor], FlaskClient]:
    return partial(browser_of, app)


def begin(client: FlaskClient, raw: bytes, **other: Any) -> tuple[str, TestResponse]:
    identifier = str(new_id())
    body = {"id": identifier, "size": len(raw), "sha256": sha256(raw).hexdigest()} | other
    return identifier, client.post("/api/v1/uploads", json=body)


def part(client: FlaskClient, identifier: str, offset: int | str, data: bytes) -> TestResponse:
    return client.patch(
        f"/api/v1/uploads/{identifier}",
        data=data,
        headers={"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"},
    )


# --- uploads -----------------------------------------------------------------------------------------------------


def test_a_photo_is_sent_in_parts_resumed_and_shown_to_its_sender(
    client_of: Callable[[Actor], FlaskClient], new_person: Callable[[], Actor]
) -> None:
    client, raw = client_of(new_person()), photo()
    identifier, answer = begin(client, raw)
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (201, "0")
    assert answer.headers["Location"] == f"/api/v1/uploads/{identifier}"
    assert part(client, identifier, 0, raw[:1000]).headers["Upload-Offset"] == "1000"
    asked = client.get(f"/api/v1/uploads/{identifier}")
    assert (asked.status_code, asked.json) == (
        200,
        {"id": identifier, "size": len(raw), "offset": 1000, "sha256": sha256(raw).hexdigest(), "finished": False, "blob": None},
    )  # fmt: skip
    assert client.head(f"/api/v1/uploads/{identifier}").headers["Upload-Offset"] == "1000"
    done = part(client, identifier, 1000, raw[1000:])
    assert done.json is not None
    assert (done.status_code, done.json["finished"], done.json["offset"]) == (200, True, len(raw))
    again = part(client, identifier, 1000, raw[1000:])
    assert again.json == done.json
    shown = client.get(f"/anh/{done.json['blob']}")
    assert (shown.status_code, shown.content_type) == (200, "image/jpeg")
    assert shown.headers["Cache-Control"] == "private, max-age=31536000, immutable"


def test_a_part_at_the_wrong_place_says_where_to_go_on(
    client_of: Callable[[Actor], FlaskClient], new_person: Callable[[], Actor]
) -> None:
    client, raw = client_of(new_person()), photo()
    identifier, _ = begin(client, raw)
    part(client, identifier, 0, raw[:1000])
    answer = part(client, identifier, 2000, raw[2000:])
    assert answer.json is not None
    assert (answer.status_code, answer.json["code"]) == (409, "upload_offset")
    assert "1000 byte" in answer.json["detail_vi"]
    for offset in ("", "-1", "x", "１", "9" * 30):
        assert part(client, identifier, offset, b"x").status_code == 422
    asked = client.get(f"/api/v1/uploads/{identifier}").json
    assert asked is not None
    assert asked["offset"] == 1000


def test_what_was_sent_stays_when_the_whole_is_refused(
    client_of: Callable[[Actor], FlaskClient], new_person: Callable[[], Actor], database: Database
) -> None:
    client, raw = client_of(new_person()), b"khong phai anh" * 10
    identifier, _ = begin(client, raw)
    answer = part(client, identifier, 0, raw)
    assert answer.json is not None
    assert (answer.status_code, answer.json["code"]) == (422, "not_a_photo")
    assert "không phải ảnh" in answer.json["title"]
    asked = client.get(f"/api/v1/uploads/{identifier}").json
    assert asked is not None
    assert (asked["offset"], asked["finished"]) == (len(raw), False)
    with database.transaction(SYSTEM) as session:
        assert session.scalar(select(func.count()).select_from(MediaBlob)) == 0


@pytest.mark.parametrize(
    ("other", "status"),
    [({"size": MAX_PHOTO_BYTES + 1}, 413), ({"size": 0}, 422), ({"size": -1}, 422), ({"sha256": "x"}, 422), ({"id": "1"}, 422), ({"extra": 1}, 422)],
)  # fmt: skip
def test_an_impossible_announcement_is_refused(
    client_of: Callable[[Actor], FlaskClient], new_person: Callable[[], Actor], other: dict[str, Any], status: int
) -> None:
    assert begin(client_of(new_person()), photo(), **other)[1].status_code == status


def test_a_part_over_one_megabyte_is_refused(
    client_of: Callable[[Actor], FlaskClient], new_person: Callable[[], Actor]
) -> None:
    client = client_of(new_person())
    raw = b"x" * (2 * 1024 * 1024)
    identifier, _ = begin(client, raw)
    assert part(client, identifier, 0, raw).status_code == 413


def test_somebody_else_and_nobody_find_no_upload(
    app: Flask, client_of: Callable[[Actor], FlaskClient], new_person: Callable[[], Actor]
) -> None:
    identifier, _ = begin(client_of(new_person()), photo())
    other = client_of(new_person())
    assert other.get(f"/api/v1/uploads/{identifier}").status_code == 404
    assert part(other, identifier, 0, b"x").status_code == 404
    nobody = app.test_client()
    assert begin(nobody, photo())[1].status_code == 401
    assert nobody.get(f"/api/v1/uploads/{identifier}").status_code == 401
    assert part(nobody, identifier, 0, b"x").status_code == 401


def test_an_upload_without_the_token_of_our_pages_is_refused(
    app: Flask, client_of: Callable[[Actor], FlaskClient], new_person: Callable[[], Actor]
) -> None:
    client = client_of(new_person())
    app.config["WTF_CSRF_ENABLED"] = True
    assert begin(client, photo())[1].status_code == 403


# --- pictures ----------------------------------------------------------------------------------------------------


def test_a_picture_nobody_points_to_is_found_by_nobody(
    app: Flask, client_of: Callable[[Actor], FlaskClient], new_person: Callable[[], Actor], database: Database, settings: Settings
) -> None:  # fmt: skip
    with database.transaction(SYSTEM) as session:
        kept = kept_file(session, MediaStore(settings), photo())
    for client in (app.test_client(), client_of(new_person())):
        for path in (f"/anh/{kept.sha256}", f"/anh/{kept.thumb_sha256}", "/anh/" + "0" * 64, "/anh/x", "/anh/../etc"):
            assert client.get(path).status_code == 404


def test_an_open_picture_is_for_everybody_for_a_year_and_small_when_asked(
    app: Flask, database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.transaction(SYSTEM) as session:
        kept = kept_file(session, MediaStore(settings), photo())
    monkeypatch.setattr(queries, "OPEN", (lambda _s, _a, digest: digest == kept.sha256,))
    client = app.test_client()
    large, small = client.get(f"/anh/{kept.sha256}"), client.get(f"/anh/{kept.sha256}?nho=1")
    assert (large.content_type, small.content_type) == ("image/jpeg", "image/webp")
    assert sha256(small.data).hexdigest() == kept.thumb_sha256
    assert large.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert large.headers["X-Content-Type-Options"] == "nosniff"
    assert large.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert client.get(f"/anh/{kept.sha256}.jpg").data == large.data
    same = client.get(f"/anh/{kept.sha256}", headers={"If-None-Match": large.headers["ETag"]})
    assert (same.status_code, same.data) == (304, b"")
    other = client.get(f"/anh/{kept.sha256}?nho=1", headers={"If-None-Match": large.headers["ETag"]})
    assert other.status_code == 200


def test_no_connection_waits_for_the_store(
    app: Flask, database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.transaction(SYSTEM) as session:
        kept = kept_file(session, MediaStore(settings), photo())
    monkeypatch.setattr(queries, "OPEN", (lambda _s, _a, digest: digest == kept.sha256,))
    under_way: list[Actor] = []
    transaction = database.transaction

    @contextmanager
    def counted(actor: Actor) -> Iterator[Session]:
        under_way.append(actor)
        with transaction(actor) as session:
            yield session
        under_way.pop()

    def get(_store: MediaStore, _key: str) -> bytes | None:
        assert under_way == []
        return None

    monkeypatch.setattr(database, "transaction", counted)
    monkeypatch.setattr(MediaStore, "get", get)
    answer = app.test_client().get(f"/anh/{kept.sha256}", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.get_json()["code"]) == (503, "media_damaged")


def test_a_file_that_is_no_picture_is_only_ever_downloaded(
    app: Flask, database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.transaction(SYSTEM) as session:
        digest = kept_file(session, MediaStore(settings), b"%PDF-1.7\n%%EOF").sha256
    monkeypatch.setattr(queries, "GUARDED", (lambda _s, _a, _d: True,))
    answer = app.test_client().get(f"/anh/{digest}")
    assert answer.content_type == "application/pdf"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{digest[:12]}.pdf"'


def test_every_question_about_a_picture_can_be_put_to_the_database(
    database: Database, new_person: Callable[[], Actor]
) -> None:
    place = new_id()
    official = acting(Membership(new_id(), Role.VILLAGE_OFFICER, place), places=[place])
    for asked_by in (PUBLIC, new_person(), official):
        with database.transaction(asked_by) as session:
            assert [sees(session, asked_by, "0" * 64) for sees in (*queries.OPEN, *queries.GUARDED)] == [False] * 6


# --- jobs --------------------------------------------------------------------------------------------------------


def test_a_job_is_watched_by_its_owner_until_it_ends(
    client_of: Callable[[Actor], FlaskClient], new_person: Callable[[], Actor], database: Database
) -> None:
    owner = new_person()
    client = client_of(owner)
    with database.transaction(owner) as session:
        job_id = jobs.start(session, owner, "x", title=Words(vi="Nhập 5 thôn", en="Import"), params={})

    def becomes(**values: object) -> TestResponse:
        with database.transaction(SYSTEM) as session:
            session.execute(update(Job).where(Job.id == job_id).values(**values))
        return client.get(f"/viec-nen/{job_id}")

    waiting = becomes(state="queued")
    assert (waiting.headers["Refresh"], "Nhập 5 thôn" in waiting.text) == ("2", True)
    assert "Refresh" not in client.get(f"/viec-nen/{job_id}", headers={"X-Fragment": "1"}).headers
    running = becomes(state="running", done=3, total=5, alive_at=clock.machine_now())
    assert ('max="5" value="3"' in running.text, "Máy xử lý vừa dừng" in running.text) == (True, False)
    stalled = becomes(alive_at=clock.machine_now() - jobs.DEAD_AFTER - timedelta(seconds=1))
    assert ("Máy xử lý vừa dừng, đang làm lại…" in stalled.text, stalled.headers["Refresh"]) == (True, "2")
    failed = becomes(state="failed", error=Words(vi="Tệp còn 2 chỗ cần sửa.", en="x"))
    assert ("Refresh" in failed.headers, "Tệp còn 2 chỗ cần sửa." in failed.text) == (False, True)
    done = becomes(state="done", result={"added": 5}, finished_at=clock.now())
    assert ("Refresh" in done.headers, "Thêm mới" in done.text) == (False, True)
    assert "Nhập 5 thôn" in client.get("/viec-nen").text


def test_a_job_of_somebody_else_is_not_found(
    client_of: Callable[[Actor], FlaskClient], new_person: Callable[[], Actor], database: Database
) -> None:
    owner = new_person()
    with database.transaction(owner) as session:
        job_id = jobs.start(session, owner, "x", title=Words(vi="Việc riêng"), params={})
    other = client_of(new_person())
    assert other.get(f"/viec-nen/{job_id}").status_code == 404
    assert "Việc riêng" not in other.get("/viec-nen").text

"""The phone's API: each item judged alone, one row however often it is sent, and no door for another site's page."""

import json
import threading
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.exc import DataError, DBAPIError, InternalError, OperationalError
from werkzeug.test import TestResponse

from app import clock
from app.accounts import actors, consents
from app.accounts.models import Organisation, Purpose
from app.actor import SYSTEM
from app.db import Database, new_id
from app.factory import create_app
from app.outbox import OutboxEvent
from app.settings import Settings
from app.trace import diary
from app.trace.events import CareLogRecorded
from app.trace.models import CareLog, ConflictingSubmission, Site
from app.trace.schemas import CareLogIn
from app.trace.steps import KINDS, UNITS
from tests.conftest import owner_of
from tests.filled import statements
from tests.worlds.phone import PhoneOf, World, make_world

OURS = {"Sec-Fetch-Site": "same-origin"}


def item(world: World, *, more: dict[str, Any] | None = None, **body: Any) -> dict[str, Any]:
    facts = {"site_id": str(world["hill"]), "kind": "weeding", "happened_at": clock.now().isoformat()} | body
    return {"id": str(new_id()), "kind": "care_log", "schema": 1, "body": facts} | (more or {})


def envelope(*items: object, **more: Any) -> dict[str, Any]:
    return {"sent_at": clock.now().isoformat(), "items": list(items)} | more


def send(phone: FlaskClient, *items: object, headers: dict[str, str] | None = None, **more: Any) -> TestResponse:
    return phone.post("/api/v1/items", json=envelope(*items, **more), headers=OURS if headers is None else headers)


def outcomes(answer: TestResponse) -> list[tuple[str, str, str | None]]:
    assert answer.status_code == 200, answer.text
    return [(a["id"], a["status"], a.get("error", {}).get("code")) for a in answer.get_json()["items"]]


def test_an_item_is_stored_as_sent_and_under_its_own_id(world: World, phone_of: PhoneOf) -> None:
    sent = item(
        world, kind="spraying", material="Bt", quantity="2.5", unit="tank16", pre_harvest_days=7, note="gió nhẹ"
    )
    device = new_id()
    assert outcomes(send(phone_of("lanh"), sent, device_id=str(device))) == [(sent["id"], "stored", None)]
    [log] = world.logs()
    assert (str(log.id), log.kind, log.material, log.quantity, log.unit, log.pre_harvest_days, log.note) == (
        sent["id"], "spraying", "Bt", Decimal("2.5"), "tank16", 7, "gió nhẹ",
    )  # fmt: skip
    assert (log.performed_by, log.written_by, log.witness, log.device_id, log.time_doubtful) == (
        world["lanh"], world["lanh"], "farmer", device, False,
    )  # fmt: skip


def test_who_has_not_answered_yet_writes_first_and_only_a_no_refuses(world: World, phone_of: PhoneOf) -> None:
    phone, first, then = phone_of("lanh"), item(world), item(world)
    assert outcomes(send(phone, first)) == [(first["id"], "stored", None)]
    with world.database.transaction(SYSTEM) as session:
        lanh = actors.actor_for(session, world["lanh"])
        consents.answer_consents(session, lanh, {Purpose.ACCOUNT})
    assert outcomes(send(phone, first, then)) == [
        (first["id"], "repeated", None),
        (then["id"], "refused", "diary_not_agreed"),
    ]
    assert [str(log.id) for log in world.logs()] == [first["id"]]


def test_a_batch_sent_again_answers_repeated_and_stores_nothing_new(world: World, phone_of: PhoneOf) -> None:
    phone, batch = phone_of("lanh"), [item(world) for _ in range(200)]
    assert {status for _, status, _ in outcomes(send(phone, *batch))} == {"stored"}
    assert outcomes(send(phone, *reversed(batch))) == [(i["id"], "repeated", None) for i in reversed(batch)]
    assert len(world.logs()) == 200


def test_what_is_wrong_with_one_item_does_not_hinder_the_others(world: World, phone_of: PhoneOf) -> None:
    good, twin = item(world), item(world)
    other = {**twin, "body": twin["body"] | {"note": "khác"}}
    foreign = item(world, site_id=str(world["far_hill"]))
    unknown_kind = item(world, kind="flying")
    no_unit = item(world, quantity="3")
    unknown_photo = item(world, photos=["ab" * 32])
    tomorrow = item(world, happened_at=(clock.now() + timedelta(days=1)).isoformat())
    answer = send(
        phone_of("lanh"), good, twin, other, foreign, unknown_kind, no_unit, unknown_photo, tomorrow,
        item(world, more={"schema": 2}), item(world, more={"kind": "song"}), item(world, more={"extra": 1}),
        item(world, colour="red"), {"id": "x"}, "not an object", None,
    )  # fmt: skip
    told = [(status, code) for _, status, code in outcomes(answer)]
    assert told == [
        ("stored", None),
        ("stored", None),
        ("conflict", "same_id_other_content"),
        ("refused", "not_found"),
        ("refused", "kind"),
        ("refused", "unit_missing"),
        ("refused", "photo_unknown"),
        ("refused", "in_future"),
        ("refused", "literal_error"),
        ("refused", "literal_error"),
        ("refused", "extra_forbidden"),
        ("refused", "extra_forbidden"),
        ("refused", "uuid_parsing"),
        ("refused", "not_an_item"),
        ("refused", "not_an_item"),
    ]
    assert [str(log.id) for log in world.logs()] == sorted([good["id"], twin["id"]])
    errors = [a["error"] for a in answer.get_json()["items"] if "error" in a]
    assert all(e["vi"] and e["en"] for e in errors)
    assert [a["id"] for a in answer.get_json()["items"]][-3:] == ["x", None, None]


def test_other_content_under_a_taken_id_is_a_conflict_and_both_are_kept(
    world: World, phone_of: PhoneOf, database: Database
) -> None:
    phone, first = phone_of("lanh"), item(world, note="một")
    second = {**first, "body": first["body"] | {"note": "hai"}}
    assert [status for _, status, _ in outcomes(send(phone, first))] == ["stored"]
    for _ in range(3):
        assert [status for _, status, _ in outcomes(send(phone, second))] == ["conflict"]
    assert [log.note for log in world.logs()] == ["một"]
    with database.transaction(SYSTEM) as session:
        assert [c.body["note"] for c in session.query(ConflictingSubmission).all()] == ["hai"]


def test_a_phone_with_a_clock_far_ahead_is_believed_with_doubt(world: World, phone_of: PhoneOf) -> None:
    wrong = (clock.now() + timedelta(days=3)).isoformat()
    answer = send(phone_of("lanh"), item(world, happened_at=wrong), sent_at=wrong)
    assert [status for _, status, _ in outcomes(answer)] == ["stored"]
    assert [log.time_doubtful for log in world.logs()] == [True]


def test_an_officer_hands_in_what_was_told_and_what_was_seen(world: World, phone_of: PhoneOf) -> None:
    told = item(world, performed_by=str(world["pao"]))
    saw = item(world, performed_by=None, seen="saw")
    foreign = item(world, site_id=str(world["far_hill"]))
    answer = send(phone_of("vy"), told, saw, foreign)
    assert [status for _, status, _ in outcomes(answer)] == ["stored", "stored", "refused"]
    rows = {str(log.id): log for log in world.logs()}
    first, second = rows[told["id"]], rows[saw["id"]]
    assert (first.performed_by, first.written_by, first.witness, first.witnessed_by) == (
        world["pao"], world["vy"], "farmer", None,
    )  # fmt: skip
    assert (second.performed_by, second.written_by, second.witness, second.witnessed_by) == (
        None, world["vy"], "officer", world["vy"],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"items": []}, "too_short"),
        ({"items": [{}] * 201}, "too_long"),
        ({"sent_at": "2026-11-24T08:00:00"}, "timezone_aware"),
        ({"sent_at": None}, "datetime_type"),
        ({"extra": 1}, "extra_forbidden"),
        ({"device_id": "x"}, "uuid_parsing"),
    ],
)
def test_the_envelope_is_strict_and_nothing_is_stored(
    world: World, phone_of: PhoneOf, body: dict[str, Any], code: str
) -> None:
    answer = phone_of("lanh").post("/api/v1/items", json=envelope(item(world)) | body, headers=OURS)
    assert (answer.status_code, answer.content_type, answer.get_json()["code"]) == (
        422, "application/problem+json", code,
    )  # fmt: skip
    assert world.logs() == []


def test_more_than_a_mebibyte_is_refused(world: World, phone_of: PhoneOf) -> None:
    answer = send(phone_of("lanh"), item(world, note="x" * 1_100_000))
    assert (answer.status_code, answer.get_json()["code"]) == (413, "too_large")
    assert world.logs() == []


def test_only_json_is_read(world: World, phone_of: PhoneOf) -> None:
    phone = phone_of("lanh")
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        answer = phone.post("/api/v1/items", data="{}", content_type=kind, headers=OURS)
        assert (answer.status_code, answer.get_json()["code"]) == (422, "not_json")
    broken = phone.post("/api/v1/items", data="{", content_type="application/json", headers=OURS)
    assert (broken.status_code, broken.get_json()["code"]) == (422, "not_json")


def test_nobody_hands_in_without_signing_in(world: World, phone_of: PhoneOf) -> None:
    phone = phone_of("lanh")
    phone.delete_cookie("hoi_phien")
    answer = send(phone, item(world))
    assert (answer.status_code, answer.get_json()["code"]) == (401, "sign_in_needed")
    assert world.logs() == []


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
        {"Origin": "https://kẻ-lạ.example"},
        {"Origin": "null"},
    ],
)
def test_another_sites_page_cannot_send_with_the_farmers_cookie(
    world: World, phone_of: PhoneOf, headers: dict[str, str]
) -> None:
    answer = send(phone_of("lanh"), item(world), headers=headers)
    assert (answer.status_code, answer.get_json()["code"]) == (403, "foreign_page")
    assert world.logs() == []


def test_an_old_browser_proves_itself_by_its_origin(world: World, phone_of: PhoneOf) -> None:
    answer = send(phone_of("lanh"), item(world), headers={"Origin": "http://localhost"})
    assert [status for _, status, _ in outcomes(answer)] == ["stored"]


def test_a_sender_without_these_headers_shows_the_token_of_a_form(
    settings: Settings, database: Database, world: World
) -> None:
    phone = create_app(settings, database).test_client()
    phone.set_cookie("hoi_phien", world.token("lanh"))
    page = phone.get("/nong-dan/ghi/weeding").text
    token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
    wrong = send(phone, item(world), headers={"X-CSRFToken": "wrong"})
    assert (wrong.status_code, wrong.get_json()["code"]) == (403, "form_expired")
    assert world.logs() == []
    right = send(phone, item(world), headers={"X-CSRFToken": token})
    assert [status for _, status, _ in outcomes(right)] == ["stored"]


def test_the_documented_example_is_understood_and_the_lists_are_those_of_the_code(
    world: World, phone_of: PhoneOf, root: Path
) -> None:
    document = (root / "docs" / "api.md").read_text(encoding="utf-8")
    example = json.loads(document.partition("```json")[2].partition("```")[0])
    answer = phone_of("lanh").post("/api/v1/items", json=example, headers=OURS)
    assert [code for _, _, code in outcomes(answer)] == ["not_found"]
    assert f"`{' '.join(KINDS)}`" in document
    assert sorted(document.partition("and one of `")[2].partition("`")[0].split()) == sorted(UNITS)


def test_the_same_log_sent_ten_times_at_once_is_stored_once(settings: Settings, fresh_database: Database) -> None:
    world = make_world(fresh_database)
    app = create_app(settings, fresh_database)
    sent, token, start = (
        item(world, kind="harvesting", quantity="40", unit="kg"),
        world.token("lanh"),
        threading.Barrier(10),
    )
    told: list[str] = []

    def hand_in() -> None:
        phone = app.test_client()
        phone.set_cookie("hoi_phien", token)
        start.wait()
        told.extend(status for _, status, _ in outcomes(send(phone, sent)))

    threads = [threading.Thread(target=hand_in) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == ["repeated"] * 9 + ["stored"]
    with fresh_database.transaction(SYSTEM) as session:
        assert session.query(CareLog).count() == 1


def neighbours(world: World, how_many: int) -> list[UUID]:
    """As many sites, each of a household of its own in the village."""
    sites = []
    with world.database.transaction(SYSTEM) as session:
        for number in range(how_many):
            house = Organisation(
                kind="household",
                name=f"Hộ số {900 + number}",
                village_id=world["village"],
                commune_id=world["commune"],
                created_at=clock.now(),
            )
            session.add(house)
            session.flush()
            site = Site(organisation_id=house.id, name="Vườn", kind="orchard", created_at=clock.now())
            session.add(site)
            session.flush()
            sites.append(site.id)
    return sites


def test_items_of_many_sites_take_as_many_statements_as_of_one(world: World, phone_of: PhoneOf) -> None:
    phone, sites, asked = phone_of("vy"), neighbours(world, 200), []
    foreign = world["far_hill"]
    send(phone, item(world, site_id=str(sites[0])))
    for how_many in (1, 20, 198):
        # One of a household elsewhere, twice one of the same site: judged with the rest.
        chosen = [*sites[:how_many], foreign, sites[0]]
        with statements(world.database.engine) as sent:
            answer = send(phone, *(item(world, site_id=str(s)) for s in chosen))
        told = [(status, code) for _, status, code in outcomes(answer)]
        assert told == [*[("stored", None)] * how_many, ("refused", "not_found"), ("stored", None)]
        asked.append(len(sent))
    assert asked[0] == asked[1] == asked[2] <= 25
    with world.database.transaction(SYSTEM) as session:
        events = session.scalars(select(OutboxEvent).where(OutboxEvent.name == CareLogRecorded.name)).all()
        assert len(events) == 1 + 1 + 20 + 198
        assert {UUID(e.body["site_id"]) for e in events} == set(sites[:198])


def test_half_of_two_hundred_sites_is_refused_and_half_is_stored(world: World, phone_of: PhoneOf) -> None:
    """Every other one lies in another commune, so the officer who hands them in has no right there; each is answered alone."""
    phone, sites = phone_of("vy"), neighbours(world, 200)
    forbidden = set(sites[::2])
    with world.database.transaction(SYSTEM) as session:
        far = session.get_one(Organisation, session.get_one(Site, world["far_hill"]).organisation_id)
        for site in session.scalars(select(Site).where(Site.id.in_(forbidden))):
            house = session.get_one(Organisation, site.organisation_id)
            house.village_id, house.commune_id = far.village_id, far.commune_id
    answer = send(phone, *(item(world, site_id=str(s)) for s in sites))
    told = [(status, code) for _, status, code in outcomes(answer)]
    assert told == [("refused", "not_found") if s in forbidden else ("stored", None) for s in sites]
    with world.database.transaction(SYSTEM) as session:
        assert set(session.scalars(select(CareLog.site_id))) == set(sites) - forbidden
        events = session.scalars(select(OutboxEvent).where(OutboxEvent.name == CareLogRecorded.name)).all()
        assert {UUID(e.body["site_id"]) for e in events} == set(sites) - forbidden


# --- one item that breaks something ------------------------------------------------------------------------------


@pytest.fixture
def refused_at_commit(world: World) -> str:
    """A note that the database takes, and regrets when the transaction ends."""
    note = "vỡ lúc kết thúc"
    with psycopg.connect(owner_of(world.database.url), autocommit=True) as owner:
        owner.execute(
            "CREATE FUNCTION regret() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" IF NEW.note = '{note}' THEN RAISE EXCEPTION 'regretted' USING ERRCODE = 'XX000'; END IF; RETURN NULL; END $$;"
            "CREATE CONSTRAINT TRIGGER regret AFTER INSERT ON care_logs DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION regret()"
        )
    return note


def breaking(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """From now on a step with the note “vỡ” raises this where nobody expects it."""
    real = diary.build_row

    def build_row(entry: CareLogIn, *args: Any, **more: Any) -> dict[str, Any]:
        if entry.note == "vỡ":
            raise error
        return real(entry, *args, **more)

    monkeypatch.setattr(diary, "build_row", build_row)


@pytest.mark.parametrize(
    "error", [OverflowError("date value out of range"), KeyError("x"), RecursionError(), DataError("", {}, Exception())]
)
def test_an_item_that_breaks_something_is_refused_alone(
    world: World, phone_of: PhoneOf, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    breaking(monkeypatch, error)
    phone, first, broken, wrong, last = (
        phone_of("lanh"),
        item(world),
        item(world, note="vỡ"),
        item(world, kind="x"),
        item(world),
    )
    answer = send(phone, first, broken, wrong, last, first)
    assert outcomes(answer) == [
        (first["id"], "stored", None),
        (broken["id"], "refused", "item_unexpected"),
        (wrong["id"], "refused", outcomes(answer)[2][2]),
        (last["id"], "stored", None),
        (first["id"], "repeated", None),
    ]
    told = answer.get_json()["items"][1]["error"]
    assert answer.headers["X-Request-Id"] in told["vi"]
    assert answer.headers["X-Request-Id"] in told["en"]
    assert {str(entry.id) for entry in world.logs()} == {first["id"], last["id"]}
    again = outcomes(send(phone, first, broken, last))
    assert [status for _, status, _ in again] == ["repeated", "refused", "repeated"]
    monkeypatch.undo()
    assert outcomes(send(phone, broken)) == [(broken["id"], "stored", None)]


def test_an_item_that_breaks_at_the_end_of_the_transaction_is_refused_alone(
    world: World, phone_of: PhoneOf, refused_at_commit: str
) -> None:
    good, broken = item(world), item(world, note=refused_at_commit)
    assert outcomes(send(phone_of("lanh"), broken, good)) == [
        (broken["id"], "refused", "item_unexpected"),
        (good["id"], "stored", None),
    ]
    assert [str(entry.id) for entry in world.logs()] == [good["id"]]


def database_error(state: str | None) -> DBAPIError:
    """As SQLAlchemy tells what PostgreSQL answers with this state; None: the driver reached no server."""
    told = psycopg.OperationalError() if state is None else psycopg.errors.lookup(state)()
    kind = OperationalError if isinstance(told, psycopg.OperationalError) else InternalError
    return kind("", {}, told)


@pytest.mark.parametrize(
    "state", [None, "08006", "25006", "40001", "40P01", "53100", "53200", "53300", "55P03", "57P01", "57P03"]
)
def test_a_busy_or_absent_database_refuses_no_item(
    world: World, phone_of: PhoneOf, monkeypatch: pytest.MonkeyPatch, state: str | None
) -> None:
    """Nothing is wrong with any of them, so the whole is answered and comes again."""
    breaking(monkeypatch, database_error(state))
    sent = [item(world), item(world, note="vỡ")]
    answer = send(phone_of("lanh"), *sent)
    assert answer.status_code == STATUS_OF.get(state, 503)
    assert world.logs() == []


# A standby is an error of ours: a phone keeps everything on that as on 503.
STATUS_OF = {"25006": 500}


def test_a_lost_connection_refuses_no_item(world: World, phone_of: PhoneOf, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = DBAPIError("", {}, psycopg.DatabaseError(), connection_invalidated=True)
    breaking(monkeypatch, lost)
    assert send(phone_of("lanh"), item(world), item(world, note="vỡ")).status_code in {500, 503}
    assert world.logs() == []


@pytest.mark.parametrize("state", ["54000", "54001", "57014"])
def test_what_one_item_asks_too_much_is_refused_alone(
    world: World, phone_of: PhoneOf, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    breaking(monkeypatch, database_error(state))
    first, broken, last = item(world), item(world, note="vỡ"), item(world)
    assert outcomes(send(phone_of("lanh"), first, broken, last)) == [
        (first["id"], "stored", None),
        (broken["id"], "refused", "item_unexpected"),
        (last["id"], "stored", None),
    ]
    assert {str(entry.id) for entry in world.logs()} == {first["id"], last["id"]}


def test_statements_that_take_too_long_hold_a_thread_only_so_long(
    world: World, phone_of: PhoneOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.doors.farmer.routes.phone_items.ALONE_SECONDS", -1.0)
    breaking(monkeypatch, database_error("57014"))
    first, broken = item(world), item(world, note="vỡ")
    assert send(phone_of("lanh"), first, broken).status_code == 503
    assert {str(entry.id) for entry in world.logs()} == {first["id"]}, "it comes again, and is known"


@pytest.mark.parametrize(
    ("happened_at", "code"),
    [
        ("9999-12-31T23:59:59+00:00", "in_future"),
        ("9999-12-31T23:59:59-14:00", "in_future"),
        ("0001-01-01T00:00:00+14:00", "too_long_ago"),
        ("1999-12-31T23:59:59Z", "too_long_ago"),
    ],
)
def test_a_step_of_an_impossible_year_is_refused_alone(
    world: World, phone_of: PhoneOf, happened_at: str, code: str
) -> None:
    good, poison = item(world), item(world, happened_at=happened_at)
    answer = send(phone_of("lanh"), good, poison)
    assert outcomes(answer) == [(good["id"], "stored", None), (poison["id"], "refused", code)]
    assert answer.get_json()["items"][1]["error"]["field"] == "happened_at"
    assert [str(log.id) for log in world.logs()] == [good["id"]]


@pytest.mark.parametrize("sent_at", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00"])
def test_a_phone_whose_clock_is_mad_still_delivers(world: World, phone_of: PhoneOf, sent_at: str) -> None:
    good, ahead = item(world), item(world, happened_at=(clock.now() + timedelta(days=60)).isoformat())
    answer = send(phone_of("lanh"), good, ahead, sent_at=sent_at)
    assert outcomes(answer) == [(good["id"], "stored", None), (ahead["id"], "refused", "in_future")]


@pytest.mark.parametrize("empty", ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"])
def test_an_id_that_every_faulty_phone_sends_is_none(world: World, phone_of: PhoneOf, empty: str) -> None:
    sent = item(world) | {"id": empty}
    assert outcomes(send(phone_of("lanh"), sent)) == [(empty, "refused", "uuid_empty")]
    assert world.logs() == []


@pytest.mark.parametrize("quantity", ["1.200", "1.2", 1.2])
def test_a_number_in_json_keeps_its_dot_in_every_language(world: World, phone_of: PhoneOf, quantity: object) -> None:
    phone = phone_of("lanh")
    phone.set_cookie("hoi_lang", "vi")
    sent = item(world, kind="harvesting", quantity=quantity, unit="kg")
    assert outcomes(send(phone, sent)) == [(sent["id"], "stored", None)]
    assert [log.quantity for log in world.logs()] == [Decimal("1.2")]


def test_a_vietnamese_number_in_json_is_refused(world: World, phone_of: PhoneOf) -> None:
    sent = item(world, kind="harvesting", quantity="1,2", unit="kg")
    assert outcomes(send(phone_of("lanh"), sent)) == [(sent["id"], "refused", "decimal_parsing")]
    assert world.logs() == []

"""The same step sent ten times at once is one row; the same id with other content keeps both."""

import threading
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from app import clock
from app.actor import SYSTEM
from app.db import new_id
from app.outbox import OutboxEvent
from app.trace.models import CareLog, ConflictingSubmission
from app.web import SIGN_IN_COOKIE
from tests.faults.field import RECORDED, Farm


def envelope(farm: Farm, identifier: Any, note: str, happened_at: str) -> dict[str, Any]:
    body = {"site_id": str(farm.sites[0]), "kind": "weeding", "happened_at": happened_at, "note": note}
    return {
        "sent_at": happened_at,
        "items": [{"id": str(identifier), "kind": "care_log", "schema": 1, "body": body}],
    }


def send_at_once(url: str, farm: Farm, bodies: list[dict[str, Any]]) -> list[httpx.Response]:
    """Each body by a connection of its own, let go together."""
    barrier = threading.Barrier(len(bodies))
    answers: list[httpx.Response] = []

    def send(body: dict[str, Any]) -> None:
        with httpx.Client(base_url=url, cookies={SIGN_IN_COOKIE: farm.token}, timeout=30, trust_env=False) as client:
            barrier.wait(20)
            answers.append(client.post("/api/v1/items", json=body, headers={"Origin": url}))

    threads = [threading.Thread(target=send, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return answers


def stored(farm: Farm) -> tuple[list[CareLog], list[ConflictingSubmission], int]:
    with farm.database.transaction(SYSTEM) as session:
        return (
            list(session.scalars(select(CareLog).where(CareLog.kind == "weeding"))),
            list(session.scalars(select(ConflictingSubmission))),
            len(session.scalars(select(OutboxEvent.id).where(OutboxEvent.name == RECORDED)).all()),
        )


@pytest.mark.faults
def test_ten_equal_sends_at_once_are_one_row_and_one_event(farm: Farm, running_web: Any, counts: Any) -> None:
    url = running_web().url
    rounds = counts(5, 200)
    for number in range(rounds):
        identifier = new_id()
        body = envelope(farm, identifier, f"lần {number}", clock.machine_now().isoformat())
        answers = send_at_once(url, farm, [body] * 10)
        assert [a.status_code for a in answers] == [200] * 10
        told = sorted(a.json()["items"][0]["status"] for a in answers)
        assert told == ["repeated"] * 9 + ["stored"]
        assert {a.json()["items"][0]["id"] for a in answers} == {str(identifier)}
        assert all(set(a.json()["items"][0]) == {"id", "status"} for a in answers)
    rows, conflicts, events = stored(farm)
    assert (len(rows), conflicts, events) == (rounds, [], rounds)


@pytest.mark.faults
def test_one_id_with_ten_contents_at_once_stores_one_and_keeps_the_other_nine(farm: Farm, running_web: Any) -> None:
    url = running_web().url
    identifier, moment = new_id(), clock.machine_now().isoformat()
    notes = [f"nội dung {n}" for n in range(10)]
    answers = send_at_once(url, farm, [envelope(farm, identifier, note, moment) for note in notes])
    items = [a.json()["items"][0] for a in answers]
    assert sorted(i["status"] for i in items) == ["conflict"] * 9 + ["stored"]
    assert {i["error"]["code"] for i in items if i["status"] == "conflict"} == {"same_id_other_content"}
    rows, conflicts, events = stored(farm)
    assert [row.id for row in rows] == [identifier]
    assert sorted([rows[0].note or "", *(c.body["note"] for c in conflicts)]) == notes
    assert {c.care_log_id for c in conflicts} == {identifier}
    assert events == 1

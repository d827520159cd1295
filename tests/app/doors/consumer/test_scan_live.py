"""One code through the real web process: rendered once, counted every time, and changed when its records change."""

import http.client
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

from app.actor import SYSTEM
from app.db import Database, Words
from app.trace import pages
from app.trace.models import BatchEvent


def get(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers={"Accept": "text/html"})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


@pytest.mark.faults
def test_a_recall_is_seen_within_seconds_and_every_scan_is_counted(
    running_web: Callable[..., Any],
    fresh_database: Database,
    make_scan_world: Callable[..., Any],
    wait_for: Any,
) -> None:
    with fresh_database.transaction(SYSTEM) as session:
        world = make_scan_world(session)
    port = running_web().settings.web_port
    path = f"/t/{world.code}"
    asked = 3
    for _ in range(asked):
        status, body = get(port, path)
        assert status == 200
        assert "Mã thật của lô này" in body
    with fresh_database.transaction(SYSTEM) as session:
        now = datetime.now(UTC)  # noqa: TID251 - a moment of the real process
        session.add(
            BatchEvent(
                batch_id=world.ids["batch"],
                organisation_id=world.ids["cooperative"],
                kind="recalled",
                at=now,
                recorded_at=now,
                reason=Words(vi="Dư lượng vượt mức"),
            )
        )
        pages.forget(session, [world.ids["batch"]])

    def recalled() -> bool:
        nonlocal asked
        asked += 1
        return "Lô này đang thu hồi" in get(port, path)[1]

    wait_for(recalled, 5, "the recall on the page")
    assert get(port, "/t/ABCDEFGH00002")[0] == 404

    def counted() -> int:
        with fresh_database.transaction(SYSTEM) as session:
            return int(session.scalar(text("SELECT coalesce(sum(scans), 0) FROM scan_tallies")) or 0)

    wait_for(lambda: counted() == asked, 3, "every scan in the database")

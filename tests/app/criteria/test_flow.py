"""From a recorded fact to the stored answer and the notice, through the real relay and worker."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import select

from app.actor import SYSTEM
from app.criteria import queries
from app.db import Database
from app.notices.models import Notice
from tests.worlds.village import Province, build


def test_village_page_and_its_officer_know_within_seconds_what_was_recorded(
    fresh_database: Database, running_worker: Callable[..., Any], wait_for: Callable[..., Any]
) -> None:
    province: Province = build(fresh_database, lambda _moment: None)
    running_worker()
    province.record("channel", exists=True, platform="zalo")

    def answer(clause: str) -> str | None:
        with fresh_database.transaction(SYSTEM) as session:
            row = queries.current(session, [province.village]).get(province.village)
            return row.values[clause] if row else None

    wait_for(lambda: answer("nen-tang-so") == "insufficient", 20, "a first answer")
    province.record("wifi", available=True)
    wait_for(lambda: answer("wifi-nha-van-hoa") == "met", 20, "an answer that knows of the Wi-Fi")

    def told() -> list[str]:
        with fresh_database.transaction(SYSTEM) as session:
            mine = Notice.person_id == province.actors["officer"].person_id
            return [title.vi for title in session.scalars(select(Notice.title).where(mine))]

    wait_for(told, 20, "a notice to the village officer")
    assert told() == ["Thôn Nà Mẫu: thiếu dữ liệu, 1/5 tiêu chí"]

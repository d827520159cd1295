"""The sheet of a village nobody spoke of, and the sheets of many villages."""

from datetime import UTC, date, datetime
from typing import Any

from app.actor import SYSTEM
from app.criteria import assessments, queries
from tests.app.criteria.answers import INSUFFICIENT, NOT_APPLICABLE
from tests.worlds.village import Province


def test_village_without_any_record_is_short_of_data_and_never_met_or_zero(province: Province) -> None:
    answer = province.assess()
    assert {r.clause: r.answer.value for r in answer.results} == {
        1: INSUFFICIENT,
        2: INSUFFICIENT,
        3: INSUFFICIENT,
        4: INSUFFICIENT,
        5: NOT_APPLICABLE,
        6: INSUFFICIENT,
    }
    assert answer.overall.value is INSUFFICIENT
    assert "chưa ai ghi" in answer.results[2].answer.reason.vi


def test_answer_of_many_villages_takes_the_same_number_of_statements(province: Province) -> None:
    province.group()
    province.product("Na dai")
    province.seen("Na dai")

    def statements(*villages: str) -> int:
        with province.database.transaction(SYSTEM) as session:
            seen: list[str] = []
            execute = session.connection().dialect.do_execute

            def count(cursor: Any, statement: str, *rest: Any, **more: Any) -> Any:
                seen.append(statement)
                return execute(cursor, statement, *rest, **more)

            session.connection().dialect.do_execute = count  # type: ignore[method-assign]  # put back below
            try:
                assessments.assess(
                    session,
                    [province.ids[v] for v in villages],
                    queries.pack(),
                    as_of=date(2026, 11, 23),
                    known_at=datetime(2026, 11, 23, 3, tzinfo=UTC),
                )
            finally:
                session.connection().dialect.do_execute = execute  # type: ignore[method-assign]
        return len(seen)

    assert statements("village") == statements("village", "sister", "foreign")

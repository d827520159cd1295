"""A day asked about and a state of knowledge; many rows that make one fact."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from app.actor import SYSTEM
from tests.app.criteria.answers import INSUFFICIENT, MET, UNMET
from tests.app.files import sent
from tests.worlds.village import Province


def test_fact_of_many_rows_is_worth_its_weakest_witness_and_shows_all_evidence(province: Province) -> None:
    first, second = province.premises(2)
    with province.database.transaction(SYSTEM) as session:
        sent(session, province.actors["commune"], "cd" * 32)
    province.record(
        "digital_address", 30, who="commune", subject=first, premises_id=first, code="0123456789", evidence=("cd" * 32,)
    )

    def fact() -> tuple[str, str | None, tuple[str, ...], date | None]:
        found = province.assess().facts["premises_with_digital_address"]
        return found.source.value, found.witness, found.evidence, found.observed_on

    assert fact() == ("verified", "commune", ("cd" * 32,), date(2026, 10, 24))
    province.record("digital_address", 3, subject=second, premises_id=second, code="0123456780")
    assert fact() == ("self_declared", "village", ("cd" * 32, "ab" * 32), date(2026, 10, 24))


def test_day_asked_about_and_state_of_knowledge_are_two_questions(province: Province) -> None:
    morning = datetime(2026, 11, 20, 3, tzinfo=UTC)
    province.record("wifi", 30, available=True)  # seen on 24/10, written today
    assert province.answer(3).value is MET
    assert province.answer(3, as_of=date(2026, 10, 24)).value is MET
    assert province.answer(3, as_of=date(2026, 10, 23)).value is INSUFFICIENT
    assert province.answer(3, known_at=morning).value is INSUFFICIENT


def test_correction_stands_from_when_it_was_known_and_the_old_word_before(
    province: Province, clock_at: Callable[[datetime], None]
) -> None:
    first = province.record("wifi", 30, available=True)
    noon = datetime(2026, 11, 23, 5, tzinfo=UTC)
    clock_at(noon)
    province.record("wifi", 30, available=False, subject=first.subject)
    assert province.answer(3).value is UNMET
    assert province.answer(3, known_at=noon - timedelta(minutes=1)).value is MET

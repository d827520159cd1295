"""A sheet of facts for each village, put together from all providers."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy.orm import Session

from app.criteria import queries
from app.criteria.facts.community import channel, digital_group, wifi
from app.criteria.facts.digital_addresses import digital_addresses
from app.criteria.facts.models import diary, models
from app.criteria.facts.ocop import ocop
from app.criteria.facts.question import Question
from app.criteria.models import VillageFact
from app.criteria.rules import Fact


def provide(
    session: Session,
    village_ids: Sequence[UUID],
    *,
    as_of: date,
    known_at: datetime,
    parameters: Mapping[str, int | str],
    hours: dict[UUID, datetime] | None = None,
) -> dict[UUID, dict[str, Fact]]:
    """A sheet of facts for every village asked about. Shapes and names: the pack's [[fact]] declarations.

    Facts name the civil day on which time alone may change them; where there is an hour, it goes into `hours`.
    """
    question = Question(as_of, known_at, parameters)
    sheets: dict[UUID, dict[str, Fact]] = {village: {} for village in village_ids}
    recorded = queries.standing_facts(session, village_ids, as_of=as_of, known_at=known_at)
    for village, rows in recorded.items():
        by_kind: dict[str, list[VillageFact]] = defaultdict(list)
        for row in rows:
            by_kind[row.kind].append(row)
        sheet = sheets[village]
        digital_group(sheet, by_kind, question)
        channel(sheet, by_kind, question)
        wifi(sheet, by_kind, question)
        models(sheet, by_kind, question)
    digital_addresses(session, sheets, recorded, question)
    ocop(session, sheets, question, {} if hours is None else hours)
    diary(session, sheets, recorded, question)
    return sheets

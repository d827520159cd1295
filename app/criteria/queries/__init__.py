"""Reading facts, choices and answers, scoped to the actor's places: one module for each noun, the names others use listed here."""

from app.criteria.queries.assessments import (
    FLAGGED,
    answer_at,
    assessment,
    before,
    computed_at,
    current,
    due,
    flags_of,
    history,
    last_decided,
)
from app.criteria.queries.choices import (
    SMART_VILLAGE,
    choice_history,
    choices,
    choices_in_force,
    choices_to_come,
    pack,
    settings,
)
from app.criteria.queries.own_data import about_me
from app.criteria.queries.products import holders_of, villages_of_products, villages_with_products
from app.criteria.queries.tallies import Tally, by_criterion, tallies, villages_answering
from app.criteria.queries.village_facts import (
    When,
    evidence_of,
    fact_history,
    newest_fact_at,
    points_to_file,
    standing_facts,
    superseded_ids,
    villages_with_agriculture,
)
from app.criteria.queries.villages import attributes, households_of, require_village

__all__ = [
    "FLAGGED",
    "SMART_VILLAGE",
    "Tally",
    "When",
    "about_me",
    "answer_at",
    "assessment",
    "attributes",
    "before",
    "by_criterion",
    "choice_history",
    "choices",
    "choices_in_force",
    "choices_to_come",
    "computed_at",
    "current",
    "due",
    "evidence_of",
    "fact_history",
    "flags_of",
    "history",
    "holders_of",
    "households_of",
    "last_decided",
    "newest_fact_at",
    "pack",
    "points_to_file",
    "require_village",
    "settings",
    "standing_facts",
    "superseded_ids",
    "tallies",
    "villages_answering",
    "villages_of_products",
    "villages_with_agriculture",
    "villages_with_products",
]

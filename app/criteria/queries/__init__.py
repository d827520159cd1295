"""Reading facts, choices and answers, scoped to the actor's places: one module for each noun, the names others use listed here."""

from app.criteria.queries.assessments import (
    answer_at,
    as_computed,
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
from app.criteria.queries.tallies import (
    Tally,
    by_criterion,
    computed_at_in,
    tallies,
    villages_answering,
    villages_of_commune,
)
from app.criteria.queries.village_facts import (
    When,
    evidence_of,
    fact_history,
    newest_fact_at,
    points_to_file,
    standing_facts,
    standing_page,
    superseded_ids,
    villages_with_agriculture,
)
from app.criteria.queries.villages import attributes, households_of, require_village

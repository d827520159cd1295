"""Questions about places, one module for each noun. Places are public: no answer here depends on who asks."""

from app.places.queries.attributes import CommuneLine, attribute, attribute_history, attributes_on, commune_lines
from app.places.queries.choices import VillageChoices, commune_choices, village_choices
from app.places.queries.dates import in_force
from app.places.queries.history import became, became_of, ending_of, names_of, names_on, was_before
from app.places.queries.lists import failed_job, import_of, lists_to_forget, own_imports
from app.places.queries.own_data import about_me
from app.places.queries.premises import (
    premises_counts,
    premises_keys,
    premises_labels,
    premises_of,
    premises_of_villages,
    premises_page,
)
from app.places.queries.search import search_page
from app.places.queries.units import (
    all_by_code,
    all_villages,
    ancestors,
    below,
    by_code,
    chains,
    child_page,
    children,
    closed_by_code,
    current_communes,
    current_villages,
    ended_villages,
    existing,
    full_name,
    full_names,
    open_village,
    place,
    places,
    province,
    reach,
    village_counts,
    villages_by_bare_code,
    villages_of,
)

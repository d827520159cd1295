"""The database: typed base, one transaction per request and task, the actor told to row-level security."""

from app.db.constraints import dated, one_of
from app.db.database import (
    APP_ROLE,
    OF_A_PAGE,
    Database,
    Patience,
    actor_settings,
    is_busy,
    psycopg_url,
    tell_rights,
)
from app.db.personal import holds_personal_number, names_a_person, no_personal_numbers
from app.db.rows import canonical_json, check_version, insert_once, json_of, json_ready, lock_ids, picked
from app.db.schema import AwareDateTime, Base, Dong, Id, folded, in_order, new_id, numbered
from app.db.texts import Words, fold, identity, nfc, sort_key

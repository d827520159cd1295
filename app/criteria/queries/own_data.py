"""One person's own records, for the file of their data."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actor import Actor
from app.criteria.models import ParameterChoice, VillageFact
from app.db import picked


def about_me(session: Session, actor: Actor) -> dict[str, Any]:
    """What this person recorded of villages and chose for the province, for the file of their own data."""
    facts = session.scalars(
        select(VillageFact)
        .where(VillageFact.person_id == actor.person_id)
        .order_by(VillageFact.recorded_at, VillageFact.id)
    )
    chosen = session.scalars(
        select(ParameterChoice)
        .where(ParameterChoice.person_id == actor.person_id)
        .order_by(ParameterChoice.recorded_at, ParameterChoice.id)
    )
    fact = "id village_id kind subject value observed_on recorded_at witness evidence note withdrawn supersedes_id"
    return {
        "village_facts": [picked(f, fact) for f in facts],
        "parameter_choices": [picked(c, "id pack_id name value valid_from decided_by recorded_at") for c in chosen],
    }

"""One person's own records, for the file of their data."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.actor import Actor
from app.db import picked
from app.places.models import PlaceAttribute, PlaceEnding, PlaceImport, PlaceName, Premises


def about_me(session: Session, actor: Actor) -> dict[str, Any]:
    """What this person recorded of places, for the file of their own data."""

    def mine(model: type[PlaceName | PlaceAttribute | PlaceEnding | Premises], names: str) -> list[dict[str, Any]]:
        rows = session.scalars(
            select(model).where(model.person_id == actor.person_id).order_by(model.recorded_at, model.id)
        )
        return [picked(row, names) for row in rows]

    sent = session.scalars(
        select(PlaceImport)
        .where(PlaceImport.person_id == actor.person_id)
        .order_by(PlaceImport.created_at, PlaceImport.id)
    )
    return {
        "names": mine(PlaceName, "id place_id kind_word name valid_from valid_to recorded_at"),
        "endings": mine(PlaceEnding, "id place_id last_day decision recorded_at"),
        "attributes": mine(PlaceAttribute, "id place_id key value valid_from valid_to basis recorded_at"),
        # The label is the household's, not of who typed it.
        "premises": mine(Premises, "id village_id kind valid_from valid_to recorded_at"),
        "imports": [picked(row, "id kind file_name blob_sha256 effective_on created_at applied_at") for row in sent],
    }

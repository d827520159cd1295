"""Conditions of time: rows in force on a civil date, as we knew them at a moment."""

from datetime import date, datetime

from sqlalchemy import ColumnElement, and_, or_

from app.places.models import Place, PlaceAttribute, PlaceName, Premises


def then_in_force(
    dated: type[Place | PlaceName | PlaceAttribute | Premises], on: date, known_at: datetime | None
) -> ColumnElement[bool]:
    """The rows in force on a civil date, as we knew them at `known_at` (aware; None: now)."""
    began = or_(dated.valid_from.is_(None), dated.valid_from <= on)
    still = or_(dated.valid_to.is_(None), dated.valid_to >= on)
    if known_at is None:
        return and_(began, still)
    # An end that we learned of later was not yet known then.
    return and_(began, dated.recorded_at <= known_at, or_(still, dated.ended_at > known_at))


def in_force(on: date, known_at: datetime | None = None) -> ColumnElement[bool]:
    """The places that exist on a civil date. No start means: since before our records begin."""
    return then_in_force(Place, on, known_at)

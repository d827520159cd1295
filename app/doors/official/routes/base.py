"""The blueprint of the officials' pages: who opens them, and how a place is named and reached there."""

from flask import Blueprint, url_for

from app.actor import Actor, Right
from app.places.models import Level, Place
from app.places.names import Called
from app.web import language, require

blueprint = Blueprint("official", "app.doors.official", template_folder="templates")


def signed_in_official() -> Actor:
    return require(Right.OVERSEE)


URLS = {Level.PROVINCE: "official.province", Level.COMMUNE: "official.commune", Level.VILLAGE: "official.village"}


def place_url(place: Place) -> str:
    if place.level == Level.PROVINCE:
        return url_for("official.province")
    if place.level == Level.COMMUNE:
        return url_for("official.commune", commune_id=place.id)
    return url_for("official.village", village_id=place.id)


def trail_to(actor: Actor, above: list[Place], here: str) -> list[tuple[str, str | None]]:
    """From the widest place that the official answers for down to here."""
    steps: list[tuple[str, str | None]] = [
        (title_of(p), place_url(p) if actor.may_at(Right.OVERSEE, p.id) else None) for p in reversed(above)
    ]
    return [*((text, url) for text, url in steps if url), (here, None)]


def title_of(place: Place) -> str:
    return Called(place.kind_word, place.name, first=True).text(language())

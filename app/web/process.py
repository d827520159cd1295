"""The things one web process holds, for whoever answers a request."""

from collections.abc import Callable
from dataclasses import dataclass

from flask import current_app
from sqlalchemy.orm import Session

from app.actor import Actor
from app.db import Database
from app.settings import Settings

ActorBuilder = Callable[[Session, str, str], Actor]


@dataclass(frozen=True, slots=True)
class Web:
    """What one web process holds: settings, database and the builder of actors that accounts provides."""

    settings: Settings
    database: Database
    build_actor: ActorBuilder


def web() -> Web:
    extension: Web = current_app.extensions["hoi"]
    return extension


def is_https(settings: Settings) -> bool:
    return (settings.public_url or "").startswith("https://")

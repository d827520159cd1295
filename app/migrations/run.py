"""Bring a database to the newest shape, as the role that owns the tables."""

from pathlib import Path

from alembic import command
from alembic.config import Config

from app.db import psycopg_url

HERE = Path(__file__).resolve().parent


def config(database_url: str) -> Config:
    settings = Config()
    settings.set_main_option("script_location", str(HERE).replace("%", "%%"))
    settings.set_main_option("path_separator", "os")
    settings.attributes["url"] = psycopg_url(database_url)
    return settings


def upgrade(database_url: str) -> None:
    """Run every missing migration. Safe to call from several processes at once."""
    command.upgrade(config(database_url), "head")


def check(database_url: str) -> None:
    """Raise when the models and the migrated database differ."""
    command.check(config(database_url))

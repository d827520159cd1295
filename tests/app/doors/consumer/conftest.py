"""Buyers' pages over one lot of na, from harvest to label."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app.db import Database
from app.factory import create_app
from app.settings import Settings
from tests.worlds.scan import World, make_world


@pytest.fixture
def app(settings: Settings, database: Database) -> Flask:
    made = create_app(settings.model_copy(update={"public_url": "https://hoi.example.vn"}), database)
    made.testing = True
    return made


@pytest.fixture
def client(app: Flask, world: Any) -> FlaskClient:
    world.session.flush()  # routes open savepoints on the same connection
    return app.test_client()


@pytest.fixture
def world(db_session: Session) -> World:
    return make_world(db_session)


@pytest.fixture
def make_scan_world() -> Callable[[Session], World]:
    """For tests that commit, on a database of their own."""
    return make_world

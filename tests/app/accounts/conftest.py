"""Two cooperatives with a household each, and one household's card at the desk."""

import pytest
from flask import Flask

from app.db import Database
from app.factory import create_app
from app.settings import Settings
from tests.worlds.organisations import Desk, Province, make_province


@pytest.fixture
def province(database: Database) -> Province:
    return make_province(database)


@pytest.fixture
def desk(province: Province) -> Desk:
    return Desk(province)


@pytest.fixture
def app(settings: Settings, database: Database) -> Flask:
    return create_app(settings, database)

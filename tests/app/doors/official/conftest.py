"""The criteria's two communes behind the real application, one client for each official."""

from collections.abc import Callable
from datetime import datetime

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import clock
from app.accounts.models import PersonalData
from app.db import Database
from app.factory import create_app
from app.settings import Settings
from tests.app.browsers import browser_of
from tests.app.criteria.world import NOW, Province, build

SignIn = Callable[[str], FlaskClient]


@pytest.fixture
def province(database: Database, clock_at: Callable[[datetime], None]) -> Province:
    clock_at(NOW)
    made = build(database, clock_at)
    for actor in made.actors.values():
        data = PersonalData(
            person_id=actor.person_id, full_name="Người Thử", address_as="bác", language="vi", updated_at=clock.now()
        )
        made.add(data)
    return made


@pytest.fixture
def app(settings: Settings, province: Province) -> Flask:
    made = create_app(settings, province.database)
    made.config["WTF_CSRF_ENABLED"] = False
    return made


@pytest.fixture
def sign_in(app: Flask, province: Province) -> SignIn:
    """`sign_in("officer")`: a browser of theirs."""

    def client(who: str) -> FlaskClient:
        return browser_of(app, province.actors[who])

    return client

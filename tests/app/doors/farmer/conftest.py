"""The farmer's world on a database, and phones signed in as its people."""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.db import Database
from app.factory import create_app
from app.settings import Settings
from tests.worlds.phone import PhoneOf, World, make_world


@pytest.fixture
def world(database: Database) -> World:
    return make_world(database)


@pytest.fixture
def app(settings: Settings, database: Database) -> Flask:
    made = create_app(settings, database)
    made.config["WTF_CSRF_ENABLED"] = False
    return made


@pytest.fixture
def phone_of(app: Flask, world: World) -> PhoneOf:
    """`phone_of("lanh")`: a browser that carries her sign-in."""

    def phone(person: str) -> FlaskClient:
        made = app.test_client()
        made.set_cookie("hoi_phien", world.token(person))
        return made

    return phone

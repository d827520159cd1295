"""The application over the invented commune, and clients of its people."""

from functools import partial

import pytest
from flask import Flask

from app import clock
from app.accounts.models import PersonalData
from app.actor import SYSTEM
from app.db import Database
from app.factory import create_app
from app.settings import Settings
from tests.app.browsers import browser_of
from tests.app.trace.desk import MakeClient
from tests.worlds.farm import World


@pytest.fixture
def app(settings: Settings, database: Database, world: World) -> Flask:
    with database.transaction(SYSTEM) as session:
        for actor in (world.manager, world.farmer, world.stranger, world.official, world.purchaser):
            session.add(
                PersonalData(
                    person_id=actor.person_id, phone=None, full_name="Người Thử", address_as="bác", email=None,
                    language="vi", updated_at=clock.now(),
                )
            )  # fmt: skip
    made = create_app(settings, database)
    made.config["WTF_CSRF_ENABLED"] = False
    return made


@pytest.fixture
def client_of(app: Flask) -> MakeClient:
    return partial(browser_of, app)

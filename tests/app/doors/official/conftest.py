"""The criteria's two communes behind the real application, one client for each official."""

import io
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import func, select
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from app import clock
from app.accounts.models import PersonalData
from app.actor import SYSTEM
from app.criteria.models import VillageFact
from app.db import Database
from app.factory import create_app
from app.settings import Settings
from tests.app.browsers import browser_of
from tests.worlds.village import NOW, Province, build

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


def text_of(page: Any) -> str:
    """What a person reads: no tags, one blank where there were many."""
    assert page.status_code == 200, page.status_code
    plain = re.sub(r"<(script|style)\b.*?</\1>|<[^>]+>", " ", page.text, flags=re.DOTALL)
    return " ".join(plain.replace("&#34;", '"').split())


def facts(province: Province) -> int:
    with province.database.transaction(SYSTEM) as session:
        return int(session.scalar(select(func.count()).select_from(VillageFact)) or 0)


def send(client: FlaskClient, url: str, form: dict[str, Any]) -> Any:
    boundary, body = encode_multipart(form)
    return client.post(url, data=body, content_type=f'multipart/form-data; boundary="{boundary}"')


def photo() -> FileStorage:
    raw = io.BytesIO()
    Image.new("RGB", (640, 480), "#557755").save(raw, "JPEG")
    raw.seek(0)
    return FileStorage(raw, "wifi.jpg")

"""Browsers that are signed in, and forms filled as a browser fills them."""

import re
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.accounts import signin
from app.accounts.models import SignInMethod
from app.actor import SYSTEM
from app.db import new_id
from app.web import SIGN_IN_COOKIE
from tests.worlds.organisations import Province

Browser = Callable[[str], FlaskClient]


@pytest.fixture
def browser(app: Flask, province: Province) -> Browser:
    """`browser("minh")`: signed in by password; `browser("")`: nobody."""

    def make(name: str) -> FlaskClient:
        client = app.test_client()
        if name:
            with province.database.transaction(SYSTEM) as session:
                granted = signin.start(session, SYSTEM, province[name], method=SignInMethod.PASSWORD, agent="Firefox")
            client.set_cookie(SIGN_IN_COOKIE, granted.token)
        return client

    return make


def csrf(page: TestResponse) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert found
    return found.group(1)


def send(client: FlaskClient, form_at: str, to: str | None = None, **values: str) -> TestResponse:
    """Fill the form of a page as a browser does, its token included."""
    return client.post(to or form_at, data={"csrf_token": csrf(client.get(form_at)), **values})


def printed_code(browser: Browser, province: Province) -> str:
    """The 26 characters of a new card for bác Lành."""
    desk = browser("minh")
    at = f"/don-vi/{province['household']}/nguoi/{province['lanh']}"
    values = {"id": str(new_id()), "person_id": str(province["lanh"])}
    sheet = desk.get(send(desk, at, f"/don-vi/{province['coop']}/in-the", **values).location)
    code = re.search(r"<small>([0-9A-Z-]{32})</small>", sheet.text)
    assert code
    return code.group(1).replace("-", "")

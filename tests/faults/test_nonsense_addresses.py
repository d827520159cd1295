"""Nonsense in every parameter of every address, and in headers, as every kind of user: an answer each time, never a 5xx."""

from collections import Counter
from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

import pytest
from flask import Flask, Request, request
from pydantic import BaseModel
from werkzeug.datastructures import ImmutableMultiDict
from werkzeug.routing import Rule

from app import factory
from app.db import Database
from app.settings import Settings
from app.web import SIGN_IN_COOKIE, parsing
from demo.factory import create_app
from tests.faults.nonsense import Nonsense
from tests.faults.test_nonsense import People, address, where

SEED = 20261130
VALUES = (
    "%00",
    "a%00b",
    "%5B",
    "http://%5Bx",
    "http://[x",
    "https://%5Bx%5D/a",
    "//a:b",
    "%ED%A0%80",
    "%ff",
    "x" * 10_000,
    "9999-12-31",
    "0001-01-01",
    "-1",
    "1e400",
    "NaN",
    "99999999999999999999",
    "%0d%0aSet-Cookie:a",
    "%F0%9F%98%80",
    "00000000-0000-0000-0000-000000000000",
)
READ_EVERYWHERE = {"lang", "next", "back", "page", "q"}
HEADERS: Mapping[str, tuple[str, ...]] = {
    "Cookie": ('hoi_phien="\\000"', "hoi_phien=\xff", "hoi_lang=[", "=;=;;", 'hoi_bieu_mau=".."', "a" * 10_000),
    "Accept": ("[", "text/html;q=x", ";;;", "*/*;q=1e400"),
    "Accept-Language": ("[", "vi;q=-1", "x" * 5000),
    "If-None-Match": ("[", '"', "W/", "*"),
    "X-Request-Id": ("[", "\x7f", "x" * 5000),
    "Origin": ("http://[x", "null", "://"),
    "Referer": ("http://[x", "//["),
    "User-Agent": ("\xff\xfe", "x" * 10_000),
    "Content-Type": ("application/json; charset=utf-16", "multipart/form-data", "["),
    "Range": ("bytes=-1", "bytes=9-1,["),
}


class Reading:
    """Notes which parameters the views read: by name, and by the fields of a schema."""

    def __init__(self, app: Flask, patch: pytest.MonkeyPatch) -> None:
        self.names: dict[str, set[str]] = {}
        noted = self.note

        class Arguments(ImmutableMultiDict[str, str]):
            def get(self, key: Any, *args: Any, **more: Any) -> Any:
                noted(key)
                return super().get(key, *args, **more)

            def getlist(self, key: Any, *args: Any, **more: Any) -> Any:
                noted(key)
                return super().getlist(key, *args, **more)

            def __contains__(self, key: object) -> bool:
                noted(str(key))
                return super().__contains__(key)

        class Noting(Request):
            parameter_storage_class = Arguments

        app.request_class = Noting
        real = parsing.parse_data

        def parse_data(schema: type[BaseModel], data: Mapping[str, object]) -> BaseModel:
            for name in schema.model_fields:
                noted(name)
            return real(schema, data)

        patch.setattr(parsing, "parse_data", parse_data)

    def note(self, name: str) -> None:
        self.names.setdefault(request.endpoint or "", set()).add(name)


@pytest.fixture
def province(demo_database: Database, settings: Settings) -> Flask:
    own = settings.model_copy(update={"database_url": demo_database.url, "demo": True, "log_level": "CRITICAL"})
    app = create_app(own, demo_database)
    app.config.update(TESTING=True, PROPAGATE_EXCEPTIONS=True)
    return app


class Walk:
    """Asks, and keeps what went wrong, once for each place."""

    def __init__(self, app: Flask, database: Database) -> None:
        self.app = app
        self.people = People(app, database)
        self.chance = Nonsense(SEED)
        self.statuses: Counter[int] = Counter()
        self.wrong: dict[str, str] = {}
        self.tokens = {person: self.people.sign_in(person) for person in self.people.ids}
        self.rules = sorted(
            (r for r in app.url_map.iter_rules() if "GET" in (r.methods or set()) and r.endpoint != "static"),
            key=lambda r: (r.endpoint, r.rule),
        )

    def url(self, rule: Rule, person: Any) -> str:
        ids = {} if person is None else {name: self.people.own(person, name) for name in rule.arguments}
        while True:
            try:
                return address(self.app, rule, self.chance, ids)
            except UnicodeError:  # no such address can be written down
                continue

    def ask(self, what: str, url: str, person: Any, headers: Mapping[str, str]) -> None:
        client = self.app.test_client()
        if person is not None:
            client.set_cookie(SIGN_IN_COOKIE, self.tokens[person])
        try:
            status = client.get(url, headers=headers).status_code
        except Exception as error:  # noqa: BLE001 - whatever it is, it would have been a 500
            self.wrong.setdefault(f"{what} {where(error)}", url[:200])
            return
        self.statuses[status] += 1
        if status >= 500:
            self.wrong.setdefault(f"{what} {status}", url[:200])


@pytest.fixture
def walk(province: Flask, demo_database: Database) -> Walk:
    return Walk(province, demo_database)


@pytest.mark.faults
def test_no_parameter_of_any_address_breaks_it(
    walk: Walk, monkeypatch: pytest.MonkeyPatch, counts: Callable[[int, int], int]
) -> None:
    reading = Reading(walk.app, monkeypatch)
    kinds = [None, *walk.people.ids]
    for rule, person in product(walk.rules, kinds[:: counts(3, 1)]):
        walk.ask(rule.endpoint, walk.url(rule, person), person, {})
    asked = [
        (rule, name, value)
        for rule in walk.rules
        for name in sorted(reading.names.get(rule.endpoint, set()) | READ_EVERYWHERE)
        for value in VALUES
    ]
    named = {name for names in reading.names.values() for name in names}
    assert {"q", "next", "last", "commune", "ma", "code", "nho"} <= named, (
        "these are read; who finds fewer finds nothing"
    )
    for rule, name, value in walk.chance.random.sample(asked, counts(600, len(asked))):
        person = walk.chance.random.choice(kinds)
        walk.ask(f"{rule.endpoint} ?{name}=", f"{walk.url(rule, person)}?{name}={value}", person, {})
    print(f"{sum(walk.statuses.values())} requests, of {len(asked)} possible: {dict(sorted(walk.statuses.items()))}")  # noqa: T201
    assert not walk.wrong, "\n".join(f"{what}\n    {how}" for what, how in walk.wrong.items())


@pytest.mark.faults
def test_no_header_breaks_an_address(walk: Walk, counts: Callable[[int, int], int]) -> None:
    asked = [(rule, name, value) for rule in walk.rules for name, values in HEADERS.items() for value in values]
    for rule, name, value in walk.chance.random.sample(asked, counts(150, len(asked))):
        person = walk.chance.random.choice([None, *walk.people.ids])
        walk.ask(f"{rule.endpoint} {name}: {value[:20]!r}", walk.url(rule, person), person, {name: value})
    assert not walk.wrong, "\n".join(f"{what}\n    {how}" for what, how in walk.wrong.items())


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/dang-nhap?next=http://[x", 200),
        ("/vao?next=http://[x", 303),
        ("/don-vi?q=%00", 400),
        ("/san-pham?q=%00", 400),
    ],
)
def test_what_once_broke_a_page(settings: Settings, database: Database, path: str, status: int) -> None:
    answer = factory.create_app(settings, database).test_client().get(path)
    assert (answer.status_code < 500, answer.status_code) == (True, status)

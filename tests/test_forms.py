"""Every form of the product that shows a number, sent back as it was shown: no number changes, in either language.

The forms are found on the pages themselves: a new one is walked without being named here.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from html.parser import HTMLParser
from itertools import islice, product
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit
from uuid import UUID

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Integer, Numeric, text
from sqlalchemy.engine import make_url
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from app.accounts import actors
from app.actor import SYSTEM
from app.criteria.queries import pack
from app.criteria.routes.base import PAGES
from app.db import Base, Database
from app.settings import Settings
from demo import cast
from demo.factory import create_app
from tests.conftest import owner_of
from tests.test_scope import OWNED

SIZES = ("0.5", "999", "1000", "1200", "12000", "1234567", "1200.5")
LANGUAGES = ("vi", "en")
ELSEWHERE = {"1000": {"vi": "en", "en": "vi"}, "1200.5": {"vi": "en", "en": "vi"}}
PLAYERS = ("hop-tac-xa", "nong-dan", "thu-mua", "can-bo-khuyen-nong", "to-so", "xa", "tinh", "quan-tri")
# Table, column, the most that its form takes, whether it has decimals. Set wherever the row has a number at all.
COLUMNS = (
    ("sites", "area", 10**9, True),
    ("care_logs", "quantity", 10**9, True),
    ("care_logs", "pre_harvest_days", 365, False),
    ("variants", "price_dong", 10**9, False),
    ("variants", "net_quantity", 10**9, True),
    ("variants", "weight_grams", 10**6, False),
    ("variants", "shelf_life_days", 3650, False),
)
# Numbers inside the values of village facts.
COUNTS = (
    ("digital_group", "members", 100),
    ("group_activity", "people", 10_000),
    ("channel", "households", 100_000),
    ("model", "participants", 100_000),
)
# Numbers that the product counts itself when a form is sent.
COUNTED = {
    "version", "corrections", "position", "attempts", "size", "received", "number", "id", "done", "total", "tries",
    "pin_tries", "wave", "txid", "failures", "level",
}  # fmt: skip
TRIES = 3  # pages of one route that are opened in search of a number
NO_FORMS = {"static", "consumer", "pictures", "labels"}
AMOUNT = re.compile(r"[a-z0-9]+:[0-9.]+")  # what a tapped picture of an amount sends
WORDS = "Ghi lại cho đúng"  # typed into a text field that must not stay empty: the reason of a correction


# --- pages as a browser reads them -----------------------------------------------------------------------------------


@dataclass
class Control:
    name: str
    value: str
    numeric: bool = False
    required: bool = False
    invalid: bool = False


@dataclass
class Sheet:
    """One form that posts: its address and what a browser would send of it, untouched."""

    action: str
    controls: list[Control] = field(default_factory=list)

    @property
    def numbers(self) -> list[tuple[str, str]]:
        return [(c.name, c.value) for c in self.controls if (c.numeric and c.value) or AMOUNT.fullmatch(c.value)]

    def data(self) -> list[tuple[str, str]]:
        return [(c.name, WORDS if c.required and not c.value and not c.numeric else c.value) for c in self.controls]


class Sheets(HTMLParser):
    """The forms of a page and their successful controls, as HTML's "constructing the entry list" has them."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.found: list[Sheet] = []
        self.links: list[str] = []
        self._sheet: Sheet | None = None
        self._select: tuple[str, list[tuple[str, bool]]] | None = None
        self._area: Control | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "a" and "href" in given:
            self.links.append(urljoin(self.url, given["href"]))
        if tag == "form" and given.get("method", "get").lower() == "post":
            self._sheet = Sheet(urljoin(self.url, given.get("action") or self.url))
            self.found.append(self._sheet)
        if self._sheet is None or "disabled" in given:
            return
        if tag == "option" and self._select is not None:
            self._select[1].append((given.get("value", ""), "selected" in given))
        elif given.get("name"):
            self._control(tag, given["name"], given)

    def _control(self, tag: str, name: str, given: dict[str, str]) -> None:
        assert self._sheet is not None
        kind = given.get("type", "text")
        if tag == "select":
            self._select = (name, [])
        elif tag == "textarea":
            self._area = Control(name, "", required="required" in given, invalid="aria-invalid" in given)
            self._sheet.controls.append(self._area)
        elif tag == "input" and (kind not in {"checkbox", "radio", "file", "submit"} or "checked" in given):
            a_day = given.get("placeholder") in {"ngày/tháng/năm", "day/month/year"}
            numeric = not a_day and (kind == "number" or given.get("inputmode") in {"numeric", "decimal"})
            value = given.get("value", "on" if kind in {"checkbox", "radio"} else "")
            self._sheet.controls.append(Control(name, value, numeric, "required" in given, "aria-invalid" in given))

    def handle_data(self, data: str) -> None:
        if self._area is not None:
            self._area.value += data.removeprefix("\n") if not self._area.value else data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._sheet = None
        elif tag == "textarea":
            self._area = None
        elif tag == "select" and self._select is not None and self._sheet is not None:
            name, options = self._select
            chosen = [value for value, selected in options if selected] or [value for value, _s in options[:1]]
            self._sheet.controls += [Control(name, value) for value in chosen]
            self._select = None


@dataclass(frozen=True, slots=True)
class Page:
    """A page with at least one form that shows numbers, and who saw it."""

    url: str
    name: str
    player: str


def read(url: str, html: str) -> Sheets:
    reader = Sheets(url)
    reader.feed(html)
    return reader


# --- the province ----------------------------------------------------------------------------------------------------


class Province:
    def __init__(self, app: Flask, database: Database, owner_url: str) -> None:
        self.app = app
        self.database = database
        self.owner_url = owner_url
        self.clients = {player: self._enter(player) for player in PLAYERS}
        self._actors: dict[str, Any] = {}
        self._ids: dict[tuple[str, str], list[str]] = {}
        self._select = text(" UNION ALL ".join(f"({one})" for one in self._numbers()))

    def _enter(self, player: str) -> FlaskClient:
        client = self.app.test_client()
        assert client.post(f"/_vao-thu/{player}").status_code == 303
        return client

    def set_all(self, size: Decimal) -> None:
        """The owner of the tables writes this number wherever a number stands, as large as the form takes it."""
        with psycopg.connect(self.owner_url, autocommit=True) as owner:
            for table, column, most, decimals in COLUMNS:
                value = min(size, Decimal(most))
                if decimals or value == value.to_integral_value():
                    owner.execute(
                        f"UPDATE {table} SET {column} = %s WHERE {column} IS NOT NULL".encode(),
                        (value if decimals else int(value),),
                    )
            for kind, name, most in COUNTS:
                value = min(size, Decimal(most))
                if value == value.to_integral_value():
                    owner.execute(
                        b"UPDATE village_facts SET value = value || jsonb_build_object(%s::text, %s::int)"
                        b" WHERE kind = %s AND value ? %s AND jsonb_typeof(value -> %s) = 'number'",
                        (name, int(value), kind, name, name),
                    )

    @staticmethod
    def _numbers() -> Iterator[str]:
        for table in Base.metadata.sorted_tables:
            for column in table.columns:
                if isinstance(column.type, Integer | Numeric) and column.name not in COUNTED:
                    yield (
                        f"SELECT '{table.name}.{column.name}' AS what, array_agg(DISTINCT {column.name}::numeric)"
                        f" AS found FROM {table.name} WHERE {column.name} IS NOT NULL"
                    )
        for kind, name, _most in COUNTS:
            yield (
                f"SELECT '{kind}.{name}', array_agg(DISTINCT (value ->> '{name}')::numeric) FROM village_facts"
                f" WHERE kind = '{kind}' AND value ->> '{name}' IS NOT NULL"
            )

    def numbers(self) -> dict[str, set[Decimal]]:
        """The different numbers that stand in each column."""
        with self.database.transaction(SYSTEM) as session:
            return {row.what: set(row.found or ()) for row in session.execute(self._select)}

    def ids(self, player: str, argument: str) -> list[str]:
        """A few ids of what this player sees; of diary lines those with a quantity."""
        key = (player, argument)
        if key not in self._ids:
            if player not in self._actors:
                with self.database.transaction(SYSTEM) as session:
                    phone = next(p.phone for p in (*cast.PLAYERS, cast.ADMINISTRATOR) if p.key == player)
                    person = session.scalar(text("SELECT person_id FROM personal_data WHERE phone = :p"), {"p": phone})
                    self._actors[player] = actors.actor_for(session, UUID(str(person)))
            actor = self._actors[player]
            table = OWNED[argument][0]
            only = {"care_logs": "quantity IS NOT NULL", "sites": "area IS NOT NULL", "places": "id = ANY(:places)"}
            with self.database.transaction(actor) as session:
                found = session.execute(
                    text(f"SELECT id FROM {table} WHERE {only.get(table, 'true')} ORDER BY id LIMIT 3"),
                    {"places": list(actor.places)} if table == "places" else {},
                ).scalars()
                self._ids[key] = [str(i) for i in found]
        return self._ids[key]

    def variants(self, rule: Rule) -> Iterator[dict[str, str]]:
        """The arguments of a route that name no row: every kind of fact has a form of its own, three parameters do for all."""
        named = {
            ("criteria", "kind"): list(PAGES),
            ("criteria", "name"): list(pack().parameters_by_name)[:3],
            ("farmer", "kind"): ["harvesting"],
        }
        choices = []
        for argument in sorted(rule.arguments - OWNED.keys()):
            options = re.search(r"any\(([^)]*)\):" + argument, rule.rule)
            known = named.get((rule.endpoint.split(".")[0], argument), [])
            values = [options.group(1).split(",")[0].strip()] if options else known
            choices.append([(argument, value) for value in values])
        for values in product(*choices):
            yield dict(values)

    def pages(self) -> list[Page]:
        """One page of every route, and of every kind of it, on which some player finds a form that shows a number."""
        found: list[Page] = []
        for rule in sorted(self.app.url_map.iter_rules(), key=lambda r: r.endpoint):
            if "GET" in (rule.methods or ()) and rule.endpoint.split(".")[0] not in NO_FORMS:
                for variant in self.variants(rule):
                    found += islice(self._pages_of(rule, variant), 1)
        return found

    def _pages_of(self, rule: Rule, variant: dict[str, str]) -> Iterator[Page]:
        opened = 0
        for player in PLAYERS:
            owned = [[(a, i) for i in self.ids(player, a)] for a in sorted(rule.arguments & OWNED.keys())]
            for values in islice(product(*owned), TRIES):
                with self.app.test_request_context():
                    at = self.app.url_map.bind("localhost")
                    url = str(at.build(rule.endpoint, variant | dict(values)))
                answer = self.clients[player].get(url)
                if answer.status_code == 200 and answer.mimetype == "text/html":
                    opened += 1
                    yield from self._with_numbers(
                        url, answer.text, " ".join((rule.endpoint, *variant.values())), player
                    )
                if opened == TRIES:
                    return

    def _with_numbers(self, url: str, html: str, name: str, player: str) -> Iterator[Page]:
        """The page itself, or the same page about one of several things (?muc=), to which it leads."""
        sheets = read(url, html)
        leads = [link for link in sheets.links if urlsplit(link).path == url and "muc=" in link][:1]
        for address in (url, *leads):
            reader = sheets if address == url else read(address, self.clients[player].get(address).text)
            if any(sheet.numbers for sheet in reader.found):
                yield Page(address, name, player)


@pytest.fixture
def province(demo_database: Database, servers: Any, settings: Settings, tmp_path: Path) -> Province:
    on_demo = settings.model_copy(
        update={"database_url": demo_database.url, "demo": True, "var": tmp_path / "var", "log_level": "CRITICAL"}
    )
    app = create_app(on_demo, demo_database)
    app.config.update(WTF_CSRF_ENABLED=False, TESTING=True, PROPAGATE_EXCEPTIONS=True)
    return Province(app, demo_database, owner_of(servers.database(make_url(demo_database.url).database)))


# --- the walk --------------------------------------------------------------------------------------------------------


def sent_back(
    province: Province, page: Page, language: str, read_in: str | None = None
) -> Iterator[tuple[Sheet, TestResponse]]:
    """Every form with numbers of a page, shown in one language and sent back, perhaps while another is chosen."""
    client = province.clients[page.player]
    client.set_cookie("hoi_lang", language)
    sheets = [s for s in read(page.url, client.get(page.url).text).found if s.numbers]
    client.set_cookie("hoi_lang", read_in or language)
    for sheet in sheets:
        yield sheet, client.post(sheet.action, data=multi(sheet.data()))


def multi(pairs: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


# What every run shall find at least: these showed 1.200 and read 1,2 once.
KNOWN = {
    "trace.edit_site", "trace.correct", "products.edit", "products.edit_pack", "criteria.record to-cong-nghe-so",
    "criteria.record hoat-dong", "criteria.record kenh", "criteria.record mo-hinh", "criteria.choose group_window_days",
}  # fmt: skip


def test_every_form_that_shows_a_number_can_be_sent_back_unchanged(province: Province) -> None:
    province.set_all(Decimal(1200))
    pages = province.pages()
    found = {p.name for p in pages}
    assert found >= KNOWN, KNOWN - found
    wrong: list[str] = []
    for size, language in product(SIZES, LANGUAGES):
        province.set_all(Decimal(size))
        before, sent = province.numbers(), []
        for page in pages:
            # In the other language meanwhile, as from another tab: the form says in which it was shown.
            for sheet, answer in sent_back(province, page, language, read_in=ELSEWHERE.get(size, {}).get(language)):
                sent.append(f"{page.name} {sheet.numbers}")
                if complaints := about_numbers(sheet, answer):
                    wrong.append(f"{size} {language} {page.name}: {complaints}")
        now = province.numbers()
        new = {what: now[what] - before[what] for what in now if now[what] - before[what]}
        if new:
            wrong.append(f"{size} {language}: {new} is new after sending back {sent}")
    assert not wrong, "\n".join(wrong)


def about_numbers(sheet: Sheet, answer: TestResponse) -> str:
    """What is wrong, unless it was taken, or another field of the form alone was refused: a new account without its key."""
    if answer.status_code == 303:
        return ""
    marked = [c.name for s in read("", answer.text).found for c in s.controls if c.invalid]
    named = {name for name, _value in sheet.numbers} & set(marked)
    return (
        ""
        if marked and not named and answer.status_code == 422
        else f"{answer.status_code} to {sheet.numbers}, {marked}"
    )

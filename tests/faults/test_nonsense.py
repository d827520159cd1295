"""A flood of nonsense at every route that writes: a refusal in words each time, never a 500, never a change."""

import gc
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import text
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from app import factory
from app.accounts import actors, signin
from app.accounts.models import SignInMethod
from app.actor import SYSTEM
from app.db import Database
from app.settings import Settings
from app.web import SIGN_IN_COOKIE, UNSAFE
from demo import cast
from demo.factory import create_app
from demo.loader import load
from tests.faults.nonsense import Form, Forms, Nonsense, Sent, deep
from tests.test_scope import OWNED
from tests.worlds.phone import make_world

SEED = 20261123
# What a refusal may leave behind, and why.
TRACES = {
    "sign_in_attempts": "attempts are limited, so each is kept",
    "public_pages": "showing a page again may store it",
}

# The same of one route: a wrong password stands in the trail, whoever tried it.
TRACES_OF = {"accounts.sign_in_send": {"audit_entries"}}


@pytest.fixture
def province(fresh_database: Database, settings: Settings, tmp_path: Path) -> Flask:
    on_fresh = settings.model_copy(
        update={"database_url": fresh_database.url, "demo": True, "var": tmp_path / "var", "log_level": "CRITICAL"}
    )
    load(on_fresh)
    app = create_app(on_fresh, fresh_database)
    app.config.update(WTF_CSRF_ENABLED=False, TESTING=True, PROPAGATE_EXCEPTIONS=True)
    return app


class Rows:
    """Notices every committed insert, update and delete: by count and by the transactions that wrote the rows."""

    def __init__(self, database: Database) -> None:
        self._database = database
        with database.transaction(SYSTEM) as session:
            names = session.execute(
                text(
                    "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                    " WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1"
                )
            ).scalars()
            self._select = text(
                " UNION ALL ".join(
                    f"SELECT '{t}' AS name, count(*) AS rows, coalesce(sum(x.xmin::text::bigint), 0) AS versions FROM {t} x"
                    for t in names
                    if t not in {*TRACES, "alembic_version"}
                )
            )
        self._next = -1
        self._found: dict[str, tuple[int, int]] = {}

    def now(self) -> dict[str, tuple[int, int]]:
        """Cheap where no transaction wrote since the last call."""
        with self._database.transaction(SYSTEM) as session:
            following = session.scalar(text("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"))
            if following != self._next:
                self._found = {r.name: (r.rows, int(r.versions)) for r in session.execute(self._select)}
                self._next = following
        return self._found


class People:
    """The players of the demo, each time with a new sign-in: some nonsense signs people out."""

    def __init__(self, app: Flask, database: Database) -> None:
        self._app = app
        self._database = database
        self._own: dict[tuple[UUID, str], list[str]] = {}
        phones = [p.phone for p in cast.PLAYERS]
        with database.transaction(SYSTEM) as session:
            rows = session.execute(
                text("SELECT person_id FROM personal_data WHERE phone = ANY(:phones) ORDER BY phone"),
                {"phones": phones},
            )
            self.ids = [UUID(str(row.person_id)) for row in rows]

    def sign_in(self, person_id: UUID) -> str:
        with self._database.transaction(SYSTEM) as session:
            return signin.start(session, SYSTEM, person_id, method=SignInMethod.PASSWORD, agent="thử").token

    def own(self, person_id: UUID, name: str) -> list[str]:
        """What this person may see of what a route's argument names: nonsense shall get past the first door."""
        key = (person_id, name)
        if name in OWNED and key not in self._own:
            with self._database.transaction(SYSTEM) as session:
                actor = actors.actor_for(session, person_id)
            with self._database.transaction(actor) as session:
                found = session.execute(text(f"SELECT id FROM {OWNED[name][0]} ORDER BY 1 LIMIT 20")).scalars()
                self._own[key] = [str(i) for i in found]
        return self._own.get(key, [])


def address(app: Flask, rule: Rule, chance: Nonsense, ids: dict[str, list[str]]) -> str:
    values: dict[str, str] = {}
    for name in sorted(rule.arguments):
        converter = rule._converters[name]
        options = getattr(converter, "items", None)
        if ids.get(name):
            values[name] = chance.random.choice(ids[name])
        elif options and not callable(options):
            values[name] = chance.random.choice(sorted(options))
        elif type(converter).__name__ == "UUIDConverter":
            values[name] = str(UUID(int=chance.random.getrandbits(128)))
        else:
            values[name] = chance.random.choice(
                [
                    "weeding",
                    "harvesting",
                    "spraying",
                    "public_name",
                    "ho-tro",
                    "\x00",
                    "\ud800",
                    "é" * 300,
                    "x/../y",
                    "%",
                ]
            )
    with app.test_request_context():
        return str(app.url_map.bind("localhost").build(rule.endpoint, values, method=None))


def where(error: BaseException) -> str:
    """The innermost line of ours, which is what one wants to know."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "/app/" in f.filename]
    place = f"{frames[-1].filename.rpartition('/app/')[2]}:{frames[-1].lineno}" if frames else "?"
    return f"{type(error).__name__} at {place}: {str(error)[:200]}"


@pytest.mark.faults
@pytest.mark.filterwarnings(
    "ignore:Unclosed file:ResourceWarning"
)  # werkzeug leaves a broken form's files to the collector
def test_no_nonsense_breaks_a_route_or_changes_anything_when_refused(
    province: Flask, fresh_database: Database, counts: Callable[[int, int], int]
) -> None:
    chance = Nonsense(SEED)
    people, rows = People(province, fresh_database), Rows(fresh_database)
    rules = sorted(
        (r for r in province.url_map.iter_rules() if (r.methods or set()) & UNSAFE), key=lambda r: (r.endpoint, r.rule)
    )
    statuses: Counter[int] = Counter()
    wrong: dict[str, str] = {}
    for number in range(counts(300, 5000)):
        rule = rules[number % len(rules)] if number < 2 * len(rules) else chance.random.choice(rules)
        person = chance.random.choice(people.ids)
        client = province.test_client()
        if chance.random.random() < 0.95:
            client.set_cookie(SIGN_IN_COOKIE, people.sign_in(person))
        try:
            url = address(province, rule, chance, {name: people.own(person, name) for name in rule.arguments})
        except UnicodeError:  # no such address can be written down
            continue
        form = Form()
        sent: Sent | None = None
        try:
            form = a_form(client.get(url), chance)
            sent = chance.body(form)
            before = rows.now()
            method = chance.random.choice(sorted((rule.methods or set()) & UNSAFE))
            headers = {
                "Sec-Fetch-Site": "same-origin",
                "Accept": chance.random.choice(["text/html", "application/json", "*/*", ""]),
            }
            answer = client.open(
                url, method=method, data=sent.body, headers=headers, content_type=sent.content_type or None
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, it would have been a 500
            wrong.setdefault(f"{rule.endpoint} {where(error)}", repro(number, url, sent))
            continue
        statuses[answer.status_code] += 1
        if answer.status_code >= 500:
            wrong.setdefault(f"{rule.endpoint} {answer.status_code}", repro(number, url, sent))
        after = rows.now()
        changed = {t for t in after if after[t] != before[t]} - TRACES_OF.get(rule.endpoint, set())
        if answer.status_code >= 400 and changed:
            wrong.setdefault(
                f"{rule.endpoint} refused ({answer.status_code}) and changed {sorted(changed)}",
                repro(number, url, sent),
            )
    gc.collect()
    print(f"{sum(statuses.values())} requests at {len(rules)} routes, answers {dict(sorted(statuses.items()))}")  # noqa: T201
    assert not wrong, "\n".join(f"{what}\n    {how}" for what, how in wrong.items())
    assert statuses[422] + statuses[400] > sum(statuses.values()) // 4, "most nonsense shall get as far as being read"


def a_form(page: TestResponse, chance: Nonsense) -> Form:
    """One of the forms of a page, or an invented one."""
    reader = Forms()
    if page.status_code == 200 and page.mimetype == "text/html":
        reader.feed(page.get_data(as_text=True))
    known = [f for f in reader.forms if f.fields]
    invented = Form(
        [(name, "1") for name in ("id", "name", "name_vi", "kind", "version", "reason", "quantity", "unit")]
    )
    return chance.random.choice(known) if known else invented


def repro(number: int, url: str, sent: Sent | None) -> str:
    return f"#{number} {url} {sent.what if sent else 'GET'}: {sent.body[:300] if sent else b''!r}"


@pytest.mark.parametrize(
    ("url", "content_type", "body", "status", "says"),
    [
        ("/api/v1/items", "application/json", deep(100_000), 422, "cần JSON"),
        ("/dang-nhap", "application/x-www-form-urlencoded", b"password=" + b"x" * 3_000_000, 413, "Gửi lên quá lớn"),
        ("/dang-nhap", "application/json", b'{"phone": "\\ud800", "password": "a\\u0000b"}', 422, "chưa đúng"),
    ],
)
def test_a_person_is_told_what_is_wrong_with_it(
    settings: Settings, database: Database, url: str, content_type: str, body: bytes, status: int, says: str
) -> None:
    world = make_world(database)
    app = factory.create_app(settings, database)
    app.config.update(WTF_CSRF_ENABLED=False, TESTING=True, PROPAGATE_EXCEPTIONS=True)
    client = app.test_client()
    client.set_cookie(SIGN_IN_COOKIE, world.token("lanh"))
    answer = client.post(url, data=body, content_type=content_type, headers={"Sec-Fetch-Site": "same-origin"})
    assert answer.status_code == status
    assert says in (answer.get_json()["detail_vi"] if answer.is_json else answer.text)

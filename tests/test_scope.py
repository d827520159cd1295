"""Every route, for every role, with the ids of what is none of its business: nothing leaks, nothing changes.

The routes come from the application itself, so a new one is walked without being named here. Everything is walked twice:
as it is, and with the database told that SYSTEM acts, so that row-level security hides no filter that a query forgot.
"""

import io
import re
import sys
import types
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from uuid import UUID

import pytest
from annotated_types import Ge, Gt
from flask import Flask, abort
from flask.testing import FlaskClient
from PIL import Image
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from sqlalchemy import text
from sqlalchemy.orm import Session
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from app import web
from app.accounts import actors, signin
from app.accounts.models import SignInMethod
from app.actor import OFFICIAL_ROLES, PUBLIC, SYSTEM, Actor, Role
from app.db import Database, new_id
from app.settings import Settings
from app.web import SIGN_IN_COOKIE
from demo import cast
from demo.factory import create_app

# What the argument of a route names: its table, and the column with the organisation or the person it belongs to.
OWNED: dict[str, tuple[str, str]] = {
    "organisation_id": ("organisations", "id"),
    "household_id": ("organisations", "id"),
    "product_id": ("products", "organisation_id"),
    "variant_id": ("variants", "organisation_id"),
    "certificate_id": ("certificates", "organisation_id"),
    "site_id": ("sites", "organisation_id"),
    "cycle_id": ("cycles", "organisation_id"),
    "log_id": ("care_logs", "organisation_id"),
    "care_log_id": ("care_logs", "organisation_id"),
    "batch_id": ("batches", "organisation_id"),
    "movement_id": ("stock_movements", "organisation_id"),
    "listing_id": ("listings", "organisation_id"),
    "account_id": ("channel_accounts", "organisation_id"),
    "check_id": ("account_checks", "organisation_id"),
    "declared_id": ("declared_listings", "organisation_id"),
    "card_id": ("cards", "organisation_id || ' ' || person_id"),
    "card_request_id": ("card_requests", "organisation_id || ' ' || person_id"),
    "device_id": ("devices", "organisation_id || ' ' || person_id"),
    "membership_id": ("memberships", "organisation_id || ' ' || person_id"),
    "role_offer_id": ("role_offers", "person_id"),
    "sign_in_id": ("sign_ins", "person_id"),
    "person_id": ("people", "id"),
    "data_request_id": ("data_requests", "person_id"),
    "notice_id": ("notices", "person_id"),
    "job_id": ("jobs", "person_id"),
    "import_id": ("place_imports", "person_id"),
    "upload_id": ("uploads", "person_id"),
    "village_id": ("places", "id"),
    "commune_id": ("places", "id"),
}
# Routes that anybody may read, with the reason.
OPEN = {
    "static": "files of the look",
    "consumer": "public pages",
    "pictures": "a picture is shown where a row that the actor sees points to it; tested with the pictures",
    "places": "places are public; changing them is not, and is walked",
}


@dataclass(frozen=True, slots=True)
class Somebody:
    name: str
    actor: Actor
    client: FlaskClient

    def in_the(self, app: Flask) -> FlaskClient:
        """The same sign-in, in a browser of another application on the same database."""
        client = app.test_client()
        cookie = self.client.get_cookie(SIGN_IN_COOKIE)
        if cookie is not None:
            client.set_cookie(SIGN_IN_COOKIE, cookie.value)
        return client


class Unbacked(Database):
    """Tells the database that SYSTEM acts, whoever does: what the queries leave open is open here."""

    def tell_actor(self, session: Session, actor: Actor) -> None:
        super().tell_actor(session, replace(actor, kind="system"))
        session.info["actor"] = actor


@pytest.fixture(params=[Database, Unbacked], ids=["with row-level security", "by the queries alone"])
def province(
    request: pytest.FixtureRequest, demo_database: Database, settings: Settings, tmp_path: Path
) -> Iterator[Flask]:
    add_one_of_each(demo_database)
    database = request.param(demo_database.url, clock_movable=True, application="hoi-test")
    yield app_on(settings, tmp_path, database)
    database.dispose()


@pytest.fixture
def unbacked_database(demo_database: Database) -> Iterator[Database]:
    database = Unbacked(demo_database.url, clock_movable=True, application="hoi-test")
    yield database
    database.dispose()


def app_on(settings: Settings, var: Path, database: Database) -> Flask:
    on_demo = settings.model_copy(update={"database_url": database.url, "demo": True, "var": var / "var"})
    app = create_app(on_demo, database)
    app.config.update(WTF_CSRF_ENABLED=False)
    return app


def everybody(app: Flask, database: Database) -> list[Somebody]:
    found = [Somebody("nobody", PUBLIC, app.test_client())]
    with database.transaction(SYSTEM) as session:
        people = {
            str(row.phone): UUID(str(row.person_id))
            for row in session.execute(text("SELECT phone, person_id FROM personal_data WHERE phone IS NOT NULL"))
        }
        for player in cast.PLAYERS:
            if player.phone not in people:
                continue
            granted = signin.start(session, SYSTEM, people[player.phone], method=SignInMethod.PASSWORD, agent="test")
            client = app.test_client()
            client.set_cookie(SIGN_IN_COOKIE, granted.token)
            found.append(Somebody(player.key, actors.actor_for(session, people[player.phone]), client))
    return found


ONE_OF_EACH = """
INSERT INTO jobs (id, kind, title, params, person_id, state, done, queued_at)
    VALUES (gen_random_uuid(), 'none', '{"vi": "Việc"}', '{}', :person, 'queued', 0, now());
INSERT INTO uploads (id, person_id, size, sha256, received, created_at)
    VALUES (gen_random_uuid(), :person, 3, repeat('a', 64), 0, now());
INSERT INTO place_imports (id, kind, person_id, file_name, blob_sha256, effective_on, created_at)
    VALUES (gen_random_uuid(), 'villages', :person, 'thon.csv', repeat('a', 64), '2026-11-01', now());
INSERT INTO data_requests (id, person_id, kind, detail, received_at, answer_due_at, fulfil_due_at)
    VALUES (gen_random_uuid(), :person, 'see', '', now(), now(), now());
INSERT INTO notices (id, person_id, key, reason, urgency, title, body, created_at)
    VALUES (gen_random_uuid(), :person, 'test', 'test', 'low', '{"vi": "Tin"}', '{"vi": "Tin"}', now());
INSERT INTO role_offers (id, person_id, organisation_id, role, offered_at)
    VALUES (gen_random_uuid(), :person, :organisation, 'purchaser', now());
INSERT INTO account_checks (id, organisation_id, account_id, renews, channel, name, stock_buffer, shown,
                            credentials_sealed, state, issues, asked_by, asked_at)
    VALUES (gen_random_uuid(), :organisation, gen_random_uuid(), false, 'woocommerce', 'Hỏi thử', 0, '{}', 'sealed',
            'waiting', '[]', :person, now());
WITH card AS (
    INSERT INTO cards (id, person_id, organisation_id, secret_sha256, pin_tries, printed_at, expires_at)
    VALUES (gen_random_uuid(), :person, :organisation, 'secret', 0, now(), now()) RETURNING *
), device AS (
    INSERT INTO devices (id, person_id, organisation_id, card_id, token_sha256, description, bound_at, last_seen_at)
    SELECT gen_random_uuid(), person_id, organisation_id, id, 'token', 'test', now(), now() FROM card
)
INSERT INTO card_requests (id, card_id, person_id, organisation_id, token_sha256, description, number, asked_at,
                           expires_at, state)
    SELECT gen_random_uuid(), id, person_id, organisation_id, 'token', 'test', 11, now(), now() + '1 hour', 'waiting'
    FROM card
"""


def add_one_of_each(database: Database) -> None:
    """What the demo has none of, of a farmer who is no player: so that every argument has somebody's id to try."""
    with database.transaction(SYSTEM) as session:
        nobody = session.execute(
            text(
                "SELECT m.person_id AS person, h.cooperative_id AS organisation FROM memberships m"
                " JOIN household_memberships h ON h.household_id = m.organisation_id"
                " JOIN personal_data d ON d.person_id = m.person_id"
                " WHERE m.role = 'farmer' AND m.person_id NOT IN (SELECT person_id FROM cards)"
                " AND coalesce(d.phone, '') <> ALL (:players) ORDER BY 1 LIMIT 1"
            ),
            {"players": [player.phone for player in cast.PLAYERS]},
        ).one()
        for statement in ONE_OF_EACH.split(";"):
            session.execute(text(statement), nobody._asdict())


# --- whose an id is ----------------------------------------------------------------------------------------------


def foreign(database: Database, actor: Actor, *, seen: bool = False) -> dict[str, str]:
    """For every argument an id that exists and belongs to somebody else: one that the actor's own transaction cannot see,
    or with `seen` one that it sees (an official of the place does), but that is not the actor's to change.
    """
    ids: dict[str, str] = {}
    own = {str(o) for o in actor.organisations | {actor.person_id}}
    places = {str(p) for p in actor.places}
    with database.transaction(SYSTEM) as session:
        owners = {name: _owners(session, *OWNED[name]) for name in OWNED}
        levels = dict(session.execute(text("SELECT CAST(id AS text), level FROM places WHERE valid_to IS NULL")).all())
    owners["village_id"] = {i: i for i, level in levels.items() if level == "village"}
    owners["commune_id"] = {i: i for i, level in levels.items() if level == "commune"}
    with database.transaction(actor) as session:
        visible = {name: set(_owners(session, *OWNED[name])) for name in OWNED}
        visible["person_id"] = set(_owners(session, "personal_data", "person_id", key="person_id"))
        overseen = {str(i) for i in session.execute(text("SELECT hoi_overseen()")).scalars()}
    for name in (
        "organisation_id",
        "household_id",
    ):  # names of cooperatives are public; what is seen is what may be opened
        visible[name] = own | overseen
    for name in ("village_id", "commune_id"):
        visible[name] = places
        owners[name] = {i: i for i in owners[name] if i not in places}  # the places one answers for are one's own
    for name, table in owners.items():
        wanted = (
            i for i, owner in sorted(table.items()) if own.isdisjoint(owner.split()) and (i in visible[name]) == seen
        )
        other = next(wanted, None)
        if other is not None:
            ids[name] = other
    return ids


def _owners(session: Session, table: str, column: str, *, key: str = "id") -> dict[str, str]:
    rows = session.execute(text(f"SELECT CAST({key} AS text), CAST({column} AS text) FROM {table}"))
    return {row[0]: row[1] for row in rows}


def walk(app: Flask, ids: Mapping[str, str]) -> Iterator[tuple[Rule, dict[str, str]]]:
    """Every rule with at least one argument that names something owned, when a foreign one is at hand."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint.split(".")[0] in {"static", "consumer", "pictures"}:
            continue
        owned = rule.arguments & ids.keys()
        if owned:
            yield rule, filled_in(rule, {a: ids[a] for a in owned})


def filled_in(rule: Rule, values: dict[str, str]) -> dict[str, str]:
    """The other arguments too: one of those that the rule names, or one that its route knows."""
    for name in rule.arguments - values.keys():
        options = re.search(r"any\(([^)]*)\):" + name, rule.rule)
        known = OTHER_ARGUMENTS.get((rule.endpoint.split(".")[0], name), "x")
        values[name] = options.group(1).split(",")[0].strip() if options else known
    return values


OTHER_ARGUMENTS = {
    ("criteria", "kind"): "wifi",
    ("official", "criterion_id"): "wifi-nha-van-hoa",
    ("farmer", "kind"): "irrigating",
}


def address(app: Flask, rule: Rule, values: Mapping[str, str]) -> str:
    with app.test_request_context():
        return app.url_map.bind("localhost").build(rule.endpoint, values)


# --- what a form would hold --------------------------------------------------------------------------------------

NAMED: dict[str, object] = {
    "sku": "THU-1", "lot": "THU-01", "phone": "0901234567", "pin": "1234", "unit": "kg", "day": "2026-11-01", "code": "x",
    "url": "https://shop.invalid/na", "link": "https://shop.invalid/na", "sha256": "a" * 64, "photo_sha256": "a" * 64,
    "channel": "sandbox", "purpose": "diary",
}  # fmt: skip
# Fields that name something owned by another word than the arguments of routes.
ALSO_OWNED = {
    "declared_listing_id": "declared_id",
    "supersedes_id": "certificate_id",
    "performed_by": "person_id",
    "place_id": "village_id",
    "village_ids": "village_id",
    "household_ids": "household_id",
    "cooperative_id": "organisation_id",
}


class Bodies:
    """Stands in the place of `web.parse_data`: fills every required field with something plausible, and every field that
    names something owned with a foreign id. What a form does not know never comes this way, so no body is refused for its form.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ids: dict[str, str] = {}
        self.only_owned = False
        self.steps_of_others = True  # a phone's steps are of a site that is not theirs; else of none that there is
        self._parse = web.parse_data
        for module in list(sys.modules.values()):
            if (
                getattr(module, "__name__", "").startswith("app.")
                and getattr(module, "parse_data", None) is self._parse
            ):
                monkeypatch.setattr(module, "parse_data", self)

    def __call__(self, schema: type[BaseModel], data: Mapping[str, object]) -> BaseModel:
        known = schema.model_fields.keys() | {"schema"}
        given = {n: v for n, v in data.items() if n in known and v != []}
        named = {n: self.id_for(n) for n in schema.model_fields if self.id_for(n) is not None}
        made = {
            f.alias or n: value_for(n, f, self.value_of)
            for n, f in schema.model_fields.items()
            if f.is_required() and n not in given and n not in named
        }
        if self.only_owned and not named and "sources" not in made and "items" not in made:
            abort(418)  # nothing foreign is named here: not this walk's business
        for item in made.get("items") or ():  # type: ignore[attr-defined]
            if self.steps_of_others:
                item["body"]["site_id"] = self.ids.get("site_id", item["body"]["site_id"])
        many = {n for n, f in schema.model_fields.items() if "tuple[" in str(f.annotation)}
        foreign_ids = {n: (i,) if n in many else i for n, i in named.items() if n not in given}
        return self._parse(schema, made | foreign_ids | given)

    def id_for(self, field: str) -> str | None:
        return self.ids.get(ALSO_OWNED.get(field, field))

    def value_of(self, schema: type[BaseModel]) -> dict[str, object]:
        return {
            f.alias or n: self.id_for(n) or value_for(n, f, self.value_of)
            for n, f in schema.model_fields.items()
            if f.is_required()
        }


def value_for(name: str, field: FieldInfo, inner: Callable[[type[BaseModel]], object]) -> object:
    """Something plausible for one field, by its name or its type."""
    if name in NAMED:
        return NAMED[name]
    if name == "items":
        body = {"site_id": str(new_id()), "kind": "irrigating", "happened_at": "2026-11-01T08:00:00+07:00"}
        return [{"id": str(new_id()), "kind": "care_log", "schema": 1, "body": body}]
    if name == "kind" and field.annotation is str:
        return "irrigating"
    least = next((int(m.ge) for m in field.metadata if isinstance(m, Ge)), 0)
    least = next((int(m.gt) + 1 for m in field.metadata if isinstance(m, Gt)), least)
    return _of_type(field.annotation, least, inner)


def _of_type(kind: Any, least: int, inner: Callable[[type[BaseModel]], object]) -> object:
    origin, inside = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _of_type(inside[0], least, inner)
    if origin in {Union, types.UnionType}:
        return _of_type(inside[0], least, inner)
    if origin is Literal:
        return inside[0]
    if origin in {tuple, list, frozenset}:
        return [_of_type(inside[0], least, inner)]
    if origin is dict:
        return {}
    plain: dict[Any, object] = {
        UUID: str(new_id()), bool: True, int: max(1, least), Decimal: "1", date: "2026-11-01",
        datetime: "2026-11-01T08:00:00+07:00", str: "Thử nghiệm", Any: "x",
    }  # fmt: skip
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return inner(kind)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return next(iter(kind)).value
    return plain.get(kind, "2026-11-01T08:00:00+07:00")


# --- what changed ------------------------------------------------------------------------------------------------

# What being looked at leaves behind.
LEFT_OUT = {"audit_entries", "sign_in_attempts", "alembic_version", "public_pages"}
# Photos that came stay when the form they came with is refused; nothing points at them.
LEFT_OUT |= {"media_blobs"}


def counts(database: Database) -> dict[str, tuple[int, str]]:
    """How many rows each table has, and what they say, but for the moment when a device or sign-in was last seen.

    What somebody sent is theirs, also when the form it came with is refused: uploads are left out.
    """
    with database.transaction(SYSTEM) as session:
        tables = session.execute(
            text(
                "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                " WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname <> 'uploads'"
            )
        ).scalars()
        return {
            t: tuple(
                session.execute(
                    text(
                        "SELECT count(*), coalesce(md5(string_agg(md5(said), '' ORDER BY said)), '')"
                        f" FROM (SELECT CAST(to_jsonb(x) - 'last_seen_at' AS text) AS said FROM {t} x) AS rows"
                    )
                ).one()
            )
            for t in sorted(tables)
            if t not in LEFT_OUT
        }


def shows(answer_status: int, location: str) -> bool:
    return answer_status == 200 or (answer_status in {301, 302, 303, 307, 308} and "/dang-nhap" not in location)


@pytest.mark.slow
def test_no_role_reads_what_is_none_of_its_business(province: Flask, demo_database: Database) -> None:
    leaks: list[str] = []
    walked = 0
    for somebody in everybody(province, demo_database):
        ids = foreign(demo_database, somebody.actor)
        for rule, values in walk(province, ids):
            if "GET" not in (rule.methods or set()):
                continue
            if rule.endpoint.split(".")[0] in OPEN or may_all(somebody.actor, rule):
                continue
            url = address(province, rule, values)
            answer = somebody.client.get(url)
            walked += 1
            if shows(answer.status_code, answer.headers.get("Location", "")) or answer.status_code >= 500:
                leaks.append(f"{somebody.name} GET {url} ({rule.endpoint}): {answer.status_code}")
    assert walked > 200
    assert "\n".join(leaks) == ""


NOT_COMPARED = {"static", "consumer", "pictures", "labels", "_healthz", "_readyz", "_metrics", "demo.style"}
ONE_OF_EACH_ROLE = {player.role: player.key for player in reversed(cast.PLAYERS)}


@pytest.mark.slow
@pytest.mark.parametrize("key", ONE_OF_EACH_ROLE.values(), ids=ONE_OF_EACH_ROLE.keys())
def test_every_page_says_the_same_without_row_level_security(
    demo_database: Database, unbacked_database: Database, settings: Settings, tmp_path: Path, key: str
) -> None:
    """What a list shows is filtered by its query: with row-level security away it shows nothing more."""
    app, unbacked = (app_on(settings, tmp_path, database) for database in (demo_database, unbacked_database))
    somebody = next(s for s in everybody(app, demo_database) if s.name == key)
    browsers = (somebody.client, somebody.in_the(unbacked))
    ids = visible(demo_database, somebody.actor)
    differ: list[str] = []
    compared = 0
    for rule in app.url_map.iter_rules():
        if "GET" not in (rule.methods or set()) or {rule.endpoint, rule.endpoint.split(".")[0]} & NOT_COMPARED:
            continue
        owned = rule.arguments & OWNED.keys()
        if owned - ids.keys():
            continue
        url = address(app, rule, filled_in(rule, {a: ids[a] for a in owned}))
        answers = [browser.get(url) for browser in browsers]
        one, other = (page_lines(answer.text) for answer in answers)
        compared += answers[0].status_code == 200
        if one != other:
            differ.append(f"GET {url} ({rule.endpoint}): {[line for line in other if line not in one][:3]}")
    assert "\n".join(differ) == ""
    assert compared > 15


def visible(database: Database, actor: Actor) -> dict[str, str]:
    """For every argument an id that the actor's own transaction sees."""
    with database.transaction(actor) as session:
        found = {name: sorted(_owners(session, *OWNED[name])) for name in OWNED}
    own = sorted(str(o) for o in actor.organisations)
    places = sorted(str(p) for p in actor.places)
    found |= {"organisation_id": own, "household_id": own, "village_id": places, "commune_id": places}
    return {name: ids[0] for name, ids in found.items() if ids}


def each_refused(answer: TestResponse) -> bool:
    """What a phone hands in is always answered; what counts is what became of each item."""
    told = answer.get_json().get("items", []) if answer.status_code == 200 and answer.is_json else []
    return bool(told) and all(item["status"] == "refused" for item in told)


def page_lines(body: str) -> list[str]:
    """What a page says, without what is made anew each time: ids of forms, the time, and the id of the request."""
    plain = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "id", body)
    plain = re.sub(r"\d\d:\d\d:\d\d\.\d+|\d\d:\d\d", "now", plain)
    plain = re.sub(
        r"<meta name=.csrf[^>]*>|name=.csrf_token. value=.[^>]*>|<code>[0-9a-f]{16}</code>|\b[0-9a-f]{16}\b", "", plain
    )
    return [line for line in plain.splitlines() if line.strip()]


@pytest.mark.slow
@pytest.mark.parametrize("which", ["unseen", "seen"])
def test_no_role_changes_what_is_none_of_its_business(
    province: Flask, demo_database: Database, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    bodies = Bodies(monkeypatch)
    bodies.steps_of_others = which == "unseen"  # who sees a site may well write for its people
    tried: set[str] = set()
    wrong: list[str] = []
    walked = 0
    for somebody in everybody(province, demo_database):
        bodies.ids = ids = foreign(demo_database, somebody.actor, seen=which == "seen")
        tried |= ids.keys()
        before = counts(demo_database)
        for rule, values in changing(province, ids):
            if may_all(somebody.actor, rule) or (which == "seen" and may(somebody.actor, rule)):
                continue
            url = address(province, rule, values)
            bodies.only_owned = not rule.arguments & ids.keys()
            method = "PATCH" if "PATCH" in (rule.methods or set()) else "POST"
            sent = (
                {"json": {}} if rule.rule.startswith("/api/") and method == "POST" else {"data": {"photo": picture()}}
            )
            answer = somebody.client.open(url, method=method, headers=FROM_OUR_PAGE, **sent)
            if answer.status_code == 418:
                continue
            walked += 1
            refused = {401, 403, 404} if somebody.actor is PUBLIC else {403, 404}
            if answer.status_code not in refused and not each_refused(answer):
                said = " ".join(re.findall(r'"(?:code|field|vi)": ?"([^"]+)"', answer.get_data(as_text=True)))
                wrong.append(f"{somebody.name} {method} {url} ({rule.endpoint}): {answer.status_code} {said}")
        after = counts(demo_database)
        wrong += [f"{somebody.name} changed {t}: {before[t]} -> {after[t]}" for t in after if after[t] != before[t]]
    assert "\n".join(wrong) == ""
    assert walked > 100
    assert which == "seen" or tried == OWNED.keys()


FROM_OUR_PAGE = {"Origin": "http://localhost", "Accept": "application/problem+json", "Upload-Offset": "0"}
# Routes without an owned argument whose body concerns nobody but the one who sends it.
OWN_BUSINESS = {"accounts", "welcome", "notices", "uploads", "choose_language"}
# Who may change what they see of another's, with the reason.
MAY: dict[str, tuple[frozenset[Role], str]] = {
    "marketplace_sync.confirm": (
        OFFICIAL_ROLES | {Role.CERTIFIER},
        "an official of the place is the second person who opens the link",
    ),
    "farmer.save_correction": (frozenset({Role.EXTENSION_OFFICER}), "writes for the households of their villages"),
    "farmer.withdraw": (frozenset({Role.EXTENSION_OFFICER}), "writes for the households of their villages"),
    "certifier.finding": (frozenset({Role.CERTIFIER}), "writes down what they found on the site"),
}


def picture() -> tuple[io.BytesIO, str]:
    """A file for the forms that want a photo."""
    made = io.BytesIO()
    Image.new("RGB", (64, 48), "green").save(made, "JPEG")
    return io.BytesIO(made.getvalue()), "anh.jpg"


def changing(app: Flask, ids: Mapping[str, str]) -> Iterator[tuple[Rule, dict[str, str]]]:
    """Every rule that changes something and names in its address, or may name in its body, something foreign."""
    named = list(walk(app, ids))
    yield from ((r, v) for r, v in named if r.methods and r.methods & web.UNSAFE)
    for rule in app.url_map.iter_rules():
        part = rule.endpoint.split(".")[0]
        if (
            rule.methods
            and rule.methods & web.UNSAFE
            and part not in OWN_BUSINESS
            and not rule.arguments & OWNED.keys()
        ):
            yield rule, filled_in(rule, {})


def may(actor: Actor, rule: Rule) -> bool:
    return rule.endpoint in MAY and not actor.roles.isdisjoint(MAY[rule.endpoint][0])


def may_all(actor: Actor, rule: Rule) -> bool:
    """The administrator makes organisations and gives roles: accounts are their business everywhere."""
    return actor.has(Role.ADMINISTRATOR) and rule.endpoint.startswith("accounts.")


# --- two hats ----------------------------------------------------------------------------------------------------

# The first role is held in the first cooperative (a farmer: in a household of it; an official: in its commune), the second in
# the second one. Only with --long are all pairs walked.
DANGEROUS = (
    (Role.PURCHASER, Role.COOPERATIVE_MANAGER),
    (Role.PURCHASER, Role.EXTENSION_OFFICER),
    (Role.CERTIFIER, Role.COOPERATIVE_MANAGER),
)
HATS = """
WITH person AS (INSERT INTO people (id, created_at) VALUES (:person, now()) RETURNING id)
INSERT INTO personal_data (person_id, full_name, address_as, language, updated_at)
    SELECT id, 'Người Hai Vai', 'bác', 'vi', now() FROM person
"""
HAT = """
INSERT INTO memberships (id, person_id, organisation_id, role, place_id, valid_from, recorded_at)
    VALUES (gen_random_uuid(), :person, :organisation, :role, :place, '2026-01-01', now())
"""


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a role is held: a cooperative, one of its households, its commune."""

    cooperative: UUID
    household: UUID
    commune: UUID

    def of(self, role: Role) -> tuple[UUID, UUID | None]:
        placed = role in OFFICIAL_ROLES or role == Role.CERTIFIER
        return (self.household if role == Role.FARMER else self.cooperative), self.commune if placed else None


def seats(database: Database) -> list[Seat]:
    """The two cooperatives of the demo's players."""
    phones = [next(p.phone for p in cast.PLAYERS if p.key == key) for key in ("hop-tac-xa", "hop-tac-xa-2")]
    with database.transaction(SYSTEM) as session:
        return [
            Seat(
                *session.execute(
                    text(
                        "SELECT o.id, h.household_id, o.commune_id FROM personal_data d"
                        " JOIN memberships m ON m.person_id = d.person_id"
                        " JOIN organisations o ON o.id = m.organisation_id"
                        " JOIN household_memberships h ON h.cooperative_id = o.id"
                        " WHERE d.phone = :phone ORDER BY 2 LIMIT 1"
                    ),
                    {"phone": phone},
                ).one()
            )
            for phone in phones
        ]


def with_roles(app: Flask, database: Database, *held: tuple[Role, Seat]) -> Somebody:
    """A person of these roles, signed in, whose browser has opened a page and sends its token with every form."""
    person = new_id()
    with database.transaction(SYSTEM) as session:
        session.execute(text(HATS), {"person": person})
        for role, seat in held:
            organisation, place = seat.of(role)
            values = {"person": person, "organisation": organisation, "role": role, "place": place}
            session.execute(text(HAT), values)
        granted = signin.start(session, SYSTEM, person, method=SignInMethod.PASSWORD, agent="test")
        actor = actors.actor_for(session, person)
    client = app.test_client()
    client.set_cookie(SIGN_IN_COOKIE, granted.token)
    return Somebody(" + ".join(role for role, _ in held), actor, client)


def token_of(client: FlaskClient) -> str:
    found = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', client.get("/tai-khoan").text)
    assert found is not None
    return found.group(1)


def things_of(database: Database, seat: Seat) -> dict[str, str]:
    """For every argument an id of the cooperative, else one of its household."""
    ids: dict[str, str] = {}
    with database.transaction(SYSTEM) as session:
        for name, (table, column) in OWNED.items():
            for owner in (seat.household, seat.cooperative):
                owned = (i for i, whose in _owners(session, table, column).items() if str(owner) in whose.split())
                ids[name] = min(owned, default=ids.get(name, ""))
    ids |= {"commune_id": str(seat.commune), "household_id": str(seat.household)}
    return {name: i for name, i in ids.items() if i}


def answers(
    somebody: Somebody, app: Flask, bodies: Bodies, ids: dict[str, str], only: Collection[str] | None = None
) -> dict[str, int]:
    """What every route, or only these, says to this person about these things: what was asked to the status."""
    bodies.ids, bodies.only_owned, said = ids, False, {}
    token = token_of(somebody.client)
    rules = [("GET", r, v) for r, v in walk(app, ids) if "GET" in (r.methods or set())]
    rules += [("PATCH" if "PATCH" in (r.methods or set()) else "POST", r, v) for r, v in changing(app, ids)]
    for method, rule, values in rules:
        what = f"{method} {rule.endpoint} {sorted(values.items())}"
        if rule.endpoint.split(".")[0] in OPEN or (only is not None and what not in only):
            continue
        bodies.only_owned = not rule.arguments & ids.keys()
        sent: dict[str, Any] = {}
        if method != "GET":
            as_json = rule.rule.startswith("/api/") and method == "POST"
            sent = {"json": {}} if as_json else {"data": {"photo": picture()}}
        answer = somebody.client.open(
            address(app, rule, values), method=method, headers=FROM_OUR_PAGE | {"X-CSRFToken": token}, **sent
        )
        assert answer.status_code != 403 or "form_expired" not in answer.get_data(as_text=True), what
        said[what] = 403 if each_refused(answer) else answer.status_code
    return said


@pytest.mark.slow
def test_a_second_role_elsewhere_opens_nothing_here(
    province: Flask, demo_database: Database, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """What one role is refused in its cooperative, it is refused too with any other role in another cooperative: pages and
    forms, with valid tokens, with and without row-level security. Nothing changes.
    """
    province.config.update(WTF_CSRF_ENABLED=True)
    bodies = Bodies(monkeypatch)
    here, elsewhere = seats(demo_database)
    ids = things_of(demo_database, here)
    backed = request.node.callspec.params["province"] is Database
    pairs = DANGEROUS[:1] if backed else DANGEROUS  # what the queries and verbs refuse alone is the harder half
    if request.config.getoption("--long"):
        pairs = tuple((a, b) for a in Role for b in Role if a != b)
    assert here.commune != elsewhere.commune
    everywhere = {Role.ADMINISTRATOR, Role.PROVINCE_OFFICIAL}  # who may some things everywhere
    pairs = tuple((a, b) for a, b in pairs if a != Role.ADMINISTRATOR and b not in everywhere)
    wrong: list[str] = []
    for first in dict.fromkeys(a for a, _ in pairs):
        alone = answers(with_roles(province, demo_database, (first, here)), province, bodies, ids)
        refused = {what for what, status in alone.items() if status in {403, 404}}
        assert len(refused) > 40, first
        for second in (b for a, b in pairs if a == first):
            both = with_roles(province, demo_database, (first, here), (second, elsewhere))
            before = counts(demo_database)
            said = answers(both, province, bodies, ids, refused)
            assert said.keys() == refused
            # 418: the form names nothing of here, and is the second role's own business; see Bodies.
            wrong += [
                f"{both.name}: {what}: {status}" for what, status in said.items() if status not in {403, 404, 418}
            ]
            after = counts(demo_database)
            wrong += [f"{both.name} changed {t}" for t in after if after[t] != before[t]]
    assert "\n".join(wrong) == ""


def test_without_signing_in_only_public_pages_answer(province: Flask, demo_database: Database) -> None:
    client = province.test_client()
    answered = {
        rule.endpoint
        for rule in province.url_map.iter_rules()
        if "GET" in (rule.methods or set()) and not rule.arguments and client.get(rule.rule).status_code == 200
    }
    assert {e for e in answered if e.split(".")[0] not in {"consumer", "welcome", "demo"}} == {
        "_healthz",
        "_metrics",
        "_readyz",
        "accounts.card_typed",
        "accounts.sign_in",
    }

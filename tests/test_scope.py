"""Every route, for every role, with the ids of what is none of its business: nothing leaks, nothing changes.

The routes come from the application itself, so a new one is walked without being named here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.routing import Rule

from app.accounts import signin
from app.accounts.models import SignInMethod
from app.actor import PUBLIC, SYSTEM, Actor, Role
from app.db import Database
from app.doors.demo import cast
from app.factory import create_app
from app.settings import Settings
from app.web import SIGN_IN_COOKIE

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
    "declared_id": ("declared_listings", "organisation_id"),
    "card_id": ("cards", "organisation_id"),
    "card_request_id": ("card_requests", "organisation_id"),
    "device_id": ("devices", "organisation_id"),
    "membership_id": ("memberships", "organisation_id"),
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


@pytest.fixture
def province(demo_database: Database, settings: Settings, tmp_path: Path) -> Flask:
    on_demo = settings.model_copy(update={"database_url": demo_database.url, "demo": True, "var": tmp_path / "var"})
    app = create_app(on_demo, demo_database)
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
            found.append(Somebody(player.key, signin.actor_for(session, people[player.phone]), client))
    return found


def foreign(database: Database, actor: Actor) -> dict[str, str]:
    """For every argument an id that exists, belongs to somebody else, and that the actor's own transaction cannot see."""
    ids: dict[str, str] = {}
    with database.transaction(SYSTEM) as session:
        every = {
            name: [str(i) for i in session.execute(text(f"SELECT id FROM {table} ORDER BY id")).scalars()]
            for name, (table, _) in OWNED.items()
            if name not in {"village_id", "commune_id", "organisation_id", "household_id", "person_id"}
        }
        level = text("SELECT id FROM places WHERE level = :level AND valid_to IS NULL ORDER BY id")
        villages = [str(i) for i in session.execute(level, {"level": "village"}).scalars()]
        communes = [str(i) for i in session.execute(level, {"level": "commune"}).scalars()]
        organisations = [str(i) for i in session.execute(text("SELECT id FROM organisations ORDER BY id")).scalars()]
        people = [str(i) for i in session.execute(text("SELECT person_id FROM personal_data ORDER BY 1")).scalars()]
    with database.transaction(actor) as session:
        for name, candidates in every.items():
            table = OWNED[name][0]
            seen = {str(i) for i in session.execute(text(f"SELECT id FROM {table}")).scalars()}
            put(ids, name, candidates, seen)
        known = {str(i) for i in session.execute(text("SELECT person_id FROM personal_data")).scalars()}
        overseen = {str(i) for i in session.execute(text("SELECT hoi_overseen()")).scalars()}
    mine = {str(o) for o in actor.organisations} | overseen
    places = {str(p) for p in actor.places}
    for name, candidates, own in (
        ("organisation_id", organisations, mine),
        ("household_id", organisations, mine),
        ("person_id", people, known),
        ("village_id", villages, places),
        ("commune_id", communes, places),
    ):
        put(ids, name, candidates, own)
    return ids


def put(ids: dict[str, str], name: str, candidates: list[str], own: set[str]) -> None:
    other = next((c for c in candidates if c not in own), None)
    if other is not None:
        ids[name] = other


def walk(app: Flask, ids: dict[str, str]) -> Iterator[tuple[Rule, dict[str, str]]]:
    """Every rule with at least one argument that names something owned, when a foreign one is at hand."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint.split(".")[0] in {"static", "consumer", "pictures"}:
            continue
        owned = rule.arguments & ids.keys()
        if not owned:
            continue
        values = {a: ids[a] for a in owned}
        for name in rule.arguments - owned:
            options = re.search(r"any\(([^)]*)\):" + name, rule.rule)
            values[name] = options.group(1).split(",")[0].strip() if options else "x"
        yield rule, values


def counts(database: Database) -> dict[str, tuple[int, str]]:
    """How many rows each table has, and what they say, without what being looked at leaves behind."""
    left_out = {"audit_entries", "sign_ins", "sign_in_attempts", "devices", "alembic_version", "public_pages"}
    with database.transaction(SYSTEM) as session:
        tables = session.execute(
            text(
                "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                " WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
            )
        ).scalars()
        return {
            t: tuple(
                session.execute(
                    text(
                        f"SELECT count(*), coalesce(md5(string_agg(md5(x::text), '' ORDER BY x::text)), '') FROM {t} x"
                    )
                ).one()
            )
            for t in sorted(tables)
            if t not in left_out
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
            with province.test_request_context():
                url = province.url_map.bind("localhost").build(rule.endpoint, values)
            answer = somebody.client.get(url)
            walked += 1
            if shows(answer.status_code, answer.headers.get("Location", "")) or answer.status_code >= 500:
                leaks.append(f"{somebody.name} GET {url} ({rule.endpoint}): {answer.status_code}")
    assert walked > 200
    assert leaks == []


@pytest.mark.slow
def test_no_role_changes_what_is_none_of_its_business(province: Flask, demo_database: Database) -> None:
    wrong: list[str] = []
    walked = 0
    for somebody in everybody(province, demo_database):
        ids = foreign(demo_database, somebody.actor)
        before = counts(demo_database)
        for rule, values in walk(province, ids):
            if "POST" not in (rule.methods or set()) or may_all(somebody.actor, rule):
                continue
            with province.test_request_context():
                url = province.url_map.bind("localhost").build(rule.endpoint, values)
            answer = somebody.client.post(url, data=filled(ids))
            walked += 1
            if answer.status_code == 200 or answer.status_code >= 500:
                wrong.append(f"{somebody.name} POST {url} ({rule.endpoint}): {answer.status_code}")
        after = counts(demo_database)
        wrong += [f"{somebody.name} changed {t}: {before[t]} -> {after[t]}" for t in after if after[t] != before[t]]
    assert walked > 200
    assert wrong == []


def may_all(actor: Actor, rule: Rule) -> bool:
    """The administrator makes organisations and gives roles: accounts are their business everywhere."""
    return actor.has(Role.ADMINISTRATOR) and rule.endpoint.startswith("accounts.")


def filled(ids: dict[str, str]) -> dict[str, str]:
    """A form with something plausible in every field that forms here use."""
    return {
        **ids,
        "id": "018f0000-0000-7000-8000-000000000001",
        "name": "Thử",
        "name_vi": "Thử",
        "full_name": "Người Thử",
        "phone": "0901234567",
        "reason": "thử",
        "kind": "held",
        "quantity": "1",
        "unit": "kg",
        "units": "1",
        "version": "1",
        "role": "farmer",
        "happened_on": "2026-11-01",
        "effective_on": "2026-11-01",
        "password": "một-mật-khẩu-dài",
    }


def test_without_signing_in_only_public_pages_answer(province: Flask, demo_database: Database) -> None:
    client = province.test_client()
    answered = {
        rule.endpoint
        for rule in province.url_map.iter_rules()
        if "GET" in (rule.methods or set()) and not rule.arguments and client.get(rule.rule).status_code == 200
    }
    assert {e for e in answered if e.split(".")[0] not in {"consumer", "welcome"}} == {
        "_healthz",
        "_metrics",
        "_readyz",
        "accounts.card_typed",
        "accounts.sign_in",
    }

"""Every HTML page of every door, and every reaction, with somebody and something of the demo to show."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any
from uuid import UUID

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.orm import Session
from werkzeug.routing import Rule

from app.accounts import actors, signin
from app.accounts.models import SignInMethod
from app.actor import PUBLIC, SYSTEM, Actor
from app.db import Database
from app.doors.demo import cast
from app.outbox import Event
from app.web import SIGN_IN_COOKIE

# Who sees most of the province, of an organisation, of a village first. Whoever shares the rights of another comes with `--long`.
SHORT = (
    "hop-tac-xa",
    "nong-dan",
    "truong-thon",
    "xa",
    "can-bo-khuyen-nong",
    "chung-nhan",
    "tinh",
    "quan-tri",
    "nobody",
)
# What the argument of a route names: of this table, the row with most of what it holds first.
TABLES = {
    "product_id": ("products", "SELECT count(*) FROM batches b WHERE b.product_id = t.id"),
    "variant_id": ("variants", "SELECT count(*) FROM stock_movements m WHERE m.variant_id = t.id"),
    "certificate_id": ("certificates", "CASE WHEN withdrawn_on IS NULL THEN 1 ELSE 0 END"),
    "site_id": ("sites", "SELECT count(*) FROM care_logs c WHERE c.site_id = t.id"),
    "cycle_id": ("cycles", "SELECT count(*) FROM care_logs c WHERE c.cycle_id = t.id"),
    "log_id": ("care_logs", "CASE kind WHEN 'observing' THEN 0 ELSE 1 END"),
    "care_log_id": ("care_logs", "CASE kind WHEN 'harvesting' THEN 2 WHEN 'observing' THEN 0 ELSE 1 END"),
    "batch_id": ("batches", "SELECT count(*) FROM batch_sources b WHERE b.batch_id = t.id"),
    "listing_id": ("listings", "SELECT count(*) FROM listing_observations o WHERE o.listing_id = t.id"),
    "account_id": ("channel_accounts", "SELECT count(*) FROM listings l WHERE l.account_id = t.id"),
    "check_id": ("account_checks", "SELECT 0"),
    "declared_id": ("declared_listings", "SELECT count(*) FROM declared_confirmations c WHERE c.declared_listing_id = t.id"),
    "card_id": ("cards", "CASE WHEN bound_at IS NULL THEN 1 ELSE 0 END"),
    "data_request_id": ("data_requests", "CASE WHEN answered_at IS NULL THEN 1 ELSE 0 END"),
    "job_id": ("jobs", "SELECT 0"),
    "import_id": ("place_imports", "SELECT 0"),
    "membership_id": ("memberships", "SELECT 0"),
}  # fmt: skip
# The codes of the lots with the most harvests first: who follows the harvests of a lot one by one is seen.
CODES = (
    "SELECT code, gtin, lot FROM trace_codes t"
    " ORDER BY (SELECT count(*) FROM batch_sources s WHERE s.batch_id = t.batch_id) DESC, code"
)
# Arguments that go together.
TOGETHER = {
    frozenset({"organisation_id", "household_id"}): "SELECT cooperative_id AS organisation_id, household_id"
    " FROM household_memberships WHERE valid_to IS NULL ORDER BY household_id LIMIT 200",
    frozenset({"organisation_id", "membership_id"}): "SELECT organisation_id, id AS membership_id FROM memberships"
    " WHERE valid_to IS NULL AND person_id <> :person ORDER BY id LIMIT 200",
    frozenset({"organisation_id", "person_id"}): "SELECT organisation_id, person_id FROM memberships"
    " WHERE valid_to IS NULL AND person_id <> :person ORDER BY id LIMIT 200",
    frozenset({"batch_id", "movement_id"}): "SELECT batch_id, id AS movement_id FROM stock_movements"
    " WHERE batch_id IS NOT NULL ORDER BY position DESC LIMIT 200",
}
# What else a route knows by name.
OTHER: dict[tuple[str, str], tuple[str, ...]] = {
    ("criteria", "kind"): ("wifi", "digital_address", "model"),
    ("criteria", "name"): ("village_of_product",),
    ("official", "criterion_id"): ("wifi-nha-van-hoa",),
    ("farmer", "kind"): ("irrigating", "spraying", "harvesting"),
}
TRIES = 3
OK = 200
NOT_FOUND = 404
CONFLICT = 409
HTML = {"Accept": "text/html"}


@dataclass(frozen=True, slots=True)
class Somebody:
    key: str
    actor: Actor
    token: str | None

    def browser(self, app: Flask) -> FlaskClient:
        client = app.test_client()
        if self.token is not None:
            client.set_cookie(SIGN_IN_COOKIE, self.token)
        return client


@dataclass(frozen=True, slots=True)
class Page:
    """One address as one person asks for it. `endpoint` is the route's."""

    who: Somebody
    endpoint: str
    url: str

    def __str__(self) -> str:
        return f"{self.who.key} {self.url}"


def everybody(database: Database, keys: Sequence[str] = ()) -> list[Somebody]:
    """The demo's players signed in, and nobody: all, or those of these keys, in the order of `SHORT`."""
    found = [Somebody("nobody", PUBLIC, None)]
    with database.transaction(SYSTEM) as session:
        rows = session.execute(text("SELECT phone, person_id FROM personal_data WHERE phone IS NOT NULL"))
        people = {str(row.phone): UUID(str(row.person_id)) for row in rows}
        for player in cast.PLAYERS:
            if keys and player.key not in keys:
                continue
            person = people[player.phone]
            token = signin.start(session, SYSTEM, person, method=SignInMethod.PASSWORD, agent="bench").token
            found.append(Somebody(player.key, actors.actor_for(session, person), token))
    return sorted(found, key=lambda s: (*SHORT, s.key).index(s.key))


def pages(app: Flask, database: Database, people: Sequence[Somebody], each: int) -> list[Page]:
    """Every route that answers with a page, as the first `each` of these people whom it answers, about the first of a few things."""
    named = [(who, _Named(database, who.actor), who.browser(app)) for who in people]
    found = []
    for rule in sorted(app.url_map.iter_rules(), key=lambda r: r.rule):
        if "GET" not in (rule.methods or set()) or rule.endpoint in NOT_WALKED:
            continue
        answered = 0
        for who, names, browser in named:
            page = _page_of(rule, who, names.addresses(app, rule), browser)
            if page is not None:
                found.append(page)
                answered += 1
            if answered == each:
                break
    return found


def _page_of(rule: Rule, who: Somebody, addresses: Iterator[str], browser: FlaskClient) -> Page | None:
    for url in addresses:
        answer = browser.get(url, headers=HTML)
        if answer.status_code == OK:
            return Page(who, rule.endpoint, url) if answer.mimetype == "text/html" else None
        if answer.status_code not in {NOT_FOUND, CONFLICT}:
            return None  # what is not this person's to open is not with another id either
    return None


# No pages: files, and answers to machines.
NOT_WALKED = {
    *(
        "static",
        "_healthz",
        "_readyz",
        "_metrics",
        "labels.png",
        "labels.svg",
        "pictures.picture",
        "pictures.picture_file",
        "uploads.state",
    ),
    *("places.problems", "places.template", "places.current", "official.province_csv", "official.commune_csv"),
    *("accounts.my_data_file", "consumer.short_capital", "consumer.type_code_capital", "consumer.type_code_slash"),
}


class _Named:
    """What to put into the addresses of one person's pages."""

    def __init__(self, database: Database, actor: Actor) -> None:
        self._database = database
        self._actor = actor
        self._known: dict[frozenset[str], list[dict[str, str]]] = {}
        with database.transaction(SYSTEM) as session:
            self._commune = str(session.scalar(text(STORY.format("parent_id")), {"name": cast.STORY.name}))
            self._village = str(session.scalar(text(STORY.format("id")), {"name": cast.STORY.name}))
            self._cooperative = str(
                session.scalar(
                    text("SELECT cooperative_id FROM household_memberships GROUP BY 1 ORDER BY count(*) DESC LIMIT 1")
                )
            )
            self._own = [
                str(i)
                for i in session.scalars(
                    text("SELECT id FROM organisations WHERE id = ANY(:own) ORDER BY kind = 'household', id"),
                    {"own": list(actor.organisations)},
                )
            ]
            self._codes = [(r.code, r.gtin, r.lot) for r in session.execute(text(CODES))]

    def addresses(self, app: Flask, rule: Rule) -> Iterator[str]:
        short = next((c for c, gtin, _ in self._codes if gtin is None), "x")
        gtin, lot = next(((g, lot) for _, g, lot in self._codes if g), ("x", "x"))
        plain = {"text": short, "code": short, "gtin": gtin, "lot": lot, "secret": "x", "sha256": "x"}
        if rule.endpoint == "consumer.gs1":
            plain["text"] = f"{gtin}/10/{lot}"
        for values in self._values(rule):
            for more in self._others(rule, rule.arguments - values.keys(), plain):
                yield app.url_map.bind("localhost").build(rule.endpoint, values | more)

    def _others(self, rule: Rule, names: set[str], plain: dict[str, str]) -> list[dict[str, str]]:
        choices: list[dict[str, str]] = [{}]
        for name in names:
            options = re.search(r"any\(([^)]*)\):" + name, rule.rule)
            known = OTHER.get((rule.endpoint.split(".")[0], name), (plain.get(name, "x"),))
            values = [o.strip() for o in options.group(1).split(",")] if options else list(known)
            choices = [one | {name: value} for one in choices for value in values]
        return choices

    def _values(self, rule: Rule) -> list[dict[str, str]]:
        wanted = frozenset(rule.arguments) & (TABLES.keys() | IDS)
        if not wanted:
            return [{}]
        if wanted not in self._known:
            self._known[wanted] = self._found(wanted)
        return self._known[wanted][:TRIES]

    def _found(self, wanted: frozenset[str]) -> list[dict[str, str]]:
        actor, own = self._actor, self._own
        if wanted in TOGETHER:
            with self._database.transaction(actor) as session:
                rows = session.execute(
                    text(TOGETHER[wanted]), {"person": actor.person_id} if ":person" in TOGETHER[wanted] else {}
                )
                found = [{k: str(v) for k, v in row.items()} for row in rows.mappings()]
            of_own = [f for f in found if f.get("organisation_id") in {*own, None}] or found
            return sorted(of_own, key=lambda f: f.get("organisation_id") != self._cooperative)
        (name,) = wanted
        if name in {"village_id", "commune_id", "place_id"}:
            story = self._commune if name == "commune_id" else self._village
            places = sorted(map(str, actor.places))
            return [{name: i} for i in [story, *places[: TRIES - 1]]]
        if name in {"organisation_id", "household_id"}:
            return [{name: i} for i in dict.fromkeys([*own, self._cooperative])]
        if name == "person_id":
            return [{name: str(actor.person_id)}]
        table, most = TABLES[name]
        with self._database.transaction(actor) as session:
            whose = "organisation_id = ANY(CAST(:own AS uuid[])) DESC, " if _has_organisation(session, table) else ""
            rows = session.execute(
                text(f"SELECT id FROM {table} t ORDER BY {whose}({most}) DESC, id LIMIT {TRIES}"),
                {"own": own} if whose else {},
            )
            return [{name: str(row.id)} for row in rows]


IDS = {"organisation_id", "household_id", "person_id", "movement_id", "village_id", "commune_id", "place_id"}
STORY = "SELECT {} FROM places WHERE level = 'village' AND name = :name AND valid_to IS NULL"


def _has_organisation(session: Session, table: str) -> bool:
    return bool(
        session.scalar(
            text(
                "SELECT count(*) FROM pg_attribute WHERE attrelid = CAST(:t AS regclass) AND attname = 'organisation_id'"
            ),
            {"t": table},
        )
    )


# --- events ---------------------------------------------------------------------------------------------------------------


def event_for(session: Session, kind: type[Event]) -> Event | None:
    """One such event as the demo's records would have caused it: of the things with most behind them. None: there is none."""
    values: dict[str, Any] = {}
    for field in fields(kind):
        values[field.name] = _value_of(session, field.name, values)
        if values[field.name] is None and field.name != "product_id":
            return None
    return kind(**values)


def _value_of(session: Session, name: str, so_far: dict[str, Any]) -> object:
    if name == "organisation_id":
        for known, table in (("site_id", "sites"), ("certificate_id", "certificates"), ("batch_id", "batches")):
            if known in so_far:
                return session.scalar(
                    text(f"SELECT organisation_id FROM {table} WHERE id = :id"), {"id": so_far[known]}
                )
        return session.scalar(
            text("SELECT cooperative_id FROM household_memberships GROUP BY 1 ORDER BY count(*) DESC LIMIT 1")
        )
    if name == "site_id" and "care_log_id" in so_far:
        return session.scalar(text("SELECT site_id FROM care_logs WHERE id = :id"), {"id": so_far["care_log_id"]})
    if name == "product_id" and "listing_id" in so_far:
        return session.scalar(text("SELECT product_id FROM listings WHERE id = :id"), {"id": so_far["listing_id"]})
    if name == "product_id" and "certificate_id" in so_far:
        return session.scalar(
            text("SELECT product_id FROM certificates WHERE id = :id"), {"id": so_far["certificate_id"]}
        )
    return session.scalar(text(EVENTS[name])) if name in EVENTS else None


EVENTS = {
    "care_log_id": "SELECT care_log_id FROM batch_sources GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1",
    "site_id": "SELECT site_id FROM care_logs GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1",
    "batch_id": "SELECT batch_id FROM batch_sources GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1",
    "product_id": "SELECT product_id FROM listings GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1",
    "variant_id": "SELECT variant_id FROM stock_movements GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1",
    "listing_id": "SELECT listing_id FROM listing_observations GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1",
    "certificate_id": "SELECT id FROM certificates WHERE product_id IS NOT NULL AND withdrawn_on IS NULL ORDER BY position LIMIT 1",
    "account_id": "SELECT account_id FROM listings GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1",
    "floor_id": "SELECT floor_id FROM declared_listings GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1",
    "person_id": "SELECT written_by FROM care_logs GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1",
    "village_id": "SELECT village_id FROM village_facts WHERE village_id IN (SELECT village_id FROM site_villages)"
    " GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1",
    "assessment_id": "SELECT id FROM village_assessments WHERE current ORDER BY computed_at DESC, id LIMIT 1",
    "place_id": "SELECT village_id FROM site_villages GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1",
    "card_request_id": "SELECT id FROM card_requests WHERE state = 'waiting' ORDER BY id LIMIT 1",
    "data_request_id": "SELECT id FROM data_requests WHERE answered_at IS NULL ORDER BY id LIMIT 1",
    "role_offer_id": "SELECT id FROM role_offers WHERE answered_at IS NULL ORDER BY id LIMIT 1",
    "notice_id": "SELECT id FROM notices ORDER BY id LIMIT 1",
    "event_id": "SELECT event_id FROM outbox_deliveries ORDER BY event_id LIMIT 1",
    "reaction": "SELECT reaction FROM outbox_deliveries ORDER BY event_id LIMIT 1",
    "check_id": "SELECT id FROM account_checks ORDER BY id LIMIT 1",
    "pack_id": "SELECT pack_id FROM village_assessments ORDER BY pack_id LIMIT 1",
}  # fmt: skip

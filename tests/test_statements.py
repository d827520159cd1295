"""How many statements a page asks the database: few, and no more where there is more to show. And by one connection at a time.

The routes come from the application itself, so a new page is walked without being named here.
"""

from pathlib import Path

import psycopg
from flask import Flask
from sqlalchemy import event

from app.db import Database
from app.settings import Settings
from bench import _pages as walk
from bench import _province
from demo.factory import create_app
from tests.conftest import owner_of

MOST = 25
# Pages that had nothing to list before, and so nothing to ask about it.
EMPTY_BEFORE = {"marketplace_sync.offers": 21}
# Routes without a page for anybody of the demo.
NO_PAGE = {
    "welcome.look_up": "leads on",
    "accounts.after_sign_in": "leads on",
    "accounts.people": "leads on where there is one organisation",
    "official.home": "leads on",
    "accounts.card": "needs the secret on a card",
    "accounts.household_joins": "needs a household that somebody of its own leads",
    "places.preview": "needs a list that somebody sent",
    "certifier.correct_finding_form": "needs a finding",
    "consumer.gs1": "needs a number of GS1",
    "consumer.report_gs1": "needs a number of GS1",
}
# Every table of the demo's own people and cooperatives has several times the rows.
WIDER = _province.Size("wider", organisations=1, happening=2, own=6, members=6, history=1)


class Statements:
    """Counts what the engine sends, and how many connections it lends at once."""

    def __init__(self, database: Database) -> None:
        self.sent = self.lent = self.most_lent = 0
        event.listen(database.engine, "before_cursor_execute", self._count)
        event.listen(database.engine, "checkout", self._lend)
        event.listen(database.engine, "checkin", self._take_back)

    def _count(self, *_: object) -> None:
        self.sent += 1

    def _lend(self, *_: object) -> None:
        self.lent += 1
        self.most_lent = max(self.most_lent, self.lent)

    def _take_back(self, *_: object) -> None:
        self.lent -= 1

    def of(self, app: Flask, page: walk.Page) -> int:
        """Of one request. Whoever found the page has asked for it once, so that what is kept between requests is known."""
        before, self.most_lent = self.sent, 0
        answer = page.who.browser(app).get(page.url, headers=walk.HTML)
        assert answer.status_code == walk.OK, page
        return self.sent - before


def test_a_page_asks_few_statements_and_no_more_for_more_rows(
    demo_database: Database, settings: Settings, tmp_path: Path
) -> None:
    database = Database(demo_database.url, application="hoi-test", pool_size=2)
    on_demo = settings.model_copy(update={"database_url": database.url, "demo": True, "var": tmp_path / "var"})
    app, statements = create_app(on_demo, database), Statements(database)
    owner_url = owner_of(demo_database.url)
    with psycopg.connect(owner_url, autocommit=True) as owner, psycopg.connect(owner_url, autocommit=True) as into:
        _province.enrich(owner, every_village=False)
        pages = walk.pages(app, database, walk.everybody(database, walk.SHORT), 1)
        before, greedy = {}, []
        for page in pages:
            before[page] = statements.of(app, page)
            greedy += [page.endpoint] * (statements.most_lent > 1)
        _province.grow(owner, into, WIDER)
    after = {page: statements.of(app, page) for page in pages}
    database.dispose()
    unreached = {r.endpoint for r in app.url_map.iter_rules() if "GET" in (r.methods or set())} - walk.NOT_WALKED
    assert unreached - {page.endpoint for page in pages} == NO_PAGE.keys()
    over = {str(page): n for page, n in after.items() if n > MOST}
    grown = {
        str(page): (before[page], n)
        for page, n in after.items()
        if n > max(before[page], EMPTY_BEFORE.get(page.endpoint, 0))
    }
    assert (over, grown) == ({}, {})
    # A request that waits for a second connection holds the first: with as many of them as connections, all wait for ever.
    assert greedy == []

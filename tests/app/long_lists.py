"""Walking a long list as its reader does: by its links, from the first page to the last and back."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape

from flask.testing import FlaskClient
from sqlalchemy import event

from app.db import Database, keyset

MOST_BYTES = 60 * 1024
MOST_STATEMENTS = 25


def pages(client: FlaskClient, at: str, row: str, *, within: str = "") -> list[list[str]]:
    """What `row` finds on each page, forwards. `within` begins the part of the page in which the list and its links stand.

    Each page must be small; the walk back must meet the same rows.
    """
    found, address, last = [], at, at
    while address:
        part = _part(client, address, within)
        found.append(re.findall(row, part))
        last, address = address, _link(part, "next")
        assert len(found) < 50, "the walk goes in circles"
    back, address = [], last
    while address:
        part = _part(client, address, within)
        back.append(re.findall(row, part))
        address = _link(part, "prev")
    assert [one for page in reversed(back) for one in page] == [one for page in found for one in page]
    return found


def every(client: FlaskClient, at: str, row: str, *, within: str = "", size: int = keyset.PAGE) -> list[str]:
    """All rows of the list, each once: full pages, and a last one with the rest."""
    found = pages(client, at, row, within=within)
    assert all(len(one) == size for one in found[:-1]), [len(one) for one in found]
    rows = [one for page in found for one in page]
    assert len(rows) == len(set(rows))
    return rows


def _part(client: FlaskClient, address: str, within: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, (address, answer.status_code)
    assert len(answer.data) <= MOST_BYTES, (address, len(answer.data))
    return answer.text[answer.text.index(within) if within else answer.text.index("<main") :]


def _link(part: str, rel: str) -> str:
    """Where the nearest neighbour link of the part leads; empty where there is none."""
    nav = re.search(r'<nav class="pages".*?</nav>', part, re.DOTALL)
    link = re.search(rf'rel="{rel}" href="([^"#]+)', nav.group()) if nav else None
    return unescape(link.group(1)) if link else ""


@contextmanager
def counted_statements(database: Database) -> Iterator[list[str]]:
    """The statements that the block sends; not the savepoints of a test that runs in one transaction."""
    sent: list[str] = []
    apart = ("SAVEPOINT", "RELEASE", "ROLLBACK", "SET CONSTRAINTS")

    def note(_c: object, _k: object, statement: str, *_: object) -> None:
        if not statement.startswith(apart):
            sent.append(" ".join(statement.split()))

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(database.engine, "before_cursor_execute", note)

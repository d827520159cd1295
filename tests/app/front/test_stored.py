"""The select finds only pages that may be served, and an outage is noticed soon."""

import gzip
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from app.db import Database
from app.front.stored import Away, Found, Pages
from app.settings import Settings
from tests.app.front.pages import CODE, HTML, put_page


@pytest.fixture
def reader(fresh_database: Database, settings: Settings) -> Iterator[Pages]:
    found = Pages(settings.model_copy(update={"database_url": fresh_database.url}))
    yield found
    found._forget_connection()


def test_the_select_finds_only_pages_that_may_be_served(
    fresh_database: Database, reader: Pages, move_clock: Callable[[timedelta], None]
) -> None:
    put_page(fresh_database, CODE)
    found = reader.find(CODE, "vi")
    assert found is not None
    assert found.body is not None
    assert gzip.decompress(found.body).decode() == HTML
    assert reader.find(CODE, "vi", found.etag) == Found(found.etag, None)
    assert reader.find(CODE, "en") is None
    put_page(fresh_database, CODE, wanted=2)
    assert reader.find(CODE, "vi") is None
    put_page(fresh_database, CODE, change=datetime.now(UTC) + timedelta(hours=1))  # noqa: TID251
    assert reader.find(CODE, "vi") is not None
    move_clock(timedelta(hours=2))
    assert reader.find(CODE, "vi") is None


def test_a_connection_that_the_server_closed_is_opened_again(fresh_database: Database, reader: Pages) -> None:
    put_page(fresh_database, CODE)
    assert reader.find(CODE, "vi") is not None
    with psycopg.connect(fresh_database.url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hoi-front'")
    assert reader.find(CODE, "vi") is not None


def test_a_server_that_is_gone_is_away_and_asked_once_a_second(settings: Settings) -> None:
    gone = Pages(settings.model_copy(update={"database_url": "postgresql://x@/x?host=/nowhere"}))
    for _ in range(3):
        with pytest.raises(Away):
            gone.find(CODE, "vi")

"""The select finds only pages that may be served, and an outage is noticed soon."""

import gzip
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from time import monotonic

import psycopg
import pytest

from app.db import Database
from app.front.stored import Asked, Away, Found, Pages, connect
from app.settings import Settings
from tests.app.front.pages import CODE, HTML, put_page
from tests.conftest import owner_of


@pytest.fixture
def reader(fresh_database: Database, settings: Settings) -> Iterator[Pages]:
    found = Pages(settings.model_copy(update={"database_url": fresh_database.url}))
    yield found
    found.close()


def find(reader: Pages, language: str = "vi", etag: str = "") -> Found | None:
    return reader.find([Asked(CODE, language, etag)])[0]


def test_the_select_finds_only_pages_that_may_be_served(
    fresh_database: Database, reader: Pages, move_clock: Callable[[timedelta], None]
) -> None:
    put_page(fresh_database, CODE)
    found = find(reader)
    assert found is not None
    assert found.body is not None
    assert gzip.decompress(found.body).decode() == HTML
    assert find(reader, "vi", found.etag) == Found(found.etag, None)
    assert find(reader, "en") is None
    put_page(fresh_database, CODE, wanted=2)
    assert find(reader) is None
    put_page(fresh_database, CODE, change=datetime.now(UTC) + timedelta(hours=1))  # noqa: TID251
    assert find(reader) is not None
    move_clock(timedelta(hours=2))
    assert find(reader) is None


def test_a_connection_that_the_server_closed_is_opened_again(fresh_database: Database, reader: Pages) -> None:
    put_page(fresh_database, CODE)
    assert find(reader) is not None
    with psycopg.connect(fresh_database.url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hoi-front'")
    assert find(reader) is not None


def test_a_line_that_goes_dead_is_given_up(fresh_database: Database) -> None:
    with connect(fresh_database.url, "hoi-front", "") as connection:
        told = connection.info.get_parameters()
    assert told["tcp_user_timeout"] == "3000"
    assert (told["keepalives_idle"], told["keepalives_interval"], told["keepalives_count"]) == ("3", "1", "3")


def test_a_prepared_select_that_is_worthless_is_prepared_again(fresh_database: Database, reader: Pages) -> None:
    """As after the table's types have changed: no error of the connection, and for ever the same one on it."""
    put_page(fresh_database, CODE)
    assert find(reader) is not None
    reader._primary._local.cursor.connection.pgconn.exec_(b"DEALLOCATE ALL")
    assert find(reader) is not None


def test_a_server_that_is_gone_is_away_and_asked_once_a_second(settings: Settings) -> None:
    gone = Pages(settings.model_copy(update={"database_url": "postgresql://x@/x?host=/nowhere"}))
    for _ in range(3):
        with pytest.raises(Away):
            gone.find([Asked(CODE, "vi")])


def test_many_are_found_in_the_order_in_which_they_were_asked(fresh_database: Database, reader: Pages) -> None:
    put_page(fresh_database, CODE)
    put_page(fresh_database, "other", html="<h1>khác</h1>")
    found = reader.find(
        [Asked("nowhere", "vi"), Asked("other", "vi"), Asked(CODE, "en"), Asked(CODE, "vi"), Asked(CODE, "vi")]
    )
    bodies = [one if one is None else gzip.decompress(one.body or b"").decode() for one in found]
    assert bodies == [None, "<h1>khác</h1>", None, HTML, HTML]


def test_a_locked_table_is_away_after_one_try(fresh_database: Database, reader: Pages) -> None:
    put_page(fresh_database, CODE)
    assert find(reader) is not None
    with psycopg.connect(owner_of(fresh_database.url)) as other:
        other.execute("LOCK TABLE public_pages")
        began = monotonic()
        with pytest.raises(Away):
            find(reader)
        assert monotonic() - began < 3 * 1.5, "twice would be more than the lock timeout twice"
        other.rollback()

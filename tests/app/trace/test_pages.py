"""Stored pages: which one may be served, and the scans of one's own batches."""

import gzip
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.accounts.models import Organisation
from app.actor import SYSTEM, Actor
from app.db import Database, Words, new_id
from app.places.models import Place
from app.products.events import CertificateLapsed, ProductChanged
from app.products.models import Product
from app.trace import pages
from app.trace.events import BatchChanged
from app.trace.models import Batch, TraceCode

CODE = "0123456789ABY"
NOW = datetime(2026, 11, 23, 3, tzinfo=UTC)


def rendered(session: Session, html: bytes, change: datetime | None = None, code: str = CODE) -> pages.StoredPage:
    opened = pages.open_page(session, code, "vi")
    assert opened.page is None
    return pages.store(session, code, "vi", opened.version, html, change)


def test_what_was_stored_is_read_and_opened_without_rendering_again(db_session: Session) -> None:
    stored = rendered(db_session, b"<h1>one</h1>")
    assert stored.plain() == b"<h1>one</h1>"
    assert pages.read(db_session, CODE, "vi") == stored
    assert pages.open_page(db_session, CODE, "vi").page == stored
    assert pages.read(db_session, CODE, "en") is None


def test_a_page_is_served_until_the_moment_that_changes_it(
    db_session: Session, clock_at: Callable[[datetime], None]
) -> None:
    clock_at(NOW)
    rendered(db_session, b"valid", NOW + timedelta(hours=1))
    assert pages.read(db_session, CODE, "vi") is not None
    clock_at(NOW + timedelta(hours=1))
    assert pages.read(db_session, CODE, "vi") is None


def test_a_page_rendered_from_older_records_is_never_served(fresh_database: Database) -> None:
    """The change commits between the reading and the storing of the page."""
    batch = coded(fresh_database)
    with fresh_database.transaction(SYSTEM) as session:
        opened = pages.open_page(session, CODE, "vi")
        pages.store(session, CODE, "vi", opened.version, b"first", None)
    with fresh_database.transaction(SYSTEM) as session:
        pages.forget(session, [batch])
    with fresh_database.transaction(SYSTEM) as session:
        pages.store(session, CODE, "vi", opened.version, b"from the old records", None)
        assert pages.read(session, CODE, "vi") is None
        again = pages.open_page(session, CODE, "vi")
        assert (again.page, again.version) == (None, opened.version + 1)


def test_a_change_during_the_first_rendering_is_not_lost(fresh_database: Database) -> None:
    """There is no row yet that the change could mark: it waits for the one being made."""
    batch = coded(fresh_database)
    forgotten = threading.Event()

    def change() -> None:
        with fresh_database.transaction(SYSTEM) as session:
            pages.forget(session, [batch])
        forgotten.set()

    with fresh_database.transaction(SYSTEM) as session:
        opened = pages.open_page(session, CODE, "vi")
        other = threading.Thread(target=change)
        other.start()
        pages.store(session, CODE, "vi", opened.version, b"old", None)
    other.join(timeout=10)
    assert forgotten.is_set()
    with fresh_database.transaction(SYSTEM) as session:
        assert pages.read(session, CODE, "vi") is None


def test_a_herd_of_first_visitors_renders_once(fresh_database: Database) -> None:
    coded(fresh_database)
    renderings = []
    barrier = threading.Barrier(5)

    def visit() -> None:
        barrier.wait(timeout=10)
        with fresh_database.transaction(SYSTEM) as session:
            opened = pages.open_page(session, CODE, "vi")
            if opened.page is None:
                renderings.append(opened.version)
                pages.store(session, CODE, "vi", opened.version, b"page", None)

    threads = [threading.Thread(target=visit) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert renderings == [1]


def test_forgetting_a_batch_without_a_code_does_nothing(db_session: Session) -> None:
    pages.forget(db_session, [new_id()])
    pages.forget(db_session, [])
    assert db_session.scalar(text("SELECT count(*) FROM public_pages")) == 0


def test_headers_name_the_canonical_address_and_the_other_language() -> None:
    named = dict(pages.headers(CODE, "en", "tag", "https://hoi.example.vn"))
    assert named["Link"] == (
        f'<https://hoi.example.vn/t/{CODE}>; rel="canonical", </t/{CODE}>; rel="alternate"; hreflang="vi"'
    )
    assert named["ETag"] == '"tag"'
    assert int(named["Cache-Control"].split("max-age=")[1].split(",")[0]) <= 60


def test_scans_are_counted_by_vietnamese_day_for_the_own_batches_only(fresh_database: Database) -> None:
    batch = coded(fresh_database)
    with fresh_database.transaction(SYSTEM) as session:
        owner = session.scalar(text("SELECT organisation_id FROM trace_codes"))
        for at, scans in (
            (datetime(2026, 11, 22, 16, 59, tzinfo=UTC), 2),
            (datetime(2026, 11, 22, 17, 0, tzinfo=UTC), 3),
            (datetime(2026, 11, 23, 16, 0, tzinfo=UTC), 4),
        ):
            session.execute(
                text("INSERT INTO scan_tallies (id, received_at, code, scans) VALUES (:id, :at, :code, :scans)"),
                {"id": new_id(), "at": at, "code": CODE, "scans": scans},
            )

    def seen(actor: Actor) -> list[tuple[str, int]]:
        with fresh_database.transaction(actor) as session:
            return [(s.day.isoformat(), s.scans) for s in pages.scans_by_day(session, actor, [batch])]

    expected = [("2026-11-22", 2), ("2026-11-23", 7)]
    assert seen(SYSTEM) == expected
    assert seen(Actor(kind="person", person_id=new_id(), organisations=frozenset({owner}))) == expected
    assert seen(Actor(kind="person", person_id=new_id(), organisations=frozenset({new_id()}))) == []


def test_a_page_is_kept_compressed_and_the_same_text_gives_the_same_bytes(db_session: Session) -> None:
    one = rendered(db_session, b"same" * 500)
    two = rendered(db_session, b"same" * 500, code="0000000000000")
    assert (one.body, one.etag) == (two.body, two.etag)
    assert len(one.body) < 100
    assert gzip.decompress(one.body) == b"same" * 500


def coded(database: Database) -> UUID:
    """A batch with a code, and what it hangs on."""
    now = datetime(2026, 3, 1, tzinfo=UTC)
    with database.transaction(SYSTEM) as session:

        def add(row: Any) -> UUID:
            session.add(row)
            session.flush()
            found: UUID = row.id
            return found

        unit = {"name": "Thử", "sort_key": "t", "recorded_at": now}
        province = add(Place(code="T1", level="province", kind_word="tỉnh", parent_id=None, **unit))
        commune = add(Place(code="T2", level="commune", kind_word="xã", parent_id=province, **unit))
        owner = add(Organisation(kind="cooperative", name="HTX Thử", commune_id=commune, created_at=now))
        product = add(Product(organisation_id=owner, name=Words(vi="Na"), created_at=now))
        of_product = {"organisation_id": owner, "product_id": product}
        day = {"harvested_on": date(2026, 8, 12), "made_on": date(2026, 8, 12), "created_at": now}
        batch = add(Batch(lot="NA-1", quantity=Decimal(1), unit="kg", content_sha256="", **of_product, **day))
        session.add(
            TraceCode(code=CODE, organisation_id=owner, batch_id=batch, kind="short", lot="NA-1", created_at=now)
        )
    return batch


@pytest.mark.parametrize("kind", ["batch", "product", "certificate", "organisation"])
def test_news_about_what_a_page_shows_makes_it_be_rendered_anew(fresh_database: Database, kind: str) -> None:
    batch = coded(fresh_database)
    with fresh_database.transaction(SYSTEM) as session:
        rendered(session, b"old")
        row = session.get_one(Batch, batch)
    with fresh_database.transaction(SYSTEM) as session:
        if kind == "batch":
            pages.after_batch_changed(session, SYSTEM, BatchChanged(batch))
        elif kind == "product":
            pages.after_product_news(session, SYSTEM, ProductChanged(row.product_id))
        else:
            product = row.product_id if kind == "certificate" else None
            pages.after_certificate_news(session, SYSTEM, CertificateLapsed(new_id(), row.organisation_id, product))
        assert pages.read(session, CODE, "vi") is None

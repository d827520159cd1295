"""What one step, one name or one consent costs does not grow with the province."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.accounts.events import ConsentChanged, OrganisationChanged, PersonErased
from app.actor import SYSTEM
from app.db import Database
from app.outbox import read
from app.places.events import PlaceChanged
from app.trace import pages, queries
from tests import filled
from tests.conftest import MakeDatabase, owner_of

SMALL, LARGE = 480, 4800


@dataclass(frozen=True, slots=True)
class Filled:
    database: Database
    key: Callable[[str, int], UUID]


@contextmanager
def a_province(database: Database, households: int) -> Iterator[Filled]:
    with psycopg.connect(owner_of(database.url)) as owner:
        filled.fill(owner, households)
        yield Filled(database, lambda what, number: filled.key(owner, what, number))


@pytest.fixture
def two(make_database: MakeDatabase) -> Iterator[tuple[Filled, Filled]]:
    with a_province(make_database(), SMALL) as small, a_province(make_database(), LARGE) as large:
        yield small, large


def test_the_batches_of_a_site_are_found_without_reading_those_of_others(two: tuple[Filled, Filled]) -> None:
    touched = []
    for one in two:
        site, batch = one.key("site", 7), one.key("batch", 7)
        with one.database.transaction(SYSTEM) as session:
            assert queries.batches_of_site(session, site) == [batch]
            touched.append(
                filled.buffers(one.database, session, lambda s=session, i=site: queries.batches_of_site(s, i))
            )
    assert touched[1] <= 1.5 * touched[0] + 5, touched


def forgotten(session: Session) -> list[int]:
    """The numbers of the batches whose pages are wanted anew."""
    codes = session.scalars(text("SELECT code FROM public_pages WHERE language = 'vi' AND wanted_version > 1"))
    return sorted(int(code.removeprefix("F")) for code in codes)


def test_news_of_names_reach_the_pages_that_say_them_and_no_others(fresh_database: Database) -> None:
    with a_province(fresh_database, 2 * filled.MEMBERS) as province:
        key = province.key

        def after(verb: Callable[..., None], event: object) -> list[int]:
            with fresh_database.transaction(SYSTEM) as session:
                session.execute(text("UPDATE public_pages SET wanted_version = 1"))
                verb(session, SYSTEM, event)
                return forgotten(session)

        everybody, first = list(range(1, 81)), list(range(1, 40))
        changed = pages.after_organisation_changed
        assert after(changed, OrganisationChanged(key("household", 7))) == [7]
        assert after(changed, OrganisationChanged(key("cooperative", 0))) == first
        placed = pages.after_place_changed
        # Its own harvest; the cooperatives have their seats in the villages 1 to 3.
        assert after(placed, PlaceChanged(key("village", 9))) == [8]
        assert after(placed, PlaceChanged(key("village", 1))) == first
        assert after(placed, PlaceChanged(key("village", 200))) == []
        assert after(placed, PlaceChanged(key("commune", 10))) == [8, 73]
        assert after(placed, PlaceChanged(key("province", 1))) == everybody
        person = key("person", 7)
        assert after(pages.after_person_erased, PersonErased(person)) == [7]
        consented = pages.after_consent_changed
        assert after(consented, ConsentChanged(person, ("diary", "public_name"))) == [7]
        assert after(consented, ConsentChanged(person, ("account", "diary", "notices_email"))) == []
        # As it was written before the event said what was answered.
        assert after(consented, read(ConsentChanged, {"person_id": str(person)})) == [7]

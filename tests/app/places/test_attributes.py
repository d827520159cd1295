"""The group of a commune: from a day on, corrected, and as it was known."""

from datetime import date, timedelta

import pytest
from sqlalchemy import update

from app import clock
from app.actor import PUBLIC, Actor
from app.db import Database, new_id
from app.errors import Forbidden, Invalid, NotFound
from app.places import queries
from app.places.models import PlaceAttribute
from tests.app.places.verbs import events, set_group


def test_a_group_holds_from_its_day_until_the_next_one(loaded: Database, official: Actor) -> None:
    first, second = date(2026, 2, 15), date(2026, 8, 1)
    with loaded.transaction(official) as session:
        commune = queries.by_code(session, "06463", clock.today())
        assert commune is not None
        assert queries.attribute(session, commune.id, "commune_group", first) is None
        set_group(session, official, commune.id, "3", first)
        set_group(session, official, commune.id, "2", second)
        seen = [queries.attribute(session, commune.id, "commune_group", day) for day in (
            first - timedelta(days=1), first, second - timedelta(days=1), second, clock.today())]  # fmt: skip
        assert seen == [None, "3", "3", "2", "2"]
        assert queries.attributes_on(session, "commune_group", clock.today()) == {commune.id: "2"}
    assert events(loaded) == ["places.place_changed", "places.place_changed"]


def test_the_same_group_again_changes_nothing_and_a_correction_leaves_its_trace(
    loaded: Database, official: Actor
) -> None:
    day = date(2026, 2, 15)
    with loaded.transaction(official) as session:
        commune = queries.by_code(session, "06463", clock.today())
        assert commune is not None
        one = set_group(session, official, commune.id, "3", day)
        assert set_group(session, official, commune.id, "3", day) == one
        set_group(session, official, commune.id, "2", day, "QĐ thử 2/QĐ-UBND")
        assert queries.attribute(session, commune.id, "commune_group", day) == "2"
        rows = [
            (a.value, a.valid_from, a.valid_to) for a in queries.attribute_history(session, commune.id, "commune_group")
        ]
        assert sorted(rows) == [("2", day, None), ("3", day, day - timedelta(days=1))]  # type: ignore[type-var]  # no two share a value
        with pytest.raises(Invalid) as refusal:
            set_group(session, official, commune.id, "1", day - timedelta(days=1))
        assert refusal.value.field == "valid_from"
        assert len(queries.attribute_history(session, commune.id, "commune_group")) == 2


def test_a_group_answers_as_we_knew_it_then(loaded: Database, official: Actor) -> None:
    day, told = date(2026, 2, 15), clock.now() - timedelta(days=3)
    with loaded.transaction(official) as session:
        commune = queries.by_code(session, "06463", clock.today())
        assert commune is not None
        first = set_group(session, official, commune.id, "3", day)
        second = set_group(session, official, commune.id, "2", day, "QĐ thử 2/QĐ-UBND")
        for key, recorded in ((first, told - timedelta(days=9)), (second, told)):
            session.execute(update(PlaceAttribute).where(PlaceAttribute.id == key).values(recorded_at=recorded))
        session.execute(update(PlaceAttribute).where(PlaceAttribute.id == first).values(ended_at=told))
        seen = [
            queries.attribute(session, commune.id, "commune_group", clock.today(), known)
            for known in (None, told, told - timedelta(days=1), told - timedelta(days=10))
        ]
        assert seen == ["2", "2", "3", None]


def test_a_group_is_for_communes_in_force(loaded: Database, official: Actor) -> None:
    with loaded.transaction(official) as session:
        old = queries.by_code(session, "06463", date(2025, 6, 30))
        assert old is not None
        for place_id in (old.id, queries.province(session).id):
            with pytest.raises(Invalid, match="not_here"):
                set_group(session, official, place_id, "1", clock.today())
        with pytest.raises(NotFound):
            set_group(session, official, new_id(), "1", clock.today())
        with pytest.raises(Forbidden):
            set_group(session, PUBLIC, old.id, "1", clock.today())

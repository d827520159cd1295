"""The small wrongs are done and undone, and with --long enough of them are noticed by the tests nearest to them."""

import subprocess

import pytest

from app.marketplace_sync import reckoning
from app.marketplace_sync.models import Listing
from tests.mutations.__main__ import command
from tests.mutations.mutants import Mutant, done, mutants_of
from tests.mutations.plugin import explained
from tests.mutations.targets import TARGETS

MODULE = "app.marketplace_sync.reckoning"
ALL = -1


def one(label: str, place: str) -> Mutant:
    (found,) = [m for m in mutants_of(MODULE) if (m.place, m.label) == (place, label)]
    return found


def test_a_mutant_is_done_for_everybody_and_undone() -> None:
    listing = Listing(sold_there=0, recorded_there=2, spot_sales=1, applied_stock=None, sent_stocks=[3])
    ahead, known = reckoning.recorded_ahead, reckoning.known_stock
    assert (ahead(listing, [listing], 8), known(listing)) == (5, (3,))
    with done(
        one(
            "Sub -> Add in elsewhere - (elsewhere if listing.spot_sales is None else listing.spot_sales)",
            "recorded_ahead",
        )
    ):
        assert ahead(listing, [listing], 8) == 7
    with done(one("max -> min", "recorded_ahead")):
        assert ahead(listing, [listing], 8) == 0
    with done(one("IsNot -> Is in n is not None", "known_stock")):
        assert known(listing) == (None,)
    assert (ahead(listing, [listing], 8), known(listing)) == (5, (3,))


def test_every_target_has_mutants_whose_keys_tell_them_apart() -> None:
    for modules, _files in TARGETS.values():
        for module in modules:
            mutants = mutants_of(module)
            assert len(mutants) > 3
            assert len({m.key for m in mutants}) == len(mutants)
            assert [m.key for m in mutants if m.line not in m.lines] == []


def test_a_mutant_lies_in_its_own_statement_and_not_in_those_below_it() -> None:
    (guard,) = [m for m in mutants_of("app.actor") if m.place == "check_may" and m.label.startswith("without the sign")]
    assert guard.lines == range(guard.line, guard.line + 1)


def test_every_explained_survivor_is_a_mutant_that_exists() -> None:
    every = {m.key for modules, _files in TARGETS.values() for module in modules for m in mutants_of(module)}
    assert [key for key in explained() if key not in every] == []


@pytest.mark.slow
def test_the_tests_notice_what_is_wrong(long_run: bool) -> None:  # noqa: FBT001 - a fixture's value
    """By default a handful of the pure ones, so that this way of asking stays whole; with --long all of them."""
    line = command(ALL, list(TARGETS)) if long_run else command(5, ["reckoning"])
    answer = subprocess.run(line, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout[-5000:] + answer.stderr[-2000:]

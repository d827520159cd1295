"""A run of pytest that asks of each mutant which test notices it; on with --mutants, off else.

The tests are collected once and pass once, while it is written down which of them run which lines of the targets. Then each
mutant is done in this very process, and the tests that run its statement run again, those that noticed another mutant of
the same function first and then the quickest, until one fails.
Servers, templates and imports are those of the one run, so that a mutant costs as much as its tests.
"""

import random
import signal
import sys
import threading
import tomllib
from collections import defaultdict
from collections.abc import Collection
from functools import partial
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import Any

import hypothesis
import pytest
from _pytest.runner import runtestprotocol
from hypothesis import Phase

from tests.mutations.mutants import Mutant, codes_of, done, function_of, mutants_of
from tests.mutations.targets import GOAL_PERCENT, TARGETS

Place = tuple[str, str]  # a module and the qualified name of a function in it
SURVIVORS = Path(__file__).parent / "survivors.toml"
SEED = 20261130
EVERY = 25  # mutants between two lines of the report
# A mutant that never ends is noticed too: seconds, or so many times what the test usually takes on a busy machine.
LONGEST_TEST = 120
LONGER = 20
HISTORIES = 60  # that Hypothesis makes up for one mutant


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--mutants", type=int, default=0, help="how many mutants to try, drawn by the seed; -1: all")
    parser.addoption("--mutant-families", default=",".join(TARGETS), help="which families of the table of targets")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Histories that are made up: one that fails is enough, nobody needs the shortest."""
    if config.getoption("--mutants"):
        hypothesis.settings.register_profile(
            "mutants", deadline=None, derandomize=True, phases=(Phase.explicit, Phase.generate), database=None
        )
        hypothesis.settings.load_profile("mutants")


def explained() -> dict[str, str]:
    """Mutant to why no test can notice it, or need."""
    listed = tomllib.loads(SURVIVORS.read_text()) if SURVIVORS.exists() else {}
    return {one["mutant"]: one["why"] for one in listed.get("survivor", [])}


def draw(families: list[str], how_many: int) -> list[tuple[str, Mutant]]:
    every = [(family, m) for family in families for module in TARGETS[family][0] for m in mutants_of(module)]
    if how_many < 0 or how_many >= len(every):
        return every
    chosen = random.Random(SEED).sample(range(len(every)), how_many)
    return [every[n] for n in sorted(chosen)]


class _Tries:
    """Runs tests of one session again and again, each set up and taken down whole."""

    def __init__(self, session: pytest.Session) -> None:
        self._session = session

    def passes(self, item: pytest.Item, usual: float = 0) -> bool:
        """Whether the test passes; `usual`: how many seconds it takes where nothing is wrong."""
        self._session._setupstate.teardown_exact(item.parent)
        item._initrequest()  # type: ignore[attr-defined]
        signal.signal(signal.SIGALRM, _too_long)
        signal.alarm(max(LONGEST_TEST, int(LONGER * usual)))
        try:
            reports = runtestprotocol(item, log=False, nextitem=item.parent)  # type: ignore[arg-type]  # what stays set up
        finally:
            signal.alarm(0)
        return all(not report.failed for report in reports)

    def end(self) -> None:
        self._session._setupstate.teardown_exact(None)


def _make_fewer_histories(item: pytest.Item) -> None:
    function = getattr(item, "obj", None)
    own = getattr(function, "_hypothesis_internal_use_settings", None)  # where Hypothesis keeps what @settings said
    if own is not None:
        function._hypothesis_internal_use_settings = hypothesis.settings(
            own, max_examples=min(own.max_examples, HISTORIES)
        )  # type: ignore[union-attr]


def _too_long(_signal: int, _frame: FrameType | None) -> None:
    raise TimeoutError("a test of a mutant took too long")


class _Runs:
    """Which test runs which lines of which function, how long each test took, and which have noticed something there."""

    def __init__(self, places: Collection[Place]) -> None:
        self._place_of = {code: place for place in places for code in codes_of(function_of(*place).__code__)}
        self._lines: dict[Place, dict[pytest.Item, set[int]]] = {place: defaultdict(set) for place in places}
        self._noticed: dict[Place, list[pytest.Item]] = defaultdict(list)
        self.seconds: dict[pytest.Item, float] = {}

    def watch(self, tries: _Tries, item: pytest.Item) -> bool:
        def begin(frame: FrameType, _event: str, _argument: object) -> Any:
            place = self._place_of.get(frame.f_code)
            return None if place is None else partial(note, self._lines[place][item])

        def note(lines: set[int], frame: FrameType, _event: str, _argument: object) -> Any:
            lines.add(frame.f_lineno)
            return partial(note, lines)

        started = monotonic()
        threading.settrace(begin)
        sys.settrace(begin)
        try:
            return tries.passes(item)
        finally:
            sys.settrace(None)
            threading.settrace(None)  # type: ignore[arg-type]  # None ends it
            self.seconds[item] = monotonic() - started

    def spoilt(self, tries: _Tries) -> list[str]:
        """The tests that noticed something and fail now without any mutant: what they say is worth nothing."""
        noticed = {item for items in self._noticed.values() for item in items}
        return [item.nodeid for item in noticed if not tries.passes(item, self.seconds[item])]

    def notice(self, tries: _Tries, mutant: Mutant) -> bool:
        """Whether some test fails while the mutant is done."""
        place = (mutant.module, mutant.place)
        before = self._noticed[place]
        tests = [item for item, lines in self._lines[place].items() if not lines.isdisjoint(mutant.lines)]
        tests.sort(key=lambda item: (-before.index(item) - 1 if item in before else 0, self.seconds[item]))
        with done(mutant):
            first = next((item for item in tests if not tries.passes(item, self.seconds[item])), None)
        if first is None:
            return False
        self._noticed[place] = [*(item for item in before if item is not first), first]
        return True


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    how_many = session.config.getoption("--mutants")
    if not how_many:
        return None
    families = session.config.getoption("--mutant-families").split(",")
    drawn = draw(families, how_many)
    places = {(m.module, m.place) for _, m in drawn}
    tries, say = _Tries(session), session.config.get_terminal_writer().line
    for item in session.items:
        _make_fewer_histories(item)
    runs = _Runs(places)
    broken = [item.nodeid for item in session.items if not runs.watch(tries, item)]
    if broken:
        raise pytest.UsageError(f"these fail without any mutant: {broken}")
    say(f"{len(session.items)} tests pass, {len(drawn)} mutants")
    started = monotonic()
    survivors, reasons = [], explained()
    for number, (family, mutant) in enumerate(drawn, 1):
        if not runs.notice(tries, mutant):
            survivors.append((family, mutant))
            say(f"{'explained' if mutant.key in reasons else 'SURVIVED'} line {mutant.line} {mutant.key}")
        if number % EVERY == 0:
            say(f"{number} mutants, {len(survivors)} survived, {monotonic() - started:.0f} s")
    spoilt = runs.spoilt(tries)
    tries.end()
    if spoilt:
        raise pytest.UsageError(f"these fail after all mutants are undone: {spoilt}")
    _report(session, drawn, survivors, monotonic() - started)
    return True


def _report(
    session: pytest.Session, drawn: list[tuple[str, Mutant]], survivors: list[tuple[str, Mutant]], seconds: float
) -> None:
    reasons = explained()
    say = session.config.get_terminal_writer().line
    say()
    for family in dict.fromkeys(f for f, _ in drawn):
        total, left = sum(f == family for f, _ in drawn), sum(f == family for f, _ in survivors)
        say(f"{family}: {total - left} of {total} killed")
    unexplained = [m for _, m in survivors if m.key not in reasons]
    killed = len(drawn) - len(survivors)
    percent = 100 * killed / len(drawn)
    say(f"mutants killed: {killed} of {len(drawn)} = {percent:.1f} % in {seconds:.0f} s")
    session.testsfailed = int(percent < GOAL_PERCENT or bool(unexplained))

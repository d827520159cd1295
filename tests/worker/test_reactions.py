"""The one table of reactions is whole: every event has one or a reason for none, every task has its hour."""

import importlib
import inspect
import pkgutil

import app
from app.jobs import JobRequested
from app.outbox import Event
from worker import reactions, schedule

# Events that nothing reacts to, and why they are written all the same.
NOBODY = {
    "accounts.card_confirmed": "the waiting phone asks for itself every few seconds",
    "accounts.household_joined": "rights are read from the membership at every request",
    "accounts.household_left": "rights are read from the membership at every request",
    "trace.batch_created": "a new lot has no page and no listing yet; its code and its stock speak for themselves",
    "trace.code_issued": "its page is rendered at the first scan",
}


def every_event() -> dict[str, type[Event]]:
    for module in pkgutil.walk_packages(app.__path__, "app."):
        if module.name.endswith(".events"):
            importlib.import_module(module.name)
    kinds = [k for k in Event.__subclasses__() if k.__module__.startswith("app.")]
    assert JobRequested in kinds
    return {k.name: k for k in kinds}


def test_event_names_begin_with_their_part() -> None:
    assert [n for n, k in every_event().items() if n.split(".")[0] != k.__module__.split(".")[1]] == []


def test_every_event_has_a_reaction_or_a_reason() -> None:
    without = {name for name in every_event() if name not in reactions.BY_EVENT}
    assert without == set(NOBODY)


def test_every_reaction_does_something_once() -> None:
    for reaction in reactions.REACTIONS:
        does = [reaction.verb is not None, reaction.call is not None, reaction.event is JobRequested]
        assert sum(does) == 1, reaction.name
        if reaction.verb is not None:
            assert len(inspect.signature(reaction.verb).parameters) == 3, reaction.name


def test_everything_scheduled_has_its_verb_and_its_hour() -> None:
    assert set(schedule.VERBS) == set(schedule.EVERY_SECONDS)
    assert all(seconds >= 2 for seconds in schedule.EVERY_SECONDS.values())

"""The one table of reactions is whole: every event has one, every task has its hour."""

import importlib
import inspect
import pkgutil
import subprocess
import sys
from pkgutil import resolve_name

import app
from app.jobs import JobRequested
from app.outbox import Event
from app.places import lists
from worker import reactions, schedule


def every_event() -> dict[str, type[Event]]:
    for module in pkgutil.walk_packages(app.__path__, "app."):
        if module.name.endswith(".events"):
            importlib.import_module(module.name)
    kinds = [k for k in Event.__subclasses__() if k.__module__.startswith("app.")]
    assert JobRequested in kinds
    return {k.name: k for k in kinds}


def test_event_names_begin_with_their_part() -> None:
    assert [n for n, k in every_event().items() if n.split(".")[0] != k.__module__.split(".")[1]] == []


def test_every_event_has_a_reaction() -> None:
    """An event that nobody hears costs a row and a turn of the relay, and looks as if something followed from it."""
    assert [name for name in every_event() if name not in reactions.BY_EVENT] == []


def takes(verb: object, *values: object) -> bool:
    """A function that can be called with these."""
    assert inspect.isfunction(verb)
    inspect.signature(verb).bind(*values)
    return True


def test_every_reaction_names_one_verb_that_exists_and_takes_its_event() -> None:
    for reaction in reactions.REACTIONS:
        does = [reaction.verb is not None, reaction.call is not None, reaction.event is JobRequested]
        assert sum(does) == 1, reaction.name
        for verb in filter(None, (reaction.find_verb(), reaction.find_call())):
            assert takes(verb, "session or database", "actor or settings", "event"), reaction.name


def test_every_kind_of_job_has_its_handler() -> None:
    assert set(reactions.JOBS) == {lists.IMPORT_JOB}
    assert takes(reactions.job_handler(lists.IMPORT_JOB), "session", "actor", "job", "report")


def test_everything_scheduled_names_a_verb_that_exists() -> None:
    for name, chore in schedule.CHORES.items():
        assert takes(resolve_name(chore.verb), "database", "settings"), name
        assert chore.every_seconds >= 2
    assert {e["options"]["queue"] for e in schedule.entries().values()} == {schedule.BULK, schedule.LOOKS}


def test_what_calls_another_company_never_holds_up_the_rest() -> None:
    calls = {r.name for r in reactions.REACTIONS if r.queue == schedule.CALLS}
    assert calls == {
        "notices.deliver",
        "marketplace_sync.push",
        "marketplace_sync.check_account",
    }
    assert {r.name for r in reactions.REACTIONS if r.queue == schedule.LOOKS} == {"marketplace_sync.look"}
    assert schedule.CHORES["look_at_listings"].queue == schedule.LOOKS


def test_what_may_take_long_is_not_where_steps_are_followed() -> None:
    """No job, no rebuild, no chore and no call but the drain, which ends after two seconds."""
    people = [r for r in reactions.REACTIONS if r.queue == schedule.WORK]
    assert {r.name for r in people if r.call} == {"criteria.derive_marked"}
    assert {r.name for r in people} >= {"trace.check_site", "criteria.derive_of_diary", "criteria.tell_of_change"}
    assert JobRequested not in {r.event for r in people}
    assert schedule.WORK not in {chore.queue for chore in schedule.CHORES.values()}


def test_relay_and_scheduler_load_no_part_of_the_business() -> None:
    ask = "import sys, worker.relay; print([m for m in sys.modules if m.endswith(('.service', '.queries', '.models'))])"
    run = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"

"""The demo's job is found by a worker that includes `demo.jobs`, and by no other."""

import inspect
import runpy

import pytest

from demo.village_facts import FILL_JOB
from worker import reactions


def test_a_worker_that_includes_it_finds_the_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reactions, "JOBS", dict(reactions.JOBS))
    assert FILL_JOB not in reactions.JOBS
    runpy.run_module("demo.jobs")
    handler = reactions.job_handler(FILL_JOB)
    assert handler.__module__ == "demo.village_facts"
    inspect.signature(handler).bind("session", "actor", "job", "report")

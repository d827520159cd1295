"""The demo's job, for a worker that is told on its command line to include `demo.jobs`."""

from worker.reactions import JOBS

JOBS["demo.fill_villages"] = "demo.village_facts:fill_villages"

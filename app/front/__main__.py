"""`python -m app.front`, with granian's options: granian with our application loaded once, before it forks its processes.

What is loaded here is memory that they share: 50 MiB less for each. Nothing is opened and no thread is started before the fork:
connections, counts of scans and figures belong to the processes that come of it. Without --workers they are as many as
HOI_WEB_WORKERS says.
"""

import gc
import sys

from granian.cli import entrypoint
from sqlalchemy.orm import configure_mappers

from app import settings as settings_module


def options(given: list[str], workers: int, application: str) -> list[str]:
    """Granian's arguments, with what is ours to say."""
    own = [] if "--workers" in given else ["--workers", str(workers)]
    return ["--interface", "rsgi", "--factory", *own, *given, application]


def run(application: str) -> None:
    """Granian with this application, whose modules are loaded by now."""
    configure_mappers()
    gc.collect()
    gc.freeze()  # the collector would write into every object, and so end the sharing
    sys.argv[1:] = options(sys.argv[1:], settings_module.load().web_workers, application)
    entrypoint()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    run("app.front:create")

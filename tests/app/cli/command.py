"""The command line, run as a user runs it."""

import subprocess
import sys

from app.settings import ROOT, child_environment

CLI = (sys.executable, "-c", "from app.cli import main; main()")


def hoi(*arguments: str, typed: str = "", **values: object) -> subprocess.CompletedProcess[str]:
    """`values` are settings; `typed` is what comes from the keyboard."""
    return subprocess.run(
        [*CLI, *arguments],
        cwd=ROOT,
        env=child_environment(clean=True, **values),
        input=typed,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

"""The command line, run as a user runs it."""

import subprocess
import sys

from app.settings import ROOT, child_environment

CLI = (sys.executable, "-c", "from app.cli import main; main()")


def hoi(*arguments: str, **values: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*CLI, *arguments],
        cwd=ROOT,
        env=child_environment(clean=True, **values),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

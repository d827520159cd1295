"""`python -m app.cli.locks`: whether a new migration would lock a table that may be large, or break the release that still runs.

The SQL of every migration since the parts were made is read by squawk. What it refuses is allowed where the line before
says so to it and to people: `-- squawk-ignore <rule>`, in the text of an `op.execute`.
"""

import json
import subprocess
import sys
from pathlib import Path

from app.cli.output import say
from app.migrations import run as migrations

OLDEST_POSTGRES = "15"
# A number says itself how large it may grow; what may be begun again is seen to by a transaction, or by migrations.large; a list
# of words that grows is dropped and said anew.
LEFT_OUT = ("prefer-bigint-over-int", "prefer-robust-stmts", "ban-drop-constraint")


def faults(name: str, sql: str) -> list[str]:
    """What squawk says of the SQL of one migration."""
    command = [
        str(Path(sys.executable).with_name("squawk")),
        f"--pg-version={OLDEST_POSTGRES}",
        f"--exclude={','.join(LEFT_OUT)}",
        "--reporter=json",
        f"--stdin-filepath={name}",
    ]
    done = subprocess.run(command, input=sql, capture_output=True, text=True, check=False)
    if not done.stdout:
        raise RuntimeError(done.stderr)
    lines = sql.splitlines()
    return [
        f"{name}: {lines[found['line']].strip()}\n    {found['rule_name']}: {found['message']} {found['help'] or ''}".rstrip()
        for found in json.loads(done.stdout)
    ]


def main() -> int:
    """Print every fault of every new migration; 1 where there is one."""
    found = [fault for name, sql in migrations.new_ones() for fault in faults(name, sql)]
    for fault in found:
        say(fault)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

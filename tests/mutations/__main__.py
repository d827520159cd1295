"""Try mutants by hand: `python -m tests.mutations [--all] [--families ledger,holds] [--keep]`."""

import argparse
import subprocess
import sys

from tests.mutations.targets import TARGETS


def command(how_many: int, families: list[str]) -> list[str]:
    files = list(dict.fromkeys(file for family in families for file in TARGETS[family][1]))
    mine = ["-p", "tests.mutations.plugin", "--mutants", str(how_many), "--mutant-families", ",".join(families)]
    return [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-n0",
        "-p",
        "no:cacheprovider",
        "--tb=no",
        "--assert=plain",
        *mine,
        *files,
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true", help="every mutant, not a sample")
    parser.add_argument("--sample", type=int, default=120, help="how many to draw")
    parser.add_argument("--families", default=",".join(TARGETS))
    parser.add_argument("--keep", action="store_true", help="as ./hoi test --keep")
    asked = parser.parse_args()
    line = command(-1 if asked.all else asked.sample, asked.families.split(","))
    return subprocess.run([*line, *["--keep"] * asked.keep], check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())

"""Two releases of Hồi side by side: what it took before the mends of growth and takes now, where code changed and not a question.

Run it with `./hoi bench beside`. Options: --before COMMIT (the one that the findings on growth are of), --runs (5, the fewest that count), --only.
The older one gets a tree of its own with the libraries of its own lock; both are asked in turn, by today's client.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from app.settings import ROOT, child_environment
from bench import _harness as harness

FOUND_AT = "e85a65c"
# Where the older release keeps the demo's data and players.
DEMO = {
    "__init__.py": "",
    "loader.py": "from app.doors.demo.loader import load as load",
    "cast.py": "from app.doors.demo.cast import PLAYERS as PLAYERS",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One question of a finding: the word that is said, the figure that is compared, whether more of it is better."""

    finding: int
    what: str
    question: str
    word: str
    figure: str
    more_is_better: bool
    goal: float | None = 5.0  # None: told beside another and not judged


ASKED = (
    Asked(4, "200 steps of one site", "items", "one", "rows_a_second", True, goal=2.0),
    Asked(4, "200 steps of 200 sites", "items", "many", "rows_a_second", True),
    Asked(6, "a day's looks at 400 listings that stay as they are", "looks", "round", "seconds_a_day", False),
    Asked(6, "one round of them", "looks", "round", "seconds", False, goal=None),
    Asked(8, "scans alone", "scans", "alone", "scans_a_second", True, goal=None),
    Asked(8, "scans beside twenty people at work", "scans", "people", "scans_a_second", True),
)


@dataclass(frozen=True, slots=True)
class Release:
    """A child that answers one question about its own tree, a word at a time."""

    say: IO[str]
    heard: IO[str]

    def answer(self) -> Any:  # noqa: ANN401 - JSON
        for line in self.heard:
            try:
                return json.loads(line)
            except json.JSONDecodeError:
                print(line, end="", file=sys.stderr)  # what a release tells people while it loads
        raise RuntimeError("a release ended before it answered")

    def ask(self, word: str) -> dict[str, float]:
        self.say.write(f"{word}\n")
        self.say.flush()
        return dict(self.answer())


@contextmanager
def at_work(tree: Path, python: Path, question: str) -> Iterator[Release]:
    process = subprocess.Popen(
        [str(python), "-m", "bench._released", question],
        cwd=tree,
        env=child_environment(clean=True) | {"PYTHONPATH": str(tree)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        release = Release(process.stdin, process.stdout)
        assert release.answer() == "ready"
        yield release
    finally:
        process.stdin.close()  # it ends by itself where nobody asks, also when we are killed
        process.wait(timeout=60)
        process.stdout.close()


@contextmanager
def released(commit: str) -> Iterator[tuple[Path, Path]]:
    """The tree of a commit with today's benches in it, and the Python of its environment."""
    with TemporaryDirectory(prefix="hoi-before-") as folder:
        tree = Path(folder) / "hoi"
        tree.mkdir()
        archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True).stdout
        subprocess.run(["tar", "-x", "-C", str(tree)], input=archive, check=True)
        print(f"the environment of {commit}, from its own lock…", file=sys.stderr)
        subprocess.run([str(tree / "hoi"), "--help"], cwd=tree, stdout=subprocess.DEVNULL, check=True)
        shutil.rmtree(tree / "bench")
        shutil.copytree(ROOT / "bench", tree / "bench", ignore=shutil.ignore_patterns("__pycache__"))
        if not (tree / "demo").exists():
            (tree / "demo").mkdir()
            for name, said in DEMO.items():
                (tree / "demo" / name).write_text(f"{said}\n")
        yield tree, tree / ".venv" / "bin" / "python"


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--before", default=FOUND_AT)
    parser.add_argument("--runs", type=harness.enough_runs, default=harness.RUNS)
    parser.add_argument("--only", choices=sorted({one.question for one in ASKED}))
    asked = parser.parse_args()
    chosen = [one for one in ASKED if asked.only in {None, one.question}]
    rows = []
    with released(asked.before) as (tree, python):
        for question in dict.fromkeys(one.question for one in chosen):
            rows += compared(
                tree, python, question, [one for one in chosen if one.question == question], runs=asked.runs
            )
    judged = [row for row in rows if row["goal"] is not None]
    worst = min(judged, key=lambda row: row["ratio"] / row["goal"])
    return harness.report(
        name="beside",
        unit="times",
        value=worst["ratio"],
        baseline=1,
        ratio=worst["ratio"],
        better="higher",
        goal=worst["goal"],
        ok=worst["ratio"] >= worst["goal"],
        runs=asked.runs,
        before=asked.before,
        rows=rows,
    )


def compared(tree: Path, python: Path, question: str, chosen: list[Asked], *, runs: int) -> list[dict[str, Any]]:
    """Ask both releases each of these in turn after a first time that does not count."""
    found = []
    with ExitStack() as stack:
        before = stack.enter_context(at_work(tree, python, question))
        now = stack.enter_context(at_work(ROOT, Path(sys.executable), question))
        for word in dict.fromkeys(one.word for one in chosen):
            before.ask(word)
            now.ask(word)
            pairs = [(before.ask(word), now.ask(word)) for _ in range(runs)]
            found += [told(one, pairs) for one in chosen if one.word == word]
            print(json.dumps(pairs), file=sys.stderr)
    return found


def told(one: Asked, pairs: list[tuple[dict[str, float], dict[str, float]]]) -> dict[str, Any]:
    """Medians of every figure on both sides, and how many times better the compared one became."""
    better = [
        now[one.figure] / was[one.figure] if one.more_is_better else was[one.figure] / now[one.figure]
        for was, now in pairs
    ]
    medians = {
        figure: [round(statistics.median(pair[side][figure] for pair in pairs), 3) for side in (0, 1)]
        for figure in pairs[0][0]
    }
    return {
        "finding": one.finding,
        "what": one.what,
        "ratio": round(statistics.median(better), 2),
        "goal": one.goal,
        "before_and_now": medians,
    }


if __name__ == "__main__":
    harness.run(main)

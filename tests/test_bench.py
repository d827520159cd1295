"""What benchmarks promise to other programs: one JSON object of one shape, and an exit code that says whether the goal is met."""

import contextlib
import json
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pytest
from sqlalchemy import select

from app.actor import SYSTEM
from app.db import Database
from app.doors.consumer.routes import render
from app.factory import create_app
from app.settings import Settings
from app.trace import care_logs, codes
from app.trace.models import CareLog
from app.web import SIGN_IN_COOKIE
from bench import _harness as harness
from bench import _meter as meters
from bench import _pages as walk
from bench import _people, _province, beside, demo, items, looks, mends, scan
from tests.conftest import free_start, owner_of, wait_until

SHAPE = {"name", "unit", "value", "baseline", "ratio", "better", "goal", "ok", "runs"}


@pytest.mark.parametrize(
    ("seconds", "memory", "ok"), [(15.0, 1200.0, True), (15.5, 700.0, False), (9.0, 1200.5, False)]
)
def test_demo_fails_when_a_goal_is_missed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], seconds: float, memory: float, *, ok: bool
) -> None:
    def one_run(*, measure_memory: bool) -> tuple[float, float | None]:
        return seconds, memory if measure_memory else None

    monkeypatch.setattr(demo, "one_run", one_run)
    assert demo.main() == (0 if ok else 1)
    told: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told.keys() >= SHAPE
    assert (told["ok"], told["runs"], told["seconds"]) == (ok, 5, [seconds] * 5)


def test_a_person_who_gets_no_answer_is_told_as_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens there; who is refused asks on."""
    monkeypatch.setattr(_people, "EVERY_SECONDS", 0.01)
    with _people.at_work(free_start(), [_people.Person("x", ("/a", "/b"))]) as told:
        wait_until(lambda: len(told.wrong) > 1, 10, "two refusals")
    assert [one.split(":")[0] for one in told.wrong[:2]] == ["/a", "/b"]
    assert "ConnectionRefusedError" in told.wrong[0]
    assert told.seconds == []


@pytest.mark.parametrize(("ok", "code"), [(True, 0), (False, 1)])
def test_every_report_says_by_its_exit_code_whether_it_is_ok(
    capsys: pytest.CaptureFixture[str], code: int, *, ok: bool
) -> None:
    assert harness.report(name="x", ok=ok) == code
    assert json.loads(capsys.readouterr().out) == {"name": "x", "ok": ok}


SERVES = """
import time
from bench import _harness as harness
def main():
    with harness.served("wsgiref.simple_server:demo_app", probe="/", factory=False) as server:
        print(server.process.pid, flush=True)
        time.sleep(300)
harness.run(main)
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGKILL, -9)])
def test_a_bench_ended_by_a_signal_leaves_no_server_running(root: Path, number: signal.Signals, code: int) -> None:
    bench = subprocess.Popen([sys.executable, "-c", SERVES], cwd=root, stdout=subprocess.PIPE, text=True)
    assert bench.stdout is not None
    group = int(bench.stdout.readline())
    assert in_group(group) != []
    bench.send_signal(number)
    assert bench.wait(30) == code
    wait_until(lambda: in_group(group) == [], 30, "the end of its server")
    bench.stdout.close()


def in_group(group: int) -> list[int]:
    """The living processes of the group."""
    found = []
    for one in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _parent, its = one.read_text().rpartition(")")[2].split()[:3]
            if int(its) == group and state != "Z":
                found.append(int(one.parent.name))
    return found


def test_every_bench_is_run_by_the_harness(root: Path) -> None:
    """Who runs `main` otherwise ends by a signal without a word to its servers."""
    benches = sorted((root / "bench").glob("[a-z]*.py"))
    assert {path.stem for path in benches} >= {"beside", "demo", "fresh", "growth", "items", "looks", "mends", "scan"}
    assert [path.stem for path in benches if not path.read_text().endswith("    harness.run(main)\n")] == []


@pytest.mark.parametrize("bench", [scan, items, mends, beside])
def test_a_bench_refuses_too_few_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], bench: ModuleType
) -> None:
    monkeypatch.setattr("sys.argv", [bench.__name__, "--runs", "4"])
    with pytest.raises(SystemExit) as refused:
        bench.main()
    assert refused.value.code == 2
    assert "4 runs are too few: 5 or more" in capsys.readouterr().err


def test_the_rows_of_the_baseline_are_those_that_become_of_what_a_phone_hands_in(
    database: Database, settings: Settings
) -> None:
    cooperative = items.fill(database)
    assert len({site for site, _ in cooperative.sites}) == len(cooperative.sites) == 200
    phone = create_app(settings, database).test_client()
    phone.set_cookie(SIGN_IN_COOKIE, cooperative.token)
    sent = items.bodies([site for site, _ in cooperative.sites])
    answer = phone.post("/api/v1/items", json=sent, headers={"Sec-Fetch-Site": "same-origin"})
    assert {one["status"] for one in answer.get_json()["items"]} == {"stored"}
    bare = json.loads(items.rows(cooperative, cooperative.sites))
    differs = {"id", "happened_at", "recorded_at", "content_sha256"}
    with database.transaction(SYSTEM) as session:
        stored = [
            json.loads(care_logs.rows_json([{name: getattr(log, name) for name in bare[0]}]))[0]
            for log in session.scalars(select(CareLog).order_by(CareLog.position))
        ]
    wanted = {row["site_id"]: {k: v for k, v in row.items() if k not in differs} for row in bare}
    assert {row["site_id"]: {k: v for k, v in row.items() if k not in differs} for row in stored} == wanted


def test_requests_until_readable_are_counted_on_the_page_itself(database: Database, settings: Settings) -> None:
    code = codes.new_code()
    with create_app(settings, database).test_request_context():
        page = render(scan.batch(code), "vi", settings.printed_base())
    html = page.decode()
    assert "<script" not in html
    assert scan.requests_until_readable(html) == 2
    more = '<link rel="stylesheet" href="/b.css"><script src="/c.js"></script><img src="/d.webp"><img src="/e" loading="lazy">'
    assert scan.requests_until_readable(html.replace("</head>", f"{more}</head>")) == 5


@pytest.mark.parametrize(
    ("seconds", "rows", "push", "value", "ok"),
    [
        (44.0, [0, 1000, 0, 1000, 0], 5.0, 880.0, True),
        (46.0, [0, 1000, 0, 1000, 0], 1.0, 920.0, False),
        (20.0, [0, 1000, 1, 1000, 0], 1.0, 400.0, False),
        (20.0, [0, 0, 0, 0, 0], 5.1, 400.0, False),
    ],
)
def test_looks_fails_when_a_goal_is_missed(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    seconds: float,
    rows: list[int],
    push: float,
    value: float,
    *,
    ok: bool,
) -> None:
    told = looks.Told([seconds] * 5, rows, [0.1, push], [0.003] * 5)
    monkeypatch.setattr(looks, "measured", lambda *_: (told, 100.0))
    monkeypatch.setattr("sys.argv", ["looks"])
    assert looks.main() == (0 if ok else 1)
    said: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert said.keys() >= SHAPE
    assert (said["ok"], said["value"], said["push_start_s"], said["listings"]) == (ok, value, push, 1000)


@pytest.mark.parametrize(
    ("buffers", "answer", "value", "ok"),
    [(100, 7, 10.0, True), (40, 7, 4.0, False), (100, 8, 10.0, False)],
)
def test_mends_fails_when_one_is_worth_too_little_or_answers_otherwise(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    buffers: int,
    answer: int,
    value: float,
    *,
    ok: bool,
) -> None:
    def asked(buffers: int, answer: int) -> mends.Asked:
        return mends.Asked(meters.Cost(buffers=buffers), answer)

    found = [
        mends.Compared(mends.Mend(1, "one", lambda *_: 7), [asked(buffers, 7)] * 5, [asked(10, answer)] * 5),
        mends.Compared(mends.Mend(2, "other", lambda *_: 7, goal=2), [asked(30, 7)] * 5, [asked(0, 7)] * 5),
    ]
    monkeypatch.setattr(mends, "measured", lambda *_: found)
    monkeypatch.setattr("sys.argv", ["mends"])
    assert mends.main() == (0 if ok else 1)
    said: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert said.keys() >= SHAPE
    assert (said["ok"], said["value"], said["goal"], said["worst"]) == (ok, value, 5.0, "one")
    assert said["differing"] == ([] if answer == 7 else ["one"])
    assert said["ratios"] == {"1 one": value, "2 other": 30.0}


@pytest.mark.slow
def test_what_was_asked_before_a_mend_and_what_is_asked_now_find_the_same(demo_database: Database) -> None:
    owner_url = owner_of(demo_database.url)
    database = Database(owner_url, application="hoi-test", pool_size=2)
    with psycopg.connect(owner_url, autocommit=True) as owner, psycopg.connect(owner_url, autocommit=True) as into:
        _province.enrich(owner, every_village=False)
        people = walk.everybody(database, walk.SHORT)
        _province.grow(owner, into, _province.Size("some", organisations=1, happening=2, own=2, members=1, history=1))
        world = mends.look_around(database, owner, people)
    told = {}
    for mend in mends.MENDS:
        found = mends.Compared(mend)
        for old, side in ((True, found.old), (False, found.new)):
            with mends.undone(database, mend, world, old=old) as session:
                act = mend.ask_before if old else mend.after
                side.append(mends.Asked(meters.Cost(), act(session, world)))
        told[mend.what] = found
    database.dispose()
    assert [what for what, found in told.items() if not found.agrees] == []
    # What is compared by the number itself is what the mend is about.
    counted = {what: (f.old[0].answer, f.new[0].answer) for what, f in told.items() if f.mend.by == "number"}
    assert counted[f"answers kept of {mends.STEPS} steps that change a count"] == (mends.STEPS, 0)

"""The supervisor restarts what falls, ends everything in order, and cleans up after one that was killed."""

import errno
import http.server
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app import local, supervisor
from app.errors import SetupError
from app.front.__main__ import options
from app.local import logfiles
from app.local.processes import lives
from app.settings import ROOT, child_environment
from app.supervisor import Child, Supervisor
from worker.schedule import QUEUES

SLEEPER = "import signal; signal.pause()"
STUBBORN = (
    "import os, signal, subprocess, sys\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'])\n"
    "print(child.pid, flush=True)\n"
    "signal.pause()\n"
)
OWNER = """
import os, pathlib, signal, sys
from app import local, supervisor
directory = local.prepare(pathlib.Path(sys.argv[1]))
keeper = supervisor.Supervisor(directory, dict(os.environ), print)  # noqa
keeper.start(supervisor.Child("sleeper", "Ngủ", (sys.executable, "-c", sys.argv[2]), stop_seconds=1))
print(keeper.pids()["sleeper"], flush=True)
signal.pause()
"""


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def keeper(tmp_path: Path, said: list[str]) -> Iterator[Supervisor]:
    keeper = Supervisor(local.prepare(tmp_path), child_environment(clean=True), said.append)
    yield keeper
    keeper.stop()


def child(code: str = SLEEPER, **values: Any) -> Child:
    return Child("sleeper", "Ngủ", (sys.executable, "-c", code), **values)


def test_a_killed_child_is_back_and_the_user_is_told(
    keeper: Supervisor, said: list[str], wait_for: Callable[..., Any]
) -> None:
    keeper.start(child())
    first = keeper.pids()["sleeper"]
    os.kill(first, signal.SIGKILL)

    def back() -> bool:
        keeper.tend()
        return keeper.pids().get("sleeper", first) != first

    wait_for(back, 10, "a new child")
    assert said == ["! Ngủ vừa dừng (tín hiệu SIGKILL), chạy lại sau 0,5 giây"]
    assert (keeper.directory / "run" / "sleeper.pid").read_text() == f"{keeper.pids()['sleeper']}\n"


def test_a_child_that_keeps_falling_waits_longer_each_time_and_its_log_is_shown(
    keeper: Supervisor, said: list[str], monkeypatch: pytest.MonkeyPatch, wait_for: Callable[..., Any]
) -> None:
    monkeypatch.setattr("app.supervisor.keeper.BACKOFF_SECONDS", (0.0, 0.01, 0.02, 0.03))
    keeper.start(child("print('không có thư viện', flush=True); raise SystemExit(3)"))

    def fell() -> bool:
        keeper.tend()
        return len([line for line in said if line.startswith("!")]) == 4

    wait_for(fell, 20, "four falls")
    assert [line for line in said if line.startswith("!")] == [
        f"! Ngủ vừa dừng (mã 3), chạy lại sau {wait} giây" for wait in ("0,0", "0,0", "0,0", "0,0")
    ]
    (shown,) = [line for line in said if not line.startswith("!")]
    assert shown.endswith("không có thư viện\nkhông có thư viện\nkhông có thư viện")


def test_a_child_that_never_answers_ends_the_start_with_the_end_of_its_log(keeper: Supervisor) -> None:
    keeper.start(child("print('cổng bận'); raise SystemExit(1)", ready=lambda: False))
    with pytest.raises(SetupError) as refused:
        keeper.wait_ready("sleeper", 20)
    assert refused.value.vi.endswith("cổng bận")


def test_stop_ends_a_stubborn_child_and_its_own_children(keeper: Supervisor, wait_for: Callable[..., Any]) -> None:
    keeper.start(child(STUBBORN, stop_seconds=0.3))
    log = keeper.directory / "log" / "sleeper.log"
    grandchild = int(wait_for(log.read_text, 10, "the grandchild's number"))
    pid = keeper.pids()["sleeper"]
    keeper.stop()
    assert keeper.pids() == {}
    assert not lives(pid)
    wait_for(lambda: not lives(grandchild), 5, "the grandchild to end")
    assert not (keeper.directory / "run" / "sleeper.pid").exists()


def test_the_children_of_a_fallen_child_are_ended_before_it_starts_again(
    keeper: Supervisor, wait_for: Callable[..., Any]
) -> None:
    keeper.start(child(STUBBORN, stop_seconds=0.3))
    log = keeper.directory / "log" / "sleeper.log"
    grandchild = int(wait_for(log.read_text, 10, "the grandchild's number"))
    os.kill(keeper.pids()["sleeper"], signal.SIGKILL)

    def ended() -> bool:
        keeper.tend()
        return not lives(grandchild)

    wait_for(ended, 5, "the grandchild to end")


def test_children_end_with_a_killed_supervisor(tmp_path: Path, wait_for: Callable[..., Any]) -> None:
    with owner(tmp_path, SLEEPER) as process:
        pid = first_number(process)
        process.kill()
    wait_for(lambda: not lives(pid), 5, "the child to end with its supervisor")


def test_what_a_killed_supervisor_left_is_cleared_at_the_next_start(
    tmp_path: Path, wait_for: Callable[..., Any]
) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True)\nwhile True: signal.pause()"
    with owner(tmp_path, deaf) as process:
        pid = first_number(process)
        wait_for(lambda: (tmp_path / "log" / "sleeper.log").read_text() == "deaf\n", 10, "deafness")
        process.kill()
    assert lives(pid)
    assert supervisor.clear_leftovers(tmp_path.resolve(), 0.2) == 1
    wait_for(lambda: not lives(pid), 5, "the leftover to end")
    assert list((tmp_path / "run").glob("*.pid")) == []
    assert supervisor.clear_leftovers(tmp_path.resolve(), 0.2) == 0


def owner(directory: Path, code: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", OWNER, str(directory), code], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def first_number(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


def test_a_stale_pid_file_harms_nobody(tmp_path: Path) -> None:
    local.prepare(tmp_path)
    with subprocess.Popen(["sleep", "60"]) as stranger:
        (tmp_path / "run" / "web.pid").write_text(f"{stranger.pid}\n")
        assert supervisor.clear_leftovers(tmp_path, 0.1) == 0
        assert stranger.poll() is None
        stranger.kill()
    assert not (tmp_path / "run" / "web.pid").exists()


def test_fallen_servers_are_mended_and_a_failing_mend_is_told_and_tried_again_later(
    tmp_path: Path, said: list[str]
) -> None:
    tries: list[int] = []

    def mend() -> None:
        tries.append(len(tries))
        if len(tries) == 1:
            raise SetupError("broken", vi="Ổ đĩa đã đầy.", en="The disk is full.")

    keeper = Supervisor(
        local.prepare(tmp_path), {}, said.append, servers_alive=lambda: len(tries) > 1, mend_servers=mend
    )
    keeper.tend()
    keeper.tend()
    assert (tries, said[-1]) == ([0], "✗ Ổ đĩa đã đầy."), "not at once again"
    keeper._mend_at = 0
    keeper.tend()
    keeper.tend()
    assert (tries, said[-1]) == ([0, 1], "✓ Máy chủ dữ liệu đã chạy lại")


def test_a_full_disk_or_a_failing_fork_ends_nothing_and_is_told_and_tried_again(
    keeper: Supervisor, said: list[str], monkeypatch: pytest.MonkeyPatch, wait_for: Callable[..., Any]
) -> None:
    monkeypatch.setattr("app.supervisor.keeper.BACKOFF_SECONDS", (0.0, 0.01))
    refusals = [OSError(errno.ENOMEM, "no memory"), OSError(errno.ENOSPC, "full")]

    def full(directory: Path, name: str) -> Path:
        if refusals:
            raise refusals.pop()
        return local.log_file(directory, name)

    keeper.start(child())
    first = keeper.pids()["sleeper"]
    monkeypatch.setattr("app.supervisor.keeper.log_file", full)
    os.kill(first, signal.SIGKILL)

    def back() -> bool:
        keeper.tend()
        return keeper.pids().get("sleeper", first) != first

    wait_for(back, 10, "a new child")
    assert refusals == []
    assert said[1:5:2] == ["✗ Ngủ chưa chạy lại được, thử lại sau 0,0 giây"] * 2
    assert "đã đầy" in said[2]
    assert "hết bộ nhớ" in said[4]


def test_a_start_on_a_full_disk_is_told_in_words(keeper: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_directory: Path, _name: str) -> Path:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr("app.supervisor.keeper.log_file", full)
    with pytest.raises(SetupError) as refused:
        keeper.start(child())
    assert refused.value.code == "disk_full"


def test_a_pid_file_that_cannot_be_written_and_a_closed_terminal_cost_no_process(
    tmp_path: Path, wait_for: Callable[..., Any]
) -> None:
    def closed(_message: str) -> None:
        raise BrokenPipeError

    keeper = Supervisor(local.prepare(tmp_path), child_environment(clean=True), closed)
    (tmp_path / "run" / "sleeper.pid").mkdir()
    keeper.start(child())
    first = keeper.pids()["sleeper"]
    os.kill(first, signal.SIGKILL)

    def back() -> bool:
        keeper.tend()
        return keeper.pids().get("sleeper", first) != first

    wait_for(back, 10, "a new child")
    (tmp_path / "run" / "sleeper.pid").rmdir()
    keeper.stop()


def test_servers_that_cannot_be_mended_for_a_full_disk_end_nothing(tmp_path: Path, said: list[str]) -> None:
    def mend() -> None:
        raise OSError(errno.ENOSPC, "full")

    keeper = Supervisor(local.prepare(tmp_path), {}, said.append, servers_alive=lambda: False, mend_servers=mend)
    keeper.tend()
    keeper.tend()
    assert said[1:] == [
        f"✗ Ổ đĩa chứa {tmp_path} đã đầy. Hãy dọn bớt rồi chạy lại; xem chỗ trống bằng: df -h '{tmp_path}'"
    ]


def test_a_look_at_the_servers_that_fails_ends_nothing(tmp_path: Path, said: list[str]) -> None:
    def blind() -> bool:
        raise OSError(errno.EMFILE, "too many open files")

    keeper = Supervisor(local.prepare(tmp_path), {}, said.append, servers_alive=blind)
    keeper.tend()
    assert len(said) == 1


def test_logs_turn_over_while_everything_runs(
    keeper: Supervisor, monkeypatch: pytest.MonkeyPatch, wait_for: Callable[..., Any]
) -> None:
    monkeypatch.setattr(logfiles, "LOG_BYTES", 200)
    monkeypatch.setattr("app.supervisor.keeper.TURN_SECONDS", 0.0)
    keeper.start(
        child("import sys\nfor line in sys.stdin: pass\nprint('a' * 300, flush=True)\nimport signal; signal.pause()")
    )
    log = keeper.directory / "log" / "sleeper.log"
    (keeper.directory / "log" / "postgres.log").write_text("b" * 300)
    wait_for(log.read_text, 10, "a long log")
    keeper.tend()
    kept = {path.name: path.read_text() for path in log.parent.iterdir()}
    assert kept == {
        "sleeper.log": "",
        "sleeper.log.1": "a" * 300 + "\n",
        "postgres.log": "",
        "postgres.log.1": "b" * 300,
    }


def test_a_log_that_cannot_be_turned_over_is_told_and_ends_nothing(
    keeper: Supervisor, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_source: Path, target: Path) -> None:
        target.write_text("lo")
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(logfiles, "LOG_BYTES", 1)
    monkeypatch.setattr(shutil, "copyfile", full)
    (keeper.directory / "log" / "web.log").write_text("long")
    keeper.tend()
    keeper.tend()
    assert len(said) == 1
    assert "đã đầy" in said[0]
    assert {path.name: path.read_text() for path in (keeper.directory / "log").iterdir()} == {"web.log": "long"}


def test_the_web_has_longer_to_end_than_granian_gives_its_workers() -> None:
    web = supervisor.web("127.0.0.1", 8000, 1, 8)
    given = float(web.command[web.command.index("--workers-kill-timeout") + 1])
    assert web.stop_seconds > given + 1


def test_several_web_processes_keep_their_figures_together(tmp_path: Path) -> None:
    assert supervisor.web("127.0.0.1", 8000, 1, 8, tmp_path).environment == {"HOI_WEB_THREADS": "8"}
    together = {"HOI_WEB_THREADS": "8", "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    assert supervisor.web("127.0.0.1", 8000, 2, 8, tmp_path).environment == together
    unit = (ROOT / "deploy" / "hoi-web.service").read_text()
    assert "\nExecStart=/opt/hoi/.venv/bin/python -m app.front --host" in unit
    assert "\nRuntimeDirectory=hoi-web\nEnvironment=PROMETHEUS_MULTIPROC_DIR=/run/hoi-web\n" in unit


def test_the_web_has_as_many_processes_as_the_settings_say_unless_it_is_told() -> None:
    ours, front = ["--interface", "rsgi", "--factory"], "app.front:create"
    assert options(["--port", "1"], 3, front) == [*ours, "--workers", "3", "--port", "1", front]
    assert options(["--workers", "2"], 3, front) == [*ours, "--workers", "2", front]


def test_only_the_demo_has_the_demos_pages_and_job() -> None:
    def command(*, demo: bool) -> str:
        web = supervisor.web("127.0.0.1", 8000, 1, 8, demo=demo)
        return " ".join((*web.command, *supervisor.bulk(1, demo=demo).command))

    assert "demo" not in command(demo=False)
    assert {" -m demo.front ", " --include worker.tasks,demo.jobs"} <= set(
        re.findall(r" -m demo\.front | --include \S+", command(demo=True))
    )


@pytest.mark.parametrize(
    ("service", "follows"),
    [
        ("hoi-web.service", {"HOI_WEB_HOST", "HOI_WEB_PORT"}),
        ("hoi-caller.service", {"HOI_CALLER_THREADS"}),
        ("hoi-looker.service", {"HOI_LOOKER_THREADS"}),
        ("hoi-worker.service", {"HOI_WORKER_PROCESSES"}),
        ("hoi-bulk.service", {"HOI_BULK_PROCESSES"}),
    ],
)
def test_the_service_files_follow_the_settings_and_name_their_usual_values_first(
    service: str, follows: set[str]
) -> None:
    unit = (ROOT / "deploy" / service).read_text()
    before, _, after = unit.partition("EnvironmentFile=/etc/hoi.env\n")
    assert set(re.findall(r"(HOI_\w+)=", before)) == follows
    assert set(re.findall(r"\$\{(HOI_\w+)\}", after)) == follows


def test_one_supervisor_per_directory(tmp_path: Path) -> None:
    local.prepare(tmp_path)
    with supervisor.only_one(tmp_path) as mine:
        assert mine
        supervisor.announce(tmp_path, {"url": "http://127.0.0.1:8000"})
        with supervisor.only_one(tmp_path) as second:
            assert not second
            assert supervisor.announced(tmp_path) == {"url": "http://127.0.0.1:8000"}
    assert supervisor.announced(tmp_path, 0.1) is None
    with supervisor.only_one(tmp_path) as mine:
        assert mine


def test_the_second_waits_for_the_first_to_be_up(tmp_path: Path) -> None:
    local.prepare(tmp_path)
    with supervisor.only_one(tmp_path):
        timer = threading.Timer(0.3, supervisor.announce, (tmp_path, {"url": "here"}))
        timer.start()
        assert supervisor.announced(tmp_path, 20) == {"url": "here"}
        timer.join()


def test_an_announcement_of_a_killed_supervisor_is_not_believed(tmp_path: Path) -> None:
    local.prepare(tmp_path)
    supervisor.announce(tmp_path, {"url": "http://127.0.0.1:8000"})
    with supervisor.only_one(tmp_path) as mine:
        assert mine
        assert not (tmp_path / "run" / "running.json").exists()
    (tmp_path / "run" / "running.json").write_text(json.dumps({})[:1])
    assert supervisor.announced(tmp_path, 0.1) is None


def test_a_taken_port_is_passed_over_and_two_starts_at_once_get_two_ports() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        wanted = taken.getsockname()[1]
        first = supervisor.free_port("127.0.0.1", wanted)
        second = supervisor.free_port("127.0.0.1", wanted)
        with first.hold, second.hold:
            assert wanted < first.number < second.number


def test_no_free_port_is_told_with_the_setting_that_helps() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SetupError) as refused:
        supervisor.free_port("127.0.0.1", taken.getsockname()[1], tries=1)
    assert "HOI_WEB_PORT" in refused.value.vi


def test_only_200_is_an_answer() -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/healthz" else 503)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        assert supervisor.answers("0.0.0.0", server.server_port, "/healthz")  # noqa: S104 - asked, not bound
        assert not supervisor.answers("127.0.0.1", server.server_port, "/readyz")
        server.shutdown()
        thread.join()
    assert not supervisor.answers("127.0.0.1", server.server_port, "/healthz")


def test_every_queue_is_served_by_a_unit() -> None:
    units = (path.read_text() for path in (ROOT / "deploy").glob("hoi-*.service"))
    served = [queue for unit in units for queue in re.findall(r"--queues (\S+)", unit)]
    assert sorted(served) == sorted(QUEUES)

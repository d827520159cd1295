"""`./hoi demo` itself, as a visitor types it: it comes up beside other programs, survives what kills it, and ends whole."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from app import local, supervisor
from app.local.processes import leader_of, processes_of
from app.local.sockets import addresses, known_sockets
from app.settings import ROOT, child_environment
from app.supervisor.holding import _marked
from app.supervisor.keeper import MARK
from demo import cast

KEPT = ("personal_data", "organisations", "places", "products", "care_logs", "batches", "trace_codes")


class DemoCommand:
    """One directory in which `./hoi demo` runs, again and again."""

    def __init__(self, home: Path, wait_for: Callable[..., Any]) -> None:
        self.var = (home / "var").resolve()
        self.wait_for = wait_for
        self.said = home / "said"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Returns what it said until it was up."""
        with self.said.open("wb") as said:
            self.process = subprocess.Popen(
                [ROOT / "hoi", "demo"],
                cwd="/",
                env=child_environment(clean=True, var=self.var),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
        self.wait_for(lambda: "Dừng bằng Ctrl-C." in self.words() or not self.lives(), 120, "the demo to be up")
        assert self.lives(), self.words()
        return self.words()

    def words(self) -> str:
        return self.said.read_text(encoding="utf-8")

    def lives(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def facts(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.var / "run" / "running.json").read_text(encoding="utf-8"))
        return found

    def port(self) -> int:
        return int(self.facts()["url"].rpartition(":")[2])

    def ready(self) -> bool:
        return supervisor.answers("127.0.0.1", self.port(), "/readyz")

    def rows(self) -> dict[str, int]:
        sockets = known_sockets(self.var)
        assert sockets is not None
        with psycopg.connect(addresses(sockets).owner_url) as connection:
            return {
                table: connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()[0]  # type: ignore[index]
                for table in KEPT
            }

    def application(self) -> list[int]:
        """Living processes that its supervisor started."""
        return _marked(f"{MARK}={self.var}".encode())

    def end(self) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        local.stop(self.var)


@pytest.fixture
def demo(wait_for: Callable[..., Any]) -> Iterator[DemoCommand]:
    home = Path(tempfile.mkdtemp(prefix="hd-", dir="/tmp"))
    home.chmod(0o755)
    command = DemoCommand(home, wait_for)
    yield command
    command.end()
    shutil.rmtree(home)


@pytest.fixture
def ports_taken() -> Iterator[None]:
    """Somebody else listens where the demo would."""
    with contextlib.ExitStack() as stack:
        for port in (8000, 8100):
            with contextlib.suppress(OSError):  # taken already, which is as good
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
        yield


@pytest.mark.slow
@pytest.mark.faults
def test_the_demo_comes_up_survives_and_ends(
    demo: DemoCommand, ports_taken: None, wait_for: Callable[..., Any]
) -> None:
    said = demo.start()
    assert demo.port() > 8000
    assert f"✓ Web ở http://127.0.0.1:{demo.port()} (" in said
    double = int(said.partition("✓ Sàn mô phỏng ở http://127.0.0.1:")[2].split()[0])
    assert double > 8100
    assert supervisor.answers("127.0.0.1", double, "/")
    for title in cast.DOORS.values():
        assert f"  {title}\n" in said
    assert f"http://127.0.0.1:{demo.port()}/t/" in said
    assert demo.ready()
    before = demo.rows()
    assert all(count > 0 for count in before.values())

    os.kill(demo.facts()["pid"], signal.SIGKILL)
    assert demo.process is not None
    demo.process.wait(10)
    assert f"http://127.0.0.1:{demo.port()}/t/" in demo.start()
    assert demo.ready()
    assert demo.rows() == before

    leader = leader_of(demo.var / "postgres")
    (broker,) = processes_of(demo.var / "valkey", "-server")
    assert leader is not None
    os.kill(leader, signal.SIGKILL)
    os.kill(broker, signal.SIGKILL)
    wait_for(lambda: "✓ Máy chủ dữ liệu đã chạy lại" in demo.words(), 60, "the servers to be mended")
    wait_for(demo.ready, 30, "the web to be ready again")
    assert leader_of(demo.var / "postgres") not in {None, leader}
    assert demo.rows() == before

    assert len(demo.application()) >= 6
    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(60) == 0
    assert demo.words().endswith(f"✓ Đã dừng. Dữ liệu vẫn còn trong {demo.var}\n")
    assert demo.application() == []
    assert not local.alive(demo.var, valkey=False)
    assert not local.alive(demo.var, postgres=False)

"""`up` and `demo`: the whole installation in the foreground, from the servers to the four doors, until Ctrl-C."""

import contextlib
import functools
import os
import signal
import subprocess
import sys
import time
from types import FrameType

import click
import pydantic

from app import local, supervisor
from app import settings as settings_module
from app.cli.directory import claim_data, kept_secret, metrics_folder
from app.cli.logins import warn_of_defaults, warn_of_one_login
from app.cli.output import say, say_done, step
from app.cli.servers import embedded, start_servers, with_servers
from app.errors import SetupError
from app.settings import OWNER_VARIABLE, ROOT, Settings, child_environment

DEMO_WEB = 2  # web processes: it is a guest on somebody's computer


@click.command()
def up() -> None:
    """Chạy Hồi: máy chủ dữ liệu, web, việc nền. Dừng bằng Ctrl-C."""
    run_province(settings_module.load())


@click.command()
def demo() -> None:
    """Chạy Hồi với dữ liệu mẫu Lạng Sơn và một sàn mô phỏng. Chạy lại thì giữ nguyên dữ liệu."""
    settings = settings_module.load()
    few = settings.web_workers if "web_workers" in settings.model_fields_set else min(settings.web_workers, DEMO_WEB)
    demo_ = {"demo": True, "clock_movable": True, "channel_sandbox": True, "web_workers": few}
    run_province(settings.model_copy(update=demo_))


def run_province(settings: Settings) -> None:
    """Run everything in the foreground until Ctrl-C or SIGTERM."""
    # SIGINT too: a shell starts what runs in the background with it ignored, and nothing would ever stop us by it.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    local.prepare(settings.var)
    settings = settings.model_copy(update={"var": settings.var.resolve()})
    with supervisor.only_one(settings.var) as mine:
        if not mine:
            say_running(settings)
            return
        if left := supervisor.clear_leftovers(settings.var):
            say(f"✓ Đã dọn {left} tiến trình còn sót của lần chạy trước")
        claim_data(settings)
        with local.in_use(settings.var):
            _run(settings)
        say(f"✓ Đã dừng. Dữ liệu vẫn còn trong {settings.var}")


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def say_running(settings: Settings) -> None:
    facts = supervisor.announced(settings.var)
    if facts is None:
        raise SetupError(
            "running_without_answer",
            vi=f"Một lệnh hoi khác đang giữ {settings.var} nhưng chưa lên xong. Chờ nó xong, hoặc dừng nó (Ctrl-C ở cửa sổ kia) rồi chạy lại.",
            en=f"Another hoi holds {settings.var} and is not up yet. Wait, or stop it and try again.",
        )
    say(
        f"Hồi đang chạy sẵn ở {facts['url']} (tiến trình {facts['pid']}). Dừng bằng Ctrl-C ở cửa sổ kia, hoặc: kill {facts['pid']}"
    )
    if settings.demo and not facts["demo"]:
        say("  Bản đang chạy không có dữ liệu mẫu. Muốn xem bản mẫu: HOI_VAR=/tmp/hoi-demo ./hoi demo")


def _run(configured: Settings) -> None:
    processes: supervisor.Supervisor | None = None
    try:
        warn_of_one_login(configured)
        settings = with_servers(configured, say_done)
        warn_of_defaults(configured)
        with step("Cấu trúc dữ liệu và đơn vị hành chính"):
            lines = run_module(settings, "app.cli.reference", as_owner=True).splitlines()
        web = supervisor.free_port(settings.web_host, settings.web_port)
        double = supervisor.free_port("127.0.0.1", settings.double_port) if settings.demo else None
        settings = settings.model_copy(
            update={
                "secret_key": settings.secret_key or pydantic.SecretStr(kept_secret(settings.var / "secret_key")),
                "web_port": web.number,
                "double_port": double.number if double else settings.double_port,
            }
        )
        processes = supervisor.Supervisor(
            settings.var,
            environment(settings),
            say,
            servers_alive=functools.partial(local.alive, settings.var, **embedded(configured)),
            mend_servers=functools.partial(start_servers, configured),
        )
        if settings.demo:
            processes.start(supervisor.double(settings.double_port, settings.var))
            lines = load_demo(settings)
        _start(processes, settings, lines)
        _keep(processes)
    finally:
        # A second Ctrl-C while ending must not leave anything behind; every wait below has a limit.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        if processes is not None:
            say("\nĐang dừng…")
            for together in (("web", "scheduler", "relay", "worker", "bulk", "caller", "looker"), ("double",)):
                processes.stop(together)


def environment(settings: Settings) -> dict[str, str]:
    """What every process of this installation gets, secrets included: by environment, never by command line."""
    names = (
        "var",
        "database_url",
        "redis_url",
        "web_host",
        "web_port",
        "web_workers",
        "double_port",
        "demo",
        "clock_movable",
        "channel_sandbox",
    )
    secret = settings.secret_key.get_secret_value() if settings.secret_key else None
    return child_environment(secret_key=secret, **{name: getattr(settings, name) for name in names})


def _start(processes: supervisor.Supervisor, settings: Settings, lines: list[str]) -> None:
    """Web first: it is what somebody waits for, and two cores are quickly busy."""
    began = time.monotonic()
    metrics = metrics_folder(settings) if settings.web_workers > 1 else None
    listens = (settings.web_host, settings.web_port)
    processes.start(supervisor.web(*listens, settings.web_workers, settings.web_threads, metrics, demo=settings.demo))
    processes.wait_ready("web")
    say_done(f"Web ở {address(settings)}", time.monotonic() - began)
    supervisor.announce(
        settings.var, {"pid": os.getpid(), "url": address(settings), "demo": settings.demo, "pids": processes.pids()}
    )
    if settings.demo:
        processes.wait_ready("double")
        say(f"✓ Sàn mô phỏng ở http://127.0.0.1:{settings.double_port}")
    for line in lines:
        say(f"  {line}")
    for child in (
        supervisor.relay(),
        supervisor.worker(settings.worker_processes),
        supervisor.bulk(settings.bulk_processes, demo=settings.demo),
        supervisor.caller(settings.caller_threads),
        supervisor.looker(settings.looker_threads),
        supervisor.scheduler(settings.var),
    ):
        processes.start(child)
    say("Dừng bằng Ctrl-C.")


def address(settings: Settings) -> str:
    host = supervisor.reached_at(settings.web_host)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.web_port}"


def _keep(processes: supervisor.Supervisor) -> None:
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            processes.tend()
            time.sleep(0.25)


def load_demo(settings: Settings) -> list[str]:
    """Fill an empty province with the demo; leave one that is filled as it is. Returns what to print: who signs in where."""
    with step("Dữ liệu mẫu Lạng Sơn"):
        return run_module(settings, "demo", address(settings)).splitlines()


def run_module(settings: Settings, *arguments: str, as_owner: bool = False) -> str:
    """Run one of our modules to its end, in a process of its own: what it imports would stay in this one's memory for days.

    `as_owner`: it is told the database's owner, which no process that stays is. Returns what it printed. Raises SetupError with its last words.
    """
    command = [sys.executable, "-m", *arguments]
    told = environment(settings) | ({OWNER_VARIABLE: settings.owner_url()} if as_owner else {})
    result = subprocess.run(command, cwd=ROOT, env=told, capture_output=True, text=True, check=False)
    if result.returncode:
        last = "\n".join(result.stderr.rstrip().splitlines()[-12:])
        raise SetupError(
            "preparation_failed",
            vi=f"Không chuẩn bị được dữ liệu ({arguments[0]}). Lời báo cuối:\n{last}",
            en=f"The data could not be prepared ({arguments[0]}). Its last words:\n{last}",
        )
    return result.stdout

"""The command line `hoi`: runs the province, moves its database forward, tests and measures it."""

import contextlib
import functools
import hashlib
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from pkgutil import resolve_name
from types import FrameType

import click
import psycopg
import pydantic
import redis
from babel.messages.pofile import read_po
from sqlalchemy import text

from app import clock, local, outbox, supervisor
from app import settings as settings_module
from app.actor import SYSTEM
from app.db import Database
from app.errors import HoiError, SetupError
from app.migrations import run as migrations
from app.settings import ROOT, Settings, child_environment
from app.supervisor import vietnamese_seconds

OLDEST_POSTGRES = 150000
LONGEST_WAIT_FOR_SERVERS = 10
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHECKS = {
    "ruff": ("-m", "ruff", "check", "--quiet", "."),
    "ruff format": ("-m", "ruff", "format", "--check", "--quiet", "."),
    "mypy": ("-m", "mypy"),
    "import-linter": ("-c", "from importlinter.cli import lint_imports_command as lint; lint()"),
}
FAST = "not slow and not browser and not faults"


def say(message: str) -> None:
    print(message, flush=True)


@contextlib.contextmanager
def step(done: str) -> Iterator[None]:
    """Say what was done and how long it took."""
    began = time.monotonic()
    yield
    say_done(done, time.monotonic() - began)


def say_done(done: str, seconds: float) -> None:
    say(f"✓ {done} ({vietnamese_seconds(seconds)})")


def main() -> None:
    """Run the command line; every expected failure ends in a sentence that says what mends it, and exit code 1."""
    try:
        hoi(prog_name="./hoi", standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except HoiError as error:
        print(f"✗ {error.vi}", file=sys.stderr)
        sys.exit(1)
    except pydantic.ValidationError as error:
        for trouble in error.errors():
            name = "HOI_" + "_".join(str(part) for part in trouble["loc"]).upper() if trouble["loc"] else "Cài đặt"
            print(f"✗ {name}: {trouble['msg'].removeprefix('Value error, ')}", file=sys.stderr)
        print("  Xem ý nghĩa từng cài đặt trong README.md, phần «Cài đặt».", file=sys.stderr)
        sys.exit(1)
    except (KeyboardInterrupt, click.Abort):
        print("Đã dừng.", file=sys.stderr)
        sys.exit(130)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def hoi() -> None:
    """Hồi: truy xuất nguồn gốc và thương mại OCOP của một tỉnh."""


# The servers: embedded, or the operator's


@contextlib.contextmanager
def servers(settings: Settings) -> Iterator[Settings]:
    """Settings with both addresses filled in. Embedded servers stop at the end, unless another command or `up` uses them too."""
    if not any(embedded(settings).values()):
        yield with_servers(settings)
        return
    with local.in_use(settings.var):
        yield with_servers(settings)


def embedded(settings: Settings) -> dict[str, bool]:
    """Which of the two servers are ours to run."""
    return {"postgres": settings.database_url is None, "valkey": settings.redis_url is None}


def with_servers(settings: Settings, report: local.Report = lambda _text, _seconds: None) -> Settings:
    """Start what is ours and check what is the operator's. Raises SetupError with the way out."""
    if settings.database_url:
        check_database(settings.database_url)
    if settings.redis_url:
        check_broker(settings.redis_url)
    if settings.database_url and settings.redis_url:
        return settings
    started = start_servers(settings, report)
    return settings.model_copy(
        update={
            "database_url": settings.database_url or started.database_url,
            "redis_url": settings.redis_url or started.redis_url,
        }
    )


def start_servers(settings: Settings, report: local.Report = lambda _text, _seconds: None) -> local.Servers:
    return local.start(
        settings.var,
        pg_bin=settings.pg_bin,
        valkey_bin=settings.valkey_bin,
        connections=settings.most_connections(),
        report=report,
        **embedded(settings),
    )


def check_database(url: str) -> None:
    """Raise SetupError with the command that mends it when the operator's PostgreSQL cannot serve us."""
    try:
        connection = psycopg.connect(url, connect_timeout=LONGEST_WAIT_FOR_SERVERS)
    except psycopg.Error as error:
        reason = str(error).strip().splitlines()[-1]
        raise SetupError(
            "database_unreachable",
            vi=f"Không nối được tới PostgreSQL ở HOI_DATABASE_URL: {reason}\n"
            "  Kiểm tra địa chỉ, mật khẩu và tường lửa bằng: psql \"$HOI_DATABASE_URL\" -c 'SELECT 1'\n"
            "  Bỏ biến HOI_DATABASE_URL thì Hồi tự chạy PostgreSQL đi kèm.",
            en=f"Cannot reach the PostgreSQL of HOI_DATABASE_URL: {reason}\n"
            "  Check it with: psql \"$HOI_DATABASE_URL\" -c 'SELECT 1'",
        ) from error
    with connection:
        version = connection.info.server_version
        if version < OLDEST_POSTGRES:
            raise SetupError(
                "database_too_old",
                vi=f"PostgreSQL này là bản {version // 10000}; Hồi cần bản 15 trở lên. Hãy nâng cấp, hoặc bỏ HOI_DATABASE_URL để dùng bản đi kèm.",
                en=f"This PostgreSQL is version {version // 10000}; Hồi needs 15 or newer. Upgrade it, or unset HOI_DATABASE_URL.",
            )
        row = connection.execute(_RIGHTS).fetchone()
    assert row is not None  # noqa: S101 - we are a role ourselves
    user, database, encoding, standby, may_create, may_make_roles, role_exists, may_become, may_grant = row
    wanted = []
    if not role_exists and not may_make_roles:
        wanted.append("CREATE ROLE hoi_app NOLOGIN;")
    if not (may_become or may_grant if role_exists else may_make_roles):
        wanted.append(f'GRANT hoi_app TO "{user}";')
    if not may_create:
        wanted.append(f'ALTER DATABASE "{database}" OWNER TO "{user}";')
        wanted.append(f'GRANT CREATE, USAGE ON SCHEMA public TO "{user}";')
    if standby:
        raise SetupError(
            "database_is_a_standby",
            vi="HOI_DATABASE_URL trỏ tới một bản sao chỉ đọc. Hãy trỏ tới máy chính (primary).",
            en="HOI_DATABASE_URL points at a read-only standby. Point it at the primary.",
        )
    if encoding != "UTF8":
        raise SetupError(
            "database_encoding",
            vi=f"Cơ sở dữ liệu «{database}» dùng bảng mã {encoding}. Hãy tạo lại: CREATE DATABASE hoi ENCODING 'UTF8' TEMPLATE template0;",
            en=f"Database {database} is encoded as {encoding}. Make one with: CREATE DATABASE hoi ENCODING 'UTF8' TEMPLATE template0;",
        )
    if wanted:
        lines = "\n  ".join(wanted)
        raise SetupError(
            "database_rights",
            vi=f"Tài khoản «{user}» chưa đủ quyền trên «{database}». Người quản trị PostgreSQL hãy chạy trong cơ sở dữ liệu đó:\n  {lines}",
            en=f"Login {user} lacks rights on {database}. As PostgreSQL's administrator, in that database, run:\n  {lines}",
        )


# Since 16 a member may lack the right to become the role, and CREATEROLE alone no longer hands out others' roles.
_RIGHTS = """
SELECT current_user, current_database(), current_setting('server_encoding'), pg_is_in_recovery(),
       has_schema_privilege(current_user, 'public', 'CREATE') AND has_database_privilege(current_database(), 'CREATE'),
       me.rolsuper OR me.rolcreaterole,
       app.oid IS NOT NULL,
       app.oid IS NOT NULL AND pg_has_role(me.oid, app.oid, CASE WHEN version >= 160000 THEN 'SET' ELSE 'MEMBER' END),
       app.oid IS NOT NULL AND (version < 160000 AND me.rolcreaterole
                                OR pg_has_role(me.oid, app.oid, 'MEMBER WITH ADMIN OPTION'))
FROM (SELECT current_setting('server_version_num')::int AS version) AS server
JOIN pg_roles AS me ON me.rolname = current_user
LEFT JOIN pg_roles AS app ON app.rolname = 'hoi_app'
"""


def check_broker(url: str) -> None:
    """Raise SetupError when the operator's Valkey or Redis does not answer."""
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=LONGEST_WAIT_FOR_SERVERS) as connection:
            connection.ping()
    except (redis.RedisError, OSError, ValueError) as error:
        raise SetupError(
            "broker_unreachable",
            vi=f"Không nối được tới Valkey/Redis ở HOI_REDIS_URL: {error}\n"
            '  Kiểm tra bằng: redis-cli -u "$HOI_REDIS_URL" ping\n  Bỏ biến HOI_REDIS_URL thì Hồi tự chạy Valkey đi kèm.',
            en=f'Cannot reach the Valkey or Redis of HOI_REDIS_URL: {error}\n  Check it with: redis-cli -u "$HOI_REDIS_URL" ping',
        ) from error


# up and demo


@hoi.command()
def up() -> None:
    """Chạy Hồi: máy chủ dữ liệu, web, việc nền. Dừng bằng Ctrl-C."""
    run_province(settings_module.load())


@hoi.command()
def demo() -> None:
    """Chạy Hồi với dữ liệu mẫu Lạng Sơn và một sàn mô phỏng. Chạy lại thì giữ nguyên dữ liệu."""
    run_province(
        settings_module.load().model_copy(update={"demo": True, "clock_movable": True, "channel_sandbox": True})
    )


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


def claim_data(settings: Settings) -> None:
    """Never mix invented people into real records: a directory is for the demo from its first start, or never."""
    mark = settings.var / "demo"
    used = (settings.var / "postgres" / "PG_VERSION").exists()
    if settings.demo and used and not mark.exists() and settings.database_url is None:
        raise SetupError(
            "real_data_here",
            vi=f"{settings.var} đang giữ dữ liệu thật, không nạp dữ liệu mẫu vào đó. Chạy bản mẫu ở chỗ khác: HOI_VAR=/tmp/hoi-demo ./hoi demo",
            en=f"{settings.var} holds real data; demo data do not go there. Run: HOI_VAR=/tmp/hoi-demo ./hoi demo",
        )
    if settings.demo and not mark.exists():
        mark.write_text(
            "Thư mục này chỉ chứa dữ liệu mẫu; người, hộ và số quyết định trong đó đều bịa ra.\n", encoding="utf-8"
        )
    if not settings.demo and mark.exists():
        say(f"! {settings.var} là dữ liệu mẫu của `hoi demo`. Để ghi dữ liệu thật, đặt HOI_VAR tới thư mục khác.")


def _run(configured: Settings) -> None:
    processes: supervisor.Supervisor | None = None
    doors: list[str] = []
    try:
        settings = with_servers(configured, say_done)
        with step("Cấu trúc dữ liệu"):
            run_module(settings, "app.migrations")
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
            doors = load_demo(settings)
        _start(processes, settings, doors)
        _keep(processes)
    finally:
        # A second Ctrl-C while ending must not leave anything behind; every wait below has a limit.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        if processes is not None:
            say("\nĐang dừng…")
            for together in (("web", "scheduler", "relay", "worker", "caller"), ("double",)):
                processes.stop(together)


def environment(settings: Settings) -> dict[str, str]:
    """What every process of this installation gets, secrets included: by environment, never by command line."""
    names = (
        "var",
        "database_url",
        "redis_url",
        "web_host",
        "web_port",
        "double_port",
        "demo",
        "clock_movable",
        "channel_sandbox",
    )
    secret = settings.secret_key.get_secret_value() if settings.secret_key else None
    return child_environment(secret_key=secret, **{name: getattr(settings, name) for name in names})


def kept_secret(path: Path) -> str:
    """Return the secret in this file; made at the first use, readable by its owner only."""
    with contextlib.suppress(FileExistsError):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(32))
    secret = path.read_text(encoding="ascii").strip()
    if not secret:  # the first start was killed between making and writing
        path.unlink()
        return kept_secret(path)
    return secret


def _start(processes: supervisor.Supervisor, settings: Settings, doors: list[str]) -> None:
    """Web first: it is what somebody waits for, and two cores are quickly busy."""
    began = time.monotonic()
    metrics = metrics_folder(settings) if settings.web_workers > 1 else None
    listens = (settings.web_host, settings.web_port)
    processes.start(supervisor.web(*listens, settings.web_workers, settings.web_threads, metrics))
    processes.wait_ready("web")
    say_done(f"Web ở {address(settings)}", time.monotonic() - began)
    supervisor.announce(
        settings.var, {"pid": os.getpid(), "url": address(settings), "demo": settings.demo, "pids": processes.pids()}
    )
    if settings.demo:
        processes.wait_ready("double")
        say(f"✓ Sàn mô phỏng ở http://127.0.0.1:{settings.double_port}")
    for line in doors:
        say(f"  {line}")
    workers = (supervisor.relay(), supervisor.worker(), supervisor.caller(settings.caller_threads))
    for child in (*workers, supervisor.scheduler(settings.var)):
        processes.start(child)
    say("Dừng bằng Ctrl-C.")


def metrics_folder(settings: Settings) -> Path:
    """An empty folder for the figures that several web processes keep together.

    In memory where there is such a place: the files are mapped, and on a full disk writing to them would kill the process.
    """
    name = f"hoi-metrics-{hashlib.sha256(str(settings.var).encode()).hexdigest()[:16]}"
    memory = Path("/dev/shm")  # noqa: S108 - made anew, private, and refused where somebody else's lies there
    folder = memory / name if os.access(memory, os.W_OK) else settings.var / "run" / "metrics"
    shutil.rmtree(folder, ignore_errors=True)  # what an earlier run left there would be counted again
    try:
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise local.unwritable(folder, error) from error
    return folder


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
        return run_module(settings, "app.doors.demo", address(settings)).splitlines()


def run_module(settings: Settings, *arguments: str) -> str:
    """Run one of our modules to its end, in a process of its own: what it imports would stay in this one's memory for days.

    Returns what it printed. Raises SetupError with its last words.
    """
    command = [sys.executable, "-m", *arguments]
    result = subprocess.run(command, cwd=ROOT, env=environment(settings), capture_output=True, text=True, check=False)
    if result.returncode:
        last = "\n".join(result.stderr.rstrip().splitlines()[-12:])
        raise SetupError(
            "preparation_failed",
            vi=f"Không chuẩn bị được dữ liệu ({arguments[0]}). Lời báo cuối:\n{last}",
            en=f"The data could not be prepared ({arguments[0]}). Its last words:\n{last}",
        )
    return result.stdout


# migrate, clock


@hoi.command()
def migrate() -> None:
    """Đưa cấu trúc cơ sở dữ liệu lên bản mới nhất."""
    with servers(settings_module.load()) as settings, step("Cấu trúc dữ liệu đã ở bản mới nhất"):
        migrations.upgrade(settings.database_url or "")


@hoi.command("clock")
@click.option("--advance", metavar="400d", help="tới trước: số kèm d (ngày), h (giờ), m (phút)")
@click.option("--reset", is_flag=True, help="về giờ thật")
def clock_(advance: str | None, *, reset: bool) -> None:
    """Xem hoặc dời đồng hồ của bản mẫu, cho mọi tiến trình cùng lúc."""
    settings = settings_module.load()
    if not settings.clock_movable and not ((settings.var / "demo").exists() and settings.database_url is None):
        raise SetupError(
            "clock_not_movable",
            vi="Đồng hồ của bản này là giờ thật, không dời được. Chỉ bản mẫu (./hoi demo) mới dời được.",
            en="This installation keeps real time. Only the demo's clock moves.",
        )
    step_on = duration(advance) if advance else None
    with servers(settings) as ready:
        database = Database(ready.database_url or "", clock_movable=True, pool_size=1, application="hoi-cli")
        try:
            with database.transaction(SYSTEM) as session:
                if reset:
                    session.execute(text("UPDATE clock_shift SET shift = '0'"))
                if step_on:
                    session.execute(text("UPDATE clock_shift SET shift = shift + :step"), {"step": step_on})
            with database.transaction(SYSTEM):
                say(
                    f"Đồng hồ của Hồi: {clock.local(clock.now()):%H:%M ngày %d/%m/%Y} ({vietnamese_shift(clock.current_shift())})"
                )
        finally:
            database.dispose()


def duration(spelled: str) -> timedelta:
    """Parse 400d, 36h or 90m. Raises click's usage error for anything else."""
    found = re.fullmatch(r"([0-9]{1,5})([dhm])", spelled.strip())
    if found is None:
        raise click.BadParameter(f"không hiểu «{spelled}»; ví dụ đúng: 400d, 36h, 90m", param_hint="--advance")
    unit = {"d": "days", "h": "hours", "m": "minutes"}[found[2]]
    return timedelta(**{unit: int(found[1])})


def vietnamese_shift(shift: timedelta) -> str:
    if not shift:
        return "giờ thật"
    hours, minutes = divmod(shift.seconds // 60, 60)
    parts = [f"{n} {name}" for n, name in ((shift.days, "ngày"), (hours, "giờ"), (minutes, "phút")) if n]
    return "đi trước giờ thật " + " ".join(parts)


# deliveries


@hoi.command()
@click.option("--revive", is_flag=True, help="làm lại những việc đã bỏ, sau khi đã sửa nguyên nhân")
@click.option("--reaction", metavar="TÊN", help="chỉ những việc của một loại")
def deliveries(reaction: str | None, *, revive: bool) -> None:
    """Xem những việc nền đã bỏ sau nhiều lần thử, và làm lại."""
    with servers(settings_module.load()) as ready:
        database = Database(
            ready.database_url or "", clock_movable=ready.clock_movable, pool_size=1, application="hoi-cli"
        )
        try:
            with database.transaction(SYSTEM) as session:
                dead = [d for d in outbox.dead_deliveries(session) if reaction in {None, d.reaction}]
                for one in dead:
                    when = f"{clock.local(one.dead_at or clock.machine_now()):%d/%m/%Y %H:%M}"
                    say(f"✗ {one.reaction}  {when}  {one.event_id}\n    {one.dead_reason}")
                revived = outbox.revive(session, reaction) if revive else 0
        finally:
            database.dispose()
    if revive:
        say(f"✓ Đã đưa {revived} việc vào hàng chờ lại")
        if any(d.reaction == outbox.JOBS for d in dead):
            say(f"  Việc {outbox.JOBS} không làm lại từ đây: người đã giao việc mở trang của nó và bấm làm lại.")
    elif dead:
        say(f"{len(dead)} việc đã bỏ. Sửa nguyên nhân nêu trên rồi chạy: ./hoi deliveries --revive")
    else:
        say("✓ Không có việc nào bị bỏ")


# rebuild


@hoi.command()
def rebuild() -> None:
    """Suy lại kết quả của mọi thôn và dựng lại mọi trang công khai, chỉ từ bản ghi gốc."""
    with servers(settings_module.load()) as ready:
        database = Database(
            ready.database_url or "", clock_movable=ready.clock_movable, pool_size=1, application="hoi-cli"
        )
        try:
            with database.transaction(SYSTEM) as session:
                # By name: what these import would weigh on every other command, and on the supervisor for months.
                pages = resolve_name("app.trace.pages:forget_all")(session)
            say(f"✓ {pages} trang công khai sẽ được dựng lại khi có người mở")
            with step("Đã suy lại kết quả của mọi thôn"):
                changed = resolve_name("app.criteria.assessments:rebuild")(database)
        finally:
            database.dispose()
    say(f"  {changed} kết quả khác trước" if changed else "  Không kết quả nào khác trước")


# For developers: check, test, bench


@hoi.command()
def check() -> None:
    """Kiểm mã nguồn: ruff, định dạng, mypy, import-linter, di trú khớp với mô hình."""
    run_checks()
    settings = settings_module.load()
    with local.throw_away(pg_bin=settings.pg_bin, valkey_bin=settings.valkey_bin) as servers_, step("alembic check"):
        migrations.upgrade(servers_.database_url)
        migrations.check(servers_.database_url)


def run_checks() -> None:
    """Run every static check, then raise when one of them found something."""
    failed = []
    for name, arguments in CHECKS.items():
        began = time.monotonic()
        result = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        if result.returncode:
            failed.append(name)
            say(f"✗ {name}\n{(result.stdout + result.stderr).rstrip()}")
        else:
            say_done(name, time.monotonic() - began)
    if failed:
        raise SetupError(
            "checks_failed",
            vi=f"Chưa đạt: {', '.join(failed)}. Sửa những chỗ nêu trên rồi chạy lại.",
            en=f"Not passed: {', '.join(failed)}. Mend the places above and run again.",
        )


@hoi.command(context_settings={"ignore_unknown_options": True})
@click.option("--fast", is_flag=True, help="trả lời trong 3 phút: bỏ trình duyệt, sự cố và các bài chậm")
@click.option("--long", "long_", is_flag=True, help="chạy đủ số lần đã nêu trong yêu cầu (lâu)")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def test(arguments: tuple[str, ...], *, fast: bool, long_: bool) -> None:
    """Kiểm mã nguồn rồi chạy kiểm thử. Tham số khác chuyển thẳng cho pytest; có đường dẫn, -k hay -m thì chỉ chạy phần đó."""
    settings = settings_module.load()
    arguments = tuple(
        str(Path(a).resolve()) if not a.startswith("-") and Path(a.split("::")[0]).exists() else a for a in arguments
    )
    selected = any(a.startswith(("-k", "-m")) or Path(a.split("::")[0]).exists() for a in arguments)
    silence = 7200 if long_ else 300  # seconds after which a test that says nothing shows where it hangs
    command = [sys.executable, "-m", "pytest", "-o", f"faulthandler_timeout={silence}", *arguments]
    if not selected:
        run_checks()
        if not any(a.startswith("-n") for a in arguments):
            command += ["-n", str(max(2, len(os.sched_getaffinity(0)))), "--dist", "worksteal"]
    if fast:
        command += ["-m", FAST]
    if long_:
        command += ["--long"]
    browser = find_browser(settings)
    if browser is None and not fast and not selected:
        browser = install_browser()
    sys.stdout.flush()
    os.chdir(ROOT)
    # Our own place is taken by pytest, so that its summary is the last thing said and its exit code is ours.
    kept = {"chromium": browser, "pg_bin": settings.pg_bin, "valkey_bin": settings.valkey_bin}
    os.execve(sys.executable, command, child_environment(clean=True, **kept))  # noqa: S606 - no shell is wanted


def find_browser(settings: Settings) -> Path | None:
    """Return a Chromium or Chrome of this machine."""
    if settings.chromium is not None:
        if not os.access(settings.chromium, os.X_OK):
            raise SetupError(
                "no_such_browser",
                vi=f"HOI_CHROMIUM trỏ tới {settings.chromium} nhưng không chạy được tệp đó. Sửa hoặc bỏ biến này.",
                en=f"HOI_CHROMIUM names {settings.chromium}, which cannot be run. Mend or unset it.",
            )
        return settings.chromium
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    return Path(found) if found else None


def install_browser() -> Path:
    """Install Debian's Chromium when we are root; else raise with the one command that does."""
    packages = ("chromium", "fonts-dejavu-core")  # the fonts have every Vietnamese letter
    install = ("apt-get", "install", "-y", "--no-install-recommends", *packages)
    if os.geteuid() == 0 and shutil.which("apt-get"):
        say("Đang cài trình duyệt Chromium cho kiểm thử…")
        quiet = child_environment() | {"DEBIAN_FRONTEND": "noninteractive"}
        for command in (("apt-get", "update"), install):
            result = subprocess.run(command, env=quiet, capture_output=True, text=True, check=False)
        if result.returncode == 0 and (found := shutil.which(BROWSERS[0])):
            return Path(found)
        say(result.stdout[-1500:] + result.stderr[-1500:])
    raise SetupError(
        "no_browser",
        vi="Thiếu trình duyệt Chromium cho kiểm thử. Hãy chạy:\n"
        f"  sudo apt-get update && sudo {' '.join(install)}\n"
        "  (máy khác Debian: cài Chromium hoặc Chrome, rồi đặt HOI_CHROMIUM tới tệp lệnh; hoặc dùng ./hoi test --fast)",
        en=f"The tests need Chromium: apt-get update, then {' '.join(install)} as root; or name one in HOI_CHROMIUM; or --fast",
    )


@hoi.command()
def translate() -> None:
    """Gom câu chữ tiếng Việt từ mã nguồn vào tệp dịch tiếng Anh, rồi dựng tệp dịch. In số câu còn thiếu."""
    catalog = ROOT / "app" / "locale" / "en" / "LC_MESSAGES" / "messages.po"
    template = ROOT / "var" / "messages.pot"
    template.parent.mkdir(parents=True, exist_ok=True)
    babel = [sys.executable, "-m", "babel.messages.frontend", "-q"]
    extract = ["extract", "-F", "pyproject.toml", "-o", str(template), "--no-location", "--sort-output", "."]
    update = [
        "update",
        "-i",
        str(template),
        "-o",
        str(catalog),
        "-l",
        "en",
        "--no-fuzzy-matching",
        "--ignore-obsolete",
        "--no-wrap",
    ]
    first = ["init", "-i", str(template), "-o", str(catalog), "-l", "en", "--no-wrap"]
    compiled = ["compile", "-i", str(catalog), "-o", str(catalog.with_suffix(".mo")), "-l", "en"]
    for arguments in (extract, update if catalog.exists() else first, compiled):
        subprocess.run([*babel, *arguments], cwd=ROOT, check=True)
    with catalog.open("rb") as file:
        missing = [str(message.id) for message in read_po(file) if message.id and not message.string]
    click.echo(f"Còn {len(missing)} câu chưa có tiếng Anh." if missing else "✓ Mọi câu đều có tiếng Anh")


@hoi.command(context_settings={"ignore_unknown_options": True})
@click.argument("name", required=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def bench(name: str | None, arguments: tuple[str, ...]) -> None:
    """Đo tốc độ: ./hoi bench TÊN. In một dòng JSON ở cuối; không có TÊN thì liệt kê."""
    known = sorted(path.stem for path in (ROOT / "bench").glob("[a-z]*.py"))
    if name not in known:
        raise click.UsageError(
            f"Các phép đo có sẵn: {', '.join(known) or 'chưa có'}. Ví dụ: ./hoi bench {(known or ['scan'])[0]}"
        )
    os.chdir(ROOT)
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, "-m", f"bench.{name}", *arguments], child_environment())  # noqa: S606 - as above

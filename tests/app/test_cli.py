"""The command line says what is missing and what mends it, never mixes the demo with real data, and stops cleanly."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import psycopg
import pytest
from sqlalchemy import text

from app import cli, clock, local, outbox
from app.actor import SYSTEM
from app.db import Database, new_id
from app.errors import SetupError
from app.jobs import JobRequested
from app.migrations import run as migrations
from app.outbox import Delivery
from app.settings import ROOT, Settings, child_environment

CLI = (sys.executable, "-c", "from app.cli import main; main()")


@pytest.fixture
def home() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="hc-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    local.stop(path / "var")
    shutil.rmtree(path)


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


# The operator's servers


def drop(servers: Any, *roles: str) -> None:
    servers.administer(*(f'DROP DATABASE IF EXISTS "{role}" WITH (FORCE)' for role in roles))
    servers.administer(*(f'DROP ROLE IF EXISTS "{role}"' for role in roles))


@pytest.fixture
def weak_login(servers: Any) -> Iterator[str]:
    """A database whose only login for us may do nothing but connect. Roles belong to the whole server."""
    name = f"yeu_{servers.number}"
    servers.administer(f"CREATE ROLE {name} LOGIN", f"CREATE DATABASE {name}")
    yield name
    drop(servers, name)


def test_a_login_with_too_few_rights_gets_the_sql_that_grants_them_and_then_serves(
    weak_login: str, servers: Any
) -> None:
    url = servers.database(weak_login).replace("//hoi@", f"//{weak_login}@")
    with pytest.raises(SetupError) as refused:
        cli.check_database(url)
    assert refused.value.code == "database_rights"
    granted = [line.strip() for line in refused.value.vi.splitlines()[1:]]
    assert granted == [
        f'GRANT hoi_app TO "{weak_login}";',
        f'ALTER DATABASE "{weak_login}" OWNER TO "{weak_login}";',
        f'GRANT CREATE, USAGE ON SCHEMA public TO "{weak_login}";',
    ]
    with psycopg.connect(servers.database(weak_login), autocommit=True) as administrator:
        for statement in granted:
            administrator.execute(statement.encode())
    cli.check_database(url)
    migrations.upgrade(url)
    database = Database(url)
    with database.transaction(SYSTEM) as session:
        assert session.scalar(text("SELECT current_user")) == "hoi_app"
    database.dispose()


def test_an_unreachable_database_is_named_with_the_command_that_checks_it(tmp_path: Path) -> None:
    with pytest.raises(SetupError) as refused:
        cli.check_database(f"postgresql://hoi@/hoi?host={tmp_path}")
    assert refused.value.code == "database_unreachable"
    assert "psql \"$HOI_DATABASE_URL\" -c 'SELECT 1'" in refused.value.vi


def test_a_password_never_stands_in_the_message_about_an_unreachable_database() -> None:
    with pytest.raises(SetupError) as refused:
        cli.check_database("postgresql://hoi:bí-mật-lắm@127.0.0.1:1/hoi")
    assert "bí-mật-lắm" not in refused.value.vi


def test_an_unreachable_broker_is_named_with_the_command_that_checks_it(tmp_path: Path) -> None:
    with pytest.raises(SetupError) as refused:
        cli.check_broker(f"unix://{tmp_path}/nowhere.sock")
    assert refused.value.code == "broker_unreachable"
    assert 'redis-cli -u "$HOI_REDIS_URL" ping' in refused.value.vi


def test_an_old_database_is_refused(servers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "OLDEST_POSTGRES", 990000)
    with pytest.raises(SetupError) as refused:
        cli.check_database(servers.database("postgres"))
    assert refused.value.code == "database_too_old"


def test_a_database_in_another_encoding_is_refused(servers: Any) -> None:
    servers.administer("CREATE DATABASE chu_cu ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0")
    with pytest.raises(SetupError) as refused:
        cli.check_database(servers.database("chu_cu"))
    servers.administer("DROP DATABASE chu_cu")
    assert refused.value.code == "database_encoding"


def test_the_operators_own_servers_are_used_and_none_is_started(
    home: Path, fresh_database: Any, redis_url: str
) -> None:
    done = hoi("migrate", var=home / "var", database_url=fresh_database.url, redis_url=redis_url)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("✓ Cấu trúc dữ liệu đã ở bản mới nhất (")
    assert not (home / "var" / "postgres").exists()
    assert not (home / "var" / "valkey").exists()


@pytest.mark.slow
def test_two_commands_at_once_share_the_servers_and_the_last_stops_them(
    home: Path, wait_for: Callable[..., Any]
) -> None:
    var = home / "var"
    code = (
        "from app import cli, settings\n"
        "with cli.servers(settings.load()) as ready:\n"
        "    print(ready.database_url, flush=True); input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=child_environment(clean=True, var=var),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as first:
        assert first.stdout is not None
        url = first.stdout.readline().strip()
        assert hoi("migrate", var=var).returncode == 0, "the second command ends first"
        with psycopg.connect(url) as connection:
            row = connection.execute("SELECT count(*) FROM alembic_version").fetchone()
        assert row == (1,)
        second = subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env=child_environment(clean=True, var=var),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert second.stdout is not None
        assert second.stdout.readline().strip() == url
        first.communicate("\n", timeout=20)
        with psycopg.connect(url) as connection:
            connection.execute("SELECT 1")
    second.communicate("\n", timeout=20)
    assert (first.returncode, second.returncode) == (0, 0)
    assert not local.alive(var, valkey=False)
    assert not local.alive(var, postgres=False)


# Settings, secrets, data


def test_a_wrong_setting_is_named_in_vietnamese() -> None:
    done = hoi("migrate", public_url="https://hoi.vn/duong/dan", secret_key="ngắn", web_port=99999)
    assert done.returncode == 1
    assert "✗ HOI_PUBLIC_URL: HOI_PUBLIC_URL phải là gốc địa chỉ" in done.stderr
    assert "✗ HOI_WEB_PORT: " in done.stderr
    assert "Traceback" not in done.stderr


def test_the_secret_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "secret_key"
    secret = cli.kept_secret(path)
    assert len(secret) == 64
    assert cli.kept_secret(path) == secret
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_secret_whose_writing_was_interrupted_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "secret_key"
    path.write_text("")
    assert len(cli.kept_secret(path)) == 64


def test_demo_people_are_never_put_among_real_data(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("18\n")
    with pytest.raises(SetupError) as refused:
        cli.claim_data(Settings(var=tmp_path, demo=True, database_url=None))
    assert refused.value.code == "real_data_here"
    assert not (tmp_path / "demo").exists()


def test_a_directory_of_the_demo_stays_one_and_up_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.claim_data(Settings(var=tmp_path, demo=True, database_url=None))
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("18\n")
    cli.claim_data(Settings(var=tmp_path, demo=True, database_url=None))
    assert capsys.readouterr().out == ""
    cli.claim_data(Settings(var=tmp_path, demo=False, database_url=None))
    assert "là dữ liệu mẫu" in capsys.readouterr().out


def test_what_the_processes_get_they_get_by_environment(tmp_path: Path) -> None:
    settings = Settings.model_validate(
        {"var": tmp_path, "database_url": "postgresql://x", "secret_key": "k" * 32, "demo": True, "web_port": 8123}
    )
    environment = cli.environment(settings)
    assert environment["HOI_SECRET_KEY"] == "k" * 32
    assert (environment["HOI_WEB_PORT"], environment["HOI_DEMO"]) == ("8123", "True")
    assert "HOI_REDIS_URL" not in environment


# The clock


@pytest.mark.parametrize(
    ("spelled", "meant"),
    [("400d", timedelta(days=400)), ("36h", timedelta(hours=36)), (" 90m ", timedelta(minutes=90))],
)
def test_durations_are_read(spelled: str, meant: timedelta) -> None:
    assert cli.duration(spelled) == meant


@pytest.mark.parametrize("spelled", ["", "400", "d", "-3d", "3 ngày", "1.5d", "999999d", "٣d"])
def test_other_durations_are_refused_with_an_example(spelled: str) -> None:
    with pytest.raises(click.BadParameter, match="400d"):
        cli.duration(spelled)


def test_real_time_cannot_be_moved(home: Path) -> None:
    done = hoi("clock", "--advance", "1d", var=home / "var")
    assert done.returncode == 1
    assert "Chỉ bản mẫu (./hoi demo) mới dời được" in done.stderr
    assert not (home / "var").exists()


def test_the_demos_clock_moves_is_shown_and_returns(home: Path, fresh_database: Any, redis_url: str) -> None:
    with_servers = {
        "var": home / "var",
        "database_url": fresh_database.url,
        "redis_url": redis_url,
        "clock_movable": True,
    }
    assert "đi trước giờ thật 400 ngày" in hoi("clock", "--advance", "400d", **with_servers).stdout
    assert "đi trước giờ thật 401 ngày 12 giờ" in hoi("clock", "--advance", "36h", **with_servers).stdout
    assert "đi trước giờ thật 401 ngày 12 giờ" in hoi("clock", **with_servers).stdout
    assert "(giờ thật)" in hoi("clock", "--reset", **with_servers).stdout


@pytest.mark.slow
def test_all_that_is_derived_is_made_anew_from_the_records(home: Path, demo_database: Any, redis_url: str) -> None:
    on = {"var": home / "var", "database_url": demo_database.url, "redis_url": redis_url, "clock_movable": True}
    versions = text("SELECT code, language, wanted_version FROM public_pages ORDER BY code, language")
    with demo_database.transaction(SYSTEM) as session:
        before = [tuple(row) for row in session.execute(versions)]
    first = f"✓ {len(before)} trang công khai sẽ được dựng lại khi có người mở\n"
    assert (len(before), hoi("rebuild", **on).stdout.startswith(first)) == (2, True)
    with demo_database.transaction(SYSTEM) as session:
        assert [tuple(row) for row in session.execute(versions)] == [(c, lang, n + 1) for c, lang, n in before]
        answers = session.scalars(text("SELECT count(*) FROM village_assessments")).one()
        villages = session.scalars(text("SELECT count(*) FROM places WHERE level = 'village'")).one()
    assert answers >= villages
    assert hoi("rebuild", **on).stdout.endswith("  Không kết quả nào khác trước\n")
    with demo_database.transaction(SYSTEM) as session:
        assert session.scalars(text("SELECT count(*) FROM village_assessments")).one() == answers


def test_work_that_was_given_up_is_shown_with_its_reason_and_done_again(
    home: Path, fresh_database: Any, redis_url: str
) -> None:
    on = {"var": home / "var", "database_url": fresh_database.url, "redis_url": redis_url}
    assert hoi("deliveries", **on).stdout == "✓ Không có việc nào bị bỏ\n"
    with fresh_database.transaction(SYSTEM) as session:
        event = outbox.publish(session, SYSTEM, JobRequested(job_id=new_id()))
        session.flush()
        for reaction in ("jobs.run", "a.reaction", "another.reaction"):
            session.add(
                Delivery(
                    event_id=event,
                    reaction=reaction,
                    attempts=12,
                    run_after=clock.machine_now(),
                    dead_at=clock.machine_now(),
                    dead_reason="RuntimeError: hết đĩa",
                )
            )
    shown = hoi("deliveries", **on).stdout
    assert shown.count(f"{event}\n    RuntimeError: hết đĩa\n") == 3
    assert shown.endswith("3 việc đã bỏ. Sửa nguyên nhân nêu trên rồi chạy: ./hoi deliveries --revive\n")
    revived = hoi("deliveries", "--revive", "--reaction", "a.reaction", **on).stdout
    assert revived.endswith("✓ Đã đưa 1 việc vào hàng chờ lại\n")
    of_jobs = hoi("deliveries", "--revive", "--reaction", "jobs.run", **on).stdout
    assert "✓ Đã đưa 0 việc vào hàng chờ lại\n  Việc jobs.run không làm lại từ đây" in of_jobs
    with fresh_database.transaction(SYSTEM) as session:
        assert sorted(d.reaction for d in outbox.dead_deliveries(session)) == ["another.reaction", "jobs.run"]


def test_a_preparation_that_fails_is_told_with_its_last_words(tmp_path: Path) -> None:
    away = Settings(var=tmp_path, database_url=f"postgresql://hoi@/hoi?host={tmp_path}")
    with pytest.raises(SetupError) as refused:
        cli.run_module(away, "app.migrations")
    assert refused.value.code == "preparation_failed"
    assert refused.value.vi.startswith("Không chuẩn bị được dữ liệu (app.migrations). Lời báo cuối:\n")
    assert str(tmp_path) in refused.value.vi


# Developers' verbs


def test_an_unknown_benchmark_is_answered_with_the_known_ones() -> None:
    done = hoi("bench", "không-có")
    assert done.returncode == 2
    assert "Các phép đo có sẵn" in done.stderr


def test_a_failing_check_shows_what_it_found_and_stops(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "CHECKS", {"đạt": ("-c", ""), "hỏng": ("-c", "print('dòng 7'); raise SystemExit(1)")})
    with pytest.raises(SetupError, match="checks_failed"):
        cli.run_checks()
    out = capsys.readouterr().out
    assert out.startswith("✓ đạt (")
    assert "✗ hỏng\ndòng 7\n" in out


def test_a_browser_named_by_a_setting_must_run(tmp_path: Path) -> None:
    with pytest.raises(SetupError) as refused:
        cli.find_browser(Settings(chromium=tmp_path / "none"))
    assert refused.value.code == "no_such_browser"


def test_without_a_browser_an_ordinary_user_gets_the_one_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SetupError) as refused:
        cli.install_browser()
    assert "sudo apt-get update && sudo apt-get install -y --no-install-recommends chromium" in refused.value.vi


def test_root_gets_the_browser_installed_with_letters_for_vietnamese(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[str, ...]] = []

    def run(command: tuple[str, ...], **_: object) -> subprocess.CompletedProcess[str]:
        ran.append(tuple(command))
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(subprocess, "run", run)
    assert cli.install_browser() == Path("/usr/bin/chromium")
    assert ran == [
        ("apt-get", "update"),
        ("apt-get", "install", "-y", "--no-install-recommends", "chromium", "fonts-dejavu-core"),
    ]


def test_tests_see_no_setting_of_the_machine_but_the_browser_and_the_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setenv("HOI_DATABASE_URL", "postgresql://real")
    monkeypatch.delenv("HOI_PG_BIN", raising=False)
    monkeypatch.delenv("HOI_VALKEY_BIN", raising=False)
    monkeypatch.setattr(cli, "find_browser", lambda _settings: Path("/usr/bin/chromium"))
    monkeypatch.setattr(os, "execve", lambda *call: seen.extend(call))
    monkeypatch.setattr(os, "chdir", lambda _to: None)
    cli.hoi.main(["test", "-k", "nothing", "--fast", "--long"], standalone_mode=False)
    _, command, environment = seen
    assert command[1:3] == ["-m", "pytest"]
    assert command[-5:] == ["-k", "nothing", "-m", cli.FAST, "--long"]
    assert {k: v for k, v in environment.items() if k.startswith("HOI_")} == {"HOI_CHROMIUM": "/usr/bin/chromium"}


# The whole


@pytest.mark.slow
def test_up_runs_answers_tells_the_second_where_it_is_and_stops_with_one_signal(
    home: Path, wait_for: Callable[..., Any]
) -> None:
    var = home / "dự án" / "var"
    environment = child_environment(clean=True, var=var, web_port=8400)
    out = home / "out"
    with (
        out.open("w") as said,
        subprocess.Popen(
            [*CLI, "up"], cwd=ROOT, env=environment, stdout=said, stderr=said, start_new_session=True
        ) as process,
    ):
        wait_for(lambda: "Dừng bằng Ctrl-C" in out.read_text() or process.poll() is not None, 60, "up")
        second = hoi("up", var=var, web_port=8400)
        assert second.returncode == 0
        assert second.stdout.startswith("Hồi đang chạy sẵn ở http://127.0.0.1:84")
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(15) == 0
    text = out.read_text()
    assert "✓ PostgreSQL 18 (" in text
    assert text.endswith(f"✓ Đã dừng. Dữ liệu vẫn còn trong {var.resolve()}\n")
    assert not local.alive(var)
    assert list((var / "run").glob("*.pid")) == []
    local.stop(var)

"""`up` prepares, runs, tells the second where it is, and stops cleanly."""

import os
import re
import signal
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from app import local
from app.cli.province import environment, run_module
from app.cli.reference import NOBODY_YET
from app.db import Database
from app.errors import SetupError
from app.settings import ROOT, Settings, child_environment
from tests.app.cli.command import CLI, hoi
from tests.conftest import owner_of

PHONE = "0912345678"
PASSWORD = "na dai qua núi"


def test_what_the_processes_get_they_get_by_environment(tmp_path: Path) -> None:
    settings = Settings.model_validate(
        {"var": tmp_path, "database_url": "postgresql://x", "secret_key": "k" * 32, "demo": True, "web_port": 8123}
    )
    given = environment(settings)
    assert given["HOI_SECRET_KEY"] == "k" * 32
    assert (given["HOI_WEB_PORT"], given["HOI_DEMO"]) == ("8123", "True")
    assert "HOI_REDIS_URL" not in given


def test_a_preparation_that_fails_is_told_with_its_last_words(tmp_path: Path) -> None:
    away = Settings(var=tmp_path, database_url=f"postgresql://hoi@/hoi?host={tmp_path}")
    with pytest.raises(SetupError) as refused:
        run_module(away, "app.cli.reference")
    assert refused.value.code == "preparation_failed"
    assert refused.value.text("vi").startswith("Không chuẩn bị được dữ liệu (app.cli.reference). Lời báo cuối:\n")
    assert str(tmp_path) in refused.value.text("vi")


def test_data_of_before_the_parts_are_refused_with_the_way_out_and_left_as_they_are(
    home: Path, fresh_database: Database, redis_url: str
) -> None:
    with psycopg.connect(owner_of(fresh_database.url)) as owner:
        owner.execute("UPDATE alembic_version SET version_num = '0044'")
    on: dict[str, Any] = {
        "var": home / "var",
        "database_url": fresh_database.url,
        "database_owner_url": owner_of(fresh_database.url),
        "redis_url": redis_url,
    }
    words = "✗ Dữ liệu này do bản Hồi trước ngày 01/12/2026 tạo ra (cấu trúc 0044); bản này không nâng tiếp được"
    migrated = hoi("migrate", **on)
    assert (migrated.returncode, migrated.stderr.startswith(words)) == (1, True), migrated.stderr
    assert "xóa thư mục var rồi chạy lại ./hoi demo" in migrated.stderr
    run = hoi("up", web_port=8400, **on)
    assert (run.returncode, words in run.stderr, "Traceback" in run.stderr) == (1, True, False), run.stderr
    with psycopg.connect(owner_of(fresh_database.url)) as owner:
        assert owner.execute("SELECT version_num FROM alembic_version").fetchall() == [("0044",)]


def first_page_of_administrator(url: str) -> str:
    """Signs in as a browser would. Returns where it was led."""
    with httpx.Client(base_url=url, follow_redirects=True, trust_env=False) as browser:
        form = browser.get("/dang-nhap").text
        token = re.search(r'name="csrf_token" value="([^"]+)"', form)
        assert token is not None
        inside = browser.post("/dang-nhap", data={"phone": PHONE, "password": PASSWORD, "csrf_token": token[1]})
        assert inside.status_code == 200
        return inside.url.path


@pytest.mark.slow
def test_up_runs_answers_tells_the_second_where_it_is_and_stops_with_one_signal(
    home: Path, wait_for: Callable[..., Any]
) -> None:
    var = home / "dự án" / "var"
    mine = {"var": var, "web_port": 8400}
    environment = child_environment(clean=True, **mine)
    out = home / "out"
    with (
        out.open("w") as said,
        subprocess.Popen(
            [*CLI, "up"], cwd=ROOT, env=environment, stdout=said, stderr=said, start_new_session=True
        ) as process,
        ExitStack() as ending,
    ):
        ending.callback(process.send_signal, signal.SIGINT)
        wait_for(lambda: "Dừng bằng Ctrl-C" in out.read_text() or process.poll() is not None, 60, "up")
        second = hoi("up", **mine)
        assert second.returncode == 0
        assert second.stdout.startswith("Hồi đang chạy sẵn ở http://127.0.0.1:84")
        assert NOBODY_YET in out.read_text()
        made = hoi("administrator", "--phone", PHONE, "--name", "Nông Văn Nghĩa", typed=f"{PASSWORD}\n", **mine)
        assert (made.stderr, made.returncode) == ("", 0)
        assert first_page_of_administrator(second.stdout.split()[5]) == "/dong-y"  # asked about their own data first
        ending.pop_all()
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(15) == 0
    text = out.read_text()
    assert "✓ PostgreSQL 18 (" in text
    assert PASSWORD not in text
    assert text.endswith(f"✓ Đã dừng. Dữ liệu vẫn còn trong {var.resolve()}\n")
    assert not local.alive(var)
    assert list((var / "run").glob("*.pid")) == []
    local.stop(var)

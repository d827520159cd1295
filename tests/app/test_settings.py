"""Settings have one spelling, and what is missing is said before anything starts."""

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from app import front
from app import settings as settings_module
from app.errors import SetupError
from app.settings import MAKE_SECRET, ROOT, Settings, child_environment


@pytest.mark.parametrize(
    "spelled", ["postgresql+psycopg", "postgresql+psycopg2", "postgresql", "postgres", "postgresql+asyncpg"]
)
def test_the_address_of_the_database_is_kept_as_libpq_reads_it(spelled: str) -> None:
    url = "hoi:m%40t@/hoi?host=/run/postgresql"
    assert Settings(database_url=f"{spelled}://{url}").database_url == f"postgresql://{url}"


@pytest.mark.parametrize("spelled", ["https://Hoi.Langson.vn:443", "https://hoi.langson.vn/", "https://hoi.langson.vn"])
def test_the_public_address_is_kept_as_browsers_name_it(spelled: str) -> None:
    assert Settings(public_url=spelled).public_url == "https://hoi.langson.vn"


@pytest.mark.parametrize(
    "wrong", ["hoi.langson.vn", "https://hoi.langson.vn/x", "https://ai@hoi.langson.vn", "https://a..b"]
)
def test_what_is_no_origin_is_refused_as_the_public_address(wrong: str) -> None:
    with pytest.raises(ValidationError, match="HOI_PUBLIC_URL phải là gốc địa chỉ"):
        Settings(public_url=wrong)


def test_no_address_stays_none() -> None:
    assert Settings(database_url=None).database_url is None


def test_the_web_does_not_start_without_the_key_that_signs(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings_module, "load", lambda: settings.model_copy(update={"secret_key": None}))
    with pytest.raises(SetupError) as refused:
        front.create()
    assert refused.value.code == "no_secret_key"
    assert MAKE_SECRET in refused.value.text("vi")
    assert not (settings.var / "scans").exists()


@pytest.mark.slow
def test_the_worker_does_not_start_without_the_key_that_signs(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "celery", "-A", "worker.celery_app:celery", "worker", "--include", "worker.tasks"),
            *("--pool", "solo", "--without-gossip", "--without-mingle"),
        ],
        cwd=ROOT,
        env=child_environment(clean=True, var=tmp_path, redis_url="redis://127.0.0.1:1"),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert f"✗ Chưa có HOI_SECRET_KEY nên không ký được phiên đăng nhập. Tạo khóa bằng: {MAKE_SECRET}" in done.stderr


def test_the_command_that_makes_a_key_makes_one_that_is_accepted(tmp_path: Path) -> None:
    made = subprocess.run(["sh", "-c", MAKE_SECRET], capture_output=True, text=True, check=True, cwd=tmp_path)
    key = made.stdout.strip()
    assert Settings.model_validate({"secret_key": key}).signing_key() == key


@pytest.mark.parametrize(("web", "work", "bulk", "wanted"), [(1, 1, 1, 66), (2, 1, 1, 85), (1, 4, 2, 98)])
def test_the_connections_follow_the_processes(web: int, work: int, bulk: int, wanted: int) -> None:
    settings = Settings(web_workers=web, worker_processes=work, bulk_processes=bulk)
    assert settings.most_connections() == wanted


@pytest.mark.parametrize(("cores", "work", "bulk"), [(1, 1, 1), (2, 1, 1), (4, 2, 1), (8, 4, 2), (64, 8, 4)])
def test_the_processes_follow_the_cores(monkeypatch: pytest.MonkeyPatch, cores: int, work: int, bulk: int) -> None:
    monkeypatch.setattr("app.machine.cores", lambda: cores)
    settings = Settings()
    assert (settings.worker_processes, settings.bulk_processes) == (work, bulk)

"""The developer's verbs say what is missing and what mends it."""

import os
import runpy
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest

from app.cli import verbs
from app.cli.developer import FAST, find_browser, install_browser, run_checks
from app.errors import SetupError
from app.settings import Settings
from tests.app.cli.command import hoi


def test_an_unknown_benchmark_is_answered_with_the_known_ones() -> None:
    done = hoi("bench", "không-có")
    assert done.returncode == 2
    assert "Các phép đo có sẵn" in done.stderr


def test_a_failing_check_shows_what_it_found_and_stops(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        "app.cli.developer.CHECKS", {"đạt": ("-c", ""), "hỏng": ("-c", "print('dòng 7'); raise SystemExit(1)")}
    )
    with pytest.raises(SetupError, match="checks_failed"):
        run_checks()
    out = capsys.readouterr().out
    assert out.startswith("✓ đạt (")
    assert "✗ hỏng\ndòng 7\n" in out


def test_a_revision_follows_the_newest_and_is_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.cli.developer.VERSIONS", tmp_path)
    monkeypatch.setattr("app.cli.developer.ROOT", tmp_path.parent)
    (tmp_path / "0041_before.py").write_text("")
    verbs.hoi.main(["revision", "Kinds of steps."], standalone_mode=False)
    (made,) = tmp_path.glob("0042_*.py")
    found = runpy.run_path(str(made))
    assert (made.name, found["__doc__"]) == ("0042_kinds_of_steps.py", "Kinds of steps.")
    assert (found["revision"], found["down_revision"], found["upgrade"]()) == ("0042", "0041", None)


def test_a_revision_without_a_word_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.cli.developer.VERSIONS", tmp_path)
    with pytest.raises(click.UsageError, match="Nói di trú làm gì"):
        verbs.hoi.main(["revision", "…"], standalone_mode=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("asked", "more"), [((), []), (("--upgrade",), ["--upgrade"])])
def test_both_locks_are_made_with_hashes(
    monkeypatch: pytest.MonkeyPatch, asked: tuple[str, ...], more: list[str]
) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(subprocess, "run", lambda command, **_: ran.append(command))
    verbs.hoi.main(["lock", *asked], standalone_mode=False)
    assert [c[c.index("pyproject.toml") + 1 :] for c in ran] == [
        ["-o", "requirements.lock"],
        ["--group", "dev", "-o", "requirements-dev.lock"],
    ]
    assert all("--generate-hashes" in c and "--universal" in c for c in ran)
    assert [[word for word in c if word == "--upgrade"] for c in ran] == [more, more]


def test_a_browser_named_by_a_setting_must_run(tmp_path: Path) -> None:
    with pytest.raises(SetupError) as refused:
        find_browser(Settings(chromium=tmp_path / "none"))
    assert refused.value.code == "no_such_browser"


def test_without_a_browser_an_ordinary_user_gets_the_one_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SetupError) as refused:
        install_browser()
    assert "sudo apt-get update && sudo apt-get install -y --no-install-recommends chromium" in refused.value.text("vi")


def test_root_gets_the_browser_installed_with_letters_for_vietnamese(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[str, ...]] = []

    def run(command: tuple[str, ...], **_: object) -> subprocess.CompletedProcess[str]:
        ran.append(tuple(command))
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(subprocess, "run", run)
    assert install_browser() == Path("/usr/bin/chromium")
    assert ran == [
        ("apt-get", "update"),
        ("apt-get", "install", "-y", "--no-install-recommends", "chromium", "fonts-dejavu-core"),
    ]


def test_tests_see_no_setting_of_the_machine_but_the_browser_and_the_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setenv("HOI_DATABASE_URL", "postgresql://real")
    monkeypatch.delenv("HOI_PG_BIN", raising=False)
    monkeypatch.delenv("HOI_VALKEY_BIN", raising=False)
    monkeypatch.setattr("app.cli.developer.find_browser", lambda _settings: Path("/usr/bin/chromium"))
    monkeypatch.setattr(os, "execve", lambda *call: seen.extend(call))
    monkeypatch.setattr(os, "chdir", lambda _to: None)
    verbs.hoi.main(["test", "-k", "nothing", "--fast", "--long"], standalone_mode=False)
    _, command, environment = seen
    assert command[1:3] == ["-m", "pytest"]
    assert command[-5:] == ["-k", "nothing", "-m", FAST, "--long"]
    assert {k: v for k, v in environment.items() if k.startswith("HOI_")} == {"HOI_CHROMIUM": "/usr/bin/chromium"}

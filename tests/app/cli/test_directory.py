"""Secrets are kept for their owner, and the demo is never mixed with real data."""

import stat
from pathlib import Path

import pytest

from app.cli.directory import claim_data, kept_secret
from app.errors import SetupError
from app.settings import Settings


def test_the_secret_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "secret_key"
    secret = kept_secret(path)
    assert len(secret) == 64
    assert kept_secret(path) == secret
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_secret_whose_writing_was_interrupted_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "secret_key"
    path.write_text("")
    assert len(kept_secret(path)) == 64


def test_demo_people_are_never_put_among_real_data(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("18\n")
    with pytest.raises(SetupError) as refused:
        claim_data(Settings(var=tmp_path, demo=True, database_url=None))
    assert refused.value.code == "real_data_here"
    assert not (tmp_path / "demo").exists()


def test_a_directory_of_the_demo_stays_one_and_up_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    claim_data(Settings(var=tmp_path, demo=True, database_url=None))
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("18\n")
    claim_data(Settings(var=tmp_path, demo=True, database_url=None))
    assert capsys.readouterr().out == ""
    claim_data(Settings(var=tmp_path, demo=False, database_url=None))
    assert "là dữ liệu mẫu" in capsys.readouterr().out

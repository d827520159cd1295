"""The servers run as somebody whom PostgreSQL accepts, wherever the directory lies."""

import os
import shutil
import stat
from pathlib import Path

import pytest

from app import local
from app.errors import SetupError
from app.local import identity
from app.local.binaries import find_binaries
from tests.app.local.asking import pid_of_postgres, pid_of_valkey, query

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root meets this")


def test_missing_commands_are_named(home: Path) -> None:
    with pytest.raises(SetupError) as refused:
        local.start(home, pg_bin=home / "nowhere")
    assert refused.value.code == "no_postgres"
    with pytest.raises(SetupError) as refused:
        local.start(home, valkey_bin=home / "nowhere")
    assert refused.value.code == "no_valkey"


@as_root
def test_root_runs_the_servers_as_somebody_else_where_that_one_can_go(home: Path) -> None:
    servers = local.start(home, durable=False)
    owner = Path(f"/proc/{pid_of_postgres(home)}").stat().st_uid
    assert owner != 0
    assert Path(f"/proc/{pid_of_valkey(home)}").stat().st_uid == owner
    assert query(servers, "SELECT 1") == 1


@as_root
def test_under_roots_closed_directories_the_servers_run_and_no_door_is_opened(home: Path) -> None:
    closed = home / "closed"
    closed.mkdir(mode=0o700)
    servers = local.start(closed / "var", durable=False)
    assert query(servers, "SELECT 1") == 1
    assert (closed / "var" / "postgres").stat().st_uid == 0
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    local.stop(closed / "var")
    closed.chmod(0o755)
    assert query(local.start(closed / "var", durable=False), "SELECT 1") == 1, "data change hands when the way opens"


@pytest.mark.slow
@as_root
def test_commands_that_nobody_else_can_reach_are_copied_when_namespaces_are_forbidden(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = find_binaries(None, None)
    package = real.pg.parent.parent
    closed = home / "closed"
    closed.mkdir(mode=0o700)
    shutil.copytree(package / "pginstall", closed / package.name / "pginstall", symlinks=True)
    shutil.copytree(package.with_name(f"{package.name}.libs"), closed / f"{package.name}.libs", symlinks=True)
    monkeypatch.setattr(identity, "_namespaced", lambda *_: None)
    var = home / "var"
    servers = local.start(var, durable=False, pg_bin=closed / package.name / "pginstall" / "bin")
    assert query(servers, "SELECT 1") == 1
    assert str(var) in str(Path(f"/proc/{pid_of_postgres(var)}/exe").readlink())


@as_root
def test_root_without_any_way_out_is_told_which_command_opens_one(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "_namespaced", lambda *_: None)
    closed = home / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(SetupError) as refused:
        local.start(closed / "var", durable=False)
    assert refused.value.code == "root_without_way_out"
    assert "chmod o+x" in refused.value.text("vi")

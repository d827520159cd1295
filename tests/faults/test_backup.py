"""A backup restored into an empty database is the same province, with its rules."""

import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from app.actor import PUBLIC, SYSTEM
from app.db import Database, new_id
from app.local.binaries import find_binaries
from app.migrations import run as migrations
from app.settings import ROOT, child_environment
from tests.conftest import TestServers, owner_of
from tests.faults.field import Farm


@pytest.fixture
def empty(servers: TestServers) -> Iterator[str]:
    name = f"hoi_restored_{servers.number}"
    servers.administer(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)", f"CREATE DATABASE {name}")
    yield servers.database(name)
    servers.administer(f"DROP DATABASE {name} WITH (FORCE)")


def contents(url: str) -> dict[str, tuple[int, str]]:
    """Of each table how many rows, and what they say."""
    with psycopg.connect(owner_of(url)) as owner:
        names = owner.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') ORDER BY 1"
        ).fetchall()
        found = {}
        for (name,) in names:
            row = owner.execute(
                f"SELECT count(*), coalesce(md5(string_agg(x::text, ',' ORDER BY x::text)), '') FROM {name} x".encode()
            ).fetchone()
            assert row is not None
            found[name] = (row[0], row[1])
        return found


def run_script(
    name: str, folder: Path, url: str, var: Path, *, first_in_path: Path | None = None
) -> subprocess.CompletedProcess[str]:
    binaries = find_binaries(None, None).pg
    if not (binaries / "pg_dump").exists() or not (binaries / "pg_restore").exists():
        pytest.skip(f"no pg_dump and pg_restore in {binaries}: this wheel ships the servers only")
    environment = child_environment(clean=True, database_url=url, database_owner_url=owner_of(url), var=var)
    environment["PATH"] = ":".join(str(p) for p in (first_in_path, binaries, environment["PATH"]) if p)
    return subprocess.run(
        ["sh", str(ROOT / "deploy" / name), str(folder)], env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.faults
def test_a_restored_backup_is_the_same_province(farm: Farm, empty: str, tmp_path: Path) -> None:
    here, there, folder = tmp_path / "đây", tmp_path / "kia", tmp_path / "sao lưu"
    photo = here / "media" / "ab" / "ảnh.webp"
    photo.parent.mkdir(parents=True)
    photo.write_bytes(b"RIFF")
    saved = run_script("backup.sh", folder, farm.database.url, here)
    assert saved.returncode == 0, saved.stderr
    assert sorted(f.name for f in folder.iterdir()) == ["MANIFEST", "hoi.dump", "media.tar"]
    assert [stat.S_IMODE(f.stat().st_mode) for f in (folder, *sorted(folder.iterdir()))] == [0o700, 0o600, 0o600, 0o600]
    restored = run_script("restore.sh", folder, empty, there)
    assert restored.returncode == 0, restored.stderr
    assert contents(empty) == contents(farm.database.url)
    assert contents(empty)["care_logs"][0] == len(farm.codes)
    assert (there / "media" / "ab" / "ảnh.webp").read_bytes() == b"RIFF"
    migrations.check(owner_of(empty))
    database = Database(empty, clock_movable=True, pool_size=1, application="hoi-test")
    try:
        with database.transaction(SYSTEM) as session:
            assert session.scalar(text("SELECT count(*) FROM care_logs")) == len(farm.codes)
        with database.transaction(PUBLIC) as session:
            assert session.scalar(text("SELECT count(*) FROM care_logs")) == 0, "row-level security came along"
        with database.transaction(farm.world.actor("lanh")) as session:
            assert session.scalar(text("SELECT count(*) FROM care_logs")) == len(farm.codes)
    finally:
        database.dispose()


@pytest.mark.faults
def test_a_backup_never_overwrites_what_is_there(farm: Farm, empty: str, tmp_path: Path) -> None:
    folder, var = tmp_path / "sao lưu", tmp_path / "var"
    assert run_script("backup.sh", folder, farm.database.url, var).returncode == 0
    before = contents(farm.database.url)
    again = run_script("restore.sh", folder, farm.database.url, var)
    assert again.returncode != 0
    assert contents(farm.database.url) == before
    photo = var / "media" / "ab" / "ảnh.webp"
    photo.parent.mkdir(parents=True)
    photo.write_bytes(b"RIFF")
    nowhere = run_script("backup.sh", folder, farm.database.url.replace("hoi_fresh", f"gone_{new_id().hex}"), var)
    assert nowhere.returncode != 0
    assert run_script("restore.sh", folder, empty, var).returncode == 0, "the good backup is still there"
    assert contents(empty) == before


@pytest.mark.faults
def test_a_mixed_or_damaged_copy_is_refused_before_anything_is_restored(farm: Farm, empty: str, tmp_path: Path) -> None:
    var = tmp_path / "var"
    (var / "media").mkdir(parents=True)
    (var / "media" / "a").write_bytes(b"first")
    good, later = tmp_path / "tốt", tmp_path / "sau"
    assert run_script("backup.sh", good, farm.database.url, var).returncode == 0
    (var / "media" / "a").write_bytes(b"second")
    assert run_script("backup.sh", later, farm.database.url, var).returncode == 0

    def broken(name: str, *, without: str = "", other: str = "", cut: str = "", line: str = "") -> str:
        folder = tmp_path / name
        shutil.copytree(good, folder)
        if without:
            (folder / without).unlink()
        if other:
            shutil.copy(later / other, folder / other)
        if cut:
            (folder / cut).write_bytes((folder / cut).read_bytes()[:-1])
        if line:
            listed = (folder / "MANIFEST").read_text().splitlines()
            (folder / "MANIFEST").write_text("".join(f"{one[one.endswith(line) :]}\n" for one in listed))
        done = run_script("restore.sh", folder, empty, tmp_path / "kia")
        assert done.returncode != 0, name
        return done.stderr

    assert "không có tệp MANIFEST" in broken("dở", without="MANIFEST")
    assert "media.tar" in broken("nửa", without="media.tar")
    assert "trộn từ hai lần sao lưu: media.tar" in broken("trộn", other="media.tar")
    assert "hoi.dump" in broken("cụt", cut="hoi.dump")
    for damaged in ("hoi.dump", "media.tar"):
        assert "Tệp hỏng" in broken(f"dòng hỏng {damaged}", line=damaged), "a hash one digit short is no hash"
    assert contents(empty) == {}
    assert not (tmp_path / "kia").exists()


@pytest.mark.faults
def test_a_whole_copy_of_before_manifests_is_restored_after_the_command_that_is_told(
    farm: Farm, empty: str, tmp_path: Path
) -> None:
    var, folder = tmp_path / "var", tmp_path / "bản cũ"
    (var / "media").mkdir(parents=True)
    (var / "media" / "a").write_bytes(b"first")
    assert run_script("backup.sh", folder, farm.database.url, var).returncode == 0
    (folder / "MANIFEST").unlink()
    told = run_script("restore.sh", folder, empty, tmp_path / "kia").stderr
    command = f"(cd '{folder}' && sha256sum hoi.dump media.tar > MANIFEST)"
    assert [line.strip() for line in told.splitlines()][2:] == [command, "Chưa phục hồi gì."]
    assert contents(empty) == {}
    subprocess.run(["sh", "-c", command], check=True)
    assert run_script("restore.sh", folder, empty, tmp_path / "kia").returncode == 0
    assert contents(empty) == contents(farm.database.url)


@pytest.mark.faults
def test_a_copy_of_before_the_parts_is_refused_in_words_and_restores_nothing(
    farm: Farm, empty: str, tmp_path: Path
) -> None:
    with psycopg.connect(owner_of(farm.database.url)) as owner:
        owner.execute("UPDATE alembic_version SET version_num = '0044'")
    folder = tmp_path / "bản cũ"
    assert run_script("backup.sh", folder, farm.database.url, tmp_path / "var").returncode == 0
    refused = run_script("restore.sh", folder, empty, tmp_path / "kia")
    assert refused.returncode == 1
    assert "của Hồi trước ngày 01/12/2026 (cấu trúc 0044)" in refused.stderr
    assert refused.stderr.splitlines()[-1].strip() == "Chưa phục hồi gì."
    assert contents(empty) == {}


@pytest.mark.faults
@pytest.mark.parametrize(
    ("made_by", "status", "copies"), [("GNU tar", 0, ["MANIFEST", "hoi.dump", "media.tar"]), ("other", 1, [])]
)
def test_a_photo_that_comes_while_they_are_copied_throws_no_copy_away(
    farm: Farm, tmp_path: Path, made_by: str, status: int, copies: list[str]
) -> None:
    """GNU tar: "file changed as we read it" is exit status 1, failures are 2; of other tars 1 is a failure too."""
    var, folder, racing, real = tmp_path / "var", tmp_path / "sao lưu", tmp_path / "bin", shutil.which("tar")
    (var / "media").mkdir(parents=True)
    (var / "media" / "a").write_bytes(b"first")
    racing.mkdir()
    (racing / "tar").write_text(f"#!/bin/sh\n[ $1 = --version ] && echo '{made_by}' && exit 0\n{real} \"$@\"; exit 1\n")
    (racing / "tar").chmod(0o755)
    done = run_script("backup.sh", folder, farm.database.url, var, first_in_path=racing)
    assert (done.returncode, sorted(p.name for p in folder.glob("*"))) == (status, copies), done.stderr
    assert not (tmp_path / "sao lưu.moi").exists()


@pytest.mark.faults
def test_a_second_half_that_fails_leaves_the_whole_old_copy(farm: Farm, empty: str, tmp_path: Path) -> None:
    var, folder = tmp_path / "var", tmp_path / "sao lưu"
    (var / "media").mkdir(parents=True)
    (var / "media" / "a").write_bytes(b"first")
    assert run_script("backup.sh", folder, farm.database.url, var).returncode == 0
    before = {f.name: f.read_bytes() for f in folder.iterdir()}
    failing = tmp_path / "bin"
    failing.mkdir()
    (failing / "tar").write_text("#!/bin/sh\nexit 2\n")
    (failing / "tar").chmod(0o755)
    assert run_script("backup.sh", folder, farm.database.url, var, first_in_path=failing).returncode != 0
    assert {f.name: f.read_bytes() for f in folder.iterdir()} == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bin", "sao lưu", "var"], "nothing half is left lying about"
    strange = tmp_path / "khác"
    strange.mkdir()
    (strange / "của tôi").write_text("giữ lại")
    assert "có thứ khác" in run_script("backup.sh", strange, farm.database.url, var).stderr
    assert (strange / "của tôi").read_text() == "giữ lại"

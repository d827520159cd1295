"""Servers that stay for the next test run."""

import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from app import local
from app import settings as settings_module
from app.local import temporary


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    directory = Path("/tmp") / f"hoi-kept-{secrets.token_hex(4)}"  # noqa: S108 - servers of root run as another user, who reads here
    monkeypatch.setattr(temporary, "KEPT", directory)
    yield directory
    local.forget_kept()
    shutil.rmtree(directory, ignore_errors=True)


@pytest.mark.slow
def test_a_second_run_finds_the_first_ones_servers_and_one_beside_it_gets_its_own(kept: Path) -> None:
    settings = settings_module.load()
    binaries = {"pg_bin": settings.pg_bin, "valkey_bin": settings.valkey_bin}
    with local.kept_for_tests(**binaries) as first:
        with psycopg.connect(first.owner_url, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS seven")
        with local.kept_for_tests(**binaries) as beside:
            assert beside.database_url != first.database_url
    with local.kept_for_tests(**binaries) as second, psycopg.connect(second.owner_url) as connection:
        assert connection.execute("SELECT seven FROM kept").fetchone() == (7,)

    local.forget_kept()

    assert not kept.exists()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(second.owner_url)

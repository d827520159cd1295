"""The directory of an installation: whose data, which secret, which figures."""

import contextlib
import hashlib
import os
import secrets
import shutil
from pathlib import Path

from app import local
from app.cli.output import say
from app.errors import SetupError
from app.messages import N_
from app.settings import Settings


def claim_data(settings: Settings) -> None:
    """Never mix invented people into real records: a directory is for the demo from its first start, or never."""
    mark = settings.var / "demo"
    used = (settings.var / "postgres" / "PG_VERSION").exists()
    if settings.demo and used and not mark.exists() and settings.database_url is None:
        raise SetupError(
            "real_data_here",
            N_(
                "%(var)s đang giữ dữ liệu thật, không nạp dữ liệu mẫu vào đó. Chạy bản mẫu ở chỗ khác: "
                "HOI_VAR=/tmp/hoi-demo ./hoi demo",
                var=settings.var,
            ),
        )
    if settings.demo and not mark.exists():
        mark.write_text(
            "Thư mục này chỉ chứa dữ liệu mẫu; người, hộ và số quyết định trong đó đều bịa ra.\n", encoding="utf-8"
        )
    if not settings.demo and mark.exists():
        say(f"! {settings.var} là dữ liệu mẫu của `hoi demo`. Để ghi dữ liệu thật, đặt HOI_VAR tới thư mục khác.")


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

"""Bring a database to the newest shape, as the role that owns the tables."""

from io import StringIO
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, pool
from sqlalchemy.exc import OperationalError

from app.db import is_busy, psycopg_url
from app.errors import SetupError
from app.messages import N_

HERE = Path(__file__).resolve().parent
# The first and the last of those that make the whole schema, one for each part. What has a lower number is of before 01/12/2026.
FIRST, LAST_OF_PARTS = "0101", "0109"
LOCK_KEY = 20260115  # any constant of ours: two processes that migrate at once wait for each other


def config(database_url: str, output: StringIO | None = None) -> Config:
    settings = Config(output_buffer=output)
    settings.set_main_option("script_location", str(HERE).replace("%", "%%"))
    settings.set_main_option("path_separator", "os")
    settings.attributes["url"] = psycopg_url(database_url)
    return settings


def upgrade(database_url: str) -> None:
    """Run every missing migration. Safe to call from several processes at once. Raises SetupError with the way out."""
    _refuse_what_we_cannot_lead_on(database_url)
    try:
        command.upgrade(config(database_url), "head")
    except OperationalError as error:
        if not is_busy(error):
            raise
        raise SetupError(
            "schema_busy",
            N_(
                "Có việc đang giữ bảng dữ liệu quá lâu nên chưa đổi xong cấu trúc. Chạy lại lệnh này để làm tiếp; nếu vẫn "
                "vậy, dừng Hồi và việc sao lưu rồi chạy lại."
            ),
        ) from error


def check(database_url: str) -> None:
    """Raise when the models and the migrated database differ."""
    command.check(config(database_url))


def new_ones() -> list[tuple[str, str]]:
    """Of each migration since the parts were made: its file's name, and the SQL that it would run."""
    found = []
    for script in reversed(list(ScriptDirectory.from_config(config("postgresql://")).walk_revisions())):
        if script.revision > LAST_OF_PARTS:
            output = StringIO()
            command.upgrade(config("postgresql://", output), f"{script.down_revision}:{script.revision}", sql=True)
            found.append((Path(script.path).name, output.getvalue()))
    return found


def _refuse_what_we_cannot_lead_on(database_url: str) -> None:
    settings = config(database_url)
    engine = create_engine(settings.attributes["url"], poolclass=pool.NullPool)
    with engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    if found is None or found in {script.revision for script in ScriptDirectory.from_config(settings).walk_revisions()}:
        return
    if found < FIRST:
        raise SetupError(
            "schema_of_before",
            N_(
                "Dữ liệu này do bản Hồi trước ngày 01/12/2026 tạo ra (cấu trúc %(found)s); bản này không nâng tiếp được, "
                "và chưa sửa gì.\n  Bản mẫu: dừng Hồi, xóa thư mục var rồi chạy lại ./hoi demo.\n  Dữ liệu thật: chạy tiếp "
                "bằng bản Hồi cũ; cách chuyển sang bản này ở docs/operator.md, «Lên bản mới».",
                found=found,
            ),
        )
    raise SetupError(
        "schema_of_later",
        N_(
            "Cơ sở dữ liệu đã ở cấu trúc %(found)s, mới hơn bản Hồi này. Hãy chạy bằng bản Hồi mới; bản này chưa sửa gì.",
            found=found,
        ),
    )

"""Bring a database to the newest shape, as the role that owns the tables."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, pool

from app.db import psycopg_url
from app.errors import SetupError
from app.messages import N_

HERE = Path(__file__).resolve().parent
# The first and the last of those that make the whole schema, one for each part. What has a lower number is of before 01/12/2026.
FIRST, LAST_OF_PARTS = "0101", "0109"


def config(database_url: str) -> Config:
    settings = Config()
    settings.set_main_option("script_location", str(HERE).replace("%", "%%"))
    settings.set_main_option("path_separator", "os")
    settings.attributes["url"] = psycopg_url(database_url)
    return settings


def upgrade(database_url: str) -> None:
    """Run every missing migration. Safe to call from several processes at once. Raises SetupError with the way out."""
    _refuse_what_we_cannot_lead_on(database_url)
    command.upgrade(config(database_url), "head")


def check(database_url: str) -> None:
    """Raise when the models and the migrated database differ."""
    command.check(config(database_url))


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

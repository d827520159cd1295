"""The two logins of the operator's PostgreSQL: the owner of the tables, and the application, which may become nobody else."""

import click
import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

from app import machine
from app import settings as settings_module
from app.cli.output import say
from app.errors import SetupError
from app.local import sized
from app.messages import N_
from app.settings import Settings

APPLICATION = "hoi_app"  # grants and row-level security name it, so it has this name everywhere
TWO_LOGINS = """-- Người quản trị PostgreSQL chạy một lần (psql -d postgres). Đổi hai chỗ «…» thành mật khẩu thật, mỗi chỗ một mật khẩu.
CREATE ROLE {owner} LOGIN PASSWORD '…';
CREATE ROLE {application} LOGIN PASSWORD '…' NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT NOREPLICATION NOBYPASSRLS;
CREATE DATABASE {database} OWNER {owner} ENCODING 'UTF8' TEMPLATE template0;

-- Đã có cơ sở dữ liệu từ bản cũ thì thay ba dòng trên bằng:
-- ALTER ROLE {application} LOGIN PASSWORD '…' NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT NOREPLICATION NOBYPASSRLS;

-- Cho web và mọi tiến trình việc nền (/etc/hoi.env):
--   HOI_DATABASE_URL=postgresql://{application}:…@MÁY/{database}
-- Chỉ khi chạy ./hoi migrate, sao lưu, phục hồi (/etc/hoi-owner.env, chỉ root đọc được):
--   HOI_DATABASE_OWNER_URL=postgresql://{owner}:…@MÁY/{database}
"""

SIZES = """-- Nên chỉnh PostgreSQL theo bộ nhớ (bỏ dấu -- ở đầu dòng rồi chạy). Các số này cho một máy {memory} MiB chỉ chạy PostgreSQL; máy khác thì tính lại bằng
-- HOI_MEMORY_MIB=32768 ./hoi database-sql   (máy chạy chung với web: lấy một nửa bộ nhớ)
-- max_connections là cho một máy chạy Hồi; thêm máy thì nhân lên. Xong thì khởi động lại PostgreSQL.
{lines}
"""
DEFAULT_CONNECTIONS = 100
DEFAULT_BUFFERS_MIB = 128
SMALL_MACHINE_MIB = 1024
BLOCKS_A_MIB = 128  # of 8 KiB


@click.command("database-sql")
def database_sql() -> None:
    """In câu lệnh SQL tạo hai tài khoản và cơ sở dữ liệu trên PostgreSQL của đơn vị."""
    settings = settings_module.load()
    said = make_url(settings.database_owner_url or "postgresql://hoi@/hoi")
    names = {"owner": said.username or "hoi", "application": APPLICATION, "database": said.database or "hoi"}
    say(TWO_LOGINS.format(**{k: quoted(v) for k, v in names.items()}).rstrip())
    say("\n" + advice(settings).rstrip())


def advice(settings: Settings) -> str:
    """The SQL that sizes a PostgreSQL of its own machine, as the embedded one is sized by what it shares."""
    memory = settings.memory_mib or machine.memory_mib()
    lines = [f"-- ALTER SYSTEM SET {name} = '{value}';" for name, value in sized(memory, connections(settings)).items()]
    return SIZES.format(memory=memory, lines="\n".join(lines))


def connections(settings: Settings) -> int:
    """For this machine's processes, and never fewer than PostgreSQL's own default."""
    return max(settings.most_connections(), DEFAULT_CONNECTIONS)


def warn_of_defaults(settings: Settings) -> None:
    """Say at every start where the operator's PostgreSQL was never fitted to its machine, or lets too few of our processes in."""
    if settings.database_url is None:
        return
    with psycopg.connect(settings.database_url, connect_timeout=10) as connection:
        found: dict[str, str] = dict(connection.execute(_SIZES_FOUND).fetchall())
    shared, most = int(found["shared_buffers"]) // BLOCKS_A_MIB, int(found["max_connections"])
    if shared <= DEFAULT_BUFFERS_MIB and (settings.memory_mib or machine.memory_mib()) > SMALL_MACHINE_MIB:
        say(
            f"! PostgreSQL của đơn vị còn để cài đặt mặc định (shared_buffers {shared} MB), dữ liệu cả tỉnh không vừa."
            "\n  Câu lệnh chỉnh theo bộ nhớ của máy: ./hoi database-sql"
        )
    if most < settings.most_connections():
        say(
            f"! PostgreSQL của đơn vị nhận nhiều nhất {most} kết nối, mà riêng máy này có thể cần {settings.most_connections()}."
            "\n  Tăng max_connections (./hoi database-sql), hoặc giảm HOI_WEB_WORKERS, HOI_WEB_THREADS, HOI_WORKER_PROCESSES."
        )


_SIZES_FOUND = "SELECT name, setting FROM pg_settings WHERE name IN ('shared_buffers', 'max_connections')"


def quoted(name: str) -> str:
    """A name as SQL spells it, with quotation marks only where it needs them."""
    return name if name.isascii() and name.isidentifier() and name == name.lower() else sql.Identifier(name).as_string()


def warn_of_one_login(settings: Settings) -> None:
    """An installation of before there were two logins goes on, and is told at every start what that means."""
    if settings.database_url is not None and settings.database_owner_url is None:
        say(
            "! Web đang nối bằng chính chủ sở hữu cơ sở dữ liệu (chưa đặt HOI_DATABASE_OWNER_URL): một lỗ hổng SQL trong ứng dụng"
            " là mất mọi lớp chắn.\n  Tách hai tài khoản theo câu lệnh của: ./hoi database-sql"
        )


def check_application_login(url: str) -> None:
    """Raise SetupError, with the SQL that mends it, unless this is `hoi_app` with no power beyond its grants."""
    with psycopg.connect(url, connect_timeout=10) as connection:
        row = connection.execute(_POWERS).fetchone()
    assert row is not None  # noqa: S101 - we are a role ourselves
    user, powerful, roles, owned = row
    if user != APPLICATION:
        raise SetupError(
            "database_application_login",
            N_(
                "HOI_DATABASE_URL nối bằng «%(user)s», nhưng web và việc nền phải nối bằng «%(application)s» khi "
                "đã có HOI_DATABASE_OWNER_URL.\n  Câu lệnh tạo hai tài khoản: ./hoi database-sql",
                user=user,
                application=APPLICATION,
            ),
        )
    wanted = [f"ALTER ROLE {APPLICATION} NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;"] * powerful
    wanted += [f"REVOKE {quoted(name)} FROM {APPLICATION};" for name in roles]
    wanted += [f"ALTER TABLE {quoted(name)} OWNER TO CHỦ_SỞ_HỮU;" for name in owned]
    if wanted:
        lines = "\n  ".join(wanted)
        raise SetupError(
            "database_application_power",
            N_(
                "Tài khoản «%(application)s» có quyền mà nó không được có. Người quản trị PostgreSQL hãy chạy:\n  "
                "%(lines)s",
                application=APPLICATION,
                lines=lines,
            ),
        )


_POWERS = """
SELECT me.rolname, me.rolsuper OR me.rolcreatedb OR me.rolcreaterole OR me.rolreplication OR me.rolbypassrls,
       ARRAY(SELECT r.rolname::text FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid WHERE m.member = me.oid ORDER BY 1),
       ARRAY(SELECT c.relname::text FROM pg_class c WHERE c.relowner = me.oid AND c.relkind IN ('r', 'p') ORDER BY 1)
FROM pg_roles AS me WHERE me.rolname = session_user
"""

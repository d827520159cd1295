"""The servers that a command needs: embedded, or the operator's, checked before they are used."""

import contextlib
from collections.abc import Iterator

import psycopg
import redis

from app import broker, local
from app.cli.logins import APPLICATION, check_application_login
from app.errors import SetupError
from app.messages import N_
from app.settings import Settings

OLDEST_POSTGRES = 150000
LONGEST_WAIT_FOR_SERVERS = 10


@contextlib.contextmanager
def servers(settings: Settings) -> Iterator[Settings]:
    """Settings with all addresses filled in. Embedded servers stop at the end, unless another command or `up` uses them too."""
    if not any(embedded(settings).values()):
        yield with_servers(settings)
        return
    with local.in_use(settings.var):
        yield with_servers(settings)


def embedded(settings: Settings) -> dict[str, bool]:
    """Which of the two servers are ours to run."""
    return {"postgres": settings.database_url is None, "valkey": settings.redis_url is None}


def with_servers(settings: Settings, report: local.Report = lambda _text, _seconds: None) -> Settings:
    """Start what is ours and check what is the operator's. Raises SetupError with the way out."""
    if settings.database_url:
        check_database(settings.database_url, settings.database_owner_url)
    if settings.redis_url:
        check_broker(settings.redis_url)
    if settings.database_url and settings.redis_url:
        return settings
    started = start_servers(settings, report)
    return settings.model_copy(
        update={
            "database_url": settings.database_url or started.database_url,
            "redis_url": settings.redis_url or started.redis_url,
            "database_owner_url": settings.database_owner_url if settings.database_url else started.owner_url,
        }
    )


def start_servers(settings: Settings, report: local.Report = lambda _text, _seconds: None) -> local.Servers:
    return local.start(
        settings.var,
        pg_bin=settings.pg_bin,
        valkey_bin=settings.valkey_bin,
        connections=settings.most_connections(),
        memory_mib=settings.memory(),
        report=report,
        **embedded(settings),
    )


def check_database(url: str, owner_url: str | None = None) -> None:
    """Raise SetupError with the command that mends it when the operator's PostgreSQL cannot serve us.

    Without `owner_url` one login does everything, as in installations of before there were two.
    """
    check_owner(
        owner_url or url, "HOI_DATABASE_OWNER_URL" if owner_url else "HOI_DATABASE_URL", alone=owner_url is None
    )
    if owner_url is not None:
        reach(url, "HOI_DATABASE_URL").close()
        check_application_login(url)


def reach(url: str, variable: str) -> "psycopg.Connection":
    try:
        return psycopg.connect(url, connect_timeout=LONGEST_WAIT_FOR_SERVERS)
    except psycopg.Error as error:
        reason = str(error).strip().splitlines()[-1]
        raise SetupError(
            "database_unreachable",
            N_(
                "Không nối được tới PostgreSQL ở %(variable)s: %(reason)s\n  Kiểm tra địa chỉ, mật khẩu và tường "
                "lửa bằng: psql \"$%(variable)s\" -c 'SELECT 1'\n  Bỏ biến HOI_DATABASE_URL thì Hồi tự chạy "
                "PostgreSQL đi kèm.",
                variable=variable,
                reason=reason,
            ),
        ) from error


def check_owner(url: str, variable: str, *, alone: bool) -> None:
    """The login that makes the tables. `alone`: it also serves people, and so must be able to become `hoi_app`."""
    with reach(url, variable) as connection:
        version = connection.info.server_version
        if version < OLDEST_POSTGRES:
            raise SetupError(
                "database_too_old",
                N_(
                    "PostgreSQL này là bản %(version)s; Hồi cần bản 15 trở lên. Hãy nâng cấp, hoặc bỏ HOI_DATABASE_URL "
                    "để dùng bản đi kèm.",
                    version=version // 10000,
                ),
            )
        row = connection.execute(_RIGHTS).fetchone()
    assert row is not None  # noqa: S101 - we are a role ourselves
    user, database, encoding, standby, may_create, may_make_roles, role_exists, may_become, may_grant = row
    wanted = []
    if not role_exists and not may_make_roles:
        wanted.append(f"CREATE ROLE {APPLICATION} LOGIN PASSWORD '…';")
    if alone and not (may_become or may_grant if role_exists else may_make_roles):
        wanted.append(f'GRANT {APPLICATION} TO "{user}";')
    if not may_create:
        wanted.append(f'ALTER DATABASE "{database}" OWNER TO "{user}";')
        wanted.append(f'GRANT CREATE, USAGE ON SCHEMA public TO "{user}";')
    if standby:
        raise SetupError(
            "database_is_a_standby",
            N_("%(variable)s trỏ tới một bản sao chỉ đọc. Hãy trỏ tới máy chính (primary).", variable=variable),
        )
    if encoding != "UTF8":
        raise SetupError(
            "database_encoding",
            N_(
                "Cơ sở dữ liệu «%(database)s» dùng bảng mã %(encoding)s. Hãy tạo lại: CREATE DATABASE hoi ENCODING "
                "'UTF8' TEMPLATE template0;",
                database=database,
                encoding=encoding,
            ),
        )
    if wanted:
        lines = "\n  ".join(wanted)
        raise SetupError(
            "database_rights",
            N_(
                "Tài khoản «%(user)s» chưa đủ quyền trên «%(database)s». Người quản trị PostgreSQL hãy chạy trong "
                "cơ sở dữ liệu đó:\n  %(lines)s",
                user=user,
                database=database,
                lines=lines,
            ),
        )


# Since 16 a member may lack the right to become the role, and CREATEROLE alone no longer hands out others' roles.
_RIGHTS = """
SELECT current_user, current_database(), current_setting('server_encoding'), pg_is_in_recovery(),
       has_schema_privilege(current_user, 'public', 'CREATE') AND has_database_privilege(current_database(), 'CREATE'),
       me.rolsuper OR me.rolcreaterole,
       app.oid IS NOT NULL,
       app.oid IS NOT NULL AND pg_has_role(me.oid, app.oid, CASE WHEN version >= 160000 THEN 'SET' ELSE 'MEMBER' END),
       app.oid IS NOT NULL AND (version < 160000 AND me.rolcreaterole
                                OR pg_has_role(me.oid, app.oid, 'MEMBER WITH ADMIN OPTION'))
FROM (SELECT current_setting('server_version_num')::int AS version) AS server
JOIN pg_roles AS me ON me.rolname = current_user
LEFT JOIN pg_roles AS app ON app.rolname = 'hoi_app'
"""


def check_broker(url: str) -> None:
    """Raise SetupError when the operator's Valkey or Redis does not answer."""
    try:
        with broker.client(url, seconds=LONGEST_WAIT_FOR_SERVERS) as connection:
            connection.ping()
    except (redis.RedisError, OSError, ValueError) as error:
        raise SetupError(
            "broker_unreachable",
            N_(
                "Không nối được tới Valkey/Redis ở HOI_REDIS_URL: %(error)s\n  Kiểm tra bằng: redis-cli -u "
                '"$HOI_REDIS_URL" ping\n  Bỏ biến HOI_REDIS_URL thì Hồi tự chạy Valkey đi kèm.',
                error=error,
            ),
        ) from error

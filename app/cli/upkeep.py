"""Verbs for whoever runs an installation: its tables, its clock, the work that was given up, what is derived."""

import contextlib
import re
import sys
from collections.abc import Iterator
from datetime import timedelta
from pkgutil import resolve_name

import click
from sqlalchemy import text

from app import audit, clock, outbox, retention
from app import settings as settings_module
from app.actor import SYSTEM
from app.cli.logins import warn_of_defaults, warn_of_one_login
from app.cli.output import say, step
from app.cli.reference import NOBODY_YET, prepare, someone_can_begin
from app.cli.servers import servers
from app.db import Database
from app.errors import SetupError
from app.messages import N_


@click.command()
def migrate() -> None:
    """Đưa cấu trúc cơ sở dữ liệu và danh mục xã phường lên bản mới nhất."""
    settings = settings_module.load()
    warn_of_one_login(settings)
    with database_of_command() as (database, owner_url):
        with step("Cấu trúc dữ liệu và đơn vị hành chính đã ở bản mới nhất"):
            prepare(database, owner_url)
        warn_of_defaults(settings)
        if not someone_can_begin(database):
            say(NOBODY_YET)


@click.command()
@click.option("--phone", prompt="Số điện thoại", metavar="SỐ", help="số điện thoại dùng để đăng nhập")
@click.option("--name", prompt="Họ và tên", metavar="TÊN", help="họ và tên")
def administrator(phone: str, name: str) -> None:
    """Tạo người quản trị đầu tiên: người ấy đăng nhập rồi thêm mọi người khác."""
    with database_of_command() as (database, owner_url):
        prepare(database, owner_url)
        with database.transaction(SYSTEM) as session:  # before a password is typed in vain
            resolve_name("app.accounts.people:check_nobody_administers")(session)
        password = new_password()
        with database.transaction(SYSTEM) as session:
            resolve_name("app.accounts.people:create_first_administrator")(session, phone, password, name)
    say("✓ Đã tạo người quản trị. Mở trang web, chọn «Đăng nhập», dùng số điện thoại và mật khẩu vừa đặt.")


def new_password() -> str:
    """Typed twice and not shown; or the first line of what is piped in."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    password = str(click.prompt("Mật khẩu (không hiện khi gõ)", hide_input=True))
    if click.prompt("Gõ lại mật khẩu", hide_input=True) != password:
        raise SetupError(
            "passwords_differ", N_("Hai lần gõ mật khẩu không giống nhau. Chưa tạo ai cả; chạy lại lệnh này.")
        )
    return password


@contextlib.contextmanager
def database_of_command(*, clock_movable: bool = False) -> Iterator[tuple[Database, str]]:
    """The database as the application, and the address of its owner."""
    with servers(settings_module.load()) as ready:
        movable = clock_movable or ready.clock_movable
        database = Database(ready.database_url or "", clock_movable=movable, pool_size=1, application="hoi-cli")
        try:
            yield database, ready.owner_url()
        finally:
            database.dispose()


@click.command("clock")
@click.option("--advance", metavar="400d", help="tới trước: số kèm d (ngày), h (giờ), m (phút)")
@click.option("--reset", is_flag=True, help="về giờ thật")
def clock_(advance: str | None, *, reset: bool) -> None:
    """Xem hoặc dời đồng hồ của bản mẫu, cho mọi tiến trình cùng lúc."""
    settings = settings_module.load()
    if not settings.clock_movable and not ((settings.var / "demo").exists() and settings.database_url is None):
        raise SetupError(
            "clock_not_movable",
            N_("Đồng hồ của bản này là giờ thật, không dời được. Chỉ bản mẫu (./hoi demo) mới dời được."),
        )
    step_on = duration(advance) if advance else None
    with database_of_command(clock_movable=True) as (database, _):
        with database.transaction(SYSTEM) as session:
            if reset:
                session.execute(text("UPDATE clock_shift SET shift = '0'"))
            if step_on:
                session.execute(text("UPDATE clock_shift SET shift = shift + :step"), {"step": step_on})
        with database.transaction(SYSTEM):
            say(
                f"Đồng hồ của Hồi: {clock.local(clock.now()):%H:%M ngày %d/%m/%Y} ({vietnamese_shift(clock.current_shift())})"
            )


def duration(spelled: str) -> timedelta:
    """Parse 400d, 36h or 90m. Raises click's usage error for anything else."""
    found = re.fullmatch(r"([0-9]{1,5})([dhm])", spelled.strip())
    if found is None:
        raise click.BadParameter(f"không hiểu «{spelled}»; ví dụ đúng: 400d, 36h, 90m", param_hint="--advance")
    unit = {"d": "days", "h": "hours", "m": "minutes"}[found[2]]
    return timedelta(**{unit: int(found[1])})


def vietnamese_shift(shift: timedelta) -> str:
    if not shift:
        return "giờ thật"
    hours, minutes = divmod(shift.seconds // 60, 60)
    parts = [f"{n} {name}" for n, name in ((shift.days, "ngày"), (hours, "giờ"), (minutes, "phút")) if n]
    return "đi trước giờ thật " + " ".join(parts)


@click.command()
@click.option("--revive", is_flag=True, help="làm lại những việc đã bỏ, sau khi đã sửa nguyên nhân")
@click.option("--reaction", metavar="TÊN", help="chỉ những việc của một loại")
def deliveries(reaction: str | None, *, revive: bool) -> None:
    """Xem những việc nền đã bỏ sau nhiều lần thử, và làm lại."""
    with database_of_command() as (database, _), database.transaction(SYSTEM) as session:
        dead = [d for d in outbox.dead_deliveries(session) if reaction in {None, d.reaction}]
        for one in dead:
            when = f"{clock.local(one.dead_at or clock.machine_now()):%d/%m/%Y %H:%M}"
            say(f"✗ {one.reaction}  {when}  {one.event_id}\n    {one.dead_reason}")
        revived = outbox.revive(session, reaction) if revive else 0
    if revive:
        say(f"✓ Đã đưa {revived} việc vào hàng chờ lại")
        if any(d.reaction == outbox.JOBS for d in dead):
            say(f"  Việc {outbox.JOBS} không làm lại từ đây: người đã giao việc mở trang của nó và bấm làm lại.")
    elif dead:
        say(f"{len(dead)} việc đã bỏ. Sửa nguyên nhân nêu trên rồi chạy: ./hoi deliveries --revive")
    else:
        say("✓ Không có việc nào bị bỏ")


@click.command()
def rebuild() -> None:
    """Suy lại kết quả của mọi thôn, cộng lại sổ kho và dựng lại mọi trang công khai, chỉ từ bản ghi gốc."""
    with database_of_command() as (database, _):
        with database.transaction(SYSTEM) as session:
            # By name: what these import would weigh on every other command, and on the supervisor for months.
            pages = resolve_name("app.trace.pages:forget_all")(session)
            totals = resolve_name("app.trace.stock:rebuild_totals")(session)
        say(f"✓ {pages} trang công khai sẽ được dựng lại khi có người mở")
        say(f"✓ Đã cộng lại sổ kho: {totals} số")
        with step("Đã suy lại kết quả của mọi thôn"):
            changed = resolve_name("app.criteria.derivation:rebuild")(database).changed
    say(f"  {changed} kết quả khác trước" if changed else "  Không kết quả nào khác trước")


@click.command("retention")
@click.option(
    "--traceability", type=click.Choice(["keep", "delete"]), help="hồ sơ truy xuất quá hạn luật định: giữ hay xóa"
)
@click.option(
    "--decision", metavar="VĂN_BẢN", help="số và ngày văn bản của tỉnh, ví dụ «Quyết định 12/QĐ-UBND ngày 05/01/2027»"
)
def retention_(traceability: retention.Choice | None, decision: str | None) -> None:
    """Xem dữ liệu cũ đã xóa theo luật lưu giữ, và ghi lựa chọn của tỉnh về hồ sơ truy xuất quá hạn."""
    named = (decision or "").strip()
    if (traceability is None) == bool(named):
        raise click.UsageError(
            "Lựa chọn và văn bản đi cùng nhau: --traceability delete --decision «Quyết định 12/QĐ-UBND …»"
        )
    with database_of_command() as (database, _), database.transaction(SYSTEM) as session:
        if traceability is not None:
            choice = retention.choose(session, traceability, named)
            audit.record(session, SYSTEM, "retention:traceability:choose", subject_id=choice, value=traceability)
        for run in retention.runs(session):
            at = f"{clock.local(run.finished_at):%d/%m/%Y %H:%M}" if run.finished_at else "chưa xong lượt nào"
            say(f"  {run.name}: đã bỏ {run.gone} dòng, xong lượt cuối {at}")
        say(_said(retention.chosen(session)))


def _said(choice: retention.RetentionChoice | None) -> str:
    if choice is None:
        return "✓ Hồ sơ truy xuất quá hạn: giữ (tỉnh chưa chọn)"
    day = clock.local(choice.recorded_at)
    if choice.value == "keep":
        return f"✓ Hồ sơ truy xuất quá hạn: giữ, theo {choice.decided_by}, ghi ngày {day:%d/%m/%Y}"
    return (
        f"✓ Hồ sơ truy xuất quá hạn: xóa, theo {choice.decided_by}, từ ngày {day + retention.PAUSE:%d/%m/%Y}."
        " Trước ngày ấy chọn lại «keep» thì chưa mất gì."
    )

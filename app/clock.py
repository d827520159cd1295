"""The only source of now and today; tests and the demo can move it for all processes."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

VIETNAM = ZoneInfo("Asia/Ho_Chi_Minh")


class _Shift:
    offset = timedelta()


def shift(offset: timedelta) -> None:
    """Move this process's clock. `db.transaction` calls it with the shift kept in the database (clock_movable only)."""
    _Shift.offset = offset


def current_shift() -> timedelta:
    return _Shift.offset


def machine_now() -> datetime:
    """Real time, aware, UTC. For leases, timeouts, sign-in and rate limits, which a moved clock must not touch."""
    return datetime.now(UTC)  # noqa: TID251 - the one place


def now() -> datetime:
    """Business time, aware, UTC."""
    return machine_now() + _Shift.offset


def today() -> date:
    """The civil date in Vietnam: validity, pre-harvest days and deadlines count in these."""
    return local(now()).date()


def local(moment: datetime) -> datetime:
    return moment.astimezone(VIETNAM)


def start_of_day(day: date) -> datetime:
    """The first moment of a Vietnamese civil date, as UTC."""
    return datetime.combine(day, time(), VIETNAM).astimezone(UTC)

"""An end for everything that grows: how long each table is kept and why, and the runner of the verbs that end it.

Every table of the schema stands in `RULES`; a test compares them, and the table of docs/operator.md with both. What is old is
told by the clock of the machines, never by the business clock: the demo moves that one by years, and what was written
yesterday must not vanish of it. Functions of the database that drop or delete what the application may not take no date:
they hold the rule themselves (`app/migrations/versions`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from time import monotonic
from typing import Literal
from uuid import UUID

import structlog
from sqlalchemy import BigInteger, CheckConstraint, Identity, Integer, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from app import clock
from app.actor import SYSTEM
from app.db import Base, Database, Id, one_of

MOST = 1000  # rows that one transaction ends
LOCKS = 20261130  # the space of our advisory locks: one process at a time for each name
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Rule:
    """In words of the operator's manual. `chore`: what of the schedule ends it; None: it stays, and `why` says why it may."""

    kept: str
    why: str
    chore: str | None = None


class KeptMonths(Base):
    """For how many whole months a partitioned table is kept; the database alone changes it.

    `last_of`: of a month that is over the last row of each of these stays, and `thinned_before` is how far that went;
    `of_before`: what a row says of the one before it, emptied when that one went.
    """

    __tablename__ = "kept_months"
    __table_args__ = (CheckConstraint("months >= 12", name="months"),)

    name: Mapped[str] = mapped_column(primary_key=True)
    months: Mapped[int] = mapped_column(Integer)
    last_of: Mapped[str | None]
    of_before: Mapped[str | None]
    thinned_before: Mapped[date | None]


class RetentionRun(Base):
    """How many rows each rule has ended, ever and in its last run, and when a run last came to its end (machine time)."""

    __tablename__ = "retention_runs"

    name: Mapped[str] = mapped_column(primary_key=True)
    gone: Mapped[int] = mapped_column(BigInteger)
    gone_last: Mapped[int] = mapped_column(BigInteger)
    finished_at: Mapped[datetime | None]


class RetentionChoice(Base):
    """What the province decided of records that the law no longer wants kept. Append-only, the last one stands; none: keep."""

    __tablename__ = "retention_choices"
    __table_args__ = (
        one_of("name", ("traceability",)),
        one_of("value", ("keep", "delete")),
    )

    id: Mapped[Id]
    position: Mapped[int] = mapped_column(BigInteger, Identity(always=True), unique=True)
    name: Mapped[str]
    value: Mapped[str]
    decided_by: Mapped[str]
    recorded_at: Mapped[datetime]


# --- running -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """What one transaction ended, and where the next one goes on; None: there is no more."""

    gone: int
    onward: str | None


Verb = Callable[[Session, str], Step]


def whole(gone: int, most: int = MOST) -> Step:
    """The step of a verb that always begins at the oldest: done when it found less than it might have taken."""
    return Step(gone, "" if gone >= most else None)


def run(database: Database, name: str, verb: Verb, *, seconds: float) -> int:
    """Let `verb` end what is old, each step in a transaction of its own. Returns how many rows are gone.

    It stops when nothing is left, when another process is at the same name, or after so many seconds: the next run goes on
    from what is there. A step that fails rolls back alone and is raised.
    """
    until, total, onward = monotonic() + seconds, 0, ""
    while True:
        with database.transaction(SYSTEM) as session:
            mine = "SELECT pg_try_advisory_xact_lock(:space, hashtext(:name))"
            if not session.scalar(text(mine), {"space": LOCKS, "name": name}):
                return total
            step = verb(session, onward)
            total += step.gone
            _note(session, name, step, total)
        if step.onward is None or monotonic() > until:
            break
        onward = step.onward
    if total:
        log.info("old rows ended", rule=name, rows=total, finished=step.onward is None)
    return total


def _note(session: Session, name: str, step: Step, total: int) -> None:
    finished = clock.machine_now() if step.onward is None else None
    row = insert(RetentionRun).values(name=name, gone=step.gone, gone_last=total, finished_at=finished)
    values = {"gone": RetentionRun.gone + step.gone, "gone_last": total}
    if finished is not None:
        values["finished_at"] = finished
    session.execute(row.on_conflict_do_update(index_elements=["name"], set_=values))


def runs(session: Session) -> list[RetentionRun]:
    return list(session.scalars(select(RetentionRun).order_by(RetentionRun.name)))


def end_month(session: Session, table: str) -> Step:
    """Drop or thin the oldest month of this partitioned table that is over by its rule."""
    gone = session.scalar(text("SELECT hoi_end_month(:table)"), {"table": table})
    return Step(int(gone or 0), None if gone is None else "")


def tables_with_months(session: Session) -> list[str]:
    """The partitioned tables that have a rule."""
    rows = session.scalars(
        text("SELECT k.name FROM kept_months k JOIN partitioned_tables p ON p.name = k.name ORDER BY k.name")
    )
    return list(rows)


# --- what the province decides -----------------------------------------------------------------------------------

TRACEABILITY = "traceability"
PAUSE = timedelta(days=30)  # as hoi_may_end_records(): time to think better of it
Choice = Literal["keep", "delete"]


def choose(session: Session, value: Choice, decided_by: str) -> UUID:
    """Write down whether records of traceability go once the law lets them; in force 30 days later (keep: at once)."""
    row = RetentionChoice(name=TRACEABILITY, value=value, decided_by=decided_by, recorded_at=clock.machine_now())
    session.add(row)
    session.flush()
    return row.id


def chosen(session: Session) -> RetentionChoice | None:
    """The choice that stands; None while the province has made none: then everything is kept."""
    return session.scalar(
        select(RetentionChoice)
        .where(RetentionChoice.name == TRACEABILITY)
        .order_by(RetentionChoice.position.desc())
        .limit(1)
    )


# --- the rules ---------------------------------------------------------------------------------------------------

ENDING = "end_what_is_old"
PEOPLE = "hồ sơ của người dân và đơn vị: chỉ thêm khi có người quyết định, người được xóa thì mất dòng dữ liệu cá nhân"
PLACES = "danh mục địa bàn có ngày hiệu lực: phải trả lời được theo ngày cũ; chỉ thêm khi có quyết định"
FEW = "chỉ thêm khi có người quyết định, ít dòng; câu trả lời cũ dựa vào đó"
STAYS = "không xóa"

# Words of docs/operator.md, one line a table; its test and that of the schema read this.
RULES: dict[str, Rule] = {
    # by months
    "scan_tallies": Rule(
        "60 tháng tròn", "lâu bằng hạn lưu dài nhất của lô, để số lượt quét không hụt khi hồ sơ lô còn", ENDING
    ),
    "channel_calls": Rule(
        "12 tháng tròn", "tìm lỗi và đối chiếu với sàn; điều đã thấy nằm ở listing_observations", ENDING
    ),
    "listing_observations": Rule(
        "24 tháng tròn; cũ hơn thì mỗi tin giữ lần thấy cuối của từng tháng",
        "chứng cứ của tiêu chí; lần thấy mới nhất của mỗi tin không bao giờ mất",
        ENDING,
    ),
    # derived, and told
    "village_assessments": Rule(
        "24 tháng tròn; cũ hơn thì giữ kết quả cuối mỗi tháng và mỗi lần tiêu chí đổi, cả trước lẫn sau",
        "kết quả đang đứng và mọi thay đổi còn mãi; chỉ mất dòng nói y như dòng trước và sau nó",
        ENDING,
    ),
    "public_pages": Rule(
        "thân trang 90 ngày sau khi dựng, thân đã cũ 7 ngày", "dựng lại khi có người mở; dòng ở lại theo mã", ENDING
    ),
    "audit_entries": Rule(
        "60 tháng; đăng nhập 12 tháng; dòng về lô đang thu hồi hay tạm giữ thì ở lại",
        "lâu bằng hạn lưu dài nhất của truy xuất",
        ENDING,
    ),
    "notices": Rule("đã xem: 24 tháng; chưa xem: 60 tháng", "tin báo chỉ nhắc tới hồ sơ, không phải hồ sơ", ENDING),
    "notice_deliveries": Rule("cùng tin báo", "nợ gửi của tin báo", ENDING),
    "jobs": Rule("12 tháng sau khi xong", "điều đã làm nằm ở các bảng khác", ENDING),
    "outbox_events": Rule("90 ngày sau khi trả xong", "việc còn nợ hay đã bỏ thì giữ", "forget_settled_events"),
    "outbox_deliveries": Rule("cùng sự kiện", "việc còn nợ hay đã bỏ thì giữ", "forget_settled_events"),
    "retention_runs": Rule(STAYS, "mỗi luật một dòng"),
    "villages_to_derive": Rule("đến khi suy lại xong", "mỗi thôn nhiều nhất một dòng"),
    # signing in
    "sign_ins": Rule("12 tháng sau khi hết hạn hay thoát", "đủ tra sự cố, không thành nhật ký đi lại", ENDING),
    "card_requests": Rule("12 tháng sau khi hết hạn", "như trên", ENDING),
    "sign_in_attempts": Rule("một ngày", "chỉ để đếm lần sai; xóa ngay khi có lần đăng nhập sau"),
    # files
    "uploads": Rule("7 ngày", "phần gửi dở và ai đã gửi tệp nào", "forget_old_uploads"),
    "account_checks": Rule(
        "một ngày sau khi sàn trả lời", "khóa sàn đã niêm mất ngay khi sàn trả lời", "forget_account_checks"
    ),
    "place_imports": Rule("chưa áp dụng: 2 ngày; đã áp dụng: " + STAYS, "căn cứ của danh mục địa bàn", "forget_lists"),
    "media_blobs": Rule(
        STAYS, "ảnh và tệp là minh chứng của bước, chứng nhận, tiêu chí; danh sách không áp dụng thì mất sau 2 ngày"
    ),
    # traceability: the law says at least; what comes after is the province's choice
    "batch_sources": Rule(
        "theo lựa chọn của tỉnh, mặc định " + STAYS,
        "ít nhất: hạn dùng + 12 tháng, không hạn dùng thì 60 tháng (Thông tư 31/2026/TT-BCT, 8.1); 24 tháng từ thu hoạch và sản xuất",
        ENDING,
    ),
    "care_logs": Rule(
        "theo lựa chọn của tỉnh, mặc định " + STAYS,
        "ít nhất 60 tháng, và lâu bằng mọi lô còn hồ sơ dựa vào bước ấy",
        ENDING,
    ),
    "conflicting_submissions": Rule("cùng bước nhật ký", "bản gửi khác của một bước; hiếm", ENDING),
    "batches": Rule(STAYS, "mã đã in không được thành mã lạ; dòng nhỏ"),
    "trace_codes": Rule(STAYS, "mã không bao giờ cấp cho lô khác"),
    "batch_events": Rule(STAYS, "quyết định giữ, thu hồi là hồ sơ của người ký"),
    "stock_movements": Rule(STAYS, "sổ kho: tồn được cộng từ đó; chứng từ kế toán giữ 10 năm"),
    "stock_totals": Rule(STAYS, "cộng từ sổ kho, dựng lại được; mỗi lô mỗi quy cách vài dòng"),
    "sites": Rule(STAYS, PEOPLE),
    "site_villages": Rule(STAYS, PEOPLE),
    "cycles": Rule(STAYS, "mỗi nơi sản xuất vài vụ một năm; dòng nhỏ, các bước gọi tên"),
    "certificates": Rule(STAYS, "giấy của cơ quan cấp, cũ vẫn đúng trong thời của nó"),
    "retention_choices": Rule(STAYS, FEW),
    # what people and units are
    **{
        name: Rule(STAYS, PEOPLE)
        for name in (
            "people",
            "personal_data",
            "organisations",
            "memberships",
            "household_memberships",
            "role_offers",
            "credentials",
            "cards",
            "devices",
            "consents",
            "data_requests",
            "products",
            "variants",
            "product_villages",
        )
    },
    **{
        name: Rule(STAYS, PLACES)
        for name in ("places", "place_names", "place_lineage", "place_endings", "place_attributes", "premises")
    },
    **{
        name: Rule(STAYS, FEW)
        for name in (
            "floors",
            "floor_decisions",
            "channel_accounts",
            "listings",
            "declared_listings",
            "parameter_choices",
        )
    },
    "declared_confirmations": Rule(STAYS, "người thật xem và chụp; vài lần một năm cho mỗi đường dẫn"),
    "village_facts": Rule(STAYS, "điều người phụ trách ghi kèm minh chứng; câu trả lời cũ dựa vào đó"),
    # of the machine itself: as many rows as there are such things
    "kept_months": Rule(STAYS, "mỗi bảng chia tháng một dòng"),
    "partitioned_tables": Rule(STAYS, "mỗi bảng chia tháng một dòng"),
    "clock_shift": Rule(STAYS, "một dòng"),
    "alembic_version": Rule(STAYS, "một dòng"),
}

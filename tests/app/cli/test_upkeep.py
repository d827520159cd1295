"""The clock, the work that was given up, and what is derived."""

import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import pytest
from sqlalchemy import select, text

from app import clock, outbox, retention
from app.accounts.models import PersonalData
from app.actor import SYSTEM
from app.audit import AuditEntry
from app.cli.reference import NOBODY_YET
from app.cli.upkeep import duration
from app.db import new_id
from app.jobs import JobRequested
from app.outbox import Delivery
from app.places import queries as places
from tests.app.cli.command import hoi
from tests.conftest import owner_of
from worker import chores


@pytest.mark.parametrize(
    ("spelled", "meant"),
    [("400d", timedelta(days=400)), ("36h", timedelta(hours=36)), (" 90m ", timedelta(minutes=90))],
)
def test_durations_are_read(spelled: str, meant: timedelta) -> None:
    assert duration(spelled) == meant


@pytest.mark.parametrize("spelled", ["", "400", "d", "-3d", "3 ngày", "1.5d", "999999d", "٣d"])
def test_other_durations_are_refused_with_an_example(spelled: str) -> None:
    with pytest.raises(click.BadParameter, match="400d"):
        duration(spelled)


def test_real_time_cannot_be_moved(home: Path) -> None:
    done = hoi("clock", "--advance", "1d", var=home / "var")
    assert done.returncode == 1
    assert "Chỉ bản mẫu (./hoi demo) mới dời được" in done.stderr
    assert not (home / "var").exists()


def test_the_demos_clock_moves_is_shown_and_returns(home: Path, fresh_database: Any, redis_url: str) -> None:
    with_servers = {
        "var": home / "var",
        "database_url": fresh_database.url,
        "database_owner_url": owner_of(fresh_database.url),
        "redis_url": redis_url,
        "clock_movable": True,
    }
    assert "đi trước giờ thật 400 ngày" in hoi("clock", "--advance", "400d", **with_servers).stdout
    assert "đi trước giờ thật 401 ngày 12 giờ" in hoi("clock", "--advance", "36h", **with_servers).stdout
    assert "đi trước giờ thật 401 ngày 12 giờ" in hoi("clock", **with_servers).stdout
    assert "(giờ thật)" in hoi("clock", "--reset", **with_servers).stdout


@pytest.mark.slow
def test_all_that_is_derived_is_made_anew_from_the_records(home: Path, demo_database: Any, redis_url: str) -> None:
    on = {
        "var": home / "var",
        "database_url": demo_database.url,
        "database_owner_url": owner_of(demo_database.url),
        "redis_url": redis_url,
        "clock_movable": True,
    }
    versions = text("SELECT code, language, wanted_version FROM public_pages ORDER BY code, language")
    with demo_database.transaction(SYSTEM) as session:
        before = [tuple(row) for row in session.execute(versions)]
    first = f"✓ {len(before)} trang công khai sẽ được dựng lại khi có người mở\n"
    assert (len(before), hoi("rebuild", **on).stdout.startswith(first)) == (2, True)
    with demo_database.transaction(SYSTEM) as session:
        assert [tuple(row) for row in session.execute(versions)] == [(c, lang, n + 1) for c, lang, n in before]
        answers = session.scalars(text("SELECT count(*) FROM village_assessments")).one()
        villages = session.scalars(text("SELECT count(*) FROM places WHERE level = 'village'")).one()
    assert answers >= villages
    assert hoi("rebuild", **on).stdout.endswith("  Không kết quả nào khác trước\n")
    with demo_database.transaction(SYSTEM) as session:
        assert session.scalars(text("SELECT count(*) FROM village_assessments")).one() == answers


def test_work_that_was_given_up_is_shown_with_its_reason_and_done_again(
    home: Path, fresh_database: Any, redis_url: str
) -> None:
    on = {
        "var": home / "var",
        "database_url": fresh_database.url,
        "database_owner_url": owner_of(fresh_database.url),
        "redis_url": redis_url,
    }
    assert hoi("deliveries", **on).stdout == "✓ Không có việc nào bị bỏ\n"
    with fresh_database.transaction(SYSTEM) as session:
        event = outbox.publish(session, SYSTEM, JobRequested(job_id=new_id()))
        session.flush()
        for reaction in ("jobs.run", "a.reaction", "another.reaction"):
            session.add(
                Delivery(
                    event_id=event,
                    reaction=reaction,
                    attempts=12,
                    run_after=clock.machine_now(),
                    dead_at=clock.machine_now(),
                    dead_reason="RuntimeError: hết đĩa",
                )
            )
    shown = hoi("deliveries", **on).stdout
    assert shown.count(f"{event}\n    RuntimeError: hết đĩa\n") == 3
    assert shown.endswith("3 việc đã bỏ. Sửa nguyên nhân nêu trên rồi chạy: ./hoi deliveries --revive\n")
    revived = hoi("deliveries", "--revive", "--reaction", "a.reaction", **on).stdout
    assert revived.endswith("✓ Đã đưa 1 việc vào hàng chờ lại\n")
    of_jobs = hoi("deliveries", "--revive", "--reaction", "jobs.run", **on).stdout
    assert "✓ Đã đưa 0 việc vào hàng chờ lại\n  Việc jobs.run không làm lại từ đây" in of_jobs
    with fresh_database.transaction(SYSTEM) as session:
        assert sorted(d.reaction for d in outbox.dead_deliveries(session)) == ["another.reaction", "jobs.run"]


PASSWORD = "na dai qua núi"


def begin(
    home: Path, database: Any, redis_url: str, *, phone: str = "0912 345 678", password: str = PASSWORD
) -> subprocess.CompletedProcess[str]:
    on = {
        "var": home / "var",
        "database_url": database.url,
        "database_owner_url": owner_of(database.url),
        "redis_url": redis_url,
    }
    return hoi("administrator", "--phone", phone, "--name", "Nông Văn Nghĩa", typed=f"{password}\n", **on)


def people_and_communes(database: Any) -> tuple[list[str | None], int]:
    with database.transaction(SYSTEM) as session:
        phones = list(session.scalars(select(PersonalData.phone)))
        return phones, len(places.current_communes(session, clock.today()))


def test_the_first_administrator_is_made_in_a_province_that_has_its_communes(
    home: Path, fresh_database: Any, redis_url: str
) -> None:
    done = begin(home, fresh_database, redis_url)
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout == (
        "✓ Đã tạo người quản trị. Mở trang web, chọn «Đăng nhập», dùng số điện thoại và mật khẩu vừa đặt.\n"
    )
    assert people_and_communes(fresh_database) == (["+84912345678"], 65)
    again = begin(home, fresh_database, redis_url, phone="0912 345 679")
    assert (again.stdout, again.returncode) == ("", 1)
    assert again.stderr == "✗ Đã có người quản trị. Người đó đăng nhập rồi thêm người khác.\n"
    assert people_and_communes(fresh_database) == (["+84912345678"], 65)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"phone": "12345"}, "✗ Số điện thoại chưa đúng. Số di động có 10 chữ số, ví dụ 0912 345 678.\n"),
        ({"password": "12345678"}, "✗ Mật khẩu cần ít nhất 8 ký tự và khó đoán. Ví dụ ghép bốn chữ dễ nhớ.\n"),
    ],
)
def test_a_wrong_administrator_is_refused_and_nobody_is_made(
    home: Path, fresh_database: Any, redis_url: str, wrong: dict[str, str], told: str
) -> None:
    done = begin(home, fresh_database, redis_url, **wrong)
    assert (done.returncode, done.stderr) == (1, told)
    assert people_and_communes(fresh_database) == ([], 65)


def test_migrating_brings_the_communes_and_says_that_nobody_can_sign_in(
    home: Path, fresh_database: Any, redis_url: str
) -> None:
    on = {
        "var": home / "var",
        "database_url": fresh_database.url,
        "database_owner_url": owner_of(fresh_database.url),
        "redis_url": redis_url,
    }
    for _ in range(2):
        done = hoi("migrate", **on)
        assert (done.stderr, done.returncode) == ("", 0)
        assert done.stdout.endswith(f"{NOBODY_YET}\n")
        assert people_and_communes(fresh_database) == ([], 65)


def test_the_province_chooses_by_name_what_happens_to_records_past_their_time(
    home: Path, fresh_database: Any, redis_url: str
) -> None:
    on = {
        "var": home / "var",
        "database_url": fresh_database.url,
        "database_owner_url": owner_of(fresh_database.url),
        "redis_url": redis_url,
    }
    assert hoi("retention", **on).stdout == "✓ Hồ sơ truy xuất quá hạn: giữ (tỉnh chưa chọn)\n"
    for half in (
        ("--traceability", "delete"),
        ("--decision", "QĐ 12"),
        ("--traceability", "delete", "--decision", " "),
    ):
        refused = hoi("retention", *half, **on)
        assert (refused.returncode, "đi cùng nhau" in refused.stderr) == (2, True)
    with fresh_database.transaction(SYSTEM) as session:
        assert retention.chosen(session) is None
    told = hoi("retention", "--traceability", "delete", "--decision", "QĐ 12/QĐ-UBND", **on).stdout
    day = clock.local(clock.machine_now() + timedelta(days=30))
    assert f"xóa, theo QĐ 12/QĐ-UBND, từ ngày {day:%d/%m/%Y}" in told
    assert (
        "giữ, theo QĐ 13/QĐ-UBND"
        in hoi("retention", "--traceability", "keep", "--decision", "QĐ 13/QĐ-UBND", **on).stdout
    )
    chores.end_what_is_old(fresh_database, None)  # type: ignore[arg-type]  # it reads no setting
    assert "  care_logs: đã bỏ 0 dòng, xong lượt cuối " in hoi("retention", **on).stdout
    with fresh_database.transaction(SYSTEM) as session:
        lines = session.scalars(
            select(AuditEntry.detail).where(AuditEntry.action == "retention:traceability:choose")
        ).all()
    assert [line["value"] for line in lines] == ["delete", "keep"]

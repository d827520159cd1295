"""Nothing that tells a person's number, place or name reaches a log, whoever wrote the message; ordinary figures stay."""

import json
import logging
from typing import Any

import psycopg
import pytest
import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from app.actor import SYSTEM
from app.db import Database
from app.logs import MASK, configure_logging, scrub, told, trace
from app.settings import Settings


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("gọi 0912345678 nhé", f"gọi {MASK} nhé"),
        ("gọi 0912 345 678, sau 17:00", f"gọi {MASK}, sau 17:00"),
        ("0912.345.678", MASK),
        ("0912-345-678", MASK),
        ("0912 34 56 78", MASK),
        ("0912\u00a0345\u00a0678", MASK),
        ("+84912345678", MASK),
        ("+84 912 345 678", MASK),
        ("+84 (0)912 345 678", MASK),
        ("0084912345678", MASK),
        ("84912345678", MASK),
        ("02053812345", MASK),
        ("(0205) 3812 345", MASK),
        ("tel_0912345678", f"tel_{MASK}"),
        ("ĐT.0912345678", f"ĐT.{MASK}"),
        ("/tim?tel=0912345678&trang=2", f"/tim?tel={MASK}&trang=2"),
        ("0912345678,0987654321", f"{MASK},{MASK}"),
        ("0912 345 678 0987 654 321", f"{MASK} {MASK}"),
        ("25 kg 0912 345 678", f"25 kg {MASK}"),
        ("0912 345 678 25 kg", f"{MASK} 25 kg"),
        ("CCCD 012345678901", f"CCCD {MASK}"),
        ("CCCD 034 085 012 345", f"CCCD {MASK}"),
        ("ở 21.853123, 106.761456", f"ở {MASK}, {MASK}"),
        ('{"lat":21.853123,"lon":106.761456}', f'{{"lat":{MASK},"lon":{MASK}}}'),
        ("ở 21,85312", f"ở {MASK}"),
    ],
)
def test_a_number_or_a_position_of_a_person_is_masked(said: str, left: str) -> None:
    assert scrub(said) == left


@pytest.mark.parametrize(
    "said",
    [
        "1.234.567 đ",
        "10.050.000.000 đ",
        "84.912.345.678 đ",
        "100.000.000 - 200.000.000 đ",
        "640 kg, 0,5 kg, 0.500 kg, 1.200,5 kg",
        "pH 6.5, 20.5 °C, tỉ lệ 1:500",
        "NPK 16-16-8, 16.16.8+13S",
        "12/08/2026, 05-08-2026 10:30, 05.08.2026 12 kg, 10 05 2026",
        "2026-11-24 08:29:09.123456, 2026-11-24T13:29:19.123456Z",
        "NA-1126-01, CL-0826-07, CL-0826-07 1200 kg, CL-0826-07-1200, HN-20261124-003, LO-05-08-2026-01",
        "K7M2-9QXD-3HTPC",
        "GTIN 08930000000123",
        "QĐ số 0126/QĐ-UBND ngày 01/9/2026",
        "019aa123-4567-7890-8123-012345678901",
        "0123456789" + "ab" * 27,
        "127.0.0.1:8000",
        "0.0123456789",
    ],
)
def test_prices_quantities_dates_and_codes_stay(said: str) -> None:
    assert scrub(said) == said


def test_masking_reaches_into_what_is_logged_and_leaves_other_values() -> None:
    told_all = {"deep": [{"phone": "0987 654 321"}, 3, None, 12.5], "at": (21.853123, 106.761456)}
    assert scrub(told_all) == {"deep": [{"phone": MASK}, 3, None, 12.5], "at": [MASK, MASK]}


def test_the_row_that_postgresql_adds_to_an_error_is_masked() -> None:
    said = (
        'psycopg.errors.CheckViolation: new row for relation "x" violates check constraint "c"\n'
        "DETAIL:  Failing row contains (Nông Thị\nBí Mật, 3).\n\nThe above exception was the direct cause\n"
        'invalid input syntax for type date: "Nông Thị Bí Mật"'
    )
    assert scrub(said) == (
        'psycopg.errors.CheckViolation: new row for relation "x" violates check constraint "c"\n'
        f"DETAIL: {MASK}\n\nThe above exception was the direct cause\n"
        f"invalid input syntax for type date: {MASK}"
    )


def refused(database: Database, name: str) -> DBAPIError:
    """The error of a row that breaks a rule of its table."""
    with (
        pytest.raises(IntegrityError) as found,
        database.transaction(SYSTEM) as session,
    ):
        session.execute(text("CREATE TEMPORARY TABLE rows (name text, CONSTRAINT ck_short CHECK (length(name) < 3))"))
        session.execute(text("INSERT INTO rows VALUES (:name)"), {"name": name})
    return found.value


def test_what_is_told_of_a_database_error_is_its_code_and_its_rule(database: Database) -> None:
    error = refused(database, "Nông Thị Bí Mật")
    assert "Bí Mật" in str(error.orig), "psycopg quotes the row"
    assert told(error) == {
        "error": "IntegrityError",
        "sqlstate": "23514",
        "table": "rows",
        "constraint": "ck_short",
    }
    found = trace(error)
    assert "Bí Mật" not in found
    assert 'session.execute(text("INSERT INTO rows VALUES (:name)")' in found
    assert found.endswith("sqlalchemy.exc.IntegrityError sqlstate=23514 table=rows constraint=ck_short")


def test_parameters_are_never_part_of_an_errors_text(database: Database) -> None:
    with (
        pytest.raises(DBAPIError) as found,
        database.transaction(SYSTEM) as session,
    ):
        session.execute(text("SELECT CAST(:name AS text), 1 / 0"), {"name": "Nông Thị Bí Mật"})
    assert "Bí Mật" not in str(found.value)


def test_why_there_is_no_connection_is_told() -> None:
    with pytest.raises(psycopg.OperationalError) as found:
        psycopg.connect("postgresql://hoi@/hoi?host=/nowhere", connect_timeout=2)
    assert told(found.value)["detail"].endswith("No such file or directory")


@pytest.mark.parametrize("by_structlog", [True, False])
def test_an_error_is_logged_with_its_place_and_without_what_was_typed(
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
    database: Database,
    by_structlog: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    configure_logging(settings.model_copy(update={"log_level": "INFO"}))
    logger: Any = structlog.get_logger() if by_structlog else logging.getLogger("another")
    typed = "Nông Thị Bí Mật"
    logger.error("hỏng", exc_info=refused(database, typed))
    try:
        int(typed)
    except ValueError:
        logger.exception("hỏng nữa")
    first, second = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert "constraint=ck_short" in first["exception"]
    assert second["exception"].endswith("builtins.ValueError")
    assert "test_an_error_is_logged_with_its_place" in second["exception"]
    assert "Bí Mật" not in first["exception"] + second["exception"]

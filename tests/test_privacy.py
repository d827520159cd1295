"""No phone number, no exact position and no 12-digit number reaches a public page, a log or an export."""

import logging
import re
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from app.accounts import signin
from app.accounts.models import SignInMethod
from app.actor import SYSTEM
from app.db import Database
from app.doors.demo import cast
from app.factory import create_app
from app.settings import Settings
from app.trace import pages
from app.web import SIGN_IN_COOKIE

SEPARATOR = r"[ .\-\u00a0\u202f]?"
PHONE = re.compile(rf"(?<![\d\w])(?:\+?84|0){SEPARATOR}\d(?:{SEPARATOR}\d){{8,9}}(?!\d)")
PERSONAL_NUMBER = re.compile(r"(?<![\w-])\d{12}(?![\w-])")
POSITION = re.compile(r"(?<!\d)(?:2[12]\.\d{4,}|10[67]\.\d{4,})(?!\d)")  # Lạng Sơn: 21-22° N, 106-107° E
UUIDS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
DRAWING = re.compile(r"<svg.*?</svg>", re.DOTALL)
MACHINE = re.compile(r'(?:data-poll|href|src|action|value|name|content|id|for)="[^"]*"')


def revealing(body: str) -> list[str]:
    visible = MACHINE.sub("", DRAWING.sub("", body))
    return [m.group() for kind in (PHONE, PERSONAL_NUMBER, POSITION) for m in kind.finditer(visible)]


@pytest.fixture
def province(demo_database: Database, settings: Settings, tmp_path: Path) -> Flask:
    on_demo = settings.model_copy(
        update={"database_url": demo_database.url, "var": tmp_path / "var", "log_level": "DEBUG"}
    )
    return create_app(on_demo, demo_database)


def crawl(client: FlaskClient, starts: list[str], most: int) -> dict[str, str]:
    """Every page that links lead to from here, on this host."""
    seen: dict[str, str] = {}
    waiting = list(starts)
    while waiting and len(seen) < most:
        url = waiting.pop(0)
        if url in seen:
            continue
        answer = client.get(url)
        if not (answer.content_type or "").startswith(("text/", "application/json", "image/svg")):
            seen[url] = ""
            continue
        seen[url] = answer.get_data(as_text=True)
        if answer.status_code in {301, 302, 303} and answer.headers["Location"].startswith("/"):
            waiting.append(answer.headers["Location"])
        for found in re.findall(r'href="([^"#]+)"', seen[url]):
            target = urljoin(url, found.replace("&amp;", "&"))
            if not urlsplit(target).netloc and not target.startswith(("/static", "mailto:", "tel:")):
                waiting.append(target)
    return seen


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("gọi 0912 345 678", 1), ("+84 912 345 678", 1), ("0205.3812.345", 1), ("số 012345678901", 1), ("ở 21.8537, 106.7615", 2),
        ("lô NA-1126-01, 640 kg, 12/08/2026", 0), ("mã K7M2-9QXD-3HTPC", 0), ("1.840.000 đ", 0), ("GTIN 08930000000123", 0),
    ],
)  # fmt: skip
def test_the_search_finds_what_it_should_and_nothing_else(said: str, found: int) -> None:
    assert len(revealing(said)) == found


@pytest.mark.slow
def test_no_public_page_tells_a_number_or_a_position(province: Flask, demo_database: Database) -> None:
    with demo_database.transaction(SYSTEM) as session:
        codes = list(session.execute(text("SELECT code FROM trace_codes ORDER BY code")).scalars())
    assert len(codes) >= 3
    starts = ["/", "/dang-nhap", "/khong-co"] + [pages.path_of_code(c) + q for c in codes for q in ("", "?lang=en")]
    found = crawl(province.test_client(), starts, most=400)
    assert {url: revealing(body) for url, body in found.items() if revealing(body)} == {}


@pytest.mark.slow
def test_no_export_and_no_log_tells_a_number_or_a_position(
    province: Flask, demo_database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger().addHandler(caplog.handler)
    exports: dict[str, str] = {}
    for player in (p for p in cast.PLAYERS if p.key in {"can-bo-tinh", "giam-doc", "truong-thon"} or p.phone):
        with demo_database.transaction(SYSTEM) as session:
            person = session.execute(
                text("SELECT person_id FROM personal_data WHERE phone = :phone"), {"phone": player.phone}
            ).scalar_one_or_none()
            if person is None:
                continue
            granted = signin.start(session, SYSTEM, person, method=SignInMethod.PASSWORD, agent="test")
        client = province.test_client()
        client.set_cookie(SIGN_IN_COOKIE, granted.token)
        for rule in province.url_map.iter_rules():
            if rule.rule.endswith((".csv", ".json", ".xlsx")) and not rule.arguments:
                answer = client.get(rule.rule)
                if answer.status_code == 200:
                    exports[f"{player.key} {rule.rule}"] = answer.get_data(as_text=True)
    province.test_client().post("/dang-nhap", data={"phone": "0912345678", "password": "sai-mật-khẩu"})
    assert exports
    assert {name: revealing(body) for name, body in exports.items() if revealing(body)} == {}
    logged = "\n".join(str(r.msg) for r in caplog.records)
    assert "request" in logged
    assert PHONE.findall(UUIDS.sub("", logged)) == []


def test_the_trail_and_the_events_hold_no_personal_data(province: Flask, demo_database: Database) -> None:
    assert province
    with demo_database.transaction(SYSTEM) as session:
        personal = session.execute(text("SELECT phone, full_name, email FROM personal_data")).all()
        trail = "\n".join(session.execute(text("SELECT detail::text FROM audit_entries")).scalars())
        events = "\n".join(session.execute(text("SELECT body::text FROM outbox_events")).scalars())
        facts = "\n".join(
            session.execute(
                text("SELECT value::text || note FROM village_facts WHERE kind <> 'digital_address'")
            ).scalars()
        )
    words = {w for row in personal for w in row if w}
    assert len(words) > 20
    for kept in (trail, events, facts):
        assert [w for w in words if w in kept] == []
        assert PHONE.findall(UUIDS.sub("", kept)) == []

"""No phone number, no exact position and no 12-digit number reaches a public page, a log or an export."""

import io
import logging
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import product
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.orm import Session

from app import clock, outbox
from app.accounts import actors, signin
from app.accounts.events import ConsentChanged
from app.accounts.models import SignInMethod
from app.actor import SYSTEM, Actor
from app.db import Database, new_id
from app.factory import create_app
from app.logs import configure_logging
from app.settings import Settings
from app.trace import scan_addresses
from app.web import SIGN_IN_COOKIE
from demo import cast
from worker import reactions, tasks

SEPARATOR = r"[ .\-\u00a0\u202f]?"
PHONE = re.compile(rf"(?<![\d\w])(?:\+?84|0){SEPARATOR}\d(?:{SEPARATOR}\d){{8,9}}(?!\d)")
PERSONAL_NUMBER = re.compile(r"(?<![\w-])\d{12}(?![\w-])")
POSITION = re.compile(r"(?<!\d)(?:2[12]\.\d{4,}|10[67]\.\d{4,})(?!\d)")  # Lạng Sơn: 21-22° N, 106-107° E
TIMES = re.compile(r"\d\d:\d\d:\d\d(?:\.\d+)?")
UUIDS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
REQUEST_IDS = re.compile(r"\b[0-9a-f]{16}\b")
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
    starts = ["/", "/dang-nhap", "/khong-co"] + [
        scan_addresses.path_of_code(c) + q for c in codes for q in ("", "?lang=en")
    ]
    found = crawl(province.test_client(), starts, most=400)
    assert {url: revealing(body) for url, body in found.items() if revealing(body)} == {}


@pytest.fixture
def logged(province: Flask, settings: Settings) -> Iterator[io.StringIO]:
    """Everything that this process logs from now on, as it would stand in the file."""
    assert province
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure_logging(settings.model_copy(update={"log_level": "DEBUG"}))
    written = io.StringIO()
    [handler] = (h for h in root.handlers if isinstance(h, logging.StreamHandler))
    handler.setStream(written)
    yield written
    root.handlers[:] = handlers
    root.setLevel(level)


def in_log(written: io.StringIO) -> list[str]:
    """What a log tells that it must not; the parts of a second are no position, and random ids no numbers of people."""
    return revealing(TIMES.sub("", REQUEST_IDS.sub("", UUIDS.sub("", written.getvalue()))))


def browser_of(app: Flask, database: Database, key: str) -> FlaskClient:
    phone = next(p.phone for p in cast.PLAYERS if p.key == key)
    with database.transaction(SYSTEM) as session:
        person = session.execute(
            text("SELECT person_id FROM personal_data WHERE phone = :phone"), {"phone": phone}
        ).scalar_one()
        granted = signin.start(session, SYSTEM, person, method=SignInMethod.PASSWORD, agent="test")
    client = app.test_client()
    client.set_cookie(SIGN_IN_COOKIE, granted.token)
    return client


@pytest.mark.slow
def test_no_export_and_no_log_tells_a_number_or_a_position(
    province: Flask, demo_database: Database, logged: io.StringIO
) -> None:
    province.config.update(WTF_CSRF_ENABLED=False)
    rules = [r for r in province.url_map.iter_rules() if r.rule.endswith((".csv", ".json", ".xlsx"))]
    exports: dict[str, str] = {}
    for player in cast.PLAYERS:
        client = browser_of(province, demo_database, player.key)
        arguments = {"kind": ["villages", "premises"], "import_id": imported(client)} | places_of(
            demo_database, player.key
        )
        for rule in rules:
            for values in product(*(arguments[name] for name in sorted(rule.arguments))):
                with province.test_request_context():
                    url = province.url_map.bind("localhost").build(
                        rule.endpoint, dict(zip(sorted(rule.arguments), values, strict=True))
                    )
                answer = client.get(url)
                if answer.status_code == 200:
                    exports[f"{player.key} {url}"] = answer.text
    assert {name.split(" ")[1].rsplit("/", 1)[1] for name in exports} == {r.rule.rsplit("/", 1)[1] for r in rules} - {
        "<any(villages, premises):kind>.csv"
    } | {"villages.csv", "premises.csv"}
    assert {name: revealing(body) for name, body in exports.items() if revealing(body)} == {}

    wrong = province.test_client().post("/dang-nhap", data={"phone": "0912 345 678", "password": "sai-mật-khẩu"})
    assert (wrong.status_code, "wrong_password" in wrong.text or "chưa đúng" in wrong.text) == (422, True)
    farmer = browser_of(province, demo_database, "nong-dan")
    me = {"full_name": "Hoàng Thị Lành", "address_as": "bác", "phone": "0205 3812 345", "email": "lanh@example.vn"}
    assert farmer.post("/tai-khoan/sua", data=me).status_code == 303
    assert '"endpoint": "accounts.sign_in_send"' in logged.getvalue()
    assert '"endpoint": "accounts.change_me_send"' in logged.getvalue()
    assert in_log(logged) == []
    assert "Lành" not in logged.getvalue()


PERSON = {"name": "Hoàng Thị Lành", "phone": "0912 345 678", "number": "012345678901", "where": "21.853712, 106.761534"}
# What the database says of these quotes the row, or what was typed.
BROKEN = {
    "a row that breaks a rule": (
        "INSERT INTO personal_data (person_id, phone, full_name, address_as, language, updated_at)"
        " VALUES (gen_random_uuid(), :phone, :name, 'bác', 'vi', now())"
    ),
    "a word that is no id": "SELECT CAST(CAST(:name || ' ' || :phone || ' ' || :number || ' ' || :where AS text) AS uuid)",
}


def break_with(session: Session, statement: str) -> None:
    session.execute(text(statement), {name: said for name, said in PERSON.items() if f":{name}" in statement})


def break_a_row(session: Session, _actor: Actor, _event: ConsentChanged) -> None:
    break_with(session, BROKEN["a row that breaks a rule"])


def break_an_id(session: Session, _actor: Actor, _event: ConsentChanged) -> None:
    break_with(session, BROKEN["a word that is no id"])


@pytest.mark.parametrize(("which", "verb"), list(zip(BROKEN, (break_a_row, break_an_id), strict=True)))
def test_an_error_that_quotes_a_person_is_logged_and_kept_without_the_quotation(
    province: Flask,
    demo_database: Database,
    logged: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
    which: str,
    verb: Callable[..., None],
) -> None:
    def page_that_breaks() -> None:
        with demo_database.transaction(SYSTEM) as session:
            break_with(session, BROKEN[which])

    province.add_url_rule("/_hong", view_func=page_that_breaks)
    assert province.test_client().get("/_hong").status_code in {409, 500}

    reaction = reactions.Reaction(ConsentChanged, "test.break", verb=f"{__name__}:{verb.__name__}")
    monkeypatch.setitem(reactions.BY_NAME, "test.break", reaction)
    monkeypatch.setattr(tasks, "MAX_ATTEMPTS", 1)
    with demo_database.transaction(SYSTEM) as session:
        event_id = outbox.publish(session, SYSTEM, ConsentChanged(person_id=new_id()))
        session.flush()
        now = clock.machine_now()
        sent = outbox.Delivery(
            event_id=event_id, reaction="test.break", run_after=now, lease_until=now + timedelta(hours=1)
        )
        session.add(sent)
    tasks.pay(demo_database, event_id, "test.break")
    with demo_database.transaction(SYSTEM) as session:
        reason = session.execute(
            text("SELECT dead_reason FROM outbox_deliveries WHERE reaction = 'test.break'")
        ).scalar_one()
    assert reason.split()[0] in {"IntegrityError", "DataError"}
    assert "reaction failed" in logged.getvalue()
    assert in_log(logged) + revealing(reason) == []
    for word in ("Lành", *PERSON.values()):
        assert word not in logged.getvalue() + reason


def imported(client: FlaskClient) -> list[str]:
    """The id of a list with a wrong line, sent by somebody who may; none for others."""
    import_id = str(new_id())
    sent = io.BytesIO("Mã xã;Mã thôn;Loại;Tên thôn\n99999;99999-T01;thôn;Không có".encode("utf-8-sig"))
    form = {"id": import_id, "kind": "villages", "effective_on": "2026-11-01", "file": (sent, "thon.csv")}
    answer = client.post("/dia-ban/nhap", data=form)
    assert answer.status_code in {303, 403}
    return [import_id] if answer.status_code == 303 else []


def places_of(database: Database, key: str) -> dict[str, list[str]]:
    """A commune and a village of the actor's own places."""
    phone = next(p.phone for p in cast.PLAYERS if p.key == key)
    with database.transaction(SYSTEM) as session:
        person = session.execute(
            text("SELECT person_id FROM personal_data WHERE phone = :phone"), {"phone": phone}
        ).scalar_one()
        own = [str(p) for p in actors.actor_for(session, person).places]
        found = session.execute(
            text("SELECT CAST(id AS text), level FROM places WHERE id = ANY (CAST(:own AS uuid[])) ORDER BY id"),
            {"own": own},
        ).all()
    return {f"{level}_id": [row[0] for row in found if row[1] == level][:1] for level in ("commune", "village")}


@pytest.mark.parametrize(
    ("line", "found"),
    [("lúc 14:08:21.123456", 0), ("gọi 0912 345 678", 1), ("ở 21.853712", 1), ("số 012345678901", 1)],
)
def test_the_search_of_a_log_finds_numbers_and_positions_but_no_time(line: str, found: int) -> None:
    assert len(in_log(io.StringIO(line))) == found


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

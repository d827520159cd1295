"""What every page and every error does, whatever the part."""

import logging
import re
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import pytest
from flask import Flask, g
from flask.testing import FlaskClient
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from sqlalchemy import text

from app import retention, web
from app.actor import SYSTEM
from app.db import Database, Patience, Words, new_id
from app.errors import Conflict, Invalid, InvalidMany
from app.factory import create_app
from app.messages import N_, Sentence
from app.retention import Step
from app.settings import Settings
from app.web.formats import vnd

TYPED = "Nông Thị Bí Mật"


class Weighed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    kilograms: int = Field(gt=0, le=1000)
    name: str = Field(max_length=5)


@pytest.fixture
def app(settings: Settings, database: Database) -> Flask:
    flask_app = create_app(settings, database)

    @flask_app.get("/thu")
    def weigh_form() -> str:
        return "FORM " + repr(sorted(g.get("form_errors", {}).items()))

    @flask_app.post("/thu")
    @web.csrf.exempt
    def weigh() -> str:
        return str(web.parse(Weighed))

    @flask_app.post("/thu/nhieu")
    @web.csrf.exempt
    def many() -> str:
        raise InvalidMany(
            [Invalid("x", Sentence(said), field="list") for said in ("Dòng 2 sai.", "Dòng 5 sai.", "Dòng 2 sai.")]
        )

    flask_app.get("/thu/nhieu")(weigh_form)

    @flask_app.post("/thu/kin")
    def guarded() -> str:
        return "done"

    @flask_app.get("/thu/hong")
    def broken() -> str:
        raise ZeroDivisionError

    @flask_app.post("/thu/tranh")
    @web.csrf.exempt
    def taken() -> str:
        raise Conflict("taken", Words(vi="Đã có người làm.", en="Somebody did it."))

    return flask_app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def test_every_answer_carries_the_security_headers_and_a_request_id(client: FlaskClient) -> None:
    answer = client.get("/healthz", headers={"X-Request-Id": "abcdef123456"})
    for name, value in web.SECURITY_HEADERS.items():
        assert answer.headers[name] == value
    assert answer.headers["X-Request-Id"] == "abcdef123456"
    assert "unsafe" not in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("given", ["x y<script>", "0912345678", "84912345678", "12345678", "tel_0912345678", "a" * 65])
def test_a_hostile_request_id_or_one_that_may_be_a_phone_number_is_replaced(client: FlaskClient, given: str) -> None:
    kept = client.get("/healthz", headers={"X-Request-Id": given}).headers["X-Request-Id"]
    assert re.fullmatch(r"[0-9a-f]{16}", kept)


def test_the_proxys_request_id_is_kept(client: FlaskClient) -> None:
    given = "0123456789" * 3 + "ab"
    assert client.get("/healthz", headers={"X-Request-Id": given}).headers["X-Request-Id"] == given


def test_all_wrong_fields_are_told_at_once_in_both_languages(client: FlaskClient) -> None:
    answer = client.post("/thu", json={"kilograms": -1, "name": "quá dài", "other": 1})
    assert (answer.status_code, answer.content_type) == (422, "application/problem+json")
    told = {e["field"]: (e["vi"], e["en"]) for e in answer.get_json()["errors"]}
    assert told == {
        "kilograms": ("Phải lớn hơn 0.", "Must be more than 0."),
        "name": ("Dài quá: nhiều nhất 5 chữ.", "Too long: at most 5 characters."),
        "other": ("Có mục lạ không dùng được ở đây.", "This field is not known here."),
    }


def test_a_refused_form_shows_its_page_again_with_the_reason_at_the_field(client: FlaskClient) -> None:
    answer = client.post("/thu", data={"kilograms": "abc", "name": "na"})
    assert answer.status_code == 422
    assert answer.get_data(as_text=True).startswith("FORM [('kilograms', 'Cần một số nguyên, ví dụ 12.')]")


def test_several_reasons_at_one_field_are_all_told_each_once(client: FlaskClient) -> None:
    assert client.post("/thu/nhieu").get_data(as_text=True).startswith("FORM [('list', 'Dòng 2 sai. Dòng 5 sai.')]")


def test_a_post_without_the_forms_token_is_refused(client: FlaskClient) -> None:
    client.set_cookie("hoi_lang", "vi")
    answer = client.post("/thu/kin", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.get_json()["code"]) == (403, "form_expired")


def test_an_unknown_page_speaks_vietnamese_first(client: FlaskClient) -> None:
    answer = client.get("/khong-co")
    assert answer.status_code == 404
    assert "Không tìm thấy" in answer.get_data(as_text=True)
    assert 'lang="vi"' in answer.get_data(as_text=True)


def test_an_expected_error_has_code_status_and_two_sentences(client: FlaskClient) -> None:
    answer = client.post("/thu/tranh", headers={"Accept": "application/problem+json"})
    body = answer.get_json()
    assert (answer.status_code, body["code"], body["detail_vi"], body["detail_en"]) == (
        409,
        "taken",
        "Đã có người làm.",
        "Somebody did it.",
    )


def test_an_unexpected_error_shows_the_request_id_and_is_logged(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger().addHandler(caplog.handler)
    answer = client.get("/thu/hong", headers={"X-Request-Id": "abcdef123456"})
    assert answer.status_code == 500
    assert "abcdef123456" in answer.get_data(as_text=True)
    assert "ZeroDivisionError" not in answer.get_data(as_text=True)
    (logged,) = [r.msg for r in caplog.records if isinstance(r.msg, dict) and r.msg["event"] == "unexpected error"]
    assert (logged["error"], logged["request_id"]) == ("ZeroDivisionError", "abcdef123456")
    assert logged["exception"].endswith("raise ZeroDivisionError\nbuiltins.ZeroDivisionError")


@pytest.mark.parametrize(("path", "error"), [("/thu/sai-quy-tac", "IntegrityError"), ("/thu/tran-so", "DataError")])
def test_an_error_of_the_database_is_logged_without_what_was_typed(
    app: Flask, database: Database, caplog: pytest.LogCaptureFixture, path: str, error: str
) -> None:
    @app.get("/thu/sai-quy-tac")
    def breaks_a_rule() -> str:
        with database.transaction(SYSTEM) as session:
            session.execute(text("CREATE TEMPORARY TABLE rows (name text, CHECK (length(name) < 3))"))
            session.execute(text("INSERT INTO rows VALUES (:name)"), {"name": TYPED})
        return ""

    @app.get("/thu/tran-so")
    def overflows() -> str:
        with database.transaction(SYSTEM) as session:
            session.execute(text("SELECT CAST(:name AS date)"), {"name": TYPED})
        return ""

    logging.getLogger().addHandler(caplog.handler)
    assert app.test_client().get(path).status_code == 500
    (logged,) = [r.msg for r in caplog.records if isinstance(r.msg, dict) and r.msg["event"] == "unexpected error"]
    assert logged["error"] == error
    assert len(logged["sqlstate"]) == 5
    assert TYPED not in str(logged)


@pytest.mark.parametrize("how", ["lock", "statement", "pool"])
def test_a_database_that_is_held_up_is_a_503_and_no_conflict(
    settings: Settings, fresh_database: Database, how: str
) -> None:
    own = Database(fresh_database.url, pool_size=1, patience=Patience(lock=1, statement=2, connection=1))
    app = create_app(settings, own)

    @app.post("/thu/ban")
    def waits() -> str:
        with own.transaction(SYSTEM) as session:
            session.execute(text("SELECT pg_sleep(5)" if how == "statement" else "SELECT count(*) FROM organisations"))
        return "done"

    web.csrf.exempt(waits)
    held: list[Any] = [own.engine.connect() for _ in range(2)] if how == "pool" else []
    with fresh_database.engine.connect() as other:
        if how == "lock":
            other.execute(text("SET ROLE NONE"))
            other.execute(text("LOCK TABLE organisations"))
        answer = app.test_client().post("/thu/ban", headers={"Accept": "application/json"})
        other.rollback()
    for one in held:
        one.close()
    own.dispose()
    assert (answer.status_code, answer.get_json()["code"]) == (503, "database_busy")
    assert answer.headers["Retry-After"] == "10"


@pytest.mark.parametrize(
    "path", ["/t/%00", "/dang-nhap?next=%00", "/dang-nhap?a%0ab=1", "/khong-co?x=1&x=%1f", "/thu%7f"]
)
def test_control_characters_in_an_address_are_refused_in_one_place(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 400
    assert "Địa chỉ này có ký tự không đọc được" in answer.get_data(as_text=True)


def test_a_database_that_is_away_is_a_503_with_the_way_out(settings: Settings) -> None:
    nowhere = Database("postgresql://nobody@127.0.0.1:1/none")
    answer = create_app(settings, nowhere).test_client().get("/readyz")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    assert "chưa được ghi" in answer.get_data(as_text=True)


def test_language_is_vietnamese_until_somebody_chooses(client: FlaskClient) -> None:
    assert 'lang="vi"' in client.get("/khong-co", headers={"Accept-Language": "en"}).get_data(as_text=True)
    assert 'lang="en"' in client.get("/khong-co?lang=en").get_data(as_text=True)


@pytest.mark.parametrize("back", ["//evil.example", "https://evil.example", "/\\evil.example", "/\t/evil.example"])
def test_choosing_a_language_never_leads_to_another_host(app: Flask, back: str) -> None:
    app.config["WTF_CSRF_ENABLED"] = False
    answer = app.test_client().post("/ngon-ngu", data={"lang": "en", "back": back})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")


def test_metrics_are_for_this_machine_only(client: FlaskClient) -> None:
    told = client.get("/metrics").data
    assert b"hoi_http_requests_total" in told
    assert b"\nhoi_outbox_owed 0.0\n" in told
    assert b"\nhoi_outbox_given_up 0.0\n" in told
    assert client.get("/metrics", environ_base={"REMOTE_ADDR": "203.0.113.9"}).status_code == 404
    assert client.get("/metrics", environ_base={"REMOTE_ADDR": None}).status_code == 404
    for name in ("X-Forwarded-For", "Forwarded", "X-Forwarded-Host", "Via"):
        assert client.get("/metrics", headers={name: "127.0.0.1"}).status_code == 404, (
            "a proxy on this machine is not this machine"
        )


def test_metrics_tell_what_was_ended_by_age(client: FlaskClient, database: Database) -> None:
    retention.run(database, "jobs", lambda _session, onward: Step(3, None if onward else "again"), seconds=60)
    told = client.get("/metrics").get_data(as_text=True)
    assert '\nhoi_retention_rows{rule="jobs"} 6.0\n' in told
    with database.transaction(SYSTEM) as session:
        (run,) = retention.runs(session)
    assert run.finished_at is not None
    (at,) = re.findall(r'\nhoi_retention_finished_seconds{rule="jobs"} (\S+)\n', told)
    assert float(at) == run.finished_at.timestamp()


def test_metrics_behind_proxies_want_the_token(settings: Settings, database: Database) -> None:
    behind = create_app(settings.model_copy(update={"trusted_proxies": 1}), database).test_client()
    assert behind.get("/metrics").status_code == 404
    token = {"trusted_proxies": 1, "metrics_token": SecretStr("một mã dài")}
    watched = create_app(settings.model_copy(update=token), database).test_client()
    far = {"environ_base": {"REMOTE_ADDR": "203.0.113.9"}}
    answers = [
        watched.get("/metrics", headers={"Authorization": given} if given else {}, **far).status_code  # type: ignore[arg-type]  # an environment is any mapping
        for given in ("Bearer một mã dài", "Bearer một mã khác", "")
    ]
    assert answers == [200, 404, 404]


def test_invented_methods_make_one_series(client: FlaskClient) -> None:
    for number in range(20):
        client.open("/healthz", method=f"INVENTED{number}")
    told = client.get("/metrics").get_data(as_text=True)
    assert "INVENTED" not in told
    assert 'hoi_http_requests_total{endpoint="none",method="other",status="405"}' in told


def test_numbers_and_money_are_written_the_vietnamese_way(app: Flask) -> None:
    with app.test_request_context("/"):
        assert (vnd(185000), web.quantity(Decimal("1234.5"), "kg")) == ("185.000 đ", "1.234,5 kg")
    with app.test_request_context("/?lang=en"):
        assert web.quantity(Decimal("1234.5"), "kg") == "1,234.5 kg"


def test_invalid_knows_its_field() -> None:
    assert Invalid("x", N_("a"), field="f").field == "f"


def test_every_kind_of_list_takes_all_values_of_its_name(settings: Settings, database: Database) -> None:
    class Lists(BaseModel):
        model_config = ConfigDict(frozen=True, extra="forbid")

        several: list[UUID] = []
        few: tuple[str, ...] = ()
        each: frozenset[int] = frozenset()
        one: Annotated[str, Field(max_length=9)] | None = None

    first, second = new_id(), new_id()
    sent = {"several": [str(first), str(second)], "few": ["a", "b"], "each": ["2", "1", "2"], "one": ["x"]}
    app = create_app(settings, database)
    with app.test_request_context("/", method="POST", data=sent):
        found = web.parse(Lists)
    assert found == Lists(several=[first, second], few=("a", "b"), each=frozenset({1, 2}), one="x")

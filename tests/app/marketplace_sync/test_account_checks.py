"""Keys of a shop are tried in the background: the page follows, nothing of a shop reaches a web thread."""

import contextlib
import re
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr
from sqlalchemy import func, select, update

from app import clock
from app.accounts.models import Membership, Organisation
from app.actor import SYSTEM, Role
from app.db import new_id
from app.errors import Forbidden, NotFound, TooMany
from app.factory import create_app
from app.marketplace_sync import account_checks, credentials, queries
from app.marketplace_sync.channels.accounts import Credentials
from app.marketplace_sync.events import AccountCheckWanted
from app.marketplace_sync.models import AccountCheck, ChannelAccount, ChannelCall
from app.marketplace_sync.schemas import NewAccount
from app.outbox import NotYet, OutboxEvent
from tests.app.browsers import browser_of
from tests.worlds.shop import World, add_person


@pytest.fixture
def client(world: World) -> FlaskClient:
    app = create_app(world.settings, world.database)
    app.config["WTF_CSRF_ENABLED"] = False
    return browser_of(app, world.manager)


def connect_form(world: World, **other: str) -> dict[str, Any]:
    keys = dict(world.woo.credentials().values)
    return {
        "id": new_id(), "organisation_id": world.organisation_id, "channel": "woocommerce", "name": "Mới", **keys, **other
    }  # fmt: skip


def names_of_accounts(world: World) -> list[str]:
    with world.database.transaction(SYSTEM) as session:
        return list(session.scalars(select(ChannelAccount.name).order_by(ChannelAccount.name)))


def sent_to_check(client: FlaskClient, path: str, form: Mapping[str, Any]) -> UUID:
    answer = client.post(path, data=form)
    assert (answer.status_code, answer.get_data(as_text=True)[:0]) == (303, "")
    return UUID(answer.headers["Location"].rsplit("/", 1)[1])


def ask_the_shop(world: World, check_id: UUID) -> AccountCheck:
    """As the caller does it."""
    account_checks.on_check_wanted(world.database, world.settings, AccountCheckWanted(check_id))
    with world.database.transaction(SYSTEM) as session:
        return session.get_one(AccountCheck, check_id)


def answered(world: World, client: FlaskClient, path: str, form: Mapping[str, Any]) -> str:
    """The page of the check once the shop has answered."""
    check_id = sent_to_check(client, path, form)
    ask_the_shop(world, check_id)
    page = client.get(f"/san/tai-khoan/hoi/{check_id}")
    assert (page.status_code, page.headers.get("Refresh")) == (200, None)
    return page.get_data(as_text=True)


def test_keys_that_the_shop_refuses_bring_the_form_again_with_what_was_typed(world: World, client: FlaskClient) -> None:
    sent = connect_form(world, name="Gian hàng mới", stock_buffer="7", weight_unit="g", consumer_secret="cs_sai")
    html = answered(world, client, "/san/tai-khoan/moi", sent)
    for kept in ('value="Gian hàng mới"', 'value="7"', f'value="{world.woo.url}"', '<option value="g" selected'):
        assert kept in html
    assert ('role="alert"' in html, "cs_sai" in html, str(sent["consumer_key"]) in html) == (True, False, False)
    assert "Gian hàng không nhận mã truy cập này" in html
    assert f'value="{sent["id"]}"' not in html, "the next try is another one"
    assert 'action="/san/tai-khoan/moi"' in html
    assert names_of_accounts(world) == ["Gian hàng tỉnh"]


def test_a_shop_that_sells_in_another_currency_is_not_connected(world: World, client: FlaskClient) -> None:
    world.woo.ask("settings", {"general/woocommerce_currency": "USD"})
    html = answered(world, client, "/san/tai-khoan/moi", connect_form(world))
    assert names_of_accounts(world) == ["Gian hàng tỉnh"]
    assert "Gian hàng đang bán bằng USD, không phải đồng, nên mọi giá đưa sang sẽ sai." in html
    assert "đổi Tiền tệ sang VND (đồng), rồi kết nối lại." in html
    sealed = world.account().credentials_sealed
    path = f"/san/tai-khoan/{world.account_id}"
    again = answered(world, client, path, connect_form(world))
    assert ("bán bằng USD" in again, f'action="{path}"' in again) == (True, True)
    assert world.account().credentials_sealed == sealed
    world.woo.ask("settings", {"general/woocommerce_currency": "VND"})
    assert "Đã kết nối với" in answered(world, client, "/san/tai-khoan/moi", connect_form(world))
    assert names_of_accounts(world) == ["Gian hàng tỉnh", "Mới"]


def test_another_weight_unit_connects_and_is_told(world: World, client: FlaskClient) -> None:
    words = "Gian hàng tính khối lượng bằng kg, còn tài khoản này ghi g, nên khối lượng trên sàn sẽ sai."
    html = answered(world, client, "/san/tai-khoan/moi", connect_form(world, weight_unit="g"))
    assert ("Đã kết nối với Sàn nông sản tỉnh (mô phỏng)." in html, words in html) == (True, True)
    assert names_of_accounts(world) == ["Gian hàng tỉnh", "Mới"]
    path = f"/san/tai-khoan/{world.account_id}"
    again = answered(world, client, path, connect_form(world, weight_unit="g"))
    assert ("Đã kết nối lại." in again, words in again) == (True, True)
    right = answered(world, client, path, connect_form(world, weight_unit="kg"))
    assert "nên khối lượng trên sàn sẽ sai" not in right


def test_a_missing_key_is_named_with_a_link_to_its_field(world: World, client: FlaskClient) -> None:
    sent = {"id": new_id(), "organisation_id": world.organisation_id, "channel": "woocommerce", "name": "Gian hàng mới"}
    answer = client.post("/san/tai-khoan/moi", data={**sent, "base_url": world.woo.url, "consumer_key": "ck_thu"})
    html = answer.get_data(as_text=True)
    named = '<li><a href="#consumer_secret">Khóa bí mật (consumer secret)</a>: Còn thiếu: Khóa bí mật (consumer secret).</li>'
    assert (answer.status_code, named in html, 'id="consumer_secret"' in html) == (422, True, True)


def test_new_keys_keep_what_the_form_leaves_empty(world: World, client: FlaskClient) -> None:
    keys = dict(world.woo.credentials().values)
    old = {**keys, "weight_unit": "g", "consumer_key": "ck_cu"}
    with world.database.transaction(SYSTEM) as session:
        sealed = credentials.seal(world.settings, Credentials(old))
        session.execute(update(ChannelAccount).values(credentials_sealed=sealed))
    path = f"/san/tai-khoan/{world.account_id}"
    html = client.get(path).get_data(as_text=True)
    assert re.search(r'<option value="g"\s+selected', html)
    assert "ck_cu" not in html
    sent = {name: keys[name] for name in ("consumer_key", "consumer_secret")}
    assert "Đã kết nối lại." in answered(world, client, path, sent)
    stored = dict(credentials.unseal(world.settings, world.account().credentials_sealed).values)
    assert stored == {**keys, "weight_unit": "g"}


# --- the page follows --------------------------------------------------------------------------------------------


def test_the_page_waits_for_the_shop_and_refreshes_by_itself(world: World, client: FlaskClient) -> None:
    calls = world.woo.calls()
    check_id = sent_to_check(client, "/san/tai-khoan/moi", connect_form(world))
    page = client.get(f"/san/tai-khoan/hoi/{check_id}")
    html = page.get_data(as_text=True)
    assert (page.status_code, page.headers["Refresh"], "Đang hỏi thử gian hàng…" in html) == (200, "2", True)
    assert f'href="/san/tai-khoan/hoi/{check_id}"' in html, "who has no refresh has a link"
    assert (world.woo.calls(), names_of_accounts(world)) == (calls, ["Gian hàng tỉnh"])
    assert world.events("account_check_wanted") == 1


def test_the_keys_are_sealed_while_they_wait_and_gone_afterwards(world: World, client: FlaskClient) -> None:
    form = connect_form(world)
    check_id = sent_to_check(client, "/san/tai-khoan/moi", form)
    with world.database.transaction(SYSTEM) as session:
        check = session.get_one(AccountCheck, check_id)
        assert check.shown == {"base_url": form["base_url"]} | {k: form[k] for k in ("weight_unit",) if k in form}
        assert str(form["consumer_secret"]).encode() not in (check.credentials_sealed or b"")
        bodies = session.scalars(select(OutboxEvent.body).where(OutboxEvent.name == AccountCheckWanted.name)).all()
    assert bodies == [{"check_id": str(check_id)}]
    done = ask_the_shop(world, check_id)
    assert (done.state, done.credentials_sealed, done.asking_until) == ("done", None, None)


def test_the_same_form_sent_twice_is_one_check_and_other_content_is_refused(world: World, client: FlaskClient) -> None:
    form = connect_form(world)
    first = sent_to_check(client, "/san/tai-khoan/moi", form)
    assert sent_to_check(client, "/san/tai-khoan/moi", form) == first
    assert client.post("/san/tai-khoan/moi", data=form | {"name": "Khác"}).status_code == 409
    ask_the_shop(world, first)
    again = ask_the_shop(world, sent_to_check(client, "/san/tai-khoan/moi", form))
    assert (again.state, names_of_accounts(world)) == ("done", ["Gian hàng tỉnh", "Mới"]), "connected once"
    other = ask_the_shop(world, sent_to_check(client, "/san/tai-khoan/moi", form | {"name": "Khác"}))
    assert (other.state, other.error_code) == ("refused", "same_id_other_content")


def test_what_is_wrong_without_asking_is_said_at_once(world: World, client: FlaskClient) -> None:
    for address in ("ftp://gianhang.vn", "https://ai:khoa@gianhang.vn", "https://[x", "gianhang"):
        answer = client.post("/san/tai-khoan/moi", data=connect_form(world, base_url=address))
        assert (answer.status_code, 'id="base_url-' in answer.get_data(as_text=True)) == (422, True), address
    with world.database.transaction(SYSTEM) as session:
        assert session.scalar(select(func.count()).select_from(AccountCheck)) == 0


def test_nobody_else_sees_a_check(world: World, client: FlaskClient) -> None:
    check_id = sent_to_check(client, "/san/tai-khoan/moi", connect_form(world))
    stranger = add_person(
        world.database, "Lý Thị Lạ", "+84900000077", new_organisation(world), Role.COOPERATIVE_MANAGER
    )
    with pytest.raises(NotFound):
        world.do(queries.account_check, check_id, actor=stranger)
    with pytest.raises(Forbidden):
        world.do(account_checks.ask, world.settings, new_account(world), actor=stranger)


# --- limits ------------------------------------------------------------------------------------------------------


def test_three_checks_of_an_organisation_wait_and_the_fourth_is_told_to_come_again(
    world: World, client: FlaskClient
) -> None:
    for _ in range(3):
        sent_to_check(client, "/san/tai-khoan/moi", connect_form(world))
    answer = client.post("/san/tai-khoan/moi", data=connect_form(world))
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "15")
    assert "Đang hỏi thử 3 gian hàng" in answer.get_data(as_text=True)
    with pytest.raises(TooMany):
        world.do(account_checks.ask, world.settings, new_account(world), actor=world.other)


def test_one_shop_of_an_organisation_is_asked_at_a_time_and_half_the_callers_at_most(world: World) -> None:
    first, second = (world.do(account_checks.ask, world.settings, new_account(world)) for _ in range(2))
    assert account_checks._claim(world.database, world.settings, first) is not None
    for again in (first, second):  # `first`: a message that came twice
        with pytest.raises(NotYet):
            account_checks._claim(world.database, world.settings, again)
    neighbour = new_organisation(world)
    theirs = add_person(world.database, "Lý Thị Bên", "+84900000078", neighbour, Role.COOPERATIVE_MANAGER)
    account = new_account(world).model_copy(update={"organisation_id": neighbour})
    third = world.do(account_checks.ask, world.settings, account, actor=theirs)
    few = world.settings.model_copy(update={"caller_threads": 2})
    with pytest.raises(NotYet):
        account_checks._claim(world.database, few, third)
    assert account_checks._claim(world.database, world.settings, third) is not None


def test_a_check_whose_caller_died_is_asked_again(world: World) -> None:
    check_id = world.do(account_checks.ask, world.settings, new_account(world))
    assert account_checks._claim(world.database, world.settings, check_id) is not None
    world.change(AccountCheck, asking_until=clock.machine_now() - timedelta(seconds=1))
    assert ask_the_shop(world, check_id).state == "done"


def test_checks_are_forgotten_a_day_after_they_ended(world: World) -> None:
    old, young = (
        ask_the_shop(world, world.do(account_checks.ask, world.settings, new_account(world))).id for _ in range(2)
    )
    waiting = world.do(account_checks.ask, world.settings, new_account(world))
    with world.database.transaction(SYSTEM) as session:
        session.execute(
            update(AccountCheck)
            .where(AccountCheck.id == old)
            .values(finished_at=clock.machine_now() - timedelta(days=1, minutes=1))
        )
    account_checks.forget(world.database, world.settings)
    with world.database.transaction(SYSTEM) as session:
        assert set(session.scalars(select(AccountCheck.id))) == {young, waiting}


def test_keys_sealed_with_another_key_end_in_its_sentence_and_can_be_sent_again(world: World) -> None:
    account = new_account(world)
    check_id = world.do(account_checks.ask, world.settings, account)
    other = world.settings.model_copy(update={"credentials_key": SecretStr("một khóa khác, đủ dài cho cả hệ thống")})
    account_checks.on_check_wanted(world.database, other, AccountCheckWanted(check_id))
    with world.database.transaction(SYSTEM) as session:
        check = session.get_one(AccountCheck, check_id)
    assert (check.state, check.error_code) == ("refused", "sealed_with_another_key")
    assert (check.credentials_sealed, check.asking_until) == (None, None)
    assert names_of_accounts(world) == ["Gian hàng tỉnh"]
    again = world.do(account_checks.ask, other, account)
    assert again != check_id


def test_what_waited_an_hour_is_refused_with_its_keys_dropped(world: World) -> None:
    late, asked_now, young = (world.do(account_checks.ask, world.settings, new_account(world)) for _ in range(3))
    now = clock.machine_now()
    hour = {"asked_at": now - timedelta(hours=1, minutes=1)}
    with world.database.transaction(SYSTEM) as session:
        for check_id, more in ((late, {}), (asked_now, {"asking_until": now + timedelta(seconds=30)})):
            session.execute(update(AccountCheck).where(AccountCheck.id == check_id).values(**hour, **more))
    account_checks.forget(world.database, world.settings)
    with world.database.transaction(SYSTEM) as session:
        found = {check.id: check for check in session.scalars(select(AccountCheck))}
    assert {n: (c.state, c.error_code, c.credentials_sealed is None) for n, c in found.items()} == {
        late: ("refused", "shop_not_asked", True),
        asked_now: ("waiting", None, False),
        young: ("waiting", None, False),
    }
    assert ask_the_shop(world, late).state == "refused", "its delivery comes too late"
    assert names_of_accounts(world) == ["Gian hàng tỉnh"]


def test_who_lost_the_right_meanwhile_connects_nothing(world: World) -> None:
    check_id = world.do(account_checks.ask, world.settings, new_account(world))
    with world.database.transaction(SYSTEM) as session:
        session.execute(
            update(Membership)
            .where(Membership.person_id == world.manager.person_id)
            .values(valid_to=clock.today() - timedelta(days=1), ended_at=clock.now(), ended_by=world.other.person_id)
        )
    check = ask_the_shop(world, check_id)
    assert (check.state, check.error_code, names_of_accounts(world)) == ("refused", "forbidden", ["Gian hàng tỉnh"])


def test_a_shop_that_never_answers_ends_in_a_sentence(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    patience = account_checks.PATIENCE
    assert (patience.conversation, timedelta(seconds=patience.conversation) < account_checks.LEASE) == (12, True)
    monkeypatch.setattr(account_checks, "PATIENCE", type(patience)(connect=1, read=1, total=1, conversation=1))
    with dripping_shop() as url:
        account = new_account(world)
        account = account.model_copy(update={"credentials": account.credentials | {"base_url": url}})
        check_id = world.do(account_checks.ask, world.settings, account)
        began = time.monotonic()
        check = ask_the_shop(world, check_id)
    assert time.monotonic() - began < 15, "each byte came in time, but not the answer"
    assert (check.state, names_of_accounts(world)) == ("refused", ["Gian hàng tỉnh"])
    assert check.error is not None
    assert check.error_code == "answer_too_slow"
    with world.database.transaction(SYSTEM) as session:
        calls = session.execute(select(ChannelCall.verb, ChannelCall.outcome)).all()
    assert [tuple(row) for row in calls] == [("check", "answer_too_slow")]


@contextmanager
def dripping_shop() -> Iterator[str]:
    """Sends one byte of its headers after the other, and never the last."""
    done = threading.Event()

    def serve() -> None:
        line, _ = server.accept()
        with line, contextlib.suppress(OSError):
            line.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
            while not done.wait(0.1):
                line.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            done.set()
            thread.join()


def new_organisation(world: World) -> UUID:
    identifier = new_id()
    with world.database.transaction(SYSTEM) as session:
        session.add(
            Organisation(
                id=identifier, kind="cooperative", name="HTX Bên", tax_code=None, village_id=world.village_id,
                commune_id=world.commune_id, created_at=clock.now(),
            )
        )  # fmt: skip
    return identifier


def new_account(world: World) -> NewAccount:
    return NewAccount(
        id=new_id(),
        organisation_id=world.organisation_id,
        channel="woocommerce",
        name="Mới",
        credentials=dict(world.woo.credentials().values),
    )

"""The page of the floors leads to the next step that makes sense, whatever is connected and packed."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from app import clock
from app.accounts.models import PersonalData
from app.actor import SYSTEM
from app.db import Database, Words, new_id
from app.factory import create_app
from app.marketplace_sync import queries
from app.marketplace_sync.models import ChannelAccount, Listing, ListingObservation
from app.products.models import Product, Variant
from app.settings import Settings
from app.trace import stock
from app.trace.models import MovementKind
from app.trace.schemas import Movement
from tests.app.browsers import browser_of
from tests.sightings import was_seen
from tests.worlds.farm import NOON, World, a_pack, a_product, build

CONNECT, PUT_ON_SALE = "Kết nối tài khoản sàn", "Chọn sản phẩm để bán trên Sàn thử"
UNPACKED = "Chưa đóng gói nào. Hãy tạo lô rồi ghi đóng gói vào sổ kho, sau đó mới đăng bán được."


@pytest.fixture
def world(database: Database, clock_at: Callable[[datetime], None]) -> World:
    clock_at(NOON)
    return build(database)


@pytest.fixture
def client(settings: Settings, database: Database, world: World) -> FlaskClient:
    with database.transaction(SYSTEM) as session:
        session.add(
            PersonalData(person_id=world.manager.person_id, phone=None, full_name="Người Thử", address_as="bác", email=None,
                         language="vi", updated_at=clock.now())
        )  # fmt: skip
    app = create_app(settings, database)
    app.config["WTF_CSRF_ENABLED"] = False
    return browser_of(app, world.manager)


def account(database: Database, organisation_id: UUID, state: str = "active") -> UUID:
    row = ChannelAccount(
        id=new_id(), organisation_id=organisation_id, channel="woocommerce", floor_id=None, legal_kind="own_site",
        name="Sàn thử", base_url="https://san.example", credentials_sealed=b"", state=state, error=None,
        created_at=clock.now(),
    )  # fmt: skip
    with database.transaction(SYSTEM) as session:
        session.add(row)
    return row.id


def shown(client: FlaskClient, path: str = "/san") -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def post(client: FlaskClient, path: str, form: dict[str, object]) -> tuple[int, str]:
    answer = client.post(path, data=form)
    return answer.status_code, answer.get_data(as_text=True)


def pack_some(database: Database, world: World, pack: UUID) -> None:
    with database.transaction(world.manager) as session:
        new = Movement(id=new_id(), variant_id=pack, kind=MovementKind.COUNTED, units=7, reason="Mẫu thử")
        stock.move(session, world.manager, new)


def a_listing(database: Database, world: World, **facts: Any) -> tuple[UUID, UUID, UUID]:
    """A listing of a pack of which none was packed: its pack, its account, and itself."""
    product = a_product(database, world)
    pack, at, listing = a_pack(database, world, product), account(database, world.cooperative), new_id()
    with database.transaction(SYSTEM) as session:
        session.add(
            Listing(id=listing, organisation_id=world.cooperative, account_id=at, product_id=product, variant_id=pack,
                    created_at=clock.now(), **facts)
        )  # fmt: skip
    return pack, at, listing


def main_step(html: str) -> str:
    """Where the one strong button of the empty state leads."""
    found = re.search(r'<div class="empty">.*?<a class="btn main" href="([^"]+)"', html, re.DOTALL)
    return found.group(1) if found else ""


def test_without_an_account_it_leads_to_connecting_one(client: FlaskClient, database: Database, world: World) -> None:
    a_pack(database, world, a_product(database, world))
    html = shown(client)
    assert (main_step(html), CONNECT in html, "Đăng bán" in html) == ("/san/tai-khoan/moi", True, False)


def test_with_an_account_and_no_listing_it_leads_to_putting_a_product_on_sale(
    client: FlaskClient, database: Database, world: World
) -> None:
    pack, at = a_pack(database, world, a_product(database, world)), account(database, world.cooperative)
    pack_some(database, world, pack)
    html = shown(client)
    assert (main_step(html), CONNECT in html, PUT_ON_SALE in html) == ("", False, True)
    assert f'name="account_id" value="{at}"><input type="hidden" name="variant_id" value="{pack}"' in html
    assert "còn 7 gói bán được" in html


def test_with_an_account_and_no_pack_it_leads_to_the_products(
    client: FlaskClient, database: Database, world: World
) -> None:
    account(database, world.cooperative)
    html = shown(client)
    assert (main_step(html), CONNECT in html) == ("/san-pham", False)


@pytest.mark.parametrize("state", ["paused", "broken"])
def test_with_no_account_that_works_it_leads_to_the_account(
    client: FlaskClient, database: Database, world: World, state: str
) -> None:
    a_pack(database, world, a_product(database, world))
    at = account(database, world.cooperative, state)
    html = shown(client)
    assert (main_step(html), CONNECT in html, "Đăng bán" in html) == (f"/san/tai-khoan/{at}", False, False)


def test_only_what_can_be_put_on_sale_is_offered(database: Database, world: World) -> None:
    kept, listed, retired, of_retired = (
        a_pack(database, world, a_product(database, world, name_vi=f"Hàng {n}"), sku=f"H-{n}") for n in range(4)
    )
    at, foreign = account(database, world.cooperative), account(database, world.foreign)
    with database.transaction(SYSTEM) as session:
        pack = session.get_one(Variant, listed)
        session.add(
            Listing(id=new_id(), organisation_id=world.cooperative, account_id=at, product_id=pack.product_id,
                    variant_id=listed, wanted="live", state="draft", created_at=clock.now())
        )  # fmt: skip
        session.get_one(Variant, retired).retired_on = clock.today()
        session.get_one(Product, session.get_one(Variant, of_retired).product_id).retired_on = clock.today()
        session.flush()
        accounts = [session.get_one(ChannelAccount, a) for a in (at, foreign)]
        found = queries.first_offers(session, accounts, 5)
        listed = {a.id: queries.offer_list(session, a) for a in accounts}
    for some in (found, listed):
        assert {a: [(o.variant.id, o.left) for o in os.lines] for a, os in some.items()} == {
            at: [(kept, None)],
            foreign: [],
        }


def test_what_there_is_nothing_of_is_shown_with_the_reason_and_no_button(
    client: FlaskClient, database: Database, world: World
) -> None:
    pack, at = a_pack(database, world, a_product(database, world)), account(database, world.cooperative)
    html = shown(client)
    assert (UNPACKED in html, "Chưa đăng bán được" in html, "Đăng bán<" in html, str(pack) in html) == (
        True,
        True,
        False,
        False,
    )
    sent = {"id": new_id(), "account_id": at, "variant_id": pack}
    status, html = post(client, "/san", sent)
    assert (status, html.count(UNPACKED), "<h1>Bán trên sàn</h1>" in html) == (409, 2, True)
    with database.transaction(SYSTEM) as session:
        assert session.scalar(select(func.count()).select_from(Listing)) == 0


def test_a_listing_is_not_offered_again_while_there_is_nothing_to_sell(
    client: FlaskClient, database: Database, world: World
) -> None:
    pack, _at, listing = a_listing(database, world, wanted="unlisted", state="unlisted")
    page = shown(client, f"/san/tin/{listing}")
    assert ("Chưa bán lại được" in page, UNPACKED in page, f"/san/tin/{listing}/send" in page) == (True, True, False)
    status, page = post(client, f"/san/tin/{listing}/send", {})
    assert (status, page.count(UNPACKED), 'role="alert"' in page, f"/san/tin/{listing}/unlist" in page) == (
        409,
        1,
        True,
        False,
    )
    with database.transaction(SYSTEM) as session:
        row = session.get_one(Listing, listing)
        assert (row.wanted, row.wanted_version) == ("unlisted", 1)
    pack_some(database, world, pack)
    assert f'action="/san/tin/{listing}/send"' in shown(client, f"/san/tin/{listing}")


@pytest.mark.parametrize(("code", "mend"), [("too_long", True), ("taken_off_there", False)])
def test_a_refusal_of_the_product_leads_first_to_changing_it(
    client: FlaskClient,
    database: Database,
    world: World,
    code: str,
    mend: bool,  # noqa: FBT001 - a parametrized value
) -> None:
    pack, _at, listing = a_listing(
        database, world, wanted="live", state="rejected", error_code=code, error=Words(vi="Tên dài quá.")
    )
    pack_some(database, world, pack)
    with database.transaction(SYSTEM) as session:
        product = session.get_one(Listing, listing).product_id
    page = shown(client, f"/san/tin/{listing}")
    first, second = f'<a class="btn main" href="/san-pham/{product}/sua">', f'action="/san/tin/{listing}/send"'
    assert (first in page, second in page, page.count('class="btn main"')) == (mend, True, 1)
    assert ("Sàn chưa bày bán lần nào" in page, "Sàn chưa trả lời lần nào" in page) == (True, False)


def test_what_is_being_sent_is_said_once_and_is_no_draft(client: FlaskClient, database: Database, world: World) -> None:
    pack, at = a_pack(database, world, a_product(database, world)), account(database, world.cooperative)
    pack_some(database, world, pack)
    answer = client.post("/san", data={"id": new_id(), "account_id": at, "variant_id": pack})
    page = shown(client, answer.location)
    assert ("Đang gửi lên sàn" in page, "Bản nháp" in page, page.count('class="flash wait"')) == (True, False, 1)


def test_a_sold_out_page_is_said_to_be_so(client: FlaskClient, database: Database, world: World) -> None:
    _pack, _at, listing = a_listing(database, world, wanted="live", state="live")
    with database.transaction(SYSTEM) as session:
        was_seen(
            session,
            ListingObservation(id=new_id(), listing_id=listing, organisation_id=world.cooperative, seen_at=clock.now(),
                               live=True, buyable=False, raw_state="publish",
                               reasons=[{"code": "out_of_stock", "vi": "Gian hàng báo đã hết hàng.", "en": "Sold out."}])
        )  # fmt: skip
    for path in (f"/san/tin/{listing}", "/san", "/hop-tac-xa"):
        assert "Hết hàng</span>" in shown(client, path)
    assert "Sàn báo đã hết hàng" in shown(client, f"/san/tin/{listing}")
    assert "1 đang hết hàng" in shown(client, "/hop-tac-xa")


def test_a_note_a_recall_and_a_silent_account_are_said_on_the_pages(
    client: FlaskClient, database: Database, world: World
) -> None:
    _pack, at, listing = a_listing(
        database,
        world,
        wanted="unlisted",
        state="live",
        recall_paused=True,
        note_code="sold_there",
        note=Words(vi="Sàn đã bán 3 gói."),
        note_at=clock.now(),
    )
    with database.transaction(SYSTEM) as session:
        row = session.get_one(ChannelAccount, at)
        row.looks_failing_since, row.error = clock.now(), Words(vi="Gian hàng không trả lời.")
    page = shown(client, f"/san/tin/{listing}")
    assert "Lô hàng đang thu hồi và không còn gói nào bán được." in page
    assert "Sàn đã bán 3 gói." in page
    assert f'action="/san/tin/{listing}/unlist"' in page, "what is on sale though unwanted can be taken off again"
    overview = shown(client)
    for words in ("Tạm ngưng vì thu hồi", "Sàn đã bán 3 gói.", "Gian hàng không trả lời."):
        assert words in overview
    silent = shown(client, f"/san/tai-khoan/{at}")
    assert "Không xem được gian hàng từ" in silent
    assert "Gian hàng không trả lời." in silent


@pytest.mark.parametrize(
    ("legal_kind", "beside", "box"),
    [
        ("own_site", "trang riêng, không được tính", "Trang riêng không phải là sàn nên không được tính"),
        ("advertising", "trang quảng cáo, không được tính", "Trang quảng cáo không phải là sàn nên không được tính"),
    ],
)
def test_why_a_place_does_not_count_is_said_by_its_legal_kind(
    client: FlaskClient, database: Database, world: World, legal_kind: str, beside: str, box: str
) -> None:
    _, _, listing = a_listing(database, world, wanted="live", state="live", remote_id="7")
    with database.transaction(SYSTEM) as session:
        session.execute(update(ChannelAccount).values(legal_kind=legal_kind))
    others = {"trang riêng, không được tính", "trang quảng cáo, không được tính"} - {beside}
    html = shown(client)
    assert (beside in html, [o for o in others if o in html]) == (True, [])
    assert f"{box} cho tiêu chí của thôn." in shown(client, f"/san/tin/{listing}")

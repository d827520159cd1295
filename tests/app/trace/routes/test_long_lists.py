"""Lists longer than a page: every row on exactly one page, a right count, a search beyond the first page, a bounded price."""

import re
from decimal import Decimal
from html import unescape

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, event, func, select

from app.actor import SYSTEM
from app.db import Database, keyset
from app.trace import queries
from app.trace.models import BatchSource, CareLog
from tests.app.trace.desk import MakeClient
from tests.app.trace.many import MANY, Many, fill
from tests.worlds.farm import World

MOST_STATEMENTS = 25
DESK_STATEMENTS = 36  # of the desk of the day: seven kinds of work, four numbers and the goods
MOST_BYTES = 60 * 1024
# Address, what names a row, how many rows there are, what says so, and a search with what it alone finds.
DESK = {
    "sites": ("/thua", r'href="/thua/([0-9a-f-]{36})"', MANY + 1, "Nơi sản xuất: 121", ("?q=tHua+119", "Thửa 119")),
    "households": ("/nong-dan/ho", r"\?ho=([0-9a-f-]{36})", MANY + 3, "122 nhà", ("?q=hộ thêm 118", "Hộ thêm 118")),
    "diary": ("/thua/{site}", r'href="/dong-nhat-ky/([0-9a-f-]{36})">Xem<', MANY, "Nhật ký: 120 việc", None),
    "conflicts": ("/thua/gui-trung", r'href="/dong-nhat-ky/([0-9a-f-]{36})"', MANY, "120 lần, mới nhất trước", None),
    "batches": ("/lo", r'href="/lo/([0-9a-f-]{36})"', MANY, "Lô: 120", ("?q=lot-117", "LOT-117")),
    "batches by state": ("/lo?state=open", r'href="/lo/([0-9a-f-]{36})"', MANY, "Lô: 120", ("&q=Hàng 1", "LOT-1")),
    "ledger": ("/lo/{batch}", r"/kho/([0-9a-f-]{36})/hoan", MANY, "Sổ kho", None),
    "products": ("/san-pham", r'href="/san-pham/([0-9a-f-]{36})"', MANY, "Sản phẩm: 120", ("?q=sku116", "Hàng 116")),
    "listings": ("/san", r'href="/san/tin/([0-9a-f-]{36})"', MANY, "Tin bán: 120", ("?q=hang 115", "Hàng 115")),
    "offers": (
        "/san/tai-khoan/{other_account}/dua-len", r"<b>(Hàng \d+)</b>", MANY, "120 gói chưa bán ở đây", ("?q=sku114", "Hàng 114"),
    ),
    "links": ("/san/da-khai", r"<small>(https://san.example/\d+)<", MANY, "Đường dẫn: 120", ("?q=example/113", "/113")),
    "goods": ("/hop-tac-xa", r'<th scope="row"[^>]*><a href="/san-pham/([0-9a-f-]{36})"', MANY, "nơi bán: 120 sản phẩm", None),
}  # fmt: skip


@pytest.fixture
def many(database: Database, world: World) -> Many:
    return fill(database, world)


def address(of: str, many: Many) -> str:
    return DESK[of][0].format(site=many.site, batch=many.batch, other_account=many.other_account)


def walked(client: FlaskClient, path: str, row: str) -> list[list[str]]:
    """The rows of every page, by the links that lead from one to the next."""
    pages, seen = [], set()
    while path and path not in seen:
        seen.add(path)
        answer = client.get(path)
        assert answer.status_code == 200, path
        pages.append(list(dict.fromkeys(re.findall(row, answer.text))))
        after = re.search(r'rel="next" href="([^"]+)"', answer.text)
        path = unescape(after.group(1)) if after else ""
    return pages


@pytest.mark.parametrize("of", DESK)
def test_a_long_list_is_walked_searched_counted_and_cheap(client_of: MakeClient, many: Many, of: str) -> None:
    _path, row, number, said, search = DESK[of]
    client, path = client_of(many.manager), address(of, many)
    sign = "&" if "?" in path else "?"
    assert said in client.get(path).text
    pages = walked(client, path, row)
    rows = [r for page in pages for r in page]
    assert len(pages) > 2
    assert (len(rows), len(set(rows))) == (number, number)
    assert all(len(page) == len(pages[1]) for page in pages[1:-1])
    if search is not None:
        asked, found = search
        assert re.search(rf"{found}(?!\d)", client.get(path + asked).text)
        answer = client.get(f"{path}{sign}q=không có đâu")
        assert (answer.status_code, bool(re.search(rf"{found}(?!\d)", answer.text))) == (200, False)
    for mark in ("x", "sW10", "t" + "A" * 2000):
        answer = client.get(f"{path}{sign}trang={mark}")
        assert (answer.status_code, "Hãy mở lại danh sách từ đầu." in answer.text) == (400, True)
    statements, size = price(client, path)
    assert len(statements) <= (DESK_STATEMENTS if of == "goods" else MOST_STATEMENTS), "\n".join(
        f"{n} {text[:150]}" for n, text in enumerate(statements)
    )
    assert size <= MOST_BYTES


def price(client: FlaskClient, path: str) -> tuple[list[str], int]:
    """The statements of one warm page and its bytes."""
    asked: list[str] = []

    def note(*args: object) -> None:
        if not str(args[2]).startswith(("SAVEPOINT", "RELEASE", "SET CONSTRAINTS")):
            asked.append(str(args[2]))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        answer = client.get(path)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    return asked, len(answer.data)


def test_an_official_is_told_that_there_are_more_than_are_counted(
    client_of: MakeClient, many: Many, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyset.count, "__defaults__", (100,))
    client = client_of(many.official)
    for path, said in (("/thua", "Nơi sản xuất: hơn 100"), ("/lo", "Lô: hơn 100"), ("/san-pham", "Sản phẩm: hơn 100")):
        assert said in client.get(path).text
    assert sum(len(page) for page in walked(client, "/lo", r'href="/lo/([0-9a-f-]{36})"')) == MANY


def test_harvests_ticked_on_one_page_stay_ticked_on_the_next(client_of: MakeClient, many: Many) -> None:
    client, path = client_of(many.manager), f"/lo/moi?product={many.product}"
    seen: list[str] = []
    page = client.get(path).text
    first = re.findall(r'name="source" value="([0-9a-f-]{36})"', page)[0]
    form = {"product_id": many.product, "source": [first]}
    for _ in range(10):
        seen += [i for i in re.findall(r'name="source" value="([0-9a-f-]{36})"', page) if i not in seen]
        after = re.findall(r'name="trang" value="(s[^"]+)"', page)
        if not after:
            break
        page = client.post("/lo/moi", data=form | {"trang": after[0]}).text
        assert re.search(rf'value="{first}" checked', page)
        assert "Đã chọn 1 lần thu: 10 kg" in page
    assert len(seen) == MANY
    shown = re.findall(r'name="shown" value="([^"]+)"', page)[0]
    again = client.post("/lo/moi", data=form | {"tally": "1", "shown": shown}).text
    assert re.findall(r'name="source" value="([^"]+)"', again) == re.findall(r'name="source" value="([^"]+)"', page)
    found = client.post("/lo/moi", data=form | {"trang": "", "find": "không có đâu"}).text
    assert re.findall(r'name="source" value="([0-9a-f-]{36})"', found) == [first]


def test_a_harvest_of_which_nothing_is_left_is_not_offered_whatever_its_unit(
    database: Database, world: World, many: Many
) -> None:
    with database.transaction(SYSTEM) as session:
        logs = session.scalars(select(CareLog.id).order_by(CareLog.happened_at.desc()).limit(4)).all()
        for log, quantity, unit in (
            (logs[0], 10000, "g"),
            (logs[1], 9999, "g"),
            (logs[2], 1, "l"),
            (logs[3], 10, "kg"),
        ):
            session.add(BatchSource(batch_id=many.batch, care_log_id=log, organisation_id=world.cooperative,
                                    log_organisation_id=world.household, quantity=quantity, unit=unit))  # fmt: skip
    with database.transaction(many.manager) as session:
        found = queries.harvests(session, many.manager, chosen=[logs[0]])
        left = {h.id: h.left for h in found.lines}
    assert (logs[0] in left, logs[3] in left, left[logs[1]], left[logs[2]]) == (False, False, Decimal("0.001"), None)
    assert found.chosen == []


def test_a_long_choice_is_searched_and_keeps_what_was_chosen(
    client_of: MakeClient, many: Many, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(keyset.choices.__kwdefaults__, "most", 20)
    client = client_of(many.manager)
    for path, found in (
        ("/lo/moi", "Hàng 112"),
        ("/thua/moi", "Hộ thêm 112"),
        (f"/thua/{many.site}/vu-moi", "Hàng 112"),
        ("/san/khai", "Hàng 112"),
    ):
        before, after = client.get(path).text, client.get(f"{path}?tim={found}").text
        assert ("chỉ có 20 tên đầu" in before, f">{found}<" in before) == (True, False), path
        assert ("chỉ có 20 tên đầu" in after, f">{found}<" in after) == (False, True), path
    refused = client.post(f"/thua/{many.site}/vu-moi", data={"product_id": many.product, "crop_vi": ""})
    assert (refused.status_code, f'value="{many.product}" selected' in refused.text) == (422, True)


def test_the_desk_tells_how_many_wait_besides_those_it_shows(
    client_of: MakeClient, database: Database, world: World, many: Many
) -> None:
    html = client_of(many.manager).get("/hop-tac-xa").text
    assert "Hôm nay có 240 việc cần xem" in html
    assert html.count('<span class="dot') == 10
    assert 'href="/san/da-khai?waiting=1">115 đường dẫn chờ người xem</a>' in html
    assert 'href="/thua/gui-trung">115 lần gửi trùng</a>' in html
    assert len(walked(client_of(many.manager), "/san/da-khai?waiting=1", r"<small>(https://san.example/\d+)<")) == 5


def test_the_last_step_of_a_site_is_found_without_reading_its_diary(database: Database, many: Many) -> None:
    with database.transaction(SYSTEM) as session:
        newest = session.scalar(select(func.max(CareLog.happened_at)))
    with database.transaction(many.manager) as session:
        lines = {line.site.id: line.last_log_at for line in queries.site_lines(session, many.manager)}
    assert (lines[many.site], sum(at is not None for at in lines.values())) == (newest, 1)

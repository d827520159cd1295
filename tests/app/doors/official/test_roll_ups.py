"""The pages of province and commune: what they count, and that each number leads to what it counts."""

import csv
import io
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import event

from app.actor import SYSTEM
from tests.app.criteria.world import Province
from tests.app.doors.official.conftest import SignIn, text_of


def test_flags_are_counted_in_commune_province_and_table_and_titled_by_outcome(
    province: Province, sign_in: SignIn, clock_at: Callable[[datetime], None]
) -> None:
    province.product("Na dai", until=date(2026, 11, 23))
    province.seen("Na dai")
    province.derive("village", "sister")
    clock_at(datetime(2026, 11, 23, 17, 30, tzinfo=UTC))
    province.derive()
    client = sign_in("province")
    page = text_of(client.get(f"/thon/{province.village}"))
    assert "Không còn áp dụng vì có mục rời danh sách Tiêu chí 5 chuyển sang “không áp dụng” chỉ vì" in page
    assert "Đạt vì có mục rời danh sách" not in page
    assert "1 tiêu chí có mục rời danh sách" in text_of(client.get(f"/xa/{province.commune}"))
    whole = text_of(client.get("/tinh"))
    assert "1 thôn có tiêu chí đạt hoặc không còn áp dụng vì có mục rời danh sách" in whole
    assert "Xã Đồng Mẫu 1 thôn có mục rời danh sách 2" in whole
    table = client.get("/tinh/thon.csv").data.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(table), delimiter=";"))
    assert {r["Thôn"]: r["Số tiêu chí có mục thôi tính"] for r in rows} == {
        "Thôn Nà Mẫu": "1",
        "Thôn Bản Thử": "0",
        "Thôn Xa": "",
    }


def test_province_page_counts_villages_and_finds_them_without_accents(province: Province, sign_in: SignIn) -> None:
    province.record("wifi", available=False)
    province.derive("village", "sister", "foreign")
    client = sign_in("province")
    page = text_of(client.get("/tinh"))
    assert "Tỉnh Thử: 0 trên 3 thôn đạt" in page
    assert "Xã Đồng Mẫu 2 0 1 1" in page
    assert "Xã Khác 1 0 0 1" in page
    found = text_of(client.get("/tinh?q=na+mau"))
    assert "Thôn Nà Mẫu" in found
    assert "Bản Thử" not in found
    only = text_of(client.get("/tinh?loc=chua-dat&xep=thon"))
    assert "Xã Đồng Mẫu" in only
    assert "Xã Khác" not in only


def test_clauses_count_the_villages_without_any_answer_too(province: Province, sign_in: SignIn) -> None:
    province.record("wifi", available=True)
    province.derive("village")
    page = text_of(sign_in("province").get("/tinh"))
    assert "Tỉnh Thử: 0 trên 3 thôn đạt" in page
    assert "3. Wi-Fi miễn phí ở nhà văn hóa 1 0 2 0" in page
    assert "Thiếu dữ liệu gồm cả 2 thôn chưa tính lần nào." in page
    assert 'aria-label="1 trên 3 thôn đạt"' in sign_in("province").get("/tinh").text


def test_every_number_of_the_province_leads_to_the_list_that_makes_it_up(province: Province, sign_in: SignIn) -> None:
    province.record("wifi", available=False)
    province.derive()
    client = sign_in("province")
    page = client.get("/tinh").text
    address = f"/xa/{province.commune}?loc=chua-dat"
    number = re.search(rf'<a href="{re.escape(address)}">(\d+)</a>', page)
    assert number is not None
    listed = client.get(address).text.split("<tbody>")[1].split("</tbody>")[0]
    assert int(number[1]) == len(set(re.findall(r'href="/thon/([^"/]+)"', listed))) == 1
    whole = re.search(r'href="(/tinh\?[^"]*loc=chua-dat[^"]*)">1</a> <small>', page)
    assert whole is not None
    assert address in client.get(whole[1].replace("&amp;", "&")).text


def test_province_of_1700_villages_takes_as_many_statements_as_one_of_three(
    province: Province, sign_in: SignIn
) -> None:
    pages = ("/tinh", "/tinh?q=na+mau", "/tinh/thon.csv")
    province.derive("village", "sister", "foreign")

    def statements(client: FlaskClient, address: str) -> int:
        seen: list[str] = []
        with province.database.transaction(SYSTEM) as session:
            engine = session.get_bind().engine

        def count(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            seen.append(statement)

        event.listen(engine, "before_cursor_execute", count)
        try:
            assert client.get(address).status_code == 200
        finally:
            event.remove(engine, "before_cursor_execute", count)
        return len(seen)

    few = [statements(sign_in("province"), p) for p in pages]
    ids = province.many_villages(1697)
    province.actors["province"] = replace(
        province.actors["province"], places=province.actors["province"].places | frozenset(ids)
    )
    client = sign_in("province")
    assert [statements(client, p) for p in pages] == few
    assert max(few) < 40
    page = text_of(client.get("/tinh"))
    assert "Tỉnh Thử: 849 trên 1.700 thôn đạt" in page
    assert "3. Wi-Fi miễn phí ở nhà văn hóa 849 0 851 0" in page
    assert len(client.get("/tinh/thon.csv").data.splitlines()) == 1701


def test_commune_page_lists_its_villages_with_six_answers_each(province: Province, sign_in: SignIn) -> None:
    province.record("wifi", available=True)
    province.derive("village")
    page = text_of(sign_in("commune").get(f"/xa/{province.commune}"))
    assert "Xã Đồng Mẫu: 0 trên 2 thôn đạt" in page
    assert "Thôn Nà Mẫu Thiếu dữ liệu 1/5 1 Thiếu dữ liệu 2 Thiếu dữ liệu 3 Đạt" in page
    assert "Thôn Bản Thử Chưa tính" in page


def test_table_of_villages_opens_in_a_spreadsheet(province: Province, sign_in: SignIn) -> None:
    province.record("wifi", available=True)
    province.derive("village")
    answer = sign_in("commune").get(f"/xa/{province.commune}/thon.csv")
    rows = list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig")), delimiter=";"))
    assert rows[2] == [
        "T9901", "Xã Đồng Mẫu", "T990101", "Thôn Nà Mẫu", "Thiếu dữ liệu", "1", "5",
        "Thiếu dữ liệu", "Thiếu dữ liệu", "Đạt", "Thiếu dữ liệu", "Không áp dụng", "Thiếu dữ liệu", "0", "23/11/2026 10:00",
    ]  # fmt: skip
    assert rows[1][:5] == ["T9901", "Xã Đồng Mẫu", "T990102", "Thôn Bản Thử", "Chưa tính"]

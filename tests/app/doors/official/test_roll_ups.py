"""The pages of province and commune: what they count, and that each number leads to what it counts."""

import csv
import io
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event

from app import clock
from app.actor import SYSTEM
from app.criteria.queries import villages_answering
from app.criteria.rules import Value
from app.places import imports
from app.places.models import ImportKind
from tests.actors import acting
from tests.app.doors.official.conftest import SignIn, text_of
from tests.app.long_lists import MOST_STATEMENTS, counted_statements, every
from tests.worlds.village import Province


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
    assert "Không còn áp dụng vì có mục không còn trong danh sách Tiêu chí 5 chuyển sang “không áp dụng” chỉ vì" in page
    assert "Đạt vì có mục không còn trong danh sách" not in page
    assert "1 tiêu chí có mục không còn trong danh sách" in text_of(client.get(f"/xa/{province.commune}"))
    whole = text_of(client.get("/tinh"))
    assert "1 thôn có tiêu chí đạt hoặc không còn áp dụng vì có mục không còn trong danh sách" in whole
    assert "Xã Đồng Mẫu 1 thôn có mục không còn trong danh sách 2" in whole
    table = client.get("/tinh/thon.csv").data.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(table), delimiter=";"))
    assert {r["Thôn"]: r["Số tiêu chí có mục không còn tính"] for r in rows} == {
        "Thôn Nà Mẫu": "1",
        "Thôn Bản Thử": "0",
        "Thôn Xa": "",
    }


@pytest.mark.parametrize(
    ("who", "path", "villages"), [("province", "/tinh/thon.csv", 3), ("commune", "/xa/{}/thon.csv", 2)]
)
def test_a_table_of_results_sent_back_as_a_list_changes_nothing(
    province: Province, sign_in: SignIn, who: str, path: str, villages: int
) -> None:
    province.derive("village", "sister", "foreign")
    raw = sign_in(who).get(path.format(province.commune)).data
    with province.database.transaction(SYSTEM) as session:
        plan = imports.plan(session, raw, ImportKind.VILLAGES, clock.today())
    assert ([p.why.vi for p in plan.problems], plan.changes, plan.unchanged) == ([], 0, villages)
    assert "“Xã, phường”, “Kết quả”" in plan.notes[0].vi


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
    pages = ("/tinh", "/tinh?q=na+mau", "/tinh/thon.csv", "/tinh/tieu-chi/wifi-nha-van-hoa")
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
    before = province.actors["province"]
    province.actors["province"] = acting(
        *before.memberships, places=before.places | frozenset(ids), person_id=before.person_id
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
    assert "Thôn Nà Mẫu Thiếu dữ liệu 1/5 1 ? Thiếu dữ liệu 2 ? Thiếu dữ liệu 3 ✓ Đạt" in page
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


def listed(client: FlaskClient, address: str) -> list[str]:
    """The villages of the list, in its order."""
    page = client.get(address)
    assert page.status_code == 200, page.status_code
    return re.findall(r'<th scope="row"><a href="/thon/[^"]+">([^<]+)</a>', page.text)


def test_every_number_of_a_clause_leads_to_exactly_its_villages(province: Province, sign_in: SignIn) -> None:
    province.record("wifi", available=True)
    province.record("wifi", village="foreign", who="foreigner", available=False)
    province.derive("village", "foreign")  # the sister has no answer yet
    client = sign_in("province")
    for place, found in (
        ("/tinh", {"dat": ["Thôn Nà Mẫu"], "chua-dat": ["Thôn Xa"], "thieu": ["Thôn Bản Thử"]}),
        (f"/xa/{province.commune}", {"dat": ["Thôn Nà Mẫu"], "thieu": ["Thôn Bản Thử"]}),
    ):
        page = client.get(place).text
        at = f"{place}/tieu-chi/wifi-nha-van-hoa"
        links = re.findall(rf'<a href="{re.escape(at)}\?loc=([a-z-]+)">(\d+)</a>', page)
        assert dict(links) == {loc: str(len(villages)) for loc, villages in found.items()}, "a zero leads nowhere"
        assert {loc: listed(client, f"{at}?loc={loc}") for loc in found} == found
        assert listed(client, f"{at}?loc=khong-ap-dung") == []
    client = sign_in("province")
    assert listed(client, "/tinh/tieu-chi/wifi-nha-van-hoa") == ["Thôn Bản Thử", "Thôn Nà Mẫu", "Thôn Xa"]
    rows = text_of(client.get("/tinh/tieu-chi/wifi-nha-van-hoa?loc=chua-dat"))
    assert "Tất cả 3 Đạt 1 Chưa đạt 1 Thiếu dữ liệu 1 Không áp dụng 0" in rows
    assert "Thôn Xa Xã Khác Chưa đạt Xem hồ sơ" in rows
    assert "Thôn Bản Thử Xã Đồng Mẫu Chưa tính" in text_of(client.get("/tinh/tieu-chi/wifi-nha-van-hoa?loc=thieu"))


def test_villages_of_a_clause_are_only_those_of_the_officials_places(province: Province, sign_in: SignIn) -> None:
    province.derive("village", "sister", "foreign")
    client = sign_in("commune")
    at = "tieu-chi/wifi-nha-van-hoa"
    assert listed(client, f"/xa/{province.commune}/{at}?loc=thieu") == ["Thôn Bản Thử", "Thôn Nà Mẫu"]
    assert client.get(f"/tinh/{at}").status_code == 404
    assert client.get(f"/xa/{province.other_commune}/{at}").status_code == 404
    for who, villages in (("foreigner", ["Xa"]), ("commune", ["Bản Thử", "Nà Mẫu"])):
        actor = province.actors[who]
        with province.database.transaction(actor) as session:
            found = villages_answering(session, actor, clock.today(), "wifi-nha-van-hoa", list(Value))
            assert [v.name for v in found.rows] == villages


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("khong-co", 404),
        ("wifi-nha-van-hoa?loc=met", 422),
        ("wifi-nha-van-hoa?trang=0", 400),
        ("wifi-nha-van-hoa?trang=x", 400),
        ("wifi-nha-van-hoa?loc=&trang=", 200),
    ],
)
def test_clause_or_answer_that_does_not_exist_is_refused(
    province: Province, sign_in: SignIn, asked: str, status: int
) -> None:
    assert sign_in("province").get(f"/tinh/tieu-chi/{asked}").status_code == status
    assert sign_in("commune").get(f"/xa/{province.commune}/tieu-chi/{asked}").status_code == status


def test_villages_of_a_clause_come_in_pages(province: Province, sign_in: SignIn) -> None:
    ids = province.many_villages(240)  # half of them met, the others without an answer
    before = province.actors["province"]
    province.actors["province"] = acting(
        *before.memberships, places=before.places | frozenset(ids), person_id=before.person_id
    )
    client = sign_in("province")
    at = "/tinh/tieu-chi/wifi-nha-van-hoa?loc=dat"
    row = r'<th scope="row"><a href="/thon/[^"]+">([^<]+)</a>'
    assert every(client, at, row) == [f"Thôn Mới {n}" for n in range(0, 240, 2)]
    assert "Đạt 120" in text_of(client.get(at))


def test_a_commune_of_many_villages_comes_in_pages_by_name_and_best_first(province: Province, sign_in: SignIn) -> None:
    ids = province.many_villages(120)
    before = province.actors["commune"]
    province.actors["commune"] = acting(
        *before.memberships, places=before.places | frozenset(ids), person_id=before.person_id
    )
    province.record("wifi", available=True)
    province.derive("village", "sister")
    at, row = f"/xa/{province.commune}", r'<th scope="row"><a href="/thon/[^"]+">([^<]+)</a>'
    client = sign_in("commune")
    with counted_statements(province.database) as sent:
        client.get(at)
    assert len(sent) <= MOST_STATEMENTS, sent
    new = [f"Thôn Mới {n}" for n in range(120)]
    by_name = every(client, at, row)
    assert by_name == ["Thôn Bản Thử", *new, "Thôn Nà Mẫu"]
    assert sorted(every(client, f"{at}?xep=dat", row)) == sorted(by_name)
    assert every(client, f"{at}?loc=dat", row) == [f"Thôn Mới {n}" for n in range(0, 120, 2)]
    assert client.get(f"{at}?trang=x").status_code == 400


def test_what_a_search_of_the_province_finds_is_all_reached(province: Province, sign_in: SignIn) -> None:
    ids = province.many_villages(120)
    before = province.actors["province"]
    province.actors["province"] = acting(
        *before.memberships, places=before.places | frozenset(ids), person_id=before.person_id
    )
    client = sign_in("province")
    assert every(client, "/tinh?q=thon moi", r'<a class="link-row" [^>]*>.*?<b>([^<]+)</b>') == [
        f"Thôn Mới {n}" for n in range(120)
    ]
    assert "Nơi tìm thấy: 120" in text_of(client.get("/tinh?q=thon moi"))
    assert client.get("/tinh?q=thon moi&trang=x").status_code == 400

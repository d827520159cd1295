"""One village's page: the answer, the reason, what is lacking and who can mend it."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest

from app.actor import SYSTEM
from app.db import Words, new_id
from app.products.models import Product
from tests.app.doors.official.conftest import SignIn, text_of
from tests.worlds.village import Province


def test_village_page_gives_the_answer_the_reason_and_who_can_mend(province: Province, sign_in: SignIn) -> None:
    province.product("Na dai")
    province.product("Mật ong")
    province.seen("Na dai")
    province.seen("Mật ong", "own_shop")
    province.record("wifi", available=True)
    province.derive()
    page = text_of(sign_in("officer").get(f"/thon/{province.village}"))
    assert "Thôn Nà Mẫu Chưa đạt thôn thông minh" in page
    assert "1/6" in page
    assert "1/2 sản phẩm OCOP đang bán trên sàn được tính; còn thiếu 1: Mật ong." in page
    assert "trang riêng không phải là sàn nên không được tính." in page
    assert "Người xử lý: HTX Nà Mẫu" in page
    assert "“Nhà văn hóa thôn được trang bị mạng WiFi miễn phí.”" in page
    assert "Văn bản không nêu: 18 giá trị đang để mặc định, tỉnh chưa chọn" in page
    assert "chưa ai ghi" in page


def test_lapse_leaves_the_count_and_the_page_says_which_when_and_why(province: Province, sign_in: SignIn) -> None:
    province.product("Mật ong", until=date(2026, 10, 14))
    province.derive()
    page = text_of(sign_in("officer").get(f"/thon/{province.village}"))
    assert "Không còn được tính: Mật ong (Chứng nhận OCOP hết hạn từ 15/10/2026)." in page


def test_pass_by_departure_is_flagged_on_the_page(
    province: Province, sign_in: SignIn, clock_at: Callable[[datetime], None]
) -> None:
    province.product("Na dai")
    province.product("Mật ong", until=date(2026, 11, 23))
    province.seen("Na dai")
    province.derive()
    clock_at(datetime(2026, 11, 23, 17, 30, tzinfo=UTC))
    province.derive()
    page = text_of(sign_in("officer").get(f"/thon/{province.village}"))
    assert "Đạt vì có mục không còn trong danh sách" in page
    assert "Không còn tính 1: Mật ong (Chứng nhận OCOP hết hạn từ 24/11/2026)." in page


def test_retired_product_says_so_where_it_was_counted(
    province: Province, sign_in: SignIn, clock_at: Callable[[datetime], None]
) -> None:
    province.product("Na dai")
    province.product("Trà", until=None)
    province.retire("Na dai", date(2026, 11, 23))
    province.retire("Trà", date(2026, 11, 23))
    province.derive()
    client = sign_in("officer")
    page = text_of(client.get(f"/thon/{province.village}"))
    assert "Không còn được tính: Na dai (Chủ thể ngừng làm sản phẩm này từ 23/11/2026)." in page
    proof = text_of(client.get(f"/thon/{province.village}/tieu-chi/ocop-tren-san"))
    assert "Chủ thể ngừng làm sản phẩm này từ 23/11/2026." in proof
    assert "Trà" not in proof  # it never had a certificate: nobody misses it


@pytest.mark.parametrize(
    ("clause", "line"),
    [
        (1, "Văn bản không nêu: 2 giá trị đang để mặc định, tỉnh chưa chọn"),
        (2, "1 lựa chọn của tỉnh, không có trong văn bản; 4 giá trị đang để mặc định, tỉnh chưa chọn"),
        (3, "1 lựa chọn của tỉnh, không có trong văn bản"),
        (4, None),
        (5, "Văn bản không nêu: 6 giá trị đang để mặc định, tỉnh chưa chọn"),
        (6, "Văn bản không nêu: 4 giá trị đang để mặc định, tỉnh chưa chọn"),
    ],
)
def test_each_clause_says_what_of_its_answer_is_not_in_the_letter(
    province: Province, sign_in: SignIn, clause: int, line: str | None
) -> None:
    client = sign_in("province")
    for name, value in (("feedback_days", "7"), ("wifi_max_age_days", "200")):
        form = {"id": str(new_id()), "value": value, "valid_from": "2026-11-01", "decided_by": "Công văn 345/SNNMT"}
        assert client.post(f"/tinh/lua-chon/{name}", data=form).status_code == 303
    shown = re.findall(
        r'<li class="crit\b.*?</li>\s*(?=<li class="crit\b|</ol>)',
        client.get(f"/thon/{province.village}").text,
        re.DOTALL,
    )
    assert len(shown) == 6
    said = " ".join(re.sub(r"<[^>]+>", " ", shown[clause - 1]).split())
    assert (line in said) if line else ("không có trong văn bản" not in said.lower())
    if clause == 3:
        assert "200 ngày lựa chọn của tỉnh, không có trong văn bản" in said
    if clause == 1:
        assert "90 ngày giá trị đang để mặc định, tỉnh chưa chọn, không có trong văn bản" in said


def test_letter_is_marked_as_vietnamese_and_names_are_in_the_readers_language(
    province: Province, sign_in: SignIn
) -> None:
    product = province.product("Na dai")
    with province.database.transaction(SYSTEM) as session:
        session.get_one(Product, product).name = Words(vi="Na dai", en="Custard apple")
    province.derive()
    client = sign_in("officer")
    village = f"/thon/{province.village}"
    ocop, wifi = ">(100% of the OCOP products", ">(The village culture house"
    for address, mark, gloss in (
        (village, '<blockquote class="clause" lang="vi">“100%', ocop),
        (f"{village}/tieu-chi/ocop-tren-san", '<blockquote class="clause" lang="vi">“100%', ocop),
        (f"{village}/in", '<small lang="vi">100%', ocop),
        (f"{village}/ghi/wifi", '<blockquote class="clause" lang="vi">“', wifi),
    ):
        page = client.get(f"{address}?lang=en").text
        assert '<html lang="en"' in page
        assert mark in page
        assert gloss in page
        assert gloss not in client.get(address).text
    path = client.get(f"{village}?lang=en").text.partition('<ol class="path">')[2].partition("</ol>")[0]
    assert "Custard apple" in path
    assert "Na dai" not in path


def test_dials_show_another_day_as_it_was_known_and_offer_no_writing(
    province: Province, sign_in: SignIn, clock_at: Callable[[datetime], None]
) -> None:
    province.record("wifi", 30, available=True)
    clock_at(datetime(2026, 11, 25, 3, tzinfo=UTC))
    province.derive()
    client = sign_in("officer")
    address = f"/thon/{province.village}"
    assert "Đạt “Nhà văn hóa thôn được trang bị" in text_of(client.get(address))
    past = text_of(client.get(f"{address}?ngay=2026-11-20&biet_den=2026-11-22"))
    assert "Đang xem kết quả như vào ngày 20/11/2026, chỉ theo những gì đã ghi đến 22/11/2026 23:59." in past
    assert "Wi-Fi miễn phí ở nhà văn hóa thôn: chưa ai ghi." in past
    assert "Ghi việc của thôn" not in past


PAGES_WITH_DIALS = ("", "/tieu-chi/wifi-nha-van-hoa", "/in")


@pytest.mark.parametrize("page", PAGES_WITH_DIALS)
@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("biet_den=9999-12-31", ["Ô “Theo điều đã ghi đến hết ngày”"]),
        ("ngay=0001-01-01", ["Ô “Tính đến ngày”"]),
        ("ngay=9999-12-31", ["Ô “Tính đến ngày”"]),
        ("ngay=2026-11-24", ["Ô “Tính đến ngày”"]),
        ("ngay=2022-09-30&biet_den=2026-11-24", ["Ô “Tính đến ngày”", "Ô “Theo điều đã ghi đến hết ngày”"]),
    ],
)
def test_day_that_cannot_be_asked_about_is_refused_with_the_days_that_can(
    province: Province, sign_in: SignIn, page: str, asked: str, said: list[str]
) -> None:
    answer = sign_in("officer").get(f"/thon/{province.village}{page}?{asked}")
    assert answer.status_code == 422
    for label in said:
        assert f"{label}: chọn một ngày từ 01/10/2022 đến hôm nay, 23/11/2026." in answer.text


@pytest.mark.parametrize("page", PAGES_WITH_DIALS)
@pytest.mark.parametrize("day", ["2022-10-01", "2026-11-23"])
def test_first_and_last_day_of_the_dials_can_be_asked_about(
    province: Province, sign_in: SignIn, page: str, day: str
) -> None:
    assert sign_in("officer").get(f"/thon/{province.village}{page}?ngay={day}&biet_den={day}").status_code == 200


def test_page_says_that_it_waits_while_a_newer_record_is_not_yet_in_the_answer(
    province: Province, sign_in: SignIn, clock_at: Callable[[datetime], None]
) -> None:
    province.derive()
    clock_at(datetime(2026, 11, 23, 4, tzinfo=UTC))
    province.record("wifi", available=True)
    client = sign_in("officer")
    waiting = client.get(f"/thon/{province.village}")
    assert waiting.headers["Refresh"] == "2"
    assert "Có ghi chép mới. Kết quả đang tự tính lại" in text_of(waiting)
    province.derive()
    assert "Refresh" not in client.get(f"/thon/{province.village}").headers


def test_path_asks_for_wifi_where_there_is_none_and_for_a_picture_where_it_is_only_unproven(
    province: Province, sign_in: SignIn
) -> None:
    def path() -> str:
        province.derive()
        return sign_in("officer").get(f"/thon/{province.village}").text.split('<ol class="path">')[1].split("</ol>")[0]

    first = province.record("wifi", available=True, evidence=())
    assert "Chụp một ảnh mới tại nhà văn hóa" in path()
    province.record("wifi", 0, subject=first.subject, available=False)
    shown = path()
    assert "Lắp Wi-Fi miễn phí ở nhà văn hóa." in shown
    assert "Chụp một ảnh mới" not in shown


def test_months_before_any_criterion_had_data_enough_are_not_drawn_as_zero(
    province: Province, sign_in: SignIn, clock_at: Callable[[datetime], None]
) -> None:
    clock_at(datetime(2026, 9, 10, 3, tzinfo=UTC))
    province.derive()
    clock_at(datetime(2026, 11, 23, 3, tzinfo=UTC))
    client = sign_in("officer")
    address = f"/thon/{province.village}"
    assert "Chưa có số liệu: chưa tiêu chí nào đủ dữ liệu." in text_of(client.get(address))
    province.record("wifi", available=True)
    province.derive()
    assert "Mới có số liệu từ tháng này." in text_of(client.get(address))
    clock_at(datetime(2026, 12, 2, 3, tzinfo=UTC))
    page = text_of(client.get(address))
    assert "Số tiêu chí đạt cuối mỗi tháng, từ 11/2026. Trước đó chưa đủ dữ liệu, chúng tôi không điền thay." in page


def test_paper_names_as_evidence_only_what_is_evidence(province: Province, sign_in: SignIn) -> None:
    for name, until in (
        ("Na dai", date(2027, 6, 30)), ("Mật ong", date(2026, 11, 20)), ("Trà", None), ("Hồi", date(2027, 6, 30)),
    ):  # fmt: skip
        province.product(name, until)
    province.seen("Na dai")
    province.seen("Hồi", live=False)
    province.record("wifi", available=True, evidence=())
    province.record("channel", exists=False, evidence=())
    province.record("feedback", topic="Rác", received_on="2026-11-10", answered_on="2026-11-11")
    province.record("feedback", topic="Đèn", received_on="2026-11-10", answered_on="2026-11-11", evidence=())
    cells = paper_proofs(sign_in("officer").get(f"/thon/{province.village}/in").text)
    apart = "Ghi rồi nhưng chưa có minh chứng, không tính:"
    assert cells[1] == (
        "“Rác”, nhận 10/11/2026, trả lời 11/11/2026 (13/11/2026; cán bộ thôn ghi; 1 minh chứng) "
        f"{apart} “Đèn”, nhận 10/11/2026, trả lời 11/11/2026 Ghi là chưa có, không cần minh chứng: Thôn chưa có kênh số"
    )
    assert cells[2] == f"Chưa có {apart} Nhà văn hóa có Wi-Fi miễn phí"
    assert cells[4] == (
        "Hồi: QĐ 45/QĐ-UBND ngày 01/07/2024; chưa thấy bán trên sàn được tính "
        "Na dai: QĐ 45/QĐ-UBND ngày 01/07/2024; https://san.example/Na dai@on_floor "
        f"{apart} Mật ong; Trà"
    )


def paper_proofs(html: str) -> list[str]:
    """What stands in the last column of the form that is signed, criterion by criterion."""
    rows = html.split("<tbody>")[1].split("</tbody>", maxsplit=1)[0].split("</tr>")
    return [" ".join(re.sub(r"<[^>]+>", " ", r.rsplit("<td>", 1)[1]).split()) for r in rows if "<td>" in r]

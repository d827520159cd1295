"""OCOP products on counted floors, over real rows."""

from datetime import UTC, date, datetime, timedelta

from app import clock
from tests.app.criteria.answers import INSUFFICIENT, MET, NOT_APPLICABLE, UNMET
from tests.app.criteria.records import choice, choose
from tests.worlds.village import Province


def test_every_product_seen_on_a_counted_floor_is_met(province: Province) -> None:
    province.product("Na dai")
    province.seen("Na dai")
    answer = province.answer(5)
    assert (answer.value, answer.have, answer.of) == (MET, 1, 1)


def test_village_without_ocop_products_does_not_apply_and_the_province_may_say_otherwise(province: Province) -> None:
    province.product("Trà", until=None)
    assert province.answer(5).value is NOT_APPLICABLE
    choose(province, "province", choice("unmet", "village_without_products"))
    assert province.answer(5).value is UNMET
    chosen = {c.name: c.note.vi for c in province.assess().parameters if c.name == "village_without_products"}
    assert chosen == {"village_without_products": "lựa chọn của tỉnh, không có trong văn bản"}


def test_product_that_is_listed_nowhere_is_named(province: Province) -> None:
    province.product("Na dai")
    province.product("Mật ong")
    province.seen("Na dai")
    answer = province.answer(5)
    assert (answer.value, answer.have, answer.of) == (UNMET, 1, 2)
    assert [(i.label, i.reason.vi) for i in answer.missing] == [("Mật ong", "Chưa đăng bán trên sàn nào.")]


def test_own_shop_does_not_count_and_the_page_says_why(province: Province) -> None:
    province.product("Mật ong")
    province.seen("Mật ong", "own_shop")
    answer = province.answer(5)
    assert answer.value is UNMET
    assert [i.reason.vi for i in answer.missing] == [
        "Đang bán ở trang bán hàng riêng (Cửa hàng HTX); trang riêng không phải là sàn nên không được tính."
    ]


def test_floor_outside_the_provinces_list_does_not_count(province: Province) -> None:
    province.product("Mật ong")
    province.seen("Mật ong", "on_small_floor")
    assert [i.reason.vi for i in province.answer(5).missing] == [
        "Đang bán trên Chợ lẻ, sàn này không có trong danh sách được tính của tỉnh."
    ]


def test_ban_makes_the_clause_unmet_with_the_floors_own_reason(province: Province) -> None:
    province.product("Mật ong")
    province.seen("Mật ong", hours_ago=30)
    assert province.answer(5).value is MET
    province.seen("Mật ong", hours_ago=1, live=False, reasons=[{"vi": "Thiếu ảnh nhãn.", "en": "No label."}])
    answer = province.answer(5)
    assert answer.value is UNMET
    assert [(i.label, i.reason.vi) for i in answer.missing] == [
        ("Mật ong", "Sàn nông sản không cho bán: Thiếu ảnh nhãn.")
    ]


def test_sighting_is_good_for_forty_eight_hours_and_then_unknown(province: Province) -> None:
    province.product("Na dai")
    province.seen("Na dai", hours_ago=47.9)
    assert province.answer(5).value is MET
    province.stop_clock(datetime(2026, 11, 23, 3, 7, tzinfo=UTC))
    answer = province.answer(5)
    assert answer.value is INSUFFICIENT
    assert [i.reason.vi for i in answer.missing] == [
        "Lần cuối thấy đang bán trên Sàn nông sản là ngày 21/11/2026, đã lâu quá nên không dùng được."
    ]


def test_lapsed_certificate_leaves_the_count_and_says_when(province: Province) -> None:
    province.product("Na dai")
    province.seen("Na dai")
    province.product("Mật ong", until=date(2026, 10, 14))
    answer = province.answer(5)
    assert (answer.value, answer.of) == (MET, 1)
    assert [(i.label, i.reason.vi) for i in answer.not_counted] == [
        ("Mật ong", "Chứng nhận OCOP hết hạn từ 15/10/2026.")
    ]
    choose(province, "province", choice("counts_as_unmet", "lapsed_certificate"))
    counted = province.answer(5)
    assert (counted.value, counted.have, counted.of) == (UNMET, 1, 2)
    assert [i.label for i in counted.missing] == ["Mật ong"]


def test_certificate_written_by_mistake_leaves_the_count_from_when_that_was_known(province: Province) -> None:
    province.product("Na dai")
    province.seen("Na dai")
    province.product("Mật ong")
    province.product("Trà", until=None)
    before = province.answer(5)
    asked = clock.now()
    province.stop_clock(asked + timedelta(minutes=1))
    province.certified_by_mistake("Mật ong")
    answer = province.answer(5)
    assert (before.value, answer.value, answer.of) == (UNMET, MET, 1)
    assert [(i.label, i.reason.vi) for i in answer.not_counted] == [
        ("Mật ong", f"Chứng nhận OCOP ghi nhầm, đã sửa ngày {clock.today():%d/%m/%Y}.")
    ]
    assert province.answer(5, known_at=asked) == before


def test_certificate_counts_on_its_last_day_and_no_longer_on_the_next(province: Province) -> None:
    province.product("Na dai", until=date(2026, 11, 23))
    province.seen("Na dai")
    assert province.answer(5).value is MET
    assert province.answer(5).next_change_on == date(2026, 11, 24)
    province.stop_clock(datetime(2026, 11, 23, 17, tzinfo=UTC))
    assert province.answer(5).value is NOT_APPLICABLE

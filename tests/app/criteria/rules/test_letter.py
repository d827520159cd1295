"""The letter of the smart village, clause by clause, on sheets made up for it."""

import time
from datetime import date, timedelta

from app.criteria.packs import shipped
from app.criteria.rules import Assessment, Item, ItemSet, evaluate
from app.db import Words
from tests.app.criteria.answers import INSUFFICIENT, MET, NOT_APPLICABLE, UNMET
from tests.app.criteria.rules.letter import LETTER, judged, products, village
from tests.app.criteria.rules.small_pack import TODAY, fact


def values(assessment: Assessment) -> list[str]:
    return [result.answer.value.value for result in assessment.results]


def test_village_with_everything_in_order_is_met_until_its_first_evidence_ages() -> None:
    assessment = judged(village())
    assert values(assessment) == ["met"] * 6
    assert assessment.overall.value is MET
    assert assessment.overall.reason.vi == "Đạt 6/6 tiêu chí."
    assert [result.answer.reason.vi for result in assessment.results] == [
        "Đạt 2/2 điều kiện.",
        "Đạt 2/2 điều kiện.",
        "Nhà văn hóa thôn có Wi-Fi miễn phí.",
        "131/131 trụ sở, hộ đã gắn địa chỉ số (100 %).",
        "3/3 sản phẩm OCOP đang bán trên sàn được tính.",
        "Nông nghiệp thông minh: Đạt 2/2 điều kiện.",
    ]
    assert assessment.overall.next_change_on == date(2026, 11, 1) + timedelta(days=181)
    assert assessment.result("wifi-nha-van-hoa").answer.next_change_on == date(2027, 6, 2)


def test_product_in_an_own_shop_only_is_named_with_the_reason() -> None:
    live = ItemSet(have=products("hoi", "thach"), missing=products("mat"))
    assessment = judged(village(ocop_products_live=fact(live)))
    answer = assessment.result("ocop-tren-san").answer
    assert answer.value is UNMET
    assert (answer.have, answer.need, answer.gap, answer.of) == (2, 3, 1, 3)
    assert answer.reason.vi == ("2/3 sản phẩm OCOP đang bán trên sàn được tính; còn thiếu 1: Mật ong rừng Nà Mẫu.")
    assert answer.missing == products("mat")
    assert answer.unit is not None
    assert answer.unit.vi == "sản phẩm"
    assert assessment.overall.reason.vi == "Đạt 5/6 tiêu chí. Chưa đạt: tiêu chí 5."
    assert assessment.overall.missing == products("mat")
    assert [result.clause for result in assessment.shortest_path()] == [5]


def test_product_last_seen_too_long_ago_is_neither_a_pass_nor_a_failure() -> None:
    live = ItemSet(have=products("hoi", "thach"), unknown=products("mat"))
    answer = judged(village(ocop_products_live=fact(live))).result("ocop-tren-san").answer
    assert answer.value is INSUFFICIENT
    assert answer.missing == products("mat")


def test_village_without_products_is_what_the_province_chose() -> None:
    facts = village(ocop_products=fact(ItemSet()), ocop_products_live=None)
    chosen = judged(facts).result("ocop-tren-san").answer
    assert chosen.value is NOT_APPLICABLE
    assert chosen.reason.vi == "Không có sản phẩm OCOP tính cho thôn nào, nên điều này không áp dụng."
    assert judged(facts).overall.value is MET
    other = judged(facts, village_without_products="unmet")
    assert other.result("ocop-tren-san").answer.value is UNMET
    assert other.overall.value is UNMET


def test_wifi_picture_older_than_a_year_is_missing_data() -> None:
    facts = village(culture_house_free_wifi=fact(value=True, observed_on=date(2025, 9, 24)))
    assessment = judged(facts)
    answer = assessment.result("wifi-nha-van-hoa").answer
    assert answer.value is INSUFFICIENT
    assert answer.reason.vi == (
        "Wi-Fi miễn phí ở nhà văn hóa thôn: ghi nhận gần nhất ngày 24/09/2025, đã 426 ngày, quá hạn 365 ngày; "
        "cần ghi nhận mới."
    )
    assert assessment.overall.value is INSUFFICIENT
    assert judged(facts, wifi_max_age_days=426).result("wifi-nha-van-hoa").answer.value is MET


def test_group_established_but_idle_is_not_met() -> None:
    answer = judged(village(digital_group_activities=fact(ItemSet()))).result("to-cong-nghe-so").answer
    assert answer.value is UNMET
    assert answer.reason.vi == (
        "Đạt 1/2 điều kiện. Hoạt động: Chưa có hoạt động của tổ công nghệ số cộng đồng; cần ít nhất 3, còn thiếu 3."
    )
    assert answer.to_do == 3


def test_channel_without_feedback_handled_is_not_met_by_existing() -> None:
    late = ItemSet(
        have=(Item("1", "feedback", "PA 1"),), missing=(Item("2", "feedback", "PA 2", Words(vi="Trả lời sau 9 ngày.")),)
    )
    facts = village(feedback_received=fact(2), feedback_answered_in_time=fact(late))
    assert judged(facts).result("nen-tang-so").answer.value is UNMET
    none = village(feedback_received=fact(0), feedback_answered_in_time=None)
    assert judged(none).result("nen-tang-so").answer.value is INSUFFICIENT
    assert judged(none, village_without_feedback="not_applicable").result("nen-tang-so").answer.value is MET


def test_premises_without_a_list_is_missing_data_and_one_without_address_is_named() -> None:
    assert judged(village(premises=None)).result("dia-chi-so").answer.value is INSUFFICIENT
    assert judged(village(premises=fact(0))).result("dia-chi-so").answer.value is INSUFFICIENT
    short = ItemSet(
        have=tuple(Item(f"nha-{n}", "premises", f"Nhà {n}") for n in range(999)),
        missing=(Item("x", "premises", "Nhà X"),),
    )
    answer = judged(village(premises=fact(1000), premises_with_digital_address=fact(short))).result("dia-chi-so").answer
    assert answer.value is UNMET
    assert answer.reason.vi == "999/1.000 trụ sở, hộ đã gắn địa chỉ số (99,9 %); còn thiếu 1: Nhà X."


def test_smart_agriculture_needs_the_model_and_enough_households() -> None:
    few = ItemSet(
        have=(Item("1", "household", "Hộ 1"),), missing=(Item("2", "household", "Hộ 2", Words(vi="Mới ghi 1/3 bước.")),)
    )
    facts = village(smart_agriculture_households=fact(few))
    answer = judged(facts).result("mo-hinh-chuyen-doi-so").answer
    # Nobody has said whether there is a model in the other three fields.
    assert answer.value is INSUFFICIENT
    assert answer.reason.vi == (
        "Chưa có lựa chọn nào đạt. Gần nhất: Nông nghiệp thông minh: Đạt 1/2 điều kiện. Nhật ký: Mới có 1 hộ trong mô "
        "hình ghi đủ nhật ký chăm sóc; cần ít nhất 5, còn thiếu 4. Chưa được tính: Hộ 2."
    )
    none = {
        name: fact(ItemSet(), observed_on=TODAY)
        for name in ("models_production_business", "models_public_order", "models_smart_lighting")
    }
    assert judged({**facts, **none}).result("mo-hinh-chuyen-doi-so").answer.value is UNMET
    lamp = ItemSet(have=(Item("den", "model", "Đèn đường tự động"),))
    lit = {**facts, **none, "models_smart_lighting": fact(lamp, observed_on=TODAY)}
    assert judged(lit).result("mo-hinh-chuyen-doi-so").answer.value is MET
    assert judged(facts, smart_agriculture_min_households=1).result("mo-hinh-chuyen-doi-so").answer.value is MET


def test_a_day_outside_the_letters_period_is_said() -> None:
    assert judged(village()).outside_period is not None
    assert judged(village()).outside_period.vi == (  # type: ignore[union-attr]
        "Văn bản ghi giai đoạn đến 31/12/2025; ngày tính 24/11/2026 ở sau đó. "
        "Kết quả để tham khảo cho đến khi tỉnh có bộ tiêu chí mới."
    )
    assert judged(village(), as_of=date(2025, 12, 31)).outside_period is None
    assert judged(village(), as_of=date(2022, 9, 30)).outside_period is not None


def test_two_thousand_villages_are_judged_within_seconds() -> None:
    facts = village()
    pack = shipped()[LETTER]
    start = time.process_time()
    for _ in range(200):
        evaluate(pack, facts, {}, TODAY)
    assert (time.process_time() - start) * 10 < 10

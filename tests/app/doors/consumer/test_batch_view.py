"""The page behind a code, decided without a page: the verdict, each step's words, the papers, and the ten items."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.db import Words
from app.doors.consumer.queries import BatchPage, Gap, Line, ShownCertificate
from app.doors.consumer.routes.batch_view import BatchView, batch_view, title_of
from app.factory import create_app
from app.settings import Settings

DAY = date(2026, 5, 4)
NEXT = DAY + timedelta(days=1)
PAGE = BatchPage(
    code="K7M29QXD3HTPK", kind="short", gtin=None, lot="A1", state="open", state_reason=None, state_day=None,
    product=Words(vi="Na dai", en="Custard apple"), variant=Words(vi="hộp 2 kg", en="2 kg box"), photo=None,
    producer="HTX Nà Mẫu", producer_address="xã Chi Lăng", growers=(), villages=(), harvested_on=DAY, harvest_days=(DAY,),
    made_on=DAY, expires_on=None, expired=False, quantity=Decimal(64), unit="kg", certificates=(), way=(),
    records_ended_on=None, shops=(), next_change_at=None,
)  # fmt: skip


@pytest.fixture(autouse=True)
def _in_a_page(settings: Settings) -> Any:
    with create_app(settings).test_request_context():
        yield


def view(**facts: Any) -> BatchView:
    return batch_view(replace(PAGE, **facts), "vi")


def step(**facts: Any) -> Line:
    usual: dict[str, Any] = {"kind": "spraying", "name": Words(vi="Phun"), "witness": "farmer"}
    return Line(day=DAY, **usual | facts)


def paper(
    scheme: str, state: str = "valid", *, stars: int | None = None, until: date | None = None
) -> ShownCertificate:
    return ShownCertificate(scheme, stars, "UBND tỉnh", "12/QĐ", None, DAY, until, state)


@pytest.mark.parametrize(
    ("facts", "kind", "detail"),
    [
        ({}, "", "Hãy so số lô A1 với số in trên hộp."),
        ({"kind": "gs1"}, "", "Mã lô chứng tỏ có lô này, không chứng tỏ riêng từng hộp."),
        ({"expired": True, "expires_on": DAY}, "again", "Hạn dùng đến 04/05/2026"),
        ({"state": "held", "expired": True}, "again", "Hợp tác xã đang kiểm tra lại."),
        ({"state": "recalled"}, "recalled", "Hãy mang lại nơi mua."),
        ({"state": "recalled", "state_reason": Words(vi="Có dư lượng.")}, "recalled", "Có dư lượng."),
    ],
)
def test_the_answer_comes_first_and_a_stopped_lot_before_all_else(facts: Any, kind: str, detail: str) -> None:
    verdict = view(**facts).verdict
    assert (verdict.kind, verdict.detail, verdict.in_vietnamese) == (kind, detail, "")


def test_a_reason_that_is_not_translated_is_told_as_such() -> None:
    told = batch_view(replace(PAGE, state="held", state_reason=Words(vi="Đang thử.")), "en").verdict
    assert (told.in_vietnamese, told.detail.startswith("Lý do")) == ("Đang thử.", True)
    said = batch_view(replace(PAGE, state="held", state_reason=Words(vi="Đang thử.", en="In the lab.")), "en").verdict
    assert said.in_vietnamese == ""


@pytest.mark.parametrize(
    ("state", "day", "since"),
    [
        ("recalled", DAY, "thu hồi từ 04/05/2026"),
        ("held", DAY, "tạm giữ từ 04/05/2026"),
        ("open", DAY, ""),
        ("held", None, ""),
    ],
)
def test_since_when_a_lot_is_stopped(state: str, day: date | None, since: str) -> None:
    shown = view(state=state, state_day=day)
    assert (shown.since, shown.stopped) == (since, state != "open")


@pytest.mark.parametrize(
    ("variant", "title"),
    [(None, "Na dai"), (Words(vi="hộp 2 kg"), "Na dai, hộp 2 kg"), (Words(vi="Na dai hộp 2 kg"), "Na dai hộp 2 kg")],
)
def test_a_pack_says_its_product_once(variant: Words | None, title: str) -> None:
    assert title_of(PAGE.product, variant) == title


@pytest.mark.parametrize(
    ("days", "said"),
    [
        ((DAY,), "04/05/2026"),
        ((DAY, NEXT), "04/05/2026 và 05/05/2026"),
        ((DAY, NEXT, NEXT + timedelta(days=5)), "từ 04/05/2026 đến 10/05/2026"),
    ],
)
def test_days_of_harvest(days: tuple[date, ...], said: str) -> None:
    assert view(harvest_days=days).facts[2] == ("Thu hoạch", said)


@pytest.mark.parametrize(
    ("facts", "voucher"),
    [
        ({}, "Hộ ghi"),
        ({"witness": "laboratory"}, "Phòng thử nghiệm xác nhận"),
        ({"outsider": "officer"}, "Cán bộ ghi theo lời hộ"),
        ({"outsider": "cooperative", "own_work": True}, "Hợp tác xã làm và ghi"),
        ({"outsider": "cooperative", "witness": "cooperative"}, "Hợp tác xã xác nhận"),
    ],
)
def test_who_vouches_for_a_step(facts: Any, voucher: str) -> None:
    assert view(way=(step(**facts),)).way[0].by == [voucher]


@pytest.mark.parametrize(
    ("facts", "note"),
    [
        ({"waited_days": 0, "last_treated": DAY}, "Sau lần dùng thuốc cuối 0 ngày."),
        ({"last_treated": DAY}, "Cách ly chưa rõ; lần dùng thuốc cuối ngày 04/05/2026."),
        ({"wait_unknown": True, "wait_days": 3}, "Cách ly chưa rõ."),
        ({"wait_days": 0}, "Phải cách ly 0 ngày trước khi thu."),
        ({}, ""),
    ],
)
def test_days_between_a_treatment_and_the_harvest(facts: Any, note: str) -> None:
    assert view(way=(step(**facts),)).way[0].note == note


def test_a_step_tells_what_was_used_and_what_is_weak_about_it() -> None:
    told = step(
        material="Vôi", quantity=Decimal("2.5"), unit="kg", photos=2, for_another=True, corrected=True, doubtful=True
    )
    (shown,) = view(way=(told,)).way
    assert shown.what == "Phun: Vôi, 2,5 kg"
    assert shown.by[1:] == ["có ảnh", "ghi thay người làm", "đã sửa, còn giữ bản cũ", "giờ chưa chắc"]


def test_days_on_which_nobody_wrote_stay_visible() -> None:
    shown = view(way=(step(), Gap(DAY, NEXT), step(for_another=True)))
    assert (shown.way[1].what, shown.way[1].kind) == ("2 ngày không có bước nào", "gap")
    assert shown.way_told == (
        "2 bước được ghi; 0 bước có người ngoài hộ xác nhận. 1 bước ghi thay người làm. 1 quãng không ai ghi."
    )


@pytest.mark.parametrize(
    ("ended", "told"),
    [
        (None, "Chưa ai ghi bước nào cho lô này. Chúng tôi không điền thay."),
        (DAY, "Lô này đã quá hạn lưu hồ sơ; các bước được xóa ngày 04/05/2026 theo quyết định của tỉnh."),
    ],
)
def test_why_there_is_no_way(ended: date | None, told: str) -> None:
    assert view(records_ended_on=ended).way_told == told


def test_two_papers_in_force_stand_above_and_the_others_below() -> None:
    known = (
        paper("ocop", stars=4, until=NEXT),
        paper("vietgap"),
        paper("organic"),
        paper("other", "lapsed", until=DAY),
    )
    shown = view(certificates=(*known, paper("food_safety", "revoked", until=DAY)))
    assert [p.name for p in shown.in_force] == ["OCOP 4 sao", "VietGAP"]
    assert [p.text for p in shown.in_force] == [
        "UBND tỉnh cấp, số 12/QĐ, đến 05/05/2026", "UBND tỉnh cấp, số 12/QĐ"
    ]  # fmt: skip
    assert [p.text.rpartition(", ")[2] for p in shown.other_papers[1:]] == ["hết hạn 04/05/2026", "đã bị thu hồi"]
    assert shown.ten_items[9][1] == "VietGAP, 12/QĐ; Hữu cơ, 12/QĐ"


def test_what_of_the_ten_items_nobody_gave_is_counted() -> None:
    poor, rich = (
        view(producer_address=""),
        view(photo="0" * 64, way=(step(),), expires_on=DAY, certificates=(paper("vietgap"),)),
    )
    assert (poor.ten_told, [n for n, said, *_ in poor.ten_items if said == "Chưa có"]) == (
        "Mười mục theo Thông tư 02/2024/TT-BKHCN; còn thiếu 5 mục",
        ["2. Hình ảnh", "4. Địa chỉ", "5. Các công đoạn", "9. Thời hạn sử dụng", "10. Tiêu chuẩn áp dụng"],
    )
    assert rich.ten_told == "Đủ mười mục theo Thông tư 02/2024/TT-BKHCN"

"""The forms in which officials record a village: what they keep, and what a refused one leaves behind."""

import io
import re

import pytest
from sqlalchemy import select
from werkzeug.datastructures import FileStorage

from app.actor import SYSTEM
from app.criteria.models import VillageFact
from app.db import new_id
from tests.app.boxes import named_in_box
from tests.app.doors.official.conftest import SignIn, facts, photo, send, text_of
from tests.worlds.village import Province


@pytest.mark.parametrize("kind", ["to-cong-nghe-so", "hoat-dong", "kenh", "phan-anh", "wifi", "dia-chi-so", "mo-hinh"])
def test_every_form_opens_empty_and_with_what_stands(province: Province, sign_in: SignIn, kind: str) -> None:
    client = sign_in("officer")
    assert client.get(f"/thon/{province.village}/ghi/{kind}").status_code == 200
    province.group()
    province.record("channel", exists=True, platform="zalo")
    province.record("feedback", topic="Rác", received_on="2026-11-10")
    province.record("wifi", available=True)
    first = province.premises(2)[0]
    province.record("digital_address", premises_id=first, code="0123456789")
    province.model("public_order")
    assert client.get(f"/thon/{province.village}/ghi/{kind}").status_code == 200
    assert client.get(f"/thon/{province.village}/ghi").status_code == 200


def test_wifi_with_a_photo_is_recorded_and_its_picture_is_the_villages_own(province: Province, sign_in: SignIn) -> None:
    client = sign_in("officer")
    form = {
        "id": str(new_id()), "available": "1", "network": "NhaVanHoa", "observed_on": "2026-11-20", "proof": photo(),
    }  # fmt: skip
    answer = send(client, f"/thon/{province.village}/ghi/wifi", form)
    assert (answer.status_code, answer.location) == (303, f"/thon/{province.village}")
    with province.database.transaction(SYSTEM) as session:
        row = session.scalars(select(VillageFact)).one()
    assert (row.value, row.witness) == ({"available": True, "network": "NhaVanHoa"}, "village")
    (digest,) = row.evidence
    assert client.get(f"/anh/{digest}").status_code == 200
    assert sign_in("foreigner").get(f"/anh/{digest}").status_code == 404


def test_evidence_of_another_thing_cannot_be_claimed(province: Province, sign_in: SignIn) -> None:
    form = {"id": str(new_id()), "available": "1", "observed_on": "2026-11-20", "keep": "cd" * 32}
    assert send(sign_in("officer"), f"/thon/{province.village}/ghi/wifi", form).status_code == 303
    with province.database.transaction(SYSTEM) as session:
        assert session.scalars(select(VillageFact.evidence)).one() == []


def test_answer_to_feedback_corrects_the_row_and_keeps_the_first(province: Province, sign_in: SignIn) -> None:
    asked = province.record("feedback", 5, topic="Rác", received_on="2026-11-18")
    form = {
        "id": str(new_id()), "subject": str(asked.subject), "topic": "Rác", "received_on": "2026-11-18",
        "answered_on": "2026-11-20",
    }  # fmt: skip
    assert send(sign_in("officer"), f"/thon/{province.village}/ghi/phan-anh", form).status_code == 303
    with province.database.transaction(SYSTEM) as session:
        rows = session.scalars(select(VillageFact).order_by(VillageFact.recorded_at, VillageFact.id)).all()
    assert sorted((r.value["answered_on"] or "", r.supersedes_id) for r in rows) == [
        ("", None),
        ("2026-11-20", asked.id),
    ]


def test_refused_form_shows_what_was_typed_and_what_is_wrong(province: Province, sign_in: SignIn) -> None:
    form = {
        "id": str(new_id()), "decision_number": "12/QĐ-UBND", "decided_on": "2027-01-01", "issuer": "UBND xã",
        "members": "5", "observed_on": "2026-11-20",
    }  # fmt: skip
    answer = send(sign_in("officer"), f"/thon/{province.village}/ghi/to-cong-nghe-so", form)
    assert answer.status_code == 422
    assert 'value="12/QĐ-UBND"' in answer.text
    assert "Ngày 01/01/2027 chưa tới." in answer.text
    assert facts(province) == 0


def test_pasted_list_of_codes_matches_labels_without_accents_and_keeps_leading_zeros(
    province: Province, sign_in: SignIn
) -> None:
    province.premises(2, 1)
    client = sign_in("officer")
    address = f"/thon/{province.village}/ghi/dia-chi-so"
    form = {"observed_on": "2026-11-20", "list": "Nơi;Mã\nho so 1;0123456789\nTrụ sở số 1;00 0000 0001\n"}
    assert client.post(address, data=form).status_code == 303
    answer = province.answer(4)
    assert (answer.have, answer.of, len(answer.missing)) == (0, 3, 3)  # nothing proves the list yet
    assert send(client, address, form | {"proof": photo()}).status_code == 303
    answer = province.answer(4)
    assert (answer.have, answer.of, [i.label for i in answer.missing]) == (2, 3, ["Hộ số 2"])


def test_a_list_with_a_quotation_mark_that_never_closes_is_refused_by_its_line(
    province: Province, sign_in: SignIn
) -> None:
    province.premises(1)
    listed = 'Nơi;Mã\n"Hộ số 1;0123456789\n' + "x" * 140_000
    form = {"observed_on": "2026-11-20", "list": listed}
    answer = sign_in("officer").post(f"/thon/{province.village}/ghi/dia-chi-so", data=form)
    assert (answer.status_code, "dấu ngoặc kép mở mà không đóng" in answer.text) == (422, True)


def test_codes_given_twice_in_a_list_are_refused_at_once_with_their_lines(province: Province, sign_in: SignIn) -> None:
    province.premises(3)
    form = {
        "observed_on": "2026-11-20",
        "list": "Nơi;Mã\nHộ số 1;0123456789\nHộ số 2;0123456780\nHộ số 3;01234 56789\n",
    }
    answer = sign_in("officer").post(f"/thon/{province.village}/ghi/dia-chi-so", data=form)
    assert answer.status_code == 422
    assert "Dòng 2: Hộ số 1 có mã 0123456789 trùng với Hộ số 3." in answer.text
    assert "Dòng 4: Hộ số 3 có mã 0123456789 trùng với Hộ số 1." in answer.text
    assert "Hộ số 2 có mã" not in answer.text
    assert facts(province) == 0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("Hộ số 1;12345", "Hộ số 1: mã địa chỉ số có đúng 10 chữ số, đang là “12345”."),
        ("Hộ số 9;0123456789", "Dòng 1: thôn không có nơi nào tên “Hộ số 9” trong danh sách."),
    ],
)
def test_list_with_a_wrong_line_is_refused_as_a_whole(
    province: Province, sign_in: SignIn, line: str, said: str
) -> None:
    province.premises(2)
    form = {"observed_on": "2026-11-20", "list": f"{line}\nHộ số 2;0123456780"}
    answer = sign_in("officer").post(f"/thon/{province.village}/ghi/dia-chi-so", data=form)
    assert answer.status_code == 422
    assert said in answer.text
    assert facts(province) == 0


def test_list_of_addresses_with_mistakes_tells_every_line_and_keeps_what_was_typed(
    province: Province, sign_in: SignIn
) -> None:
    province.premises(3)
    client = sign_in("officer")
    address = f"/thon/{province.village}/ghi/dia-chi-so"
    labels = re.findall(r'<label for="code_[^"]+">([^<]+)</label>', client.get(address).text)
    typed = f"\n{labels[0]};123\nHộ không có;0123456789\n{labels[1]};0123456789\n{labels[1]};0123456780\n"
    answer = send(client, address, {"list": typed, "observed_on": "2026-11-20"})
    assert answer.status_code == 422
    for said in (
        f"Dòng 2: {labels[0]}: mã địa chỉ số có đúng 10 chữ số, đang là “123”.",
        "Dòng 3: thôn không có nơi nào tên “Hộ không có” trong danh sách.",
        f"Dòng 5: {labels[1]} đã có ở dòng 4. Mỗi nơi để một dòng.",
    ):
        assert f'<li><a href="#list">{said}</a></li>' in answer.text
    assert f"{labels[1]};0123456780" in answer.text
    assert facts(province) == 0


def test_record_written_by_mistake_is_taken_back_where_it_stands(province: Province, sign_in: SignIn) -> None:
    for kind, record in (
        ("wifi", province.record("wifi", available=True)),
        ("phan-anh", province.record("feedback", topic="Rác", received_on="2026-11-10")),
        ("mo-hinh", province.record("no_model", field="public_order")),
    ):
        client = sign_in("officer")
        address = f"/thon/{province.village}/ghi/{kind}"
        before = client.get(address).text
        assert f'action="{address}/rut-lai"' in before
        assert f'name="fact" value="{record.id}"' in before
        assert "Rút lại, ghi nhầm" in before
        form = {"id": str(new_id()), "fact": str(record.id)}
        assert sign_in("foreigner").post(f"{address}/rut-lai", data=form).status_code == 404
        client = sign_in("officer")
        for _ in range(2):  # a double tap
            answer = client.post(f"{address}/rut-lai", data=form)
            assert (answer.status_code, answer.location) == (303, address)
        after = client.get(address).text
        assert f'value="{record.id}"' not in after
        assert "Rút lại: " in after
    assert facts(province) == 6
    assert province.answer(3).reason.vi == "Wi-Fi miễn phí ở nhà văn hóa thôn: chưa ai ghi."


def test_village_declares_the_fields_in_which_it_has_no_model(province: Province, sign_in: SignIn) -> None:
    form = {
        "declare_none": "1",
        "observed_on": "2026-11-23",
        "none": ["production_business", "public_order", "smart_lighting", "smart_agriculture"],
    }
    answer = sign_in("officer").post(f"/thon/{province.village}/ghi/mo-hinh", data=form)
    assert answer.status_code == 303
    assert province.answer(6).value == "unmet"


@pytest.mark.parametrize(
    ("kind", "sent", "named"),
    [
        ("to-cong-nghe-so", {"decision_number": "12/QĐ-UBND", "decided_on": "2026-11-01", "members": "0"},
         [("issuer", "Nơi ra quyết định"), ("members", "Số thành viên")]),
        ("to-cong-nghe-so", {"observed_on": "x", "link": "http://vidu.vn"},
         [("link", "Hoặc đường dẫn"), ("observed_on", "Ngày thấy như vậy")]),
        ("hoat-dong", {}, [("topic", "Tổ đã làm gì"), ("people", "Bao nhiêu người dự")]),
        ("hoat-dong", {"observed_on": "x"}, [("observed_on", "Ngày làm")]),
        ("kenh", {"platform": "x", "households": "-1"}, [("platform", "Loại kênh"), ("households", "Số hộ tham gia")]),
        ("phan-anh", {}, [("topic", "Về việc gì"), ("received_on", "Ngày nhận")]),
        ("wifi", {"available": "1", "network": "W" * 65}, [("network", "Tên mạng Wi-Fi")]),
        ("wifi", {"available": "1", "note": "x" * 1001}, [("note", "Ghi chú")]),
        ("dia-chi-so", {"link": "x"}, [("link", "Hoặc đường dẫn"), ("observed_on", "Ngày có các mã này")]),
        ("mo-hinh", {"title": "Đèn", "tool": "Đèn", "started_on": "2026-11-01"},
         [("field", "Lĩnh vực"), ("participants", "Số người tham gia")]),
        ("mo-hinh", {"declare_none": "1", "observed_on": "2026-11-20"}, [("none", "Lĩnh vực nào thôn không có?")]),
    ],
)  # fmt: skip
def test_refused_record_names_each_wrong_field_and_leads_to_it(
    province: Province, sign_in: SignIn, kind: str, sent: dict[str, str], named: list[tuple[str, str]]
) -> None:
    province.premises(2)
    answer = send(sign_in("officer"), f"/thon/{province.village}/ghi/{kind}", {"id": str(new_id())} | sent)
    assert sorted(named_in_box(answer)) == sorted(named)
    assert facts(province) == 0


def test_refused_proof_is_named_with_a_link(province: Province, sign_in: SignIn) -> None:
    address = f"/thon/{province.village}/ghi/"
    no_photo = {"id": str(new_id()), "available": "1", "proof": FileStorage(io.BytesIO(b"<svg></svg>"), "wifi.jpg")}
    assert named_in_box(send(sign_in("officer"), address + "wifi", no_photo)) == [
        ("proof", "Ảnh hoặc PDF làm minh chứng")
    ]
    assert facts(province) == 0


UNPROVEN = "Đã ghi, nhưng chưa có ảnh hay giấy nên chưa tính. Hãy thêm minh chứng ngay ở trang này."


def test_record_without_proof_says_that_it_does_not_count_and_leads_to_where_proof_is_added(
    province: Province, sign_in: SignIn
) -> None:
    client = sign_in("officer")
    address = f"/thon/{province.village}/ghi/wifi"
    form = {"id": str(new_id()), "available": "1", "observed_on": "2026-11-20"}
    answer = send(client, address, form)
    assert (answer.status_code, answer.location) == (303, address)
    page = client.get(address)
    assert '<div class="flash wait"' in page.text
    assert UNPROVEN in text_of(page)
    assert "Nhà văn hóa có Wi-Fi miễn phí Chưa có minh chứng ngày 20/11/2026" in text_of(page)
    proven = form | {"id": str(new_id()), "proof": photo()}
    assert send(client, address, proven).location == f"/thon/{province.village}"
    after = text_of(client.get(address))
    assert "Nhà văn hóa có Wi-Fi miễn phí Chưa có minh chứng" not in after
    none = {"id": str(new_id()), "observed_on": "2026-11-21"}  # that there is none needs no proof
    assert send(client, address, none).location == f"/thon/{province.village}"
    assert "Nhà văn hóa chưa có Wi-Fi miễn phí Chưa có" not in text_of(client.get(address))


def test_one_of_many_without_proof_opens_again_to_be_proven(province: Province, sign_in: SignIn) -> None:
    new = str(new_id())
    form = {"id": new, "topic": "Thanh toán bằng mã QR", "people": "9", "observed_on": "2026-11-20"}
    answer = send(sign_in("officer"), f"/thon/{province.village}/ghi/hoat-dong", form)
    assert (answer.status_code, answer.location) == (303, f"/thon/{province.village}/ghi/hoat-dong?muc={new}")


def test_list_of_codes_without_proof_stays_where_proof_is_added(province: Province, sign_in: SignIn) -> None:
    province.premises(2)
    client = sign_in("officer")
    address = f"/thon/{province.village}/ghi/dia-chi-so"
    form = {"observed_on": "2026-11-20", "list": "Hộ số 2;0123456780"}
    assert send(client, address, form).location == address
    assert UNPROVEN in text_of(client.get(address))
    assert send(client, address, form | {"link": "https://tep.example/ma"}).location == f"/thon/{province.village}"

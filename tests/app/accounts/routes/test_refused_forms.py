"""The box at the top of a refused form names each wrong field and leads to it."""

import pytest

from app.db import new_id
from tests.app.accounts.routes.conftest import Browser, send
from tests.app.boxes import named_in_box
from tests.worlds.organisations import Province


@pytest.mark.parametrize(
    ("who", "page", "sent", "named"),
    [
        ("minh", "/don-vi/{coop}/them-ho", {"name": "Hộ số 9", "tax_code": "1"},
         [("village_id", "Thôn"), ("tax_code", "Mã số thuế")]),
        ("minh", "/don-vi/{coop}/them-ho", {"joined_on": "x"},
         [("village_id", "Thôn"), ("name", "Tên gọi của hộ"), ("joined_on", "Là thành viên từ ngày")]),
        ("minh", "/don-vi/{coop}/them-nguoi", {"phone": "12", "role": "x"},
         [("full_name", "Họ và tên"), ("address_as", "Xưng hô"), ("phone", "Số điện thoại"), ("role", "Vai trò")]),
        ("admin", "/don-vi/{office}/them-nguoi",
         {"full_name": "Lò Thị Mới", "address_as": "chị", "phone": "0987 654 321", "role": "commune_official"},
         [("place_id", "Phụ trách nơi nào")]),
        ("admin", "/don-vi/moi", {"kind": "cooperative", "tax_code": "1"},
         [("name", "Tên"), ("tax_code", "Mã số thuế")]),
        ("admin", "/don-vi/moi", {"kind": "cooperative", "name": "Hợp tác xã Mới"},
         [("commune_id", "Xã, phường nơi đặt trụ sở")]),
        ("admin", "/don-vi/{coop}/sua", {"version": "1", "tax_code": "1"},
         [("name", "Tên"), ("tax_code", "Mã số thuế")]),
        ("admin", "/don-vi/{coop}/tru-so", {"version": "1"}, [("commune_id", "Xã, phường")]),
        ("minh", "/don-vi/{coop}/tru-so", {"version": "1", "commune_id": "{commune}", "village_id": "{far_village}"},
         [("village_id", "Thôn")]),
        ("minh", "/tai-khoan/sua", {"full_name": "Vi Văn Minh", "phone": "12", "email": "x", "language": "fr"},
         [("address_as", "Xưng hô"), ("phone", "Số điện thoại"), ("email", "Thư điện tử"), ("language", "Ngôn ngữ")]),
        ("minh", "/du-lieu-cua-toi", {"detail": "x" * 2001}, [("kind", "Muốn làm gì"), ("detail", "Về điều gì")]),
        ("minh", "/du-lieu-cua-toi/xoa", {"word": "có"}, [("word", "Viết chữ XÓA để chắc chắn")]),
        ("minh", "/doi-mat-khau", {"new": "mot mat khau moi", "again": "khac"},
         [("current", "Mật khẩu đang dùng"), ("again", "Viết lại mật khẩu mới")]),
    ],
)  # fmt: skip
def test_each_wrong_field_is_named_with_a_link(
    browser: Browser, province: Province, who: str, page: str, sent: dict[str, str], named: list[tuple[str, str]]
) -> None:
    values = {name: value.format(**province.ids) for name, value in sent.items()}
    if page.endswith(("/them-ho", "/them-nguoi", "/moi", "/du-lieu-cua-toi", "/xoa")):
        values["id"] = str(new_id())
    assert named_in_box(send(browser(who), page.format(**province.ids), **values)) == named


def test_an_empty_answer_to_a_request_is_named_with_a_link(browser: Browser, province: Province) -> None:
    mine = {"id": str(new_id()), "kind": "see", "detail": "Ai đã xem?"}
    assert send(browser("minh"), "/du-lieu-cua-toi", **mine).status_code == 303
    refused = send(browser("admin"), f"/quan-tri/yeu-cau-du-lieu/{mine['id']}")
    assert named_in_box(refused) == [("answer", "Trả lời")]
    assert province.one("SELECT answer FROM data_requests") is None

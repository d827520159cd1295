"""A card from paper to phone, and what is typed wrong on the way."""

import re
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest

from app.actor import Role
from app.db import new_id
from tests.app.accounts.routes.conftest import Browser, printed_code, send
from tests.worlds.organisations import Province


def test_a_card_from_paper_to_phone(browser: Browser, province: Province) -> None:
    desk, phone = browser("minh"), browser("")
    person = f"/don-vi/{province['household']}/nguoi/{province['lanh']}"
    values = {"id": str(new_id()), "person_id": str(province["lanh"])}
    printed = send(desk, person, f"/don-vi/{province['coop']}/in-the", **values)
    assert printed.status_code == 303
    sheet = desk.get(printed.location)
    assert "THỬ NGHIỆM" in sheet.text
    assert "0912" not in sheet.text
    assert "data:image/svg+xml;base64," in sheet.text
    code = re.search(r"<small>([0-9A-Z-]{32})</small>", sheet.text)
    assert code
    typed = send(phone, "/the", code=code.group(1).lower())
    card = typed.location
    seen = phone.get(card)
    assert "Thẻ của bác Hoàng Thị Lành" in unescape(seen.text)
    assert "0912" not in seen.text
    assert "Set-Cookie: hoi_may" not in str(seen.headers)
    asked = send(phone, card, f"{card}/hoi", id=str(new_id()))
    assert asked.status_code == 303
    waiting = phone.get(card)
    assert waiting.headers["Refresh"] == "4"
    number = province.one("SELECT number FROM card_requests")
    assert f"<big>{number}</big>" in waiting.text
    assert "Đúng người" in desk.get("/xac-nhan-may").text
    request = province.one("SELECT id FROM card_requests")
    assert send(desk, "/xac-nhan-may", f"/xac-nhan-may/{request}", word="right").status_code == 303
    entered = send(phone, card, f"{card}/vao")
    assert entered.location == "/vao"
    assert phone.get("/vao").location == "/dong-y?next=/"
    consent = phone.get("/dong-y")
    assert 'name="purposes"' in consent.text
    assert " checked" not in consent.text
    lost = province.one("SELECT id FROM devices")
    assert send(desk, person, f"/may/{lost}/mat").status_code == 303
    assert phone.get("/tai-khoan").location.startswith("/dang-nhap")


def test_the_pin_on_the_cards_page(browser: Browser, province: Province) -> None:
    desk, phone = browser("minh"), browser("")
    person = f"/don-vi/{province['household']}/nguoi/{province['lanh']}"
    values = {"id": str(new_id()), "person_id": str(province["lanh"])}
    sheet = desk.get(send(desk, person, f"/don-vi/{province['coop']}/in-the", **values).location).text
    pin = re.search(r'<b class="num">(\d{4})</b>', sheet)
    code = re.search(r"<small>([0-9A-Z-]{32})</small>", sheet)
    assert pin
    assert code
    card = f"/the/{code.group(1).replace('-', '')}"
    wrong = send(phone, card, pin=f"{(int(pin.group(1)) + 1) % 10000:04d}")
    assert wrong.status_code == 422
    assert "Còn 4 lần" in wrong.text
    assert province.one("SELECT pin_tries FROM cards") == 1
    assert send(phone, card, pin=pin.group(1)).status_code == 303
    assert "Hoàng Thị Lành" in phone.get("/tai-khoan").text


def test_the_card_of_who_is_more_than_a_farmer_opens_the_work_and_not_the_account(
    browser: Browser, province: Province
) -> None:
    desk, client = browser("minh"), browser("")
    person = f"/don-vi/{province['household']}/nguoi/{province['lanh']}"
    form = {"id": str(new_id()), "person_id": str(province["lanh"])}
    sheet = desk.get(send(desk, person, f"/don-vi/{province['coop']}/in-the", **form).location).text
    pin = re.search(r'<b class="num">(\d{4})</b>', sheet)
    code = re.search(r"<small>([0-9A-Z-]{32})</small>", sheet)
    assert pin
    assert code
    province.also("lanh", "office", Role.COMMUNE_OFFICIAL)
    assert send(client, f"/the/{code.group(1).replace('-', '')}", pin=pin.group(1)).location == "/vao"
    assert client.get("/vao").location == "/"  # not the questions of consent, which a card may not answer
    before = province.rows("SELECT id, ended_at FROM sign_ins ORDER BY id")
    filled: dict[str, dict[str, str]] = {
        "/dang-xuat-moi-noi": {},
        "/dong-y": {"purposes": "account", "language": "vi", "shown": "account 2026-12"},
        "/dong-y/diary/rut-lai": {},
        "/du-lieu-cua-toi/xoa": {"word": "XÓA", "id": str(new_id())},
        "/tai-khoan/sua": {"full_name": "Kẻ Khác", "address_as": "bác", "phone": "0911 111 111"},
    }
    for to, values in filled.items():
        answer = send(client, "/tai-khoan/sua", to, **values)
        assert answer.status_code == 403, answer.text
        assert "Máy vào bằng thẻ chỉ để ghi việc" in unescape(answer.text), to
    assert client.get("/du-lieu-cua-toi/tai-ve").status_code == 403
    assert province.rows("SELECT id, ended_at FROM sign_ins ORDER BY id") == before
    assert province.one("SELECT count(*) FROM consents") == 0
    assert province.phone("lanh") == "+84912000005"


def test_an_unknown_card_is_a_plain_page(browser: Browser) -> None:
    answer = browser("").get("/the/" + "0" * 26)
    assert answer.status_code == 404
    assert "Không tìm thấy thẻ này" in answer.text


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda code: code[:-1], "Mã trên thẻ có 26 chữ và số, đã viết 25."),
        (lambda code: code[:-1] + "U", "Mã trên thẻ không có ký tự “U”."),
        (lambda code: code[:-1] + ("A" if code[-1] != "A" else "B"), "Không có thẻ nào mang mã này"),
    ],
)
def test_a_mistyped_card_code_stays_in_the_form_with_what_is_wrong(
    browser: Browser, province: Province, spoil: Callable[[str], str], said: str
) -> None:
    typed = spoil(printed_code(browser, province))
    answer = send(browser(""), "/the", code=typed)
    assert answer.status_code == 422
    assert unescape(answer.text).count(said) == 1
    assert f'value="{typed}"' in answer.text


def test_the_whole_address_of_a_card_is_understood(browser: Browser, province: Province) -> None:
    code = printed_code(browser, province)
    for typed in (f"https://hoi.vidu.vn/the/{code}", f" hoi.vidu.vn/the/{code.lower()}?x=1 "):
        assert send(browser(""), "/the", code=typed).location == f"/the/{code}"


def test_a_pin_too_short_says_so_once(browser: Browser, province: Province) -> None:
    card = f"/the/{printed_code(browser, province)}"
    answer = send(browser(""), card, pin="12")
    assert answer.status_code == 422
    assert answer.text.count("Cần đủ bốn số.") == 1
    assert "Chưa ghi được" not in answer.text
    assert province.one("SELECT pin_tries FROM cards") == 0


def test_the_proxy_writes_down_no_address_of_a_card() -> None:
    example = (Path(__file__).parents[4] / "deploy" / "nginx.conf.example").read_text()
    block = re.search(r"location \^~ /the/ \{(.*?)\}", example, re.DOTALL)
    assert block
    assert "access_log off;" in block.group(1)
    assert "proxy_pass" in block.group(1)

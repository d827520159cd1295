"""The main job, once through, by hands and eyes: from a card and a step on a hill to a code, a floor and a village's criteria."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout
from sqlalchemy import select

from app import clock
from app.actor import SYSTEM
from app.db import Database
from app.products.models import Certificate
from demo import cast
from demo.names import key
from tests.browser.conftest import Province

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PHONE = {"width": 360, "height": 640}
DESK = {"width": 1280, "height": 800}
SOON = 60.0  # seconds that processes on a busy machine may take to follow one click
NA = "Na dai Nà Mẫu"
HONEY = "Mật ong rừng Nà Mẫu"
FLOOR = "Sàn nông sản tỉnh (mô phỏng)"
VILLAGE = f"/thon/{key('village', 'story')}"
REASON = "Ảnh trên tin không đúng quả thật"
Move = Callable[[timedelta], None]


@dataclass
class Stage:
    """Browsers of everybody in the story. When it fails, what each one saw last lies in `pictures`."""

    browser: Browser
    url: str
    pictures: Path
    contexts: list[BrowserContext] = field(default_factory=list)
    pages: dict[str, Page] = field(default_factory=dict)

    def open(self, who: str, viewport: dict[str, int], *, script: bool = True) -> Page:
        context = self.browser.new_context(
            base_url=self.url,
            viewport={"width": viewport["width"], "height": viewport["height"]},
            locale="vi-VN",
            has_touch=viewport is PHONE,
            java_script_enabled=script,
        )
        context.set_default_timeout(SOON * 1000)
        self.contexts.append(context)
        page = self.pages[who] = context.new_page()
        page.on("pageerror", lambda error: pytest.fail(f"{who}: {error}"))
        return page

    def sign_in(self, player: str) -> Page:
        """By number and password, as its owner would."""
        page = self.open(player, DESK)
        one = next(p for p in cast.PLAYERS if p.key == player)
        page.goto("/dang-nhap")
        page.get_by_label("Số điện thoại").fill(one.shown_phone)
        page.get_by_label("Mật khẩu").fill(cast.PASSWORD)
        page.get_by_role("button", name="Đăng nhập").click()
        page.wait_for_url(lambda url: "/dang-nhap" not in url)
        return page


@pytest.fixture
def stage_at(browser: Browser, tmp_path: Path) -> Callable[[str], Any]:
    @contextmanager
    def at(url: str) -> Iterator[Stage]:
        expect.set_options(timeout=SOON * 1000)
        stage = Stage(browser, url, tmp_path)
        try:
            yield stage
        except BaseException as error:
            for who, page in stage.pages.items():
                page.screenshot(path=tmp_path / f"{who}.png", full_page=True)
            error.add_note(f"what each one saw last: {tmp_path}/*.png")
            raise
        finally:
            for context in stage.contexts:
                context.close()

    return at


# --- hands and eyes ----------------------------------------------------------------------------------------------


def decode(picture: bytes) -> str:
    """What another maker's decoder reads in a picture with one code."""
    with Image.open(BytesIO(picture)) as image:
        found = zxingcpp.read_barcodes(image.convert("L"))
    assert len(found) == 1, f"{len(found)} codes in the picture"
    return str(found[0].text)


def until(page: Page, locator: Locator, text: str) -> None:
    """Open the page again and again, as people do who wait for news, until these words stand there."""
    deadline = time.monotonic() + SOON
    words = locator.first.filter(has_text=text)
    while time.monotonic() < deadline:
        with suppress(PlaywrightTimeout):
            words.wait_for(timeout=700)
            return
        page.reload()
    expect(locator.first).to_contain_text(text, timeout=1)


def clause(page: Page, number: int) -> Locator:
    return page.locator("li.crit").nth(number - 1)


def verdict(page: Page, number: int) -> Locator:
    return clause(page, number).locator(":scope > .chip")


def photo(path: Path) -> Path:
    Image.effect_noise((1200, 900), 40).convert("RGB").save(path, "JPEG")
    return path


def card_printed(coop: Page) -> tuple[str, str]:
    """The cooperative prints bác Lành's card: what its code says, and the four digits to tell her."""
    coop.get_by_role("link", name="Người và thẻ").first.click()
    coop.get_by_role("link", name="bác Hoàng Thị Lành").click()
    coop.get_by_role("button", name="In thẻ mới, thẻ cũ hết dùng").click()
    expect(coop.get_by_role("heading", name="bác Hoàng Thị Lành")).to_be_visible()
    expect(coop.locator(".sheet")).to_contain_text("HTX Nông sản Nà Mẫu")
    pin = coop.locator(".card b.num").inner_text()
    assert pin not in coop.locator(".sheet").inner_text().split(), "the four digits are told, never printed"
    return decode(coop.locator(".sheet").screenshot()), pin


def consent(phone: Page) -> None:
    """Nothing is ticked in advance; she agrees to the account and to a diary in her name."""
    expect(phone.get_by_role("heading", name="Đồng ý những gì?")).to_be_visible()
    assert phone.locator("input[type=checkbox]:checked").count() == 0
    for title in ("Giữ tài khoản", "Ghi nhật ký vườn, chuồng dưới tên mình"):
        phone.get_by_label(f"Tôi đồng ý: {title}").check()
    phone.get_by_role("button", name="Lưu lựa chọn").click()
    expect(phone.get_by_role("heading", name="Chào bác Lành")).to_be_visible()


def write(phone: Page, what: str, amount: str, picture: Path | None = None) -> None:
    """A step of today in taps: the picture of the work, a number, and the button."""
    phone.goto("/nong-dan")
    phone.locator(".tiles").get_by_role("link", name=what).tap()
    phone.locator(".measure .pic", has_text=amount).first.tap()
    if picture:
        phone.set_input_files("#photo", picture)
    phone.get_by_role("button", name="Ghi", exact=True).tap()
    expect(phone.get_by_role("heading", name="Đã ghi")).to_be_visible()


def batch_made(coop: Page, household: str) -> str:
    """A lot of today's harvest, with its code. Returns what the label's code says."""
    coop.goto("/lo/moi")
    coop.get_by_label("Sản phẩm").select_option(label=NA)
    coop.get_by_role("button", name="Tiếp").click()
    coop.locator("label.check", has_text=f"{clock.today():%d/%m/%Y}").filter(has_text=household).click()
    coop.get_by_label("Khối lượng lô").fill("48")
    coop.get_by_role("button", name="Tạo lô").click()
    expect(coop.get_by_text("Đã tạo lô. Bước tiếp: tạo mã QR và in tem.")).to_be_visible()
    coop.get_by_role("button", name="Tạo mã QR", exact=True).click()
    expect(coop.get_by_text("Lô đã có mã. In tem ngay được.")).to_be_visible()
    label = coop.request.get(coop.get_by_role("link", name="PNG").get_attribute("href") or "")
    assert label.headers["content-type"] == "image/png"
    return decode(label.body())


def bought(buyer: Page, address: str, lot: str) -> None:
    """What the buyer reads behind the code."""
    buyer.goto(address)
    expect(buyer.get_by_role("heading", name="Mã thật của lô này")).to_be_visible()
    expect(buyer.get_by_role("heading", name=f"{NA}, Hộp 2 kg")).to_be_visible()
    page = buyer.locator("body")
    expect(page).to_contain_text(f"Hãy so số lô {lot} với số in trên hộp.")
    expect(buyer.locator(".facts").first).to_contain_text("HTX Nông sản Nà Mẫu (dữ liệu mẫu)")
    expect(buyer.locator(".facts").first).to_contain_text("thôn Nà Mẫu, xã Chi Lăng, tỉnh Lạng Sơn")
    expect(page).to_contain_text("OCOP 4 sao")
    way = buyer.locator("ol.way")
    expect(way).to_contain_text("Bón phân")
    expect(way).to_contain_text("Thu hoạch, 50 kg")
    expect(way).to_contain_text("Hộ ghi")


def last_valid_day(database: Database) -> date:
    with database.transaction(SYSTEM) as session:
        ends = session.scalars(select(Certificate.valid_to).where(Certificate.product_id == key("product", "na"))).one()
    assert ends is not None
    return ends


# --- the story ---------------------------------------------------------------------------------------------------


def test_a_fruit_goes_from_a_hill_to_a_floor_and_its_village_turns_met_and_the_page_says_why(
    province: Callable[..., Province], stage_at: Callable[[str], Any], move_clock: Move, tmp_path: Path
) -> None:
    demo = province(
        "web", "relay", "worker", "bulk", "caller", "looker", "scheduler", look_seconds=2, worker_processes=2
    )
    with stage_at(demo.url) as stage:
        official = stage.sign_in("truong-thon")
        official.goto(VILLAGE)
        expect(verdict(official, 5)).to_have_text("Chưa đạt")
        expect(clause(official, 5)).to_contain_text(f"{NA}. Chưa đăng bán trên sàn nào.")
        expect(verdict(official, 6)).to_have_text("Thiếu dữ liệu")
        expect(clause(official, 6)).to_contain_text("Hộ số 01 Nà Mẫu. Mới ghi 2 bước trong 90 ngày, cần 3.")

        # The card, and "đúng người"
        coop = stage.sign_in("hop-tac-xa")
        address, _pin = card_printed(coop)
        assert address.startswith(f"{demo.url}/the/")
        phone = stage.open("nong-dan", PHONE)
        phone.goto(address)
        expect(phone.get_by_text("Thẻ này có phải của mình không?")).to_be_visible()
        phone.get_by_role("button", name="Nhờ hợp tác xã xác nhận").tap()
        expect(phone.locator("p.lead")).to_have_text("Đang chờ HTX Nông sản Nà Mẫu (dữ liệu mẫu) bấm “Đúng người”.")
        number = phone.locator(".done b.num").inner_text()
        coop.goto("/hop-tac-xa")
        asked = coop.locator(".todo li", has_text="Một máy quét thẻ của bác Hoàng Thị Lành")
        expect(asked).to_contain_text(number)
        asked.get_by_role("link", name="Xác nhận").click()
        waiting = coop.locator("section.card", has_text="bác Hoàng Thị Lành")
        expect(waiting.locator(".facts")).to_contain_text(number)
        waiting.get_by_role("button", name="Đúng người").click()
        expect(coop.get_by_text("Không có máy nào đang chờ")).to_be_visible()
        phone.get_by_role("button", name="Vào sổ").tap()  # the page has renewed itself
        consent(phone)

        # The step that completes the season, and the harvest
        write(phone, "Bón phân", "3", photo(tmp_path / "na.jpg"))
        expect(phone.get_by_role("img", name="Ảnh của việc này")).to_be_visible()
        write(phone, "Thu hoạch", "50")

        # The lot, its label, the page behind its code
        address = batch_made(coop, "Hộ số 01 Nà Mẫu")
        lot = coop.get_by_role("heading", level=1).inner_text()
        assert address.startswith(f"{demo.url}/t/")
        bought(stage.open("nguoi-mua", PHONE), address, lot)

        # The floor
        coop.goto("/san")
        coop.locator("section.card > .row", has_text=NA).filter(has_text="Hộp 2 kg").get_by_role(
            "button", name="Đăng bán"
        ).click()
        coop.goto("/san")
        row = coop.get_by_role("row").filter(has_text=NA)
        until(coop, row, "thấy lúc")
        expect(row).to_contain_text("Đang bán")
        expect(row).to_contain_text("sàn được tính")
        buyer = stage.pages["nguoi-mua"]
        buyer.goto(address)
        until(buyer, buyer.locator("ul.buy"), FLOOR)
        buyer.get_by_role("link", name=FLOOR).click()
        assert urlsplit(buyer.url).netloc == urlsplit(demo.floor).netloc
        expect(buyer.get_by_role("heading", name=NA)).to_be_visible()

        # The village's two criteria
        until(official, clause(official, 5), "1/1 sản phẩm OCOP đang bán trên sàn được tính")
        expect(verdict(official, 5)).to_have_text("Đạt")
        until(official, verdict(official, 6), "Đạt")
        expect(clause(official, 6)).to_contain_text("Nông nghiệp thông minh")
        expect(official.locator(".answer .chip")).to_contain_text("Đạt thôn thông minh")

        # The floor bans it, and lets it be sold again
        staff = stage.open("san", DESK)
        staff.goto(f"{demo.floor}/_double/")
        item = staff.locator("section", has_text=NA)
        item.get_by_label("Lý do").fill(REASON)
        item.get_by_role("button", name="Cấm bán").click()
        expect(staff.locator("section", has_text=NA)).to_contain_text("bị cấm bán")
        until(official, verdict(official, 5), "Chưa đạt")
        expect(clause(official, 5).locator(".miss")).to_contain_text(NA)
        expect(clause(official, 5).locator(".miss")).to_contain_text(REASON)
        until(coop, row, REASON)
        item.get_by_role("button", name="Cho bán lại").click()
        until(official, clause(official, 5), "1/1 sản phẩm OCOP đang bán trên sàn được tính")
        expect(verdict(official, 5)).to_have_text("Đạt")

        # The certificate ends
        ends = last_valid_day(demo.database)
        move_clock(timedelta(days=(ends - clock.today()).days + 1))
        lapsed = ends + timedelta(days=1)
        until(official, clause(official, 5), f"{NA} (Chứng nhận OCOP hết hạn từ {lapsed:%d/%m/%Y})")
        expect(verdict(official, 5)).to_have_text("Không áp dụng")
        expect(clause(official, 5)).to_contain_text("Không còn được tính:")
        flag = official.locator(".flash", has_text="Không còn áp dụng vì có mục không còn trong danh sách")
        expect(flag).to_contain_text(f"{NA} (Chứng nhận OCOP hết hạn từ {lapsed:%d/%m/%Y})")
        buyer.goto(address)
        until(buyer, buyer.locator("body"), "Không có chứng nhận còn hạn")


def test_the_farmers_and_the_buyers_parts_need_no_script(
    province: Callable[..., Province], stage_at: Callable[[str], Any], tmp_path: Path
) -> None:
    demo = province("web")
    with stage_at(demo.url) as stage:
        coop = stage.sign_in("hop-tac-xa")
        address, pin = card_printed(coop)
        phone = stage.open("nong-dan", PHONE, script=False)
        phone.goto(address)
        phone.get_by_label("Bốn số do hợp tác xã đọc").fill(pin)
        phone.get_by_role("button", name="Vào sổ").tap()
        consent(phone)
        write(phone, "Bón phân", "3", photo(tmp_path / "na.jpg"))
        write(phone, "Thu hoạch", "50")
        address = batch_made(coop, "Hộ số 01 Nà Mẫu")
        bought(stage.open("nguoi-mua", PHONE, script=False), address, coop.get_by_role("heading", level=1).inner_text())

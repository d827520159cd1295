"""The farmer's phone in a real browser at 360 × 640: four taps, no typing, with and without script, by day and by night."""

import os
from collections.abc import Callable, Iterator
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from app import clock
from app.actor import SYSTEM
from app.db import Database
from app.media import MediaBlob
from tests.worlds.phone import World, ago, make_world

pytestmark = pytest.mark.browser
EXIF_GPS = 0x8825
Open = Callable[..., Page]

# Every element that a finger may want, with its box; what the eye does not see is left out.
TARGETS = """() => [...document.querySelectorAll('a,button,summary,select,.pic,input:not([type=hidden]):not(.pic input)')]
  .filter(e => e.checkVisibility({visibilityProperty: true, opacityProperty: true}) && !e.matches('.skip,[type=file]'))
  .map(e => ({what: e.outerHTML.slice(0, 80), w: e.getBoundingClientRect().width, h: e.getBoundingClientRect().height}))
  .filter(b => b.w < 56 || b.h < 55.9)"""
SMALL_TEXT = """() => [...document.querySelectorAll('main h1,main h2,main b,main legend,main .tile span,main .btn,main .pic>span')]
  .filter(e => e.checkVisibility() && e.textContent.trim() && parseFloat(getComputedStyle(e).fontSize) < 14.9)
  .map(e => e.outerHTML.slice(0, 80))"""
WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # Chromium refuses its sandbox to root.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        started = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield started
        started.close()


@pytest.fixture
def world(fresh_database: Database) -> World:
    made = make_world(fresh_database)
    made.log("fertilising", ago(days=9), material="NPK 16-16-8", quantity=Decimal(2), unit="bag")
    made.log("spraying", ago(days=5), material="Chế phẩm Bt", quantity=Decimal(1), unit="tank16", pre_harvest_days=21)
    return made


@pytest.fixture
def open_phone(browser: Browser, world: World, running_web: Callable[..., Any]) -> Iterator[Open]:
    """`open_phone("/nong-dan", dark=True, js=False, lang="en", width=320)`: the page, signed in as bác Lành."""
    url = running_web().url
    token = world.token("lanh")
    contexts: list[BrowserContext] = []

    def open_page(path: str, *, dark: bool = False, js: bool = True, lang: str = "vi", width: int = 360) -> Page:
        context = browser.new_context(
            base_url=url,
            viewport={"width": width, "height": 640},
            color_scheme="dark" if dark else "light",
            java_script_enabled=js,
            has_touch=True,
        )
        contexts.append(context)
        context.add_cookies(
            [{"name": "hoi_phien", "value": token, "url": url}, {"name": "hoi_lang", "value": lang, "url": url}]
        )
        page = context.new_page()
        page.on("pageerror", lambda error: pytest.fail(f"script: {error}"))
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.mark.parametrize("js", [True, False], ids=["script", "no-script"])
def test_fertiliser_is_written_in_three_taps_when_repeated_and_never_needs_typing(
    open_phone: Open,
    world: World,
    js: bool,  # noqa: FBT001 - a case
) -> None:
    page = open_phone("/nong-dan", js=js)
    page.get_by_role("link", name="Bón phân").first.tap()
    page.locator(".measure .pic", has_text="3").first.tap()
    page.get_by_role("button", name="Ghi", exact=True).tap()
    page.get_by_role("heading", name="Đã ghi").wait_for()
    log = world.logs()[-1]
    assert (log.kind, log.material, log.quantity, log.unit, log.performed_by) == (
        "fertilising", "NPK 16-16-8", Decimal(3), "bag", world["lanh"],
    )  # fmt: skip
    assert clock.local(log.happened_at).date() == clock.today()


@pytest.mark.parametrize("js", [True, False], ids=["script", "no-script"])
def test_back_shows_a_fresh_form_and_a_second_tap_writes_nothing(
    open_phone: Open,
    world: World,
    js: bool,  # noqa: FBT001 - a case
) -> None:
    page = open_phone("/nong-dan/ghi/spraying", js=js)
    first = page.locator("input[name=id]").input_value()
    page.locator(".pic", has_text="Thuốc sinh học").tap()
    page.locator(".measure .pic").first.tap()
    page.get_by_role("button", name="Ghi", exact=True).tap()
    page.get_by_role("heading", name="Đã ghi").wait_for()
    before = len(world.logs())
    page.go_back()
    page.locator(".measure").first.wait_for()
    assert page.locator("input[name=amount]:checked").count() == 0
    assert page.locator("input[name=id]").input_value() != first
    assert page.locator("input[name=material]:checked").input_value() == "Thuốc sinh học"
    page.get_by_role("button", name="Ghi", exact=True).tap()
    page.get_by_role("heading", name="Chưa chọn lượng").wait_for()
    assert len(world.logs()) == before
    page.get_by_role("button", name="Chọn lượng").tap()
    page.locator(".measure .pic").first.tap()
    page.get_by_role("button", name="Ghi", exact=True).tap()
    page.get_by_role("heading", name="Đã ghi").wait_for()
    assert len(world.logs()) == before + 1


def test_without_script_a_tapped_material_keeps_its_own_days(open_phone: Open, world: World) -> None:
    world.log("spraying", ago(days=50), material="Bacillus", quantity=Decimal(1), unit="tank16", pre_harvest_days=3)
    page = open_phone("/nong-dan/ghi/spraying", js=False)
    page.locator(".pic", has_text="Bacillus").tap()
    page.locator(".measure .pic").first.tap()
    page.get_by_role("button", name="Ghi", exact=True).tap()
    page.get_by_role("heading", name="Đã ghi").wait_for()
    log = world.logs()[-1]
    assert (log.material, log.pre_harvest_days) == ("Bacillus", 3)


def test_with_script_days_chosen_by_hand_are_kept(open_phone: Open, world: World) -> None:
    world.log("spraying", ago(days=50), material="Bacillus", quantity=Decimal(1), unit="tank16", pre_harvest_days=3)
    page = open_phone("/nong-dan/ghi/spraying")
    page.locator(".pic", has_text="Bacillus").tap()
    page.locator("[data-days-for] .pic", has_text="21").tap()
    page.locator(".measure .pic").first.tap()
    page.get_by_role("button", name="Ghi", exact=True).tap()
    page.get_by_role("heading", name="Đã ghi").wait_for()
    log = world.logs()[-1]
    assert (log.material, log.pre_harvest_days) == ("Bacillus", 21)


def test_without_script_nothing_is_wider_than_the_phone(open_phone: Open) -> None:
    page = open_phone("/nong-dan/ghi/spraying", js=False)
    assert page.evaluate(WIDE) == 0
    assert page.locator("#photo").bounding_box()["x"] + page.locator("#photo").bounding_box()["width"] <= 360  # type: ignore[index]


def test_a_chosen_file_is_named_on_the_page(open_phone: Open, tmp_path: Path) -> None:
    picture = tmp_path / "vuon-tren.jpg"
    Image.new("RGB", (8, 8)).save(picture)
    page = open_phone("/nong-dan/cho-lam/them")
    page.set_input_files("#photo", picture)
    assert page.locator(".file .chosen").inner_text() == "vuon-tren.jpg"


def test_an_impatient_finger_writes_once(open_phone: Open, world: World) -> None:
    before = len(world.logs())
    page = open_phone("/nong-dan/ghi/weeding")
    page.locator(".measure .pic").first.tap()
    page.get_by_role("button", name="Ghi", exact=True).dblclick()
    page.get_by_role("heading", name="Đã ghi").wait_for()
    assert len(world.logs()) == before + 1


def test_a_photo_is_made_small_and_loses_its_position_on_the_phone_itself(
    open_phone: Open, world: World, tmp_path: Path, fresh_database: Database
) -> None:
    exif = Image.Exif()
    exif[EXIF_GPS] = {1: "N", 2: (21.0, 50.0, 0.0)}
    large = tmp_path / "anh.jpg"
    Image.effect_noise((4000, 3000), 60).convert("RGB").save(large, "JPEG", exif=exif)
    page = open_phone("/nong-dan/ghi/observing")
    page.set_input_files("#photo", large)
    page.locator("[data-photo] img").wait_for()
    kept = bytes(
        page.evaluate("async () => [...new Uint8Array(await document.querySelector('#photo').files[0].arrayBuffer())]")
    )
    with Image.open(BytesIO(kept)) as sent:
        assert (sent.size, dict(sent.getexif())) == ((1600, 1200), {})
    assert len(kept) < large.stat().st_size
    page.get_by_role("button", name="Ghi", exact=True).tap()
    page.get_by_role("heading", name="Đã ghi").wait_for()
    [digest] = world.logs()[-1].photos
    with fresh_database.transaction(SYSTEM) as session:
        blob = session.get_one(MediaBlob, digest)
        assert (blob.width, blob.height) == (1600, 1200)


def test_a_material_brings_its_waiting_days_and_a_second_tap_takes_a_number_back(open_phone: Open) -> None:
    page = open_phone("/nong-dan/ghi/spraying")
    days = page.locator("input[name=pre_harvest_days]:checked")
    assert days.input_value() == "21"
    page.locator(".pic", has_text="Thuốc sinh học").tap()
    assert days.input_value() == ""
    page.locator(".pic", has_text="Chế phẩm Bt").tap()
    assert days.input_value() == "21"
    number = page.locator(".measure .pic").first
    number.tap()
    assert page.locator("input[name=amount]:checked").count() == 1
    number.tap()
    assert page.locator("input[name=amount]:checked").count() == 0
    assert not page.locator("#on").is_visible()
    page.locator(".pic", has_text="Ngày khác").tap()
    assert page.locator("#on").is_visible()


def test_a_shared_phone_remembers_who_did_the_last_step(open_phone: Open, world: World) -> None:
    page = open_phone("/nong-dan/ghi/weeding")
    doer = page.locator("input[name=performed_by]:checked")
    assert doer.input_value() == str(world["lanh"])
    page.locator(".pic", has_text="anh Páo").tap()
    page.goto("/nong-dan/ghi/pruning")
    assert doer.input_value() == str(world["pao"])


def test_a_harvest_too_early_is_said_in_words_and_asked_again(open_phone: Open, world: World) -> None:
    before = len(world.logs())
    page = open_phone("/nong-dan/ghi/harvesting")
    page.locator(".measure .pic", has_text="50").first.tap()
    page.get_by_role("button", name="Ghi", exact=True).tap()
    assert "cách ly 21 ngày: từ" in page.get_by_role("alert").inner_text()
    assert len(world.logs()) == before
    page.get_by_role("button", name="Đã hái rồi, vẫn ghi").tap()
    page.get_by_role("heading", name="Đã ghi").wait_for()
    assert len(world.logs()) == before + 1


def test_every_page_is_large_enough_for_a_thumb_and_open_to_everybody(open_phone: Open, world: World) -> None:
    log = world.logs()[0].id
    paths = (
        "/nong-dan", "/nong-dan/ghi/spraying", "/nong-dan/ghi/harvesting", f"/nong-dan/viec/{log}",
        "/nong-dan/nhat-ky", "/nong-dan/muc-khac", "/nong-dan/cho-lam/them", "/nong-dan/ho",
    )  # fmt: skip
    found: dict[str, object] = {}
    for dark, lang, width in ((False, "vi", 360), (True, "en", 320)):
        page = open_phone("/nong-dan", dark=dark, lang=lang, width=width)
        for path in paths:
            page.goto(path)
            broken = [v["id"] for v in Axe().run(page).response["violations"]]
            problems = (page.evaluate(TARGETS), page.evaluate(SMALL_TEXT), page.evaluate(WIDE), broken)
            if problems != ([], [], 0, []):
                found[f"{path} {lang} {width}"] = problems
    assert found == {}


def test_text_twice_as_large_loses_nothing(open_phone: Open) -> None:
    page = open_phone("/nong-dan/ghi/fertilising")
    for path in ("/nong-dan", "/nong-dan/ghi/fertilising"):
        page.goto(path)
        page.evaluate("() => { document.documentElement.style.fontSize = '225%' }")
        assert page.evaluate(WIDE) == 0, path
    page.locator(".measure .pic").first.tap()
    page.get_by_role("button", name="Ghi", exact=True).tap()
    page.get_by_role("heading", name="Đã ghi").wait_for()

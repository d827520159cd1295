"""Takes the four pictures of README.md from a demo that runs: `PYTHONPATH=. python tests/browser/shoot.py http://127.0.0.1:8000`."""

import os
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from app import settings

PHONE, DESK = (360, 640), (1280, 800)
COLOURS = 256  # drawings of few colours: a palette keeps each picture well under 250 KB
SHOTS = settings.ROOT / "docs" / "screenshots"


def as_somebody(browser: Browser, url: str, size: tuple[int, int], who: str = "") -> Page:
    """The demo's first page; `who` goes in at one tap."""
    context = browser.new_context(
        base_url=url,
        viewport={"width": size[0], "height": size[1]},
        locale="vi-VN",
        color_scheme="light",
    )
    page = context.new_page()
    page.goto("/")
    if who:
        page.locator(f'form[action="/_vao-thu/{who}"] button').click()
    return page


def shoot(page: Page, name: str) -> None:
    page.wait_for_load_state("networkidle")  # pictures too
    page.evaluate("document.fonts.ready")
    file = SHOTS / f"{name}.png"
    page.screenshot(path=file)
    with Image.open(file) as image:
        image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(file, optimize=True)


def main(url: str) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium refuses its sandbox to root
        chromium = settings.load().chromium or Path("/usr/bin/chromium")
        browser = playwright.chromium.launch(executable_path=str(chromium), args=arguments)
        shoot(as_somebody(browser, url, PHONE, "nong-dan"), "farmer")
        buyer = as_somebody(browser, url, PHONE)
        buyer.goto(buyer.locator("a.player", has_text="lô đang bán").get_attribute("href") or "/")
        shoot(buyer, "consumer")
        shoot(as_somebody(browser, url, DESK, "hop-tac-xa"), "cooperative")
        official = as_somebody(browser, url, DESK, "truong-thon")
        shoot(official, "official")
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1])

"""What a phone sends, and what its pages say."""

import io
import re
from html import unescape
from typing import Any

from PIL import Image
from werkzeug.test import TestResponse

from app import clock
from app.db import new_id
from tests.worlds.phone import World

EXIF_GPS = 0x8825


def text_of(answer: TestResponse) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.get_data(as_text=True))).split())


def form(world: World, **more: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "id": str(new_id()),
        "opened_at": clock.now().isoformat(),
        "site_id": str(world["hill"]),
        "day": clock.today().isoformat(),
        "performed_by": str(world["lanh"]),
    }
    return values | more


def answered(asked: TestResponse, **button: str) -> dict[str, Any]:
    """What the page of a question sends by one of its buttons."""
    assert asked.status_code == 200
    return {k: unescape(v) for k, v in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', asked.text)} | button


def photo(colour: str = "green") -> bytes:
    out = io.BytesIO()
    exif = Image.Exif()
    exif[EXIF_GPS] = {1: "N", 2: (21.0, 50.0, 0.0)}
    Image.new("RGB", (900, 600), colour).save(out, "JPEG", exif=exif)
    return out.getvalue()


def with_photo(sent: dict[str, Any], raw: bytes) -> dict[str, Any]:
    return sent | {"photo": (io.BytesIO(raw), "anh.jpg")}

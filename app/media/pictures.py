"""A photo's pixels: decoded under limits, turned upright, made small, written anew without anything else that was in the file."""

import struct
import zipfile
import zlib
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, UnidentifiedImageError

from app.errors import Invalid, TooLarge

MAX_PIXELS = 40_000_000
PHOTO_EDGE = 1600
THUMB_EDGE = 480
THUMB_BYTES = 15 * 1024  # a scan page and its first picture must fit in 30 KB
ORIENTATION = 0x0112

# Pillow counts as well, and looks before it allocates; decode says the same in words.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS


def refuse_other_files(raw: bytes) -> None:
    """Raise Invalid for what only looks like a photo, or is two things at once."""
    if raw[4:8] == b"ftyp" and raw[8:12] in {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"}:
        raise Invalid(
            "photo_heic",
            vi="Ảnh này ở dạng HEIC, chúng tôi chưa mở được. Trên iPhone, bác vào Cài đặt, Camera, Định dạng, chọn"
            " “Tương thích nhất” rồi chụp lại; hoặc gửi ảnh chụp màn hình.",
            en="This photo is HEIC, which we cannot open yet. On an iPhone choose Settings, Camera, Formats, Most"
            " Compatible and take it again, or send a screenshot.",
            field="file",
        )
    start = raw[:1024].lower()
    marks = (b"<svg", b"<html", b"<!doctype", b"<script", b"<?php", b"%pdf-")
    if any(mark in start for mark in marks) or zipfile.is_zipfile(BytesIO(raw)):
        raise _not_a_photo()


def _not_a_photo() -> Invalid:
    return Invalid(
        "not_a_photo",
        vi="Tệp này không phải ảnh chụp. Bác chọn ảnh JPEG, PNG, WebP hoặc GIF.",
        en="This file is not a photo. Choose a JPEG, PNG, WebP or GIF.",
        field="file",
    )


def decode(raw: bytes) -> Image.Image:
    """The first frame as clean RGB pixels, upright, at most PHOTO_EDGE on its longer side."""
    try:
        with Image.open(BytesIO(raw), formats=("JPEG", "PNG", "WEBP", "GIF")) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise _too_many_pixels()
            turn = _orientation(opened)
            opened.draft("RGB", (PHOTO_EDGE, PHOTO_EDGE))
            opened.load()
            small = _plain(opened)
            small.thumbnail((PHOTO_EDGE, PHOTO_EDGE), Image.Resampling.LANCZOS, reducing_gap=3.0)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_many_pixels() from None
    except UnidentifiedImageError:
        raise _not_a_photo() from None
    except (
        OSError,
        SyntaxError,
        ValueError,
        EOFError,
        struct.error,
        LookupError,
        TypeError,
        ArithmeticError,
        zlib.error,
    ):
        raise Invalid(
            "photo_broken",
            vi="Ảnh bị thiếu hoặc hỏng một phần. Bác mở ảnh trên máy xem có đủ không, rồi chọn lại hoặc chụp lại.",
            en="A part of this photo is missing or broken. Look at it on the phone, then choose or take it again.",
            field="file",
        ) from None
    upright = small.transpose(turn) if turn is not None else small
    clean = Image.new(
        "RGB", upright.size
    )  # a fresh picture carries no comment, profile, position or text of the old one
    clean.paste(upright)
    return clean


def _plain(image: Image.Image) -> Image.Image:
    if image.mode in {"I", "I;16", "I;16L", "I;16B", "F"}:
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L").convert("RGB")
    if image.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in image.info:
        seen = image.convert("RGBA")
        paper = Image.new("RGB", seen.size, "white")
        paper.paste(seen, mask=seen.getchannel("A"))
        return paper
    return image.convert("RGB")


def _orientation(image: Image.Image) -> Image.Transpose | None:
    try:
        value = image.getexif().get(ORIENTATION)
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, LookupError, TypeError, Warning):
        return None  # a photo with broken notes is still a photo
    turns = Image.Transpose
    return {
        2: turns.FLIP_LEFT_RIGHT,
        3: turns.ROTATE_180,
        4: turns.FLIP_TOP_BOTTOM,
        5: turns.TRANSPOSE,
        6: turns.ROTATE_270,
        7: turns.TRANSVERSE,
        8: turns.ROTATE_90,
    }.get(value if isinstance(value, int) else 0)


def _too_many_pixels() -> TooLarge:
    return TooLarge(
        "photo_too_large",
        vi="Ảnh có quá nhiều điểm ảnh (hơn 40 triệu). Bác chụp lại ở cỡ nhỏ hơn.",
        en="The photo has more than 40 million pixels. Take it at a smaller size.",
        field="file",
    )


def as_jpeg(image: Image.Image) -> bytes:
    out = BytesIO()
    image.save(out, "JPEG", quality=82, optimize=True, progressive=True)
    return out.getvalue()


@dataclass(frozen=True, slots=True)
class _Small:
    data: bytes
    width: int
    height: int


def as_small_webp(image: Image.Image) -> _Small:
    """As good as THUMB_BYTES allows: less quality first, then fewer pixels."""
    edge = THUMB_EDGE
    while True:
        small = image.copy()
        small.thumbnail((edge, edge), Image.Resampling.LANCZOS, reducing_gap=3.0)
        for quality in (74, 60, 45, 30):
            out = BytesIO()
            small.save(out, "WEBP", quality=quality, method=4)
            if out.tell() <= THUMB_BYTES or edge <= THUMB_EDGE // 4:
                return _Small(out.getvalue(), small.width, small.height)
        edge = edge * 3 // 4

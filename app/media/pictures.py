"""A photo's pixels: what we take, and the sentence for what we do not take. They are decoded by `decoder.py`, in its own process."""

import zipfile
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from typing import Final

from app.errors import HoiError, Invalid, TooLarge
from app.messages import N_, Sentence

THUMB_BYTES: Final = 15 * 1024  # a scan page and its first picture must fit in 30 KB
# Seen on a core of this decade: a JPEG of 108 million pixels takes 0.7 s of CPU and 100 MiB, a progressive one 1.7 s and
# 360 MiB, a PNG of 40 million pixels with transparency 2.3 s and 330 MiB. Phones take up to 108 million pixels.
LIMITS: Final[dict[str, int]] = {
    "pixels": 120_000_000,
    "whole_pixels": 40_000_000,
    "scans": 100,
    "memory_bytes": 400 * 1024 * 1024,
    "seconds": 6,
    "wall_seconds": 30,
    "edge": 1600,
    "small_edge": 480,
    "small_bytes": THUMB_BYTES,
}


@dataclass(frozen=True, slots=True)
class PhotoRead:
    """Both pictures of a photo, upright and without metadata: a JPEG of at most 1600 px, a WebP of at most 480 px."""

    source_sha256: str
    large: bytes
    width: int
    height: int
    small: bytes
    small_width: int
    small_height: int


@dataclass(frozen=True, slots=True)
class PdfRead:
    """A PDF as it came; it is only ever sent as an attachment, and opened by nothing of ours."""

    raw: bytes


def source_of(raw: bytes) -> str:
    return sha256(raw).hexdigest()


def check_pdf(raw: bytes) -> PdfRead:
    """Of what begins as a PDF. Raises Invalid for half of one, or two things at once."""
    if b"%%EOF" not in raw[-2048:] or zipfile.is_zipfile(BytesIO(raw)):
        raise Invalid(
            "not_pdf",
            N_("Tệp này không phải PDF, hoặc PDF bị thiếu một phần. Hãy lưu lại thành PDF rồi gửi."),
            field="file",
        )
    return PdfRead(raw)


def refuse_other_files(raw: bytes) -> None:
    """Raise Invalid for what only looks like a photo, or is two things at once."""
    if raw[4:8] == b"ftyp" and raw[8:12] in {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"}:
        raise Invalid(
            "photo_heic",
            N_(
                "Ảnh này ở dạng HEIC, chúng tôi chưa mở được. Trên iPhone, hãy vào Cài đặt, Camera, Định dạng, "
                "chọn “Tương thích nhất” rồi chụp lại; hoặc gửi ảnh chụp màn hình."
            ),
            field="file",
        )
    start = raw[:1024].lower()
    marks = (b"<svg", b"<html", b"<!doctype", b"<script", b"<?php", b"%pdf-")
    if any(mark in start for mark in marks) or zipfile.is_zipfile(BytesIO(raw)):
        raise refusal("not_a_photo")


def refusal(code: str) -> HoiError:
    """What to tell whoever sent the photo, by the decoder's code."""
    kind, said = _REFUSALS[code]
    return kind(code, said, field="file")


_REFUSALS: Final[dict[str, tuple[type[Invalid | TooLarge], Sentence]]] = {
    "not_a_photo": (Invalid, N_("Tệp này không phải ảnh chụp. Hãy chọn ảnh JPEG, PNG, WebP hoặc GIF.")),
    "photo_broken": (
        Invalid,
        N_("Ảnh bị thiếu hoặc hỏng một phần. Hãy mở ảnh trên máy xem có đủ không, rồi chọn lại hoặc chụp lại."),
    ),
    "photo_too_large": (
        TooLarge,
        N_(
            "Ảnh có quá nhiều điểm ảnh (ảnh JPEG hơn 120 triệu, ảnh loại khác hơn 40 triệu). Hãy chụp lại ở cỡ nhỏ hơn."
        ),
    ),
    "photo_too_many_scans": (
        Invalid,
        N_(
            "Ảnh này được ghi thành quá nhiều lớp (hơn 100) nên máy chủ không mở. Hãy chụp lại, hoặc gửi ảnh chụp màn hình."
        ),
    ),
    "photo_too_heavy": (
        TooLarge,
        N_("Mở ảnh này tốn quá nhiều bộ nhớ hoặc thời gian nên máy chủ không nhận. Hãy chụp lại ở cỡ nhỏ hơn."),
    ),
}

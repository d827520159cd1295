"""Every way of writing pixels becomes a plain, upright photo, and what is none is refused."""

import io
import struct
import zlib

import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational
from sqlalchemy.orm import Session

from app import media
from app.errors import HoiError, Invalid, TooLarge
from app.media import MediaStore
from app.settings import Settings
from tests.app.media.files import (
    blobs,
    encoded,
    jpeg_claiming,
    jpeg_with_scans,
    kept_file,
    leaf,
    noise,
    stored_files,
    zipped,
)


def png_claiming(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


def test_position_and_notes_inside_a_photo_do_not_survive(db_session: Session, store: MediaStore) -> None:
    exif = Image.Exif()
    exif[0x010F] = "MayAnhBiMat"
    exif.get_ifd(0x8825).update(
        {
            1: "N",
            2: (IFDRational(21), IFDRational(51), IFDRational(12)),
            3: "E",
            4: (IFDRational(106), IFDRational(45), IFDRational(1)),
        }
    )
    raw = encoded(
        leaf(), "JPEG", exif=exif, icc_profile=b"PROFILE-SECRET" * 20, comment=b"NHA-RIENG",
        xmp=b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>XMP-SECRET</x:xmpmeta>",
    )  # fmt: skip
    with Image.open(io.BytesIO(raw)) as opened:
        assert opened.getexif().get_ifd(0x8825)[2] == (21.0, 51.0, 12.0)
    photo = kept_file(db_session, store, raw)
    for small in (False, True):
        data = media.open_blob(db_session, store, photo.sha256, small=small).data
        for mark in (b"MayAnhBiMat", b"PROFILE-SECRET", b"NHA-RIENG", b"XMP-SECRET", b"Exif", b"xmpmeta", b"GPS"):
            assert mark not in data
        with Image.open(io.BytesIO(data)) as opened:
            assert dict(opened.getexif()) == {}
            assert opened.info.keys() <= {
                "jfif",
                "jfif_version",
                "jfif_unit",
                "jfif_density",
                "progressive",
                "progression",
                "loop",
                "background",
                "timestamp",
                "duration",
            }


def test_a_photo_taken_sideways_is_stored_upright(db_session: Session, store: MediaStore) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the phone was turned: show it rotated by 90 degrees clockwise
    photo = kept_file(db_session, store, encoded(leaf(800, 400), "JPEG", exif=exif))
    assert (photo.width, photo.height) == (400, 800)
    with Image.open(io.BytesIO(media.open_blob(db_session, store, photo.sha256).data)) as opened:
        red, green, _ = opened.convert("RGB").getpixel((380, 20))  # type: ignore[misc]  # a pixel of RGB is three numbers
    assert red > 150 > green


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # Pillow says so and goes on, as it should
def test_broken_notes_do_not_spoil_a_good_photo(db_session: Session, store: MediaStore) -> None:
    raw = encoded(leaf(), "JPEG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff" + b"\xff" * 40)
    assert kept_file(db_session, store, raw).width == 640


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("RGBA", "PNG"),
        ("LA", "PNG"),
        ("P", "PNG"),
        ("1", "PNG"),
        ("I;16", "PNG"),
        ("L", "JPEG"),
        ("CMYK", "JPEG"),
        ("P", "GIF"),
        ("RGBA", "WEBP"),
    ],
)
def test_every_way_of_writing_pixels_becomes_a_plain_photo(
    db_session: Session, store: MediaStore, mode: str, kind: str
) -> None:
    photo = kept_file(db_session, store, encoded(Image.new(mode, (60, 40)), kind))
    assert (photo.width, photo.height) == (60, 40)


def test_a_transparent_picture_lies_on_white_paper(db_session: Session, store: MediaStore) -> None:
    photo = kept_file(db_session, store, encoded(Image.new("RGBA", (50, 50), (0, 0, 0, 0)), "PNG"))
    with Image.open(io.BytesIO(media.open_blob(db_session, store, photo.sha256).data)) as opened:
        assert opened.getpixel((25, 25)) == (255, 255, 255)


def test_sixteen_bit_grey_keeps_its_shades(db_session: Session, store: MediaStore) -> None:
    image = Image.new("I;16", (20, 20), 128 * 256)
    photo = kept_file(db_session, store, encoded(image, "PNG"))
    with Image.open(io.BytesIO(media.open_blob(db_session, store, photo.sha256).data)) as opened:
        assert opened.convert("L").getpixel((10, 10)) == pytest.approx(128, abs=2)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_a_moving_picture_the_first_frame_is_kept(db_session: Session, store: MediaStore, kind: str) -> None:
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "blue", "green")]
    raw = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    photo = kept_file(db_session, store, raw)
    with Image.open(io.BytesIO(media.open_blob(db_session, store, photo.sha256).data)) as opened:
        assert getattr(opened, "n_frames", 1) == 1
        red, _, blue = opened.getpixel((5, 5))  # type: ignore[misc]  # a pixel of RGB is three numbers
    assert (red > 200, blue < 60) == (True, True)


REFUSED: dict[str, tuple[bytes, str]] = {
    "header claims 50,000 by 50,000 pixels": (png_claiming(50_000, 50_000), "photo_too_large"),
    "a PNG just over 40 million pixels": (png_claiming(8001, 5000), "photo_too_large"),
    "a JPEG just over 120 million pixels": (jpeg_claiming(12_001, 10_000), "photo_too_large"),
    "a progressive JPEG with 101 scans": (jpeg_with_scans(64, 64, 101), "photo_too_many_scans"),
    "cut off in the middle": (encoded(leaf(), "JPEG")[:-400], "photo_broken"),
    "PNG cut off": (encoded(noise(100, 100), "PNG")[:-9000], "photo_broken"),
    "WebP cut off": (encoded(noise(100, 100), "WEBP")[:-900], "photo_broken"),
    "text named .jpg": ("Na Chi Lăng ngon lắm".encode(), "not_a_photo"),
    "SVG": (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "not_a_photo"),
    "HTML": (b"<!DOCTYPE html><html><body>a</body></html>", "not_a_photo"),
    "GIF that is also a script": (b"GIF89a/*<script>*/=1;" + encoded(leaf(), "GIF")[6:], "not_a_photo"),
    "photo with a ZIP behind it": (encoded(leaf(), "JPEG") + zipped(), "not_a_photo"),
    "PDF": (b"%PDF-1.7\n%%EOF", "not_a_photo"),
    "TIFF": (encoded(leaf(), "TIFF"), "not_a_photo"),
    "HEIC": (b"\x00\x00\x00\x18ftypheic" + b"\0" * 100, "photo_heic"),
    "nothing": (b"", "file_empty"),
    "over 32 MB": (b"\xff\xd8\xff" + b"\0" * media.MAX_PHOTO_BYTES, "file_too_large"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_whole_photo_is_refused_in_words_and_nothing_is_kept(
    db_session: Session, store: MediaStore, settings: Settings, name: str
) -> None:
    raw, code = REFUSED[name]
    with pytest.raises(HoiError) as refusal:
        media.read_photo(store, raw, None)
    assert refusal.value.code == code
    assert isinstance(refusal.value, Invalid | TooLarge)
    assert refusal.value.field == "file"
    assert len(refusal.value.text("vi")) > 30
    assert blobs(db_session) == 0
    assert stored_files(settings) == []


def test_forty_million_pixels_exactly_are_within_the_limit(db_session: Session, store: MediaStore) -> None:
    raw = encoded(Image.new("L", (8000, 5000), 90), "PNG")
    photo = kept_file(db_session, store, raw)
    assert (photo.width, photo.height) == (1600, 1000)

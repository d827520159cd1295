"""A program of its own that makes two clean pictures of one photo: started for it, bounded, and killed when it is too slow.

Nothing that came from outside is decoded in any other process: a hostile picture, or a fault of a decoder, costs this one alone.
It is run by its path and imports nothing of ours, so that it starts in 50 ms and takes 20 MiB. It reads the photo from
standard input, and the limits (see `app/media/pictures.py`) from its only argument, as JSON. It writes one line of JSON, and
after it the large picture and the small one:

    {"width": 1600, "height": 1200, "small_width": 480, "small_height": 360, "large_bytes": 210000}
    {"refused": "photo_broken"}
"""

import contextlib
import json
import os
import re
import resource
import signal
import struct
import sys
import warnings
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageFile, UnidentifiedImageError

ORIENTATION = 0x0112
STRIP_ROWS = 512
# The end of a run of compressed data: a marker that is neither a stuffed byte, nor a restart, nor filling (ITU-T T.81, B.1.1).
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length: TEM, RST0 to RST7, SOI
_MARK, _SOS, _EOI = 0xFF, 0xDA, 0xD9


@dataclass(frozen=True, slots=True)
class Limits:
    """`pixels`: of a JPEG, which is made small while it is read; `whole_pixels`: of what is held whole before that.

    `scans`: of a progressive JPEG. `memory_bytes`: beyond what the program takes by itself. `seconds` of CPU;
    `wall_seconds`: of waiting, should whoever started it be gone.
    """

    pixels: int
    whole_pixels: int
    scans: int
    memory_bytes: int
    seconds: int
    wall_seconds: int
    edge: int
    small_edge: int
    small_bytes: int


class Refused(Exception):
    """The code of what is wrong with the photo."""


def main() -> int:
    limits = Limits(**json.loads(sys.argv[1]))
    bound(limits)
    raw = sys.stdin.buffer.read()
    try:
        answer, contents = pictures_of(raw, limits)
    except Refused as refused:
        answer, contents = {"refused": str(refused)}, b""
    except MemoryError:
        answer, contents = {"refused": "photo_too_heavy"}, b""
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n" + contents)
    sys.stdout.buffer.flush()
    return 0


def bound(limits: Limits) -> None:
    """From here on this process ends when it asks for more: of CPU and time by a signal, of memory by a refusal to give it."""
    os.nice(10)  # who reads a page is more in a hurry than a photo
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it writes no file
    resource.setrlimit(resource.RLIMIT_CPU, (limits.seconds, limits.seconds + 1))
    with contextlib.suppress(ValueError, OSError):  # systems other than Linux may know no such limit
        with open("/proc/self/statm", encoding="ascii") as about:  # noqa: PTH123 - pathlib costs a fifth of the start
            mine = int(about.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (mine + limits.memory_bytes, mine + limits.memory_bytes))
    signal.alarm(limits.wall_seconds)


def pictures_of(raw: bytes, limits: Limits) -> tuple[dict[str, object], bytes]:
    """What to answer, and the bytes of both pictures. Raises Refused, MemoryError."""
    if raw[:2] == b"\xff\xd8" and scans_in(raw, limits.scans) > limits.scans:
        raise Refused("photo_too_many_scans")
    picture = decode(raw, limits)
    large = as_jpeg(picture)
    small, small_size = as_small_webp(picture, limits)
    answer: dict[str, object] = {
        "width": picture.width,
        "height": picture.height,
        "small_width": small_size[0],
        "small_height": small_size[1],
        "large_bytes": len(large),
    }
    return answer, large + small


def scans_in(raw: bytes, most: int) -> int:
    """How many scans a JPEG holds; it stops counting one after `most`.

    Each scan of a progressive JPEG goes through the whole picture again, and may be 50 bytes long. Cameras write 1 to 10,
    programs up to about 40. What stands in the notes of the file (small copies) and behind its end (a film) is no scan of it.
    """
    found, at = 0, 2
    while at + 4 <= len(raw) and found <= most:
        if raw[at] != _MARK:
            return found  # no JPEG beyond this point; the decoder will say so
        marker = raw[at + 1]
        if marker == _EOI:
            return found
        if marker == _MARK:
            at += 1
        elif marker in _ALONE:
            at += 2
        else:
            at += 2 + int.from_bytes(raw[at + 2 : at + 4], "big")
            if marker == _SOS:
                found += 1
                end = _MARKER.search(raw, at)
                at = end.start() if end else len(raw)
    return found


def decode(raw: bytes, limits: Limits) -> Image.Image:
    """The first frame as clean RGB pixels, upright, at most `limits.edge` on its longer side."""
    heavy = False
    try:
        with Image.open(BytesIO(raw), formats=("JPEG", "PNG", "WEBP", "GIF")) as opened:
            _refuse_huge(opened, limits)
            # A progressive JPEG is held whole in coefficients; what its library says when it gets no memory is no MemoryError.
            heavy = opened.width * opened.height > limits.whole_pixels and "progressive" in opened.info
            turn = _orientation(opened)
            opened.draft("RGB", (limits.edge, limits.edge))
            opened.load()
            small = _shrunk(opened, limits.edge)
    except (Refused, MemoryError):
        raise
    except UnidentifiedImageError:
        raise Refused("not_a_photo") from None
    except Exception:  # noqa: BLE001 - whatever a decoder stumbles over, the photo is what is wrong
        raise Refused("photo_too_heavy" if heavy else "photo_broken") from None
    upright = small.transpose(turn) if turn is not None else small
    clean = Image.new(
        "RGB", upright.size
    )  # a fresh picture carries no comment, profile, position or text of the old one
    clean.paste(upright)
    return clean


def _refuse_huge(opened: ImageFile.ImageFile, limits: Limits) -> None:
    most = limits.pixels if opened.format in {"JPEG", "MPO"} else limits.whole_pixels
    if opened.width * opened.height > most:
        raise Refused("photo_too_large")


def _shrunk(image: ImageFile.ImageFile, edge: int) -> Image.Image:
    """Large pictures strip by strip: each change of mode makes a copy, and one of a whole picture would be as large as it."""
    factor = max(image.size) // (2 * edge)
    if factor <= 1:
        small = _plain(image)
    else:
        small = Image.new("RGB", (-(-image.width // factor), -(-image.height // factor)))
        rows = max(1, STRIP_ROWS // factor) * factor
        for top in range(0, image.height, rows):
            strip = image.crop((0, top, image.width, min(top + rows, image.height)))
            small.paste(_plain(strip).reduce(factor), (0, top // factor))
    small.thumbnail((edge, edge), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return small


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


def as_jpeg(image: Image.Image) -> bytes:
    out = BytesIO()
    image.save(out, "JPEG", quality=82, optimize=True, progressive=True)
    return out.getvalue()


def as_small_webp(image: Image.Image, limits: Limits) -> tuple[bytes, tuple[int, int]]:
    """As good as `limits.small_bytes` allows: less quality first, then fewer pixels. Its bytes, width and height."""
    edge = limits.small_edge
    while True:
        small = image.copy()
        small.thumbnail((edge, edge), Image.Resampling.LANCZOS, reducing_gap=3.0)
        for quality in (74, 60, 45, 30):
            out = BytesIO()
            small.save(out, "WEBP", quality=quality, method=4)
            if out.tell() <= limits.small_bytes or edge <= limits.small_edge // 4:
                return out.getvalue(), small.size
        edge = edge * 3 // 4


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    Image.MAX_IMAGE_PIXELS = None  # `decode` looks at the size before any pixel is made
    sys.exit(main())

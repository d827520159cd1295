"""Labels: the square code of an address as SVG and PNG, with the lines a person reads when a phone cannot."""

import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from io import BytesIO
from pathlib import Path

import qrcode
from PIL import Image, ImageDraw, ImageFont
from qrcode.constants import ERROR_CORRECT_M

QUIET = 4  # modules of white around the code, as ISO/IEC 18004 asks
WIDTH_MM, HEIGHT_MM = 70, 37  # the cell of print.html's sheet: 3 x 8 on A4
SHEET = 24
BULK_MASK = 3
TEST_MARK = "THỬ NGHIỆM"

_FONTS = Path(__file__).resolve().parent.parent / "static" / "vendor" / "be-vietnam-pro-5.3.0"
# The characters of the second font file (fontsource's "vietnamese" subset); all others are in the first.
_VIETNAMESE = (
    (0x102, 0x103), (0x110, 0x111), (0x128, 0x129), (0x168, 0x169), (0x1A0, 0x1A1), (0x1AF, 0x1B0),
    (0x300, 0x301), (0x303, 0x304), (0x308, 0x309), (0x323, 0x323), (0x329, 0x329), (0x1EA0, 0x1EF9), (0x20AB, 0x20AB),
)  # fmt: skip

Matrix = Sequence[Sequence[bool]]


@dataclass(frozen=True, slots=True)
class Label:
    """What one label says. `test` marks labels printed without HOI_PUBLIC_URL, whose address nobody can reach."""

    address: str
    product: str
    lot: str
    code: str
    test: bool


def matrix(text: str, *, bulk: bool = False) -> Matrix:
    """The modules of the code, without quiet zone; error correction M.

    `bulk` takes a fixed mask instead of the one of least penalty: six times faster and as readable, but not the choice that the
    standard prescribes, so single downloads never use it.
    """
    code = qrcode.QRCode(error_correction=ERROR_CORRECT_M, border=0, mask_pattern=BULK_MASK if bulk else None)
    code.add_data(text)
    code.make(fit=True)
    return [[bool(module) for module in row] for row in code.modules]


# --- PNG ---------------------------------------------------------------------------------------------------------


def png(modules: Matrix, scale: int = 8) -> bytes:
    """A 1-bit PNG with quiet zone, `scale` pixels a module."""
    side = (len(modules) + 2 * QUIET) * scale
    white = b"\xff" * ((side + 7) // 8)
    lines = [b"\0" + white] * (QUIET * scale)
    for row in modules:
        bits = "1" * (QUIET * scale) + "".join(("0" if dark else "1") * scale for dark in row) + "1" * (QUIET * scale)
        line = b"\0" + int(bits.ljust(len(white) * 8, "1"), 2).to_bytes(len(white), "big")
        lines.extend([line] * scale)
    lines.extend([b"\0" + white] * (QUIET * scale))
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(b"".join(lines), 9))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def label_png(label: Label, dots_per_mm: int = 12) -> bytes:
    """The whole label in black and white at about 300 dots an inch, for label printers."""
    image = Image.new("1", (WIDTH_MM * dots_per_mm, HEIGHT_MM * dots_per_mm), 1)
    draw = ImageDraw.Draw(image)
    modules = matrix(label.address)
    scale = (HEIGHT_MM - 1) * dots_per_mm // (len(modules) + 2 * QUIET)
    with Image.open(BytesIO(png(modules, scale))) as code:
        image.paste(code, (0, (image.height - code.height) // 2))
        left = code.width
    width = image.width - left - dots_per_mm
    y = 3 * dots_per_mm
    for line in _wrapped(label.product, lambda t: _text_width(t, 44, bold=True) <= width, 3):
        _write(draw, (left, y), line, 44, bold=True)
        y += 54
    for line, size in ((f"Lô {label.lot}", 36), (label.code, 36)):
        fitting = next((s for s in range(size, 15, -1) if _text_width(line, s, bold=False) <= width), 16)
        _write(draw, (left, y), line, fitting, bold=False)
        y += 50
    if label.test:
        draw.rectangle((left, image.height - 90, image.width - dots_per_mm, image.height - 24), outline=0, width=4)
        _write(draw, (left + 14, image.height - 84), TEST_MARK, 42, bold=True)
    out = BytesIO()
    image.save(out, "PNG", optimize=True, dpi=(dots_per_mm * 25.4, dots_per_mm * 25.4))
    return out.getvalue()


@lru_cache(maxsize=64)
def _font(subset: str, size: int, *, bold: bool) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(_FONTS / f"{subset}-{700 if bold else 400}.woff2", size)


def _runs(text: str) -> Iterator[tuple[str, str]]:
    """The text in pieces of one font file each: the web's font files hold a part of the letters each."""
    piece, subset = "", "latin"
    for character in text:
        wanted = "vietnamese" if any(low <= ord(character) <= high for low, high in _VIETNAMESE) else "latin"
        if wanted != subset and piece:
            yield piece, subset
            piece = ""
        piece, subset = piece + character, wanted
    if piece:
        yield piece, subset


def _text_width(text: str, size: int, *, bold: bool) -> float:
    return sum(_font(subset, size, bold=bold).getlength(piece) for piece, subset in _runs(text))


def _write(draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, size: int, *, bold: bool) -> None:
    x, y = at
    for piece, subset in _runs(text):
        font = _font(subset, size, bold=bold)
        draw.text((x, y + size), piece, font=font, fill=0, anchor="ls")
        x += font.getlength(piece)


def _wrapped(text: str, fits: Callable[[str], bool], most: int) -> list[str]:
    """At most `most` lines; what is left over ends in an ellipsis, never in the middle of a letter's marks."""
    lines: list[str] = []
    line = ""
    words = text.split()
    while words and len(lines) < most:
        longer = f"{line} {words[0]}".strip()
        if fits(longer):
            line = longer
            words.pop(0)
        elif line:
            lines.append(line)
            line = ""
        else:  # one word wider than the label
            cut = next((n for n in range(len(words[0]) - 1, 0, -1) if fits(words[0][:n])), 1)
            lines.append(words[0][:cut])
            words[0] = words[0][cut:]
    if line and len(lines) < most:
        lines.append(line)
        line = ""
    if (words or line) and lines:
        last = lines[-1]
        while last and not fits(f"{last}…"):
            last = last[:-1]
        lines[-1] = f"{last.rstrip()}…"
    return lines


# --- SVG ---------------------------------------------------------------------------------------------------------


def svg_path(modules: Matrix) -> str:
    """The dark modules as one path, one unit a module; neighbours in a row are one piece."""
    parts: list[str] = []
    for y, row in enumerate(modules):
        x = 0
        while x < len(row):
            start = x
            while x < len(row) and row[x]:
                x += 1
            if x > start:
                parts.append(f"M{start} {y}h{x - start}v1h-{x - start}z")
            x += 1
    return "".join(parts)


def _svg_text(x: float, y: float, text: str, size: float, *, bold: bool) -> str:
    """One line at the width it has in our font. A drawing cannot bring its font along, and others are up to a quarter wider."""
    width = _text_width(text, 100, bold=bold) * size / 100
    weight = ' font-weight="700"' if bold else ""
    fixed = f'textLength="{width:.2f}" lengthAdjust="spacingAndGlyphs"'
    return f'<text x="{x}" y="{y}" font-size="{size:.2f}"{weight} {fixed}>{escape(text)}</text>'


FONT = 'font-family="Be Vietnam Pro,Noto Sans,Arial,sans-serif"'


def label_svg(label: Label, *, bulk: bool = False, name: str = "") -> str:
    """The whole label in millimetres. It carries no style sheet, so that a strict page may hold it and a shop may print it.

    `name`: the id of the drawing, for a page that shows it again.
    """
    modules = matrix(label.address, bulk=bulk)
    module = (HEIGHT_MM - 1) / (len(modules) + 2 * QUIET)
    left = HEIGHT_MM - 0.5
    lines: list[str] = []
    y = 6.5
    for line in _wrapped(label.product, lambda t: _text_width(t, 37, bold=True) <= (WIDTH_MM - left - 1) * 10, 3):
        lines.append(_svg_text(left, y, line, 3.7, bold=True))
        y += 4.5
    y += 0.5
    for line in (f"Lô {label.lot}", label.code):
        size = min(3.2, 3.2 * (WIDTH_MM - left - 1) * 10 / max(1.0, _text_width(line, 32, bold=False)))
        lines.append(_svg_text(left, y, line, size, bold=False))
        y += 4.4
    if label.test:
        lines.append(
            f'<path d="M{left} {HEIGHT_MM - 8}h31v5.6h-31z" fill="none" stroke="#000" stroke-width=".35"/>'
            f"{_svg_text(left + 1.2, HEIGHT_MM - 3.9, TEST_MARK, 3.6, bold=True)}"
        )
    drawing, end = (f'<g id="{name}">', "</g>") if name else ("", "")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH_MM}mm" height="{HEIGHT_MM}mm" viewBox="0 0 {WIDTH_MM} {HEIGHT_MM}"'
        f' role="img" aria-label="{escape(f"{label.product}, {label.code}")}" {FONT}>'
        f"{drawing}"
        f'<path fill="#fff" d="M0 0h{WIDTH_MM}v{HEIGHT_MM}H0z"/>'
        f'<path transform="translate({0.5 + QUIET * module:.3f} {0.5 + QUIET * module:.3f}) scale({module:.5f})"'
        f' shape-rendering="crispEdges" d="{svg_path(modules)}"/>{"".join(lines)}{end}</svg>'
    )


def repeat_label(name: str) -> str:
    """The label that stands on the same page under this name once more: a sheet of 24 need not carry the code 24 times."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH_MM}mm" height="{HEIGHT_MM}mm" viewBox="0 0 {WIDTH_MM} {HEIGHT_MM}"'
        f' aria-hidden="true" {FONT}><use href="#{name}"/></svg>'
    )

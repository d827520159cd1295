"""Pictures for the demo, drawn here: hills, fields, boxes in the palette of the look, each labelled as a sample."""

import math
from functools import lru_cache
from io import BytesIO

from PIL import Image, ImageDraw, ImageFont

from app.settings import ROOT
from demo.names import seeded

WIDTH, HEIGHT = 900, 600
FONTS = ROOT / "app" / "static" / "vendor" / "be-vietnam-pro-5.3.0"
LABEL = "ảnh mẫu"

_SKIES = {
    "morning": ((250, 236, 214), (226, 234, 214)),
    "noon": ((232, 240, 240), (248, 244, 228)),
    "evening": ((246, 214, 190), (238, 226, 208)),
}
_GREENS = ((126, 158, 126), (92, 133, 102), (60, 108, 80), (36, 84, 58), (27, 66, 46))

Colour = tuple[int, int, int]


def draw(kind: str, seed: str) -> bytes:
    """A JPEG of one of KINDS."""
    image = _ground(seed)
    pen = ImageDraw.Draw(image)
    _DRAWN[kind](pen, seed)
    _label(image)
    out = BytesIO()
    image.save(out, "JPEG", quality=82)
    return out.getvalue()


def _ground(seed: str) -> Image.Image:
    chance = seeded("sky", seed)
    top, bottom = _SKIES[chance.choice(sorted(_SKIES))]
    strip = Image.new("RGB", (1, HEIGHT))
    strip.putdata([_between(top, bottom, y / HEIGHT) for y in range(HEIGHT)])
    image = strip.resize((WIDTH, HEIGHT))
    pen = ImageDraw.Draw(image)
    x, y = chance.randint(140, WIDTH - 140), chance.randint(70, 170)
    pen.ellipse((x - 46, y - 46, x + 46, y + 46), fill=(252, 244, 220))
    for layer, colour in enumerate(_GREENS[:4]):
        base = 210 + layer * 78
        waves = [
            (chance.uniform(0.004, 0.012), chance.uniform(0, 6.3), chance.uniform(18, 46 - layer * 6)) for _ in "123"
        ]
        ridge = [(px, base - sum(a * math.sin(f * px + s) for f, s, a in waves)) for px in range(0, WIDTH + 12, 12)]
        pen.polygon([(0, HEIGHT), *ridge, (WIDTH, HEIGHT)], fill=colour)
    return image


def _between(one: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _tree(
    pen: ImageDraw.ImageDraw, x: float, y: float, size: float, crown: Colour, fruit: Colour | None, seed: str
) -> None:
    chance = seeded("tree", seed, x)
    pen.rectangle((x - size * 0.06, y - size * 0.35, x + size * 0.06, y), fill=(96, 66, 46))
    for _ in range(7):
        dx, dy, r = (
            chance.uniform(-0.34, 0.34) * size,
            chance.uniform(-0.95, -0.35) * size,
            chance.uniform(0.2, 0.32) * size,
        )
        pen.ellipse((x + dx - r, y + dy - r, x + dx + r, y + dy + r), fill=crown)
    if fruit:
        for _ in range(6):
            dx, dy, r = chance.uniform(-0.4, 0.4) * size, chance.uniform(-0.95, -0.3) * size, size * 0.055
            pen.ellipse((x + dx - r, y + dy - r, x + dx + r, y + dy + r), fill=fruit)


def _orchard(pen: ImageDraw.ImageDraw, seed: str) -> None:
    for row, (y, size) in enumerate(((430, 86), (510, 124), (600, 172))):
        for i in range(8 - row):
            _tree(pen, 50 + row * 30 + i * (112 + row * 26), y, size, (74, 124, 74), (196, 208, 142), f"{seed}{row}")


def _citrus(pen: ImageDraw.ImageDraw, seed: str) -> None:
    for row, (y, size) in enumerate(((440, 90), (525, 128), (608, 176))):
        for i in range(8 - row):
            _tree(pen, 60 + row * 26 + i * (116 + row * 26), y, size, (48, 98, 62), (232, 150, 52), f"{seed}{row}")


def _forest(pen: ImageDraw.ImageDraw, seed: str) -> None:
    chance = seeded("forest", seed)
    for row, y in enumerate((420, 500, 596)):
        for i in range(13 - row * 2):
            x, h = 20 + i * (74 + row * 18) + chance.randint(-12, 12), 120 + row * 46
            shade = _GREENS[min(4, 2 + row)]
            pen.rectangle((x - 4, y - 30, x + 4, y), fill=(96, 66, 46))
            pen.polygon([(x, y - h), (x - h * 0.27, y - 20), (x + h * 0.27, y - 20)], fill=shade)


def _rows(pen: ImageDraw.ImageDraw, seed: str) -> None:
    chance = seeded("rows", seed)
    for line in range(9):
        y = 420 + line * 21 + line * line
        pen.line([(0, y), (WIDTH, y - 14)], fill=(132, 98, 66), width=6 + line)
        for x in range(10, WIDTH, 30 + line * 5):
            r, dx = 7 + line * 2, chance.randint(-6, 6)
            pen.ellipse(
                (x + dx - r, y - 14 * x / WIDTH - r * 1.6, x + dx + r, y - 14 * x / WIDTH + r * 0.4),
                fill=(112, 156, 98),
            )


def _hives(pen: ImageDraw.ImageDraw, seed: str) -> None:
    chance = seeded("hives", seed)
    for row, (y, w) in enumerate(((450, 70), (560, 104))):
        for i in range(7 - row * 2):
            x = 40 + row * 40 + i * (w + 46) + chance.randint(-8, 8)
            pen.rectangle((x, y - w * 0.8, x + w, y), fill=(214, 168, 84))
            pen.rectangle((x - 8, y - w * 0.92, x + w + 8, y - w * 0.74), fill=(138, 58, 28))
            pen.rectangle((x + w * 0.34, y - w * 0.16, x + w * 0.66, y - w * 0.08), fill=(60, 42, 30))


def _box(pen: ImageDraw.ImageDraw, seed: str) -> None:
    chance = seeded("box", seed)
    body = chance.choice(((214, 182, 132), (202, 170, 120), (222, 196, 150)))
    pen.polygon([(250, 300), (640, 300), (690, 380), (200, 380)], fill=_between(body, (255, 255, 255), 0.25))
    pen.rectangle((200, 380, 690, 565), fill=body)
    pen.rectangle((330, 410, 560, 540), fill=(255, 253, 248))
    _anise(pen, 445, 475, 46, (138, 58, 28))
    for i in range(7):
        x = 250 + i * 62
        pen.ellipse((x - 36, 268, x + 36, 340), fill=_between((160, 190, 112), (232, 160, 60), chance.random() * 0.5))


def _jar(pen: ImageDraw.ImageDraw, seed: str) -> None:
    chance = seeded("jar", seed)
    content = chance.choice(((206, 138, 36), (70, 52, 44), (176, 110, 30)))
    for x, scale in ((270, 0.84), (450, 1.0), (630, 0.84)):
        w, h = 150 * scale, 250 * scale
        pen.rounded_rectangle((x - w / 2, 575 - h, x + w / 2, 575), radius=22, fill=content)
        pen.rectangle((x - w * 0.38, 575 - h - 34 * scale, x + w * 0.38, 575 - h + 6), fill=(27, 85, 55))
        pen.rectangle((x - w / 2, 575 - h * 0.66, x + w / 2, 575 - h * 0.24), fill=(255, 253, 248))
        _anise(pen, x, 575 - h * 0.45, 28 * scale, (138, 58, 28))


def _anise(pen: ImageDraw.ImageDraw, x: float, y: float, size: float, colour: Colour) -> None:
    for i in range(8):
        a = i * math.pi / 4
        side = a + math.pi / 2
        tip = (x + size * math.cos(a), y + size * math.sin(a))
        mid = (x + size * 0.5 * math.cos(a), y + size * 0.5 * math.sin(a))
        w = size * 0.17
        pen.polygon(
            [
                (x, y),
                (mid[0] + w * math.cos(side), mid[1] + w * math.sin(side)),
                tip,
                (mid[0] - w * math.cos(side), mid[1] - w * math.sin(side)),
            ],
            fill=colour,
        )


def _sheet(pen: ImageDraw.ImageDraw, seed: str) -> None:
    chance = seeded("sheet", seed)
    pen.rectangle((270, 40, 630, 560), fill=(255, 253, 248))
    _anise(pen, 450, 120, 44, (138, 58, 28))
    for i in range(9):
        pen.rectangle((320, 210 + i * 32, 320 + chance.randint(150, 260), 220 + i * 32), fill=(198, 190, 172))
    pen.ellipse((510, 460, 600, 550), outline=(159, 35, 27), width=7)


def _house(pen: ImageDraw.ImageDraw, seed: str) -> None:
    chance = seeded("house", seed)
    wall = chance.choice(((240, 222, 184), (232, 210, 170)))
    pen.rectangle((220, 360, 690, 560), fill=wall)
    pen.polygon([(180, 370), (300, 240), (610, 240), (730, 370)], fill=(138, 58, 28))
    for x in (270, 380, 560):
        pen.rectangle((x, 420, x + 70, 490), fill=(70, 110, 120))
    pen.rectangle((475, 420, 540, 560), fill=(96, 66, 46))
    for r in (24, 48, 72):
        pen.arc((455 - r, 190 - r, 455 + r, 190 + r), 215, 325, fill=(27, 85, 55), width=9)


@lru_cache(maxsize=2)
def _font(subset: str) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(FONTS / f"{subset}-700.woff2"), 26)


def _label(image: Image.Image) -> None:
    pen = ImageDraw.Draw(image, "RGBA")
    pen.rounded_rectangle((16, HEIGHT - 58, 164, HEIGHT - 16), radius=10, fill=(29, 26, 20, 170))
    x = 30.0
    for letter in LABEL:  # the font is vendored in two files, plain letters and Vietnamese ones
        font = _font("latin" if letter.isascii() else "vietnamese")
        pen.text((x, HEIGHT - 26), letter, font=font, fill=(255, 255, 255, 255), anchor="ls")
        x += font.getlength(letter)


_DRAWN = {
    "orchard": _orchard,
    "forest": _forest,
    "jelly": _rows,  # a field of thạch đen
    "apiary": _hives,
    "citrus": _citrus,
    "box": _box,
    "jar": _jar,
    "sheet": _sheet,
    "house": _house,
}
KINDS = tuple(_DRAWN)

"""Labels, read back by a decoder that shares no code with the encoder."""

import xml.etree.ElementTree as ET
from dataclasses import replace
from io import BytesIO

import pytest
import zxingcpp
from PIL import Image, ImageDraw

from app.trace import labels
from app.trace.labels import Label

ADDRESS = "https://hoi.langson.example.vn/t/K7M29QXD3HTPK"
LABEL = Label(
    address=ADDRESS,
    product="Na dai Chi Lăng, hộp 2 kg “loại đặc biệt” Nghiêng ngả gió Ỷ Lặc",
    lot="NA-1126-01",
    code="K7M2-9QXD-3HTPK",
    test=False,
)


def decode(image: Image.Image) -> list[str]:
    return [found.text for found in zxingcpp.read_barcodes(image)]


def drawn(modules: labels.Matrix, scale: int) -> Image.Image:
    side = (len(modules) + 2 * labels.QUIET) * scale
    image = Image.new("1", (side, side), 1)
    draw = ImageDraw.Draw(image)
    for y, row in enumerate(modules, start=labels.QUIET):
        for x, dark in enumerate(row, start=labels.QUIET):
            if dark:
                draw.rectangle((x * scale, y * scale, (x + 1) * scale - 1, (y + 1) * scale - 1), fill=0)
    return image


@pytest.mark.parametrize(
    "text",
    [
        ADDRESS,
        "http://127.0.0.1:8000/t/0000000000000",
        "https://hoi.vn/01/09520123456788/10/NA-1126-01",
        "https://hoi.vn/01/09520123456788/10/L%2F%22%25/21/K7M29QXD3HTPK",
    ],
)
@pytest.mark.parametrize("bulk", [False, True])
def test_a_png_says_exactly_its_address_to_an_independent_decoder(text: str, bulk: bool) -> None:  # noqa: FBT001
    modules = labels.matrix(text, bulk=bulk)
    with Image.open(BytesIO(labels.png(modules))) as image:
        assert image.mode == "1"
        assert image.tobytes() == drawn(modules, 8).tobytes()
        assert decode(image.convert("L")) == [text]


def test_a_single_code_takes_the_mask_that_the_standard_prescribes() -> None:
    """The automatic choice differs from the fixed one for at least one address, and both are read alike."""
    texts = [f"{ADDRESS}{n}" for n in range(6)]
    assert any(labels.matrix(t) != labels.matrix(t, bulk=True) for t in texts)


def test_the_svg_path_covers_the_dark_modules_and_nothing_else() -> None:
    modules = labels.matrix(ADDRESS)
    side = len(modules)
    seen = [[False] * side for _ in range(side)]
    for piece in labels.svg_path(modules).split("M")[1:]:
        x, y = (int(n) for n in piece.split("h")[0].split())
        for step in range(int(piece.split("h")[1].split("v")[0])):
            seen[y][x + step] = True
    assert seen == modules


def test_the_label_for_a_printer_is_read_and_shows_the_test_mark_only_when_asked() -> None:
    with Image.open(BytesIO(labels.label_png(LABEL))) as plain:
        assert plain.size == (70 * 12, 37 * 12)
        assert decode(plain.convert("L")) == [ADDRESS]
        plain_bytes = plain.tobytes()
    marked = Label(address=ADDRESS, product=LABEL.product, lot=LABEL.lot, code=LABEL.code, test=True)
    with Image.open(BytesIO(labels.label_png(marked))) as image:
        assert decode(image.convert("L")) == [ADDRESS]
        assert image.tobytes() != plain_bytes


def test_the_label_in_millimetres_carries_the_lines_for_people_and_nothing_that_runs() -> None:
    marked = Label(
        address=ADDRESS, product='<script>alert("1")</script> & mật ong', lot="A<B", code=LABEL.code, test=True
    )
    root = ET.fromstring(labels.label_svg(marked))  # noqa: S314 - our own output
    assert (root.get("width"), root.get("height")) == ("70mm", "37mm")
    tags = {element.tag.rsplit("}")[-1] for element in root.iter()}
    assert tags == {"svg", "path", "text"}
    texts = [element.text for element in root.iter() if element.tag.endswith("text")]
    assert "Lô A<B" in texts
    assert LABEL.code in texts
    assert labels.TEST_MARK in texts
    assert "style=" not in labels.label_svg(marked)


def test_without_the_test_flag_a_label_has_no_test_mark() -> None:
    assert labels.TEST_MARK not in labels.label_svg(LABEL)


@pytest.mark.parametrize("product", ["Na", "x" * 300, "Ỗ" * 90, "một hai ba " * 40, "漢字 ✿"])
def test_a_name_of_any_length_stays_on_its_label(product: str) -> None:
    label = Label(address=ADDRESS, product=product, lot="L" * 20, code=LABEL.code, test=True)
    assert labels.label_svg(label).count("<text") <= 6
    with Image.open(BytesIO(labels.label_png(label))) as image:
        assert decode(image.convert("L")) == [ADDRESS]


def test_no_line_is_wider_than_its_label_whatever_font_a_printer_has() -> None:
    label = replace(LABEL, product="Mật ong rừng Nà Mẫu, Chai 500 ml", test=True)
    lines = ET.fromstring(labels.label_svg(label)).findall("{http://www.w3.org/2000/svg}text")  # noqa: S314 - our own output
    assert [line.text for line in lines][:2] == ["Mật ong rừng Nà", "Mẫu, Chai 500 ml"]
    for line in lines:
        assert line.get("lengthAdjust") == "spacingAndGlyphs"
        assert float(line.get("x") or 0) + float(line.get("textLength") or 99) <= labels.WIDTH_MM


def test_a_sheet_carries_the_drawing_once_and_shows_it_as_often_as_it_is_printed() -> None:
    named, again = labels.label_svg(LABEL, name="tem"), labels.repeat_label("tem")
    root, use = ET.fromstring(named), ET.fromstring(again)  # noqa: S314 - our own output
    (group,) = root
    assert (group.tag.rpartition("}")[2], group.get("id")) == ("g", "tem")
    assert [c.get("href") for c in use] == ["#tem"]
    assert [root.get(n) for n in ("width", "height", "viewBox", "font-family")] == [
        use.get(n) for n in ("width", "height", "viewBox", "font-family")
    ]
    assert len(again) < len(named) / 10

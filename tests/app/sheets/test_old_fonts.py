"""An old font is told by words that only it explains, not by one strange sign."""

import unicodedata

import pytest

from app.sheets import Unreadable, clip
from app.sheets.old_fonts import TCVN3, refuse_garbled

NAMES = [
    "Quán Thanh", "Đồng Mỏ", "Nà Mẫu", "Bản Đảy", "Nhà Văn", "Tổ Một", "Khuổi Kẹn", "Lũng Vài", "Nước Đằng", "Quyết Thắng",
    "Yên Thủy", "Thạch Lương", "Bằng Mạc", "Hữu Kiên", "Tình Húc", "Kéo Phầy", "Đình Lập", "Ngườm Cuông", "Phiêng Luông",
]  # fmt: skip
TONES = dict(zip("\u0300\u0301\u0303\u0309\u0323", "øùõûï", strict=True))  # VNI: huyền, sắc, ngã, hỏi, nặng
HATS = dict(zip("\u0300\u0301\u0303\u0309\u0323", "àáãåä", strict=True))
BREVES = dict(zip("\u0300\u0301\u0303\u0309\u0323", "èéüúë", strict=True))
AFTER_I = dict(zip("\u0300\u0301\u0303\u0309\u0323", "ìíóæò", strict=True))


def as_tcvn3(text: str) -> str:
    """As Excel shows what was typed in .VnTime: the font's bytes as Western letters."""
    table = {letter: byte for byte, letter in TCVN3.items()}
    return "".join(chr(table.get(c, table.get(c.lower(), ord(c)))) if not c.isascii() else c for c in text)


def as_vni(text: str) -> str:
    """As Excel shows what was typed in VNI-Times, by the table of VNI for Windows."""
    out = ""
    for letter in text:
        base, *marks = unicodedata.normalize("NFD", letter)
        tone = next((m for m in marks if m in TONES), "")
        shape = next((m for m in marks if m not in TONES), "")
        low = base.lower()
        if letter in "đĐ":
            made = "ñ"
        elif shape == "\u0302":
            made = low + (HATS[tone] if tone else "â")
        elif shape == "\u0306":
            made = low + (BREVES[tone] if tone else "ê")
        elif shape == "\u031b":
            made = {"o": "ô", "u": "ö"}[low] + TONES.get(tone, "")
        elif low == "i" and tone:
            made = AFTER_I[tone]
        else:
            made = low + TONES.get(tone, "")
        out += made.upper() if letter.isupper() else made
    return out


def said(*cells: str) -> str:
    try:
        refuse_garbled((n, [cell]) for n, cell in enumerate(cells, start=1))
    except Unreadable as refused:
        return refused.problems[0].why.vi
    return ""


@pytest.mark.parametrize("font", [as_tcvn3, as_vni])
@pytest.mark.parametrize("name", NAMES)
def test_one_name_in_an_old_font_is_enough_when_nothing_else_explains_it(font: object, name: str) -> None:
    old = font(name)  # type: ignore[operator]  # one of the two above
    assert said("Tên thôn", old) == f"Tệp dùng phông .VnTime (TCVN3) hoặc VNI, ví dụ dòng 2: “{clip(old)}”."


def test_the_fonts_write_as_they_did() -> None:
    assert (as_tcvn3("Nà Mẫu"), as_vni("Nà Mẫu"), as_vni("Đường Ấp Bắc")) == ("Nµ MÉu", "Naø Maãu", "Ñöôøng AÁp Baéc")


def test_words_that_prove_little_alone_prove_it_together() -> None:
    assert said("T®i") == ""
    assert said("Nà D\u00ad", "Khuổi S\u00ad", "L\u00adu") == "", "nor do many that only cannot be seen"
    assert "dòng 1" in said("M· x·", "Tªn th«n")
    assert "dòng 2" in said("Lòng S\u00ada", as_tcvn3("Bản Đảy"))


@pytest.mark.parametrize(
    "name",
    [
        "Nà D\u00ad", "Quán Tha\u00adnh", "Nà\u00a0Mẫu", "XÃ\u00a0CHI LĂNG", "MÃ\u00a0XÃ", "CHÂ\u00adU THÀNH",
        "Buôn Ñai", "Citroën", "Noël", "Naïve", "Muñoz", "Peñarroya", "Köln", "Nà ½", "Khu 1½", "Ba·Na", "A · B", "Mục §5", "§ 5",
        "Trạm BTS®", "Hoa©", "«Nà Mẫu»", "Thôn Mới¹", "5 m²", "25°", "Ø 42", "Señora Niño", "Hoà Thuý Khoẻ Luỹ", "Toà Hoá Quý",
        "Loỏng Moóc Noọng Tâư Slam Ỷ", "Thuê Tuế Nguyễn Khuya Ngoẹo Tuynh",
    ],
)  # fmt: skip
def test_a_sign_of_another_origin_is_not_an_old_font(name: str) -> None:
    assert said("Tên thôn", name, "thôn Nà Mẫu", "bản Lũng Sưa") == ""


@pytest.mark.parametrize(
    "text",
    [
        "ỦY BAN NHÂN DÂN XÃ……", "UBND XÃ……, TỈNH LẠNG SƠN", "“XÃ”", "‘XÃ’", "XÃ–PHƯỜNG", "MÃ—TÊN", "«XÃ»", "XÃ®", "XÃ • THÔN", "XÃ•",
    ],
)  # fmt: skip
def test_a_right_word_in_capitals_before_a_sign_is_not_broken(text: str) -> None:
    assert said("Tên thôn", text, "thôn Nà Mẫu") == ""


@pytest.mark.parametrize(
    "name", ["TÒA", "HÓA", "CÔNG", "LĂNG", "ĐÔNG", "XÃ", "MÃ", "BÌNH", "QUÊ", "thôn Đông", "HÀ NỘI"]
)
def test_one_broken_word_is_broken_in_capitals_too(name: str) -> None:
    assert "đã hỏng từ trước" in said("Tên thôn", name.encode().decode("cp1252", "replace"))


def test_one_foreign_name_among_many_of_an_old_font_does_not_hide_it() -> None:
    assert said("Muñoz", *map(as_vni, NAMES)) != ""
    assert said("Muñoz", "Citroën", "Noël", "Köln", as_tcvn3("Nà")) == "", "one word against four"


@pytest.mark.parametrize("table", ["cp1252", "latin-1", "cp437", "cp850"])
@pytest.mark.parametrize("name", ["Quận Ba Đình", "Nà Mẫu", "Đồng Mỏ", "Lũng Vài"])
def test_letters_broken_by_another_table_are_said_to_be_broken(table: str, name: str) -> None:
    assert "đã hỏng từ trước" in said(name.encode().decode(table, "replace"))

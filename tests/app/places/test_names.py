"""How places are called in each language: the word for the kind, on its side of the name."""

import pytest

from app.places.imports import VILLAGE_WORDS
from app.places.names import Called


@pytest.mark.parametrize(
    ("kind_word", "name", "vi", "en"),
    [
        ("tỉnh", "Lạng Sơn", "tỉnh Lạng Sơn", "Lạng Sơn Province"),
        ("xã", "Chi Lăng", "xã Chi Lăng", "Chi Lăng Commune"),
        ("phường", "Đông Kinh", "phường Đông Kinh", "Đông Kinh Ward"),
        ("thôn", "Nà Mẫu", "thôn Nà Mẫu", "Nà Mẫu Village"),
        ("bản", "Lân Cà", "bản Lân Cà", "Lân Cà Village"),
        ("khối phố", "2A", "khối phố 2A", "Quarter 2A"),
        ("thôn", "3", "thôn 3", "Village 3"),
        ("ấp", "Bình An", "ấp Bình An", "ấp Bình An"),
        ("thôn", "100%(name)s", "thôn 100%(name)s", "Village 100%(name)s"),
    ],
)
def test_a_place_is_called_in_both_languages(kind_word: str, name: str, vi: str, en: str) -> None:
    called = Called(kind_word, name)
    assert (called.text("vi"), called.text("en")) == (vi, en)


def test_a_heading_begins_with_a_capital() -> None:
    assert Called("xã", "Chi Lăng", first=True).text("vi") == "Xã Chi Lăng"


def test_every_kind_that_a_list_may_name_is_called_in_english() -> None:
    for word in (*VILLAGE_WORDS, "tỉnh", "thành phố", "huyện", "xã", "phường", "thị trấn"):
        assert Called(word, "Nà Mẫu").text("en").startswith("Nà Mẫu ")

"""Patterns of names and personal numbers, which must not stand in a text that anybody may read."""

import re

from app.db.texts import nfc
from app.errors import Invalid
from app.messages import N_


class PersonalNumber(Invalid, ValueError):
    """An Invalid that pydantic lets through with both of its sentences."""


_BETWEEN_DIGITS = r"[\s./\-\u2010-\u2015_()+]*|,"
_LONG_NUMBER = re.compile(rf"\d(?:(?:{_BETWEEN_DIGITS})\d){{8,}}")
_COORDINATES = re.compile(r"\d{1,3}[.,]\d{4,}\s*°?\s*[NSEWBĐ]?\s*[,;/\s]\s*[NSEWBĐ]?\s*-?\d{1,3}[.,]\d{4,}|\d\s*°\s*\d")
_TITLED = re.compile(r"\b(?i:ông|bà|anh|chị|cụ|bác|cô|chú|dì|cậu|mợ|thím)\.?\s+(\w)")
_MIDDLE_NAME = re.compile(r"\b(\w)\w*\s+Thị\s+(?!Trấn\b|Xã\b)(\w)")
_FULL_NAME = re.compile(
    r"\b(?:Bế|Bùi|Chu|Đàm|Đặng|Đinh|Đỗ|Dương|Hà|Hồ|Hoàng|Hứa|Huỳnh|La|Lâm|Lăng|Lê|Lộc|Lương|Lý|Mã|Ngô|Nguyễn|Nông|Phạm"
    r"|Phan|Phùng|Trần|Triệu|Vi|Võ|Vũ|Vương) (?:Thị|Văn) \w",
    re.IGNORECASE,
)
_DATE = re.compile(r"\b\d{1,2}/\d{1,2}/\d{4}\b")
_OF_A_PLACE = frozenset({"xã", "phường", "trấn", "thôn", "bản", "khối", "phố", "đường", "khu", "tổ", "đội"})


def holds_personal_number(value: str) -> bool:
    """Nine digits or more, however they are spaced (a phone or identity number), or coordinates; dates are neither."""
    text = _DATE.sub(" ngày ", nfc(value))
    return _LONG_NUMBER.search(text) is not None or _COORDINATES.search(text) is not None


def no_personal_numbers(value: str) -> str:
    """The same text, which anybody may read and so holds no personal number. Raises PersonalNumber, which fits a pydantic validator."""
    if holds_personal_number(value):
        raise PersonalNumber(
            "personal_number", N_("Chữ ở đây ai cũng đọc được. Hãy bỏ số điện thoại, số giấy tờ và tọa độ ra.")
        )
    return value


def _without_places(text: str) -> str:
    """Without the names of places: “xã Hoàng Văn Thụ” and “phố Bà Triệu” are nobody."""
    kept, of_a_place = [], 0
    for word in text.split():
        if word.casefold() in _OF_A_PLACE:
            of_a_place = 3  # no more words than the longest name of a commune
            kept.append("–")
        elif of_a_place and word[0].isupper():
            of_a_place = 0 if word.endswith((",", ";")) else of_a_place - 1
        else:
            of_a_place = 0
            kept.append(word)
    return " ".join(kept)


def names_a_person(value: str) -> bool:
    """“bà Mai”, “Sùng Thị Mai”, “lý văn páo”: a title or a middle name before a capital letter, or a known family name with Thị or Văn.

    Read with its tone marks: “Bà Mai” is somebody, “Ba Bể” is a place.
    """
    text = _without_places(nfc(value))
    return (
        any(m[1].isupper() for m in _TITLED.finditer(text))
        or any(m[1].isupper() and m[2].isupper() for m in _MIDDLE_NAME.finditer(text))
        or _FULL_NAME.search(text) is not None
    )

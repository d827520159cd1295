"""Vietnamese text: one spelling, what search compares, the order of a dictionary, and a text in several languages."""

import unicodedata

from pydantic import BaseModel, ConfigDict


def nfc(value: str) -> str:
    """Trim, NFC, and one space where there were several."""
    return " ".join(unicodedata.normalize("NFC", value).split())


def fold(value: str) -> str:
    """What search compares: lower case, no diacritics, đ as d. Same answer as SQL's vn_fold()."""
    decomposed = unicodedata.normalize("NFD", nfc(value).casefold().replace("đ", "d"))
    return "".join(c for c in decomposed if not unicodedata.combining(c))


_LETTERS = "aăâbcdđeêfghijklmnoôơpqrstuưvwxyz"
_TONES = "\u0300\u0309\u0303\u0301\u0323"  # huyền, hỏi, ngã, sắc, nặng: the order of Vietnamese dictionaries
_MARKS = {"a\u0306": "ă", "a\u0302": "â", "e\u0302": "ê", "o\u0302": "ô", "o\u031b": "ơ", "u\u031b": "ư"}


def sort_key(value: str) -> str:
    """A key whose code-point order is the Vietnamese dictionary's: letters first, then tones. Store it in COLLATE "C"."""
    letters: list[str] = []
    tones: list[str] = []
    for character in nfc(value).casefold():
        base, tone = character, "0"
        marks = unicodedata.normalize("NFD", character)
        for mark in marks[1:]:
            if mark in _TONES:
                tone = str(_TONES.index(mark) + 1)
        plain = "".join(m for m in marks if m not in _TONES)
        base = _MARKS.get(plain, unicodedata.normalize("NFC", plain))
        position = _LETTERS.find(base)
        letters.append(f"{position + 40:02d}" if position >= 0 else f"{min(ord(base[0]), 39):02d}")
        tones.append(tone)
    return "".join(letters) + " " + "".join(tones)  # a blank sorts before every digit: the shorter word first


class Words(BaseModel):
    """A text in several languages; Vietnamese is required."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    vi: str
    en: str | None = None
    zh: str | None = None

    def text(self, language: str) -> str:
        return (getattr(self, language, None) if language in {"en", "zh"} else None) or self.vi

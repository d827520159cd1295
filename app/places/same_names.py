"""When two names are one name. Search forgives tones and case; identity keeps the tones, for Lâu and Lầu are two."""

import re
import unicodedata

from app.db import nfc

_TONES = frozenset("\u0300\u0301\u0303\u0309\u0323")
_SYLLABLE = re.compile(r"[^\W\d_](?:[^\W\d_]|[\u0300-\u036f])*")
_BETWEEN = re.compile(r"[\s\-–.,:;'’\"“”()/&+°]+")
_ZEROS = re.compile(r"(?<!\d)0+(?=\d)")


def same_name_key(name: str) -> str:
    """Equal for two spellings of one name: composed or not, in capitals, with more blanks, and hoà or hòa, Thuỷ or Thủy."""
    return unicodedata.normalize("NFC", _SYLLABLE.sub(_tone_last, unicodedata.normalize("NFD", nfc(name).casefold())))


def near_name_key(name: str) -> str:
    """Equal for names that may be one without being it: “Thôn 1” and “Thôn 01”, “Nà-Mẫu” and “Nà Mẫu”."""
    return _ZEROS.sub("", _BETWEEN.sub(" ", same_name_key(name))).strip()


def _tone_last(syllable: re.Match[str]) -> str:
    """Where the tone stands is a matter of school; which vowel bears a hat or a horn is not."""
    letters = syllable.group()
    return "".join(c for c in letters if c not in _TONES) + "".join(c for c in letters if c in _TONES)

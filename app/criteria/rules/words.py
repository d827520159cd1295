"""The words of the answers, in both languages: numbers, days, names in a row, whole sentences."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import ClassVar, Final

from pydantic import ConfigDict

from app.criteria.rules.sheet import Item

NAMES_IN_A_SENTENCE: Final = 5


@dataclass(frozen=True, slots=True)
class Both:
    """A text in the two languages of the pages."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")
    vi: str
    en: str

    def text(self, language: str) -> str:
        return self.en if language == "en" else self.vi


def percent_text(numerator: int, denominator: int, language: str = "vi") -> str:
    """One decimal, rounded down: 999 of 1000 is 99,9 %, never 100 %."""
    whole, tenth = divmod(numerator * 1000 // denominator, 10)
    if language == "en":
        return f"{whole}.{tenth}%" if tenth else f"{whole}%"
    return f"{whole},{tenth} %" if tenth else f"{whole} %"


def number_vi(number: int) -> str:
    return f"{number:,}".replace(",", ".")


def day_text(day: date) -> str:
    return f"{day:%d/%m/}{day.year:04d}"


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def names_of(items: Sequence[Item], language: str) -> str:
    shown = ", ".join(item.name(language) for item in items[:NAMES_IN_A_SENTENCE])
    rest = len(items) - NAMES_IN_A_SENTENCE
    if rest <= 0:
        return shown
    return f"{shown} and {rest} more" if language == "en" else f"{shown} và {number_vi(rest)} mục nữa"


def item_about(about: str, kind: str, label: Both, why: Both) -> Item:
    """What is missing when it is no single thing but a whole fact or attribute."""
    return Item(about, kind, capital(label.vi), why.vi, why.en, label_en=capital(label.en))


def joined(parts: Sequence[Both]) -> Both:
    return Both(" ".join(part.vi for part in parts), " ".join(part.en for part in parts))


def left_words(left: Sequence[Item]) -> Both:
    def listed(language: str) -> str:
        shown = []
        for item in left[:NAMES_IN_A_SENTENCE]:
            why = (item.reason_en if language == "en" else item.reason_vi).rstrip(". ")
            shown.append(f"{item.name(language)} ({why})" if why else item.name(language))
        return ", ".join(shown)

    return Both(
        f" Không còn tính {number_vi(len(left))}: {listed('vi')}.",
        f" No longer counted, {len(left)}: {listed('en')}.",
    )

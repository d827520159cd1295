"""The common words of the answers' sentences: texts of the pack, days, percentages, names in a row."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, ClassVar, Final

from pydantic import ConfigDict, PlainSerializer

from app.criteria.rules.sheet import Item
from app.db import Words
from app.messages import N_, Said, Sentence, sentences

NAMES_IN_A_SENTENCE: Final = 5
Kept = Annotated[Words, PlainSerializer(Words.kept)]


@dataclass(frozen=True, slots=True)
class Both:
    """A text of a pack in the two languages in which officials write it; read in Vietnamese in any other."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")
    vi: str
    en: str

    def text(self, language: str) -> str:
        return str(getattr(self, language, self.vi))


def percentage(numerator: int, denominator: int) -> Sentence:
    """One decimal, rounded down: 999 of 1000 is 99,9 %, never 100 %."""
    return N_("%(n)s %%", n=Decimal(numerator * 1000 // denominator) / 10)


def day_text(day: date) -> str:
    return f"{day:%d/%m/}{day.year:04d}"


def capital(text: Both) -> Both:
    return Both(text.vi[:1].upper() + text.vi[1:], text.en[:1].upper() + text.en[1:])


def names_of(items: Sequence[Item]) -> Sentence:
    shown = sentences((item.name for item in items[:NAMES_IN_A_SENTENCE]), ", ")
    rest = len(items) - NAMES_IN_A_SENTENCE
    return shown if rest <= 0 else N_("%(names)s và %(rest)s mục nữa", names=shown, rest=Decimal(rest))


def item_about(about: str, kind: str, label: Both, why: Said) -> Item:
    """What is missing when it is no single thing but a whole fact or attribute."""
    name = capital(label)
    return Item(about, kind, name.vi, Words.of(why), label_en=name.en)


def left_words(left: Sequence[Item]) -> Sentence:
    shown: list[Said] = [
        N_("%(name)s (%(why)s)", name=item.name, why=item.reason) if item.reason else item.name
        for item in left[:NAMES_IN_A_SENTENCE]
    ]
    return N_("Không còn tính %(n)s: %(items)s.", n=Decimal(len(left)), items=sentences(shown, ", "))

"""Vietnamese text: one spelling, what search compares, what is the same, the order of a dictionary, several languages."""

import re
import unicodedata
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

from app.messages import Said, Sentence
from app.numbers import shown


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


_SIGNS = "'()-–./,:;+&\"“”#@!?%*=<>[]{}_|~^`$\\"  # between the blank and the numbers, each its own place
_NUMBERS, _OTHER_LETTERS = "39", "80"


def sort_key(value: str) -> str:
    """A key whose code-point order is the Vietnamese dictionary's: letters first, then tones. Store it in COLLATE "C".

    A run of digits sorts as the number it is, before letters: 2, 2B, 9A, 10. Equal keys are left to a second key.
    """
    letters: list[str] = []
    tones: list[str] = []
    for part in re.findall(r"[0-9]+|[^0-9]", nfc(value).casefold()):
        if part[0] in "0123456789":
            digits = part.lstrip("0")[:99]
            letters.append(f"{_NUMBERS}{len(digits):02d}{digits}")
            tones.append(str(min(len(part) - len(digits), 9)))  # 1 before 01
        else:
            letter, tone = _letter(part)
            letters.append(letter)
            tones.append(tone)
    return "".join(letters) + " " + "".join(tones)  # a blank sorts before every digit: the shorter word first


def _letter(character: str) -> tuple[str, str]:
    """The place of a letter or sign, two digits or more of which none begins another; and its tone."""
    tone = "0"
    marks = unicodedata.normalize("NFD", character)
    for mark in marks[1:]:
        if mark in _TONES:
            tone = str(_TONES.index(mark) + 1)
    plain = "".join(m for m in marks if m not in _TONES)
    base = _MARKS.get(plain, unicodedata.normalize("NFC", plain))
    if base == " ":
        return "02", tone
    position = _LETTERS.find(base)
    if position >= 0:
        return f"{position + 40:02d}", tone
    sign = _SIGNS.find(base)
    return (f"{sign + 3:02d}" if sign >= 0 else f"{_OTHER_LETTERS}{ord(base[0]):07d}"), tone


_TONE_WITHIN = re.compile(rf"([{_TONES}])([a-zđ\u0302\u0306\u031b]+)")  # and the rest of its syllable


def identity(value: str) -> str:
    """What makes two names the same: their letters and tones, not their case, their blanks or where the tone stands.

    hòa and hoà are one word in two spellings, Hòang a slip of Hoàng; Lâu and Lầu are two. Search forgives more: `fold`. Same answer as SQL's
    vn_identity().
    """
    spelled = unicodedata.normalize("NFD", nfc(value).casefold())
    return unicodedata.normalize("NFC", _TONE_WITHIN.sub(r"\2\1", spelled))


class Figure(BaseModel):
    """A number in a sentence that is kept: each reader sees it written as in their language."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    number: str

    def text(self, language: str) -> str:
        return shown(Decimal(self.number), language)

    def kept(self) -> dict[str, Any]:
        return {"number": self.number}


class Words(BaseModel):
    """A text in several languages that is kept; Vietnamese is required.

    What people wrote has its languages beside each other. A sentence of ours (`Words.of`) has the Vietnamese as it stood
    when it was kept, and the catalogue's key with its values: a reader of another language gets what the catalogue says
    today, or the Vietnamese where it does not know the sentence any more.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    vi: str
    en: str | None = None
    zh: str | None = None
    sentence: str | None = None
    values: "dict[str, str | Figure | Words] | None" = None

    @model_serializer(mode="wrap")
    def _as_kept(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What people wrote is kept as it always was, without a word of sentences."""
        kept: dict[str, Any] = serialize(self)
        return {name: value for name, value in kept.items() if value is not None or name not in {"sentence", "values"}}

    @classmethod
    def of(cls, said: Said) -> "Words":
        """What is kept of a sentence."""
        said = getattr(said, "said", said)  # a reason or an issue is its sentence with a code
        if isinstance(said, Words):
            return said
        if not isinstance(said, Sentence):
            return cls(vi=said.text("vi"), en=said.text("en"))
        values = {name: cls._value(value) for name, value in said.values.items()}
        return cls(vi=said.text("vi"), sentence=said.vietnamese, values=values or None)

    @classmethod
    def _value(cls, value: object) -> "str | Figure | Words":
        if isinstance(value, Figure):
            return value
        if hasattr(value, "text"):
            return cls.of(value)
        return Figure(number=str(value)) if isinstance(value, Decimal) else str(value)

    def kept(self) -> dict[str, Any]:
        """As it stands inside other JSON that is kept; `kept_in` reads it back, beside whatever else stands there."""
        values: Any = self.values and {n: v if isinstance(v, str) else v.kept() for n, v in self.values.items()}
        whole = {"vi": self.vi, "en": self.en, "zh": self.zh, "sentence": self.sentence, "values": values}
        return {name: value for name, value in whole.items() if value is not None}

    @classmethod
    def kept_in(cls, row: Mapping[str, Any]) -> "Words":
        return cls(**{name: row[name] for name in cls.model_fields if name in row})

    def text(self, language: str) -> str:
        if language == "vi":
            return self.vi
        if self.sentence is not None:
            sentence = Sentence(self.sentence, self.values or {})
            return sentence.text(language) if sentence.known(language) else self.vi
        return (getattr(self, language, None) if language in {"en", "zh"} else None) or self.vi

    def speaks(self, language: str) -> bool:
        """Whether it can be read in this language; in Vietnamese it always can."""
        return self.text(language) != self.vi or language == "vi"

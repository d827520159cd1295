"""A sentence for a person that is said later, in the language they read: the Vietnamese text and the values in it.

Pages say theirs at once, by `_()`. What is not on a page (the domain, a command, the worker) knows no reader and keeps
the sentence lazy: `N_("Chỉ còn %(left)s kg.", left=left)`. All of them stand in the one catalogue, app/locale.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from gettext import NullTranslations, translation
from typing import Protocol

from app import numbers
from app.languages import LANGUAGES, LOCALE, SOURCE

_IN_BRACKETS = re.compile(r"\(%\((\w+)\)s\)")
_NO_WORD = re.compile(r"%\(\w+\)s|\W")


class Said(Protocol):
    """Whatever can be said in a language: a Sentence, or a text that is kept in several."""

    def text(self, language: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Sentence:
    """`vietnamese` is the catalogue's key, with %(name)s for each of `values` (and %% for a percent sign where there are values).

    A value that can be said itself is said in the reader's language, a Decimal is written as there; anything else as `str` does.
    A sentence in brackets ends without its full stop.
    """

    vietnamese: str
    values: Mapping[str, object] = field(default_factory=dict, hash=False)

    def text(self, language: str) -> str:
        """The sentence in this language; in Vietnamese where the catalogue has no other. Nothing is said by an empty one."""
        if not self.vietnamese:  # the catalogue's head stands under this key
            return ""
        sentence = _catalogue(language).gettext(self.vietnamese)
        if not self.values:
            return sentence
        written = {name: _written(value, language) for name, value in self.values.items()}
        for name in _IN_BRACKETS.findall(sentence):
            if not isinstance(self.values[name], str):
                written[name] = written[name].rstrip(".")
        return sentence % written

    def known(self, language: str) -> bool:
        """Whether the catalogue of this language has the sentence, or there is no word in it but its values."""
        in_it = _catalogue(language).gettext(self.vietnamese) != self.vietnamese
        return in_it or not _NO_WORD.sub("", self.vietnamese)


def N_(vietnamese: str, **values: object) -> Sentence:  # noqa: N802 - the name by which catalogues find lazy sentences
    """A lazy sentence. The first argument is a literal: the catalogue is made by reading the source."""
    return Sentence(vietnamese, values)


def sentences(parts: Iterable[Said | str], between: str = " ") -> Sentence:
    """Several sentences, one after the other."""
    values = {f"part{number}": part for number, part in enumerate(parts)}
    if len(values) == 1 and isinstance(alone := values["part0"], Sentence):
        return alone
    return Sentence(between.join(f"%({name})s" for name in values), values)


def in_each_language(said: Said) -> dict[str, str]:
    """What it says, by language: for programs, and for people who take their data away."""
    return {language: said.text(language) for language in LANGUAGES}


def _written(value: object, language: str) -> str:
    """A value as it stands in a sentence of this language."""
    say = getattr(value, "text", None)
    if callable(say):
        return str(say(language))
    return numbers.shown(value, language) if isinstance(value, Decimal) else str(value)


@cache
def _catalogue(language: str) -> NullTranslations:
    return NullTranslations() if language == SOURCE else translation("messages", LOCALE, [language], fallback=True)

"""Texts that people typed, as they may stand on a public page."""

from app.db import Words
from app.logs import scrub


def said(text: str) -> str:
    """What somebody typed, without what looks like a person's number: every free text of the page goes through here."""
    return str(scrub(text))


def covered(words: Words) -> Words:
    return Words.model_validate(scrub(words.model_dump()))

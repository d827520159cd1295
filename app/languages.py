"""The languages of the product: Vietnamese, in which it is written, and each one that has a catalogue in app/locale."""

from pathlib import Path

from babel import Locale

LOCALE = Path(__file__).with_name("locale")
SOURCE = "vi"
LANGUAGES = (SOURCE, *sorted(file.parent.parent.name for file in LOCALE.glob("*/LC_MESSAGES/messages.mo")))


def _own_name(language: str) -> str:
    name = Locale.parse(language).display_name or language
    return name[:1].upper() + name[1:]


NAMES = {language: _own_name(language) for language in LANGUAGES}  # as their speakers call them


def address_in(path: str, language: str) -> str:
    """The page for everybody at this path, in a language: its address says which, and nothing for Vietnamese."""
    return path if language == SOURCE else f"{path}?lang={language}"

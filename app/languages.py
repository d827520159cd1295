"""The languages of the product: Vietnamese, in which it is written, and each one that has a catalogue in app/locale.

Two things still know Vietnamese and English by name: the language that an account keeps (`accounts.schemas`), and the
answers of the criteria engine, whose canonical form holds both.
"""

from pathlib import Path

LOCALE = Path(__file__).with_name("locale")
SOURCE = "vi"
LANGUAGES = (SOURCE, *sorted(file.parent.parent.name for file in LOCALE.glob("*/LC_MESSAGES/messages.mo")))

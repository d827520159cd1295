"""The languages of the product: Vietnamese, in which it is written, and each one that has a catalogue in app/locale."""

from pathlib import Path

LOCALE = Path(__file__).with_name("locale")
SOURCE = "vi"
LANGUAGES = (SOURCE, *sorted(file.parent.parent.name for file in LOCALE.glob("*/LC_MESSAGES/messages.mo")))

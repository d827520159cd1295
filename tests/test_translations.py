"""Every Vietnamese sentence of the pages has its English one, and the compiled file is the newest."""

import io
import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "app" / "locale" / "en" / "LC_MESSAGES"
Text = tuple[str, str]  # the sense, for a word that has several, and the Vietnamese
JINJA = {"trim_blocks": "true", "lstrip_blocks": "true", "silent": "false"}


@pytest.fixture(scope="module")
def catalog() -> dict[Text, tuple[str, ...]]:
    """A text that counts has two English forms: for one, and for all other numbers."""
    with (FOLDER / "messages.po").open("rb") as file:
        return {(m.context or "", forms(m.id)[0]): forms(m.string) for m in read_po(file, locale="en") if m.id}


def forms(text: str | Iterable[str]) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)


@pytest.fixture(scope="module")
def used() -> set[Text]:
    found = [
        message
        for folder in ("app", "demo")
        for message in extract_from_dir(
            ROOT / folder,
            [("**.py", "python"), ("**/templates/**.html", "jinja2"), ("templates/**.html", "jinja2")],
            {"**.html": JINJA},
            keywords={**DEFAULT_KEYWORDS, "counting": (1, 1)},
        )
    ]
    return {(m[4] or "", m[2] if isinstance(m[2], str) else m[2][0]) for m in found}


def test_every_sentence_has_its_english_one(used: set[Text], catalog: dict[Text, tuple[str, ...]]) -> None:
    assert len(used) > 300
    assert sorted(s for s in used if not all(catalog.get(s, [""]))) == []


def test_no_translation_is_left_over(used: set[Text], catalog: dict[Text, tuple[str, ...]]) -> None:
    assert sorted(set(catalog) - used) == []


def test_both_languages_name_the_same_values(catalog: dict[Text, tuple[str, ...]]) -> None:
    def names(text: str) -> set[str]:
        return {part.split(")")[0] for part in text.replace("%%", "").split("%(")[1:]}

    assert [s for (_, s), english in catalog.items() for t in english if names(s) != names(t)] == []


def test_a_text_that_counts_has_a_form_for_one_and_one_for_more(catalog: dict[Text, tuple[str, ...]]) -> None:
    assert catalog["", "%(n)s gói"] == ("%(n)s pack", "%(n)s packs")
    assert [s for (_, s), english in catalog.items() if len(english) == 2 and english[0] == english[1]] == []


def test_no_sentence_counts_two_things_in_one_form(used: set[Text], catalog: dict[Text, tuple[str, ...]]) -> None:
    """English tells one from many: whoever counts two things puts two parts together, each by counting()."""
    counted = re.compile(r"%\(\w+\)s [a-z]+s\b")
    in_one_form = {s: catalog[s][0] for s in used if len(catalog.get(s, ())) == 1}
    assert in_one_form
    assert [s for s, english in in_one_form.items() if len(counted.findall(english)) > 1] == []


def test_the_compiled_file_is_the_newest(catalog: dict[Text, tuple[str, ...]]) -> None:
    assert catalog
    with (FOLDER / "messages.po").open("rb") as file:
        fresh = io.BytesIO()
        write_mo(fresh, read_po(file, locale="en"))
    assert (FOLDER / "messages.mo").read_bytes() == fresh.getvalue()


@pytest.mark.parametrize(
    ("sense", "word", "english", "otherwise"),
    [
        ("nhật ký", "Việc", "Step", "Action"),
        ("việc nền", "Việc", "Task", "Action"),
        ("sàn", "Chưa tính", "Not counted yet", "Not assessed yet"),
        ("ngày", "Hạn dùng", "Best before", "Shelf life"),
        ("trang quét", "Nơi sản xuất", "Place of production", "Site"),
    ],
)
def test_one_vietnamese_word_of_two_senses_has_two_english_ones(
    sense: str, word: str, english: str, otherwise: str
) -> None:
    with (FOLDER / "messages.mo").open("rb") as file:
        texts = Translations(file)
    assert (texts.pgettext(sense, word), texts.gettext(word)) == (english, otherwise)

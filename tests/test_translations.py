"""Every Vietnamese sentence of the pages has its English one, and the compiled file is the newest."""

import io
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "app" / "locale" / "en" / "LC_MESSAGES"
JINJA = {"trim_blocks": "true", "lstrip_blocks": "true", "silent": "false"}


@pytest.fixture(scope="module")
def catalog() -> dict[str, str]:
    with (FOLDER / "messages.po").open("rb") as file:
        return {str(m.id): str(m.string) for m in read_po(file) if m.id}


@pytest.fixture(scope="module")
def used() -> set[str]:
    found = extract_from_dir(
        ROOT / "app",
        [("**.py", "python"), ("**/templates/**.html", "jinja2"), ("templates/**.html", "jinja2")],
        {"**.html": JINJA},
    )
    return {m[2] if isinstance(m[2], str) else m[2][0] for m in found}


def test_every_sentence_has_its_english_one(used: set[str], catalog: dict[str, str]) -> None:
    assert len(used) > 300
    assert sorted(s for s in used if not catalog.get(s)) == []


def test_no_translation_is_left_over(used: set[str], catalog: dict[str, str]) -> None:
    assert sorted(set(catalog) - used) == []


def test_both_languages_name_the_same_values(catalog: dict[str, str]) -> None:
    def names(text: str) -> set[str]:
        return {part.split(")")[0] for part in text.replace("%%", "").split("%(")[1:]}

    assert [s for s, t in catalog.items() if names(s) != names(t)] == []


def test_the_compiled_file_is_the_newest(catalog: dict[str, str]) -> None:
    assert catalog
    with (FOLDER / "messages.po").open("rb") as file:
        fresh = io.BytesIO()
        write_mo(fresh, read_po(file, locale="en"))
    assert (FOLDER / "messages.mo").read_bytes() == fresh.getvalue()

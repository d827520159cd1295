"""What the documents say is kept true: settings, parts, dependencies, commands, pictures and links."""

import re
import tomllib
from pathlib import Path

import pytest

from app.cli import hoi
from app.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
SETTINGS = (ROOT / "docs" / "settings.md").read_text()
LIBRARIES = (ROOT / "docs" / "libraries.md").read_text()
DOCUMENTS = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    *(str(p.relative_to(ROOT)) for p in (ROOT / "docs").rglob("*.md")),
]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def bare(requirement: str) -> str:
    return re.split(r"[\[<>=!~ ]", requirement)[0]


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_stands_in_its_table_with_its_meaning(name: str) -> None:
    assert f"| `HOI_{name.upper()}` | {Settings.model_fields[name].description} |" in SETTINGS


@pytest.mark.parametrize("folder", sorted(p.parent.name for p in (ROOT / "app").glob("*/__init__.py")))
def test_every_part_stands_in_the_tree(folder: str) -> None:
    assert f"app/{folder}/ " in CONTRIBUTING


@pytest.mark.parametrize("requirement", PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["dev"])
def test_every_dependency_has_its_reason(requirement: str) -> None:
    assert bare(requirement) in LIBRARIES


def test_every_command_of_the_documents_exists() -> None:
    known = set(hoi.commands)
    texts = [(ROOT / name).read_text() for name in DOCUMENTS]
    named = {found for text in texts for found in re.findall(r"\./hoi ([a-z]+(?:-[a-z]+)*)", text)}
    assert named - known == set()
    assert known - {found for text in texts for found in re.findall(r"\./hoi ([a-z]+(?:-[a-z]+)*)", text)} == set()


def test_every_file_that_a_recipe_names_exists() -> None:
    """Names with a placeholder in them stand for files that the reader makes."""
    named = {
        n
        for n in re.findall(r"(?:app|worker|demo|doubles|tests|bench|docs)/[\w./-]+\.\w+", CONTRIBUTING)
        if "NNNN" not in n
    }
    assert sorted(n for n in named if not (ROOT / n).exists()) == []
    assert len(named) > 20


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_and_picture_leads_somewhere(document: str) -> None:
    file = ROOT / document
    targets = [
        t.split("#")[0] for t in re.findall(r"\]\(([^)\s]+)\)", file.read_text()) if not t.startswith(("http", "#"))
    ]
    assert [t for t in targets if t and not (file.parent / t).exists()] == []


def test_the_operators_guide_holds_what_the_readme_promises_of_it() -> None:
    assert "Vận hành, sao lưu, nhiều máy: [docs/operator.md](docs/operator.md)" in README
    guide = (ROOT / "docs" / "operator.md").read_text()
    assert {"## Chạy", "## Sao lưu và phục hồi", "## Lớn hơn một máy"} <= set(guide.splitlines())
    assert all(script.name in guide for script in (ROOT / "deploy").glob("*.sh"))


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_locks_have_hashes_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text()
    pinned = re.findall(r"^[a-z0-9._-]+(?:\[[a-z,]+\])?==\S+", text, re.MULTILINE)
    assert len(pinned) > 30
    assert text.count("==") - text.count("python_version") >= len(pinned)
    assert "--hash=sha256:" in text
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links", text)


def test_what_is_required_is_locked() -> None:
    locked = {bare(line) for line in (ROOT / "requirements.lock").read_text().splitlines() if "==" in line}
    assert {bare(r) for r in PROJECT["project"]["dependencies"]} - locked == set()

"""What the documents say is kept true: settings, parts, dependencies, commands, pictures and links."""

import ast
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

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
DEVELOPERS = ["CONTRIBUTING.md", *(str(p.relative_to(ROOT)) for p in sorted((ROOT / "docs" / "dev").glob("*.md")))]
WAY = (ROOT / "docs" / "dev" / "way.md").read_text()
OURS = re.compile(r"\b((?:app|worker|demo|doubles|tests|bench|docs|deploy)/[\w./-]+\.\w+)(?::([A-Za-z_][\w.]*))?")


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


def of_ours(document: str) -> list[tuple[str, str]]:
    """The files that a page names, each with the name behind its colon; other projects' files are links, and left out.

    Names with a placeholder in them stand for files that the reader makes.
    """
    own = re.sub(r"\[[^\]]*\]\(https?://[^)]*\)", "", (ROOT / document).read_text())
    return [(file, name.rstrip(".")) for file, name in OURS.findall(own) if "NNNN" not in file]


@cache
def defined_in(file: str) -> set[str]:
    """What a module defines: its functions, classes and names, and those of its classes as `Class.name`."""
    found = set()
    for node in ast.parse((ROOT / file).read_text()).body:
        for name in names_of(node):
            found |= {name} | {f"{name}.{inner}" for inner in inner_names(node)}
    return found


def names_of(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign):
        targets = [node.target]
    return [t.id for t in targets if isinstance(t, ast.Name)]


def inner_names(node: ast.stmt) -> set[str]:
    if not isinstance(node, ast.ClassDef):
        return set()
    set_on_self = {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)}
    return set_on_self | {name for inner in node.body for name in names_of(inner)}


@pytest.mark.parametrize("document", DEVELOPERS)
def test_every_file_and_function_that_a_developers_page_names_exists(document: str) -> None:
    named = of_ours(document)
    assert sorted(file for file, _ in named if not (ROOT / file).exists()) == []
    assert [f"{file}:{name}" for file, name in named if name and name not in defined_in(file)] == []
    assert len({file for file, _ in named}) > 10


def test_the_way_names_every_folder_in_the_order_of_imports() -> None:
    """The stage and other companies' doubles are no parts, and three folders lie inside most of them."""
    left_out = {"queries", "routes", "demo", "double"}
    folders = [p.parent.relative_to(ROOT / "app") for p in (ROOT / "app").rglob("__init__.py")]
    wanted = {f"app/{folder}" for folder in folders if folder.parts and not left_out & set(folder.parts)}
    tree = re.findall(r"^(app/[\w/]+)/ +\S", WAY, re.MULTILINE)
    assert set(tree) == wanted
    [layers] = [c["layers"] for c in PROJECT["tool"]["importlinter"]["contracts"] if c.get("containers") == ["app"]]
    order = [part.strip() for layer in layers for part in layer.split("|")]
    parts = [folder.removeprefix("app/") for folder in tree if folder.count("/") == 1]
    assert parts == [part for part in order if part in parts]


def test_every_word_with_an_underscore_in_the_way_is_one_of_the_code() -> None:
    """Names of tables, columns, figures and settings, which no link leads to."""
    code = "\n".join(p.read_text() for part in ("app", "worker", "tests") for p in sorted((ROOT / part).rglob("*.py")))
    words = set(re.findall(r"(?<![\w/])[a-z]+(?:_[a-z0-9]+)+", re.sub(r"\.venv/\S+", "", WAY)))
    assert sorted(word for word in words if not re.search(rf"\b{word}\b", code)) == []


def test_the_way_tells_how_a_log_line_begins() -> None:
    told = re.findall(r"^\| `([a-z ]+)` \| `((?:app|worker)/[\w/]+\.py):", WAY, re.MULTILINE)
    assert len(told) >= 5
    assert [event for event, file in told if f'"{event}"' not in (ROOT / file).read_text()] == []


def test_the_questions_to_the_database_can_be_asked(db_session: Session) -> None:
    blocks = re.findall(r"```sql\n(.*?)```", WAY, re.DOTALL)
    questions = [q for block in blocks for q in re.sub(r"--.*", "", block).split(";") if q.strip()]
    assert len(questions) >= 3
    for question in questions:
        db_session.execute(text(f"EXPLAIN {question}"))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_and_picture_leads_somewhere(document: str) -> None:
    file = ROOT / document
    targets = [
        t.split("#")[0] for t in re.findall(r"\]\(([^)\s]+)\)", file.read_text()) if not t.startswith(("http", "#"))
    ]
    assert [t for t in targets if t and not (file.parent / t).exists()] == []


def test_the_readme_is_read_in_three_screens() -> None:
    assert len(README.splitlines()) <= 60


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

"""Style that a linter does not look for: conditional expressions inside others, and modules that do not name what they are."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("app", "worker", "bench", "tests")


def nested_conditionals(source: str) -> list[int]:
    """The lines of conditional expressions that hold a further one: which `else` belongs to which `if` must be counted out."""
    found = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.IfExp)]
    return [one.lineno for one in found if any(isinstance(n, ast.IfExp) for n in ast.walk(one) if n is not one)]


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_conditional_expression_holds_another_one(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    assert [f"{f.relative_to(ROOT)}:{line}" for f in files for line in nested_conditionals(f.read_text("utf-8"))] == []


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("x = 1 if a else 2 if b else 3", [1]),
        ("x = (1 if a else 2) if b else 3", [1]),
        ("\nx = f(1 if a else 2) if b else 3", [2]),
        ("x = [1 if a else 2, 3 if b else 4]", []),
        ("x = 1 if a else 2\ny = 3 if x else 4", []),
    ],
)
def test_a_nested_one_is_seen(source: str, lines: list[int]) -> None:
    assert nested_conditionals(source) == lines


PRODUCT = ("app", "worker", "demo", "doubles")
NO_NOUN = re.compile(r"(What|Who|Whom|Whose|Which|Where|When|Why|How|As|Whether)\b")


def test_a_module_says_first_what_it_is() -> None:
    """A reader looks for a noun. Migrations are told by their numbers."""
    files = [f for folder in PRODUCT for f in sorted((ROOT / folder).rglob("*.py")) if "versions" not in f.parts]
    said = {str(f.relative_to(ROOT)): ast.get_docstring(ast.parse(f.read_text("utf-8"))) or "" for f in files}
    assert len(said) > 300
    assert [name for name, docstring in said.items() if NO_NOUN.match(docstring)] == []

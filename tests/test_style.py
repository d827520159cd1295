"""What a linter does not look for: a conditional expression inside another one, anywhere in the code."""

import ast
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

"""How long a form may be stands at its view: a view that reads a file says so, and nobody else does."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, request

from app.factory import create_app
from app.settings import ROOT, Settings
from app.web import MAX_FORM_BYTES, most_bytes, takes_files

PARTS = ("trace", "products", "places", "criteria", "marketplace_sync", "accounts", "notices", "doors")


def functions(part: Path) -> Iterator[ast.FunctionDef]:
    for file in sorted(part.rglob("*.py")):
        if "routes" in file.relative_to(part).as_posix():
            yield from (n for n in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(n, ast.FunctionDef))


def named(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} | {
        n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)
    }


def reading(found: dict[str, ast.FunctionDef]) -> set[str]:
    """The functions that read a file of the form, and those that ask one of these to."""
    readers = {"sent_file"} | {n for n, f in found.items() if "request.files" in ast.unparse(f)}
    while more := {n for n, f in found.items() if n not in readers and named(f) & readers}:
        readers |= more
    return readers


@pytest.mark.parametrize("part", PARTS)
def test_a_view_that_reads_a_file_declares_how_long_it_may_be(part: str) -> None:
    found = {f.name: f for f in functions(ROOT / "app" / part)}
    decorators = {name: [ast.unparse(d) for d in f.decorator_list] for name, f in found.items()}
    views = {name for name, texts in decorators.items() if any(".post(" in t or ".route(" in t for t in texts)}
    declared = {name for name, texts in decorators.items() if any(t.startswith("takes_files(") for t in texts)}
    assert declared == views & reading(found)


def test_a_declared_view_takes_its_files_whatever_it_is_called(settings: Settings) -> None:
    app = create_app(settings)

    @takes_files(1000)
    def view() -> str:
        return str(request.max_content_length)

    app.add_url_rule("/_co-tep", "any.name", view)
    app.add_url_rule("/_khong-tep", "other.name", lambda: str(request.max_content_length))
    assert (told(app, "/_co-tep"), told(app, "/_khong-tep")) == (MAX_FORM_BYTES + 1000, MAX_FORM_BYTES)
    assert (most_bytes(app, "GET", "/_co-tep"), most_bytes(app, "GET", "/_khong-tep")) == (
        MAX_FORM_BYTES + 1000,
        MAX_FORM_BYTES,
    )


def told(app: Flask, path: str) -> int:
    return int(app.test_client().get(path).text)

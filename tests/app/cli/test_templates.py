"""What `./hoi check` says of a template's lines."""

import subprocess
import sys
from pathlib import Path

import pytest

from app.cli import templates
from app.cli.developer import CHECKS
from app.settings import ROOT


def found(source: str) -> list[int]:
    return [number for number, _ in templates.faults(source)]


def test_our_templates_keep_the_rules() -> None:
    done = subprocess.run([sys.executable, *CHECKS["templates"]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(("length", "lines"), [(160, []), (161, [2])])
def test_a_line_has_160_characters_at_most(length: int, lines: list[int]) -> None:
    assert found("<p>\n" + "ặ" * length + "\n</p>\n") == lines


@pytest.mark.parametrize("line", ["\t<p>", "<p> ", "<p>\t"])
def test_nothing_is_indented_by_tabs_or_ends_in_blanks(line: str) -> None:
    assert found(f"<div>\n{line}\n") == [2]


def test_the_end_of_a_block_stands_under_its_beginning() -> None:
    assert found("{% if a %}\n  b\n{%- elif c -%}\n  d\n{% endif %}\n") == []
    assert found("{% if a %}\n  b\n  {% elif c %}\n  d\n {% endif %}\n") == [3, 5]


def test_what_is_in_a_block_stands_further_right() -> None:
    assert (
        found("{% for a in b %}\n  {% call ui.card(a) %}\n    {% set c = 1 %}\n  {% endcall %}\n{% endfor %}\n") == []
    )
    assert found("{% for a in b %}\n{% if c %}d{% endif %}\n{% endfor %}\n") == [2]


def test_a_block_may_stand_in_one_line_or_in_an_attribute() -> None:
    assert (
        found('<p{% if a %} class="b"{% endif %}\n    {%- if c %} id="d"{% endif %}>{% set e %}f{% endset %}</p>\n')
        == []
    )


def test_faults_are_told_by_file_and_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "app" / "trace" / "templates" / "trace"
    folder.mkdir(parents=True)
    (folder / "site.html").write_text("<p>\n" + "x" * 200 + "\n", encoding="utf-8")
    monkeypatch.setattr(templates, "ROOT", tmp_path)
    assert templates.main() == 1
    assert capsys.readouterr().out == "app/trace/templates/trace/site.html:2: dài 200 chữ, nhiều nhất 160\n"

"""The look of a template's source: lines that fit beside each other in a review, and blocks that are indented."""

import re
import sys
from collections.abc import Iterator

from app.cli.output import say
from app.settings import ROOT

FOLDERS = ("app", "demo")
LONGEST = 160  # characters
_TAGS = re.compile(r"\{%[-+]?\s*(\w+)(.*?)[-+]?%\}", re.DOTALL)
_OPENS = frozenset({"if", "for", "macro", "call", "block", "filter"})
_BETWEEN = frozenset({"elif", "else"})


def faults(source: str) -> Iterator[tuple[int, str]]:
    """The lines of a template that do not keep the rules, and which."""
    for number, line in enumerate(source.splitlines(), 1):
        if len(line) > LONGEST:
            yield number, f"dài {len(line)} chữ, nhiều nhất {LONGEST}"
        if "\t" in line or line != line.rstrip():
            yield number, "có dấu tab, hoặc khoảng trắng ở cuối dòng"
    yield from _misplaced(source)


def _misplaced(source: str) -> Iterator[tuple[int, str]]:
    """Tags of Jinja that begin a line: the end of a block stands under its beginning, what is in it further right."""
    lines = source.splitlines()
    open_blocks: list[tuple[str, int]] = []
    for found in _TAGS.finditer(source):
        word, rest = found.groups()
        number = source.count("\n", 0, found.start()) + 1
        line = lines[number - 1]
        indent = len(line) - len(line.lstrip())
        begins = source[: found.start()].rpartition("\n")[2].strip() == ""
        if word in _BETWEEN or word.startswith("end"):
            _, expected = open_blocks[-1] if open_blocks else ("", 0)
            if begins and indent != expected:
                yield number, f"“{word}” lùi {indent} chữ, khối của nó lùi {expected}"
            if word.startswith("end") and open_blocks:
                open_blocks.pop()
            continue
        if begins and open_blocks and indent <= open_blocks[-1][1]:
            yield number, f"“{word}” phải lùi sâu hơn khối “{open_blocks[-1][0]}” chứa nó"
        if word in _OPENS or (word == "set" and "=" not in rest):
            open_blocks.append((word, indent))


def main() -> int:
    """Print every fault of every template; 1 where there is one."""
    found = [
        f"{path.relative_to(ROOT)}:{number}: {what}"
        for folder in FOLDERS
        for path in sorted((ROOT / folder).glob("**/templates/**/*.html"))
        for number, what in faults(path.read_text(encoding="utf-8"))
    ]
    for fault in found:
        say(fault)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

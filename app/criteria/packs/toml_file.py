"""The text of a pack made safe before the TOML reader sees it, and read."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any, Final

from app.criteria.packs.faults import Fault, Location, dotted, line_of
from app.messages import N_, Sentence

MAX_BYTES: Final = 128 * 1024
MAX_NESTING: Final = 8
MAX_ENTRIES: Final = 200


class Unreadable(Exception):
    def __init__(self, said: Sentence, line: int | None = None, path: str = "") -> None:
        super().__init__(said.vietnamese)
        self.fault = Fault(path, line, said)


def decoded(data: bytes | str) -> str:
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    if len(raw) > MAX_BYTES:
        kib = MAX_BYTES // 1024
        raise Unreadable(N_("tệp quá lớn; tối đa %(kib)s KiB", kib=kib))
    try:
        return raw.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise Unreadable(N_("tệp không phải UTF-8"), line) from None


_TOKEN: Final = re.compile(
    r'"""(?:[^\\]|\\.)*?""""{0,2}'
    r"|'''.*?''''{0,2}"
    r'|"(?:[^"\\\n]|\\[^\n])*"'
    r"|'[^'\n]*'"
    r"|\#[^\n]*"
    r"|[\[\]{}=,.\n]"
    r"|[^\[\]{}=,.\n\"'\#]+"
    r"|.",
    re.DOTALL,
)
_STATEMENT_TOKENS: Final = 4 * MAX_NESTING


def scan(text: str) -> dict[Location, int]:
    """The line of each table and key; stops at anything nested too deeply. One pass, linear."""
    lines: dict[Location, int] = {(): 1}
    arrays: dict[Location, int] = {}
    table: Location = ()
    statement: list[str] = []
    line, depth, dots = 1, 0, 0
    for piece in (match[0] for match in _TOKEN.finditer(text + "\n")):
        depth += (piece in "[{") - (piece in "]}")
        dots = dots + (piece == ".") if piece not in "[]{}=,\n" else 0
        if depth > MAX_NESTING or dots > MAX_NESTING:
            limit = MAX_NESTING
            raise Unreadable(N_("lồng nhau quá sâu; tối đa %(limit)s tầng", limit=limit), line)
        if piece == "\n" and depth <= 0:
            table = _locate(statement, line, table, arrays, lines)
            statement, depth = [], 0
        elif len(statement) < _STATEMENT_TOKENS and piece.strip() and not piece.startswith("#"):
            statement.append(piece)
        line += piece.count("\n")
    return lines


def _locate(
    statement: list[str], line: int, table: Location, arrays: dict[Location, int], lines: dict[Location, int]
) -> Location:
    """Notes where a header or a key stands and returns the table that is open after it."""
    if not statement:
        return table
    if statement[0] != "[":
        if "=" in statement:
            lines.setdefault((*table, *_keys(statement[: statement.index("=")])), line)
        return table
    keys = _keys([piece for piece in statement if piece not in "[]"])
    path: Location = ()
    for key in keys[:-1]:
        path = (*path, key)
        path = (*path, arrays[path] - 1) if path in arrays else path
    path = (*path, *keys[-1:])
    if statement[1:2] == ["["]:
        lines.setdefault(path, line)
        arrays[path] = arrays.get(path, 0) + 1
        path = (*path, arrays[path] - 1)
    lines.setdefault(path, line)
    return path


def _keys(tokens: Iterable[str]) -> list[str]:
    return [piece.strip().strip("\"'") for piece in tokens if piece != "."]


_AT_LINE: Final = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


def toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        limit = MAX_NESTING
        raise Unreadable(N_("lồng nhau quá sâu; tối đa %(limit)s tầng", limit=limit)) from None
    except ValueError as error:  # also an integer of more digits than Python reads
        said = str(error)
        at = _AT_LINE.search(said)
        detail, line = said, None
        if at is not None:
            detail, line = said[: at.start()], int(at[1]) if at[1] else text.count("\n") + 1
        raise Unreadable(N_("không đúng cách viết TOML (%(detail)s)", detail=detail), line) from None


def bounded(document: dict[str, Any], lines: Mapping[Location, int]) -> None:
    """Refuses lists and tables of too many entries before each of them is looked at."""
    todo: list[tuple[Location, object]] = [((), document)]
    while todo:
        path, node = todo.pop()
        if isinstance(node, dict | list) and len(node) > MAX_ENTRIES:
            raise Unreadable(N_("quá %(most)s mục", most=MAX_ENTRIES), line_of(lines, path), dotted(path))
        if isinstance(node, dict):
            todo.extend(((*path, key), value) for key, value in node.items())
        elif isinstance(node, list):
            todo.extend(((*path, place), value) for place, value in enumerate(node))

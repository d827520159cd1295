"""Faults of a pack, and where they are: the path as in TOML and the line."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from app.errors import Invalid
from app.messages import N_, Sentence

MAX_FAULTS: Final = 50
Location: TypeAlias = tuple[str | int, ...]
Found: TypeAlias = tuple[Location, Sentence]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a pack: where (`path` as in TOML, `line` counted from 1, None where unknown) and what."""

    path: str
    line: int | None
    said: Sentence

    def as_error(self) -> Invalid:
        path = f", {self.path}" if self.path else ""
        if self.line:
            said = N_("Dòng %(line)s%(path)s: %(what)s.", line=self.line, path=path, what=self.said)
        else:
            said = N_("Trong tệp%(path)s: %(what)s.", path=path, what=self.said)
        return Invalid("pack_refused", said, field=self.path or None)


def dotted(path: Location) -> str:
    out = ""
    for part in path:
        if isinstance(part, int):
            out += f"[{part}]"
        else:
            out += f".{part}" if out else part
    return out


def line_of(lines: Mapping[Location, int], path: Location) -> int | None:
    """The line of the nearest enclosing thing that has one."""
    return next((lines[path[:end]] for end in range(len(path), -1, -1) if path[:end] in lines), None)

"""Faults of a pack, and where they are: the path as in TOML and the line."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from app.criteria.rules.words import Both
from app.errors import Invalid

MAX_FAULTS: Final = 50
Location: TypeAlias = tuple[str | int, ...]
Found: TypeAlias = tuple[Location, str, str]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a pack: where (`path` as in TOML, `line` counted from 1, None where unknown) and what."""

    path: str
    line: int | None
    vi: str
    en: str

    def as_error(self) -> Invalid:
        where_vi = f"Dòng {self.line}" if self.line else "Trong tệp"
        where_en = f"Line {self.line}" if self.line else "In the file"
        path = f", {self.path}" if self.path else ""
        vi, en = f"{where_vi}{path}: {self.vi}.", f"{where_en}{path}: {self.en}."
        return Invalid("pack_refused", Both(vi, en), field=self.path or None)


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

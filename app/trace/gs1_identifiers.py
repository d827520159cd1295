"""GS1's application identifiers: which there are, what their values look like, and which stand together.

Facts of GS1's General Specifications and of its Barcode Syntax Dictionary, in a table of our own (`data/gs1_identifiers.csv`, which
names the release).
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from app.errors import Invalid
from app.messages import N_, Said

_TABLE = Path(__file__).parent / "data" / "gs1_identifiers.csv"


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a value: characters of a kind, so many, with the named checks of `gs1_values`."""

    kind: str
    shortest: int
    longest: int
    optional: bool
    checks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """One identifier. `qualifiers`: None for what is no key, else the ways in which qualifiers may follow it.

    `needs`: one of these groups must be present whole, where there are any; `excludes`: none of these may be.
    """

    ai: str
    fixed: bool
    query: bool
    parts: tuple[Part, ...]
    qualifiers: tuple[tuple[str, ...], ...] | None
    needs: tuple[tuple[str, ...], ...]
    excludes: tuple[str, ...]


def refuse(code: str, said: Said) -> Invalid:
    return Invalid(f"digital_link_{code}", said, field="uri")


@lru_cache(maxsize=1)
def rules() -> Mapping[str, Rule]:
    """Every identifier by its number."""
    with _TABLE.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        return {ai: _rule(ai, row) for row in rows for ai in _numbers(row["identifiers"])}


def _numbers(text: str) -> Iterator[str]:
    for word in text.split():
        first, _, last = word.partition("-")
        for number in range(int(first), int(last or first) + 1):
            yield str(number).zfill(len(first))


def _rule(ai: str, row: Mapping[str, str]) -> Rule:
    ways = [way.split() for way in row["qualifiers"].split("|")]
    return Rule(
        ai=ai,
        fixed=row["fixed"] == "yes",
        query=row["query"] == "yes",
        parts=tuple(_part(word) for word in row["value"].split()),
        qualifiers=tuple(tuple(q for q in way if q != "none") for way in ways) if row["qualifiers"] else None,
        needs=tuple(tuple(group.split("+")) for group in row["needs"].split()),
        excludes=tuple(f"{ai[:3]}n" if word == "series" else word for word in row["excludes"].split()),
    )


def _part(word: str) -> Part:
    form, *checks = word.removesuffix("?").split(":")
    kind, _, size = form.partition("*")
    shortest, _, longest = size.partition("-")
    return Part(kind, int(shortest), int(longest or shortest), word.endswith("?"), tuple(checks))


def known(ai: str) -> Rule:
    """The rule of an identifier. Raises Invalid for one that GS1 does not define."""
    rule = rules().get(ai)
    if rule is None:
        raise refuse("unknown_ai", N_("Mã có phần (%(ai)s) mà GS1 không định nghĩa.", ai=ai))
    return rule


def matches(ai: str, pattern: str) -> bool:
    """`pattern` is an identifier, or one with n for any digit at its end."""
    return len(ai) == len(pattern) and all(p in {"n", a} for a, p in zip(ai, pattern, strict=True))

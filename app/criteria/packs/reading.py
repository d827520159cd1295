"""A pack from its text, or every fault of it; the packs that come with the program."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from app.criteria.packs.faults import MAX_FAULTS, Fault, Location, dotted, line_of
from app.criteria.packs.meaning import meaning_faults
from app.criteria.packs.shape import shape_faults, text_faults
from app.criteria.packs.toml_file import Unreadable, bounded, decoded, scan, toml
from app.criteria.rules import Pack
from app.errors import InvalidMany

DATA: Final = Path(__file__).parent.parent / "data"


def parse(data: bytes | str) -> Pack:
    """A pack from TOML. Raises InvalidMany with every fault (the first fifty), each with its line."""
    pack, faults = _read(data)
    if pack is None or faults:
        raise InvalidMany([fault.as_error() for fault in faults])
    return pack


def lint(data: bytes | str) -> tuple[Fault, ...]:
    """What is wrong with a pack, in the order of the file; empty when nothing is."""
    return tuple(_read(data)[1])


@cache
def shipped() -> Mapping[str, Pack]:
    """The packs that come with the program, by id."""
    packs = [parse(path.read_bytes()) for path in sorted(DATA.glob("*.toml"))]
    return {pack.id: pack for pack in packs}


def document_schema() -> dict[str, Any]:
    """JSON Schema of a pack, for a form and for other provinces' tools."""
    return Pack.model_json_schema()


def _read(data: bytes | str) -> tuple[Pack | None, list[Fault]]:
    try:
        text = decoded(data)
        lines = scan(text)
        document = toml(text)
        bounded(document, lines)
    except Unreadable as unreadable:
        return None, [unreadable.fault]
    found = list(text_faults(document))
    pack: Pack | None = None
    try:
        pack = Pack.model_validate(document)
    except ValidationError as error:
        found += shape_faults(error, document)
    else:
        found += meaning_faults(pack)
    first: dict[Location, Fault] = {}
    for path, said in found:
        first.setdefault(path, Fault(dotted(path), line_of(lines, path), said))
    faults = sorted(first.values(), key=lambda fault: (fault.line or 0, fault.path))
    return pack, faults[:MAX_FAULTS]

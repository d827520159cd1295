"""Events of places, told to the parts above."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from app.outbox import Event


@dataclass(frozen=True, slots=True)
class PlaceChanged(Event):
    """A name or an attribute of a place is different from a day on, or the place ended."""

    name: ClassVar[str] = "places.place_changed"
    place_id: UUID


@dataclass(frozen=True, slots=True)
class VillagesImported(Event):
    """Villages were added or renamed by an import."""

    name: ClassVar[str] = "places.villages_imported"
    import_id: UUID


@dataclass(frozen=True, slots=True)
class ListForgotten(Event):
    """The row of a list that nobody applied is gone; its bytes, of this hash, are still in the store."""

    name: ClassVar[str] = "places.list_forgotten"
    sha256: str


@dataclass(frozen=True, slots=True)
class PremisesChanged(Event):
    """A village gained or lost a household, an office or a culture house."""

    name: ClassVar[str] = "places.premises_changed"
    village_id: UUID

"""Events of the criteria."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from app.outbox import Event


@dataclass(frozen=True, slots=True)
class VillageFactRecorded(Event):
    name: ClassVar[str] = "criteria.village_fact_recorded"
    village_id: UUID


@dataclass(frozen=True, slots=True)
class ParameterChosen(Event):
    name: ClassVar[str] = "criteria.parameter_chosen"
    pack_id: str


@dataclass(frozen=True, slots=True)
class AssessmentChanged(Event):
    """The village's answer, or one criterion's, is another than before. `awaited`: after what somebody just did."""

    name: ClassVar[str] = "criteria.assessment_changed"
    village_id: UUID
    assessment_id: UUID
    awaited: bool = True


@dataclass(frozen=True, slots=True)
class VillagesMarked(Event):
    """There are villages to derive; which ones stands in the set. `awaited`: what somebody waits for is among them."""

    name: ClassVar[str] = "criteria.villages_marked"
    awaited: bool

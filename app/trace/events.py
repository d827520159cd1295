"""Events between field and pack, told to the parts above."""

from dataclasses import dataclass
from datetime import date
from typing import ClassVar
from uuid import UUID

from app.outbox import Event


@dataclass(frozen=True, slots=True)
class SiteChanged(Event):
    """A site was added, or lies in another village from a day on."""

    name: ClassVar[str] = "trace.site_changed"
    site_id: UUID
    organisation_id: UUID


@dataclass(frozen=True, slots=True)
class CareLogRecorded(Event):
    """Steps arrived for a site: one event for all that came in one call; `care_log_id` is one of them. Read the site's diary.

    `touches_batches`: some batch shows, or may have to be held for, one of them. `first_day` (Vietnam) is that of the
    earliest step; None where a step came by a correction. Events of before these were told say that they may touch anything.
    """

    name: ClassVar[str] = "trace.care_log_recorded"
    care_log_id: UUID
    site_id: UUID
    organisation_id: UUID
    touches_batches: bool = True
    first_day: date | None = None


@dataclass(frozen=True, slots=True)
class CareLogCorrected(Event):
    """`care_log_id` is the first row of the chain, `site_id` where the step was said to have happened before."""

    name: ClassVar[str] = "trace.care_log_corrected"
    care_log_id: UUID
    site_id: UUID
    organisation_id: UUID


@dataclass(frozen=True, slots=True)
class BatchCreated(Event):
    name: ClassVar[str] = "trace.batch_created"
    batch_id: UUID


@dataclass(frozen=True, slots=True)
class BatchChanged(Event):
    """Put on hold, released, recalled, or the recall was lifted."""

    name: ClassVar[str] = "trace.batch_changed"
    batch_id: UUID


@dataclass(frozen=True, slots=True)
class BatchHeld(Event):
    """Put on hold by rule; somebody of the organisation must look at it."""

    name: ClassVar[str] = "trace.batch_held"
    batch_id: UUID
    organisation_id: UUID


@dataclass(frozen=True, slots=True)
class RecallLaunched(Event):
    name: ClassVar[str] = "trace.recall_launched"
    batch_id: UUID


@dataclass(frozen=True, slots=True)
class StockMoved(Event):
    """How much of a pack is left has changed."""

    name: ClassVar[str] = "trace.stock_moved"
    variant_id: UUID

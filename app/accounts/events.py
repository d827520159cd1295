"""Events of people and organisations, told to the parts above."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from app.outbox import Event


@dataclass(frozen=True, slots=True)
class CardScanned(Event):
    """A phone waits for the cooperative's word."""

    name: ClassVar[str] = "accounts.card_scanned"
    card_request_id: UUID


@dataclass(frozen=True, slots=True)
class ConsentChanged(Event):
    """`purposes`: what was answered anew; None in events from before they said it, which may be of any."""

    name: ClassVar[str] = "accounts.consent_changed"
    person_id: UUID
    purposes: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class OrganisationChanged(Event):
    """Renamed or moved. Nothing speaks yet of one that was just made."""

    name: ClassVar[str] = "accounts.organisation_changed"
    organisation_id: UUID


@dataclass(frozen=True, slots=True)
class DataRequestReceived(Event):
    """Somebody asked about their own data; the law's clock runs."""

    name: ClassVar[str] = "accounts.data_request_received"
    data_request_id: UUID


@dataclass(frozen=True, slots=True)
class RoleOffered(Event):
    """Somebody known already is asked to take a role; nothing is theirs before they accept."""

    name: ClassVar[str] = "accounts.role_offered"
    role_offer_id: UUID


@dataclass(frozen=True, slots=True)
class PersonErased(Event):
    """A person's data are gone; their id stays in the history."""

    name: ClassVar[str] = "accounts.person_erased"
    person_id: UUID

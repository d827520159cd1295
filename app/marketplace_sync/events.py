"""Events of the channels."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from app.outbox import Event


@dataclass(frozen=True, slots=True)
class ListingWanted(Event):
    """What we want of a listing changed, or it is time to try again."""

    name: ClassVar[str] = "marketplace_sync.listing_wanted"
    listing_id: UUID


@dataclass(frozen=True, slots=True)
class LookWanted(Event):
    """Somebody asks to look now."""

    name: ClassVar[str] = "marketplace_sync.look_wanted"
    listing_id: UUID


@dataclass(frozen=True, slots=True)
class ListingObserved(Event):
    """The marketplace said something new about a listing, or the place where it is listed was judged anew."""

    name: ClassVar[str] = "marketplace_sync.listing_observed"
    listing_id: UUID
    product_id: UUID


@dataclass(frozen=True, slots=True)
class ListingTroubled(Event):
    """A listing needs a person: rejected, blocked, gone, parked, or with a new note."""

    name: ClassVar[str] = "marketplace_sync.listing_troubled"
    listing_id: UUID


@dataclass(frozen=True, slots=True)
class AccountCheckWanted(Event):
    """Somebody gave keys of a shop, and the shop is to be asked whether it takes them."""

    name: ClassVar[str] = "marketplace_sync.account_check_wanted"
    check_id: UUID


@dataclass(frozen=True, slots=True)
class AccountBroken(Event):
    name: ClassVar[str] = "marketplace_sync.account_broken"
    account_id: UUID


@dataclass(frozen=True, slots=True)
class AccountSilent(Event):
    """Looks at an account have failed for hours: what was seen there will soon be too old to count."""

    name: ClassVar[str] = "marketplace_sync.account_silent"
    account_id: UUID


@dataclass(frozen=True, slots=True)
class DeclaredConfirmed(Event):
    """A declared listing was declared, confirmed, denied or withdrawn."""

    name: ClassVar[str] = "marketplace_sync.declared_confirmed"
    product_id: UUID


@dataclass(frozen=True, slots=True)
class FloorListChanged(Event):
    """A floor was written down, has other hosts, counts from a day on, or no longer counts."""

    name: ClassVar[str] = "marketplace_sync.floor_list_changed"
    floor_id: UUID

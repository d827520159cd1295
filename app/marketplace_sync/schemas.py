"""What people send about floors, accounts and listings, parsed once at the edge."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from app.db import nfc
from app.fields import ClientId, Day, Ticked, Whole

Text200 = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Link = Annotated[str, StringConstraints(pattern=r"^https?://[^\s]{3,500}$")]


class Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _compose(cls, value: object) -> object:
        return nfc(value) if isinstance(value, str) else value


class NewFloor(Shape):
    """`hosts`: host names of the floor's pages, separated by blanks or commas, for example "shopee.vn"."""

    id: ClientId
    name: Text200
    hosts: Annotated[str, StringConstraints(min_length=3, max_length=500)]
    kind: Literal["marketplace", "own_site", "advertising"] = "marketplace"


class NewFloorDecision(Shape):
    id: ClientId
    floor_id: UUID
    counted: bool
    effective_on: Day
    legal_basis: Annotated[str, StringConstraints(min_length=3, max_length=300)]


class ListingFilter(Shape):
    """Which listings, or packs to put on sale, a list shows. `troubled`: those that wait for their seller."""

    q: Annotated[str, StringConstraints(max_length=100)] = ""
    troubled: Ticked = False
    trang: str = ""


class LinkFilter(Shape):
    """Which declared links a list shows. `waiting`: at which nobody from outside the seller has looked."""

    q: Annotated[str, StringConstraints(max_length=100)] = ""
    waiting: Ticked = False
    trang: str = ""


class NewAccount(Shape):
    """`credentials` are the channel's own fields, by the names of its spec()."""

    id: ClientId
    organisation_id: UUID
    channel: Text200
    name: Text200
    stock_buffer: Whole = Field(default=0, ge=0, le=10000)
    credentials: dict[str, Annotated[str, StringConstraints(max_length=500)]]


class WantListing(Shape):
    id: ClientId
    account_id: UUID
    variant_id: UUID


class NewDeclared(Shape):
    id: ClientId
    product_id: UUID
    floor_id: UUID
    url: Link


class NewConfirmation(Shape):
    id: ClientId
    declared_listing_id: UUID
    on_sale: bool
    seen_on: Day
    photo_sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]

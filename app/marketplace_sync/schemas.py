"""Schemas of what people send about floors, accounts and listings, parsed once at the edge."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from app.fields import ClientId, Day, Ticked, Whole
from app.forms import DecidedBy, Search, Sha256, Text200, TidyForm

Link = Annotated[str, StringConstraints(pattern=r"^https?://[^\s]{3,500}$")]


class NewFloor(TidyForm):
    """`hosts`: host names of the floor's pages, separated by blanks or commas, for example "shopee.vn"."""

    id: ClientId
    name: Text200
    hosts: Annotated[str, StringConstraints(min_length=3, max_length=500)]
    kind: Literal["marketplace", "own_site", "advertising"] = "marketplace"


class NewFloorDecision(TidyForm):
    id: ClientId
    floor_id: UUID
    counted: bool
    effective_on: Day
    legal_basis: DecidedBy


class ListingFilter(TidyForm):
    """Which listings, or packs to put on sale, a list shows. `troubled`: those that wait for their seller."""

    q: Search = ""
    troubled: Ticked = False
    trang: str = ""


class LinkFilter(TidyForm):
    """Which declared links a list shows. `waiting`: at which nobody from outside the seller has looked."""

    q: Search = ""
    waiting: Ticked = False
    trang: str = ""


class NewAccount(TidyForm):
    """`credentials` are the channel's own fields, by the names of its spec()."""

    id: ClientId
    organisation_id: UUID
    channel: Text200
    name: Text200
    stock_buffer: Whole = Field(default=0, ge=0, le=10000)
    credentials: dict[str, Annotated[str, StringConstraints(max_length=500)]]


class WantListing(TidyForm):
    id: ClientId
    account_id: UUID
    variant_id: UUID


class NewDeclared(TidyForm):
    id: ClientId
    product_id: UUID
    floor_id: UUID
    url: Link


class NewConfirmation(TidyForm):
    id: ClientId
    declared_listing_id: UUID
    on_sale: bool
    seen_on: Day
    photo_sha256: Sha256

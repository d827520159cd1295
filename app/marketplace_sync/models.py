"""Floors, accounts, listings, and the evidence of what is on sale: only that decides what is live."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Computed,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.db import Base, Id, Words, one_of

# Sàn thương mại điện tử, website bán hàng, quảng cáo: Law on E-commerce 122/2025/QH15 tells them apart.
LEGAL_KINDS = ("marketplace", "own_site", "advertising")
STATES = ("draft", "submitting", "waiting", "live", "unlisted", "rejected", "blocked", "parked", "unknown", "gone")
TROUBLED = frozenset({"rejected", "blocked", "gone", "parked"})  # it stays so until a person does something


class Floor(Base):
    """A place where things are sold online. `hosts` are the host names (with port) of its pages."""

    __tablename__ = "floors"
    __table_args__ = (one_of("kind", LEGAL_KINDS), UniqueConstraint("key"))

    id: Mapped[Id]
    key: Mapped[str]
    name: Mapped[Words]
    hosts: Mapped[list[Any]]
    kind: Mapped[str]
    created_at: Mapped[datetime]


class FloorDecision(Base):
    """The province counts a floor from a day on, or no longer; append-only, the newest in force stands."""

    __tablename__ = "floor_decisions"
    __table_args__ = (Index("ix_floor_decisions_floor_id", "floor_id", "effective_on"),)

    id: Mapped[Id]
    floor_id: Mapped[UUID] = mapped_column(ForeignKey("floors.id"))
    counted: Mapped[bool]
    effective_on: Mapped[date]
    legal_basis: Mapped[str]
    recorded_at: Mapped[datetime]
    person_id: Mapped[UUID] = mapped_column(ForeignKey("people.id"))


class ChannelAccount(Base):
    """One organisation's account on one channel. The link survives pausing; keys are sealed and never shown again.

    `look_id`, `look_until`: who looks at it now, and until when. `quiet_until`: the shop asked us not to call before.
    `looks_failing_since`: when a look failed for the first time since the last one that told something.
    `currency_checked_at`: when the shop last said in which currency it sells; machine time.
    `host_backwards`: the host of `base_url`, its last letter first, so that an index has the hosts below another one together.
    """

    __tablename__ = "channel_accounts"
    __table_args__ = (
        one_of("legal_kind", LEGAL_KINDS),
        one_of("state", ("active", "paused", "broken")),
        CheckConstraint("(legal_kind = 'marketplace') = (floor_id IS NOT NULL)", name="floor"),
        Index("ix_channel_accounts_organisation_id", "organisation_id"),
        Index("ix_channel_accounts_host_backwards", "host_backwards"),
        UniqueConstraint("id", "organisation_id"),
    )

    id: Mapped[Id]
    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"))
    channel: Mapped[str]
    floor_id: Mapped[UUID | None] = mapped_column(ForeignKey("floors.id"))
    legal_kind: Mapped[str]
    name: Mapped[str]
    base_url: Mapped[str]
    host_backwards: Mapped[str | None] = mapped_column(
        Text(collation="C"), Computed("reverse(lower(\"substring\"(base_url, '//([^/?#]*)'::text)))", persisted=True)
    )
    credentials_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    stock_buffer: Mapped[int] = mapped_column(Integer, default=0)
    state: Mapped[str]
    error: Mapped[Words | None]
    look_id: Mapped[UUID | None]
    look_until: Mapped[datetime | None]
    quiet_until: Mapped[datetime | None]
    looks_failing_since: Mapped[datetime | None]
    currency_checked_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(Integer, default=1)


class AccountCheck(Base):
    """A shop is asked whether it takes these keys, in the background; once it does, the account is connected or gets them.

    `account_id`: the account to be, or the one that `renews` its keys. `shown`: what was typed and is no secret. The keys are
    sealed, and gone once the shop has answered. `asking_until`: somebody asks it now.
    """

    __tablename__ = "account_checks"
    __table_args__ = (
        one_of("state", ("waiting", "done", "refused")),
        CheckConstraint("(state = 'waiting') = (credentials_sealed IS NOT NULL)", name="credentials_sealed"),
        Index("ix_account_checks_organisation_id", "organisation_id"),
        Index("ix_account_checks_waiting", "id", postgresql_where=text("state = 'waiting'")),
    )

    id: Mapped[Id]
    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"))
    account_id: Mapped[UUID]
    renews: Mapped[bool] = mapped_column(Boolean)
    channel: Mapped[str]
    name: Mapped[str]
    stock_buffer: Mapped[int] = mapped_column(Integer)
    shown: Mapped[dict[str, Any]]
    credentials_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    state: Mapped[str]
    asking_until: Mapped[datetime | None]
    error: Mapped[Words | None]
    error_code: Mapped[str | None]
    error_field: Mapped[str | None]
    shop_name: Mapped[str | None]
    issues: Mapped[list[Any]] = mapped_column(default=list)
    asked_by: Mapped[UUID] = mapped_column(ForeignKey("people.id"))
    asked_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]

    @property
    def warnings(self) -> list[Words]:
        """The shop's settings that a person should look at, though it is connected."""
        return [Words.kept_in(issue) for issue in self.issues]


class Listing(Base):
    """What we want of one variant on one account, and how far we are. Never says whether it is live: observations do.

    applied_stock   the stock that the shop last told us; what is missing from it later was sold there
    sent_stocks     the stock of the pushes whose outcome nobody knows yet
    sold_there      how many were sold there and are not in our ledger yet (see reckoning)
    recorded_there  how many were sold there and are in our ledger
    spot_sales      how many of the ledger's sales were surely not this shop's when its number was last read
    sent_skus       the SKUs under which an item may have been made while `remote_id` is unknown
    mends           how often in a row we put right what was changed there, without seeing it stay right
    failing_since   the first failure since the last push that succeeded
    note            what the seller should know or do though nothing stopped: which (`note_code`) and since when (`note_at`)
    recall_paused   a recall took it off sale, not the seller: it comes back by itself
    last_seen_at    when the marketplace last answered about it; `last_...` is what it said then. None: never
    kept_at         the `seen_at` of its newest observation, which says the same and may be older (see sightings)
    changed_at      when what it says there last changed, or was last pushed: how soon to look again follows it
    """

    __tablename__ = "listings"
    __table_args__ = (
        one_of("wanted", ("live", "unlisted")),
        one_of("state", STATES),
        UniqueConstraint("account_id", "variant_id"),
        UniqueConstraint("id", "organisation_id"),
        ForeignKeyConstraint(
            ["account_id", "organisation_id"], ["channel_accounts.id", "channel_accounts.organisation_id"]
        ),
        ForeignKeyConstraint(["variant_id", "organisation_id"], ["variants.id", "variants.organisation_id"]),
        Index("ix_listings_product_id", "product_id"),
        Index("ix_listings_created_at", "organisation_id", "created_at", "id"),
        Index("ix_listings_next_look_at", "next_look_at", postgresql_where=text("remote_id IS NOT NULL")),
    )

    id: Mapped[Id]
    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"))
    account_id: Mapped[UUID]
    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.id"))
    variant_id: Mapped[UUID]
    wanted: Mapped[str]
    wanted_version: Mapped[int] = mapped_column(Integer, default=1)
    applied_version: Mapped[int] = mapped_column(Integer, default=0)
    remote_id: Mapped[str | None]
    state: Mapped[str]
    error_code: Mapped[str | None]
    error: Mapped[Words | None]
    failures: Mapped[int] = mapped_column(Integer, default=0)
    failing_since: Mapped[datetime | None]
    applied_stock: Mapped[int | None] = mapped_column(Integer)
    sent_stocks: Mapped[list[Any]] = mapped_column(default=list)
    sold_there: Mapped[int] = mapped_column(Integer, default=0)
    recorded_there: Mapped[int] = mapped_column(Integer, default=0)
    spot_sales: Mapped[int | None] = mapped_column(Integer)
    sent_skus: Mapped[list[Any]] = mapped_column(default=list)
    mends: Mapped[int] = mapped_column(Integer, default=0)
    note_code: Mapped[str | None]
    note: Mapped[Words | None]
    note_at: Mapped[datetime | None]
    recall_paused: Mapped[bool] = mapped_column(Boolean, default=False)
    lease_id: Mapped[UUID | None]
    lease_until: Mapped[datetime | None]
    next_look_at: Mapped[datetime | None]
    announced_at: Mapped[datetime | None]
    last_seen_at: Mapped[datetime | None]
    last_live: Mapped[bool | None] = mapped_column(Boolean)
    last_buyable: Mapped[bool | None] = mapped_column(Boolean)
    last_raw_state: Mapped[str | None]
    last_url: Mapped[str | None]
    last_price_dong: Mapped[int | None] = mapped_column(BigInteger)
    last_stock: Mapped[int | None] = mapped_column(Integer)
    last_reasons: Mapped[list[Any] | None]
    kept_at: Mapped[datetime | None]
    changed_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class ListingObservation(Base):
    """What the marketplace itself answered at `seen_at`. Append-only, and partitioned by the month of it.

    Written when something changed, and twice a day at most while nothing does; what that means for a moment of the past is
    said in `queries.listings.sightings_at`. `before_until`: when the row before this one was last seen to hold.
    `live`: a buyer could open its page. `buyable`: and put it in a basket; if not, `reasons` may say that it was sold out.
    """

    __tablename__ = "listing_observations"
    __table_args__ = (
        ForeignKeyConstraint(["listing_id", "organisation_id"], ["listings.id", "listings.organisation_id"]),
        Index("ix_listing_observations_listing_id", "listing_id", "seen_at"),
        {"postgresql_partition_by": "RANGE (seen_at)"},
    )

    id: Mapped[Id]
    listing_id: Mapped[UUID]
    organisation_id: Mapped[UUID]
    seen_at: Mapped[datetime] = mapped_column(primary_key=True)
    before_until: Mapped[datetime | None]
    live: Mapped[bool]
    buyable: Mapped[bool]
    raw_state: Mapped[str]
    url: Mapped[str | None]
    price_dong: Mapped[int | None] = mapped_column(BigInteger)
    stock: Mapped[int | None] = mapped_column(Integer)
    reasons: Mapped[list[Any]]


class DeclaredListing(Base):
    """A pasted link to a floor that we cannot ask; it counts only once somebody from outside has confirmed it."""

    __tablename__ = "declared_listings"
    __table_args__ = (
        UniqueConstraint("id", "organisation_id"),
        ForeignKeyConstraint(["product_id", "organisation_id"], ["products.id", "products.organisation_id"]),
        Index("ix_declared_listings_product_id", "product_id"),
        Index("ix_declared_listings_organisation_id", "organisation_id"),
        Index(
            "uq_declared_listings_open",
            "product_id",
            "url",
            unique=True,
            postgresql_where=text("withdrawn_at IS NULL"),
        ),
    )

    id: Mapped[Id]
    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"))
    product_id: Mapped[UUID]
    floor_id: Mapped[UUID] = mapped_column(ForeignKey("floors.id"))
    url: Mapped[str]
    declared_by: Mapped[UUID] = mapped_column(ForeignKey("people.id"))
    declared_at: Mapped[datetime]
    withdrawn_at: Mapped[datetime | None]


class DeclaredConfirmation(Base):
    """A second person looked, on a day, and kept a picture of what was on sale (or not). Append-only.

    `by_colleague`: they belonged to the seller, its member households or its cooperative, as it stood when they looked.
    """

    __tablename__ = "declared_confirmations"
    __table_args__ = (
        ForeignKeyConstraint(
            ["declared_listing_id", "organisation_id"], ["declared_listings.id", "declared_listings.organisation_id"]
        ),
        Index("ix_declared_confirmations_declared_listing_id", "declared_listing_id", "seen_on"),
    )

    id: Mapped[Id]
    declared_listing_id: Mapped[UUID]
    organisation_id: Mapped[UUID]
    on_sale: Mapped[bool]
    confirmed_by: Mapped[UUID] = mapped_column(ForeignKey("people.id"))
    seen_on: Mapped[date]
    photo_sha256: Mapped[str]
    recorded_at: Mapped[datetime]
    by_colleague: Mapped[bool]


class ChannelCall(Base):
    """One conversation with a channel, without secrets; partitioned by the month it happened in."""

    __tablename__ = "channel_calls"
    __table_args__ = (
        Index("ix_channel_calls_listing_id", "listing_id"),
        {"postgresql_partition_by": "RANGE (at)"},
    )

    id: Mapped[Id]
    at: Mapped[datetime] = mapped_column(primary_key=True)
    account_id: Mapped[UUID]
    organisation_id: Mapped[UUID]
    listing_id: Mapped[UUID | None]
    verb: Mapped[str]
    outcome: Mapped[str]
    milliseconds: Mapped[int] = mapped_column(Integer)
    detail: Mapped[str]

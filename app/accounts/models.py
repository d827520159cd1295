"""People under random ids, their one row of personal data, organisations, dated roles, and what signs people in."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, FetchedValue, ForeignKey, Index, Integer, LargeBinary, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.actor import Role
from app.db import Base, Id, dated, folded, in_order, one_of


class OrganisationKind(StrEnum):
    """Glossary: hộ, tổ hợp tác, hợp tác xã, doanh nghiệp, cơ quan."""

    HOUSEHOLD = "household"
    COOPERATIVE_GROUP = "cooperative_group"
    COOPERATIVE = "cooperative"
    ENTERPRISE = "enterprise"
    AUTHORITY = "authority"


class AddressAs(StrEnum):
    """How a person wants to be addressed; decides no right."""

    BAC = "bác"
    CHI = "chị"
    ANH = "anh"
    CO = "cô"
    CHU = "chú"
    ONG = "ông"
    BA = "bà"


class SignInMethod(StrEnum):
    PASSWORD = "password"  # noqa: S105 - the name of a way, not a secret
    CARD = "card"


class CardRequestState(StrEnum):
    WAITING = "waiting"
    CONFIRMED = "confirmed"
    REFUSED = "refused"


class Purpose(StrEnum):
    """What a person may agree to, one by one. PHOTO_PUBLIC is asked no more; what was answered is kept."""

    ACCOUNT = "account"
    DIARY = "diary"
    PUBLIC_NAME = "public_name"
    PHOTO_PUBLIC = "photo_public"
    NOTICES_EMAIL = "notices_email"


class RequestKind(StrEnum):
    """What a person may ask about their own data (Law 91/2025/QH15)."""

    SEE = "see"
    CORRECT = "correct"
    WITHDRAW = "withdraw"
    RESTRICT = "restrict"
    OBJECT = "object"
    ERASE = "erase"


class Person(Base):
    """Somebody, under a random id. Everything else, hashes included, holds only this id."""

    __tablename__ = "people"

    id: Mapped[Id]
    created_at: Mapped[datetime]
    erased_at: Mapped[datetime | None]


class PersonalData(Base):
    """The only personal data of a person; erasing is deleting this row. A farmer may have no phone of their own."""

    __tablename__ = "personal_data"
    __table_args__ = (
        one_of("address_as", AddressAs),
        CheckConstraint("phone ~ '^[+][0-9]{8,15}$'", name="phone"),
        CheckConstraint("language ~ '^[a-z]{2,3}(_[A-Za-z]+)*$'", name="language"),
        UniqueConstraint("phone"),
    )

    person_id: Mapped[UUID] = mapped_column(ForeignKey("people.id"), primary_key=True)
    phone: Mapped[str | None]
    full_name: Mapped[str]
    address_as: Mapped[str]
    email: Mapped[str | None]
    language: Mapped[str]
    updated_at: Mapped[datetime]


class Organisation(Base):
    """A household's name is a local label without personal data. A 12-digit tax code is a personal number: never public.

    `province_id` follows the seat, written by the database: who oversees a province is found by it.
    """

    __tablename__ = "organisations"
    __table_args__ = (
        one_of("kind", OrganisationKind),
        CheckConstraint("tax_code ~ '^([0-9]{10}|[0-9]{12}|[0-9]{10}-[0-9]{3})$'", name="tax_code"),
        CheckConstraint("kind = 'household' OR length(tax_code) <> 12", name="personal_number"),
        CheckConstraint("kind = 'authority' OR commune_id IS NOT NULL", name="commune"),
        UniqueConstraint("tax_code"),
        Index("ix_organisations_village_id", "village_id"),
        Index("ix_organisations_of_commune", "commune_id", "name_sorted", "id"),
        Index("ix_organisations_name_sorted", "name_sorted", "id"),
        Index(
            "ix_organisations_name_folded",
            "name_folded",
            postgresql_using="gin",
            postgresql_ops={"name_folded": "gin_trgm_ops"},
        ),
    )

    id: Mapped[Id]
    kind: Mapped[str]
    name: Mapped[str]
    name_folded: Mapped[str] = folded("name")
    name_sorted: Mapped[str] = in_order("name")
    tax_code: Mapped[str | None]
    village_id: Mapped[UUID | None] = mapped_column(ForeignKey("places.id"))
    commune_id: Mapped[UUID | None] = mapped_column(ForeignKey("places.id"))
    province_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("places.id"), server_default=FetchedValue(), server_onupdate=FetchedValue()
    )
    created_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(Integer, default=1)


class Membership(Base):
    """A person's role in an organisation over time. `valid_to` is the last day; `place_id` what an official answers for."""

    __tablename__ = "memberships"
    __table_args__ = (
        one_of("role", Role),
        *dated(),
        Index("ix_memberships_person_id", "person_id", "recorded_at", "id"),
        Index("ix_memberships_organisation_id", "organisation_id"),
        Index(
            "uq_memberships_open",
            "person_id",
            "organisation_id",
            "role",
            "place_id",
            unique=True,
            postgresql_where=text("valid_to IS NULL"),
            postgresql_nulls_not_distinct=True,
        ),
    )

    id: Mapped[Id]
    person_id: Mapped[UUID] = mapped_column(ForeignKey("people.id"))
    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"))
    role: Mapped[str]
    place_id: Mapped[UUID | None] = mapped_column(ForeignKey("places.id"))
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]
    recorded_at: Mapped[datetime]
    granted_by: Mapped[UUID | None]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[UUID | None]


class RoleOffer(Base):
    """A role that somebody known already was offered by an organisation they do not belong to: a role only once accepted."""

    __tablename__ = "role_offers"
    __table_args__ = (
        one_of("role", ("farmer", "cooperative_manager", "purchaser")),
        CheckConstraint("(answered_at IS NULL) = (accepted IS NULL)", name="answered"),
        CheckConstraint("withdrawn_at IS NULL OR answered_at IS NULL", name="withdrawn"),
        Index("ix_role_offers_organisation_id", "organisation_id"),
        Index("ix_role_offers_person_id", "person_id"),
        Index(
            "uq_role_offers_open",
            "person_id",
            "organisation_id",
            "role",
            unique=True,
            postgresql_where=text("answered_at IS NULL AND withdrawn_at IS NULL"),
        ),
    )

    id: Mapped[Id]
    person_id: Mapped[UUID] = mapped_column(ForeignKey("people.id"))
    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"))
    role: Mapped[str]
    offered_at: Mapped[datetime]
    offered_by: Mapped[UUID | None]
    answered_at: Mapped[datetime | None]
    accepted: Mapped[bool | None]
    withdrawn_at: Mapped[datetime | None]
    withdrawn_by: Mapped[UUID | None]


class HouseholdMembership(Base):
    """A household is thành viên of a cooperative; while it is, the cooperative reads and writes on its behalf."""

    __tablename__ = "household_memberships"
    __table_args__ = (
        *dated(),
        CheckConstraint("household_id <> cooperative_id", name="two"),
        Index("ix_household_memberships_household_id", "household_id"),
        Index("ix_household_memberships_cooperative_id", "cooperative_id"),
        Index(
            "uq_household_memberships_open",
            "household_id",
            "cooperative_id",
            unique=True,
            postgresql_where=text("valid_to IS NULL"),
        ),
    )

    id: Mapped[Id]
    household_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"))
    cooperative_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"))
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]
    recorded_at: Mapped[datetime]
    granted_by: Mapped[UUID | None]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[UUID | None]


class Credential(Base):
    """A password's argon2 hash. `must_change`: somebody else chose it and said it aloud.

    `tries_since`: wrong tries before this moment of machine time count no more.
    """

    __tablename__ = "credentials"

    person_id: Mapped[UUID] = mapped_column(ForeignKey("people.id"), primary_key=True)
    password_hash: Mapped[str]
    must_change: Mapped[bool]
    changed_at: Mapped[datetime]
    tries_since: Mapped[datetime | None]


class SignInAttempt(Base):
    """For the limits only: keyed digests of number, address and known device, in machine time, forgotten after a day."""

    __tablename__ = "sign_in_attempts"
    __table_args__ = (
        Index("ix_sign_in_attempts_phone", "phone_digest", "at"),
        Index("ix_sign_in_attempts_address", "address_digest", "at"),
        Index("ix_sign_in_attempts_at", "at"),
    )

    id: Mapped[Id]
    phone_digest: Mapped[bytes] = mapped_column(LargeBinary)
    address_digest: Mapped[bytes] = mapped_column(LargeBinary)
    device_digest: Mapped[bytes | None] = mapped_column(LargeBinary)
    at: Mapped[datetime]
    succeeded: Mapped[bool]


class Card(Base):
    """A printed card. Its secret and PIN are derived from the installation's key and this id; only a digest is kept.

    Unbound, it is good until `expires_at`; after its first binding every other phone asks the cooperative.
    """

    __tablename__ = "cards"
    __table_args__ = (
        UniqueConstraint("secret_sha256"),
        Index("ix_cards_person_id", "person_id"),
        Index("ix_cards_organisation_id", "organisation_id"),
        Index(
            "uq_cards_open", "person_id", "organisation_id", unique=True, postgresql_where=text("revoked_at IS NULL")
        ),
    )

    id: Mapped[Id]
    person_id: Mapped[UUID] = mapped_column(ForeignKey("people.id"))
    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"))
    secret_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    pin_tries: Mapped[int] = mapped_column(Integer, default=0)
    printed_at: Mapped[datetime]
    printed_by: Mapped[UUID | None]
    expires_at: Mapped[datetime]
    bound_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    revoked_by: Mapped[UUID | None]


class Device(Base):
    """A phone that a card was bound to; its cookie's digest only."""

    __tablename__ = "devices"
    __table_args__ = (
        UniqueConstraint("token_sha256"),
        Index("ix_devices_person_id", "person_id"),
        Index("ix_devices_card_id", "card_id"),
        Index("ix_devices_organisation_id", "organisation_id"),
    )

    id: Mapped[Id]
    person_id: Mapped[UUID] = mapped_column(ForeignKey("people.id"))
    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"))
    card_id: Mapped[UUID] = mapped_column(ForeignKey("cards.id"))
    token_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    description: Mapped[str]
    bound_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    revoked_by: Mapped[UUID | None]


class CardRequest(Base):
    """A phone that scanned a card and waits for the cooperative's "Đúng người". `number` is shown on both screens."""

    __tablename__ = "card_requests"
    __table_args__ = (
        one_of("state", CardRequestState),
        CheckConstraint("(state = 'waiting') = (decided_at IS NULL)", name="decided"),
        Index("ix_card_requests_card_id", "card_id"),
        Index("ix_card_requests_organisation_id", "organisation_id", "state"),
    )

    id: Mapped[Id]
    card_id: Mapped[UUID] = mapped_column(ForeignKey("cards.id"))
    person_id: Mapped[UUID] = mapped_column(ForeignKey("people.id"))
    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisations.id"))
    token_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    description: Mapped[str]
    number: Mapped[int] = mapped_column(Integer)
    asked_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    state: Mapped[str]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[UUID | None]


class SignIn(Base):
    """One signed-in browser; its cookie's digest only. Times are the machine's."""

    __tablename__ = "sign_ins"
    __table_args__ = (
        one_of("method", SignInMethod),
        UniqueConstraint("token_sha256"),
        Index("ix_sign_ins_person_id", "person_id"),
        Index("ix_sign_ins_device_id", "device_id"),
    )

    id: Mapped[Id]
    person_id: Mapped[UUID] = mapped_column(ForeignKey("people.id"))
    device_id: Mapped[UUID | None] = mapped_column(ForeignKey("devices.id"))
    token_sha256: Mapped[bytes] = mapped_column(LargeBinary)
    method: Mapped[str]
    description: Mapped[str]
    started_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[UUID | None]


class Consent(Base):
    """A yes or a no to one purpose, under one version of the text that was shown. Append-only: the newest counts."""

    __tablename__ = "consents"
    __table_args__ = (one_of("purpose", Purpose), Index("ix_consents_person_id", "person_id", "purpose", "recorded_at"))

    id: Mapped[Id]
    person_id: Mapped[UUID] = mapped_column(ForeignKey("people.id"))
    purpose: Mapped[str]
    given: Mapped[bool]
    text_version: Mapped[str]
    text_sha256: Mapped[str]
    language: Mapped[str]
    recorded_at: Mapped[datetime]
    sign_in_id: Mapped[UUID | None]


class DataRequest(Base):
    """What a person asked about their data, and by when the law wants it answered and done (Decree 356/2025)."""

    __tablename__ = "data_requests"
    __table_args__ = (
        one_of("kind", RequestKind),
        CheckConstraint("(answered_at IS NULL) = (answer IS NULL)", name="answered"),
        Index("ix_data_requests_person_id", "person_id"),
        Index("ix_data_requests_open", "fulfil_due_at", postgresql_where=text("fulfilled_at IS NULL")),
    )

    id: Mapped[Id]
    person_id: Mapped[UUID] = mapped_column(ForeignKey("people.id"))
    kind: Mapped[str]
    detail: Mapped[str]
    received_at: Mapped[datetime]
    answer_due_at: Mapped[datetime]
    fulfil_due_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    answer: Mapped[str | None]
    answered_by: Mapped[UUID | None]
    fulfilled_at: Mapped[datetime | None]

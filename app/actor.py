"""Who acts: a frozen value built from a sign-in, or one of SYSTEM and PUBLIC."""

from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID


class Role(StrEnum):
    """What a person may be in an organisation. Vietnamese terms stand in the glossary."""

    FARMER = "farmer"
    COOPERATIVE_MANAGER = "cooperative_manager"
    PURCHASER = "purchaser"
    EXTENSION_OFFICER = "extension_officer"
    VILLAGE_OFFICER = "village_officer"
    DIGITAL_GROUP = "digital_group"
    COMMUNE_OFFICIAL = "commune_official"
    PROVINCE_OFFICIAL = "province_official"
    CERTIFIER = "certifier"
    ADMINISTRATOR = "administrator"


OFFICIAL_ROLES = frozenset(
    {
        Role.EXTENSION_OFFICER,
        Role.VILLAGE_OFFICER,
        Role.DIGITAL_GROUP,
        Role.COMMUNE_OFFICIAL,
        Role.PROVINCE_OFFICIAL,
        Role.ADMINISTRATOR,
    }
)


@dataclass(frozen=True, slots=True)
class Membership:
    """One current role. `place_id` is the place an official answers for; None for others."""

    organisation_id: UUID
    role: Role
    place_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Actor:
    """`organisations` are those whose rows this actor reads and writes: own ones, and the households that a
    cooperative's membership lets it act for. `places` are the ids of every place an official answers for,
    descendants included. `must_change_password`: somebody else told them the password, which opens nothing but its change.
    """

    kind: str
    person_id: UUID | None = None
    memberships: tuple[Membership, ...] = ()
    organisations: frozenset[UUID] = frozenset()
    places: frozenset[UUID] = frozenset()
    device_id: UUID | None = None
    sign_in_id: UUID | None = None
    request_id: str = ""
    language: str = "vi"
    must_change_password: bool = False

    @property
    def is_person(self) -> bool:
        return self.kind == "person"

    @property
    def is_official(self) -> bool:
        return any(m.role in OFFICIAL_ROLES for m in self.memberships)

    @property
    def roles(self) -> frozenset[Role]:
        return frozenset(m.role for m in self.memberships)

    def has(self, *roles: Role, organisation_id: UUID | None = None) -> bool:
        """Holds one of the roles, in that organisation when one is named."""
        return any(
            m.role in roles and (organisation_id is None or m.organisation_id == organisation_id)
            for m in self.memberships
        )

    def organisations_as(self, *roles: Role) -> tuple[UUID, ...]:
        """Own organisations in which one of the roles is held, in a stable order."""
        return tuple(sorted({m.organisation_id for m in self.memberships if m.role in roles}))

    def with_request(self, request_id: str) -> "Actor":
        return replace(self, request_id=request_id)


SYSTEM = Actor(kind="system")
PUBLIC = Actor(kind="public")

"""The actor: a frozen value built from a sign-in, or one of SYSTEM and PUBLIC; and what it may do where, by name."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from uuid import UUID

from app.errors import forbidden


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


class Right(StrEnum):
    """What somebody may do somewhere. `accounts.named_rights` says which role gives it where; docs/glossary.md has the table.

    The values are the names that row-level security asks for, see `db.actor_settings` and `migrations.rules.may`.
    """

    FARM = "farm"  # is one of the household's own people
    REPRESENT = "represent"  # is one of the holder's own people: what they write is not written for somebody else
    KEEP_DIARY = "keep_diary"  # sites, seasons and steps
    VOUCH_AS_COOPERATIVE = "vouch_as_cooperative"
    VOUCH_AS_OFFICER = "vouch_as_officer"
    VOUCH_AS_NEIGHBOUR = "vouch_as_neighbour"
    RECORD_FINDING = "record_finding"  # what a certifier saw, in the diary of a site
    CORRECT_FINDING = "correct_finding"  # of this certifying organisation
    HANDLE_GOODS = "handle_goods"  # batches, codes, stock
    RECALL_BATCH = "recall_batch"  # hold, release, recall, lift a recall
    PRINT_LABELS = "print_labels"  # whole sheets of them
    MANAGE_PRODUCTS = "manage_products"  # products, packs, prices, certificates
    SELL = "sell"  # shops' accounts, listings, declared links
    CONFIRM_LINK = "confirm_link"  # look at a declared link
    MANAGE_PEOPLE = "manage_people"  # an organisation's name, seat, people and their roles
    MANAGE_MEMBERS = "manage_members"  # a cooperative's households and their cards
    OVERSEE = "oversee"  # read what is said of a place
    RECORD_AS_DIGITAL_GROUP = "record_as_digital_group"  # facts of a village, under the recorder's own witness
    RECORD_AS_VILLAGE = "record_as_village"
    RECORD_AS_OFFICER = "record_as_officer"
    RECORD_AS_COMMUNE = "record_as_commune"
    RECORD_AS_PROVINCE = "record_as_province"
    SET_PROVINCE_RULES = "set_province_rules"  # places, floors, the province's choices
    ADMINISTER = "administer"  # organisations, every role, requests about data


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a right holds: in organisations by id, for what lies in places (those below them included), or everywhere.

    `units` are the places that the roles name, without those below: what row-level security is told of `places`.
    """

    organisations: frozenset[UUID] = frozenset()
    places: frozenset[UUID] = frozenset()
    everywhere: bool = False
    units: frozenset[UUID] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.organisations or self.places or self.everywhere)

    def __or__(self, other: "Scope") -> "Scope":
        return Scope(
            self.organisations | other.organisations if other.organisations else self.organisations,
            self.places | other.places if other.places else self.places,
            everywhere=self.everywhere or other.everywhere,
            units=self.units | other.units,
        )


NOWHERE = Scope()


@dataclass(frozen=True, slots=True)
class Membership:
    """One current role. `place_id` is the place an official answers for; None for others."""

    organisation_id: UUID
    role: Role
    place_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Actor:
    """`organisations` and `places` are whose rows this actor reads: own organisations in whichever role, the households of
    cooperatives they manage, and every place they answer for, descendants included. They say nothing of what may be done
    there: that is one question, `may`. `units` are the places that their roles name, of which `places` are what lies below:
    questions over many rows ask by `units`. `rights` come from `accounts.named_rights` and nowhere else.
    `must_change_password`: somebody else told them the password, which opens nothing but its change.
    """

    kind: str
    person_id: UUID | None = None
    memberships: tuple[Membership, ...] = ()
    organisations: frozenset[UUID] = frozenset()
    places: frozenset[UUID] = frozenset()
    units: frozenset[UUID] = frozenset()
    rights: Mapping[Right, Scope] = field(default_factory=dict, hash=False)
    device_id: UUID | None = None
    sign_in_id: UUID | None = None
    request_id: str = ""
    language: str = "vi"
    must_change_password: bool = False

    @property
    def is_person(self) -> bool:
        return self.kind == "person"

    @property
    def roles(self) -> frozenset[Role]:
        return frozenset(m.role for m in self.memberships)

    def has(self, *roles: Role, organisation_id: UUID | None = None) -> bool:
        """Holds one of the roles, in that organisation when one is named. For what a menu shows: what may be done where is
        asked with `may`.
        """
        return any(
            m.role in roles and (organisation_id is None or m.organisation_id == organisation_id)
            for m in self.memberships
        )

    def reads(self, organisation_id: UUID) -> bool:
        """Whether the rows of this organisation are the actor's to read, for no place's sake; it gives nothing to change."""
        return self.kind == "system" or organisation_id in self.organisations

    def may(self, right: Right, organisation_id: UUID) -> bool:
        """Whether the right holds in this organisation. SYSTEM may everything."""
        scope = self.rights.get(right, NOWHERE)
        return self.kind == "system" or scope.everywhere or organisation_id in scope.organisations

    def may_at(self, right: Right, *place_ids: UUID | None) -> bool:
        """Whether the right holds for what lies in one of these places."""
        scope = self.rights.get(right, NOWHERE)
        return self.kind == "system" or scope.everywhere or not scope.places.isdisjoint(place_ids)

    def may_everywhere(self, right: Right) -> bool:
        return self.kind == "system" or self.rights.get(right, NOWHERE).everywhere

    def may_somewhere(self, *rights: Right) -> bool:
        """Whether there is anything at all to do with one of these rights: for doors and menus."""
        return self.kind == "system" or any(right in self.rights for right in rights)

    def where(self, right: Right) -> frozenset[UUID]:
        """The organisations in which the right holds, by name; see `may`."""
        return self.rights.get(right, NOWHERE).organisations

    def places_where(self, right: Right) -> frozenset[UUID]:
        return self.rights.get(right, NOWHERE).places

    def only(self, right: Right) -> "Actor":
        """The same person reading only where the right holds."""
        if self.kind == "system":
            return self
        scope = self.rights.get(right, NOWHERE)
        return replace(self, organisations=scope.organisations, places=scope.places, units=scope.units)

    def also(self, organisation_ids: Collection[UUID], *rights: Right) -> "Actor":
        """The same person who reads these organisations too, and has these rights in them."""
        more = Scope(frozenset(organisation_ids))
        wider = {right: self.rights.get(right, NOWHERE) | more for right in rights}
        return replace(self, organisations=self.organisations | more.organisations, rights={**self.rights, **wider})

    def with_request(self, request_id: str) -> "Actor":
        return replace(self, request_id=request_id)


SYSTEM = Actor(kind="system")
PUBLIC = Actor(kind="public")


def check_may(actor: Actor, right: Right, organisation_id: UUID) -> None:
    """Raises Forbidden unless the right holds in this organisation."""
    if not actor.may(right, organisation_id):
        raise forbidden()


def check_may_everywhere(actor: Actor, right: Right) -> None:
    """Raises Forbidden unless the right holds everywhere."""
    if not actor.may_everywhere(right):
        raise forbidden()

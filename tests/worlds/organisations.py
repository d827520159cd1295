"""Two cooperatives with a household each, made by the verbs themselves, as the people who may."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, text

from app.accounts import (
    actors,
    card_requests,
    card_scans,
    cards,
    households,
    organisations,
    passwords,
    people,
    queries,
    signin,
)
from app.accounts.models import AddressAs, Card, CardRequest, OrganisationKind, SignInMethod
from app.accounts.schemas import HouseholdIn, OrganisationIn, PersonIn, PrintCard
from app.accounts.signin import Granted
from app.actor import SYSTEM, Actor, Role
from app.db import Database, new_id
from app.errors import HoiError
from tests.worlds.rows import a_place

KEY = b"k" * 32
PASSWORD = "bon chu de nho"
ADMIN_PHONE = "0912 000 001"
PHONE = "a phone's cookie"
OTHER_PHONE = "another phone's cookie"


@dataclass
class Province:
    """Ids by name: minh manages `coop` with Lành's `household`; khac manages `other` with Sáu's `other_household`."""

    database: Database
    ids: dict[str, UUID] = field(default_factory=dict)

    def __getitem__(self, name: str) -> UUID:
        return self.ids[name]

    def actor(self, name: str) -> Actor:
        with self.database.transaction(SYSTEM) as session:
            return actors.actor_for(session, self[name])

    def rows(self, sql: str, **values: Any) -> list[Any]:
        with self.database.transaction(SYSTEM) as session:
            return list(session.execute(text(sql), values).all())

    def one(self, sql: str, **values: Any) -> Any:
        return self.rows(sql, **values)[0][0]

    def organisation(self, name: str, kind: OrganisationKind, commune: str | None) -> None:
        admin = self.actor("admin")
        self.ids[name] = new_id()
        with self.database.transaction(admin) as session:
            commune_id = self[commune] if commune else None
            organisations.create_organisation(
                session, admin, OrganisationIn(id=self[name], kind=kind, name=f"Đơn vị {name}", commune_id=commune_id)
            )

    def person(
        self, by: str, at: str, name: str, full_name: str, role: Role, phone: str | None, place: str | None = None
    ) -> None:
        actor = self.actor(by)
        form = PersonIn(
            id=new_id(),
            full_name=full_name,
            address_as=AddressAs.BAC,
            phone=phone,
            role=role,
            place_id=self[place] if place else None,
        )
        with self.database.transaction(actor) as session:
            self.ids[name] = people.add_person(session, actor, self[at], form)

    def household(self, by: str, cooperative: str, name: str, village: str) -> None:
        actor = self.actor(by)
        self.ids[name] = new_id()
        form = HouseholdIn(id=self[name], name=f"Hộ {name}", village_id=self[village])
        with self.database.transaction(actor) as session:
            households.add_household(session, actor, self[cooperative], form)

    def also(self, name: str, at: str, role: Role) -> None:
        """One more role for somebody, by the administrator, who may give it anywhere."""
        admin = self.actor("admin")
        with self.database.transaction(SYSTEM) as session:
            data = queries.looked_after(session, SYSTEM, self[name])
            form = PersonIn(
                id=new_id(),
                full_name=data.full_name,
                address_as=AddressAs.BAC,
                phone=data.phone,
                role=role,
                place_id=self["commune"] if role == Role.COMMUNE_OFFICIAL else None,
            )
        with self.database.transaction(admin) as session:
            assert people.add_person(session, admin, self[at], form) == self[name]

    def password(self, name: str, password: str = PASSWORD) -> None:
        with self.database.transaction(SYSTEM) as session:
            passwords.set_password(session, SYSTEM, self[name], password, must_change=False)

    def granted(self, name: str, method: SignInMethod = SignInMethod.PASSWORD) -> Granted:
        with self.database.transaction(SYSTEM) as session:
            return signin.start(session, SYSTEM, self[name], method=method, agent="Firefox")

    def who(self, token: str) -> Actor:
        with self.database.transaction(SYSTEM) as session:
            return actors.actor_from_token(session, token, "")

    def phone(self, name: str) -> str:
        with self.database.transaction(SYSTEM) as session:
            return queries.looked_after(session, SYSTEM, self[name]).phone or ""


def make_places(province: Province) -> None:
    with province.database.transaction(SYSTEM) as session:
        for name, level, parent in (
            ("province", "province", None),
            ("commune", "commune", "province"),
            ("village", "village", "commune"),
            ("far_commune", "commune", "province"),
            ("far_village", "village", "far_commune"),
        ):
            above = province[parent] if parent else None
            place = a_place(level, f"Mẫu {name}", f"T{len(province.ids)}", above)
            session.add(place)
            session.flush()
            province.ids[name] = place.id


def make_province(database: Database) -> Province:
    made = Province(database)
    make_places(made)
    with database.transaction(SYSTEM) as session:
        made.ids["admin"] = people.create_first_administrator(session, ADMIN_PHONE, PASSWORD, "Hoàng Quản Trị")
    made.organisation("coop", OrganisationKind.COOPERATIVE, "commune")
    made.organisation("other", OrganisationKind.COOPERATIVE, "far_commune")
    made.organisation("office", OrganisationKind.AUTHORITY, "commune")
    made.person("admin", "coop", "minh", "Vi Văn Minh", Role.COOPERATIVE_MANAGER, "0912 000 002")
    made.person("admin", "other", "khac", "Lý Thị Khác", Role.COOPERATIVE_MANAGER, "0912 000 003")
    made.person("admin", "office", "xa", "Nông Văn Xã", Role.COMMUNE_OFFICIAL, "0912 000 004", "commune")
    made.household("minh", "coop", "household", "village")
    made.household("khac", "other", "other_household", "far_village")
    made.person("minh", "household", "lanh", "Hoàng Thị Lành", Role.FARMER, "0912 000 005")
    made.person("khac", "other_household", "sau", "Triệu Văn Sáu", Role.FARMER, None)
    return made


def somebody(name: str = "Lò Thị Mới", phone: str | None = "0987 654 321", role: Role = Role.FARMER) -> PersonIn:
    return PersonIn(id=new_id(), full_name=name, address_as=AddressAs.CHI, phone=phone, role=role)


def counts(province: Province) -> list[int]:
    tables = ("people", "personal_data", "organisations", "memberships", "household_memberships", "outbox_events")
    return [province.one(f"SELECT count(*) FROM {t}") for t in tables]


def roles_of(province: Province, name: str) -> list[str]:
    sql = "SELECT role FROM memberships WHERE person_id = :p AND valid_to IS NULL ORDER BY role"
    return [r.role for r in province.rows(sql, p=province[name])]


class Desk:
    """One cooperative's card for Lành, and what phones and managers do with it."""

    def __init__(self, province: Province, by: str = "minh", at: str = "coop", whose: str = "lanh") -> None:
        self.province = province
        self.by, self.at, self.whose = by, at, whose
        self.print()

    def print(self, **more: Any) -> None:
        manager = self.province.actor(self.by)
        form = PrintCard(id=new_id(), person_id=self.province[self.whose], **more)
        with self.province.database.transaction(manager) as session:
            card = cards.print_card(session, manager, self.province[self.at], form, key=KEY)
            _, self.secret, self.pin = cards.printed(session, manager, card.id, key=KEY)
        self.id = card.id

    @property
    def wrong_pin(self) -> str:
        return f"{(int(self.pin) + 1) % 10000:04d}"

    def scan(self, phone: str = PHONE) -> card_scans.Scan:
        with self.province.database.transaction(SYSTEM) as session:
            return card_scans.scan(session, self.secret, device_token=phone)

    def by_pin(self, pin: str, phone: str = PHONE) -> Granted | HoiError:
        with self.province.database.transaction(SYSTEM) as session:
            return card_scans.enter_by_pin(
                session, self.secret, pin, key=KEY, device_token=phone, agent="Chrome Android"
            )

    def enter(self, phone: str = PHONE) -> Granted:
        with self.province.database.transaction(SYSTEM) as session:
            return card_scans.enter(session, self.secret, device_token=phone, agent="Chrome Android")

    def ask(self, phone: str = PHONE) -> CardRequest:
        with self.province.database.transaction(SYSTEM) as session:
            return card_requests.ask(session, self.secret, new_id(), device_token=phone, agent="Chrome Android")

    def decide(self, request: CardRequest, *, right: bool, by: str = "minh") -> None:
        manager = self.province.actor(by)
        with self.province.database.transaction(manager) as session:
            card_requests.decide(session, manager, request.id, right_person=right)

    def age(self, table: type[Card | CardRequest], by: timedelta) -> None:
        with self.province.database.transaction(SYSTEM) as session:
            for row in session.scalars(select(table)):
                row.expires_at -= by

    def devices(self) -> int:
        return int(self.province.one("SELECT count(*) FROM devices WHERE revoked_at IS NULL"))

    def who(self, granted: Granted) -> Actor:
        return self.province.who(granted.token)


def held_about(province: Province) -> dict[str, list[Any]]:
    """Every row that a deed over one's own person could write."""
    tables = ("people", "personal_data", "credentials", "memberships", "household_memberships", "cards", "devices", "sign_ins", "consents",
              "data_requests", "outbox_events", "audit_entries")  # fmt: skip
    return {t: province.rows(f"SELECT x::text FROM {t} x ORDER BY 1") for t in tables}

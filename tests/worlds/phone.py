"""Invented people of an invented village: a household of two, its cooperative, an extension officer, and strangers."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from app import clock
from app.accounts import actors, signin
from app.accounts.models import (
    HouseholdMembership,
    Membership,
    Person,
    PersonalData,
    SignInMethod,
)
from app.actor import SYSTEM, Actor, Role
from app.db import Database, Words, new_id
from app.products.models import Product
from app.trace.models import Batch, BatchSource, CareLog, Cycle, Site, SiteVillage
from tests.worlds.rows import a_place, an_organisation

LONG_AGO = date(2024, 1, 1)
PhoneOf = Callable[[str], FlaskClient]


@dataclass
class World:
    """Ids by name. People: lanh and pao (household), mui (manager), vy (officer), xa (a stranger's household)."""

    database: Database
    ids: dict[str, UUID] = field(default_factory=dict)

    def __getitem__(self, name: str) -> UUID:
        return self.ids[name]

    def token(self, person: str) -> str:
        """A sign-in as after typing the password."""
        with self.database.transaction(SYSTEM) as session:
            granted = signin.start(session, SYSTEM, self[person], method=SignInMethod.PASSWORD, agent="thử")
        return granted.token

    def actor(self, person: str) -> Actor:
        with self.database.transaction(SYSTEM) as session:
            return actors.actor_for(session, self[person])

    def site(self, name: str, household: str, label: str, kind: str, *, photo: str | None = None) -> UUID:
        with self.database.transaction(SYSTEM) as session:
            return self._site(session, name, household, label, kind, photo)

    def _site(
        self, session: Session, name: str, household: str, label: str, kind: str, photo: str | None = None
    ) -> UUID:
        site = Site(
            id=new_id(),
            organisation_id=self[household],
            name=label,
            kind=kind,
            photo_sha256=photo,
            created_at=clock.now(),
        )
        session.add(site)
        session.flush()
        session.add(
            SiteVillage(
                site_id=site.id,
                organisation_id=self[household],
                village_id=self["village"],
                valid_from=LONG_AGO,
                recorded_at=clock.now(),
            )
        )
        self.ids[name] = site.id
        return site.id

    def cycle(self, site: str, household: str, crop: str, *, started: date, harvest: date | None) -> UUID:
        with self.database.transaction(SYSTEM) as session:
            row = Cycle(
                id=new_id(),
                organisation_id=self[household],
                site_id=self[site],
                crop=Words(vi=crop),
                started_on=started,
                expected_harvest_on=harvest,
                created_at=clock.now(),
            )
            session.add(row)
        return row.id

    def log(self, kind: str, at: datetime, *, site: str = "hill", by: str = "lanh", **more: Any) -> UUID:
        values: dict[str, Any] = {"witness": "farmer", "photos": [], "performed_by": self[by]}
        with self.database.transaction(SYSTEM) as session:
            place = session.get_one(Site, self[site])
            row = CareLog(
                id=new_id(),
                organisation_id=place.organisation_id,
                site_id=place.id,
                kind=kind,
                happened_at=at,
                recorded_at=at,
                written_by=self[by],
                content_sha256=new_id().hex,
                **(values | more),
            )
            session.add(row)
        return row.id

    def lot(self, name: str, harvest: UUID, kilos: str) -> None:
        """A lot of the cooperative, made from this harvest of the household."""
        with self.database.transaction(SYSTEM) as session:
            product = Product(
                id=new_id(),
                organisation_id=self["cooperative"],
                name=Words(vi="Na dai"),
                ocop_group=1,
                ocop_scheme_year=2025,
                created_at=clock.now(),
            )
            session.add(product)
            session.flush()
            batch = Batch(
                id=new_id(),
                organisation_id=self["cooperative"],
                product_id=product.id,
                lot=name,
                harvested_on=clock.today(),
                quantity=Decimal(kilos),
                unit="kg",
                made_on=clock.today(),
                created_at=clock.now(),
                content_sha256=new_id().hex,
            )
            session.add(batch)
            session.flush()
            session.add(
                BatchSource(
                    batch_id=batch.id,
                    care_log_id=harvest,
                    organisation_id=self["cooperative"],
                    log_organisation_id=self["household"],
                    quantity=Decimal(kilos),
                    unit="kg",
                )
            )

    def logs(self) -> list[CareLog]:
        """Every row in the order of writing."""
        with self.database.transaction(SYSTEM) as session:
            return list(session.query(CareLog).order_by(CareLog.position))


def make_world(database: Database) -> World:
    world = World(database)
    with database.transaction(SYSTEM) as session:
        _places(session, world)
        _organisations(session, world)
        _person(session, world, "lanh", "Hoàng Thị Lành", "bác", "+84900000011")
        _person(session, world, "pao", "Hoàng Văn Páo", "anh", None)
        _person(session, world, "mui", "Nông Thị Mùi", "chị", "+84900000012")
        _person(session, world, "vy", "Lương Vy", "chị", "+84900000013")
        _person(session, world, "xa", "Vi Văn Xa", "chú", "+84900000014")
        _role(session, world, "lanh", "household", Role.FARMER)
        _role(session, world, "pao", "household", Role.FARMER)
        _role(session, world, "mui", "cooperative", Role.COOPERATIVE_MANAGER)
        _role(session, world, "vy", "authority", Role.EXTENSION_OFFICER, place="village")
        _role(session, world, "xa", "far_household", Role.FARMER)
        session.add(
            HouseholdMembership(
                household_id=world["household"],
                cooperative_id=world["cooperative"],
                valid_from=LONG_AGO,
                recorded_at=clock.now(),
            )
        )
        world._site(session, "hill", "household", "Đồi na", "orchard")
        world._site(session, "far_hill", "far_household", "Nương xa", "plot")
    return world


def _places(session: Session, world: World) -> None:
    parent: UUID | None = None
    for key, level, name, code in (
        ("province", "province", "Lạng Thử", "P1"),
        ("commune", "commune", "Chi Thử", "C1"),
        ("village", "village", "Nà Mẫu", "V1"),
        ("far_commune", "commune", "Xa Thử", "C2"),
        ("far_village", "village", "Nà Xa", "V2"),
    ):
        above = world.ids.get("province") if level == "commune" else parent
        row = a_place(level, name, code, above)
        session.add(row)
        session.flush()
        world.ids[key] = parent = row.id


def _organisations(session: Session, world: World) -> None:
    for key, kind, name, village, commune in (
        ("household", "household", "Hộ số 12 Nà Mẫu", "village", "commune"),
        ("far_household", "household", "Hộ số 3 Nà Xa", "far_village", "far_commune"),
        ("cooperative", "cooperative", "HTX Nà Mẫu", "village", "commune"),
        ("authority", "authority", "Trạm khuyến nông Chi Thử", None, "commune"),
    ):
        row = an_organisation(kind, name, world[commune], world[village] if village else None)
        session.add(row)
        world.ids[key] = row.id
    session.flush()


def _person(session: Session, world: World, key: str, name: str, address: str, phone: str | None) -> None:
    person = Person(id=new_id(), created_at=clock.now())
    session.add(person)
    session.flush()
    session.add(
        PersonalData(
            person_id=person.id,
            phone=phone,
            full_name=name,
            address_as=address,
            language="vi",
            updated_at=clock.now(),
        )
    )
    world.ids[key] = person.id


def _role(session: Session, world: World, person: str, organisation: str, role: Role, place: str | None = None) -> None:
    session.add(
        Membership(
            person_id=world[person],
            organisation_id=world[organisation],
            role=role,
            place_id=world[place] if place else None,
            valid_from=LONG_AGO,
            recorded_at=clock.now(),
        )
    )
    session.flush()


def ago(**span: float) -> datetime:
    return clock.now() - timedelta(**span)


def kilos(number: str) -> dict[str, Any]:
    return {"quantity": Decimal(number), "unit": "kg"}

"""Two villages of two communes, written as rows: who records there, what is made there, where it is on sale."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select, update

from app import clock
from app.accounts.models import Membership as Held
from app.accounts.models import Organisation, Person
from app.actor import SYSTEM, Actor, Membership, Role
from app.criteria import assessments, queries, village_facts
from app.criteria.models import VillageAssessment
from app.criteria.rules import Answer, Assessment
from app.criteria.schemas import VALUES, NewVillageFact
from app.db import Database, Words, new_id, sort_key
from app.marketplace_sync.models import (
    ChannelAccount,
    DeclaredConfirmation,
    DeclaredListing,
    Floor,
    FloorDecision,
    Listing,
    ListingObservation,
)
from app.places.models import Place, Premises
from app.products.models import Certificate, Product, ProductVillage, Variant
from app.trace.models import CareLog, Site, SiteVillage
from tests.actors import acting
from tests.app.files import sent
from tests.sightings import was_seen
from tests.worlds.rows import a_place, an_organisation

NOW = datetime(2026, 11, 23, 3, tzinfo=UTC)  # ten in the morning in Vietnam
TODAY = date(2026, 11, 23)
LONG_AGO = datetime(2026, 1, 5, 3, tzinfo=UTC)
PROOF = "ab" * 32


@dataclass
class Province:
    """Ids, actors and verbs. Everything not said otherwise happens in `village`, and long ago."""

    database: Database
    stop_clock: Callable[[datetime], None]
    ids: dict[str, UUID] = field(default_factory=dict)
    actors: dict[str, Actor] = field(default_factory=dict)

    def __getattr__(self, name: str) -> UUID:
        try:
            return self.ids[name]
        except KeyError:
            raise AttributeError(name) from None

    def add(self, *rows: Any) -> None:
        with self.database.transaction(SYSTEM) as session:
            for row in rows:
                session.add(row)
                session.flush()

    def actor(self, role: Role, *places: str) -> Actor:
        """A person with the role for the first of the places; the others lie below it."""
        person, office = new_id(), self.ids["office"]
        made = acting(
            Membership(office, role, self.ids[places[0]]), places=[self.ids[p] for p in places], person_id=person
        )
        self.add(
            Person(id=person, created_at=LONG_AGO),
            Held(
                person_id=person,
                organisation_id=office,
                role=role,
                place_id=self.ids[places[0]],
                valid_from=date(2026, 1, 1),
                recorded_at=LONG_AGO,
            ),
        )
        with self.database.transaction(SYSTEM) as session:
            sent(session, made, PROOF)
        return made

    # --- what people record

    def record(
        self,
        kind: str,
        ago: int = 10,
        *,
        village: str = "village",
        who: str = "officer",
        subject: UUID | None = None,
        evidence: tuple[str, ...] = (PROOF,),
        withdrawn: bool = False,
        **value: object,
    ) -> NewVillageFact:
        """As the pages do it, on the day it was seen."""
        new = NewVillageFact(
            id=new_id(),
            kind=kind,
            subject=subject or new_id(),
            observed_on=clock.today() - timedelta(days=ago),
            evidence=evidence,
            withdrawn=withdrawn,
        )
        with self.database.transaction(self.actors[who]) as session:
            village_facts.record_village_fact(
                session, self.actors[who], self.ids[village], new, VALUES[kind].model_validate(value)
            )
        return new

    def group(self, activities: int = 3) -> None:
        self.record(
            "digital_group", 100, decision_number="12/QĐ-UBND", decided_on="2026-02-01", issuer="UBND xã", members=5
        )
        for number in range(activities):
            self.record("group_activity", 5 + number, topic="Thanh toán bằng mã QR", people=9)

    def model(self, name: str, ago: int = 10, **more: Any) -> NewVillageFact:
        value = {"title": "Mô hình", "participants": 5, "started_on": "2026-03-01", "tool": "Điện thoại"}
        evidence = more.pop("evidence", (PROOF,))
        return self.record("model", ago, evidence=evidence, **(value | {"field": name} | more))

    def premises(self, households: int, offices: int = 0) -> list[UUID]:
        rows = [
            Premises(
                id=new_id(),
                village_id=self.village,
                kind=kind,
                label=f"{word} số {number}",
                valid_from=date(2026, 1, 1),
                recorded_at=LONG_AGO,
            )
            for kind, word, count in (("household", "Hộ", households), ("office", "Trụ sở", offices))
            for number in range(1, count + 1)
        ]
        self.add(*rows)
        return [r.id for r in rows]

    # --- what is made, and where it is on sale

    def product(self, name: str, until: date | None = date(2027, 6, 30)) -> UUID:
        """With an OCOP certificate until then; None: without one."""
        product, variant = new_id(), new_id()
        rows: list[Any] = [
            Product(id=product, organisation_id=self.cooperative, name=Words(vi=name), created_at=LONG_AGO),
            Variant(
                id=variant,
                organisation_id=self.cooperative,
                product_id=product,
                sku=name,
                name=Words(vi="Hộp"),
                price_dong=120_000,
                created_at=LONG_AGO,
            ),
        ]
        self.add(*rows)
        self.ids[name] = product
        self.ids[f"{name}/variant"] = variant
        if until is not None:
            self.certify(product, until)
        return product

    def certify(self, product: UUID, until: date) -> None:
        self.add(
            Certificate(
                organisation_id=self.cooperative,
                product_id=product,
                scheme="ocop",
                issuer="UBND tỉnh",
                decision_number="45/QĐ-UBND",
                decided_on=date(2024, 7, 1),
                stars=4,
                valid_from=date(2024, 7, 1),
                valid_to=until,
                recorded_at=LONG_AGO,
                content_sha256=new_id().hex,
            )
        )

    def certified_by_mistake(self, name: str) -> None:
        """Its certificates are withdrawn from their first day, which is known from now on."""
        with self.database.transaction(SYSTEM) as session:
            rows = session.scalars(select(Certificate).where(Certificate.product_id == self.ids[name])).all()
        kept = (
            "organisation_id", "product_id", "scheme", "issuer", "decision_number", "decided_on", "stars", "valid_from",
            "valid_to",
        )  # fmt: skip
        for row in rows:
            facts = {column: getattr(row, column) for column in kept}
            self.add(
                Certificate(
                    **facts,
                    supersedes_id=row.id,
                    withdrawn_on=row.valid_from,
                    recorded_at=clock.now(),
                    content_sha256=new_id().hex,
                )
            )

    def made_in(self, name: str, village: str) -> None:
        row = ProductVillage(
            product_id=self.ids[name],
            organisation_id=self.cooperative,
            village_id=self.ids[village],
            valid_from=date(2026, 1, 1),
            recorded_at=LONG_AGO,
        )
        self.add(row)

    def moved_away(self, name: str, last_day: date) -> None:
        """Made in its village until that day, which is learned on the next."""
        told = clock.start_of_day(last_day + timedelta(days=1))
        with self.database.transaction(SYSTEM) as session:
            session.execute(
                update(ProductVillage)
                .where(ProductVillage.product_id == self.ids[name])
                .values(valid_to=last_day, ended_at=told)
            )

    def retire(self, name: str, on: date) -> None:
        with self.database.transaction(SYSTEM) as session:
            session.execute(update(Product).where(Product.id == self.ids[name]).values(retired_on=on))

    def seen(
        self, name: str, account: str = "on_floor", *, hours_ago: float = 2, live: bool = True, reasons: Any = ()
    ) -> None:
        """The account's marketplace answered so about the product."""
        key = f"{name}@{account}"
        if key not in self.ids:
            self.ids[key] = new_id()
            self.add(
                Listing(
                    id=self.ids[key],
                    organisation_id=self.cooperative,
                    account_id=self.ids[account],
                    product_id=self.ids[name],
                    variant_id=self.ids[f"{name}/variant"],
                    wanted="live",
                    state="live" if live else "blocked",
                    remote_id="7",
                    created_at=LONG_AGO,
                )
            )
        with self.database.transaction(SYSTEM) as session:
            was_seen(
                session,
                ListingObservation(
                    listing_id=self.ids[key],
                    organisation_id=self.cooperative,
                    seen_at=clock.now() - timedelta(hours=hours_ago),
                    live=live,
                    buyable=live,
                    raw_state="publish" if live else "banned",
                    url=f"https://san.example/{key}",
                    reasons=list(reasons),
                ),
            )

    def looked_at(
        self, name: str, picture: str, who: str = "officer", *, ago: int = 2, by_colleague: bool = False
    ) -> None:
        """A link on the counted floor was declared long ago, and a second person looked and kept this picture."""
        declared = new_id()
        self.add(
            DeclaredListing(
                id=declared,
                organisation_id=self.cooperative,
                product_id=self.ids[name],
                floor_id=self.ids["floor"],
                url=f"https://san.example/{name}",
                declared_by=self.actors["commune"].person_id,
                declared_at=LONG_AGO,
            ),
            DeclaredConfirmation(
                declared_listing_id=declared,
                organisation_id=self.cooperative,
                on_sale=True,
                confirmed_by=self.actors[who].person_id,
                seen_on=clock.today() - timedelta(days=ago),
                photo_sha256=picture,
                recorded_at=clock.now() - timedelta(days=ago),
                by_colleague=by_colleague,
            ),
        )

    def diary(self, household: str, steps: int, ago: int = 5) -> UUID:
        """A household of the village that wrote so many steps, a day apart."""
        organisation, site = new_id(), new_id()
        person = self.actors["officer"].person_id
        rows: list[Any] = [
            Organisation(
                id=organisation,
                kind="household",
                name=household,
                village_id=self.village,
                commune_id=self.commune,
                created_at=LONG_AGO,
                version=1,
            ),
            Site(id=site, organisation_id=organisation, name="Vườn na", kind="orchard", created_at=LONG_AGO),
            SiteVillage(
                site_id=site,
                organisation_id=organisation,
                village_id=self.village,
                valid_from=date(2026, 1, 1),
                recorded_at=LONG_AGO,
            ),
        ]
        for number in range(steps):
            at = clock.now() - timedelta(days=ago + number)
            rows.append(
                CareLog(
                    id=new_id(),
                    organisation_id=organisation,
                    site_id=site,
                    kind="irrigating",
                    happened_at=at,
                    recorded_at=at,
                    performed_by=person,
                    written_by=person,
                    witness="farmer",
                    photos=[],
                    content_sha256=new_id().hex,
                )
            )
        self.add(*rows)
        self.ids[household] = organisation
        return organisation

    def many_villages(self, number: int) -> list[UUID]:
        """More villages of the commune, every other one with an answer that its Wi-Fi, and it, are met."""
        ids = [new_id() for _ in range(number)]
        made = [
            {
                "id": one, "code": f"M{n:05}", "level": "village", "kind_word": "thôn", "name": f"Mới {n}",
                "sort_key": sort_key(f"Mới {n}"), "parent_id": self.commune, "valid_from": date(2025, 7, 1),
                "recorded_at": LONG_AGO,
            }
            for n, one in enumerate(ids)
        ]  # fmt: skip
        pack = queries.pack()
        answers = [
            {
                "id": new_id(), "village_id": one, "pack_id": pack.id, "pack_version": pack.version,
                "pack_sha256": pack.sha256, "as_of": TODAY, "computed_at": NOW, "confirmed_at": NOW, "overall": "met",
                "values": {c.id: "met" for c in pack.criterion}, "met": 6, "total": 6, "result": {}, "flags": [],
                "answer_sha256": "0" * 64, "next_change_on": None, "current": True,
            }
            for one in ids[::2]
        ]  # fmt: skip
        with self.database.transaction(SYSTEM) as session:
            session.execute(insert(Place), made)
            session.execute(insert(VillageAssessment), answers)
        return ids

    # --- asking

    def assess(
        self, village: str = "village", *, as_of: date | None = None, known_at: datetime | None = None
    ) -> Assessment:
        with self.database.transaction(SYSTEM) as session:
            return assessments.assess(
                session,
                [self.ids[village]],
                queries.pack(),
                as_of=as_of or clock.today(),
                known_at=known_at or clock.now(),
            )[self.ids[village]]

    def answer(self, clause: int, **when: Any) -> Answer:
        return next(r.answer for r in self.assess(**when).results if r.clause == clause)

    def derive(self, *villages: str) -> int:
        with self.database.transaction(SYSTEM) as session:
            return assessments.derive(session, SYSTEM, [self.ids[v] for v in villages or ("village",)])


def build(database: Database, stop_clock: Callable[[datetime], None]) -> Province:
    made = Province(database, stop_clock)
    names = ("province", "commune", "village", "sister", "other_commune", "foreign", "office", "cooperative")
    made.ids.update(
        {name: new_id() for name in (*names, "floor", "small_floor", "on_floor", "on_small_floor", "own_shop")}
    )

    def place(name: str, level: str, called: str, code: str, parent: str | None) -> Place:
        above = made.ids[parent] if parent else None
        since = date(2025, 7, 1)
        return a_place(level, called, code, above, place_id=made.ids[name], since=since, recorded_at=LONG_AGO)

    def organisation(name: str, kind: str, called: str, village: str | None) -> Organisation:
        seat = made.ids[village] if village else None
        return an_organisation(kind, called, made.commune, seat, organisation_id=made.ids[name], created_at=LONG_AGO)

    def floor(name: str, called: str) -> Floor:
        return Floor(
            id=made.ids[name],
            key=name,
            name=Words(vi=called),
            hosts=["san.example"],
            kind="marketplace",
            created_at=LONG_AGO,
        )

    def account(name: str, floor_name: str | None) -> ChannelAccount:
        return ChannelAccount(
            id=made.ids[name],
            organisation_id=made.cooperative,
            channel="woocommerce",
            floor_id=made.ids[floor_name] if floor_name else None,
            legal_kind="marketplace" if floor_name else "own_site",
            name="Cửa hàng HTX",
            base_url="https://san.example",
            credentials_sealed=b"",
            state="active",
            created_at=LONG_AGO,
        )

    made.add(
        place("province", "province", "Thử", "T99", None),
        place("commune", "commune", "Đồng Mẫu", "T9901", "province"),
        place("other_commune", "commune", "Khác", "T9902", "province"),
        place("village", "village", "Nà Mẫu", "T990101", "commune"),
        place("sister", "village", "Bản Thử", "T990102", "commune"),
        place("foreign", "village", "Xa", "T990201", "other_commune"),
        organisation("office", "authority", "UBND xã Đồng Mẫu", None),
        organisation("cooperative", "cooperative", "HTX Nà Mẫu", "village"),
    )
    made.actors["officer"] = made.actor(Role.VILLAGE_OFFICER, "village")
    made.actors["commune"] = made.actor(Role.COMMUNE_OFFICIAL, "commune", "village", "sister")
    made.actors["foreigner"] = made.actor(Role.COMMUNE_OFFICIAL, "other_commune", "foreign")
    made.actors["province"] = made.actor(
        Role.PROVINCE_OFFICIAL, "province", "commune", "village", "sister", "other_commune", "foreign"
    )
    made.add(
        floor("floor", "Sàn nông sản"),
        floor("small_floor", "Chợ lẻ"),
        FloorDecision(
            floor_id=made.floor,
            counted=True,
            effective_on=date(2026, 1, 1),
            legal_basis="Công văn 1",
            recorded_at=LONG_AGO,
            person_id=made.actors["province"].person_id,
        ),
        account("on_floor", "floor"),
        account("on_small_floor", "small_floor"),
        account("own_shop", None),
    )
    return made

"""Knowing the hash of a file opens nothing: it is attached only by who sent it, or may open it already."""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

import app
from app.accounts.models import PersonalData
from app.actor import SYSTEM, Actor, Role
from app.actor import Membership as Held
from app.criteria import village_facts
from app.criteria.models import VillageFact
from app.criteria.schemas import NewVillageFact, Wifi
from app.db import Database, Words, new_id
from app.doors.shared.queries import audience
from app.errors import Invalid, NotFound
from app.marketplace_sync import declared
from app.marketplace_sync.models import DeclaredConfirmation, Floor
from app.marketplace_sync.schemas import NewConfirmation, NewDeclared
from app.media import Upload
from app.places.models import Premises, PremisesKind
from app.products import certificates
from app.products import queries as products
from app.products import service as product_verbs
from app.products.models import Certificate, Product, Scheme
from app.products.schemas import EditProduct, NewCertificate, NewProduct
from app.trace import diary, sites
from app.trace import queries as trace
from app.trace.models import CareLog, Site
from app.trace.schemas import CorrectionIn, EditSite, NewSite
from tests.app.files import a_file, sent
from tests.worlds.farm import NOON, World, a_log, a_product, a_site, build

# Every field by which a hash comes in. A new one belongs into VERBS below, or into the form that such a verb is fed from.
TAKES_A_HASH = {
    "app.criteria.schemas.NewVillageFact.evidence",
    "app.doors.farmer.schemas.CareLogBody1.photos",
    "app.doors.farmer.schemas.SiteForm.photos",
    "app.doors.farmer.schemas.StepForm.photos",
    "app.marketplace_sync.schemas.NewConfirmation.photo_sha256",
    "app.products.schemas.NewCertificate.file_sha256",
    "app.products.schemas.ProductFacts.photo_sha256",
    "app.trace.schemas.SiteFacts.photo_sha256",
    "app.trace.schemas.StepFacts.photos",
}


def schemas(package: ModuleType) -> set[type[BaseModel]]:
    names = [m.name for m in pkgutil.walk_packages(package.__path__, "app.") if m.name.endswith(".schemas")]
    found = {one for name in names for one in vars(importlib.import_module(name)).values() if isinstance(one, type)}
    return {one for one in found if issubclass(one, BaseModel) and one is not BaseModel}


def test_every_field_that_takes_a_hash_is_walked() -> None:
    found = set()
    for model in schemas(app):
        own = model.__annotations__
        for name, shape in model.model_json_schema(mode="serialization").get("properties", {}).items():
            if "[0-9a-f]{64}" in str(shape) and name in own:
                found.add(f"{model.__module__}.{model.__qualname__}.{name}")
    assert found == TAKES_A_HASH


@dataclass(frozen=True)
class Case:
    database: Database
    people: World
    product: UUID
    site: UUID
    log: UUID
    link: UUID
    premises: UUID
    official: Actor


@pytest.fixture
def case(database: Database, clock_at: Callable[[datetime], None]) -> Case:
    clock_at(NOON)
    people = build(database)
    official = replace(people.official, memberships=(Held(new_id(), Role.COMMUNE_OFFICIAL, people.commune),))
    floor, link, premises, log = (new_id() for _ in range(4))
    with database.transaction(SYSTEM) as session:
        session.add(
            Floor(id=floor, key="san-thu", name=Words(vi="Sàn thử"), hosts=["san.example"], kind="marketplace",
                  created_at=NOON)
        )  # fmt: skip
        session.add(
            Premises(id=premises, village_id=people.village, kind=PremisesKind.HOUSEHOLD, label="Hộ số 1",
                     valid_from=date(2026, 1, 1), recorded_at=NOON)
        )  # fmt: skip
        session.add(
            PersonalData(person_id=people.farmer.person_id, full_name="Người Thử", address_as="bác", language="vi",
                         updated_at=NOON)
        )  # fmt: skip
    product = a_product(database, people)
    site = a_site(database, people.farmer, people.household, people.village)
    with database.transaction(people.farmer) as session:
        diary.record_care_logs(session, people.farmer, [a_log(site, id=log)])
    with database.transaction(people.manager) as session:
        new = NewDeclared(id=link, product_id=product, floor_id=floor, url="https://san.example/na")
        declared.declare(session, people.manager, new)
    return Case(database, people, product, site, log, link, premises, official)


def create_site(case: Case, session: Session, digest: str) -> object:
    world = case.people
    facts = {"name": "Vườn mới", "kind": "orchard", "village_id": world.village, "photo_sha256": digest}
    return sites.create_site(
        session, world.farmer, NewSite.model_validate(facts | {"id": new_id(), "organisation_id": world.household})
    )


def edit_site(case: Case, session: Session, digest: str) -> object:
    row = trace.site(session, case.people.farmer, case.site)
    facts = {"name": "Vườn trên", "kind": "orchard", "village_id": case.people.village, "version": row.version}
    return sites.update_site(
        session, case.people.farmer, case.site, EditSite.model_validate(facts | {"photo_sha256": digest})
    )


def record_step(case: Case, session: Session, digest: str) -> object:
    (outcome,) = diary.record_care_logs(session, case.people.farmer, [a_log(case.site, photos=(digest,))])
    if outcome.error is not None:
        raise outcome.error
    return outcome


def correct_step(case: Case, session: Session, digest: str) -> object:
    facts = {"id": new_id(), "site_id": case.site, "kind": "weeding", "happened_at": NOON - timedelta(days=1)}
    new = CorrectionIn.model_validate(facts | {"photos": (digest,), "reason": "thêm ảnh"})
    return diary.correct_care_log(session, case.people.farmer, case.log, new)


def create_product(case: Case, session: Session, digest: str) -> object:
    new = NewProduct(
        id=new_id(), organisation_id=case.people.cooperative, name_vi="Na bở", photo_sha256=digest,
        village_ids=(case.people.village,),
    )  # fmt: skip
    return product_verbs.create_product(session, case.people.manager, new)


def edit_product(case: Case, session: Session, digest: str) -> object:
    row = products.product(session, case.people.manager, case.product)
    facts = EditProduct(name_vi="Na dai", photo_sha256=digest, village_ids=(case.people.village,), version=row.version)
    return product_verbs.update_product(session, case.people.manager, case.product, facts)


def certify(case: Case, session: Session, digest: str) -> object:
    new = NewCertificate(
        id=new_id(), organisation_id=case.people.cooperative, product_id=case.product, scheme=Scheme.OCOP,
        issuer="UBND tỉnh", decision_number="45/QĐ-UBND", decided_on=date(2026, 7, 1), stars=4, file_sha256=digest,
    )  # fmt: skip
    return certificates.record_certificate(session, case.people.manager, new)


def look(case: Case, session: Session, digest: str) -> object:
    new = NewConfirmation(
        id=new_id(), declared_listing_id=case.link, on_sale=True, seen_on=NOON.date(), photo_sha256=digest
    )
    return declared.confirm(session, case.official, new)


def record_wifi(case: Case, session: Session, digest: str) -> object:
    new = NewVillageFact(id=new_id(), kind="wifi", subject=new_id(), observed_on=NOON.date(), evidence=(digest,))
    return village_facts.record_village_fact(session, case.official, case.people.village, new, Wifi(available=True))


def record_addresses(case: Case, session: Session, digest: str) -> object:
    return village_facts.record_digital_addresses(
        session, case.official, case.people.village, codes={case.premises: "0123456789"}, observed_on=NOON.date(),
        evidence=(digest,),
    )  # fmt: skip


VERBS: dict[str, tuple[Callable[[Case, Session, str], object], str, str]] = {
    "create_site": (create_site, "farmer", "photo_unknown"),
    "edit_site": (edit_site, "farmer", "photo_unknown"),
    "record_step": (record_step, "farmer", "photo_unknown"),
    "correct_step": (correct_step, "farmer", "photo_unknown"),
    "create_product": (create_product, "manager", "photo_unknown"),
    "edit_product": (edit_product, "manager", "photo_unknown"),
    "certify": (certify, "manager", "file_unknown"),
    "look": (look, "official", "picture_needed"),
    "record_wifi": (record_wifi, "official", "file_unknown"),
    "record_addresses": (record_addresses, "official", "file_unknown"),
}
WRITTEN = (Site, CareLog, Product, Certificate, DeclaredConfirmation, VillageFact)


def actor_of(case: Case, who: str) -> Actor:
    found: Actor = case.official if who == "official" else getattr(case.people, who)
    return found


def everything(database: Database) -> list[Any]:
    with database.transaction(SYSTEM) as session:
        pointing = [
            session.scalars(select(column).where(column.is_not(None))).all()
            for column in (Site.photo_sha256, Product.photo_sha256, Certificate.file_sha256)
        ]
        return [*(session.scalar(select(func.count()).select_from(table)) for table in WRITTEN), *pointing]


@pytest.mark.parametrize("verb", VERBS)
def test_who_knows_a_hash_attaches_it_only_after_sending_the_file(case: Case, verb: str) -> None:
    """Of another cooperative, of nobody, and a list that came to be imported: refused in the same words as an unknown one."""
    act, who, code = VERBS[verb]
    actor = actor_of(case, who)
    theirs, import_list, mine = "aa" * 32, "bb" * 32, "cc" * 32
    with case.database.transaction(SYSTEM) as session:
        sent(session, case.people.stranger, theirs)
        a_file(session, import_list, "import")
        sent(session, actor, mine)
    before = everything(case.database)
    for digest in ("ee" * 32, theirs, import_list):
        with pytest.raises(Invalid) as refused, case.database.transaction(actor) as session:
            act(case, session, digest)
        assert (refused.value.code, everything(case.database)) == (code, before)
        with case.database.transaction(actor) as session, pytest.raises(NotFound):
            audience(session, actor, digest)
    with case.database.transaction(actor) as session:
        act(case, session, mine)
    assert everything(case.database) != before


@pytest.mark.parametrize("verb", VERBS)
def test_what_hangs_on_a_record_that_one_may_open_is_attached_again_after_the_week(case: Case, verb: str) -> None:
    """As when a form keeps the picture that was there: who sent it is forgotten by then."""
    act, who, _code = VERBS[verb]
    actor, digest = actor_of(case, who), "dd" * 32
    with case.database.transaction(SYSTEM) as session:
        sent(session, actor, digest)
    with case.database.transaction(actor) as session:
        act(case, session, digest)
    with case.database.transaction(SYSTEM) as session:
        session.execute(delete(Upload))
    again = {"create_product": edit_product, "certify": edit_product, "record_addresses": record_wifi}.get(verb, act)
    with case.database.transaction(actor) as session:
        again(case, session, digest)

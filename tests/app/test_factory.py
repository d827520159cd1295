"""The file of one's own data: what every part holds about a person, and nothing of anybody else's."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from app import audit
from app.accounts.models import PersonalData
from app.actor import SYSTEM, Actor
from app.criteria.models import VillageFact
from app.db import Base, Database, Words, new_id
from app.factory import DATA_ABOUT_ME, create_app
from app.marketplace_sync.models import DeclaredConfirmation, DeclaredListing, Floor
from app.notices.models import Notice, NoticeDelivery
from app.settings import Settings
from app.trace.models import CareLog
from tests.app.browsers import browser_of
from tests.worlds.farm import NOON, World, a_product, a_site, build

SECRET_NAME, SECRET_PHONE = "Nông Thị Bí Mật", "+84912999888"
AT = NOON - timedelta(days=1)


@pytest.fixture
def world(database: Database, clock_at: Callable[[datetime], None]) -> World:
    clock_at(NOON)
    return build(database)


def log(site: UUID, holder: UUID, writer: Actor, **facts: Any) -> CareLog:
    return CareLog(**{
        "id": new_id(), "organisation_id": holder, "site_id": site, "kind": "weeding", "witness": "farmer",
        "happened_at": AT, "recorded_at": AT, "written_by": writer.person_id, "performed_by": writer.person_id,
        "photos": [], "content_sha256": new_id().hex,
    } | facts)  # fmt: skip


def the_file(settings: Settings, database: Database, actor: Actor) -> tuple[dict[str, Any], str]:
    app = create_app(settings, database)
    answer = browser_of(app, actor).get("/du-lieu-cua-toi/tai-ve")
    assert (answer.status_code, answer.is_json) == (200, True)
    return answer.json or {}, answer.get_data(as_text=True)


def test_the_file_of_ones_own_data_has_what_every_part_holds_and_nothing_of_others(
    settings: Settings, database: Database, world: World
) -> None:
    me, other = world.farmer, world.manager
    home = a_site(database, me, world.household, world.village, latitude="21.853", longitude="106.761")
    elsewhere = a_site(database, world.neighbour, world.other, world.village, name="Vườn bà Bí Mật")
    product = a_product(database, world)
    mine = log(home, world.household, me, note="Cỏ nhiều.", device_id=new_id())
    told = log(
        home,
        world.household,
        other,
        performed_by=me.person_id,
        note=f"Hỏi {SECRET_NAME} 0912 999 888",
        device_id=new_id(),
    )
    seen = log(elsewhere, world.other, other, witnessed_by=me.person_id, witness="neighbour", performed_by=None)
    notices = [
        Notice(id=new_id(), person_id=p.person_id, key=new_id().hex, reason="test", urgency="low", created_at=AT, link=None,
               title=Words(vi=f"Tin cho {who}"), body=Words(vi="Nội dung"))
        for p, who in ((me, "tôi"), (other, SECRET_NAME))
    ]  # fmt: skip
    facts = [
        VillageFact(id=new_id(), village_id=world.village, kind="wifi", subject=new_id(), value={"available": True},
                    observed_on=date(2026, 11, 1), recorded_at=AT, person_id=p.person_id, witness="village", evidence=[],
                    note=f"{who}", withdrawn=False)
        for p, who in ((me, "Tôi thấy"), (other, SECRET_NAME))
    ]  # fmt: skip
    floor = Floor(
        id=new_id(), key="thu", name=Words(vi="Sàn thử"), hosts=["san.example"], kind="marketplace", created_at=AT
    )
    pasted = [
        DeclaredListing(id=new_id(), organisation_id=world.cooperative, product_id=product, floor_id=floor.id,
                        url=f"https://san.example/{n}", declared_by=p.person_id, declared_at=AT)
        for n, p in enumerate((me, other))
    ]  # fmt: skip
    looks = [
        DeclaredConfirmation(id=new_id(), declared_listing_id=d.id, organisation_id=world.cooperative, on_sale=True,
                             confirmed_by=p.person_id, seen_on=date(2026, 11, 18), photo_sha256="ab" * 32, recorded_at=AT,
                             by_colleague=False)
        for d, p in ((pasted[1], me), (pasted[0], other))
    ]  # fmt: skip
    with database.transaction(SYSTEM) as session:
        session.add_all([
            PersonalData(person_id=me.person_id, phone="+84912000111", full_name="Lường Thử", address_as="bác", email=None,
                         language="vi", updated_at=AT),
            PersonalData(person_id=other.person_id, phone=SECRET_PHONE, full_name=SECRET_NAME, address_as="bà", email=None,
                         language="vi", updated_at=AT),
            mine, told, seen, log(home, world.household, other, note=SECRET_NAME), *notices, *facts, floor,
        ])  # fmt: skip
        session.flush()
        session.add(NoticeDelivery(notice_id=notices[0].id, carrier="app", state="sent", attempts=1, sent_at=AT))
        session.add_all(pasted)
        session.flush()
        session.add_all(looks)
        audit.record(session, me, "thử:việc:làm", organisation_id=world.foreign, count=2)
        audit.record(
            session, other, "thử:người:sửa", subject_id=me.person_id, organisation_id=world.household, by=SECRET_NAME
        )
        audit.record(session, other, "thử:khác:làm", organisation_id=world.cooperative)

    found, body = the_file(settings, database, me)

    at = AT.astimezone(UTC).isoformat()
    assert list(DATA_ABOUT_ME) == ["trail", "places", "notices", "products", "trace", "marketplace_sync", "criteria"]
    assert set(DATA_ABOUT_ME) <= set(found)
    step = {
        "organisation_id": str(world.household), "site_id": str(home), "cycle_id": None, "kind": "weeding",
        "happened_at": at, "recorded_at": at, "witness": "farmer", "material": None, "quantity": None, "unit": None,
        "pre_harvest_days": None, "photos": [], "corrects_id": None, "withdrawn": False, "time_doubtful": False,
    }  # fmt: skip
    assert found["trace"]["care_logs"] == [
        step | {"id": str(mine.id), "note": "Cỏ nhiều.", "reason": None, "device_id": str(mine.device_id),
                "performed_by_me": True, "written_by_me": True, "witnessed_by_me": False},
        step | {"id": str(told.id), "performed_by_me": True, "written_by_me": False, "witnessed_by_me": False},
        step | {"id": str(seen.id), "organisation_id": str(world.other), "site_id": str(elsewhere), "witness": "neighbour",
                "performed_by_me": False, "written_by_me": False, "witnessed_by_me": True},
    ]  # fmt: skip
    [plot] = found["trace"]["sites_of_my_household"]
    assert (plot["id"], plot["name"], plot["latitude"], plot["longitude"]) == (
        str(home),
        "Vườn trên",
        "21.853",
        "106.761",
    )
    assert [set(s) for s in found["trace"]["sites_recorded"]] == [{"id", "organisation_id", "kind", "created_at"}]
    assert {k for k, v in found["trace"].items() if not v} == {
        "conflicting_submissions", "cycles", "batches", "batch_events", "trace_codes", "stock_movements",
    }  # fmt: skip
    assert found["notices"] == {
        "told": [
            {"id": str(notices[0].id), "reason": "test", "urgency": "low", "title": {"vi": "Tin cho tôi", "en": None, "zh": None},
             "body": {"vi": "Nội dung", "en": None, "zh": None}, "link": None, "created_at": at, "seen_at": None}
        ],
        "deliveries": [
            {"notice_id": str(notices[0].id), "carrier": "app", "state": "sent", "attempts": 1, "sent_at": at}
        ],
    }  # fmt: skip
    assert found["criteria"] == {
        "village_facts": [
            {"id": str(facts[0].id), "village_id": str(world.village), "kind": "wifi", "subject": str(facts[0].subject),
             "value": {"available": True}, "observed_on": "2026-11-01", "recorded_at": at, "witness": "village",
             "evidence": [], "note": "Tôi thấy", "withdrawn": False, "supersedes_id": None}
        ],
        "parameter_choices": [],
    }  # fmt: skip
    assert found["marketplace_sync"] == {
        "declared": [
            {"id": str(pasted[0].id), "organisation_id": str(world.cooperative), "product_id": str(product),
             "floor_id": str(floor.id), "url": "https://san.example/0", "declared_at": at, "withdrawn_at": None}
        ],
        "confirmed": [
            {"id": str(looks[0].id), "declared_listing_id": str(pasted[1].id), "organisation_id": str(world.cooperative),
             "on_sale": True, "seen_on": "2026-11-18", "photo_sha256": "ab" * 32, "recorded_at": at,
             "by_colleague": False, "url": "https://san.example/1"}
        ],
        "floor_decisions": [],
    }  # fmt: skip
    trail = found["trail"]
    assert {e["action"]: (e["organisation_id"], e["detail"]) for e in trail["done_by_me"]}["thử:việc:làm"] == (
        str(world.foreign),
        {"count": 2},
    )
    assert [(e["action"], set(e)) for e in trail["about_me"]] == [
        ("thử:người:sửa", {"id", "at", "action", "organisation_id"})
    ]
    assert "thử:khác:làm" not in body
    assert (found["products"]["products"], found["places"]["names"]) == ([], [])
    for theirs in (
        "Bí Mật",
        "B\\u00ed M\\u1eadt",
        "912999888",
        "912 999 888",
        str(other.person_id),
        str(world.neighbour.person_id),
    ):
        assert theirs not in body, theirs
    assert "sha256" not in set(found["trace"]["care_logs"][0])


# Where a table names a person: either a part tells them of it, or here is why not.
TOLD = {
    "audit_entries.person_id", "card_requests.person_id", "cards.person_id", "care_logs.performed_by",
    "care_logs.witnessed_by", "care_logs.written_by", "consents.person_id", "conflicting_submissions.person_id",
    "cycles.person_id", "batch_events.person_id", "batches.person_id", "certificates.person_id",
    "data_requests.person_id", "declared_confirmations.confirmed_by", "declared_listings.declared_by",
    "devices.person_id", "floor_decisions.person_id", "jobs.person_id", "memberships.person_id", "notices.person_id",
    "parameter_choices.person_id", "personal_data.person_id", "place_attributes.person_id", "place_imports.person_id",
    "place_endings.person_id", "place_names.person_id", "premises.person_id", "role_offers.person_id", "product_villages.ended_by", "product_villages.person_id",
    "products.person_id", "sign_ins.person_id", "site_villages.ended_by", "site_villages.person_id", "sites.person_id",
    "stock_movements.person_id", "trace_codes.person_id", "uploads.person_id", "village_facts.person_id",
}  # fmt: skip
NOT_TOLD = {
    "account_checks.asked_by": "gone after a day; what came of it is told by the trail",
    "credentials.person_id": "a secret's digest",
    "outbox_events.person_id": "the same acts as the trail, for machines",
    # Who granted, ended, printed, decided or answered something for somebody else: told by the trail.
    "cards.printed_by": "trail", "cards.revoked_by": "trail", "card_requests.decided_by": "trail",
    "data_requests.answered_by": "trail", "devices.revoked_by": "trail", "household_memberships.ended_by": "trail",
    "household_memberships.granted_by": "trail", "memberships.ended_by": "trail", "memberships.granted_by": "trail",
    "role_offers.offered_by": "trail", "role_offers.withdrawn_by": "trail", "sign_ins.ended_by": "trail",
}  # fmt: skip


def test_every_column_that_names_a_person_is_told_or_left_out_on_purpose() -> None:
    named = {
        f"{table.name}.{column.name}"
        for table in Base.metadata.tables.values()
        for column in table.columns
        if column.type.python_type is UUID and (column.name == "person_id" or column.name.endswith("_by"))
    }
    assert named == TOLD | set(NOT_TOLD)

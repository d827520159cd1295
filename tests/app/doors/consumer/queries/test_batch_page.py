"""What the public page says, and that it says nothing else."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from app.actor import SYSTEM
from app.db import Database, Words, new_id
from app.doors.consumer import queries
from app.doors.consumer.queries import Line
from app.errors import NotFound
from app.products import certificates
from app.products.schemas import NewCertificate, WithdrawCertificate
from app.trace import batches
from app.trace.schemas import NewBatch
from tests.app.doors.consumer.queries.shown import NOW, page
from tests.worlds.farm import NOON, a_cycle, a_log, a_product, a_site, build, write


def test_the_page_names_product_people_place_and_harvest(world: Any) -> None:
    shown = page(world)
    assert shown.product == Words(vi="Na dai Chi Lăng", en="Chi Lang custard apple")
    assert shown.producer == "HTX nông sản Nà Mẫu"
    assert shown.growers == ("Hộ số 12 Nà Mẫu",)
    assert shown.villages == ("thôn Nà Mẫu, xã Chi Lăng Thử, tỉnh Mẫu Sơn Thử",)
    assert (shown.harvested_on, shown.quantity, shown.unit) == (date(2026, 8, 12), Decimal(640), "kg")
    assert (shown.kind, shown.state) == ("short", "open")


@pytest.mark.parametrize(
    ("events", "state"),
    [
        (["held"], "held"),
        (["held", "released"], "open"),
        (["recalled"], "recalled"),
        (["recalled", "held"], "recalled"),
        (["recalled", "recall_lifted"], "open"),
        (["held", "recalled", "recall_lifted"], "held"),
        (["recalled", "recall_lifted", "recalled"], "recalled"),
        (["packed"], "open"),
    ],
)
def test_the_last_decision_counts_and_a_recall_before_a_hold(world: Any, events: list[str], state: str) -> None:
    for kind in events:
        world.event(kind, "vì lý do thử")
    shown = page(world)
    assert shown.state == state
    assert (shown.state_reason is None) == (state == "open")


def test_nothing_changes_by_time_when_nothing_ends(world: Any) -> None:
    assert page(world).next_change_at is None


def test_an_unknown_code_is_not_found(world: Any) -> None:
    with pytest.raises(NotFound):
        queries.batch_page(world.session, "0000000000000")
    assert not queries.code_exists(world.session, "0000000000000")
    assert queries.code_exists(world.session, world.code)


PHONES = (
    "0912345678",
    "0912 345 678",
    "0912.345.678",
    "0912-345-678",
    "+84 912 345 678",
    "ĐT.0912345678",
    "tel_0912345678",
    "02053812345",
)


@pytest.mark.parametrize("phone", PHONES)
def test_no_telephone_number_in_any_text_that_people_type_reaches_the_page(world: Any, phone: str) -> None:
    words = Words(vi=f"Gọi {phone}", en=f"Call {phone}")
    for name, table in (("product", "products"), ("variant", "variants")):
        world.session.execute(text("SET ROLE NONE"))
        world.session.execute(
            text(f"UPDATE {table} SET name = CAST(:name AS jsonb) WHERE id = :id"),
            {"name": words.model_dump_json(exclude_none=True), "id": world.ids[name]},
        )
    world.session.execute(
        text("UPDATE organisations SET name = :name WHERE id = :id"),
        {"name": f"HTX {phone}", "id": world.ids["cooperative"]},
    )
    world.session.execute(text("SET ROLE hoi_app"))
    world.session.expire_all()
    world.certificate("12/QĐ", valid_to=date(2027, 6, 1), scope=words)
    world.certificate("13/QĐ", valid_to=date(2027, 6, 1), issuer=f"Trung tâm, {phone}")
    world.log("weeding", NOW - timedelta(days=200), material=f"theo {phone}")
    world.event("recalled", f"Ai đã mua gọi {phone} nhé")
    shown = page(world)
    said = repr(shown)
    assert re.sub(r"\D", "", phone)[-6:] not in re.sub(r"[ .-]", "", said)
    assert said.count("[số đã che]") == 11


def test_what_was_recorded_by_the_verbs_is_what_the_page_says_and_nothing_private(
    database: Database, clock_at: Callable[[datetime], None]
) -> None:
    """The whole way: a season's diary, certificates that hold and that ended, a batch and its code."""
    clock_at(NOON)
    farm = build(database)
    product = a_product(database, farm)
    site = a_site(database, farm.farmer, farm.household, farm.village, name="vườn bà Lành")
    cycle = a_cycle(database, farm.farmer, site, product, date(2026, 7, 15))
    for days_ago, kind, witness, facts in (
        (120, "fertilising", "farmer", {"material": "Phân chuồng hoai", "quantity": 3, "unit": "basket"}),
        (118, "fertilising", "cooperative", {"material": "Phân chuồng hoai", "quantity": 2, "unit": "basket"}),
        (40, "spraying", "farmer", {"material": "Dầu khoáng", "pre_harvest_days": 7}),
        (2, "harvesting", "farmer", {"quantity": 10, "unit": "kg"}),
    ):
        log = a_log(
            site, kind, days_ago, cycle_id=cycle, note="không công khai", witness=witness,
            performed_by=farm.farmer.person_id, **facts,
        )  # fmt: skip
        assert write(database, farm.manager if witness == "cooperative" else farm.farmer, log) == ["stored"]
    with database.transaction(farm.manager) as session:
        for number, decided_on in (("1/QĐ", "2024-01-10"), ("2/QĐ", "2026-02-01")):
            ended = certificates.record_certificate(
                session,
                farm.manager,
                NewCertificate(
                    id=new_id(), organisation_id=farm.cooperative, product_id=product, scheme="ocop", stars=4,
                    issuer="UBND tỉnh Thử", decision_number=number, decided_on=decided_on,
                ),
            )  # fmt: skip
            if number == "1/QĐ":
                withdrawn = WithdrawCertificate(id=new_id(), withdrawn_on=date(2026, 11, 20))
                certificates.withdraw_certificate(session, farm.manager, ended, withdrawn)
        batch = batches.create_batch(
            session,
            farm.manager,
            NewBatch.model_validate(
                {"id": new_id(), "product_id": product, "lot": "NA-1126-01", "quantity": "10", "unit": "kg"}
                | {"made_on": "2026-11-19", "sources": [{"care_log_id": log.id}]}
            ),
        )
        code = batches.issue_code(session, farm.manager, batch)
    with database.transaction(SYSTEM) as session:
        shown = queries.batch_page(session, code)
    assert (shown.code, shown.lot, shown.state, shown.state_reason) == (code, "NA-1126-01", "open", None)
    assert (shown.producer, shown.growers) == ("HTX Mẫu", ("Hộ số 1 Nà Mẫu",))
    assert shown.villages == ("thôn Nà Mẫu, xã Đồng Mẫu, tỉnh Thử",)
    assert (shown.harvested_on, shown.made_on) == (date(2026, 11, 18), date(2026, 11, 19))
    assert [
        (w.day, w.kind, w.material, w.witness) if isinstance(w, Line) else (w.first, w.last) for w in shown.way
    ] == [
        (date(2026, 11, 18), "harvesting", None, "farmer"),
        (date(2026, 10, 11), "spraying", "Dầu khoáng", "farmer"),
        (date(2026, 7, 26), date(2026, 10, 10)),
        (date(2026, 7, 25), "fertilising", "Phân chuồng hoai", "cooperative"),
        (date(2026, 7, 23), "fertilising", "Phân chuồng hoai", "farmer"),
    ]
    assert [(c.number, c.state) for c in shown.certificates] == [("2/QĐ", "valid"), ("1/QĐ", "revoked")]
    assert shown.next_change_at == datetime(2027, 11, 19, 17, tzinfo=UTC), "a year after the one that ended"
    for private in ("không công khai", "Lành", str(farm.farmer.person_id), str(site)):
        assert private not in repr(shown)


def test_neither_position_nor_identifiers_of_people_are_among_the_fields(world: Any) -> None:
    everything = repr(page(world))
    for private in ("21.65", "106.56", str(world.ids["person"]), str(world.ids["site"]), "0912345678"):
        assert private not in everything

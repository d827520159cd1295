"""The province decides which floors count, and accounts are judged anew when its list grows."""

import re
from datetime import date
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import func, insert, select, update

from app import clock
from app.actor import SYSTEM, Actor, Role
from app.db import Words, new_id
from app.errors import Conflict, Forbidden
from app.factory import create_app
from app.marketplace_sync import floors, queries
from app.marketplace_sync.events import FloorListChanged
from app.marketplace_sync.models import ChannelAccount, Floor, FloorDecision
from app.marketplace_sync.schemas import NewFloor, NewFloorDecision
from app.outbox import OutboxEvent
from tests.app.browsers import browser_of
from tests.worlds.shop import World, add_person


@pytest.fixture
def province(world: World) -> Actor:
    return add_person(world.database, "Lý Thị Mẫu", "+84900000009", world.organisation_id, Role.PROVINCE_OFFICIAL)


def test_only_the_province_decides_which_floors_count(world: World) -> None:

    new = NewFloor(id=new_id(), name="Sàn thử", hosts="san.example")
    with world.database.transaction(world.manager) as session, pytest.raises(Forbidden):
        floors.add_floor(session, world.manager, new)


def test_the_same_floor_sent_again_is_the_same_and_another_is_a_conflict(world: World, province: Actor) -> None:
    new = NewFloor(id=new_id(), name="Sàn hai", hosts="www.hai.example, ba.example")

    def stored() -> Any:
        with world.database.transaction(SYSTEM) as session:
            return session.execute(
                select(Floor.id, Floor.name, Floor.hosts, Floor.kind).order_by(Floor.created_at)
            ).all()

    world.do(floors.add_floor, new, actor=province)
    before, told = stored(), world.events("floor_list_changed")
    assert before[1:] == [(new.id, Words(vi="Sàn hai"), ["hai.example", "ba.example"], "marketplace")]
    assert world.do(floors.add_floor, new, actor=province) == new.id
    for other in ({"name": "Sàn ba"}, {"hosts": "hai.example"}, {"kind": "advertising"}):
        with pytest.raises(Conflict) as caught:
            world.do(floors.add_floor, new.model_copy(update=other), actor=province)
        assert caught.value.code == "same_id_other_content"
    with pytest.raises(Conflict) as caught:
        world.do(floors.add_floor, new.model_copy(update={"id": new_id()}), actor=province)
    assert caught.value.code == "floor_exists"
    assert (stored(), world.events("floor_list_changed")) == (before, told)


def test_names_that_differ_by_a_tone_are_two_floors(world: World, province: Actor) -> None:
    for name in ("Chợ Mé", "Chợ Mẹ", "Chợ Me"):
        world.do(floors.add_floor, NewFloor(id=new_id(), name=name, hosts="cho.example"), actor=province)
    with world.database.transaction(SYSTEM) as session:
        keys = session.scalars(select(Floor.key).where(Floor.key.startswith("cho-me")).order_by(Floor.key)).all()
    assert keys == ["cho-me", "cho-me-2", "cho-me-3"]
    with pytest.raises(Conflict) as caught:
        world.do(floors.add_floor, NewFloor(id=new_id(), name="chợ  MẸ", hosts="cho.example"), actor=province)
    assert caught.value.code == "floor_exists"


def test_the_same_decision_sent_again_is_the_same_and_another_is_a_conflict(world: World, province: Actor) -> None:
    new = NewFloorDecision(
        id=new_id(),
        floor_id=world.floor_id,
        counted=False,
        effective_on=clock.today(),
        legal_basis="MẪU-02/QĐ-UBND",
    )

    def stored() -> Any:
        with world.database.transaction(SYSTEM) as session:
            columns = FloorDecision.__table__.columns
            return session.execute(select(*columns).order_by(FloorDecision.recorded_at)).all()

    world.do(floors.decide_floor, new, actor=province)
    before, told = stored(), world.events("floor_list_changed")
    assert len(before) == 2
    assert world.do(floors.decide_floor, new, actor=province) == new.id
    for other in ({"counted": True}, {"effective_on": date(2026, 2, 1)}, {"legal_basis": "MẪU-03"}):
        with pytest.raises(Conflict) as caught:
            world.do(floors.decide_floor, new.model_copy(update=other), actor=province)
        assert caught.value.code == "same_id_other_content"
    assert (stored(), world.events("floor_list_changed")) == (before, told)


def as_an_own_shop(world: World) -> None:
    """The province has not written this host down yet."""
    with world.database.transaction(SYSTEM) as session:
        session.execute(update(ChannelAccount).values(floor_id=None, legal_kind="own_site"))
        session.execute(update(Floor).values(hosts=["khac.example"]))


def evidence(world: World, known_at: Any) -> list[tuple[str, bool, str]]:
    with world.database.transaction(SYSTEM) as session:
        found = queries.live_evidence(session, [world.product_id], as_of=clock.today(), known_at=known_at)
    return [(e.floor_name.vi, e.counted, e.state) for e in found[world.product_id]]


def test_a_shop_that_becomes_a_floor_counts_from_then_on_and_not_before(world: World, province: Actor) -> None:
    as_an_own_shop(world)
    world.push(world.want())
    own = [("trang bán hàng riêng", False, "live")]
    before = clock.now()
    assert evidence(world, before) == own
    new = NewFloor(id=new_id(), name="Sàn mới", hosts=urlsplit(world.woo.url).netloc)
    world.do(floors.add_floor, new, actor=province)
    told = world.events("listing_observed")
    for again in (1, 1):  # a reaction may run twice
        world.do(floors.judge_accounts, FloorListChanged(floor_id=new.id), actor=SYSTEM)
        assert (world.account().legal_kind, world.account().floor_id) == ("marketplace", new.id)
        assert world.events("listing_observed") == told + again
    assert evidence(world, clock.now()) == [("Sàn mới", False, "live")]
    decision = NewFloorDecision(
        id=new_id(), floor_id=new.id, counted=True, effective_on=clock.today(), legal_basis="MẪU-09/QĐ-UBND"
    )
    world.do(floors.decide_floor, decision, actor=province)
    assert evidence(world, clock.now()) == [("Sàn mới", True, "live")]
    assert evidence(world, before) == own, "what was known then stays so"


def test_hosts_that_set_up_adds_to_a_floor_are_judged_too(world: World) -> None:
    as_an_own_shop(world)
    host = urlsplit(world.woo.url).netloc
    with world.database.transaction(SYSTEM) as session:
        same = floors.install_floor(session, key="san-tinh", name=Words(vi="x"), hosts=["khac.example"])
        assert session.scalar(select(func.count()).where(OutboxEvent.name.contains("floor_list_changed"))) == 1
        floors.install_floor(session, key="san-tinh", name=Words(vi="x"), hosts=[host])
    assert world.events("floor_list_changed") == 2
    world.do(floors.judge_accounts, FloorListChanged(floor_id=same), actor=SYSTEM)
    assert (world.account().legal_kind, world.account().floor_id) == ("marketplace", world.floor_id)


def test_an_account_elsewhere_stays_what_it_was(world: World, province: Actor) -> None:
    as_an_own_shop(world)
    new = NewFloor(id=new_id(), name="Sàn mới", hosts="moi.example")
    world.do(floors.add_floor, new, actor=province)
    world.do(floors.judge_accounts, FloorListChanged(floor_id=new.id), actor=SYSTEM)
    assert (world.account().legal_kind, world.account().floor_id) == ("own_site", None)


HOSTS = (
    *("moi.example", "www.moi.example", "WWW.Moi.Example", "ban.moi.example", "a.b.moi.example", "moi.example:8443"),
    *(
        "khongmoi.example",
        "moi.example.khac.example",
        "moi-example",
        "moi.exampl",
        "khac.example",
        "ban.khac.example:80",
    ),
)


def test_the_accounts_judged_are_those_whose_host_is_on_the_floor(world: World, province: Actor) -> None:
    as_an_own_shop(world)
    new = NewFloor(id=new_id(), name="Sàn mới", hosts="moi.example, khac.example:80")
    world.do(floors.add_floor, new, actor=province)
    with world.database.transaction(SYSTEM) as session:
        like = session.scalars(select(ChannelAccount)).one()
        urls = {
            new_id(): f"{scheme}://{host}{path}"
            for host in HOSTS
            for scheme, path in (("https", ""), ("http", "/x?a=//b"))
        }
        session.execute(
            insert(ChannelAccount),
            [{"id": i, "organisation_id": like.organisation_id, "channel": like.channel, "legal_kind": "own_site",
              "name": "Gian", "base_url": url, "credentials_sealed": b"", "state": "active", "created_at": clock.now()}
             for i, url in urls.items()],
        )  # fmt: skip
        there = {i for i, url in urls.items() if getattr(queries.floor_of_host(session, url), "id", None) == new.id}
    world.do(floors.judge_accounts, FloorListChanged(floor_id=new.id), actor=SYSTEM)
    with world.database.transaction(SYSTEM) as session:
        judged = set(session.scalars(select(ChannelAccount.id).where(ChannelAccount.floor_id == new.id)))
    assert (judged, len(there)) == (there, 12)


def test_a_refused_decision_shows_the_list_again_with_what_was_typed(world: World, province: Actor) -> None:
    app = create_app(world.settings, world.database)
    app.config["WTF_CSRF_ENABLED"] = False
    client = browser_of(app, province)
    sent = {
        "id": new_id(),
        "floor_id": world.floor_id,
        "counted": "false",
        "effective_on": "2026-12-01",
        "legal_basis": "QĐ",
    }
    answer = client.post("/san/danh-sach/quyet-dinh", data=sent)
    html = answer.get_data(as_text=True)
    assert (answer.status_code, html.count("<details open>")) == (422, 1)
    assert '<li><a href="#legal_basis">Căn cứ (số văn bản)</a>: Chưa đủ chữ: cần ít nhất 3.</li>' in html
    assert re.search(r'id="legal_basis" name="legal_basis" value="QĐ"', html)
    assert re.search(
        r'<input class="input" name="effective_on" [^>]*value="01/12/2026" id="effective_on" required', html
    )
    with world.database.transaction(SYSTEM) as session:
        assert session.scalar(select(func.count()).select_from(FloorDecision)) == 1

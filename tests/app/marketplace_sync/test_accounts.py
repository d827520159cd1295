"""Accounts are paused, resumed and connected anew without losing a link, and judged anew when the list of floors grows."""

import re
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from marketplace_world import World, add_person
from sqlalchemy import func, select, update

from app import clock
from app.actor import SYSTEM, Actor, Role
from app.db import Words, new_id
from app.errors import Conflict, Forbidden, NotFound
from app.factory import create_app
from app.marketplace_sync import channel_accounts, credentials, floors, listings, queries
from app.marketplace_sync.channels.base import Credentials
from app.marketplace_sync.events import FloorListChanged
from app.marketplace_sync.models import ChannelAccount, Floor, FloorDecision, Listing
from app.marketplace_sync.schemas import NewAccount, NewFloor, NewFloorDecision
from app.outbox import OutboxEvent


@pytest.fixture
def listing_id(world: World) -> UUID:
    listing_id = world.want()
    world.push(listing_id)
    return listing_id


@pytest.fixture
def province(world: World) -> Actor:
    return add_person(world.database, "Lý Thị Mẫu", "+84900000009", world.organisation_id, Role.PROVINCE_OFFICIAL)


def do(world: World, verb: Any, *given: Any, actor: Actor | None = None) -> Any:
    by = actor or world.manager
    with world.database.transaction(by) as session:
        return verb(session, by, *given)


def account(world: World) -> ChannelAccount:
    with world.database.transaction(SYSTEM) as session:
        return session.get_one(ChannelAccount, world.account_id)


def events(world: World, name: str) -> int:
    with world.database.transaction(SYSTEM) as session:
        return session.scalar(select(func.count()).where(OutboxEvent.name == f"marketplace_sync.{name}")) or 0


# --- pausing -----------------------------------------------------------------------------------------------------


def test_a_paused_account_makes_no_call_and_keeps_the_link(world: World, listing_id: UUID) -> None:
    remote_id = world.read(listing_id).remote_id
    do(world, channel_accounts.pause_account, world.account_id)
    with world.database.transaction(SYSTEM) as session:
        listings.refresh(session, SYSTEM, variant_ids=[world.variant_id])
        session.execute(update(Listing).values(next_look_at=clock.machine_now() - timedelta(seconds=1)))
    before = world.woo.calls()
    listing = world.push(listing_id)
    world.look(listing_id)
    assert world.woo.calls() == before
    assert (account(world).state, listing.remote_id, listing.wanted_version, listing.applied_version) == (
        "paused",
        remote_id,
        2,
        1,
    )
    told = events(world, "listing_wanted")
    do(world, channel_accounts.resume_account, world.account_id)
    assert (account(world).state, events(world, "listing_wanted")) == ("active", told + 1)
    listing = world.push(listing_id)
    assert (listing.state, listing.remote_id, listing.applied_version) == ("live", remote_id, 3)
    assert (world.woo.count("create"), len(world.woo.items())) == (1, 1)


def test_resuming_leaves_alone_what_is_in_order_and_looks_at_it_now(world: World, listing_id: UUID) -> None:
    do(world, channel_accounts.pause_account, world.account_id)
    with world.database.transaction(SYSTEM) as session:
        session.execute(update(ChannelAccount).values(looks_failing_since=clock.now() - timedelta(days=2)))
    do(world, channel_accounts.resume_account, world.account_id)
    assert account(world).looks_failing_since is None, "the days of the pause are no silence"
    listing = world.read(listing_id)
    assert (listing.wanted_version, listing.applied_version) == (1, 1)
    assert listing.next_look_at is not None
    assert listing.next_look_at <= clock.machine_now()


def test_new_keys_let_parked_listings_go_on(world: World) -> None:
    listing_id = world.want()
    world.woo.revoke()
    assert world.push(listing_id).state == "parked"
    assert account(world).state == "broken"
    world.woo.ask("key", {"permissions": "read_write"})
    fresh = Credentials(dict(world.woo.credentials().values))
    do(world, channel_accounts.reconnect_account, world.settings, world.account_id, fresh)
    assert (account(world).state, account(world).error) == ("active", None)
    listing = world.push(listing_id)
    assert (listing.state, listing.failures, len(world.woo.items())) == ("live", 0, 1)


@pytest.mark.parametrize("verb", [channel_accounts.pause_account, channel_accounts.resume_account])
def test_only_the_organisations_sellers_pause_and_resume(world: World, verb: Any) -> None:
    farmer = add_person(world.database, "Vi Văn Mẫu", "+84900000008", world.organisation_id, Role.FARMER)
    stranger = Actor(kind="person", person_id=new_id(), memberships=(), organisations=frozenset({new_id()}))
    with pytest.raises(Forbidden):
        do(world, verb, world.account_id, actor=farmer)
    with pytest.raises(NotFound):
        do(world, verb, world.account_id, actor=stranger)
    assert account(world).state == "active"


# --- the same form again -----------------------------------------------------------------------------------------


def test_the_same_account_sent_again_is_the_same_and_another_is_a_conflict(world: World) -> None:
    secrets = dict(world.woo.credentials().values)
    new = NewAccount(
        id=new_id(),
        organisation_id=world.organisation_id,
        channel="woocommerce",
        name="Gian hàng hai",
        stock_buffer=2,
        credentials=secrets,
    )

    def stored() -> Any:
        with world.database.transaction(SYSTEM) as session:
            row = session.get_one(ChannelAccount, new.id)
            audits = session.scalar(
                select(func.count()).select_from(ChannelAccount).where(ChannelAccount.name == "Gian hàng hai")
            )
            return row.name, row.stock_buffer, row.base_url, row.credentials_sealed, row.version, audits

    do(world, channel_accounts.connect_account, world.settings, new)
    before = stored()
    assert do(world, channel_accounts.connect_account, world.settings, new) == new.id
    for other in (
        {"name": "Tên khác"},
        {"stock_buffer": 3},
        {"credentials": secrets | {"consumer_secret": "cs_khac"}},
        {"credentials": secrets | {"base_url": "https://khac.example"}},
    ):
        with pytest.raises(Conflict) as caught:
            do(world, channel_accounts.connect_account, world.settings, new.model_copy(update=other))
        assert caught.value.code == "same_id_other_content"
    assert stored() == before


def test_the_same_floor_sent_again_is_the_same_and_another_is_a_conflict(world: World, province: Actor) -> None:
    new = NewFloor(id=new_id(), name="Sàn hai", hosts="www.hai.example, ba.example")

    def stored() -> Any:
        with world.database.transaction(SYSTEM) as session:
            return session.execute(
                select(Floor.id, Floor.name, Floor.hosts, Floor.kind).order_by(Floor.created_at)
            ).all()

    do(world, floors.add_floor, new, actor=province)
    before, told = stored(), events(world, "floor_list_changed")
    assert before[1:] == [(new.id, Words(vi="Sàn hai"), ["hai.example", "ba.example"], "marketplace")]
    assert do(world, floors.add_floor, new, actor=province) == new.id
    for other in ({"name": "Sàn ba"}, {"hosts": "hai.example"}, {"kind": "advertising"}):
        with pytest.raises(Conflict) as caught:
            do(world, floors.add_floor, new.model_copy(update=other), actor=province)
        assert caught.value.code == "same_id_other_content"
    with pytest.raises(Conflict) as caught:
        do(world, floors.add_floor, new.model_copy(update={"id": new_id()}), actor=province)
    assert caught.value.code == "floor_exists"
    assert (stored(), events(world, "floor_list_changed")) == (before, told)


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

    do(world, floors.decide_floor, new, actor=province)
    before, told = stored(), events(world, "floor_list_changed")
    assert len(before) == 2
    assert do(world, floors.decide_floor, new, actor=province) == new.id
    for other in ({"counted": True}, {"effective_on": date(2026, 2, 1)}, {"legal_basis": "MẪU-03"}):
        with pytest.raises(Conflict) as caught:
            do(world, floors.decide_floor, new.model_copy(update=other), actor=province)
        assert caught.value.code == "same_id_other_content"
    assert (stored(), events(world, "floor_list_changed")) == (before, told)


# --- connected first, listed as a floor later --------------------------------------------------------------------


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
    do(world, floors.add_floor, new, actor=province)
    told = events(world, "listing_observed")
    for again in (1, 1):  # a reaction may run twice
        do(world, floors.judge_accounts, FloorListChanged(floor_id=new.id), actor=SYSTEM)
        assert (account(world).legal_kind, account(world).floor_id) == ("marketplace", new.id)
        assert events(world, "listing_observed") == told + again
    assert evidence(world, clock.now()) == [("Sàn mới", False, "live")]
    decision = NewFloorDecision(
        id=new_id(), floor_id=new.id, counted=True, effective_on=clock.today(), legal_basis="MẪU-09/QĐ-UBND"
    )
    do(world, floors.decide_floor, decision, actor=province)
    assert evidence(world, clock.now()) == [("Sàn mới", True, "live")]
    assert evidence(world, before) == own, "what was known then stays so"


def test_hosts_that_set_up_adds_to_a_floor_are_judged_too(world: World) -> None:
    as_an_own_shop(world)
    host = urlsplit(world.woo.url).netloc
    with world.database.transaction(SYSTEM) as session:
        same = floors.install_floor(session, key="san-tinh", name=Words(vi="x"), hosts=["khac.example"])
        assert session.scalar(select(func.count()).where(OutboxEvent.name.contains("floor_list_changed"))) == 1
        floors.install_floor(session, key="san-tinh", name=Words(vi="x"), hosts=[host])
    assert events(world, "floor_list_changed") == 2
    do(world, floors.judge_accounts, FloorListChanged(floor_id=same), actor=SYSTEM)
    assert (account(world).legal_kind, account(world).floor_id) == ("marketplace", world.floor_id)


def test_an_account_elsewhere_stays_what_it_was(world: World, province: Actor) -> None:
    as_an_own_shop(world)
    new = NewFloor(id=new_id(), name="Sàn mới", hosts="moi.example")
    do(world, floors.add_floor, new, actor=province)
    do(world, floors.judge_accounts, FloorListChanged(floor_id=new.id), actor=SYSTEM)
    assert (account(world).legal_kind, account(world).floor_id) == ("own_site", None)


# --- new keys ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", [channel_accounts.resume_account, channel_accounts.reconnect_account])
def test_whoever_connects_or_resumes_waits_for_no_peace_of_before(world: World, verb: Any) -> None:
    with world.database.transaction(SYSTEM) as session:
        session.execute(update(ChannelAccount).values(quiet_until=clock.machine_now() + timedelta(hours=1)))
    fresh = Credentials(dict(world.woo.credentials().values))
    given = (
        (world.account_id,) if verb is channel_accounts.resume_account else (world.settings, world.account_id, fresh)
    )
    do(world, verb, *given)
    assert account(world).quiet_until is None


@pytest.fixture
def client(world: World) -> FlaskClient:
    app = create_app(world.settings, world.database)
    app.config["WTF_CSRF_ENABLED"] = False
    app.extensions["hoi"] = replace(app.extensions["hoi"], build_actor=lambda _s, _t, _r: world.manager)
    made = app.test_client()
    made.set_cookie("hoi_phien", "token")
    return made


def test_new_keys_keep_what_the_form_leaves_empty(world: World, client: FlaskClient) -> None:
    keys = dict(world.woo.credentials().values)
    old = {**keys, "weight_unit": "g", "webhook_secret": "bi-mat-cu"}
    with world.database.transaction(SYSTEM) as session:
        sealed = credentials.seal(world.settings, Credentials(old))
        session.execute(update(ChannelAccount).values(credentials_sealed=sealed))
    path = f"/san/tai-khoan/{world.account_id}"
    html = client.get(path).get_data(as_text=True)
    assert re.search(r'<option value="g"\s+selected', html)
    assert "bi-mat-cu" not in html
    sent = {name: keys[name] for name in ("consumer_key", "consumer_secret")}
    answer = client.post(path, data={**sent, "webhook_secret": ""})
    assert answer.status_code == 303
    assert dict(credentials.unseal(world.settings, account(world).credentials_sealed).values) == old


def test_the_page_says_until_when_the_shop_wants_peace(world: World, client: FlaskClient) -> None:
    words = "Gian hàng xin tạm đừng gọi tới."
    path = f"/san/tai-khoan/{world.account_id}"
    assert words not in client.get(path).get_data(as_text=True)
    until = clock.machine_now() + timedelta(hours=1)
    with world.database.transaction(SYSTEM) as session:
        session.execute(update(ChannelAccount).values(quiet_until=until))
    html = client.get(path).get_data(as_text=True)
    assert f"{words} Hệ thống sẽ gửi và xem tiếp từ" in html

"""Accounts are paused, resumed and connected anew without losing a link."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from app import clock
from app.actor import SYSTEM, Actor, Role
from app.db import new_id
from app.errors import Conflict, Forbidden, NotFound
from app.factory import create_app
from app.marketplace_sync import channel_accounts, listings
from app.marketplace_sync.channels.accounts import Credentials
from app.marketplace_sync.models import ChannelAccount, Listing
from app.marketplace_sync.schemas import NewAccount
from tests.app.browsers import browser_of
from tests.worlds.shop import World, add_person


def test_a_paused_account_makes_no_call_and_keeps_the_link(world: World, listing_id: UUID) -> None:
    remote_id = world.read(listing_id).remote_id
    world.do(channel_accounts.pause_account, world.account_id)
    with world.database.transaction(SYSTEM) as session:
        listings.refresh(session, SYSTEM, variant_ids=[world.variant_id])
        session.execute(update(Listing).values(next_look_at=clock.machine_now() - timedelta(seconds=1)))
    before = world.woo.calls()
    listing = world.push(listing_id)
    world.look(listing_id)
    assert world.woo.calls() == before
    assert (world.account().state, listing.remote_id, listing.wanted_version, listing.applied_version) == (
        "paused",
        remote_id,
        2,
        1,
    )
    told = world.events("listing_wanted")
    world.do(channel_accounts.resume_account, world.account_id)
    assert (world.account().state, world.events("listing_wanted")) == ("active", told + 1)
    listing = world.push(listing_id)
    assert (listing.state, listing.remote_id, listing.applied_version) == ("live", remote_id, 3)
    assert (world.woo.count("create"), len(world.woo.items())) == (1, 1)


def test_resuming_leaves_alone_what_is_in_order_and_looks_at_it_now(world: World, listing_id: UUID) -> None:
    world.do(channel_accounts.pause_account, world.account_id)
    with world.database.transaction(SYSTEM) as session:
        session.execute(update(ChannelAccount).values(looks_failing_since=clock.now() - timedelta(days=2)))
    world.do(channel_accounts.resume_account, world.account_id)
    assert world.account().looks_failing_since is None, "the days of the pause are no silence"
    listing = world.read(listing_id)
    assert (listing.wanted_version, listing.applied_version) == (1, 1)
    assert listing.next_look_at is not None
    assert listing.next_look_at <= clock.machine_now()


def test_new_keys_let_parked_listings_go_on(world: World) -> None:
    listing_id = world.want()
    world.woo.revoke()
    assert world.push(listing_id).state == "parked"
    assert world.account().state == "broken"
    world.woo.ask("key", {"permissions": "read_write"})
    fresh = Credentials(dict(world.woo.credentials().values))
    world.do(channel_accounts.reconnect_account, world.settings, world.account_id, fresh)
    assert (world.account().state, world.account().error) == ("active", None)
    listing = world.push(listing_id)
    assert (listing.state, listing.failures, len(world.woo.items())) == ("live", 0, 1)


@pytest.mark.parametrize("verb", [channel_accounts.pause_account, channel_accounts.resume_account])
def test_only_the_organisations_sellers_pause_and_resume(world: World, verb: Any) -> None:
    farmer = add_person(world.database, "Vi Văn Mẫu", "+84900000008", world.organisation_id, Role.FARMER)
    stranger = Actor(kind="person", person_id=new_id(), memberships=(), organisations=frozenset({new_id()}))
    with pytest.raises(Forbidden):
        world.do(verb, world.account_id, actor=farmer)
    with pytest.raises(NotFound):
        world.do(verb, world.account_id, actor=stranger)
    assert world.account().state == "active"


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

    world.do(channel_accounts.connect_account, world.settings, new)
    before = stored()
    assert world.do(channel_accounts.connect_account, world.settings, new) == new.id
    for other in (
        {"name": "Tên khác"},
        {"stock_buffer": 3},
        {"credentials": secrets | {"consumer_secret": "cs_khac"}},
        {"credentials": secrets | {"base_url": "https://khac.example"}},
    ):
        with pytest.raises(Conflict) as caught:
            world.do(channel_accounts.connect_account, world.settings, new.model_copy(update=other))
        assert caught.value.code == "same_id_other_content"
    assert stored() == before


@pytest.mark.parametrize("verb", [channel_accounts.resume_account, channel_accounts.reconnect_account])
def test_whoever_connects_or_resumes_waits_for_no_peace_of_before(world: World, verb: Any) -> None:
    with world.database.transaction(SYSTEM) as session:
        session.execute(update(ChannelAccount).values(quiet_until=clock.machine_now() + timedelta(hours=1)))
    fresh = Credentials(dict(world.woo.credentials().values))
    given = (
        (world.account_id,) if verb is channel_accounts.resume_account else (world.settings, world.account_id, fresh)
    )
    world.do(verb, *given)
    assert world.account().quiet_until is None


@pytest.fixture
def client(world: World) -> FlaskClient:
    app = create_app(world.settings, world.database)
    app.config["WTF_CSRF_ENABLED"] = False
    return browser_of(app, world.manager)


def test_the_page_says_until_when_the_shop_wants_peace(world: World, client: FlaskClient) -> None:
    words = "Gian hàng xin tạm đừng gọi tới."
    path = f"/san/tai-khoan/{world.account_id}"
    assert words not in client.get(path).get_data(as_text=True)
    until = clock.machine_now() + timedelta(hours=1)
    with world.database.transaction(SYSTEM) as session:
        session.execute(update(ChannelAccount).values(quiet_until=until))
    html = client.get(path).get_data(as_text=True)
    assert f"{words} Hệ thống sẽ gửi và xem tiếp từ" in html

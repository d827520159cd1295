"""The sellers are told what needs them, once."""

from sqlalchemy import select

from app.actor import SYSTEM
from app.marketplace_sync import troubles
from app.marketplace_sync.events import ListingTroubled
from app.notices.models import Notice
from tests.worlds.shop import World


def test_the_sellers_are_told_once_why_a_listing_stopped(world: World) -> None:
    listing_id = world.want()
    world.push(listing_id)
    world.woo.staff(world.woo.items()[0].remote_id, "ban", reason="thiếu giấy an toàn thực phẩm")
    world.look(listing_id)
    for _ in range(2):
        with world.database.transaction(SYSTEM) as session:
            troubles.tell_of_trouble(session, SYSTEM, ListingTroubled(listing_id=listing_id))
    with world.database.transaction(SYSTEM) as session:
        told = session.execute(select(Notice.person_id, Notice.title, Notice.link).order_by(Notice.person_id)).all()
    assert {t.person_id for t in told} == {world.manager.person_id, world.other.person_id}
    assert len(told) == 2
    assert told[0].title.vi == "“Mật ong rừng” chưa bán được ở Gian hàng tỉnh"
    assert told[0].link == f"/san/tin/{listing_id}"

"""A new place of work."""

from app.actor import SYSTEM
from app.db import Database, new_id
from app.trace.models import Site, SiteVillage
from tests.app.doors.farmer.forms import text_of
from tests.worlds.phone import PhoneOf, World


def test_a_new_place_of_work_is_named_after_its_picture_and_lies_in_the_households_village(
    world: World, phone_of: PhoneOf, database: Database
) -> None:
    phone, sent = phone_of("lanh"), {"id": str(new_id()), "kind": "apiary"}
    answers = [phone.post("/nong-dan/cho-lam/them", data=sent) for _ in range(2)]
    assert {a.status_code for a in answers} == {303}
    assert "Đàn ong" in text_of(phone.get(answers[0].location))
    with database.transaction(SYSTEM) as session:
        made = session.query(Site).filter_by(kind="apiary").one()
        assert (str(made.id), made.name, made.organisation_id) == (sent["id"], "Đàn ong", world["household"])
        [stay] = session.query(SiteVillage).filter_by(site_id=made.id).all()
        assert (stay.village_id, stay.valid_to) == (world["village"], None)

"""For whom one may write."""

from decimal import Decimal

import pytest

from app.db import new_id
from tests.app.doors.farmer.forms import form, text_of
from tests.worlds.phone import PhoneOf, World, ago


@pytest.mark.parametrize(("person", "witness"), [("mui", "cooperative"), ("vy", "officer")])
def test_who_writes_on_behalf_is_not_who_did_it(world: World, phone_of: PhoneOf, person: str, witness: str) -> None:
    phone = phone_of(person)
    assert phone.get("/nong-dan").location == "/nong-dan/ho"
    shown = text_of(phone.get("/nong-dan/ho"))
    assert ("Hộ số 12 Nà Mẫu" in shown, "Nà Xa" in shown) == (True, False)
    there = f"/nong-dan/ghi/weeding?ho={world['household']}&vuon={world['hill']}"
    shown = phone.get(there)
    assert "Biết việc này bằng cách nào?" in text_of(shown)
    for seen in ("told", "saw"):
        sent = form(world, performed_by=str(world["pao"]), seen=seen, amount="hour:1")
        assert phone.post(there, data=sent).status_code == 303
    told, saw = world.logs()
    assert {(log.performed_by, log.written_by) for log in (told, saw)} == {(world["pao"], world[person])}
    assert (told.witness, told.witnessed_by) == ("farmer", None)
    assert (saw.witness, saw.witnessed_by) == (witness, world[person])


def test_a_cooperatives_own_workshop_is_written_by_itself_not_on_behalf(world: World, phone_of: PhoneOf) -> None:
    world.site("shed", "cooperative", "Nhà đóng gói", "workshop")
    there = f"/nong-dan/ghi/packing?ho={world['cooperative']}&vuon={world['shed']}"
    phone = phone_of("mui")
    assert "HTX Nà Mẫu" in text_of(phone.get("/nong-dan/ho"))
    assert "bằng cách nào?" not in text_of(phone.get(there))
    sent = form(world, site_id=str(world["shed"]), performed_by=str(world["mui"]), amount="box:20", material="Hộp")
    assert phone.post(there, data=sent).status_code == 303
    [log] = world.logs()
    assert (log.organisation_id, log.witness, log.witnessed_by, log.quantity) == (
        world["cooperative"], "cooperative", None, Decimal(20),
    )  # fmt: skip


def test_on_behalf_somebody_must_be_named_as_the_one_who_did_it(world: World, phone_of: PhoneOf) -> None:
    sent = form(world)
    del sent["performed_by"]
    answer = phone_of("vy").post(f"/nong-dan/ghi/weeding?ho={world['household']}", data=sent)
    assert answer.status_code == 422
    assert world.logs() == []


@pytest.mark.parametrize("person", ["mui", "vy", "lanh"])
def test_a_foreign_household_is_not_found_and_nothing_is_stored(world: World, phone_of: PhoneOf, person: str) -> None:
    phone = phone_of(person)
    there = f"?ho={world['far_household']}&vuon={world['far_hill']}"
    sent = form(world, site_id=str(world["far_hill"]), performed_by="other")
    assert phone.get(f"/nong-dan{there}").status_code == 404
    assert phone.get(f"/nong-dan/ghi/weeding{there}").status_code == 404
    assert phone.post(f"/nong-dan/ghi/weeding{there}", data=sent).status_code == 404
    assert world.logs() == []


def test_a_site_of_another_household_cannot_be_slipped_into_the_form(world: World, phone_of: PhoneOf) -> None:
    answer = phone_of("lanh").post("/nong-dan/ghi/weeding", data=form(world, site_id=str(world["far_hill"])))
    assert answer.status_code == 404
    assert world.logs() == []


def test_a_strangers_step_can_be_neither_seen_nor_changed(world: World, phone_of: PhoneOf) -> None:
    log = world.log("weeding", ago(hours=2))
    phone = phone_of("xa")
    assert phone.get(f"/nong-dan/viec/{log}").status_code == 404
    assert phone.get(f"/nong-dan/viec/{log}/sua").status_code == 404
    assert phone.post(f"/nong-dan/viec/{log}/sua", data=form(world)).status_code == 404
    assert phone.post(f"/nong-dan/viec/{log}/bo", data={"id": str(new_id())}).status_code == 404
    assert len(world.logs()) == 1

"""Pages of the diary: what its forms offer, what is told of two contents under one id, findings, both languages."""

import re
from decimal import Decimal
from typing import Any

import pytest

from app import clock
from app.actor import SYSTEM
from app.db import Database, new_id
from app.trace.models import CareLog
from tests.app.trace.desk import MakeClient, count, only
from tests.worlds.farm import World, a_log, a_site, write


def test_the_same_step_sent_with_other_content_is_told_and_kept(
    client_of: MakeClient, database: Database, world: World
) -> None:
    client = client_of(world.farmer)
    site = a_site(database, world.farmer, world.household, world.village)
    step = {"id": new_id(), "kind": "weeding", "day": "2026-11-19"}
    assert client.post(f"/thua/{site}/ghi", data=step).status_code == 303
    assert client.post(f"/thua/{site}/ghi", data=step).status_code == 303
    answer = client.post(f"/thua/{site}/ghi", data=step | {"note": "khác"})
    assert (answer.status_code, "Cả hai bản đều được giữ" in answer.text) == (409, True)
    assert ("<b>Đã giữ cả hai bản</b>" in answer.text, "Chưa ghi được" in answer.text) == (True, False)
    assert "trùng mã nhưng khác nội dung" in client.get("/thua").text
    assert "Hai bản khác nhau" in client.get(f"/thua/{site}").text
    both = client.get(f"/dong-nhat-ky/{step['id']}").text
    assert "So hai bản" in both
    assert re.search(r"Bản đến trước\">không ghi</td><td data-label=\"Bản gửi sau\"><b>khác</b>", both)
    home = client_of(world.manager).get("/hop-tac-xa")
    assert (home.status_code, f'href="/dong-nhat-ky/{step["id"]}"' in home.text) == (200, True)
    assert client_of(world.manager).get(f"/dong-nhat-ky/{step['id']}").status_code == 200
    client = client_of(world.farmer)
    other = a_log(site)
    write(database, world.farmer, other)
    assert "So hai bản" not in client.get(f"/dong-nhat-ky/{other.id}").text
    assert count(database, CareLog) == 2


def test_a_form_offers_only_the_witness_that_its_writer_is(
    client_of: MakeClient, database: Database, world: World
) -> None:
    site = a_site(database, world.farmer, world.household, world.village)
    step = {"id": new_id(), "kind": "weeding", "day": "2026-11-19", "witness": "certifier"}
    farmer = client_of(world.farmer)
    assert 'name="witness"' not in farmer.get(f"/thua/{site}/ghi").text
    answer = farmer.post(f"/thua/{site}/ghi", data=step)
    assert (answer.status_code, "ai làm chứng thì người đó tự ghi" in answer.text) == (422, True)
    assert count(database, CareLog) == 0
    manager = client_of(world.manager)
    offered = manager.get(f"/thua/{site}/ghi").text
    assert re.findall(
        r'<option value="(farmer|neighbour|cooperative|officer|laboratory|certifier|machine)"', offered
    ) == [
        "farmer",
        "cooperative",
    ]
    assert manager.post(f"/thua/{site}/ghi", data=step | {"witness": "cooperative"}).status_code == 303
    log = only(database, CareLog)
    assert (log.witness, log.witnessed_by) == ("cooperative", world.manager.person_id)


def test_a_certifiers_finding_has_no_button_to_correct_it(
    client_of: MakeClient, database: Database, world: World
) -> None:
    site = a_site(database, world.farmer, world.household, world.village)
    own, finding = a_log(site), a_log(site, "observing")
    write(database, world.farmer, own)
    with database.transaction(SYSTEM) as session:
        session.add(
            CareLog(
                id=finding.id, organisation_id=world.household, site_id=site, kind="observing", witness="certifier",
                happened_at=clock.now(), recorded_at=clock.now(), written_by=world.official.person_id, photos=[],
                content_sha256="0",
            )
        )  # fmt: skip
    client = client_of(world.farmer)
    listed = client.get(f"/thua/{site}").text
    for log, offered in ((own, True), (finding, False)):
        address = f"/dong-nhat-ky/{log.id}/sua"
        assert (address in listed) is offered
        assert (address in client.get(f"/dong-nhat-ky/{log.id}").text) is offered
        assert client.get(address).status_code == (200 if offered else 403)
    assert count(database, CareLog) == 2


def test_a_diary_names_its_steps_in_both_languages(client_of: MakeClient, database: Database, world: World) -> None:
    site = a_site(database, world.farmer, world.household, world.village)
    write(database, world.farmer, a_log(site))
    client = client_of(world.farmer)
    assert 'data-label="Việc"' in client.get(f"/thua/{site}").text
    english = client.get(f"/thua/{site}?lang=en").text
    assert 'data-label="Step"' in english
    assert 'data-label="Action"' not in english


def test_a_manager_who_leaves_the_defaults_vouches_for_own_work_and_not_for_the_farmers(
    client_of: MakeClient, database: Database, world: World
) -> None:
    site = a_site(database, world.farmer, world.household, world.village)
    manager = client_of(world.manager)
    assert re.search(r'<select[^>]*name="witness"[^>]*>\s*<option value="">', manager.get(f"/thua/{site}/ghi").text)
    step = {"kind": "weeding", "day": "2026-11-19", "performed_by": "", "witness": ""}
    assert manager.post(f"/thua/{site}/ghi", data=step | {"id": new_id()}).status_code == 303
    log = only(database, CareLog)
    who = world.manager.person_id
    assert (log.witness, log.performed_by, log.written_by, log.witnessed_by) == ("cooperative", who, who, who)
    told = step | {"id": new_id(), "performed_by": world.farmer.person_id}
    assert manager.post(f"/thua/{site}/ghi", data=told).status_code == 303
    with database.transaction(SYSTEM) as session:
        other = session.get_one(CareLog, told["id"])
        assert (other.witness, other.performed_by, other.written_by, other.witnessed_by) == (
            "farmer", world.farmer.person_id, who, None,
        )  # fmt: skip
    assert "theo lời người làm" in manager.get(f"/thua/{site}").text
    assert "theo lời người làm" in manager.get(f"/dong-nhat-ky/{told['id']}").text


@pytest.mark.parametrize("doer", ["nobody", "outsider"])
def test_a_correction_that_chooses_no_doer_leaves_the_one_of_the_old_row(
    client_of: MakeClient, database: Database, world: World, doer: str
) -> None:
    site = a_site(database, world.farmer, world.household, world.village)
    did = {"nobody": None, "outsider": world.stranger.person_id}[doer]
    log = a_log(site, performed_by=did)
    assert write(database, world.farmer, log) == ["stored"]
    manager = client_of(world.manager)
    form = manager.get(f"/dong-nhat-ky/{log.id}/sua").text
    assert re.search(r'<select[^>]*name="performed_by"[^>]*>\s*<option value="">Như dòng cũ</option>', form)
    assert "Người đang ghi" in manager.get(f"/thua/{site}/ghi").text
    fixed: dict[str, Any] = {"id": new_id(), "kind": "weeding", "day": "2026-11-19", "performed_by": "",
                             "witness": "", "reason": "ghi nhầm"}  # fmt: skip
    assert manager.post(f"/dong-nhat-ky/{log.id}/sua", data=fixed).status_code == 303
    with database.transaction(SYSTEM) as session:
        row = session.get_one(CareLog, fixed["id"])
        assert (row.corrects_id, row.performed_by, row.written_by) == (log.id, did, world.manager.person_id)
        assert (row.witness, row.witnessed_by) == ("farmer", None)


@pytest.mark.parametrize(
    ("language", "typed", "stored"),
    [
        ("vi", "2.500", "2500"),
        ("vi", "2,5", "2.5"),
        ("en", "2,500", "2500"),
        ("en", "2.5", "2.5"),
        (None, "2.500", "2500"),
    ],
)
def test_an_amount_is_read_in_the_language_of_its_form(
    client_of: MakeClient, database: Database, world: World, language: str | None, typed: str, stored: str
) -> None:
    """Whatever was chosen since in another tab; a form without a language is read in the request's."""
    client = client_of(world.farmer)
    site = a_site(database, world.farmer, world.household, world.village)
    step = {"id": new_id(), "kind": "harvesting", "day": "2026-11-19", "quantity": typed, "unit": "kg"}
    if language:
        step["form_language"] = language
        client.set_cookie("hoi_lang", "en" if language == "vi" else "vi")
    assert client.post(f"/thua/{site}/ghi", data=step).status_code == 303
    assert only(database, CareLog).quantity == Decimal(stored)


def test_a_refused_form_keeps_the_language_in_which_it_was_filled(
    client_of: MakeClient, database: Database, world: World
) -> None:
    client = client_of(world.farmer)
    site = a_site(database, world.farmer, world.household, world.village)
    client.set_cookie("hoi_lang", "en")
    step = {
        "id": new_id(),
        "kind": "harvesting",
        "day": "2026-11-19",
        "quantity": "1.2",
        "unit": "kg",
        "form_language": "vi",
    }
    refused = client.post(f"/thua/{site}/ghi", data=step)
    assert refused.status_code == 422
    assert "This number is not clear. Write 1,2." in refused.text
    assert 'name="form_language" value="vi"' in refused.text
    assert 'name="form_language" value="en"' not in refused.text
    assert count(database, CareLog) == 0

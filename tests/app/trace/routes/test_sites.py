"""Pages of sites and seasons."""

from uuid import UUID

from app.db import Database, new_id
from app.trace.models import Cycle, Site
from tests.app.trace.desk import MakeClient, only
from tests.app.trace.farm import World, a_site


def test_a_season_ends_and_a_site_moves_with_its_days(client_of: MakeClient, database: Database, world: World) -> None:
    client = client_of(world.farmer)
    site = a_site(database, world.farmer, world.household, world.village)
    cycle = new_id()
    client.post(f"/thua/{site}/vu-moi", data={"id": cycle, "crop_vi": "na", "started_on": "2026-08-01"})
    assert f'href="/vu/{cycle}/ket-thuc"' in client.get(f"/thua/{site}").text
    refused = client.post(f"/vu/{cycle}/ket-thuc", data={"ended_on": "2026-07-01", "version": "1"})
    assert (refused.status_code, 'value="2026-07-01"' in refused.text, "Chưa ghi được" in refused.text) == (
        422,
        True,
        True,
    )
    assert only(database, Cycle).ended_on is None
    assert client.post(f"/vu/{cycle}/ket-thuc", data={"ended_on": "2026-11-20", "version": "1"}).status_code == 303
    assert only(database, Cycle).ended_on.isoformat() == "2026-11-20"
    form = {
        "name": "Vườn trên",
        "kind": "orchard",
        "village_id": world.second_village,
        "version": "1",
        "moved_on": "2026-11-10",
    }
    assert client.get(f"/thua/{site}/sua").status_code == 200
    assert client.post(f"/thua/{site}/sua", data=form).status_code == 303
    assert "Bản Thử" in client.get(f"/thua/{site}").text
    assert client.post(f"/thua/{site}/sua", data=form).status_code == 409
    assert only(database, Site).version == 2


def test_names_and_notes_are_shown_as_text(client_of: MakeClient, database: Database, world: World) -> None:
    client = client_of(world.farmer)
    site = a_site(database, world.farmer, world.household, world.village, name="<b>Vườn</b>")
    client.post(
        f"/thua/{site}/ghi",
        data={"id": new_id(), "kind": "weeding", "day": "2026-11-19", "note": "<script>alert(1)</script>"},
    )
    page = client.get(f"/thua/{site}").text
    assert "<script>alert" not in page
    assert "<b>Vườn</b>" not in page
    assert isinstance(site, UUID)

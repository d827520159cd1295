"""Pages of sites and seasons."""

from uuid import UUID

import pytest

from app.actor import SYSTEM
from app.clock import today
from app.db import Database, new_id
from app.trace import queries
from app.trace.models import Cycle, Site
from tests.app.trace.desk import MakeClient, only
from tests.worlds.farm import World, a_site, next_commune


def test_a_season_ends_and_a_site_moves_with_its_days(client_of: MakeClient, database: Database, world: World) -> None:
    client = client_of(world.farmer)
    site = a_site(database, world.farmer, world.household, world.village)
    cycle = new_id()
    client.post(f"/thua/{site}/vu-moi", data={"id": cycle, "crop_vi": "na", "started_on": "2026-08-01"})
    assert f'href="/vu/{cycle}/ket-thuc"' in client.get(f"/thua/{site}").text
    refused = client.post(f"/vu/{cycle}/ket-thuc", data={"ended_on": "2026-07-01", "version": "1"})
    assert (refused.status_code, 'value="01/07/2026"' in refused.text, "Chưa ghi được" in refused.text) == (
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


def test_a_site_lies_in_a_village_of_the_next_commune(client_of: MakeClient, database: Database, world: World) -> None:
    client, (commune, village) = client_of(world.manager), next_commune(database)
    own = client.get("/thua/moi").text
    assert f'<option value="{commune}">xã Láng Giềng</option>' in own
    assert f'value="{world.village}"' in own
    assert f'value="{village}"' not in own
    at = f"/thua/moi?commune={commune}"
    page = client.get(at).text
    assert f'<option value="{village}">thôn Bên Kia, xã Láng Giềng, tỉnh Thử</option>' in page
    assert f'value="{world.village}"' in page
    form = {"id": new_id(), "organisation_id": world.household, "kind": "orchard", "village_id": village}
    refused = client.post(at, data=form)  # the name is missing: what was chosen stays chosen
    assert refused.status_code == 422
    assert f'<option value="{village}" selected>' in refused.text
    assert client.post(at, data=form | {"name": "Vườn bên kia"}).location == f"/thua/{form['id']}"
    with database.transaction(SYSTEM) as session:
        assert queries.village_of_sites(session, [form["id"]], today()) == {form["id"]: village}
    assert f'<option value="{village}" selected>' in client.get(f"/thua/{form['id']}/sua").text


def test_a_commune_without_villages_says_so(client_of: MakeClient, world: World) -> None:
    page = client_of(world.manager).get(f"/thua/moi?commune={new_id()}").text
    assert "Xã chưa có danh sách thôn." in page
    assert f'value="{world.village}"' in page


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01", "46054", "31/11/2026"])
def test_a_day_that_cannot_be_is_answered_in_words(
    client_of: MakeClient, database: Database, world: World, day: str
) -> None:
    site = a_site(database, world.farmer, world.household, world.village)
    for name in ("first", "last"):
        answer = client_of(world.farmer).get(f"/thua/{site}", query_string={name: day})
        assert answer.status_code == 422
        assert "Giá trị này chưa đúng" not in answer.text

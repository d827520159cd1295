"""The desk of the demo's three holders: what waits, the numbers with what they are out of, and what is on sale where."""

from datetime import timedelta

import pytest
from sqlalchemy import event, select

from app import clock
from app.accounts import actors
from app.actor import SYSTEM, Actor
from app.criteria.models import ParameterChoice
from app.criteria.queries import SMART_VILLAGE
from app.db import Words, new_id
from app.doors.cooperative import queries
from app.marketplace_sync.models import DeclaredConfirmation, DeclaredListing, Listing
from demo.names import key
from tests.app.boxes import named_in_box
from tests.demo.province import Demo

pytestmark = pytest.mark.slow


def actor_of(province: Demo, player: str) -> Actor:
    with province.database.transaction(SYSTEM) as session:
        return actors.actor_for(session, key("person", player))


def test_what_waits_for_the_storys_cooperative(demo_province: Demo) -> None:
    actor = actor_of(demo_province, "hop-tac-xa")
    with demo_province.database.transaction(actor) as session:
        todo = queries.today(session, actor, colleagues=False)
    assert todo.count == 5
    assert [(s.batch.lot, s.state) for s in todo.lots] == [("MAT-01", "recalled"), ("NA-RAI-02", "held")]
    assert [(e.product.vi, e.days_left) for e in todo.endings] == [("Mật ong rừng Nà Mẫu", -41), ("Na dai Nà Mẫu", 20)]
    assert [w.product.vi for w in todo.links] == ["Na sấy dẻo Nà Mẫu"]
    assert (list(todo.phones), list(todo.listings), list(todo.accounts), list(todo.conflicts)) == ([], [], [], [])


def test_a_note_is_shown_with_its_reason_whatever_is_wanted_of_the_listing(demo_province: Demo) -> None:
    actor = actor_of(demo_province, "hop-tac-xa-2")
    listing_id = key("listing", "tinh-dau")
    note = Words(vi="Sàn đã bán 3 gói mà sổ kho chưa ghi.", en="The shop sold 3 packs.")
    stopped = Words(vi="Thiếu giấy.", en="A paper is missing.")
    found = []
    for wanted, state, error in (("live", "live", None), ("unlisted", "live", None), ("live", "blocked", stopped)):
        with demo_province.database.transaction(SYSTEM) as session:
            listing = session.get_one(Listing, listing_id)
            listing.wanted, listing.state, listing.error = wanted, state, error
            listing.note_code, listing.note, listing.note_at = "sold_there", note, clock.now()
            session.flush()
            (one,) = [t for t in queries.today(session, actor, colleagues=False).listings if t.listing.id == listing_id]
            found.append((one.stopped, [said.vi for said in one.reasons]))
            session.rollback()
    assert found == [(False, [note.vi]), (False, [note.vi]), (True, [stopped.vi, note.vi])]


def test_a_link_waits_until_somebody_has_looked_whose_look_counts(demo_province: Demo) -> None:
    """The manager declared it: the purchaser's look changes nothing, until the province counts colleagues."""
    actor, dried = actor_of(demo_province, "thu-mua"), key("product", "na-say")
    day, shown = clock.today(), []
    with demo_province.database.transaction(SYSTEM) as session:
        link = session.scalars(select(DeclaredListing).where(DeclaredListing.product_id == dried)).one()
        look = DeclaredConfirmation(
            id=new_id(), declared_listing_id=link.id, organisation_id=link.organisation_id, on_sale=True,
            confirmed_by=actor.person_id, seen_on=day, photo_sha256="ab" * 32, recorded_at=clock.now(), by_colleague=True,
        )  # fmt: skip
        choice = ParameterChoice(
            id=new_id(), pack_id=SMART_VILLAGE, name="declared_look_by", value="colleagues_too", valid_from=day,
            decided_by="Công văn 1", recorded_at=clock.now(), person_id=actor.person_id,
        )  # fmt: skip
        for row in (None, look, choice):
            if row is not None:
                session.add(row)
            session.flush()
            colleagues = queries.colleagues_count(session)
            goods = queries.on_sale(session, actor, colleagues=colleagues).lines
            places = next(g.places for g in goods if g.product.id == dried)
            waiting = [w.product.vi for w in queries.today(session, actor, colleagues=colleagues).links]
            shown.append((waiting, [e.state for e in places if e.declared_id == link.id]))
        session.rollback()
    waits = (["Na sấy dẻo Nà Mẫu"], ["no"])
    assert shown == [waits, waits, ([], ["live"])]


def test_numbers_say_what_they_are_out_of(demo_province: Demo) -> None:
    actor = actor_of(demo_province, "hop-tac-xa")
    with demo_province.database.transaction(actor) as session:
        goods = queries.on_sale(session, actor, colleagues=False)
        numbers = queries.numbers(session, actor, goods)
    assert (numbers.steps, numbers.households_writing, numbers.households) == (2, 2, 8)
    assert numbers.since == clock.today() - timedelta(days=6)
    assert (numbers.scans, numbers.codes) == (0, 3)
    assert (numbers.packs, numbers.packs_stopped) == (60, 70)
    assert (numbers.lots_with_packs, numbers.products_with_packs) == (1, 1)
    assert (numbers.live, numbers.wanted, numbers.live_counted) == (0, 1, 0)


def test_an_own_shop_is_live_and_shown_as_not_counted(demo_province: Demo) -> None:
    actor = actor_of(demo_province, "to-hop-tac")
    with demo_province.database.transaction(actor) as session:
        goods = {g.product.id: g for g in queries.on_sale(session, actor, colleagues=False).lines}
    (shop,) = goods[key("product", "thach-den")].places
    assert (shop.state, shop.counted, shop.floor_name.vi) == ("live", False, "Cửa hàng riêng Pò Pán (mẫu)")


def test_a_desk_shows_nothing_of_another_holder(demo_province: Demo) -> None:
    page = demo_province.enter("hop-tac-xa-2").get("/hop-tac-xa").get_data(as_text=True)
    assert "Tinh dầu hồi Bản Luông" in page
    assert "Nà Mẫu" not in page


@pytest.mark.parametrize("player", ["tinh", "truong-thon", "nong-dan", "chung-nhan"])
def test_the_desk_is_for_traders_only(demo_province: Demo, player: str) -> None:
    assert demo_province.enter(player).get("/hop-tac-xa").status_code == 403


@pytest.mark.parametrize(("player", "answer"), [("hop-tac-xa", 303), ("thu-mua", 403)])
def test_people_and_cards_are_offered_to_the_manager_only(demo_province: Demo, player: str, answer: int) -> None:
    client = demo_province.enter(player)
    offered = 'href="/nguoi-va-the"' in client.get("/hop-tac-xa").get_data(as_text=True)
    assert (offered, client.get("/nguoi-va-the").status_code) == (answer == 303, answer)
    if offered:
        people = client.get("/nguoi-va-the", follow_redirects=True).get_data(as_text=True)
        assert "Người và vai trò" in people


def test_a_stranger_is_asked_to_sign_in(demo_province: Demo) -> None:
    answer = demo_province.app.test_client().get("/hop-tac-xa")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/dang-nhap?next=/hop-tac-xa")


@pytest.mark.parametrize("player", ["hop-tac-xa", "thu-mua", "hop-tac-xa-2", "to-hop-tac"])
def test_the_page_says_its_count_and_gives_each_thing_one_button(demo_province: Demo, player: str) -> None:
    actor = actor_of(demo_province, player)
    with demo_province.database.transaction(actor) as session:
        count = queries.today(session, actor, colleagues=False).count
    page = demo_province.enter(player).get("/hop-tac-xa")
    html = page.get_data(as_text=True)
    assert page.status_code == 200
    assert (f"Hôm nay có {count} việc cần xem" if count else "Hôm nay chưa có việc gì phải xem") in html
    assert html.count('<span class="dot') == count
    listed = html[html.index('<ul class="todo">') : html.index('<div class="kpis">')] if count else ""
    assert listed.count('class="btn"') == count


def test_the_page_asks_the_database_a_fixed_number_of_times(demo_province: Demo) -> None:
    client, asked = demo_province.enter("hop-tac-xa"), []
    client.get("/hop-tac-xa")
    listener = lambda *args: asked.append(args[2])  # noqa: E731 - the event needs one function to add and remove
    event.listen(demo_province.database.engine, "before_cursor_execute", listener)
    try:
        client.get("/hop-tac-xa")
    finally:
        event.remove(demo_province.database.engine, "before_cursor_execute", listener)
    assert len(asked) <= 36


def test_a_certifier_adds_one_line_of_their_own_and_sends_it_twice(demo_province: Demo) -> None:
    client, site = demo_province.enter("chung-nhan"), key("site", "household-failing-0", "thach-den")
    address = f"/chung-nhan/{site}"
    assert "Thu hoạch" in client.get(address).get_data(as_text=True)
    sent = {"id": str(key("test", "finding")), "note": "Vườn sạch, có sổ vật tư."}
    assert [client.post(address, data=sent).status_code for _ in range(2)] == [303, 303]
    rows = demo_province.rows("SELECT kind, witness, written_by FROM care_logs WHERE note = :note", note=sent["note"])
    assert rows == [("observing", "certifier", key("person", "chung-nhan"))]
    other = client.post(address, data=sent | {"note": "Nội dung khác hẳn."})
    assert other.status_code == 409
    assert demo_province.one("SELECT count(*) FROM care_logs WHERE note = 'Nội dung khác hẳn.'") == 0


def test_a_certifier_corrects_their_own_finding_by_a_new_row(demo_province: Demo) -> None:
    client, site = demo_province.enter("chung-nhan"), key("site", "household-failing-0", "thach-den")
    finding, harvest = key("test", "finding-to-correct"), demo_province.one(
        "SELECT id FROM care_logs WHERE site_id = :site AND witness = 'farmer' LIMIT 1", site=site
    )  # fmt: skip
    client.post(f"/chung-nhan/{site}", data={"id": str(finding), "note": "Sổ vật tư thiếu hai trang."})
    form = f"/chung-nhan/nhan-xet/{finding}"
    diary = client.get(f"/chung-nhan/{site}").get_data(as_text=True)
    assert f'href="{form}"' in diary
    assert f'href="/chung-nhan/nhan-xet/{harvest}"' not in diary
    assert "Sổ vật tư thiếu hai trang." in client.get(form).get_data(as_text=True)
    sent = {"id": str(key("test", "better")), "note": "Sổ vật tư đã đủ.", "reason": "Hộ đã bổ sung"}
    assert [client.post(form, data=sent).status_code for _ in range(2)] == [303, 303]
    rows = demo_province.rows(
        "SELECT note, witness, withdrawn FROM care_logs WHERE id = :id OR corrects_id = :id ORDER BY position",
        id=finding,
    )
    assert rows == [("Sổ vật tư thiếu hai trang.", "certifier", False), ("Sổ vật tư đã đủ.", "certifier", False)]
    assert client.get(f"/chung-nhan/nhan-xet/{harvest}").status_code == 404
    assert demo_province.enter("hop-tac-xa").get(form).status_code == 403
    assert demo_province.enter("hop-tac-xa").get(f"/dong-nhat-ky/{finding}/sua").status_code in {403, 404}


@pytest.mark.parametrize(("player", "status"), [("chung-nhan", 404), ("hop-tac-xa-2", 403), ("tinh", 403)])
def test_a_finding_elsewhere_or_by_somebody_else_is_refused(demo_province: Demo, player: str, status: int) -> None:
    site = key("site", "household-passing-0", "hoi")
    sent = {"id": str(key("test", "refused", player)), "note": f"Không được ghi {player}"}
    assert demo_province.enter(player).post(f"/chung-nhan/{site}", data=sent).status_code == status
    assert demo_province.one("SELECT count(*) FROM care_logs WHERE note = :note", note=sent["note"]) == 0


def test_a_certifier_reads_the_sites_of_their_commune_only(demo_province: Demo) -> None:
    actor = actor_of(demo_province, "chung-nhan")
    with demo_province.database.transaction(actor) as session:
        holders = {s.holder for s in queries.sites_to_see(session, actor).lines}
    assert "Hộ số 01 Nà Mẫu" in holders
    assert [h for h in holders if "Bản Luông" in h] == []
    assert demo_province.enter("chung-nhan").get("/chung-nhan").status_code == 200


def test_a_refused_finding_names_each_wrong_field_and_leads_to_it(demo_province: Demo) -> None:
    client, site = demo_province.enter("chung-nhan"), key("site", "household-failing-0", "thach-den")
    finding = key("test", "finding-refused-later")
    saw = ("note", "Bác thấy gì tại chỗ?")
    assert named_in_box(client.post(f"/chung-nhan/{site}", data={"id": str(finding), "note": "x"})) == [saw]
    client.post(f"/chung-nhan/{site}", data={"id": str(finding), "note": "Sổ vật tư thiếu một trang."})
    corrected = client.post(f"/chung-nhan/nhan-xet/{finding}", data={"id": str(key("test", "worse"))})
    assert named_in_box(corrected) == [saw, ("reason", "Lý do sửa")]

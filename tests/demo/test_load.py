"""The loaded demo stands where its story begins, and loading it again changes nothing."""

import re
from datetime import timedelta

import pytest

from app import clock
from app.actor import SYSTEM
from demo import cast, loader
from demo.names import key
from tests.demo.province import Demo

pytestmark = pytest.mark.slow

COUNTED = (
    "places", "organisations", "people", "memberships", "products", "certificates", "sites", "care_logs", "batches",
    "trace_codes", "stock_movements", "listings", "declared_listings", "village_facts", "cards", "jobs", "outbox_events",
)  # fmt: skip


def answers(province: Demo, village: str) -> dict[str, str]:
    rows = province.rows(
        'SELECT "values" FROM village_assessments WHERE village_id = :id AND "current"', id=key("village", village)
    )
    found: dict[str, str] = rows[0][0]
    return found


def test_the_province_has_its_65_communes_and_1700_villages(demo_province: Demo) -> None:
    levels = dict(
        demo_province.rows("SELECT level, count(*) FROM places WHERE valid_to IS NULL GROUP BY level ORDER BY level")
    )
    assert levels == {"province": 1, "commune": 65, "village": 1700}


def test_the_story_village_lacks_one_step_and_one_product_on_a_floor(demo_province: Demo) -> None:
    assert answers(demo_province, "story") == {
        "to-cong-nghe-so": "met",
        "nen-tang-so": "met",
        "wifi-nha-van-hoa": "met",
        "dia-chi-so": "met",
        "ocop-tren-san": "unmet",
        "mo-hinh-chuyen-doi-so": "insufficient",
    }


def test_bac_lanh_is_one_step_short_and_the_other_four_are_not(demo_province: Demo) -> None:
    since = clock.start_of_day(clock.today() - timedelta(days=89))
    counts = {
        number: demo_province.one(
            "SELECT count(*) FROM care_logs WHERE organisation_id = :id AND happened_at >= :since",
            id=key("organisation", f"household-story-{number}"),
            since=since,
        )
        for number in range(5)
    }
    assert counts[0] == 2
    assert min(counts[n] for n in range(1, 5)) >= 3


def test_the_storys_product_is_ready_to_sell_and_sold_nowhere(demo_province: Demo) -> None:
    product = key("product", "na")
    assert demo_province.one("SELECT count(*) FROM listings WHERE product_id = :id", id=product) == 0
    assert demo_province.one("SELECT count(*) FROM declared_listings WHERE product_id = :id", id=product) == 0
    packs = "SELECT sum(units) FROM stock_movements m JOIN batches b ON b.id = m.batch_id WHERE b.lot = 'NA-RAI-01'"
    assert demo_province.one(packs) == 60
    last_day = demo_province.one("SELECT valid_to FROM certificates WHERE product_id = :id", id=product)
    assert last_day == clock.today() + timedelta(days=20)


def test_one_village_fails_by_clause_5_alone_and_one_has_hardly_any_data(demo_province: Demo) -> None:
    failing = answers(demo_province, "failing")
    assert [c for c, value in failing.items() if value != "met"] == ["ocop-tren-san"]
    assert failing["ocop-tren-san"] == "unmet"
    missing = answers(demo_province, "missing")
    assert missing["wifi-nha-van-hoa"] == missing["dia-chi-so"] == missing["nen-tang-so"] == "insufficient"


def test_the_passing_village_waits_only_for_the_worker_to_list_its_oil(demo_province: Demo) -> None:
    passing = answers(demo_province, "passing")
    assert [c for c, value in passing.items() if value != "met"] == ["ocop-tren-san"]
    wanted = demo_province.rows("SELECT wanted, state FROM listings WHERE id = :id", id=key("listing", "tinh-dau"))
    assert wanted == [("live", "draft")]


def test_one_lot_is_held_by_the_diarys_own_rule_and_one_recalled(demo_province: Demo) -> None:
    events = demo_province.rows(
        "SELECT b.lot, e.kind FROM batch_events e JOIN batches b ON b.id = e.batch_id"
        " WHERE e.kind IN ('held', 'recalled') ORDER BY b.lot"
    )
    assert events == [("MAT-01", "recalled"), ("NA-RAI-02", "held")]


def test_no_step_was_refused_or_kept_as_a_conflict(demo_province: Demo) -> None:
    assert demo_province.one("SELECT count(*) FROM conflicting_submissions") == 0
    assert demo_province.one("SELECT count(*) FROM care_logs WHERE time_doubtful") == 0
    assert demo_province.one("SELECT count(*) FROM care_logs WHERE happened_at > recorded_at") == 0


def test_every_decision_number_is_visibly_invented(demo_province: Demo) -> None:
    numbers = [r[0] for r in demo_province.rows("SELECT decision_number FROM certificates")]
    assert len(numbers) == 18
    assert [n for n in numbers if not n.startswith("MẪU-")] == []


def test_loading_again_doubles_nothing(demo_province: Demo) -> None:
    def counts() -> dict[str, int]:
        return {table: demo_province.one(f"SELECT count(*) FROM {table}") for table in COUNTED}

    before = counts()
    loader.load(demo_province.settings)
    assert counts() == before


def test_the_clock_runs_true_after_loading(demo_province: Demo) -> None:
    loader.load(demo_province.settings)
    assert clock.current_shift() == timedelta()


def test_the_command_line_prints_a_way_in_for_every_door(demo_province: Demo) -> None:
    lines = loader.doors(demo_province.settings, "http://127.0.0.1:8000")
    text = "\n".join(lines)
    assert [title for title in cast.DOORS.values() if title not in lines] == []
    assert [p.name for p in cast.PLAYERS if f"{p.shown_phone}  {p.name}" not in text] == []
    assert cast.PASSWORD in lines[0]
    assert re.search(r"http://127\.0\.0\.1:8000/the/[0-9A-Z]{26} \(bốn số: \d{4}\)", text)
    assert text.count("http://127.0.0.1:8000/t/") == 2


def test_the_printed_card_opens_as_a_fresh_card(demo_province: Demo) -> None:
    with demo_province.database.transaction(SYSTEM) as session:
        found = loader.samples(session, demo_province.settings)
    assert found.card is not None
    page = demo_province.app.test_client().get(found.card)
    assert page.status_code == 200
    assert "Hoàng Thị Lành" in page.get_data(as_text=True)


# Farmers have no password: they sign in by card, or by one tap in the demo.
@pytest.mark.parametrize("player", [p for p in cast.PLAYERS if p.role != "farmer"], ids=lambda p: p.key)
def test_every_player_signs_in_with_the_printed_password(demo_province: Demo, player: cast.Player) -> None:
    client = demo_province.app.test_client()
    answer = client.post("/dang-nhap", data={"phone": player.shown_phone, "password": cast.PASSWORD})
    assert answer.status_code == 303


def test_names_of_villages_differ_within_a_commune(demo_province: Demo) -> None:
    doubled = demo_province.rows(
        "SELECT parent_id, name FROM places WHERE level = 'village' GROUP BY parent_id, name HAVING count(*) > 1"
    )
    assert doubled == []
    found = demo_province.one("SELECT id FROM places WHERE level = 'village' AND name = 'Nà Mẫu'")
    assert found == key("village", "story")

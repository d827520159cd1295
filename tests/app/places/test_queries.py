"""The province as loaded: who was where, what became of it, and how it is found."""

import time
from collections import Counter
from datetime import UTC, date, datetime

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import clock
from app.actor import PUBLIC, SYSTEM
from app.db import Database, fold, new_id, sort_key
from app.errors import NotFound
from app.places import queries, reference
from app.places.models import Place, PlaceLineage, PlaceName, Premises

BEFORE, AFTER = date(2025, 6, 30), date(2025, 7, 1)
TODAY = date(2026, 11, 23)


def commune(session: Session, code: str, on: date = TODAY) -> Place:
    found = queries.by_code(session, code, on)
    assert found is not None
    return found


def found(session: Session, typed: str, *levels: str) -> list[Place]:
    return list(queries.search_page(session, typed, on=clock.today(), levels=levels).rows)


def village(session: Session, commune_code: str, code: str, name: str, valid_from: date = AFTER) -> Place:
    row = Place(
        code=code,
        level="village",
        kind_word="thôn",
        name=name,
        sort_key=sort_key(name),
        parent_id=commune(session, commune_code).id,
        valid_from=valid_from,
        recorded_at=clock.now(),
    )
    session.add(row)
    session.flush()  # the test reads it back by queries
    return row


def test_the_province_has_its_65_communes_and_remembers_194_and_11_districts(province: Session) -> None:
    def levels(on: date) -> Counter[str]:
        return Counter(province.scalars(select(Place.level).where(queries.in_force(on))))

    assert levels(AFTER) == {"province": 1, "commune": 65}
    assert levels(BEFORE) == {"province": 1, "district": 11, "commune": 194}
    kinds = Counter(p.kind_word for p in queries.current_communes(province, TODAY))
    assert kinds == {"xã": 61, "phường": 4}
    assert province.scalar(select(func.count()).select_from(PlaceLineage)) == 196
    assert province.scalar(select(func.count()).select_from(PlaceLineage).where(PlaceLineage.partial)) == 4


def test_loading_twice_adds_nothing(province: Session) -> None:
    before = province.scalar(select(func.count()).select_from(Place))
    assert reference.load_reference(province) == 0
    assert province.scalar(select(func.count()).select_from(Place)) == before == 271
    assert province.scalar(select(func.count()).select_from(PlaceName)) == 271


def test_a_later_start_finds_the_province_loaded(fresh_database: Database) -> None:
    with fresh_database.transaction(SYSTEM) as session:
        added = reference.load_reference(session)
    with fresh_database.transaction(SYSTEM) as session:
        assert (added, reference.load_reference(session)) == (271 + 196, 0)


@pytest.mark.parametrize(
    ("code", "before", "after"),
    [("05977", "phường Vĩnh Trại", "phường Đông Kinh"), ("05983", "phường Chi Lăng", "phường Lương Văn Tri"), ("06463", "thị trấn Đồng Mỏ", "xã Chi Lăng")],
)  # fmt: skip
def test_a_code_means_another_unit_before_and_after_the_merger(
    province: Session, code: str, before: str, after: str
) -> None:
    assert queries.full_name(commune(province, code, BEFORE)) == before
    assert queries.full_name(commune(province, code, AFTER)) == after


def test_two_places_never_share_a_code_on_one_day(province: Session) -> None:
    with pytest.raises(IntegrityError, match="ex_places_code"), province.begin_nested():
        village(province, "06463", "06463", "Trùng mã")


def test_an_old_commune_knows_what_became_of_it_and_a_new_one_what_was_there(province: Session) -> None:
    split = commune(province, "06622", BEFORE)
    assert [(k.place.code, k.partial, k.effective_on) for k in queries.became(province, split.id)] == [
        ("06613", True, AFTER), ("06625", True, AFTER),
    ]  # fmt: skip
    chi_lang = commune(province, "06463")
    assert [(queries.full_name(k.place), k.place.code) for k in queries.was_before(province, chi_lang.id)] == [
        ("thị trấn Chi Lăng", "06466"), ("xã Chi Lăng", "06523"), ("thị trấn Đồng Mỏ", "06463"),
    ]  # fmt: skip
    assert "1672/NQ-UBTVQH15" in queries.was_before(province, chi_lang.id)[0].decision
    assert queries.was_before(province, split.id) == []


def test_of_three_old_chi_lang_each_went_its_own_way(province: Session) -> None:
    old = queries.search_page(province, "Chi Lăng", on=BEFORE, levels=["commune"]).rows
    went = {p.code: [k.place.code for k in queries.became(province, p.id)] for p in old}
    assert went == {"05983": ["05983"], "06034": ["06040"], "06466": ["06463"], "06523": ["06463"]}


def test_old_communes_stand_under_their_district_and_new_ones_under_the_province(province: Session) -> None:
    old = commune(province, "06523", BEFORE)
    assert queries.full_name(old, queries.ancestors(province, old.id)) == "xã Chi Lăng, huyện Chi Lăng, tỉnh Lạng Sơn"
    new = commune(province, "06463")
    one = village(province, "06463", "06463-T01", "Nà Mẫu")
    assert queries.full_name(one, queries.ancestors(province, one.id)) == "thôn Nà Mẫu, xã Chi Lăng, tỉnh Lạng Sơn"
    assert queries.full_names(province, [one.id, new.id]) == {
        one.id: "thôn Nà Mẫu, xã Chi Lăng, tỉnh Lạng Sơn", new.id: "xã Chi Lăng, tỉnh Lạng Sơn",
    }  # fmt: skip


def test_villages_come_in_dictionary_order_and_only_those_of_the_day(province: Session) -> None:
    names = ["Đồng Chùa", "Ao Cả", "Ấp Mới", "Dậu", "Áng", "Đá Đỏ"]
    for n, name in enumerate(names):
        village(province, "06463", f"T{n}", name)
    village(province, "06463", "T99", "Sau Này", date(2026, 12, 1))
    here = commune(province, "06463").id
    assert [v.name for v in queries.current_villages(province, here, TODAY)] == [
        "Áng",
        "Ao Cả",
        "Ấp Mới",
        "Dậu",
        "Đá Đỏ",
        "Đồng Chùa",
    ]
    assert queries.village_counts(province, TODAY) == {here: 6}
    assert queries.village_counts(province, date(2026, 12, 1)) == {here: 7}
    assert queries.village_counts(province, BEFORE) == {}


def test_descendants_are_the_place_and_what_is_below_it_on_that_day(province: Session) -> None:
    one = village(province, "06463", "T1", "Một")
    here = commune(province, "06463").id
    root = queries.province(province).id
    now = queries.reach(province, [here, root], TODAY)
    assert now[here]["today"] == {here, one.id}
    assert len(now[root]["today"]) == 1 + 65 + 1
    assert len(queries.reach(province, [root], BEFORE)[root]["today"]) == 1 + 11 + 194
    ever = now[root]["ever"]
    assert now[root]["today"] < ever
    assert queries.reach(province, [root], BEFORE)[root] == {
        "today": queries.reach(province, [root], BEFORE)[root]["today"],
        "ever": ever,
    }
    assert queries.reach(province, [], TODAY) == {}


def test_descendants_of_a_province_with_1700_villages_come_fast(province: Session) -> None:
    communes = queries.current_communes(province, TODAY)
    rows = [
        {
            "id": new_id(), "code": f"V{n}", "level": "village", "kind_word": "thôn", "name": f"Thử {n}",
            "sort_key": f"{n:05d}", "parent_id": communes[n % 65].id, "valid_from": AFTER, "recorded_at": clock.now(),
        }
        for n in range(1700)
    ]  # fmt: skip
    province.execute(insert(Place), rows)
    root = queries.province(province).id
    best = 9.0
    for _ in range(5):
        started = time.perf_counter()
        found = queries.reach(province, [root], TODAY)[root]["today"]
        best = min(best, time.perf_counter() - started)
    assert len(found) == 1766
    assert best < 0.5


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("chi lang", "xã Chi Lăng"),
        ("Chi Lăng", "xã Chi Lăng"),
        ("xã chi lang", "xã Chi Lăng"),
        ("DONG KINH", "phường Đông Kinh"),
        ("đông kinh", "phường Đông Kinh"),
        ("06463", "xã Chi Lăng"),
        ("tinh lang son", "tỉnh Lạng Sơn"),
        ("thon na mau", "thôn Nà Mẫu"),
        ("thon na mau chi lang", "thôn Nà Mẫu"),
        ("thôn Nà Mẫu, xã Chi Lăng", "thôn Nà Mẫu"),
        ("Nà-Mẫu", "thôn Nà Mẫu"),
        ("Na.Mau", "thôn Nà Mẫu"),
        ("6463", "xã Chi Lăng"),
        ("006463", "xã Chi Lăng"),
        ("p. tam thanh", "phường Tam Thanh"),
        ("P.Tam Thanh", "phường Tam Thanh"),
        ("X. CHI LĂNG", "xã Chi Lăng"),
        ("06463-t01", "thôn Nà Mẫu"),
    ],
)  # fmt: skip
def test_places_are_found_without_accents_and_by_code(province: Session, typed: str, first: str) -> None:
    village(province, "06463", "06463-T01", "Nà Mẫu")
    assert queries.full_name(found(province, typed)[0]) == first


def test_a_name_with_signs_is_found_as_it_is_written(province: Session) -> None:
    village(province, "06463", "06463-T09", "Quán 1, 2")
    for typed in ("Quán 1, 2", "quan 1, 2"):
        assert [p.name for p in found(province, typed)] == ["Quán 1, 2"]


@pytest.mark.parametrize(
    "typed", ["", "   ", "%", "_", "\\", "-", " . ", "p.", "0", "không có nơi này", "x" * 500, "x " * 500]
)
def test_a_search_for_nothing_finds_nothing(province: Session, typed: str) -> None:
    assert found(province, typed) == []


def test_what_matches_with_its_accents_comes_first(province: Session) -> None:
    village(province, "06463", "T1", "Bản Nà")
    village(province, "06463", "T2", "Bàn Nã")
    assert [v.code for v in found(province, "Bàn Nã", "village")] == ["T2", "T1"]


def test_the_search_of_the_database_folds_as_we_do(province: Session) -> None:
    for name, folded in province.execute(select(Place.name, Place.name_folded)):
        assert folded == fold(name)


def test_an_unknown_place_is_not_found(province: Session) -> None:
    with pytest.raises(NotFound):
        queries.place(province, new_id())
    assert queries.by_code(province, "99999", TODAY) is None
    assert queries.ancestors(province, new_id()) == []


def test_visitors_read_places_and_cannot_write_them(loaded: Database) -> None:
    with loaded.transaction(PUBLIC) as session:
        assert len(queries.current_communes(session, TODAY)) == 65
        with pytest.raises(Exception, match="row-level security"), session.begin_nested():
            village(session, "06463", "T1", "Kẻ lạ")


def test_premises_answer_for_a_day_as_we_knew_it_then(province: Session) -> None:
    here = village(province, "06463", "T1", "Một").id
    told_later = datetime(2026, 9, 1, tzinfo=UTC)

    def premises(label: str, valid_from: date, recorded: datetime, ended: tuple[date, datetime] | None = None) -> None:
        province.add(
            Premises(
                village_id=here,
                kind="household",
                label=label,
                valid_from=valid_from,
                recorded_at=recorded,
                valid_to=ended[0] if ended else None,
                ended_at=ended[1] if ended else None,
            )
        )

    premises("Hộ 1", AFTER, datetime(2026, 1, 1, tzinfo=UTC))
    premises("Hộ 2", AFTER, datetime(2026, 1, 1, tzinfo=UTC), (date(2026, 6, 30), told_later))
    premises("Hộ 3", AFTER, datetime(2026, 8, 1, tzinfo=UTC))
    province.flush()  # the questions below read the rows

    def labels(on: date, known_at: datetime | None = None) -> list[str]:
        return [p.label for p in queries.premises_of(province, here, on, known_at)]

    assert labels(date(2026, 6, 30)) == ["Hộ 1", "Hộ 2", "Hộ 3"]
    assert labels(date(2026, 7, 1)) == ["Hộ 1", "Hộ 3"]
    assert labels(date(2026, 7, 1), datetime(2026, 7, 2, tzinfo=UTC)) == ["Hộ 1", "Hộ 2"]
    assert labels(date(2026, 7, 1), datetime(2026, 8, 15, tzinfo=UTC)) == ["Hộ 1", "Hộ 2", "Hộ 3"]
    assert labels(BEFORE) == []
    assert queries.premises_counts(province, [here, new_id()], date(2026, 7, 1)) == {here: {"household": 2}}
    assert queries.premises_counts(province, [], TODAY) == {}

"""A list compared with what is in force: lost zeros, namesakes, spellings; what is doubtful is asked and never done unasked."""

import csv
from collections.abc import Callable, Sequence
from io import StringIO
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import clock
from app.actor import SYSTEM, Actor
from app.db import Database, identity
from app.errors import Invalid
from app.media import MediaStore
from app.places import imports, lists
from app.places.imports import Plan
from app.places.models import ImportKind, Place, Premises
from app.places.same_names import near_name_key
from tests.app.places.verbs import START, Csv, imported, send, work

Workbook = Callable[..., bytes]
VILLAGES = ["06463;0646391;thôn;Pò Thử 3", "06463;0646392;thôn;Pò Thử 1", "06463;06463-T01;thôn;Nà Mẫu"]
PREMISES = "Mã thôn;Loại;Nhãn\n"


@pytest.fixture
def there(loaded: Database, official: Actor, store: MediaStore, village_csv: Csv) -> Database:
    imported(loaded, official, store, village_csv(*VILLAGES))
    return loaded


def planned(database: Database, raw: bytes, kind: ImportKind = ImportKind.VILLAGES) -> Plan:
    with database.transaction(SYSTEM) as session:
        return imports.plan(session, raw, kind, clock.today())


def counts(plan: Plan) -> tuple[int, int, int, int]:
    """Added, renamed, unchanged, problems."""
    return len(plan.villages) + len(plan.premises), len(plan.renames), plan.unchanged, len(plan.problems)


def premises(*rows: str) -> bytes:
    return (PREMISES + "\n".join(rows)).encode()


# --- one name or two ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Hoà Bình", "Hòa Bình"),
        ("Thuỷ Hùng", "Thủy Hùng"),
        ("Khoẻ", "Khỏe"),
        ("ẤP CÚT", "Ấp Cút"),
        ("Nà  Mẫu", "Nà Ma\u0302\u0303u"),
        ("Quý", "Qúy"),
        ("Tòa Án", "Toà án"),
    ],
)
def test_two_spellings_of_one_name_are_one(one: str, other: str) -> None:
    assert identity(one) == identity(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Hộ Pá Lâu", "Hộ Pá Lầu"), ("thôn Dõng", "thôn Đông"), ("Hộ đầu cầu", "Hộ đầu câu"), ("Nà Tư", "Nà Tu"), ("Thôn 1", "Thôn 01"), ("Nà Mẫu", "Nà-Mẫu"), ("Khu 1", "Khu 11"), ("Dư", "Du"), ("Đa", "Da")],
)  # fmt: skip
def test_two_names_are_two(one: str, other: str) -> None:
    assert identity(one) != identity(other)


def test_no_two_names_of_the_province_are_thrown_together_but_spellings() -> None:
    units = (Path(imports.__file__).parents[1] / "data" / "langson-units.csv").read_text(encoding="utf-8")
    names = {row["name"] for row in csv.DictReader(StringIO(units))}
    assert len({identity(name) for name in names}) == len({name.casefold() for name in names})


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [("Thôn 1", "Thôn 01", True), ("Nà Mẫu", "Nà-Mẫu", True), ("Tổ 10", "Tổ 1", False), ("Tổ 100", "Tổ 1", False), ("Khối 2/9", "khối 2-9", True), ("Dõng", "Đông", False)],
)  # fmt: skip
def test_names_that_may_be_one_are_near(one: str, other: str, *, near: bool) -> None:
    assert (near_name_key(one) == near_name_key(other)) is near


# --- codes that lost their zeros ---------------------------------------------------------------------------------


@pytest.mark.parametrize("as_workbook", [False, True])
def test_codes_that_lost_their_zero_are_the_villages_in_force(
    there: Database, village_csv: Csv, make_workbook: Workbook, *, as_workbook: bool
) -> None:
    rows = [row.replace("06463;06463", "6463;6463").replace("06463;0", "6463;") for row in VILLAGES[:2]]
    raw = make_workbook([["Mã xã", "Mã thôn", "Loại", "Tên thôn"], *(r.split(";") for r in rows)])
    plan = planned(there, raw if as_workbook else village_csv(*rows))
    assert (counts(plan), plan.questions) == ((0, 0, 2, 0), [])
    assert [n.vi for n in plan.notes] == [
        "2 mã thôn mất số 0 ở đầu, đã nhận ra thôn đang có: 646391 là 0646391; 646392 là 0646392."
    ]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("06463;646391;thôn;Tên Khác", "Mã 646391 chỉ khác số 0 ở đầu với mã 0646391 (thôn Pò Thử 3)."),
        ("06463;00646391;thôn;Pò Thử 3", "Mã 00646391 chỉ khác số 0 ở đầu với mã 0646391 (thôn Pò Thử 3)."),
        ("06040;646391;thôn;Pò Thử 3", "Mã 646391 đang là mã của thôn Pò Thử 3, không thuộc xã Thất Khê."),
    ],
)
def test_a_code_without_its_zero_that_could_be_another_village_is_refused_with_the_way_out(
    there: Database, village_csv: Csv, row: str, said: str
) -> None:
    plan = planned(there, village_csv(row))
    assert (counts(plan), [(p.cell, p.why.vi) for p in plan.problems]) == ((0, 0, 0, 1), [("B2", said)])


def test_one_village_with_and_without_its_zero_in_one_file_is_refused(there: Database, village_csv: Csv) -> None:
    plan = planned(there, village_csv(VILLAGES[0], "06463;646391;thôn;Pò Thử 3", "06463;77;thôn;A", "06463;077;thôn;B"))
    assert [p.why.vi for p in plan.problems] == [
        "Mã 646391 chỉ khác mã 0646391 ở dòng 2 số 0 đầu.",
        "Mã 077 chỉ khác mã 77 ở dòng 4 số 0 đầu.",
    ]


def test_new_codes_that_look_as_if_they_lost_their_zero_are_asked_about(there: Database, village_csv: Csv) -> None:
    plan = planned(there, village_csv("06463;646395;thôn;Mới", "06463;0646396;thôn;Mới Hai", "06463;T9;thôn;Mới Ba"))
    assert counts(plan) == (3, 0, 0, 0)
    assert ["646395" in q.vi and "646396" not in q.vi for q in plan.questions] == [True]


def test_premises_of_a_village_whose_code_lost_its_zero_are_asked_about(
    there: Database, official: Actor, store: MediaStore
) -> None:
    raw = premises("646392;hộ;Hộ số 1", "999999;hộ;Hộ số 2")
    plan = planned(there, raw, ImportKind.PREMISES)
    assert [(p.cell, p.why.vi) for p in plan.problems] == [("A3", "Không có thôn nào mang mã 999999 hôm nay.")]
    assert "Excel có thể đã bỏ số 0" in plan.problems[0].way_out.vi
    raw = premises("646392;hộ;Hộ số 1", "0646392;hộ;Hộ số 3")
    plan = planned(there, raw, ImportKind.PREMISES)
    assert (counts(plan), [p.village.code for p in plan.premises]) == ((2, 0, 0, 0), ["0646392", "0646392"])
    assert [q.vi for q in plan.questions] == [
        "1 mã thôn mất số 0 ở đầu, đọc là thôn đang có: 646392 là 0646392 (thôn Pò Thử 1)."
    ]
    import_id = send(there, official, store, raw, kind=ImportKind.PREMISES)
    with pytest.raises(Invalid, match="import_questions"), there.transaction(official) as session:
        lists.request_import(session, official, store, import_id)


def test_one_household_under_a_code_with_and_without_its_zero_is_refused(there: Database) -> None:
    plan = planned(there, premises("646392;hộ;Hộ số 1", "0646392;hộ;hộ SỐ 1"), ImportKind.PREMISES)
    assert [(p.cell, p.why.vi) for p in plan.problems] == [("C3", "“hộ SỐ 1” đã có ở dòng 2.")]


# --- namesakes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "asked"),
    [
        (["06463;MOI-1;thôn;Nà Mẫu"], "Trùng tên trong xã Chi Lăng: thôn Nà Mẫu (06463-T01), thôn Nà Mẫu (MOI-1)."),
        (["06463;MOI-1;thôn;NÀ-MẪU"], "Tên gần như một trong xã Chi Lăng: thôn Nà Mẫu (06463-T01), thôn NÀ-MẪU (MOI-1)."),
        (["06463;MOI-1;thôn;Pò Thử 03"], "Tên gần như một trong xã Chi Lăng: thôn Pò Thử 3 (0646391), thôn Pò Thử 03 (MOI-1)."),
        (["06463;0646391;thôn;Nà Mẫu"], "Trùng tên trong xã Chi Lăng: thôn Nà Mẫu (06463-T01), thôn Nà Mẫu (0646391)."),
        (["06463;T1;thôn;Nà Pàn", "06463;T2;thôn;Nà Pàn"], "Trùng tên trong xã Chi Lăng: thôn Nà Pàn (T1), thôn Nà Pàn (T2)."),
        (["06463;06463-T01;thôn;Nà Mẫu Mới", "06463;MOI-1;thôn;Nà Mẫu"], ""),
        (["06463;MOI-1;bản;Nà Mẫu"], ""),
        (["06463;MOI-1;thôn;Nà Mâu"], ""),
        (["06040;MOI-1;thôn;Nà Mẫu"], ""),
        (["06463;T1;thôn;Dõng", "06463;T2;thôn;Đông"], ""),
    ],
)  # fmt: skip
def test_a_namesake_in_the_file_or_in_force_is_asked_about(
    there: Database, village_csv: Csv, rows: Sequence[str], asked: str
) -> None:
    plan = planned(there, village_csv(*rows))
    assert (plan.problems, plan.changes) == ([], len(rows))
    assert [q.vi for q in plan.questions] == ([asked] if asked else [])


def test_what_is_asked_is_done_only_when_exactly_that_was_seen(
    there: Database, official: Actor, store: MediaStore, village_csv: Csv
) -> None:
    import_id = send(there, official, store, village_csv("06463;MOI-1;thôn;Nà Mẫu"))
    with there.transaction(official) as session:
        seen = lists.plan_import(session, official, store, import_id)[1].asked
    for wrong in ("", "1", "0" * 32):
        with pytest.raises(Invalid, match="import_questions"), there.transaction(official) as session:
            lists.request_import(session, official, store, import_id, seen=wrong)
    with there.transaction(official) as session:
        job_id = lists.request_import(session, official, store, import_id, seen=seen)
    imported(there, official, store, village_csv("06463;T77;thôn;Khác"))
    assert work(there, store, job_id).result == {"added": 1, "renamed": 0, "unchanged": 0}
    with there.transaction(SYSTEM) as session:
        assert session.scalar(select(func.count()).where(Place.name == "Nà Mẫu")) == 2


def test_a_namesake_that_came_after_the_button_stops_the_job(
    there: Database, official: Actor, store: MediaStore, village_csv: Csv
) -> None:
    import_id = send(there, official, store, village_csv("06463;MOI-1;thôn;Nà Lầu"))
    with there.transaction(official) as session:
        job_id = lists.request_import(session, official, store, import_id)
    imported(there, official, store, village_csv("06463;T78;thôn;Nà Lầu"))
    job = work(there, store, job_id)
    assert (job.state, job.error is not None and "Trùng tên trong xã Chi Lăng" in job.error.vi) == ("failed", True)
    with there.transaction(SYSTEM) as session:
        assert session.scalars(select(Place.code).where(Place.name == "Nà Lầu")).all() == ["T78"]


def test_another_spelling_of_the_name_in_force_is_no_new_name(
    there: Database, official: Actor, store: MediaStore, village_csv: Csv
) -> None:
    imported(there, official, store, village_csv("06463;T20;thôn;Hoà Thuỷ"))
    plan = planned(there, village_csv("06463;T20;thôn;Hòa Thủy", "06463;06463-T01;Thôn;NÀ MẪU"))
    assert (counts(plan), plan.questions) == ((0, 0, 2, 0), [])
    assert "thôn Hòa Thủy (thôn Hoà Thuỷ); thôn NÀ MẪU (thôn Nà Mẫu)" in plan.notes[0].vi


def test_labels_that_differ_by_a_tone_are_two_households_and_stay_two(
    there: Database, official: Actor, store: MediaStore
) -> None:
    raw = premises("06463-T01;hộ;Hộ Pá Lâu", "06463-T01;hộ;Hộ Pá Lầu", "06463-T01;hộ;Hộ đầu cầu")
    assert imported(there, official, store, raw, kind=ImportKind.PREMISES).result == {
        "added": 3, "renamed": 0, "unchanged": 0,
    }  # fmt: skip
    raw = premises("06463-T01;hộ;Hộ đầu câu", "06463-T01;hộ;HỘ PÁ LÂU", "06463-T01;hộ;Hộ Pá Lầu")
    plan = planned(there, raw, ImportKind.PREMISES)
    assert (counts(plan), plan.questions) == ((1, 0, 2, 0), [])
    with there.transaction(SYSTEM) as session:
        keys = session.scalars(select(Premises.label_key).order_by(Premises.label_key)).all()
        assert len(set(keys)) == 3


def test_labels_that_are_nearly_one_are_asked_about(there: Database, official: Actor, store: MediaStore) -> None:
    imported(there, official, store, premises("06463-T01;hộ;Hộ số 1"), kind=ImportKind.PREMISES)
    plan = planned(there, premises("06463-T01;hộ;Hộ số 01", "06463-T01;trụ sở;Hộ số 1"), ImportKind.PREMISES)
    assert counts(plan) == (2, 0, 0, 0)
    assert [q.vi for q in plan.questions] == ["Nhãn gần như một trong cùng một thôn: Hộ số 1, Hộ số 01."]


# --- what we hand out comes back ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(ImportKind))
def test_the_list_in_force_sent_back_changes_nothing(
    there: Database, official: Actor, store: MediaStore, village_csv: Csv, kind: ImportKind
) -> None:
    imported(
        there,
        official,
        store,
        village_csv("06040;T30;tổ dân phố;5A/2 (khu “Đèo” - Kéo), ô 3. 'B' & C", "06463;0777;khối;5"),
    )
    rows = ("06463-T01;hộ;Hộ số 12", "0646391;nhà văn hóa;Nhà văn hóa thôn", "0777;trụ sở;Trụ sở “khối” 5")
    imported(there, official, store, premises(*rows), kind=ImportKind.PREMISES)
    with there.transaction(SYSTEM) as session:
        raw = imports.current_list(session, kind, clock.today())
    plan = planned(there, raw, kind)
    assert (counts(plan), plan.notes, plan.questions) == ((0, 0, 5 if kind is ImportKind.VILLAGES else 3, 0), [], [])


def test_the_list_in_force_through_a_spreadsheet_that_eats_zeros_changes_nothing(
    there: Database, province: Session
) -> None:
    del province
    with there.transaction(SYSTEM) as session:
        raw = imports.current_list(session, ImportKind.VILLAGES, START)
    eaten = "\n".join(
        ";".join(str(int(cell)) if cell.isdigit() else cell for cell in line.split(";"))
        for line in raw.decode("utf-8-sig").splitlines()
    )
    plan = planned(there, eaten.encode())
    assert (counts(plan), plan.questions) == ((0, 0, 3, 0), [])

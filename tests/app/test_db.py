"""Values have one spelling, and the database knows who acts."""

import json
import unicodedata
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from sqlalchemy import CheckConstraint, String, column, func, select, text, values
from sqlalchemy.exc import ProgrammingError, StatementError
from sqlalchemy.orm import Session

from app import audit, outbox
from app.actor import PUBLIC, SYSTEM, Actor, Role
from app.audit import AuditEntry
from app.db import (
    Database,
    Words,
    canonical_json,
    fold,
    holds_personal_number,
    identity,
    insert_once,
    json_of,
    json_ready,
    names_a_person,
    new_id,
    nfc,
    no_personal_numbers,
    numbered,
    sort_key,
)
from app.errors import Invalid
from app.jobs import JobRequested
from app.marketplace_sync.models import Floor
from app.migrations import tables

NOW = datetime(2026, 11, 20, 5, tzinfo=UTC)
LETTERS = "a ă Ă â Âu ca cà cả cã cá cạ cam da Dạ dâu đa Đà e ê Lạt o ô ơ z"


def test_new_ids_are_version_7() -> None:
    assert {new_id().version for _ in range(10)} == {7}


def test_nfc_trims_and_composes() -> None:
    assert nfc("  " + unicodedata.normalize("NFD", "Mật  ong") + "\t") == "Mật ong"


@pytest.mark.parametrize(("raw", "folded"), [("Đặng Thị Ớt", "dang thi ot"), ("MẪU SƠN", "mau son"), ("hồi", "hoi")])
def test_fold_in_python_and_in_sql_agree(database: Database, raw: str, folded: str) -> None:
    with database.transaction(PUBLIC) as session:
        in_sql = session.execute(text("SELECT vn_fold(:raw)"), {"raw": raw}).scalar_one()
    assert (fold(raw), in_sql) == (folded, folded)


def test_vietnamese_order_is_letters_first_then_tones() -> None:
    words = LETTERS.split()
    assert [w.casefold() for w in sorted(set(words), key=sort_key)] == [w.casefold() for w in words]
    assert [w for w in sorted(words, key=sort_key) if w[0].casefold() == "c"] == [
        "ca",
        "cà",
        "cả",
        "cã",
        "cá",
        "cạ",
        "cam",
    ]
    assert sort_key("dâu") < sort_key("đa") < sort_key("Đà")


IN_ORDER = (
    ["2", "2B", "9A", "10"],
    [f"Khối {n}" for n in range(1, 13)],
    ["NPK", "NPK 5-10-3", "NPK 16-16-8", "NPK 20-20-15"],
    ["Tổ 1", "Tổ 01", "Tổ 1/2", "Tổ 1A", "Tổ 2", "Tổ mới"],
    ["Lô 99", "Lô 100", "Lô 12345678901234567890", "Lô A"],
    ["Khu 1-2", "Khu 1-10", "Khu 1.2"],
    ["na", "nà", "nả", "nà 2", "nam", "名"],
)


@pytest.mark.parametrize("names", IN_ORDER)
def test_numbers_inside_names_sort_as_numbers(names: list[str]) -> None:
    assert sorted(set(names), key=sort_key) == names
    assert len({sort_key(name) for name in names}) == len(names)


@given(st.lists(st.text("aăd đnpk'-./0129", max_size=8), max_size=6))
def test_the_key_of_a_name_begins_no_key_of_another_order(names: list[str]) -> None:
    """Whatever stands before the first difference, the difference decides; so names put behind a word keep their order."""
    plain = sorted({nfc(name) for name in names}, key=sort_key)
    behind = sorted((f"Khối {name}" for name in plain if name), key=sort_key)
    assert behind == [f"Khối {name}" for name in plain if name]


@pytest.mark.parametrize("names", IN_ORDER[:4])
def test_lists_from_the_database_sort_numbers_alike(database: Database, names: list[str]) -> None:
    """`numbered` knows no tones and no signs beyond the alphabet's: it is for lists of labels and products."""
    names = [n for n in names if n != "Tổ 01"]
    with database.transaction(PUBLIC) as session:
        rows = values(column("name", String), name="v").data([(n,) for n in reversed(names)])
        assert list(session.scalars(select(rows.c.name).order_by(numbered(func.vn_fold(rows.c.name))))) == names


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Hộ Pá Lâu", "Hộ Pá Lầu", False),
        ("Hộ đầu cầu", "Hộ đầu câu", False),
        ("thôn Dõng", "thôn Đông", False),
        ("Nà Mẫu", "  nà   MẪU ", True),
        ("Hòa Bình", "Hoà Bình", True),
        ("THỦY KHÊ", "Thuỷ Khê", True),
        ("Hoè", "hòe", True),
        ("Hoàn", "Hòan", True),
        ("Mẫu Sơn", unicodedata.normalize("NFD", "mẫu sơn"), True),
        ("Đặng", "đặng", True),
        ("Khối 1", "Khối 01", False),
    ],
)
def test_names_are_the_same_by_letters_and_tones(database: Database, one: str, other: str, same: bool) -> None:  # noqa: FBT001 - a parameter of the test
    with database.transaction(PUBLIC) as session:
        in_sql = session.execute(
            text("SELECT vn_identity(:one) AS one, vn_identity(:other) AS other"), {"one": one, "other": other}
        ).one()
    assert (identity(one) == identity(other)) is same
    assert (in_sql.one, in_sql.other) == (identity(one), identity(other))


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ("0912345678", False),
        ("0 9_12(3)4–5.6\u00a07.8", False),
        ("Hộ số 12345678", True),
        ("7 hộ, năm 2025", True),
        ("15/08/2019 - 31/12/2025", True),
    ],
)
def test_nine_digits_are_a_personal_number_whatever_stands_between_them(value: str, *, plain: bool) -> None:
    assert holds_personal_number(value) is not plain


@pytest.mark.parametrize(
    ("value", "person"),
    [("Hộ bà Lý Thị Mai", True), ("ÔNG PÁO", True), ("nông văn páo", True), ("Hãy sĩ trạm", False), ("Nhà Văn Hóa", False),
     ("Hộ số 12 xã Hoàng Văn Thụ", False), ("Hộ số 3 phố Bà Triệu", False), ("Hộ bà Mai, thôn Nà Mẫu", True)],
)  # fmt: skip
def test_a_title_before_a_capital_or_a_whole_name_is_a_person(value: str, *, person: bool) -> None:
    assert names_a_person(value) is person


def test_equal_contents_have_equal_json() -> None:
    one = {"b": Decimal("1.500"), "a": datetime(2026, 1, 1, 7, tzinfo=UTC), "id": UUID(int=1), "s": {"y", "x"}}
    other = {"s": {"x", "y"}, "id": UUID(int=1), "a": datetime(2026, 1, 1, 7, tzinfo=UTC), "b": Decimal("1.5")}
    assert canonical_json(one) == canonical_json(other)
    assert b'"b":"1.5"' in canonical_json(one)


class Said(BaseModel):
    zebra: Decimal
    apple: datetime


CONTENT = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(alphabet=st.characters(exclude_categories=["Cs"]))
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.uuids()
    | st.dates()
    | st.datetimes(datetime(1900, 1, 2), timezones=st.sampled_from([UTC, ZoneInfo("Asia/Ho_Chi_Minh")])),  # noqa: DTZ001
    lambda inner: (
        st.sets(st.sampled_from(Role) | st.text("abc"))
        | st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text("aăâđ1_"), inner)
    ),
)


@given(CONTENT)
def test_content_is_spelled_as_the_standard_library_spells_it(value: object) -> None:
    plain = json_ready(value)
    assert json.loads(json_of(value)) == plain
    assert (
        canonical_json(value) == json.dumps(plain, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    )


def test_a_schema_is_spelled_with_its_keys_in_order_and_its_moments_in_utc() -> None:
    moment = datetime(2026, 1, 1, 7, tzinfo=ZoneInfo("Asia/Ho_Chi_Minh"))
    said = Said(zebra=Decimal("2.50"), apple=moment)
    assert (
        canonical_json(said) == canonical_json([said])[1:-1] == b'{"apple":"2026-01-01T00:00:00+00:00","zebra":"2.5"}'
    )


def test_words_fall_back_to_vietnamese() -> None:
    words = Words(vi="Na", en="Custard apple")
    assert (words.text("en"), words.text("zh"), words.text("vi")) == ("Custard apple", "Na", "Na")


def test_a_naive_datetime_never_reaches_the_database(database: Database) -> None:
    entry = AuditEntry(
        id=new_id(),
        at=datetime(2026, 1, 1),  # noqa: DTZ001 - the point
        action="a:b:c",
        actor_kind="system",
        request_id="",
        detail={},
    )
    with pytest.raises(StatementError, match="without a time zone"), database.transaction(SYSTEM) as session:
        session.add(entry)


def test_the_application_cannot_change_or_delete_history(database: Database) -> None:
    with database.transaction(SYSTEM) as session:
        audit.record(session, SYSTEM, "test:row:add")
    for statement in (
        "UPDATE audit_entries SET action = 'x'",
        "DELETE FROM audit_entries",
        "DELETE FROM outbox_events",
    ):
        with pytest.raises(ProgrammingError, match="permission denied"), database.transaction(SYSTEM) as session:
            session.execute(text(statement))


def test_the_application_role_owns_no_table(database: Database) -> None:
    with database.transaction(SYSTEM) as session:
        owned = session.execute(text("SELECT count(*) FROM pg_tables WHERE tableowner = current_user")).scalar_one()
        role = session.execute(text("SELECT current_user")).scalar_one()
    assert (role, owned) == ("hoi_app", 0)


def test_a_missing_actor_sees_nothing(database: Database) -> None:
    person = new_id()
    actor = Actor(kind="person", person_id=person)
    with database.transaction(actor) as session:
        audit.record(session, actor, "test:row:add")
        outbox.publish(session, actor, JobRequested(job_id=new_id()))
    with database.engine.begin() as bare:
        assert bare.execute(text("SELECT count(*) FROM audit_entries")).scalar_one() == 0
        assert bare.execute(text("SELECT count(*) FROM outbox_events")).scalar_one() == 0
    with database.transaction(actor) as session:
        assert session.execute(text("SELECT count(*) FROM audit_entries")).scalar_one() == 1


def test_a_refusal_rolls_everything_back(fresh_database: Database) -> None:
    with pytest.raises(RuntimeError), fresh_database.transaction(SYSTEM) as session:
        audit.record(session, SYSTEM, "test:row:add")
        outbox.publish(session, SYSTEM, JobRequested(job_id=new_id()))
        session.flush()
        raise RuntimeError
    with fresh_database.transaction(SYSTEM) as session:
        assert session.execute(text("SELECT count(*) FROM audit_entries")).scalar_one() == 0
        assert outbox.open_debts(session) == 0


def test_the_same_id_waits_until_who_wrote_it_first_is_done(fresh_database: Database) -> None:
    """Else the second of two equal forms fails on another unique index, instead of finding that it came twice."""
    row, other = new_id(), new_id()
    taken = text("SELECT pg_try_advisory_xact_lock(hashtextextended(CAST(:id AS text), 0))")

    def free(session: Session, row_id: UUID) -> bool:
        return bool(session.scalar(taken, {"id": str(row_id)}))

    def floor(row_id: UUID) -> Floor:
        return Floor(
            id=row_id, key="san-thu", name=Words(vi="Sàn thử"), hosts=["a.example"], kind="marketplace", created_at=NOW
        )

    with fresh_database.transaction(SYSTEM) as first:
        assert insert_once(first, floor(row))
        with fresh_database.transaction(SYSTEM) as second:
            assert (free(second, row), free(second, other)) == (False, True)
    with fresh_database.transaction(SYSTEM) as third:
        assert (free(third, row), insert_once(third, floor(row))) == (True, False)


def test_every_rule_of_a_table_stands_in_the_database_under_the_name_of_the_model(database: Database) -> None:
    """Alembic compares columns and keys, not CHECKs: one forgotten, or one with another name, would go unseen."""
    in_models = {
        (table.name, str(rule.name))
        for table in tables.ALL
        for rule in table.constraints
        if isinstance(rule, CheckConstraint)
    }
    with database.transaction(SYSTEM) as session:
        rows = session.execute(
            text(
                "SELECT conrelid::regclass::text, conname FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid"
                " WHERE contype = 'c' AND NOT relispartition AND connamespace = 'public'::regnamespace"
            )
        )
        there = {(table, name) for table, name in rows if table not in {"clock_shift", "partitioned_tables"}}
    assert there == in_models


@pytest.mark.parametrize(
    "value",
    [
        "gọi 0912 345 678",
        "+84 (912) 345-678",
        "0912.345.678",
        "0912,345,678",
        "0912\u00a0345\u2013678",
        "CCCD 020190001234",
        "020 190 001 234",
        "٠٩١٢٣٤٥٦٧٨",
        "21.85371, 106.76112",
        "21,85371 / 106,76112",
        "21.85371N 106.76112E",
        "21°51'13\" B",
    ],
)
def test_a_text_for_everybody_holds_no_number_of_a_person_and_no_exact_place(value: str) -> None:
    with pytest.raises(Invalid) as refused:
        no_personal_numbers(value)
    assert refused.value.code == "personal_number"
    assert isinstance(refused.value, ValueError)  # so that pydantic lets both sentences through


@pytest.mark.parametrize(
    "value",
    [
        "Hộ số 07",
        "Nhà 12, 13, 14, 15 và 16",
        "từ 01/01/2026 đến 31/12/2026",
        "2024-2025",
        "148/QĐ-TTg ngày 24/02/2023",
        "1.500, 2.000, 2.500",
        "25.000.000 đ",
        "rộng 2,5 ha",
    ],
)
def test_ordinary_figures_pass(value: str) -> None:
    assert no_personal_numbers(value) == value


def test_the_trail_is_found_by_who_acted(database: Database) -> None:
    with database.transaction(SYSTEM) as session:
        session.execute(text("SET LOCAL enable_seqscan = off"))
        plan = session.execute(
            text("EXPLAIN SELECT * FROM audit_entries WHERE person_id = :id OR subject_id = :id"), {"id": new_id()}
        ).scalars()
        assert {"ix_audit_entries_person_id", "ix_audit_entries_subject"} <= set(" ".join(plan).split())

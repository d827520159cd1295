"""A step as the desk's pages show it: who did it, who wrote it, who vouches, and how two writings differ."""

from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest

from app.db import Words
from app.factory import create_app
from app.settings import Settings
from app.trace.models import CareLog, ConflictingSubmission
from app.trace.queries import DiaryLine
from app.trace.routes.diary_views import DiaryRow, diary_rows, sent_again, versions

DOER, WRITER, SITE, LOG, CYCLE = (UUID(int=n) for n in range(1, 6))
NAMES = {DOER: "Lành", WRITER: "Mai"}
WHEN = datetime(2026, 11, 3, 8, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _in_a_page(settings: Settings) -> Any:
    with create_app(settings).test_request_context():
        yield


def log(**facts: Any) -> CareLog:
    usual = {
        "id": LOG, "kind": "spraying", "performed_by": DOER, "written_by": DOER, "witness": "farmer", "cycle_id": None,
        "withdrawn": False, "pre_harvest_days": 7, "happened_at": WHEN, "material": "Vôi", "quantity": Decimal(2),
        "unit": "kg", "note": None, "photos": [],
    }  # fmt: skip
    return cast("CareLog", SimpleNamespace(**usual | facts))


def row(conflicts: set[UUID] | None = None, *, may_write: bool = True, **facts: Any) -> DiaryRow:
    line = DiaryLine(LOG, log(**facts), 0)
    crops = {CYCLE: Words(vi="Na")}
    (found,) = diary_rows([line], NAMES, crops, conflicts=conflicts or set(), may_write=may_write)
    return found


def test_who_wrote_it_is_told_only_where_somebody_else_did_it() -> None:
    own, told = row(), row(written_by=WRITER)
    assert (own.doer, own.writer, own.witness) == ("Lành", None, "người làm tự ghi")
    assert (told.writer, told.witness) == ("Mai", "theo lời người làm")
    assert row(written_by=UUID(int=9)).writer == "người khác"
    assert row(performed_by=None, written_by=WRITER).doer == ""


def test_a_vouched_step_says_who_vouches() -> None:
    assert row(written_by=WRITER, witness="cooperative").witness == "hợp tác xã làm chứng"


def test_a_finding_of_a_certifier_is_not_corrected_here() -> None:
    assert (row().may_correct, row(witness="certifier").may_correct, row(may_write=False).may_correct) == (
        True,
        False,
        False,
    )


def test_the_crop_and_what_was_sent_twice_are_marked() -> None:
    found = row({LOG}, cycle_id=CYCLE)
    assert (found.crop, found.two_differ) == (Words(vi="Na"), True)
    assert (row(cycle_id=UUID(int=9)).crop, row().two_differ) == (None, False)


def test_versions_say_which_counts() -> None:
    rows = [log(), log(pre_harvest_days=None), log(withdrawn=True)]
    assert [v.title for v in versions(rows[:2], NAMES)] == ["Đang tính", "Bản trước"]
    assert [v.waits for v in versions(rows[:2], NAMES)] == ["không ghi", "7 ngày"]
    assert [v.title for v in versions(rows, NAMES)] == ["Đã báo là không có", "Bản trước", "Bản trước"]
    (nobody,) = versions([log(performed_by=None, written_by=UUID(int=9))], NAMES)
    assert (nobody.doer, nobody.writer) == ("một người của hộ", "người khác")


def test_two_writings_stand_beside_each_other() -> None:
    body = {
        "id": str(LOG), "site_id": str(SITE), "kind": "spraying", "happened_at": WHEN.isoformat(), "quantity": "3",
        "unit": "kg", "material": "Vôi", "pre_harvest_days": 7, "witness": "farmer", "performed_by": str(DOER),
    }  # fmt: skip
    conflict = SimpleNamespace(care_log_id=LOG, body=body, received_at=WHEN, person_id=WRITER)
    found = sent_again(cast("ConflictingSubmission", conflict), [log()], NAMES)
    assert (found.sender, found.at) == ("Mai", WHEN)
    assert [(f.name, f.first, f.again) for f in found.facts if f.differs] == [("Số lượng", "2 kg", "3 kg")]
    assert [f.name for f in found.facts] == [
        "Việc", "Làm lúc", "Dùng", "Số lượng", "Cách ly", "Làm chứng", "Ghi thêm", "Ảnh",
    ]  # fmt: skip

"""A batch's page, decided without a page: its codes and labels, its ledger, what became of it, and the decisions."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest

from app.db import Words
from app.factory import create_app
from app.products.models import Variant
from app.settings import ROOT, Settings
from app.trace.batch_events import Told
from app.trace.models import BatchEvent, TraceCode
from app.trace.queries import BatchStanding, Ledger
from app.trace.routes import batch_views as views

WHEN = datetime(2026, 11, 3, 8, tzinfo=UTC)
MAI, STRANGER = UUID(int=1), UUID(int=2)


@pytest.fixture(autouse=True)
def _in_a_page(settings: Settings) -> Any:
    with create_app(settings).test_request_context():
        yield


def event(kind: str, **facts: Any) -> BatchEvent:
    usual = {"kind": kind, "at": WHEN, "cause_id": None, "person_id": MAI, "reason": Words(vi="Vì sao đó.")}
    return cast("BatchEvent", SimpleNamespace(**usual | facts))


def standing(state: Any, last: BatchEvent | None = None) -> BatchStanding:
    return cast("BatchStanding", SimpleNamespace(state=state, event=last))


def code(kind: str) -> TraceCode:
    return cast(
        "TraceCode", SimpleNamespace(kind=kind, code="K7M29QXD3HTPK" if kind == "short" else "04006381333931/A1")
    )


def pack(gtin: str | None) -> Variant:
    return cast("Variant", SimpleNamespace(gtin=gtin, name=Words(vi="Hộp 1 kg")))


@pytest.mark.parametrize(
    ("state", "told"), [("open", None), ("held", ("Vì sao đó.", "wait")), ("recalled", ("Vì sao đó.", "unmet"))]
)
def test_a_stopped_lot_says_why(state: str, told: tuple[str, str] | None) -> None:
    warned = views.warned(standing(state, event("held")))
    assert (warned and warned[:2]) == told


@pytest.mark.parametrize(
    ("known", "gtin", "offered"),
    [
        ([], None, ["short"]),
        ([], "04006381333931", ["short", "gs1"]),
        (["short"], "04006381333931", ["gs1"]),
        (["gs1"], "04006381333931", ["short"]),
        (["short", "gs1"], "04006381333931", []),
    ],
)
def test_only_codes_that_are_not_there_can_be_made(known: list[str], gtin: str | None, offered: list[str]) -> None:
    assert [kind for kind, *_ in views.codes_to_make([code(k) for k in known], pack(gtin))] == offered
    assert [kind for kind, *_ in views.codes_to_make([], None)] == ["short"]


def test_a_code_is_shown_as_it_is_typed_and_says_what_it_proves() -> None:
    short, gs1 = views.code_rows([code("short"), code("gs1")])
    assert (short.shown, short.proves) == ("K7M2-9QXD-3HTPK", "mã của lô, không đoán được")
    assert (gs1.shown, gs1.path) == ("04006381333931/A1", "/01/04006381333931/10/A1")


@pytest.mark.parametrize(
    ("state", "may_label", "may_print", "shown"),
    [
        ("open", True, True, (True, True, False, "main")),
        ("held", True, True, (True, True, False, "")),
        ("recalled", True, True, (True, False, True, "")),
        ("recalled", True, False, (True, False, False, "")),
        ("open", True, False, (True, False, False, "main")),
        ("open", False, True, (False, False, False, "main")),
    ],
)
def test_sheets_are_printed_by_whoever_may_and_not_of_a_recalled_lot(
    state: str, shown: tuple[bool, bool, bool, str], *, may_label: bool, may_print: bool
) -> None:
    labels = views.labels(standing(state), may_label=may_label, may_print=may_print)
    assert (labels.file, labels.sheets, labels.refused, labels.look) == shown


def test_a_line_of_the_ledger_is_taken_back_once() -> None:
    lines = [
        (SimpleNamespace(id=UUID(int=n), kind="packed", units=units, corrects_id=corrects), pack(None))
        for n, units, corrects in ((1, 40, None), (2, -40, UUID(int=1)), (3, -1200, None))
    ]
    ledger = cast("Ledger", SimpleNamespace(lines=lines, taken_back={UUID(int=1)}))
    rows = views.ledger_rows(ledger, may_handle=True)
    assert [(r.units, r.may_take_back) for r in rows] == [("+40", False), ("-40", False), ("-1.200", True)]
    assert [r.what for r in rows[:2]] == ["Đóng gói, Hộp 1 kg", "Đóng gói (hoàn lại), Hộp 1 kg"]
    assert not any(r.may_take_back for r in views.ledger_rows(ledger, may_handle=False))


def test_what_became_of_a_lot_names_people_only_to_their_own() -> None:
    events = [event("created", reason=None), event("held", cause_id=UUID(int=9)), event("released", person_id=STRANGER)]
    newest, held, made = views.story(events, {MAI: "Mai"})
    assert (newest.what, newest.by, newest.why, newest.kind) == ("Gỡ tạm giữ", [], "Vì sao đó.", "")
    assert (held.by, held.kind) == (["máy, theo quy tắc"], "bad")
    assert (made.what, made.by, made.why) == ("Tạo lô", ["Mai"], "")


@pytest.mark.parametrize(
    ("kinds", "state", "offered"),
    [
        (["created"], "open", ["held", "recalled"]),
        (["created", "held"], "held", ["released", "recalled"]),
        (["held", "released"], "open", ["held", "recalled"]),
        (["held", "recalled"], "recalled", ["released", "recall_lifted"]),
        (["recalled"], "recalled", ["held", "recall_lifted"]),
    ],
)
def test_what_can_be_decided_is_what_is_not_so_already(kinds: list[str], state: str, offered: list[str]) -> None:
    assert [d.kind for d in views.decisions_now([event(k) for k in kinds], standing(state), "A1")] == offered


def test_what_buyers_read_is_asked_for_as_such() -> None:
    known = views.decisions("A1")
    assert {kind: d.hint.startswith("Người mua") for kind, d in known.items()} == {
        "held": True, "released": False, "recalled": True, "recall_lifted": False
    }  # fmt: skip
    assert known["recall_lifted"].title == "Gỡ thu hồi lô A1"
    drawn = (ROOT / "app" / "static" / "icons.svg").read_text("utf-8")
    assert [d.icon for d in known.values() if f'id="{d.icon}"' not in drawn] == []


def test_a_recall_says_before_what_it_will_do() -> None:
    moved = {"packed": 50, "sold": -12, "returned": 2, "reserved": -7, "released": 3, "lost": -1}
    told = views.of_a_recall(moved, "5 kg", 0, Told([MAI], []))
    assert [row[1] for row in told] == [
        "10 gói",
        "39 gói",
        "5 kg",
        "chưa có mã, khách không quét được",
        "1 người làm hàng của đơn vị",
    ]
    assert [row[2] for row in told][1] == "trong đó giữ cho khách: 4"

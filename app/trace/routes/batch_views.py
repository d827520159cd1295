"""A batch as its pages show it: its codes and labels, its stock, what became of it, and each decision about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from flask_babel import gettext as _

from app.products.models import Variant
from app.trace import codes, scan_addresses
from app.trace.batch_events import Told
from app.trace.models import BatchEvent, BatchEventKind, CodeKind, MovementKind, StockMovement, TraceCode
from app.trace.queries import BatchStanding, Ledger
from app.trace.routes.base import movement_words
from app.web import counting, number, words

_HOLDS = {BatchEventKind.HELD, BatchEventKind.RELEASED}
_STOPS = {BatchEventKind.HELD, BatchEventKind.RECALLED}
_TO_BUYERS = {MovementKind.SOLD, MovementKind.RETURNED}
_PROMISES = {MovementKind.RESERVED, MovementKind.RELEASED}


@dataclass(frozen=True, slots=True)
class CodeRow:
    """A code of the lot: how it reads, what it proves, and the page behind it."""

    kind: str
    shown: str
    proves: str
    path: str


@dataclass(frozen=True, slots=True)
class Labels:
    """What this person gets of the lot's labels: the file, and sheets to print; `refused`: none are printed of a recalled lot."""

    file: bool
    sheets: bool
    refused: bool
    look: str


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """A line of the stock's ledger."""

    movement: StockMovement
    what: str
    units: str
    may_take_back: bool


@dataclass(frozen=True, slots=True)
class Happening:
    """What became of the lot once, by whom where that may be said."""

    at: datetime
    what: str
    by: list[str]
    why: str
    kind: str


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision about a lot: its button on the lot's page, and how its own page says what it does and asks why."""

    kind: str
    button: str
    icon: str
    look: str
    title: str
    lead: str
    ask: str
    hint: str


def event_words() -> dict[str, str]:
    return {
        BatchEventKind.CREATED: _("Tạo lô"),
        BatchEventKind.PACKED: _("Đóng gói"),
        BatchEventKind.HELD: _("Tạm giữ"),
        BatchEventKind.RELEASED: _("Gỡ tạm giữ"),
        BatchEventKind.RECALLED: _("Thu hồi"),
        BatchEventKind.RECALL_LIFTED: _("Gỡ thu hồi"),
    }


def warned(standing: BatchStanding) -> tuple[str, str, str] | None:
    """Why the lot may not be sold now, as a box takes it: the reason, its tone and title."""
    if standing.event is None or standing.state == "open":
        return None
    reason = words(standing.event.reason)
    if standing.state == "recalled":
        return reason, "unmet", _("Đang thu hồi")
    return reason, "wait", _("Đang tạm giữ, chưa bán được")


def code_rows(known: Sequence[TraceCode]) -> list[CodeRow]:
    return [
        CodeRow(
            kind=c.kind,
            shown=codes.grouped(c.code) if c.kind == CodeKind.SHORT else c.code,
            proves=_("mã GS1, chứng minh lô có thật, không riêng từng gói")
            if c.kind == CodeKind.GS1
            else _("mã của lô, không đoán được"),
            path=scan_addresses.path_of_code(c.code),
        )
        for c in known
    ]


def codes_to_make(known: Sequence[TraceCode], pack: Variant | None) -> list[tuple[str, str, str]]:
    """The kinds that the lot has no code of yet: kind, the button's text and look. The one of GS1 needs the pack's number."""
    there = {c.kind for c in known}
    offered: list[tuple[str, str, str]] = [(CodeKind.SHORT, _("Tạo mã QR"), "main")]
    if pack is not None and pack.gtin:
        offered.append((CodeKind.GS1, _("Tạo mã QR theo GS1"), ""))
    return [one for one in offered if one[0] not in there]


def labels(standing: BatchStanding, *, may_label: bool, may_print: bool) -> Labels:
    prints, recalled = may_label and may_print, standing.state == "recalled"
    return Labels(
        file=may_label,
        sheets=prints and not recalled,
        refused=prints and recalled,
        look="main" if standing.state == "open" else "",
    )


def ledger_rows(ledger: Ledger, *, may_handle: bool) -> list[LedgerRow]:
    names, taken_back = movement_words(), _("hoàn lại")
    return [
        LedgerRow(
            movement=m,
            what=f"{names[m.kind]}{f' ({taken_back})' if m.corrects_id else ''}, {words(pack.name)}",
            units=("+" if m.units > 0 else "") + number(m.units),
            may_take_back=may_handle and not m.corrects_id and m.id not in ledger.taken_back,
        )
        for m, pack in ledger.lines
    ]


def story(events: Sequence[BatchEvent], names: Mapping[UUID, str]) -> list[Happening]:
    """The newest first."""
    said = event_words()
    return [
        Happening(
            at=e.at,
            what=said[e.kind],
            by=[_("máy, theo quy tắc")] if e.cause_id else [names[p] for p in (e.person_id,) if p and p in names],
            why=words(e.reason),
            kind="bad" if e.kind in _STOPS else "",
        )
        for e in reversed(events)
    ]


def decisions_now(events: Sequence[BatchEvent], standing: BatchStanding, lot: str) -> list[Decision]:
    """What can be decided now: of holding and of recalling what is not so already."""
    held = [e.kind for e in events if e.kind in _HOLDS][-1:] == [BatchEventKind.HELD]
    recalled = standing.state == "recalled"
    known = decisions(lot)
    return [
        known[BatchEventKind.RELEASED if held else BatchEventKind.HELD],
        known[BatchEventKind.RECALL_LIFTED if recalled else BatchEventKind.RECALLED],
    ]


def decisions(lot: str) -> dict[str, Decision]:
    """Every decision that people make about a lot, by its kind."""
    to_buyers = _(
        "Người mua quét mã đọc được câu này. Viết rõ chuyện gì và nên làm gì; đừng ghi tên hay số điện thoại của ai."
    )
    to_us = _("Đã xem xét thế nào, ai quyết định.")
    held = _("Lô không bán được cho tới khi gỡ tạm giữ. Hàng đã bán không bị gọi về.")
    released = _("Đã xem xét xong, lô bán được trở lại, trừ khi còn đang thu hồi. Lý do được giữ trong sổ của lô.")
    recalled = _(
        "Trong vòng một phút, ai quét mã của lô cũng thấy cảnh báo thu hồi kèm lý do; kho không xuất lô này nữa và các sàn ngừng bán."
    )
    lifted = _("Người quét mã thấy lô bình thường trở lại. Việc đã từng thu hồi vẫn nằm trong sổ.")
    hold, release = _("Tạm giữ lô %(lot)s", lot=lot), _("Gỡ tạm giữ lô %(lot)s", lot=lot)
    recall, lift = _("Thu hồi lô %(lot)s", lot=lot), _("Gỡ thu hồi lô %(lot)s", lot=lot)
    every = (
        Decision(BatchEventKind.HELD, _("Tạm giữ lô"), "pause", "", hold, held, _("Vì sao tạm giữ"), to_buyers),
        Decision(
            BatchEventKind.RELEASED, _("Gỡ tạm giữ"), "play", "main", release, released, _("Vì sao gỡ tạm giữ"), to_us
        ),
        Decision(
            BatchEventKind.RECALLED,
            _("Thu hồi lô"),
            "recall",
            "danger",
            recall,
            recalled,
            _("Vì sao thu hồi"),
            to_buyers,
        ),
        Decision(
            BatchEventKind.RECALL_LIFTED, _("Gỡ thu hồi"), "check", "", lift, lifted, _("Vì sao gỡ thu hồi"), to_us
        ),
    )
    return {d.kind: d for d in every}


def of_a_recall(moved: Mapping[str, int], weight: str, marked: int, told: Told) -> list[tuple[str, str, str]]:
    """What a recall will do: packs with buyers and in stock, codes that will warn, people who are told."""
    sold = -sum(units for kind, units in moved.items() if kind in _TO_BUYERS)
    here = sum(units for kind, units in moved.items() if kind not in _PROMISES)
    promised = -sum(units for kind, units in moved.items() if kind in _PROMISES)
    kept = _("trong đó giữ cho khách: %(n)s", n=number(promised)) if promised else ""
    warns = counting("%(n)s mã đổi sang cảnh báo", n=marked) if marked else _("chưa có mã, khách không quét được")
    sellers = _("%(n)s người làm hàng của đơn vị", n=len(told.sellers))
    officials = _("và %(n)s cán bộ thôn, xã phụ trách nơi này", n=len(told.officials))
    return [
        (_("Khách đang cầm"), counting("%(n)s gói", n=sold), _("đã bán, chưa trả lại")),
        (_("Còn trong kho"), counting("%(n)s gói", n=here), kept),
        (_("Khối lượng lô"), weight, ""),
        (_("Mã trên tem"), warns, ""),
        (_("Báo tin cho"), sellers, officials),
    ]

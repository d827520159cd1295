"""The record behind a criterion as its page shows it: facts with their things, products, and where each is on sale."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from flask_babel import gettext as _

from app.criteria.rules import Item
from app.doors.official.queries import FactLine, ProductLine
from app.marketplace_sync.queries import Evidence
from app.products.models import Certificate
from app.web import counting, number, vn_date, vn_datetime

Chip = tuple[str, str]  # a status, and the word instead of its own
FEW = 12  # so many things that count are open; what does not count always is


@dataclass(frozen=True, slots=True)
class Group:
    """Things of a fact that count, do not, or of which nobody can say."""

    title: str
    tone: str
    sign: str
    items: Sequence[Item]

    @property
    def is_open(self) -> bool:
        return self.tone != "met" or len(self.items) <= FEW


@dataclass(frozen=True, slots=True)
class FactView:
    """A fact: a number, yes or no that is `said`, or things in groups."""

    line: FactLine
    title: str
    said: str
    groups: list[Group]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a product is on sale, or is said to be. `hidden_look`: somebody looked, and this official may not see who."""

    evidence: Evidence
    counts: Chip
    seen: str
    state: Chip
    look_id: UUID | None
    hidden_look: bool


@dataclass(frozen=True, slots=True)
class ProductView:
    """A product: `left` why it is out of the count; `papers` its certificates as title and text, or `without` the status and why it has none."""

    line: ProductLine
    left: str
    papers: list[tuple[str, str]]
    without: tuple[str, str] | None
    places: list[Place]


def fact_views(lines: Sequence[FactLine]) -> list[FactView]:
    return [FactView(line, line.label[:1].upper() + line.label[1:], _said(line), _groups(line)) for line in lines]


def product_views(lines: Sequence[ProductLine], seen: set[UUID]) -> list[ProductView]:
    """`seen`: the looks that this official may open."""
    return [
        ProductView(
            line=line,
            left=_left(line),
            papers=[_paper(c) for c in line.certificates if c.scheme == "ocop"],
            without=None if line.certificates else _without(line),
            places=[_place(e, seen) for e in line.evidence],
        )
        for line in lines
    ]


def _said(line: FactLine) -> str:
    if line.fact is None or line.items is not None:
        return ""
    yes_no = {True: _("Có"), False: _("Không")}
    value = line.fact.value
    return str(yes_no[value]) if isinstance(value, bool) else number(line.size)


def _groups(line: FactLine) -> list[Group]:
    if line.items is None:
        return []
    left = line.name == "ocop_products"  # what is missing from this denominator has left it
    groups = (
        Group(_("Được tính"), "met", "check", line.items.have),
        Group(_("Không còn được tính"), "na", "minus", line.items.missing)
        if left
        else Group(_("Chưa được tính"), "unmet", "x", line.items.missing),
        Group(_("Chưa rõ"), "wait", "question", line.items.unknown),
    )
    return [group for group in groups if group.items]


def _left(line: ProductLine) -> str:
    if not line.product.left:
        return ""
    day = vn_date(line.product.left_on)
    retired = line.product.left == "retired"
    return str(
        _("Chủ thể ngừng làm sản phẩm này từ %(day)s.", day=day)
        if retired
        else _("Ngừng sản xuất ở thôn này từ %(day)s.", day=day)
    )


def _paper(c: Certificate) -> tuple[str, str]:
    day = vn_date(c.decided_on)
    text = _("Quyết định %(no)s ngày %(day)s, %(who)s", no=c.decision_number, day=day, who=c.issuer)
    if c.valid_to:
        text += ", " + _("hết hạn %(day)s", day=vn_date(c.valid_to))
    return counting("OCOP %(n)s sao", n=c.stars or 0), text


def _without(line: ProductLine) -> tuple[str, str]:
    lapsed, mistaken = line.product.lapsed_on, line.product.mistaken_on
    if lapsed:
        return "lapsed", _("Chứng nhận OCOP hết hạn từ %(day)s.", day=vn_date(lapsed))
    if mistaken:
        return "not_counted", _("Chứng nhận OCOP ghi nhầm, đã sửa ngày %(day)s.", day=vn_date(mistaken))
    return "not_counted", _("Chưa có chứng nhận OCOP, nên không tính ở tiêu chí này.")


def _place(e: Evidence, seen: set[UUID]) -> Place:
    known = e.look_id in seen
    return Place(
        evidence=e,
        counts=_counts(e),
        seen=_seen(e),
        state=_state(e),
        look_id=e.look_id if known else None,
        hidden_look=e.look_id is not None and not known,
    )


def _counts(e: Evidence) -> Chip:
    if e.counted:
        return "counted", _("sàn được tính")
    return "not_counted", _("sàn chưa được tính") if e.witness == "person" else ""


def _seen(e: Evidence) -> str:
    """A person's look has a day, a marketplace's answer a moment."""
    if e.seen_at is None:
        return str(_("chưa thấy"))
    return vn_datetime(e.seen_at) if e.witness == "marketplace" else vn_date(e.seen_at)


def _state(e: Evidence) -> Chip:
    if e.state == "live":
        return "live", ""
    if e.state == "stale":
        return "unknown", _("Đã lâu chưa thấy lại")
    if e.seen_at:
        return "gone", _("Không bán")
    return ("unconfirmed", "") if e.declared_id else ("unknown", _("Chưa thấy lần nào"))

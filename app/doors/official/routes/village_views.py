"""A village as its pages show it: each criterion with what is lacking and where that is mended, and the shortest way to met."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import url_for
from flask_babel import gettext as _

from app.criteria.rules import Answer, Item, Value
from app.doors.official.queries import Clause, Named, VillageView
from app.web import counting, number, words

MOST_LACKING = 6  # named under a criterion; its record names all
ON_THE_WAY = 3
MONTHS = 12
NAMELESS = frozenset({"fact", "evidence", "attribute"})  # kinds of what is lacking that are no thing with a name


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads of which village: of which days (`dials`), and whether they may write something down there."""

    village_id: UUID
    dials: Mapping[str, Any]
    may_record: bool

    def criterion(self, clause: Clause) -> str:
        return url_for("official.criterion", village_id=self.village_id, criterion_id=clause.criterion.id, **self.dials)

    def record(self, form: str, item: Item | None = None) -> str | None:
        """The form that mends it. One thing stands in it already where it can be told by its id."""
        if not form or not self.may_record:
            return None
        thing = item.id if item is not None and item.kind in {"activity", "feedback", "model"} else None
        return url_for("criteria.record", village_id=self.village_id, kind=form, muc=thing)


@dataclass(frozen=True, slots=True)
class Lacking:
    """One thing that is lacking: why, who can mend it, and the page where it is mended or told of."""

    text: str
    url: str | None
    why: str = ""
    who: str = ""


@dataclass(frozen=True, slots=True)
class Stop:
    """One stop on the shortest way: what to do, where, and who can."""

    text: str
    url: str | None
    who: str


@dataclass(frozen=True, slots=True)
class ClauseView:
    """One criterion. `meter` is have, of and how it reads; `left_the_count` a sentence; `add_url` the form that records more."""

    clause: Clause
    status: str
    parts: Sequence[Answer]
    meter: tuple[int, int, str] | None
    lacking_title: str
    lacking: list[Lacking]
    left_the_count: str
    url: str
    add_url: str | None


@dataclass(frozen=True, slots=True)
class Months:
    """How many criteria were met at the end of each month: one number makes no line, and what was before it is unknown."""

    met: list[int]
    label: str
    told: str


def clause_views(view: VillageView, reader: Reader) -> list[ClauseView]:
    return [_clause(c, reader) for c in view.clauses]


def shortest_way(view: VillageView, reader: Reader) -> list[Stop]:
    return [_stop(c, reader) for c in view.shortest]


def months(view: VillageView) -> Months:
    met = [n for _month, n in view.points]
    if not met:
        return Months(met, "", _("Chưa có số liệu: chưa tiêu chí nào đủ dữ liệu."))
    if len(met) == 1:
        return Months(
            met, "", _("Mới có số liệu từ tháng này. Các tháng trước chưa ai ghi, chúng tôi không điền thay.")
        )
    first = f"{view.points[0][0]:%m/%Y}"
    told = _("Số tiêu chí đạt cuối mỗi tháng, từ %(month)s.", month=first)
    if len(met) < MONTHS:
        told += " " + _("Trước đó chưa đủ dữ liệu, chúng tôi không điền thay.")
    label = _("Số tiêu chí đạt cuối mỗi tháng, %(a)s rồi %(b)s, từ %(month)s", a=met[0], b=met[-1], month=first)
    return Months(met, label, told)


def _clause(clause: Clause, reader: Reader) -> ClauseView:
    answer = clause.answer
    gap = answer.gap if not answer.children else None
    left = ", ".join(f"{words(i.name)} ({words(i.reason).rstrip('.')})" for i in answer.not_counted)
    return ClauseView(
        clause=clause,
        status=answer.value.value,
        parts=clause.shown_parts,
        meter=_meter(answer),
        lacking_title=_("Còn thiếu %(n)s", n=number(gap)) if gap else _("Còn thiếu"),
        lacking=_lacking(clause, reader),
        left_the_count=f"{left}." if left else "",
        url=reader.criterion(clause),
        add_url=reader.record(_form(clause)) if clause.form else None,
    )


def _meter(answer: Answer) -> tuple[int, int, str] | None:
    if answer.children or answer.have is None or not answer.of:
        return None
    unit = words(answer.unit)
    if answer.need is not None and answer.value is not Value.MET:
        unit += " · " + _("cần %(n)s", n=number(answer.need))
    return answer.have, answer.of, unit


def _things(clause: Clause) -> list[Named]:
    """What is lacking and has a name."""
    return [m for m in clause.missing if m.item.kind not in NAMELESS]


def _form(clause: Clause) -> str:
    """The form that mends what is lacking, else the criterion's own."""
    return next((m.form for m in clause.missing if m.form), clause.form)


def _lacking(clause: Clause, reader: Reader) -> list[Lacking]:
    if clause.answer.value not in {Value.UNMET, Value.INSUFFICIENT} or not _things(clause):
        return []
    here = reader.criterion(clause)
    rows = [
        Lacking(
            words(m.item.name),
            f"{here}#p-{m.item.id}" if m.item.kind == "product" else reader.record(m.form, m.item),
            words(m.item.reason),
            m.who,
        )
        for m in clause.missing[:MOST_LACKING]
    ]
    more = len(clause.missing) - len(rows)
    return [*rows, Lacking(_("và %(n)s mục nữa", n=number(more)), here)] if more else rows


def _stop(clause: Clause, reader: Reader) -> Stop:
    things = _things(clause)
    diaries = bool(things) and things[0].item.kind == "household"
    said = ", ".join(words(m.item.name) for m in things[:ON_THE_WAY])
    if len(things) > ON_THE_WAY:
        said += " " + _("và %(n)s mục nữa", n=number(len(things) - ON_THE_WAY))
    who = ", ".join(dict.fromkeys(m.who for m in clause.missing if m.who))
    last = _("tiêu chí %(n)s", n=clause.criterion.clause)
    if clause.answer.to_do:
        last += ", " + counting("còn %(n)s việc", n=clause.answer.to_do)
    return Stop(
        text=_("Nhờ các hộ ghi đủ nhật ký chăm sóc") if diaries else words(clause.to_do),
        url=reader.criterion(clause) if things else reader.record(_form(clause)),
        who=" · ".join(filter(None, (said, who or words(clause.criterion.who_can_fix), last))),
    )

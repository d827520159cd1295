"""The diary as its pages show it: a step of a site, one writing of a step, and two writings beside each other."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from flask_babel import gettext as _
from flask_babel import pgettext

from app.db import Words
from app.trace.models import CareLog, ConflictingSubmission, Witness
from app.trace.queries import DiaryLine
from app.trace.routes.base import witness_words
from app.trace.schemas import CareLogIn, StepFacts
from app.trace.steps import STEPS, Step
from app.web import counting, quantity, vn_datetime, words

Names = Mapping[UUID, str]


@dataclass(frozen=True, slots=True)
class DiaryRow:
    """One step in a site's diary. `writer` only where somebody else wrote it; `two_differ`: it was sent twice, unequal."""

    line: DiaryLine
    step: Step
    crop: Words | None
    doer: str
    writer: str | None
    witness: str
    two_differ: bool
    may_correct: bool

    @property
    def log(self) -> CareLog:
        return self.line.log


@dataclass(frozen=True, slots=True)
class Version:
    """What was written about a step once, and whether it counts."""

    log: CareLog
    title: str
    step: Step
    waits: str
    doer: str
    writer: str
    witness: str


@dataclass(frozen=True, slots=True)
class Compared:
    """One fact of a step as it came first, and as it came again under the same id."""

    name: str
    first: str
    again: str

    @property
    def differs(self) -> bool:
        return self.first != self.again


@dataclass(frozen=True, slots=True)
class SentAgain:
    """What came under the id of a step that says something else."""

    at: datetime
    sender: str
    facts: list[Compared]


def diary_rows(
    lines: Sequence[DiaryLine],
    names: Names,
    crops: Mapping[UUID, Words],
    *,
    conflicts: Collection[UUID],
    may_write: bool,
) -> list[DiaryRow]:
    return [
        DiaryRow(
            line=line,
            step=STEPS[line.log.kind],
            crop=crops.get(line.log.cycle_id) if line.log.cycle_id else None,
            doer=_name(names, line.log.performed_by, ""),
            writer=None
            if line.log.written_by == line.log.performed_by
            else _name(names, line.log.written_by, _("người khác")),
            witness=_vouched(line.log),
            two_differ=line.id in conflicts or line.log.id in conflicts,
            may_correct=may_write and line.log.witness != Witness.CERTIFIER,
        )
        for line in lines
    ]


def versions(rows: Sequence[CareLog], names: Names) -> list[Version]:
    """Everything that was written about one step, the newest first."""
    return [
        Version(
            log=row,
            title=_standing(row, newest=row is rows[-1]),
            step=STEPS[row.kind],
            waits=_waits(row.pre_harvest_days),
            doer=_name(names, row.performed_by, _("một người của hộ")),
            writer=_name(names, row.written_by, _("người khác")),
            witness=_vouched(row),
        )
        for row in reversed(rows)
    ]


def sent_again(conflict: ConflictingSubmission, rows: Sequence[CareLog], names: Names) -> SentAgain:
    first = _facts(next(r for r in rows if r.id == conflict.care_log_id))
    again = _facts(CareLogIn.model_validate(conflict.body))  # as what it was when it came
    return SentAgain(
        at=conflict.received_at,
        sender=_name(names, conflict.person_id, _("người khác")),
        facts=[Compared(name, first[name], again[name]) for name in first],
    )


def _facts(said: CareLog | StepFacts) -> dict[str, str]:
    nothing = _("không ghi")
    return {
        pgettext("nhật ký", "Việc"): words(STEPS[said.kind]),
        _("Làm lúc"): vn_datetime(said.happened_at),
        _("Dùng"): said.material or nothing,
        _("Số lượng"): quantity(said.quantity, said.unit) or nothing,
        _("Cách ly"): _waits(said.pre_harvest_days),
        _("Làm chứng"): witness_words()[said.witness],
        _("Ghi thêm"): said.note or nothing,
        _("Ảnh"): str(len(said.photos)),
    }


def _standing(row: CareLog, *, newest: bool) -> str:
    if row.withdrawn:
        return str(_("Đã báo là không có"))
    return str(_("Đang tính") if newest else _("Bản trước"))


def _vouched(row: CareLog) -> str:
    told = row.witness == Witness.FARMER and row.written_by != row.performed_by
    return _("theo lời người làm") if told else witness_words()[row.witness]


def _waits(days: int | None) -> str:
    return _("không ghi") if days is None else counting("%(n)s ngày", n=days)


def _name(names: Names, person: UUID | None, otherwise: str) -> str:
    return otherwise if person is None else names.get(person, otherwise)

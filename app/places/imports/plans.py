"""The plan of an import: what applying a file would do, what is wrong with it, and what a person must look at before."""

from dataclasses import dataclass, field
from hashlib import sha256

from app.db import Words
from app.errors import Invalid
from app.messages import N_
from app.places.imports.rows import TITLES, Label, Village
from app.places.models import ImportKind, Place
from app.sheets import Choice, Problem, Row, Table


@dataclass(frozen=True, slots=True)
class AddVillage:
    new: Village
    commune: Place


@dataclass(frozen=True, slots=True)
class RenameVillage:
    new: Village
    place: Place


@dataclass(frozen=True, slots=True)
class AddPremises:
    new: Label
    village: Place


@dataclass(slots=True)
class Plan:
    """What applying the file would do. Nothing may be applied while there are problems, or questions that nobody has seen.

    `sheet` and `choices`: the sheet that was read and those that the workbook offers, where it has several.
    """

    problems: list[Problem] = field(default_factory=list)
    notes: list[Words] = field(default_factory=list)
    questions: list[Words] = field(default_factory=list)
    villages: list[AddVillage] = field(default_factory=list)
    renames: list[RenameVillage] = field(default_factory=list)
    premises: list[AddPremises] = field(default_factory=list)
    unchanged: int = 0
    rows: int = 0
    sheet: str = ""
    choices: tuple[Choice, ...] = ()

    @property
    def changes(self) -> int:
        return len(self.villages) + len(self.renames) + len(self.premises)

    @property
    def asked(self) -> str:
        """What is asked, in short; "" when nothing is. Whoever says yes says it to these questions and to no others."""
        if not self.questions:
            return ""
        return sha256("\n".join(sorted(q.vi for q in self.questions)).encode()).hexdigest()[:32]


class Judge:
    """Adds to a plan what is wrong with a row when it is compared with what is there."""

    def __init__(self, result: Plan, table: Table, kind: ImportKind) -> None:
        self._result, self._table, self._titles = result, table, TITLES[kind]

    def refuse(self, row: int, key: str, why: Words, way: Words) -> None:
        one = Row(row, {}, self._table.letters, self._titles)
        one.wrong(key, why, way)
        self._result.problems.extend(one.problems)


def refuse_problems(result: Plan, seen: str) -> None:
    """Raise Invalid when a plan may not be applied, or asks something that the person has not looked at."""
    if result.problems:
        first = result.problems[0]
        raise Invalid(
            "import_problems",
            N_(
                "Tệp còn %(problems)s chỗ cần sửa, đầu tiên: %(why)s Chưa có gì được ghi.",
                problems=len(result.problems),
                why=first.why,
            ),
        )
    if result.asked and result.asked != seen:
        first_question = result.questions[0]
        raise Invalid(
            "import_questions",
            N_(
                "Có điều cần xem trước khi nhập: %(first_question)s Hãy xem, đánh dấu rồi bấm lại. Chưa có gì được "
                "ghi.",
                first_question=first_question,
            ),
            field="seen",
        )

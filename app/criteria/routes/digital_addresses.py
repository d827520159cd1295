"""The digital addresses of a village: the whole list at once."""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from typing import Annotated
from uuid import UUID

from flask import request
from pydantic import BaseModel, ConfigDict, StringConstraints
from werkzeug.wrappers import Response as BaseResponse

from app import clock
from app.actor import Actor
from app.criteria import queries
from app.criteria.routes.base import counted, recorded, recorded_unproven
from app.criteria.routes.proofs import evidence, sent_proofs
from app.criteria.schemas import DigitalAddress
from app.criteria.village_facts import at_line, record_digital_addresses
from app.db import fold, identity
from app.errors import Invalid, InvalidMany
from app.fields import Day
from app.forms import HttpsLink
from app.messages import N_
from app.places import queries as places
from app.places.models import Premises
from app.web import parse, transaction


class Addresses(BaseModel):
    model_config = ConfigDict(frozen=True)
    observed_on: Day
    list: Annotated[str, StringConstraints(max_length=200_000)] = ""
    link: HttpsLink | None = None


def record_addresses(actor: Actor, village_id: UUID) -> BaseResponse:
    form = parse(Addresses)
    sent = sent_proofs(actor)
    with transaction() as session:
        premises = counted(places.premises_of(session, village_id, clock.today()))
        faults: list[Invalid] = []
        typed = _typed_codes(premises, faults)
        listed, lines = _listed_codes(premises, form.list, faults)
        if faults:
            raise InvalidMany(faults)
        record_digital_addresses(
            session,
            actor,
            village_id,
            codes=typed | listed,
            observed_on=form.observed_on,
            evidence=evidence(session, (), sent, form.link),
            lines=lines,
        )
        standing = queries.standing_facts(
            session, [village_id], as_of=clock.today(), known_at=clock.now(), kinds=("digital_address",)
        )
        unproven = any(
            r.unproven for r in standing.get(village_id, []) if UUID(r.value["premises_id"]) in typed | listed
        )
    return recorded_unproven(village_id, "dia-chi-so") if unproven else recorded(village_id)


def _typed_codes(premises: list[Premises], faults: list[Invalid]) -> dict[UUID, str | None]:
    """What stands in the boxes of the list; a box that was not on the page says nothing."""
    found: dict[UUID, str | None] = {}
    for one in premises:
        name = f"code_{one.id}"
        if name in request.form:
            _take(found, faults, one, request.form[name], name)
    return found


def _take(
    found: dict[UUID, str | None], faults: list[Invalid], one: Premises, text: str, field: str, line: int = 0
) -> None:
    """`line`: where it stands in a pasted list, for the words of a refusal."""
    code = "".join(c for c in text if not c.isspace() and c not in ".-")
    if not code:
        found[one.id] = None
    elif len(code) == 10 and code.isascii() and code.isdigit():  # noqa: PLR2004 - the ten digits of a Vpostcode
        found[one.id] = DigitalAddress(premises_id=one.id, code=code).code
    else:
        problem = N_(
            "%(label)s: mã địa chỉ số có đúng 10 chữ số, đang là “%(text)s”.", label=one.label, text=text.strip()[:30]
        )
        faults.append(Invalid("not_a_digital_address", at_line(line, problem), field=field))


def _by_label(premises: list[Premises]) -> dict[str, Premises]:
    """By name where one place only has it, and by its letters alone: much is typed without any marks."""
    names, letters = Counter(identity(p.label) for p in premises), Counter(fold(p.label) for p in premises)
    plain = {fold(p.label): p for p in premises if letters[fold(p.label)] == 1}
    return plain | {identity(p.label): p for p in premises if names[identity(p.label)] == 1}


def _lines(text: str, between: str, faults: list[Invalid]) -> Iterator[tuple[int, list[str]]]:
    """The lines with their numbers; one that cannot be taken apart is a fault, and ends the list."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=between)
    try:
        for line in reader:
            yield reader.line_num, line
    except csv.Error:
        faults.append(
            Invalid(
                "line_unreadable",
                N_(
                    "Dòng %(line_num)s: dấu ngoặc kép mở mà không đóng, hoặc dòng quá dài. Sửa dòng này rồi gửi lại.",
                    line_num=reader.line_num,
                ),
                field="list",
            )
        )


def _listed_codes(
    premises: list[Premises], text: str, faults: list[Invalid]
) -> tuple[dict[UUID, str | None], dict[UUID, int]]:
    """Lines of a pasted list, "label;code" with a semicolon, a tab or a comma between: the codes, and the line of each.

    What is wrong is added to `faults`, every line of it.
    """
    if not text.strip():
        return {}, {}
    by_label = _by_label(premises)
    first = text.strip().splitlines()[0]
    between = next((s for s in ("\t", ";", ",") if s in first), ";")
    found: dict[UUID, str | None] = {}
    lines: dict[UUID, int] = {}
    heading = True
    for number, line in _lines(text, between, faults):
        if not any(cell.strip() for cell in line):
            continue
        one = by_label.get(identity(line[0]))
        first_line, heading = heading, False
        if one is None and first_line and not any(c.isdigit() for c in line[-1]):
            continue
        if one is None:
            faults.append(
                Invalid(
                    "label_unknown",
                    N_(
                        "Dòng %(number)s: thôn không có nơi nào tên “%(line)s” trong danh sách.",
                        number=number,
                        line=line[0].strip()[:60],
                    ),
                    field="list",
                )
            )
            continue
        if one.id in lines:
            faults.append(
                Invalid(
                    "listed_twice",
                    N_(
                        "Dòng %(number)s: %(label)s đã có ở dòng %(lines)s. Mỗi nơi để một dòng.",
                        number=number,
                        label=one.label,
                        lines=lines[one.id],
                    ),
                    field="list",
                )
            )
            continue
        _take(found, faults, one, line[1] if len(line) > 1 else "", "list", number)
        lines[one.id] = number
    return {premises_id: code for premises_id, code in found.items() if code is not None}, lines

"""Facts of digital addresses: which premises of a village have one."""

from collections import Counter
from collections.abc import Mapping
from uuid import UUID

from sqlalchemy.orm import Session

from app.criteria.facts.question import Question, fact_of_rows, with_reason, without_proof
from app.criteria.models import VillageFact
from app.criteria.rules import Fact, Item, ItemSet, Source
from app.db import Words
from app.messages import N_
from app.places import queries as places

PREMISES_VI = {"household": "hộ", "office": "trụ sở", "culture_house": "nhà văn hóa"}
NO_CODE = Words.of(N_("Chưa có mã địa chỉ số Vpostcode."))
OTHERS_CODE = Words.of(N_("Mã trùng với một nơi khác."))


def digital_addresses(
    session: Session,
    sheets: dict[UUID, dict[str, Fact]],
    recorded: Mapping[UUID, list[VillageFact]],
    question: Question,
) -> None:
    everything = places.premises_of_villages(session, list(sheets), question.as_of, question.known_at)
    for village, premises in everything.items():
        counted = [p for p in premises if p.kind in {"household", "office"}]
        if not counted:
            continue
        rows = {
            UUID(r.value["premises_id"]): r
            for r in reversed(recorded.get(village, []))  # the newest word on a premises stands
            if r.kind == "digital_address"
        }
        sheet = sheets[village]
        sheet["premises"] = Fact(len(counted), question.as_of, Source.DERIVED)
        if not rows:
            continue
        given = Counter(r.value["code"] for p in counted if (r := rows.get(p.id)) is not None)
        have: list[Item] = []
        lacking: list[Item] = []
        unknown: list[Item] = []
        for p in counted:
            item = Item(str(p.id), "premises", _premises(p.kind, p.label))
            row = rows.get(p.id)
            if row is None or not row.value.get("code"):
                lacking.append(with_reason(item, NO_CODE))
            elif given[row.value["code"]] > 1:
                unknown.append(with_reason(item, OTHERS_CODE))
            elif not row.evidence:
                unknown.append(without_proof(item))
            else:
                have.append(item)
        used = [rows[UUID(i.id)] for i in have]
        sheet["premises_with_digital_address"] = fact_of_rows(
            used or list(rows.values()),
            value=ItemSet(have=tuple(have), missing=tuple(lacking), unknown=tuple(unknown)),
            question=question,
        )


def _premises(kind: str, label: str) -> str:
    word = PREMISES_VI.get(kind, kind)
    return label if label.casefold().startswith(word) else f"{word} {label}"

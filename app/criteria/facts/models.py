"""Digital transformation models, and the diary that a smart agriculture model is judged by."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from app.accounts import queries as accounts
from app.criteria.facts.question import Question, fact_of_rows, with_reason
from app.criteria.models import VillageFact
from app.criteria.rules import Fact, Item, ItemSet, Source
from app.messages import N_
from app.trace import queries as trace

FIELD_FACTS = {
    "production_business": "models_production_business",
    "public_order": "models_public_order",
    "smart_lighting": "models_smart_lighting",
    "smart_agriculture": "models_smart_agriculture",
}

# Items whose reason counts records ("Đã ghi 12 bước"). The count grows with every step, and what it decides is said by the
# set in which the item stands.
TALLIED = frozenset({"household"})


def models(sheet: dict[str, Fact], rows: dict[str, list[VillageFact]], question: Question) -> None:
    by_field: dict[str, list[VillageFact]] = defaultdict(list)
    for row in rows["model"]:
        by_field[row.value["field"]].append(row)
    for name, found in by_field.items():
        have: list[Item] = []
        missing: list[Item] = []
        counted: list[VillageFact] = []
        for row in found:
            item = Item(str(row.subject), "model", str(row.value["title"]))
            ended = date.fromisoformat(row.value["ended_on"]) if row.value.get("ended_on") else None
            if ended is not None and ended <= question.as_of:
                missing.append(with_reason(item, N_("Đã ngừng từ %(day)s.", day=f"{ended:%d/%m/%Y}")))
            elif not row.evidence:
                missing.append(with_reason(item, N_("Chưa có minh chứng (ảnh hoặc tài liệu).")))
            else:
                counted.append(row)
                have.append(item)
        spoken = counted or found
        sheet[FIELD_FACTS[name]] = fact_of_rows(
            spoken,
            value=ItemSet(have=tuple(have), missing=tuple(missing)),
            question=question,
            observed_on=max(r.observed_on for r in spoken),  # one running model is enough, so the newest decides
        )
    for row in rows["no_model"]:
        # A model that was recorded speaks for itself, whatever was declared of its field.
        sheet.setdefault(FIELD_FACTS[row.value["field"]], fact_of_rows([row], value=ItemSet(), question=question))


def diary(
    session: Session,
    sheets: dict[UUID, dict[str, Fact]],
    recorded: Mapping[UUID, list[VillageFact]],
    question: Question,
) -> None:
    """Households whose diary is kept. Asked only where a smart agriculture model was recorded."""
    agriculture = {
        village: [
            r
            for r in rows
            if r.kind == "model"
            and r.value["field"] == "smart_agriculture"
            and r.evidence
            and not _ended(r, question.as_of)
        ]
        for village, rows in recorded.items()
    }
    wanted = [village for village, rows in agriculture.items() if rows]
    if not wanted:
        return
    window = question.days("smart_agriculture_window_days")
    need = question.days("smart_agriculture_min_logs")
    logs = trace.logs_in_window(
        session,
        wanted,
        first=question.since("smart_agriculture_window_days"),
        last=question.as_of,
        known_at=question.known_at,
    )
    # A model that names no household is everybody's who keeps the diary, whomever another one names.
    households_of = {
        village: {UUID(h) for row in agriculture[village] for h in row.value.get("household_ids", [])}
        | (set(logs.get(village, {})) if any(not r.value.get("household_ids") for r in agriculture[village]) else set())
        for village in wanted
    }
    names = accounts.organisation_names(session, {h for found in households_of.values() for h in found})
    for village in wanted:
        kept = logs.get(village, {})
        have: list[Item] = []
        missing: list[Item] = []
        changes: list[date] = []
        for household in households_of[village]:
            days = kept.get(household, ())
            item = Item(str(household), "household", names.get(household, "hộ tham gia"))
            if len(days) >= need:
                # The day on which the need-th newest step falls out of the window.
                changes.append(sorted(days, reverse=True)[need - 1] + timedelta(days=window))
                have.append(with_reason(item, N_("Đã ghi %(steps)s bước.", steps=len(days))))
            else:
                written = N_("Mới ghi %(steps)s bước", steps=len(days))
                why = N_("%(written)s trong %(window)s ngày, cần %(need)s.", written=written, window=window, need=need)
                missing.append(with_reason(item, why))
        sheets[village]["smart_agriculture_households"] = Fact(
            ItemSet(have=tuple(have), missing=tuple(missing)),
            question.as_of,
            Source.DERIVED,
            witness="farmer",
            next_change_on=min((c for c in changes if c > question.as_of), default=None),
        )


def _ended(row: VillageFact, on: date) -> bool:
    return bool(row.value.get("ended_on")) and date.fromisoformat(row.value["ended_on"]) <= on

"""Clauses 1, 2 and 4 of the letter: the digital group, the channel with its feedback, Wi-Fi of the culture house."""

from datetime import date, timedelta

from app.criteria.facts.question import Question, fact_of_rows, with_reason, without_proof
from app.criteria.models import VillageFact
from app.criteria.rules import Fact, Item, ItemSet
from app.messages import N_


def digital_group(sheet: dict[str, Fact], rows: dict[str, list[VillageFact]], question: Question) -> None:
    for row in rows["digital_group"][:1]:
        sheet["digital_group_established"] = fact_of_rows([row], value=True, question=question)
    activities = rows["group_activity"]
    if activities:
        since = question.since("group_window_days")
        inside = [a for a in activities if a.observed_on >= since]
        proven = [a for a in inside if a.evidence]
        leaves = min((a.observed_on for a in inside), default=None)
        sheet["digital_group_activities"] = fact_of_rows(
            proven or inside or activities[:1],
            value=ItemSet(
                have=tuple(_activity(a) for a in proven),
                unknown=tuple(without_proof(_activity(a)) for a in inside if not a.evidence),
            ),
            question=question,
            next_change_on=leaves + timedelta(days=question.days("group_window_days")) if leaves else None,
        )


def _activity(row: VillageFact) -> Item:
    return Item(str(row.subject), "activity", f"“{row.value['topic']}” ({row.observed_on:%d/%m/%Y})")


def channel(sheet: dict[str, Fact], rows: dict[str, list[VillageFact]], question: Question) -> None:
    for row in rows["channel"][:1]:
        sheet["village_channel_in_use"] = fact_of_rows([row], value=bool(row.value["exists"]), question=question)
    if rows["feedback"]:
        _feedback(sheet, rows["feedback"], question)


def _feedback(sheet: dict[str, Fact], feedback: list[VillageFact], question: Question) -> None:
    since, limit = question.since("feedback_window_days"), timedelta(days=question.days("feedback_days"))
    have: list[Item] = []
    missing: list[Item] = []
    unproven: list[Item] = []
    inside: list[VillageFact] = []
    changes: list[date] = []
    for row in feedback:
        received = date.fromisoformat(row.value["received_on"])
        if not since <= received <= question.as_of:
            continue
        answered = date.fromisoformat(row.value["answered_on"]) if row.value.get("answered_on") else None
        if answered is not None and answered > question.as_of:
            answered = None
        deadline = received + limit
        changes.append(received + timedelta(days=question.days("feedback_window_days")))
        label = f"“{row.value['topic']}” ({received:%d/%m/%Y})"
        if answered is None and question.as_of <= deadline:
            changes.append(deadline + timedelta(days=1))
            continue
        inside.append(row)
        item = Item(str(row.subject), "feedback", label)
        if answered is not None and answered <= deadline:
            if row.evidence:
                have.append(item)
            else:
                unproven.append(without_proof(item))
        elif answered is not None:
            late = (answered - received).days
            why = N_("Trả lời sau %(late)s ngày, muộn hơn %(limit)s ngày.", late=late, limit=limit.days)
            missing.append(with_reason(item, why))
        else:
            missing.append(with_reason(item, N_("Chưa trả lời, đã quá %(limit)s ngày.", limit=limit.days)))
    counted = ItemSet(have=tuple(have), missing=tuple(missing), unknown=tuple(unproven))
    change = min((c for c in changes if c > question.as_of), default=None)
    spoken = inside or feedback[:1]
    sheet["feedback_received"] = fact_of_rows(spoken, value=len(inside), question=question, next_change_on=change)
    sheet["feedback_answered_in_time"] = fact_of_rows(spoken, value=counted, question=question, next_change_on=change)


def wifi(sheet: dict[str, Fact], rows: dict[str, list[VillageFact]], question: Question) -> None:
    for row in rows["wifi"][:1]:
        sheet["culture_house_free_wifi"] = fact_of_rows([row], value=bool(row.value["available"]), question=question)

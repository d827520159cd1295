"""The fact providers: what Hồi's own records and people's records say of villages, for the rules to judge.

Set-wise: a fixed number of statements whatever the number of villages. A fact that nobody recorded is not given.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from app import clock
from app.accounts import queries as accounts
from app.criteria import queries
from app.criteria.models import VillageFact
from app.criteria.rules import Fact, Item, ItemSet, Source
from app.db import canonical_json
from app.marketplace_sync import queries as marketplace
from app.places import queries as places
from app.products import queries as products
from app.trace import queries as trace

FIELD_FACTS = {
    "production_business": "models_production_business",
    "public_order": "models_public_order",
    "smart_lighting": "models_smart_lighting",
    "smart_agriculture": "models_smart_agriculture",
}
# Who vouches, the weakest word first; from the officer on it is somebody outside the village.
LADDER = ("village", "digital_group", "officer", "commune", "province")
VERIFYING = LADDER[LADDER.index("officer") :]
PREMISES_VI = {"household": "hộ", "office": "trụ sở", "culture_house": "nhà văn hóa"}


def digest(value: object) -> str:
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: on which civil date, as known at which moment, with which values of the pack's parameters."""

    as_of: date
    known_at: datetime
    parameters: Mapping[str, int | str]

    def days(self, name: str) -> int:
        return int(self.parameters[name])

    def since(self, name: str) -> date:
        """The first day of a window of that many days that ends on the day asked about."""
        return self.as_of - timedelta(days=self.days(name) - 1)


@dataclass(slots=True)
class Sheet:
    facts: dict[str, Fact] = field(default_factory=dict)


def provide(
    session: Session,
    village_ids: Sequence[UUID],
    *,
    as_of: date,
    known_at: datetime,
    parameters: Mapping[str, int | str],
) -> dict[UUID, dict[str, Fact]]:
    """A sheet of facts for every village asked about. Shapes and names: the pack's [[fact]] declarations."""
    question = Question(as_of, known_at, parameters)
    sheets: dict[UUID, dict[str, Fact]] = {village: {} for village in village_ids}
    recorded = queries.standing_facts(session, village_ids, as_of=as_of, known_at=known_at)
    for village, rows in recorded.items():
        by_kind: dict[str, list[VillageFact]] = defaultdict(list)
        for row in rows:
            by_kind[row.kind].append(row)
        sheet = sheets[village]
        _digital_group(sheet, by_kind, question)
        _channel(sheet, by_kind, question)
        _wifi(sheet, by_kind, question)
        _models(sheet, by_kind, question)
    _digital_addresses(session, sheets, recorded, question)
    _ocop(session, sheets, question)
    _diary(session, sheets, recorded, question)
    return sheets


# --- recorded by people ------------------------------------------------------------------------------------------


def _recorded(
    rows: Sequence[VillageFact],
    value: bool | ItemSet | int,  # noqa: FBT001 - a fact's value
    question: Question,
    *,
    observed_on: date | None = None,
    next_change_on: date | None = None,
) -> Fact:
    """What these rows say together: it is worth as much as the weakest of their witnesses, and shows all their evidence.

    A yes that nothing shows is not proven; a no needs no evidence, and sets say it of each of their things.
    """
    witness = min((r.witness for r in rows), key=LADDER.index)
    return Fact(
        value=value,
        as_of=question.as_of,
        source=Source.VERIFIED if witness in VERIFYING else Source.SELF_DECLARED,
        observed_on=observed_on or min(r.observed_on for r in rows),
        witness=witness,
        evidence=tuple(dict.fromkeys(str(e) for r in rows for e in r.evidence)),
        next_change_on=next_change_on,
        proven=value is not True or all(r.evidence for r in rows),
    )


def _digital_group(sheet: dict[str, Fact], rows: dict[str, list[VillageFact]], question: Question) -> None:
    for row in rows["digital_group"][:1]:
        sheet["digital_group_established"] = _recorded([row], value=True, question=question)
    activities = rows["group_activity"]
    if activities:
        since = question.since("group_window_days")
        inside = [a for a in activities if a.observed_on >= since]
        proven = [a for a in inside if a.evidence]
        leaves = min((a.observed_on for a in inside), default=None)
        sheet["digital_group_activities"] = _recorded(
            proven or inside or activities[:1],
            value=ItemSet(
                have=tuple(_activity(a) for a in proven),
                unknown=tuple(_unproven(_activity(a)) for a in inside if not a.evidence),
            ),
            question=question,
            next_change_on=leaves + timedelta(days=question.days("group_window_days")) if leaves else None,
        )


def _activity(row: VillageFact) -> Item:
    return Item(str(row.subject), "activity", f"“{row.value['topic']}” ({row.observed_on:%d/%m/%Y})")


def _unproven(item: Item) -> Item:
    return _with(item, "Chưa có minh chứng.", "Nothing proves it yet.")


def _channel(sheet: dict[str, Fact], rows: dict[str, list[VillageFact]], question: Question) -> None:
    for row in rows["channel"][:1]:
        sheet["village_channel_in_use"] = _recorded([row], value=bool(row.value["exists"]), question=question)
    feedback = rows["feedback"]
    if not feedback:
        return
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
        if answered is not None and answered <= deadline:
            item = Item(str(row.subject), "feedback", label)
            if row.evidence:
                have.append(item)
            else:
                unproven.append(_unproven(item))
        elif answered is not None:
            late = (answered - received).days
            missing.append(
                Item(
                    str(row.subject),
                    "feedback",
                    label,
                    f"Trả lời sau {late} ngày, muộn hơn {limit.days} ngày.",
                    f"Answered after {late} days, later than {limit.days}.",
                )
            )
        else:
            missing.append(
                Item(
                    str(row.subject),
                    "feedback",
                    label,
                    f"Chưa trả lời, đã quá {limit.days} ngày.",
                    f"Not answered, more than {limit.days} days old.",
                )
            )
    counted = ItemSet(have=tuple(have), missing=tuple(missing), unknown=tuple(unproven))
    change = min((c for c in changes if c > question.as_of), default=None)
    spoken = inside or feedback[:1]
    sheet["feedback_received"] = _recorded(spoken, value=len(inside), question=question, next_change_on=change)
    sheet["feedback_answered_in_time"] = _recorded(spoken, value=counted, question=question, next_change_on=change)


def _wifi(sheet: dict[str, Fact], rows: dict[str, list[VillageFact]], question: Question) -> None:
    for row in rows["wifi"][:1]:
        sheet["culture_house_free_wifi"] = _recorded([row], value=bool(row.value["available"]), question=question)


def _models(sheet: dict[str, Fact], rows: dict[str, list[VillageFact]], question: Question) -> None:
    by_field: dict[str, list[VillageFact]] = defaultdict(list)
    for row in rows["model"]:
        by_field[row.value["field"]].append(row)
    for name, found in by_field.items():
        have: list[Item] = []
        missing: list[Item] = []
        counted: list[VillageFact] = []
        for row in found:
            label = str(row.value["title"])
            ended = date.fromisoformat(row.value["ended_on"]) if row.value.get("ended_on") else None
            if ended is not None and ended <= question.as_of:
                missing.append(
                    Item(
                        str(row.subject),
                        "model",
                        label,
                        f"Đã ngừng từ {ended:%d/%m/%Y}.",
                        f"Stopped on {ended:%d/%m/%Y}.",
                    )
                )
            elif not row.evidence:
                missing.append(
                    Item(
                        str(row.subject),
                        "model",
                        label,
                        "Chưa có minh chứng (ảnh hoặc tài liệu).",
                        "No proof (photo or document) yet.",
                    )
                )
            else:
                counted.append(row)
                have.append(Item(str(row.subject), "model", label))
        spoken = counted or found
        sheet[FIELD_FACTS[name]] = _recorded(
            spoken,
            value=ItemSet(have=tuple(have), missing=tuple(missing)),
            question=question,
            observed_on=max(r.observed_on for r in spoken),  # one running model is enough, so the newest decides
        )
    for row in rows["no_model"]:
        # A model that was recorded speaks for itself, whatever was declared of its field.
        sheet.setdefault(FIELD_FACTS[row.value["field"]], _recorded([row], value=ItemSet(), question=question))


def _digital_addresses(
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
                lacking.append(_with(item, "Chưa có mã địa chỉ số Vpostcode.", "No Vpostcode digital address yet."))
            elif given[row.value["code"]] > 1:
                unknown.append(_with(item, "Mã trùng với một nơi khác.", "Its code is another place's too."))
            elif not row.evidence:
                unknown.append(_unproven(item))
            else:
                have.append(item)
        used = [rows[UUID(i.id)] for i in have]
        sheet["premises_with_digital_address"] = _recorded(
            used or list(rows.values()),
            value=ItemSet(have=tuple(have), missing=tuple(lacking), unknown=tuple(unknown)),
            question=question,
        )


def _premises(kind: str, label: str) -> str:
    word = PREMISES_VI.get(kind, kind)
    return label if label.casefold().startswith(word) else f"{word} {label}"


# --- derived from the other parts --------------------------------------------------------------------------------


def _ocop(session: Session, sheets: dict[UUID, dict[str, Fact]], question: Question) -> None:
    rows = products.ocop_products_of_villages(
        session,
        list(sheets),
        rule=str(question.parameters["village_of_product"]),
        on=question.as_of,
        known_at=question.known_at,
    )
    by_village: dict[UUID, list[products.VillageProduct]] = defaultdict(list)
    for row in rows:
        by_village[row.village_id].append(row)
    evidence = marketplace.live_evidence(
        session,
        sorted({r.product_id for r in rows}),
        as_of=question.as_of,
        known_at=question.known_at,
        max_age_hours=question.days("liveness_max_age_hours"),
        declared_max_age_days=question.days("declared_max_age_days"),
    )
    lapsed_stay = question.parameters["lapsed_certificate"] == "counts_as_unmet"
    for village, sheet in sheets.items():
        counted: list[Item] = []
        left: list[Item] = []
        live: list[Item] = []
        dead: list[Item] = []
        unknown: list[Item] = []
        unrecorded: list[Item] = []
        changes: list[date] = []
        for row in by_village.get(village, []):
            item = Item(
                str(row.product_id), "product", row.name.vi, link=f"/san-pham/{row.product_id}", label_en=row.name.en
            )
            if row.valid_to is not None and row.certificate == "valid":
                changes.append(row.valid_to + timedelta(days=1))
            gone = _gone_words(row, lapsed_stays=lapsed_stay)
            if gone is not None:
                left.append(_with(item, *gone))
                continue
            if row.left is not None:
                continue  # it never counted: nobody misses it
            if row.certificate == "none":
                if row.ocop_group is not None:
                    # Entered as an OCOP product without its certificate: nobody can say whether it counts.
                    unsure = _with(item, "Chưa ghi chứng nhận OCOP.", "Its OCOP certificate is not recorded.")
                    unrecorded.append(unsure)
                    unknown.append(unsure)
                continue
            counted.append(item)
            if row.certificate == "lapsed":
                dead.append(_with(item, *_lapsed_words(row.lapsed_on)))
                continue
            verdict, vi, en, change = _sale(evidence.get(row.product_id, []), question)
            if change is not None:
                changes.append(change)
            (live if verdict == "live" else unknown if verdict == "unknown" else dead).append(_with(item, vi, en))
        change = min((c for c in changes if c > question.as_of), default=None)
        sheet["ocop_products"] = Fact(
            ItemSet(have=tuple(counted), missing=tuple(left), unknown=tuple(unrecorded)),
            question.as_of,
            Source.DERIVED,
            next_change_on=change,
        )
        sheet["ocop_products_live"] = Fact(
            ItemSet(have=tuple(live), missing=tuple(dead), unknown=tuple(unknown)),
            question.as_of,
            Source.DERIVED,
            witness="marketplace",
            next_change_on=change,
        )


def _with(item: Item, vi: str, en: str) -> Item:
    return Item(item.id, item.kind, item.label, vi, en, item.link, item.label_en)


def _gone_words(row: products.VillageProduct, *, lapsed_stays: bool) -> tuple[str, str] | None:
    """Why a product that once counted for the village no longer does: whatever came first. None while it is in play.

    One that counted only by a mistake is named too: an answer that changed because of it must not lack its reason.
    """
    if row.certificate == "none":
        # Entered as an OCOP product all the same: then its certificate is missing, and it is in play.
        in_play = row.ocop_group is not None and row.left is None
        return None if row.mistaken_on is None or in_play else _mistaken_words(row.mistaken_on)
    lapsed = row.certificate == "lapsed" and not lapsed_stays
    if row.left is None or row.left_on is None:
        return _lapsed_words(row.lapsed_on) if lapsed else None
    if lapsed and row.lapsed_on is not None and row.lapsed_on <= row.left_on:
        return _lapsed_words(row.lapsed_on)
    day = f"{row.left_on:%d/%m/%Y}"
    if row.left == "retired":
        return f"Chủ thể thôi làm sản phẩm này từ {day}.", f"The holder stopped making it on {day}."
    return f"Thôi sản xuất ở thôn này từ {day}.", f"No longer made in this village since {day}."


def _lapsed_words(lapsed_on: date | None) -> tuple[str, str]:
    if lapsed_on is None:
        return "Chứng nhận OCOP đã hết hạn.", "Its OCOP certificate has lapsed."
    return (
        f"Chứng nhận OCOP hết hạn từ {lapsed_on:%d/%m/%Y}.",
        f"Its OCOP certificate lapsed on {lapsed_on:%d/%m/%Y}.",
    )


def _mistaken_words(mended_on: date) -> tuple[str, str]:
    day = f"{mended_on:%d/%m/%Y}"
    return (
        f"Chứng nhận OCOP ghi nhầm, đã sửa ngày {day}.",
        f"Its OCOP certificate was recorded by mistake; that was put right on {day}.",
    )


def _sale(found: Sequence[marketplace.Evidence], question: Question) -> tuple[str, str, str, date | None]:
    """Live on a counted floor, surely not (with the reason), or unknown because the last sighting is too old."""
    if not found:
        return "no", "Chưa đăng bán trên sàn nào.", "Not listed on any marketplace.", None
    counted = [e for e in found if e.counted]
    fresh = [e for e in counted if e.state == "live"]
    if fresh:
        best = max(fresh, key=lambda e: (e.expires_at or question.known_at, str(e.url)))
        change = clock.local(best.expires_at).date() if best.expires_at else None
        if change is not None and change <= question.as_of:
            change = question.as_of + timedelta(days=1)
        # The hour of the sighting is left out: it moves with every look, and the answer does not.
        return "live", f"Đang bán trên {best.floor_name.vi}.", f"On sale on {best.floor_name.text('en')}.", change
    stale = [e for e in counted if e.state == "stale" and e.seen_at is not None]
    if stale:
        best = max(stale, key=lambda e: str(e.seen_at))
        day = clock.local(best.seen_at).date() if best.seen_at else question.as_of
        return (
            "unknown",
            f"Lần cuối thấy đang bán trên {best.floor_name.vi} là ngày {day:%d/%m/%Y}, đã lâu quá nên không dùng được.",
            f"Last seen on sale on {best.floor_name.text('en')} on {day:%d/%m/%Y}, too long ago to count.",
            None,
        )
    worst = counted or list(found)
    vi = " ".join(e.reason_vi for e in worst if e.reason_vi) or "Chưa thấy đang bán trên sàn được tính."
    en = " ".join(e.reason_en for e in worst if e.reason_en) or "Not seen on sale on a marketplace that counts."
    return "no", vi, en, None


def _diary(
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
            label = names.get(household, "hộ tham gia")
            if len(days) >= need:
                # The day on which the need-th newest step falls out of the window.
                changes.append(sorted(days, reverse=True)[need - 1] + timedelta(days=window))
                have.append(
                    Item(
                        str(household), "household", label, f"Đã ghi {len(days)} bước.", f"{len(days)} steps recorded."
                    )
                )
            else:
                missing.append(
                    Item(
                        str(household),
                        "household",
                        label,
                        f"Mới ghi {len(days)} bước trong {window} ngày, cần {need}.",
                        f"{len(days)} steps in {window} days, needs {need}.",
                    )
                )
        sheets[village]["smart_agriculture_households"] = Fact(
            ItemSet(have=tuple(have), missing=tuple(missing)),
            question.as_of,
            Source.DERIVED,
            witness="farmer",
            next_change_on=min((c for c in changes if c > question.as_of), default=None),
        )


def _ended(row: VillageFact, on: date) -> bool:
    return bool(row.value.get("ended_on")) and date.fromisoformat(row.value["ended_on"]) <= on

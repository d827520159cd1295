"""Facts of OCOP products: which count for a village, and which of them are on sale on a counted floor."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from app import clock
from app.criteria.facts.question import Question, with_reason
from app.criteria.rules import Fact, Item, ItemSet, Source
from app.marketplace_sync import queries as marketplace
from app.messages import N_, Sentence, sentences
from app.products import queries as products


def ocop(
    session: Session, sheets: dict[UUID, dict[str, Fact]], question: Question, hours: dict[UUID, datetime]
) -> None:
    """Into `hours` goes, by village, when the first sighting that a product counts by grows too old."""
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
        colleagues_count=question.parameters["declared_look_by"] == "colleagues_too",
    )
    lapsed_stay = question.parameters["lapsed_certificate"] == "counts_as_unmet"
    for village, sheet in sheets.items():
        found = _Products()
        for row in by_village.get(village, []):
            found.sort_in(row, evidence.get(row.product_id, []), question, lapsed_stay=lapsed_stay)
        sheet.update(found.facts(question))
        if found.ages:
            hours[village] = min(found.ages)


@dataclass(slots=True)
class _Products:
    """The products of a village: `counted` but `left`, of the counted ones `live` or `dead`; `unrecorded` and `unknown` where nobody
    can say. `changes`: days on which time alone changes that; `ages`: moments at which a sighting grows too old.
    """

    counted: list[Item] = field(default_factory=list)
    left: list[Item] = field(default_factory=list)
    unrecorded: list[Item] = field(default_factory=list)
    live: list[Item] = field(default_factory=list)
    dead: list[Item] = field(default_factory=list)
    unknown: list[Item] = field(default_factory=list)
    changes: list[date] = field(default_factory=list)
    ages: list[datetime] = field(default_factory=list)

    def sort_in(
        self,
        row: products.VillageProduct,
        evidence: Sequence[marketplace.Evidence],
        question: Question,
        *,
        lapsed_stay: bool,
    ) -> None:
        item = Item(
            str(row.product_id), "product", row.name.vi, link=f"/san-pham/{row.product_id}", label_en=row.name.en
        )
        if row.valid_to is not None and row.certificate == "valid":
            self.changes.append(row.valid_to + timedelta(days=1))
        gone = _gone_words(row, lapsed_stays=lapsed_stay)
        if gone is not None:
            self.left.append(with_reason(item, gone))
        elif row.left is not None:
            pass  # it never counted: nobody misses it
        elif row.certificate != "none":
            self.counted.append(item)
            self._sort_in_sale(item, row, evidence, question)
        elif row.ocop_group is not None:
            # Entered as an OCOP product without its certificate: nobody can say whether it counts.
            unsure = with_reason(item, N_("Chưa ghi chứng nhận OCOP."))
            self.unrecorded.append(unsure)
            self.unknown.append(unsure)

    def _sort_in_sale(
        self,
        item: Item,
        row: products.VillageProduct,
        evidence: Sequence[marketplace.Evidence],
        question: Question,
    ) -> None:
        if row.certificate == "lapsed":
            self.dead.append(with_reason(item, _lapsed_words(row.lapsed_on)))
            return
        verdict, why, change = _sale(evidence, question)
        ages = _grows_too_old(evidence)
        if ages is not None:
            self.ages.append(ages)
        if change is not None:
            self.changes.append(change)
        {"live": self.live, "unknown": self.unknown, "no": self.dead}[verdict].append(with_reason(item, why))

    def facts(self, question: Question) -> dict[str, Fact]:
        change = min((c for c in self.changes if c > question.as_of), default=None)
        return {
            "ocop_products": Fact(
                ItemSet(have=tuple(self.counted), missing=tuple(self.left), unknown=tuple(self.unrecorded)),
                question.as_of,
                Source.DERIVED,
                next_change_on=change,
            ),
            "ocop_products_live": Fact(
                ItemSet(have=tuple(self.live), missing=tuple(self.dead), unknown=tuple(self.unknown)),
                question.as_of,
                Source.DERIVED,
                witness="marketplace",
                next_change_on=change,
            ),
        }


def _gone_words(row: products.VillageProduct, *, lapsed_stays: bool) -> Sentence | None:
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
        return N_("Chủ thể ngừng làm sản phẩm này từ %(day)s.", day=day)
    return N_("Ngừng sản xuất ở thôn này từ %(day)s.", day=day)


def _lapsed_words(lapsed_on: date | None) -> Sentence:
    if lapsed_on is None:
        return N_("Chứng nhận OCOP đã hết hạn.")
    return N_("Chứng nhận OCOP hết hạn từ %(day)s.", day=f"{lapsed_on:%d/%m/%Y}")


def _mistaken_words(mended_on: date) -> Sentence:
    return N_("Chứng nhận OCOP ghi nhầm, đã sửa ngày %(day)s.", day=f"{mended_on:%d/%m/%Y}")


def _grows_too_old(found: Sequence[marketplace.Evidence]) -> datetime | None:
    """When the last of what was seen on sale on a counted floor counts no more."""
    return max((e.expires_at for e in found if e.counted and e.state == "live" and e.expires_at), default=None)


def _sale(found: Sequence[marketplace.Evidence], question: Question) -> tuple[str, Sentence, date | None]:
    """Live on a counted floor, surely not (with the reason), or unknown because the last sighting is too old."""
    if not found:
        return "no", N_("Chưa đăng bán trên sàn nào."), None
    counted = [e for e in found if e.counted]
    fresh = [e for e in counted if e.state == "live"]
    if fresh:
        best = max(fresh, key=lambda e: (e.expires_at or question.known_at, str(e.url)))
        change = clock.local(best.expires_at).date() if best.expires_at else None
        if change is not None and change <= question.as_of:
            change = question.as_of + timedelta(days=1)
        # The hour of the sighting is left out: it moves with every look, and the answer does not.
        return "live", N_("Đang bán trên %(place)s.", place=best.floor_name), change
    stale = [e for e in counted if e.state == "stale" and e.seen_at is not None]
    if stale:
        best = max(stale, key=lambda e: str(e.seen_at))
        day = clock.local(best.seen_at).date() if best.seen_at else question.as_of
        why = N_(
            "Lần cuối thấy đang bán trên %(place)s là ngày %(day)s, đã lâu quá nên không dùng được.",
            place=best.floor_name,
            day=f"{day:%d/%m/%Y}",
        )
        return "unknown", why, None
    return "no", sentences(e.reason for e in counted or found), None

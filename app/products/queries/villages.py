"""Villages where products are made, and the products that count for a village on a day."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import Row, or_, select, text
from sqlalchemy.orm import Session

from app import clock
from app.accounts.queries import among
from app.db import Words
from app.products.models import ProductVillage

# A row that never held (withdrawn from its first day on: written by mistake) counts for nothing.
_OCOP = """
WITH counted AS (
    {counted}
), held AS (
    SELECT c.product_id, c.valid_from, c.stars,
           least(c.valid_to, c.withdrawn_on - 1) AS last_day
      FROM certificates c
     WHERE c.scheme = 'ocop' AND c.product_id IN (SELECT product_id FROM counted) AND c.recorded_at <= :known_at
       AND NOT EXISTS (SELECT FROM certificates l WHERE l.supersedes_id = c.id AND l.recorded_at <= :known_at)
), state AS (
    SELECT product_id,
           bool_or(valid_from <= :on AND last_day >= :on) AS valid,
           max(last_day) FILTER (WHERE valid_from <= :on AND last_day >= :on) AS valid_to,
           max(stars) FILTER (WHERE valid_from <= :on AND last_day >= :on) AS stars,
           max(last_day) FILTER (WHERE last_day < :on) + 1 AS lapsed_on
      FROM held WHERE last_day >= valid_from GROUP BY product_id
), mistaken AS (
    SELECT c.product_id, max(l.recorded_at) AS mended_at
      FROM certificates c JOIN certificates l ON l.supersedes_id = c.id AND l.recorded_at <= :known_at
     WHERE c.scheme = 'ocop' AND c.product_id IN (SELECT product_id FROM counted) AND c.valid_from <= :on
     GROUP BY c.product_id
)
SELECT counted.village_id, p.id, p.organisation_id, p.name, p.ocop_group, state.valid, state.valid_to, state.stars,
       state.lapsed_on, mistaken.mended_at, counted.moved_on, CASE WHEN p.retired_on <= least(:on, :known_on) THEN p.retired_on END AS retired_on
  FROM counted JOIN products p ON p.id = counted.product_id LEFT JOIN state ON state.product_id = p.id
  LEFT JOIN mistaken ON mistaken.product_id = p.id
 WHERE p.created_at <= :known_at
 ORDER BY counted.village_id, vn_numbered(p.name_folded), p.id
"""
_COUNTED = {
    "holder_seat": (
        "SELECT o.village_id, p.id AS product_id, NULL::date AS moved_on"
        " FROM organisations o JOIN products p ON p.organisation_id = o.id WHERE o.village_id = ANY (:villages)"
    ),
    # A row that ended before it began was written by mistake.
    "producing_village": (
        "SELECT v.village_id, v.product_id, CASE WHEN NOT bool_or(v.valid_to IS NULL OR v.valid_to >= :on"
        " OR v.ended_at > :known_at) THEN max(v.valid_to) + 1 END AS moved_on"
        " FROM product_villages v WHERE v.village_id = ANY (:villages) AND v.recorded_at <= :known_at"
        " AND v.valid_from <= :on AND (v.valid_to IS NULL OR v.valid_to >= v.valid_from OR v.ended_at > :known_at)"
        " GROUP BY v.village_id, v.product_id"
    ),
}


def villages_of(session: Session, product_ids: Collection[UUID], on: date) -> dict[UUID, list[UUID]]:
    """Product id to the villages where it is made on the date."""
    rows = session.execute(
        select(ProductVillage.product_id, ProductVillage.village_id)
        .where(
            among(ProductVillage.product_id, product_ids),
            ProductVillage.valid_from <= on,
            or_(ProductVillage.valid_to.is_(None), ProductVillage.valid_to >= on),
        )
        .order_by(ProductVillage.recorded_at, ProductVillage.id)
    )
    found: dict[UUID, list[UUID]] = defaultdict(list)
    for product_id, village_id in rows:
        found[product_id].append(village_id)
    return found


@dataclass(frozen=True, slots=True)
class VillageProduct:
    """One product that counts for a village, or counted once.

    certificate  valid: an OCOP certificate holds on the day; lapsed: one held before; none: there was never one
    mistaken_on  the day on which a row was put right that said there was one (of none)
    valid_to     the last day of the certificate that holds longest (of valid ones)
    lapsed_on    the first day without, where it lapsed
    left         retired: the holder stopped making it; moved: it is made in this village no longer. None: it is in play
    left_on      the first day on which that was so
    """

    village_id: UUID
    product_id: UUID
    organisation_id: UUID
    name: Words
    certificate: Literal["valid", "lapsed", "none"]
    stars: int | None
    valid_to: date | None
    lapsed_on: date | None
    ocop_group: int | None = None
    left: Literal["retired", "moved"] | None = None
    left_on: date | None = None
    mistaken_on: date | None = None


def ocop_products_of_villages(
    session: Session,
    village_ids: Collection[UUID],
    *,
    rule: str,
    on: date,
    known_at: datetime | None = None,
) -> list[VillageProduct]:
    """The products that count for villages on a civil date, as known at a moment, or that left (`left`); in one statement.

    A product is retired on the day on which that is recorded, so the day tells what was known. `rule`: holder_seat (the village of the holder's seat) or producing_village (each village where it is made).
    """
    if not village_ids:
        return []
    known = known_at or clock.now()
    rows = session.execute(
        text(_OCOP.format(counted=_COUNTED[rule])),
        {"villages": sorted(village_ids), "on": on, "known_at": known, "known_on": clock.local(known).date()},
    )
    return [_village_product(row) for row in rows]


def _village_product(row: Row[tuple[object, ...]]) -> VillageProduct:
    state: Literal["valid", "lapsed", "none"] = "lapsed" if row.lapsed_on else "none"
    if row.valid:
        state = "valid"
    retired = row.retired_on is not None and (row.moved_on is None or row.retired_on <= row.moved_on)
    left: Literal["retired", "moved"] | None = None if row.moved_on is None else "moved"
    if retired:
        left = "retired"
    return VillageProduct(
        village_id=row.village_id,
        product_id=row.id,
        organisation_id=row.organisation_id,
        name=Words.model_validate(row.name),
        certificate=state,
        stars=row.stars,
        valid_to=row.valid_to,
        lapsed_on=row.lapsed_on if state == "lapsed" else None,
        ocop_group=row.ocop_group,
        left=left,
        left_on=row.retired_on if retired else row.moved_on,
        mistaken_on=clock.local(row.mended_at).date() if state == "none" and row.mended_at is not None else None,
    )

"""Questions about products: what they are, where they are made, and which certificate holds on which day."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, exists, func, or_, select, text, true
from sqlalchemy.orm import Session, aliased

from app import clock
from app.accounts import queries as accounts
from app.accounts.models import Organisation
from app.accounts.queries import among
from app.actor import Actor, Role
from app.db import Words, fold, picked
from app.errors import not_found
from app.products.models import Certificate, Product, ProductVillage, Scheme, Variant

EXPIRING = timedelta(days=60)  # how long before its end a certificate is shown as ending soon


def seen(actor: Actor) -> ColumnElement[bool]:
    """The products this actor may open: of organisations it may open, and of the cooperatives its households belong to."""
    if actor.kind == "system":
        return true()
    return or_(
        Product.organisation_id.in_(select(Organisation.id).where(accounts.visible(actor))),
        Product.organisation_id.in_(select(func.hoi_cooperatives())),
    )


def may_manage(actor: Actor, organisation_id: UUID) -> bool:
    """Holders manage their own products: cooperatives and enterprises by their manager, a household by its people.

    A cooperative's manager also does it for the member households.
    """
    if actor.kind == "system" or actor.has(Role.COOPERATIVE_MANAGER, Role.FARMER, organisation_id=organisation_id):
        return True
    return organisation_id in actor.organisations and actor.has(Role.COOPERATIVE_MANAGER)


# --- products and packs ------------------------------------------------------------------------------------------


def product(session: Session, actor: Actor, product_id: UUID, *, lock: bool = False) -> Product:
    """Raises NotFound, also for one that this actor may not open."""
    query = select(Product).where(Product.id == product_id, seen(actor))
    found = session.scalar(query.with_for_update(of=Product, key_share=True) if lock else query)
    if found is None:
        raise not_found("sản phẩm này", "this product")
    return found


def products_of(
    session: Session, actor: Actor, *, search: str = "", retired: bool = False, limit: int = 500
) -> list[Product]:
    """The products of the organisations this actor acts for (an official: of the places), by name."""
    query = select(Product).where(seen(actor)).order_by(Product.name_folded, Product.id).limit(limit)
    if not actor.is_official and actor.kind != "system":
        query = query.where(among(Product.organisation_id, actor.organisations))
    if not retired:
        query = query.where(Product.retired_on.is_(None))
    if search:
        query = query.where(Product.name_folded.contains(fold(search), autoescape=True))
    return list(session.scalars(query))


def products_to_grow(session: Session, actor: Actor) -> list[Product]:
    """What a cycle may be for: own products and those of the cooperatives that the actor's households belong to."""
    own = or_(
        among(Product.organisation_id, actor.organisations),
        Product.organisation_id.in_(select(func.hoi_cooperatives())),
    )
    query = select(Product).where(own, Product.retired_on.is_(None)).order_by(Product.name_folded, Product.id)
    return list(session.scalars(query))


def variant(session: Session, actor: Actor, variant_id: UUID, *, lock: bool = False) -> Variant:
    """Raises NotFound, also for one that this actor may not open."""
    query = select(Variant).join(Product, Product.id == Variant.product_id).where(Variant.id == variant_id, seen(actor))
    found = session.scalar(query.with_for_update(of=Variant, key_share=True) if lock else query)
    if found is None:
        raise not_found("gói hàng này", "this pack")
    return found


def variants_of(session: Session, product_ids: Collection[UUID], *, retired: bool = False) -> dict[UUID, list[Variant]]:
    """Product id to its packs, the cheapest first."""
    query = select(Variant).where(among(Variant.product_id, product_ids)).order_by(Variant.price_dong, Variant.sku)
    if not retired:
        query = query.where(Variant.retired_on.is_(None))
    found: dict[UUID, list[Variant]] = defaultdict(list)
    for row in session.scalars(query):
        found[row.product_id].append(row)
    return found


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


def village_history(session: Session, product_id: UUID) -> list[ProductVillage]:
    return list(
        session.scalars(
            select(ProductVillage)
            .where(ProductVillage.product_id == product_id)
            .order_by(ProductVillage.valid_from.desc(), ProductVillage.id)
        )
    )


def is_product_photo(session: Session, _actor: Actor, digest: str) -> bool:
    """Whether the picture shows a product on offer: then everybody may see it."""
    return bool(session.scalar(select(func.hoi_is_product_photo(digest))))


def points_to_file(session: Session, actor: Actor, digest: str) -> bool:
    """Whether a product or certificate that this actor may open points to the file."""
    if session.scalar(select(exists().where(Product.photo_sha256 == digest, seen(actor)))):
        return True
    mine = Certificate.organisation_id.in_(select(Organisation.id).where(accounts.visible(actor)))
    return bool(session.scalar(select(exists().where(Certificate.file_sha256 == digest, mine))))


# --- certificates ------------------------------------------------------------------------------------------------


def last_day(row: Certificate) -> date | None:
    """The last day on which the certificate holds, withdrawal included; None means without end."""
    if row.withdrawn_on is None:
        return row.valid_to
    before = row.withdrawn_on - timedelta(days=1)
    return before if row.valid_to is None else min(before, row.valid_to)


def _standing(known_at: datetime | None) -> ColumnElement[bool]:
    """The last row of each chain, as we knew it at that moment."""
    later = aliased(Certificate)
    follows = exists().where(later.supersedes_id == Certificate.id)
    if known_at is None:
        return ~follows
    return and_(Certificate.recorded_at <= known_at, ~follows.where(later.recorded_at <= known_at))


def _holds(on: date) -> ColumnElement[bool]:
    return and_(
        Certificate.valid_from <= on,
        or_(Certificate.valid_to.is_(None), Certificate.valid_to >= on),
        or_(Certificate.withdrawn_on.is_(None), Certificate.withdrawn_on > on),
    )


def certificates_on(
    session: Session, product_ids: Collection[UUID], on: date, known_at: datetime | None = None
) -> dict[UUID, list[Certificate]]:
    """The certificates that hold for each product on a civil date, as known at `known_at` (aware; None: now).

    Those of the whole organisation count for each of its products. OCOP first, the newest decision first.
    """
    found: dict[UUID, list[Certificate]] = defaultdict(list)
    rows = session.execute(
        select(Product.id, Certificate)
        .join(
            Certificate,
            and_(
                Certificate.organisation_id == Product.organisation_id,
                or_(Certificate.product_id == Product.id, Certificate.product_id.is_(None)),
            ),
        )
        .where(among(Product.id, product_ids), _standing(known_at), _holds(on))
        .order_by((Certificate.scheme != Scheme.OCOP), Certificate.decided_on.desc(), Certificate.position.desc())
    )
    for product_id, row in rows:
        found[product_id].append(row)
    return found


CertificateState = Literal["valid", "expiring", "lapsed", "revoked", "waiting", "replaced"]


@dataclass(frozen=True, slots=True)
class CertificateLine:
    """A recorded row and what it means on a day. `replaced`: a later row corrects it."""

    certificate: Certificate
    state: CertificateState
    last_day: date | None


def state_on(row: Certificate, on: date, *, replaced: bool = False) -> CertificateState:
    if replaced:
        return "replaced"
    if row.withdrawn_on is not None and row.withdrawn_on <= on:
        return "revoked"
    if on < row.valid_from:
        return "waiting"
    until = last_day(row)
    if until is None:
        return "valid"
    if until < on:
        return "lapsed"
    return "expiring" if until - on <= EXPIRING else "valid"


def certificate_lines(session: Session, actor: Actor, product_id: UUID, on: date) -> list[CertificateLine]:
    """Every certificate recorded for the product or its whole organisation, the newest first, with its state on a day."""
    owner = product(session, actor, product_id)
    rows = session.scalars(
        select(Certificate)
        .where(
            Certificate.organisation_id == owner.organisation_id,
            or_(Certificate.product_id == product_id, Certificate.product_id.is_(None)),
        )
        .order_by(Certificate.decided_on.desc(), Certificate.position.desc())
    ).all()
    followed = {r.supersedes_id for r in rows}
    return [CertificateLine(r, state_on(r, on, replaced=r.id in followed), last_day(r)) for r in rows]


def certificate(session: Session, actor: Actor, certificate_id: UUID) -> Certificate:
    """Raises NotFound, also for one that this actor may not open."""
    mine = Certificate.organisation_id.in_(select(Organisation.id).where(accounts.visible(actor)))
    query = select(Certificate).where(Certificate.id == certificate_id)
    found = session.scalar(query if actor.kind == "system" else query.where(mine))
    if found is None:
        raise not_found("chứng nhận này", "this certificate")
    return found


def ocop_states(session: Session, product_ids: Collection[UUID], on: date) -> dict[UUID, CertificateState]:
    """Product id to the state of its best standing OCOP certificate; a product that never had one is missing."""
    rank: dict[CertificateState, int] = {
        "valid": 0,
        "expiring": 1,
        "waiting": 2,
        "lapsed": 3,
        "revoked": 4,
        "replaced": 5,
    }
    found: dict[UUID, CertificateState] = {}
    rows = session.scalars(
        select(Certificate).where(
            among(Certificate.product_id, product_ids), Certificate.scheme == Scheme.OCOP, _standing(None)
        )
    )
    for row in rows:
        state = state_on(row, on)
        if row.product_id is not None:
            found[row.product_id] = min(found.get(row.product_id, state), state, key=rank.__getitem__)
    return found


# --- for the criteria --------------------------------------------------------------------------------------------


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
 ORDER BY counted.village_id, p.name_folded, p.id
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
    state: Literal["valid", "lapsed", "none"] = "valid" if row.valid else "lapsed" if row.lapsed_on else "none"
    retired = row.retired_on is not None and (row.moved_on is None or row.retired_on <= row.moved_on)
    left: Literal["retired", "moved"] | None = "retired" if retired else "moved" if row.moved_on is not None else None
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


def ids_of_organisation(session: Session, organisation_ids: Sequence[UUID]) -> list[UUID]:
    """Every product of these organisations, retired ones included."""
    return list(session.scalars(select(Product.id).where(among(Product.organisation_id, organisation_ids))))


def about_me(session: Session, actor: Actor) -> dict[str, Any]:
    """Which products, villages of products and certificates this person recorded, for the file of their own data."""
    me = actor.person_id
    made = session.scalars(select(Product).where(Product.person_id == me).order_by(Product.created_at, Product.id))
    put = session.scalars(
        select(ProductVillage)
        .where(or_(ProductVillage.person_id == me, ProductVillage.ended_by == me))
        .order_by(ProductVillage.recorded_at, ProductVillage.id)
    )
    certified = session.scalars(select(Certificate).where(Certificate.person_id == me).order_by(Certificate.position))
    return {
        "products": [picked(p, "id organisation_id name created_at") for p in made],
        "product_villages": [
            picked(v, "id product_id village_id valid_from valid_to")
            | {"recorded_by_me": v.person_id == me, "ended_by_me": v.ended_by == me}
            for v in put
        ],
        "certificates": [picked(c, "id product_id scheme issuer decision_number decided_on") for c in certified],
    }

"""Certificates that hold on a day."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import Session, aliased

from app.accounts import queries as accounts
from app.accounts.queries import among
from app.actor import Actor
from app.errors import not_found
from app.messages import N_
from app.products.models import Certificate, Product, Scheme
from app.products.queries.products import product
from app.products.queries.rights import seen

EXPIRING = timedelta(days=60)  # how long before its end a certificate is shown as ending soon
CertificateState = Literal["valid", "expiring", "lapsed", "revoked", "waiting", "replaced"]


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


@dataclass(frozen=True, slots=True)
class CertificateLine:
    """A recorded row and what it means on a day. `replaced`: a later row corrects it."""

    certificate: Certificate
    state: CertificateState
    last_day: date | None

    @property
    def stands(self) -> bool:
        """Neither corrected by a later row nor withdrawn: it may still be."""
        return self.state not in {"replaced", "revoked"}


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
    mine = accounts.opened(actor, Certificate.organisation_id)
    query = select(Certificate).where(Certificate.id == certificate_id)
    found = session.scalar(query if actor.kind == "system" else query.where(mine))
    if found is None:
        raise not_found(N_("chứng nhận này"))
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


def points_to_file(session: Session, actor: Actor, digest: str) -> bool:
    """Whether a product or certificate that this actor may open points to the file."""
    if session.scalar(select(exists().where(Product.photo_sha256 == digest, seen(actor)))):
        return True
    mine = accounts.opened(actor, Certificate.organisation_id)
    return bool(session.scalar(select(exists().where(Certificate.file_sha256 == digest, mine))))

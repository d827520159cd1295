"""Links that people declared, with the newest look at each."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Uuid, and_, exists, func, literal, or_, select
from sqlalchemy.orm import Session

from app import clock
from app.accounts import queries as accounts
from app.accounts.models import Organisation
from app.actor import Actor
from app.db import fold, keyset
from app.db.keyset import Count, Listed
from app.errors import not_found
from app.marketplace_sync.models import DeclaredConfirmation, DeclaredListing
from app.messages import N_
from app.products.models import Product


@dataclass(frozen=True, slots=True)
class Look:
    """A second person's look at a declared link: who by name (None: since erased), the day, and the picture they kept.

    `by_colleague`: they belonged to the seller when they looked.
    """

    name: str | None
    on_sale: bool
    seen_on: date
    photo_sha256: str
    by_colleague: bool


@dataclass(frozen=True, slots=True)
class Looks:
    """The newest looks at a declared link: from outside the seller, and by a colleague of who declared it."""

    outside: DeclaredConfirmation | None = None
    colleague: DeclaredConfirmation | None = None

    def that_counts(self, *, colleagues_count: bool) -> DeclaredConfirmation | None:
        """The newest of those that may say whether the product is on sale."""
        looks = [look for look in (self.outside, self.colleague if colleagues_count else None) if look is not None]
        return max(looks, key=lambda look: (look.seen_on, look.recorded_at), default=None)

    @property
    def shown(self) -> list[DeclaredConfirmation]:
        return [look for look in (self.outside, self.colleague) if look is not None]


def declared_listing(session: Session, actor: Actor, declared_id: UUID) -> DeclaredListing:
    """Raises NotFound, also for one that was withdrawn or that the actor does not see."""
    found = session.scalar(select(DeclaredListing).where(DeclaredListing.id == declared_id, _declared_seen_by(actor)))
    if found is None:
        raise not_found(N_("đường dẫn này"))
    return found


def is_of_the_seller(session: Session, actor: Actor, declared: DeclaredListing) -> bool:
    """Whether the actor holds a role, or held one since it was declared, in the selling organisation, in a household that
    is a member of it, or in the cooperative that acts for it.
    """
    seller = declared.organisation_id
    return actor.reads(seller) or bool(
        session.scalar(select(func.hoi_of_the_seller(actor.person_id, seller, declared.declared_at)))
    )


NEWEST = keyset.Order((DeclaredListing.declared_at, datetime), (DeclaredListing.id, UUID), newest_first=True)


@dataclass(frozen=True, slots=True)
class DeclaredList:
    """One page of declared links, each with the newest looks at it, and how many there are in all."""

    lines: Sequence[tuple[DeclaredListing, Looks]]
    page: Listed
    total: Count


def declared_list(
    session: Session,
    actor: Actor,
    *,
    search: str = "",
    waiting: bool = False,
    mark: str = "",
    size: int = keyset.PAGE,
) -> DeclaredList:
    """Open declared listings that the actor sees, the newest first. Raises BadAddress for a mark that is none.

    A search finds a part of the product's Vietnamese name or of the address. `waiting`: those at which nobody from outside has
    looked.
    """
    query = select(DeclaredListing).where(_declared_seen_by(actor))
    if search:
        named = select(Product.id).where(Product.name_folded.contains(fold(search), autoescape=True))
        at = DeclaredListing.url.icontains(search.strip(), autoescape=True)
        query = query.where(or_(DeclaredListing.product_id.in_(named), at))
    if waiting:
        looked = exists().where(DeclaredConfirmation.declared_listing_id == DeclaredListing.id)
        query = query.where(~looked.where(~DeclaredConfirmation.by_colleague))
    found = keyset.listed(session, query, NEWEST, mark, size=size)
    rows = [row.DeclaredListing for row in found.rows]
    return DeclaredList(_with_looks(session, rows, clock.now()), found, keyset.count(session, query))


def _declared_seen_by(actor: Actor) -> ColumnElement[bool]:
    """Open declared listings that the actor sees: own ones, and those of organisations in an official's places."""
    overseen = exists().where(Organisation.id == DeclaredListing.organisation_id, accounts.lying_in(actor.units))
    return and_(
        DeclaredListing.withdrawn_at.is_(None), or_(DeclaredListing.organisation_id.in_(actor.organisations), overseen)
    )


def declared_with_looks(
    session: Session, product_ids: Collection[UUID], moment: datetime
) -> list[tuple[DeclaredListing, Looks]]:
    rows = session.scalars(
        select(DeclaredListing).where(
            DeclaredListing.product_id.in_(list(product_ids)),
            DeclaredListing.declared_at <= moment,
            (DeclaredListing.withdrawn_at.is_(None)) | (DeclaredListing.withdrawn_at > moment),
        )
    ).all()
    return _with_looks(session, rows, moment)


def _with_looks(
    session: Session, rows: Sequence[DeclaredListing], moment: datetime
) -> list[tuple[DeclaredListing, Looks]]:
    newest: dict[tuple[UUID, bool], DeclaredConfirmation] = {}
    for look in session.scalars(
        select(DeclaredConfirmation)
        .where(
            DeclaredConfirmation.declared_listing_id.in_([r.id for r in rows]),
            DeclaredConfirmation.recorded_at <= moment,
        )
        .order_by(DeclaredConfirmation.seen_on, DeclaredConfirmation.recorded_at)
    ):
        newest[look.declared_listing_id, look.by_colleague] = look
    return [(row, Looks(newest.get((row.id, False)), newest.get((row.id, True)))) for row in rows]


def points_to_file(session: Session, actor: Actor, digest: str) -> bool:
    """Whether the picture proves a listing of an organisation that this actor may open."""
    theirs = accounts.opened(actor, DeclaredConfirmation.organisation_id)
    return bool(session.scalar(select(exists().where(DeclaredConfirmation.photo_sha256 == digest, theirs))))


def declared_looks(session: Session, actor: Actor, look_ids: Collection[UUID]) -> dict[UUID, Look]:
    """Those of these looks that are at links of organisations which the actor may open, by id: so may their pictures be."""
    theirs = accounts.opened(actor, DeclaredConfirmation.organisation_id)
    rows = session.scalars(
        select(DeclaredConfirmation).where(DeclaredConfirmation.id.in_(list(look_ids)), theirs)
    ).all()
    if not rows:
        return {}
    told = func.hoi_confirmers(literal([r.id for r in rows], ARRAY(Uuid()))).table_valued(
        "confirmation_id", "full_name"
    )
    names = {UUID(str(r.confirmation_id)): r.full_name for r in session.execute(select(told))}
    return {r.id: Look(names.get(r.id), r.on_sale, r.seen_on, r.photo_sha256, r.by_colleague) for r in rows}

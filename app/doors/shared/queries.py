"""Who may see a stored file: the rows that point to it say so, and each part answers for its own rows."""

from collections.abc import Callable
from enum import StrEnum

from sqlalchemy import cast, exists, literal, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from app.accounts import queries as accounts
from app.accounts.models import Organisation
from app.actor import Actor, Right
from app.criteria.models import VillageFact
from app.errors import not_found
from app.marketplace_sync.models import DeclaredConfirmation
from app.media import SHA256, uploaded_by
from app.products import queries as products
from app.trace import queries as trace

Sees = Callable[[Session, Actor, str], bool]


class Audience(StrEnum):
    EVERYBODY = "everybody"
    THIS_ACTOR = "this_actor"


def shows_a_listing(session: Session, actor: Actor, digest: str) -> bool:
    """Whether the picture proves a listing of an organisation that this actor may open."""
    theirs = DeclaredConfirmation.organisation_id.in_(select(Organisation.id).where(accounts.visible(actor)))
    return bool(session.scalar(select(exists().where(DeclaredConfirmation.photo_sha256 == digest, theirs))))


def shows_a_village_fact(session: Session, actor: Actor, digest: str) -> bool:
    """Whether the file is evidence of a village that this official answers for."""
    overseen = actor.places_where(Right.OVERSEE)
    if not overseen:
        return False
    has = VillageFact.evidence.op("@>")(cast(literal([digest], JSONB), JSONB))
    return bool(session.scalar(select(exists().where(has, accounts.among(VillageFact.village_id, overseen)))))


# Asked in order with (session, actor, sha256). OPEN: a row that the public may see points to the file.
OPEN: tuple[Sees, ...] = (products.is_product_photo,)
# GUARDED: a row that this actor may see points to it.
GUARDED: tuple[Sees, ...] = (
    uploaded_by,
    trace.points_to_file,
    products.points_to_file,
    shows_a_listing,
    shows_a_village_fact,
)


def audience(session: Session, actor: Actor, sha256: str) -> Audience:
    """Who, as far as this actor may know, sees the file. Raises NotFound when it is not for the actor."""
    if SHA256.match(sha256):
        if any(sees(session, actor, sha256) for sees in OPEN):
            return Audience.EVERYBODY
        if any(sees(session, actor, sha256) for sees in GUARDED):
            return Audience.THIS_ACTOR
    raise not_found("ảnh này", "this picture")

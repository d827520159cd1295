"""The right to see a stored file: the rows that point to it say so, and each part answers for its own rows."""

from collections.abc import Callable
from enum import StrEnum

from sqlalchemy.orm import Session

from app.actor import Actor
from app.criteria import queries as criteria
from app.errors import not_found
from app.marketplace_sync import queries as marketplace
from app.media import SHA256, uploaded_by
from app.messages import N_
from app.products import queries as products
from app.trace import queries as trace

Sees = Callable[[Session, Actor, str], bool]


class Audience(StrEnum):
    EVERYBODY = "everybody"
    THIS_ACTOR = "this_actor"


# Asked in order with (session, actor, sha256). OPEN: a row that the public may see points to the file.
OPEN: tuple[Sees, ...] = (products.is_product_photo,)
# GUARDED: a row that this actor may see points to it.
GUARDED: tuple[Sees, ...] = (
    uploaded_by,
    trace.points_to_file,
    products.points_to_file,
    marketplace.points_to_file,
    criteria.points_to_file,
)


def audience(session: Session, actor: Actor, sha256: str) -> Audience:
    """Who, as far as this actor may know, sees the file. Raises NotFound when it is not for the actor."""
    if SHA256.match(sha256):
        if any(sees(session, actor, sha256) for sees in OPEN):
            return Audience.EVERYBODY
        if any(sees(session, actor, sha256) for sees in GUARDED):
            return Audience.THIS_ACTOR
    raise not_found(N_("ảnh này"))

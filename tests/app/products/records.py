"""What the tests of products write down and count."""

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from app.actor import SYSTEM, Actor
from app.db import Database, new_id
from app.outbox import OutboxEvent
from app.products import certificates
from app.products.schemas import NewCertificate
from tests.worlds.farm import World


def count(database: Database, model: Any) -> int:
    with database.transaction(SYSTEM) as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def names(database: Database) -> list[str]:
    """The events published so far, in order."""
    with database.transaction(SYSTEM) as session:
        return list(session.scalars(select(OutboxEvent.name).order_by(OutboxEvent.position)))


def certify(database: Database, actor: Actor, world: World, product: UUID | None, **facts: Any) -> UUID:
    whole = {
        "id": new_id(), "organisation_id": world.cooperative, "product_id": product, "scheme": "ocop", "stars": 4,
        "issuer": "UBND tỉnh Thử", "decision_number": "12/QĐ-UBND", "decided_on": date(2024, 3, 1),
    } | facts  # fmt: skip
    with database.transaction(actor) as session:
        return certificates.record_certificate(session, actor, NewCertificate.model_validate(whole))

"""The certificates that a buyer sees, and when time alone changes them."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, aliased

from app import clock
from app.db import Words
from app.doors.consumer.queries.public_texts import covered, said
from app.products import queries as products
from app.products.models import Certificate, Scheme
from app.trace.models import Batch

OLD_CERTIFICATES_DAYS = 365  # one that ended longer ago says nothing about what is sold now


@dataclass(frozen=True, slots=True)
class ShownCertificate:
    scheme: str
    stars: int | None
    issuer: str
    number: str
    scope: Words | None
    valid_from: date
    valid_to: date | None
    state: str


def certificates_of(session: Session, batch: Batch, today: date) -> tuple[tuple[ShownCertificate, ...], list[datetime]]:
    later = aliased(Certificate)
    rows = session.scalars(
        select(Certificate)
        .outerjoin(later, later.supersedes_id == Certificate.id)
        .where(
            later.id.is_(None),
            Certificate.organisation_id == batch.organisation_id,
            or_(Certificate.product_id == batch.product_id, Certificate.product_id.is_(None)),
        )
    )
    shown: list[ShownCertificate] = []
    changes: list[datetime] = []
    for row in rows:
        ends = products.last_day(row)
        days = (row.valid_from, *(() if ends is None else (ends + timedelta(days=1),)))
        changes.extend(clock.start_of_day(day) for day in days)
        if ends is not None:
            changes.append(clock.start_of_day(ends + timedelta(days=OLD_CERTIFICATES_DAYS + 1)))
        state = str(products.state_on(row, today))
        state = "valid" if state == "expiring" else state  # a warning for the holder, no news for a buyer
        too_old = ends is not None and (today - ends).days > OLD_CERTIFICATES_DAYS
        if row.valid_from <= today and not too_old:
            shown.append(
                ShownCertificate(
                    row.scheme,
                    row.stars,
                    said(row.issuer),
                    row.decision_number,
                    covered(row.scope) if row.scope is not None else None,
                    row.valid_from,
                    row.valid_to,
                    state,
                )
            )
    shown.sort(key=lambda c: (c.state != "valid", c.scheme != Scheme.OCOP, -(c.stars or 0), c.number))
    return tuple(shown), changes

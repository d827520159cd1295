"""Questions about consent and what people asked about their data."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, func, literal, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from app.accounts.models import Consent, DataRequest, Purpose
from app.db import keyset


def consents_now(session: Session, person_id: UUID) -> dict[Purpose, Consent]:
    """The newest word on each purpose; a purpose nobody was asked about is missing."""
    rows = session.scalars(
        select(Consent)
        .where(Consent.person_id == person_id)
        .ext(distinct_on(Consent.purpose))
        .order_by(Consent.purpose, Consent.recorded_at.desc(), Consent.id.desc())
    )
    return {Purpose(c.purpose): c for c in rows}


def agrees(session: Session, person_id: UUID, purpose: Purpose) -> bool:
    found = consents_now(session, person_id).get(purpose)
    return found is not None and found.given


def who_said_no(session: Session, person_ids: Collection[UUID], purpose: Purpose) -> set[UUID]:
    """Whose newest word on the purpose is a no, also of people whose answers row-level security hides from this session."""
    if not person_ids:
        return set()
    found = func.hoi_said_no(literal(sorted(person_ids), ARRAY(Uuid())), purpose.value).table_valued("person_id")
    return {UUID(str(row.person_id)) for row in session.execute(select(found.c.person_id))}


def data_requests_of(session: Session, person_id: UUID) -> list[DataRequest]:
    return list(
        session.scalars(
            select(DataRequest).where(DataRequest.person_id == person_id).order_by(DataRequest.received_at.desc())
        )
    )


NEWEST_ASKED = keyset.Order((DataRequest.received_at, datetime), (DataRequest.id, UUID), newest_first=True)
BY_DEADLINE = keyset.Order((DataRequest.fulfil_due_at, datetime), (DataRequest.id, UUID))


def data_request_page(session: Session, person_id: UUID, mark: str = "") -> keyset.Paged[DataRequest]:
    """A page of what a person asked about their data, the newest first. Raises BadAddress for a mark that is none."""
    return keyset.paged(session, select(DataRequest).where(DataRequest.person_id == person_id), NEWEST_ASKED, mark)


def open_data_requests(session: Session, mark: str = "") -> keyset.Paged[DataRequest]:
    """A page of what administrators still owe an answer or a deed, the nearest deadline first. Raises BadAddress."""
    query = select(DataRequest).where(DataRequest.fulfilled_at.is_(None))
    return keyset.paged(session, query, BY_DEADLINE, mark)

"""Writers of a diary's steps: the holder's own people, or somebody from outside who came to help."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import clock
from app.accounts.models import Membership
from app.accounts.queries import among
from app.actor import Role
from app.trace.models import CareLog, Witness

_OUTSIDERS = {Role.COOPERATIVE_MANAGER: Witness.COOPERATIVE, Role.EXTENSION_OFFICER: Witness.OFFICER}


def written_from_outside(session: Session, logs: Collection[CareLog]) -> dict[UUID, Witness]:
    """Step to what its writer was, where the writer was none of the holder's people; the others are missing.

    - had the writer any role with the holder when it was recorded? then it was written at home
    - else: did they manage a cooperative, or were they an extension officer, at that time?

    Needs a session that may see memberships of others, as SYSTEM may.
    """
    roles = session.scalars(
        select(Membership).where(among(Membership.person_id, {log.written_by for log in logs}))
    ).all()
    # A role's last day is the one before it was ended, but its rights lasted until that moment.
    found: dict[UUID, Witness] = {}
    for log in logs:
        day = clock.local(log.recorded_at).date()
        then = [
            m
            for m in roles
            if m.person_id == log.written_by
            and m.valid_from <= day
            and (m.ended_at is None or log.recorded_at < m.ended_at)
        ]
        if any(m.organisation_id == log.organisation_id for m in then):
            continue
        kinds = [kind for role, kind in _OUTSIDERS.items() if any(m.role == role for m in then)]
        if kinds:
            found[log.id] = kinds[0]
    return found

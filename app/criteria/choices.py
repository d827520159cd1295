"""What the province decides where the letter leaves something open."""

from uuid import UUID

from sqlalchemy.orm import Session

from app import audit, clock, outbox
from app.actor import Actor, Role
from app.criteria import queries
from app.criteria.events import ParameterChosen
from app.criteria.models import ParameterChoice
from app.criteria.schemas import NewParameterChoice, other_content
from app.db import insert_once
from app.errors import forbidden


def choose_parameter(session: Session, actor: Actor, new: NewParameterChoice) -> UUID:
    """Write down what the province decided; the same id and content again is the same answer.

    Raises Forbidden, NotFound (pack), Invalid (name, value) and Conflict (the id with other content).
    """
    if not actor.has(Role.PROVINCE_OFFICIAL, Role.ADMINISTRATOR) or actor.person_id is None:
        raise forbidden()
    pack = queries.pack(new.pack_id)
    value: int | str = int(new.value) if isinstance(new.value, str) and new.value.isdigit() else new.value
    pack.settings({new.name: value})
    content = new.model_dump() | {"value": value}
    row = ParameterChoice(**content, recorded_at=clock.now(), person_id=actor.person_id)
    if not insert_once(session, row):
        stored = session.get_one(ParameterChoice, new.id)
        if any(getattr(stored, name) != one for name, one in content.items()):
            raise other_content()
        return new.id
    audit.record(session, actor, "criteria:parameter:choose", subject_id=new.id, name=new.name, value=value)
    outbox.publish(
        session,
        actor,
        ParameterChosen(pack_id=new.pack_id),
        due_at=max(clock.now(), clock.start_of_day(new.valid_from)),
    )
    return new.id

"""The province's choices where the letter leaves something open."""

from datetime import date, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from app import audit, clock, outbox
from app.actor import Actor, Right
from app.criteria import queries
from app.criteria.events import ParameterChosen
from app.criteria.models import ParameterChoice
from app.criteria.rules import Pack
from app.criteria.schemas import NewParameterChoice, other_content
from app.db import insert_once
from app.errors import Invalid, InvalidMany, forbidden
from app.messages import N_

CHOSEN_AHEAD = timedelta(days=366)


def choose_parameter(session: Session, actor: Actor, new: NewParameterChoice) -> UUID:
    """Write down what the province decided; the same id and content again is the same answer.

    Raises Forbidden, NotFound (pack), Invalid (name, value) and Conflict (the id with other content).
    """
    if not actor.may_everywhere(Right.SET_PROVINCE_RULES) or actor.person_id is None:
        raise forbidden()
    pack = queries.pack(new.pack_id)
    _check_value(pack, new.name, new.value)
    _check_day(pack, new.valid_from)
    content = new.model_dump()
    row = ParameterChoice(**content, recorded_at=clock.now(), person_id=actor.person_id)
    if not insert_once(session, row):
        stored = session.get_one(ParameterChoice, new.id)
        if any(getattr(stored, name) != one for name, one in content.items()):
            raise other_content()
        return new.id
    audit.record(session, actor, "criteria:parameter:choose", subject_id=new.id, name=new.name, value=new.value)
    outbox.publish(
        session,
        actor,
        ParameterChosen(pack_id=new.pack_id),
        due_at=max(clock.now(), clock.start_of_day(new.valid_from)),
    )
    return new.id


def _check_value(pack: Pack, name: str, value: int | str) -> None:
    """Raises Invalid, told beside the form's one field for the value."""
    try:
        pack.settings({name: value})
    except InvalidMany as refused:
        raise Invalid(refused.code, refused.said, field="value") from None


def _check_day(pack: Pack, day: date) -> None:
    """A choice begins with the text or later, and a year ahead at most; one to come is listed as such until its day."""
    if day < pack.effective_from:
        raise Invalid(
            "before_the_text",
            N_(
                "Văn bản có từ %(effective_from)s, lựa chọn không áp dụng trước đó được. Chọn ngày ấy hoặc muộn hơn.",
                effective_from=f"{pack.effective_from:%d/%m/%Y}",
            ),
            field="valid_from",
        )
    last = clock.today() + CHOSEN_AHEAD
    if day > last:
        raise Invalid(
            "too_far_ahead",
            N_("Ngày áp dụng muộn nhất là %(last)s. Hãy kiểm tra lại năm.", last=f"{last:%d/%m/%Y}"),
            field="valid_from",
        )

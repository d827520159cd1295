"""Attributes of places that the province sets, such as the group of a commune."""

from datetime import date, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import audit, clock
from app.actor import Actor
from app.db import new_id
from app.errors import Invalid
from app.messages import N_
from app.outbox import publish
from app.places import queries
from app.places.events import PlaceChanged
from app.places.models import Level, PlaceAttribute
from app.places.service import require_manager

GROUP_KEY = "commune_group"


def set_attribute(
    session: Session, actor: Actor, *, place_id: UUID, key: str, value: str, valid_from: date, basis: str
) -> UUID:
    """Record a value of a place from a day on, with the document it rests on. The value before ends the day before.

    The same value and basis again change nothing. A day before the present value's first day is refused.
    """
    require_manager(actor)
    place = queries.place(session, place_id)
    if (key == GROUP_KEY and place.level != Level.COMMUNE) or place.valid_to is not None:
        raise Invalid("not_here", N_("Chỉ đặt được nhóm cho xã, phường đang có."))
    if valid_from > clock.today() + timedelta(days=366):
        raise Invalid(
            "valid_from",
            N_("Ngày áp dụng xa quá một năm. Hãy kiểm tra lại năm."),
            field="valid_from",
        )
    current = session.scalar(
        select(PlaceAttribute)
        .where(PlaceAttribute.place_id == place_id, PlaceAttribute.key == key, PlaceAttribute.valid_to.is_(None))
        .with_for_update()
    )
    if current is not None:
        if (current.value, current.basis) == (value, basis) and current.valid_from <= valid_from:
            return current.id
        if current.valid_from > valid_from:
            raise Invalid(
                "valid_from",
                N_(
                    "Giá trị đang dùng có từ %(valid_from)s; ngày áp dụng phải từ đó trở đi.",
                    valid_from=f"{current.valid_from:%d/%m/%Y}",
                ),
                field="valid_from",
            )
        current.valid_to = valid_from - timedelta(days=1)
        current.ended_at = clock.now()
        session.flush()  # the open row must be closed before the next one opens: one open row for each key
    row = PlaceAttribute(
        id=new_id(),
        place_id=place_id,
        key=key,
        value=value,
        valid_from=valid_from,
        basis=basis,
        recorded_at=clock.now(),
        person_id=actor.person_id,
    )
    session.add(row)
    audit.record(session, actor, "places:attribute:set", subject_id=place_id, key=key, value=value)
    publish(session, actor, PlaceChanged(place_id=place_id))
    return row.id

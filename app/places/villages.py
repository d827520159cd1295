"""The verbs of one village: rename it, end it with its decision and its lineage, end one of its premises."""

from collections.abc import Collection, Sequence
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from app import audit, clock
from app.actor import Actor
from app.errors import Conflict, Invalid, not_found
from app.messages import N_
from app.outbox import publish
from app.places import imports, queries
from app.places.events import PlaceChanged, PremisesChanged
from app.places.models import Level, Place, PlaceEnding, PlaceLineage, PlaceName, Premises
from app.places.service import IMPORT_LOCK, MERGER, rename_place, require_manager
from app.sheets import NAME_CHARACTERS


def rename_village(
    session: Session, actor: Actor, village_id: UUID, *, kind_word: str, name: str, valid_from: date
) -> None:
    """Give a village another name from a day on, as a list with its code would. The name it has changes nothing."""
    require_manager(actor)
    place = _open_village(session, village_id)
    if kind_word not in imports.VILLAGE_WORDS:
        raise Invalid("kind_word", N_("Chọn một loại trong danh sách."), field="kind_word")
    if any(c not in NAME_CHARACTERS for c in name):
        raise Invalid(
            "name",
            N_("Tên chỉ gồm chữ tiếng Việt, số và dấu câu thường. Hãy gõ lại bằng bảng mã Unicode."),
            field="name",
        )
    if (place.kind_word, place.name) == (kind_word, name):
        return
    first = place.valid_from or MERGER
    if not first <= valid_from <= clock.today():
        raise Invalid(
            "valid_from",
            N_("Ngày áp dụng phải từ %(first)s đến hôm nay.", first=f"{first:%d/%m/%Y}"),
            field="valid_from",
        )
    rename_place(session, place, kind_word=kind_word, name=name, valid_from=valid_from, person_id=actor.person_id)
    audit.record(session, actor, "places:village:rename", subject_id=village_id, valid_from=valid_from)
    publish(session, actor, PlaceChanged(place_id=village_id))


def end_village(
    session: Session,
    actor: Actor,
    village_id: UUID,
    *,
    ending_id: UUID,
    last_day: date,
    into: Collection[UUID],
    decision: str,
) -> UUID:
    """Say that a village is no more after `last_day`, which villages took it over (none: dissolved), and by what decision.

    Its name and its premises end with it; households of the new village come with a list of their own. The same again
    changes nothing; another content is a Conflict, for a decision once recorded is not edited.
    """
    require_manager(actor)
    heirs = sorted(set(into))
    known = session.get(PlaceEnding, ending_id) or queries.ending_of(session, village_id)
    if known is not None:
        went = sorted(k.place.id for k in queries.became(session, known.place_id))
        if (known.place_id, known.last_day, known.decision, went) != (village_id, last_day, decision, heirs):
            raise Conflict(
                "village_ended", N_("Thôn này đã được ghi hết bằng một quyết định khác. Mở trang của thôn để xem.")
            )
        return known.id
    village = _open_village(session, village_id)
    _check_last_day(session, village, last_day)
    _check_heirs(session, village, heirs, last_day)
    now = clock.now()
    ended = {"valid_to": last_day, "ended_at": now}
    village.valid_to, village.ended_at = last_day, now
    session.execute(
        update(PlaceName).where(PlaceName.place_id == village_id, PlaceName.valid_to.is_(None)).values(**ended)
    )
    premises = session.scalars(
        update(Premises)
        .where(Premises.village_id == village_id, Premises.valid_to.is_(None))
        .values(**ended)
        .returning(Premises.id)
    ).all()
    session.add(
        PlaceEnding(
            id=ending_id,
            place_id=village_id,
            last_day=last_day,
            decision=decision,
            recorded_at=now,
            person_id=actor.person_id,
        )
    )
    session.add_all(
        PlaceLineage(
            old_id=village_id,
            new_id=heir,
            partial=len(heirs) > 1,
            decision=decision,
            effective_on=last_day + timedelta(days=1),
        )
        for heir in heirs
    )
    audit.record(session, actor, "places:village:end", subject_id=village_id, last_day=last_day, premises=len(premises))
    publish(session, actor, PlaceChanged(place_id=village_id))
    publish(session, actor, PremisesChanged(village_id=village_id))
    return ending_id


def _open_village(session: Session, village_id: UUID) -> Place:
    """The village, locked, while no list is being applied. Raises NotFound, Invalid, Conflict."""
    if not session.scalar(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": IMPORT_LOCK}):
        raise Conflict("import_running", N_("Máy đang nhập một danh sách. Hãy đợi nhập xong rồi gửi lại."))
    village = session.scalar(
        select(Place).where(Place.id == village_id).with_for_update().execution_options(populate_existing=True)
    )
    if village is None:
        raise not_found(N_("thôn này"))
    if village.level != Level.VILLAGE or village.valid_to is not None:
        raise Invalid("not_a_village", N_("Việc này chỉ làm được với thôn, bản, khối phố đang có."))
    return village


def _check_heirs(session: Session, village: Place, heirs: Sequence[UUID], last_day: date) -> None:
    """Raise Invalid unless all are other villages in force on the day after."""
    after = last_day + timedelta(days=1)
    found = queries.places(session, heirs)
    for heir in heirs:
        one = found.get(heir)
        if (
            one is None
            or one.id == village.id
            or one.level != Level.VILLAGE
            or one.valid_to is not None
            or (one.valid_from is not None and one.valid_from > after)
        ):
            raise Invalid(
                "into",
                N_(
                    "Thôn nhận phải là thôn khác, đang có từ %(after)s. Thôn mới thì nhập vào danh sách trước.",
                    after=f"{after:%d/%m/%Y}",
                ),
                field="into",
            )


def _check_last_day(session: Session, village: Place, last_day: date) -> None:
    """Raise Invalid when something of the village is dated later than its last day, or the day has not come."""
    name_since = session.scalar(
        select(func.max(PlaceName.valid_from)).where(PlaceName.place_id == village.id, PlaceName.valid_to.is_(None))
    )
    used = session.scalar(
        select(func.max(func.coalesce(Premises.valid_to, Premises.valid_from))).where(Premises.village_id == village.id)
    )
    first = max(day for day in (village.valid_from, name_since, used, MERGER) if day is not None)
    if not first <= last_day <= clock.today():
        raise Invalid(
            "last_day",
            N_("Ngày cuối phải từ %(first)s đến hôm nay.", first=f"{first:%d/%m/%Y}"),
            field="last_day",
        )


def end_premises(session: Session, actor: Actor, village_id: UUID, premises_id: UUID, *, last_day: date) -> None:
    """Say that premises of a village are no more after `last_day`. Ending it again on the same day changes nothing."""
    require_manager(actor)
    row = session.scalar(
        select(Premises).where(Premises.id == premises_id, Premises.village_id == village_id).with_for_update()
    )
    if row is None:
        raise not_found(N_("cơ sở này"))
    if row.valid_to == last_day:
        return
    if row.valid_to is not None or not row.valid_from <= last_day <= clock.today():
        raise Invalid(
            "last_day",
            N_(
                "Ngày cuối phải từ %(valid_from)s đến hôm nay, và chỉ ghi được một lần.",
                valid_from=f"{row.valid_from:%d/%m/%Y}",
            ),
            field="last_day",
        )
    row.valid_to = last_day
    row.ended_at = clock.now()
    audit.record(session, actor, "places:premises:end", subject_id=premises_id, last_day=last_day)
    publish(session, actor, PremisesChanged(village_id=row.village_id))

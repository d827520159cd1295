"""Questions about places. Places are public: no answer here depends on who asks."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Uuid, and_, any_, case, func, literal, or_, select
from sqlalchemy.orm import Session, aliased

from app import clock
from app.actor import Actor
from app.db import fold, nfc, picked
from app.errors import not_found
from app.jobs import Job, JobState
from app.media import MediaBlob
from app.places.models import (
    Level,
    Place,
    PlaceAttribute,
    PlaceEnding,
    PlaceImport,
    PlaceLineage,
    PlaceName,
    Premises,
)

KIND_WORDS = (
    "tỉnh", "thành phố", "thị xã", "thị trấn", "huyện", "xã", "phường",
    "tổ dân phố", "khối phố", "khu phố", "thôn", "bản", "khối", "khu", "xóm", "làng",
)  # fmt: skip
_PREFIX = re.compile(r"^(" + "|".join(re.escape(fold(w)) for w in KIND_WORDS) + r")\s+(?=\S)")


def _then(
    dated: type[Place | PlaceName | PlaceAttribute | Premises], on: date, known_at: datetime | None
) -> ColumnElement[bool]:
    """The rows in force on a civil date, as we knew them at `known_at` (aware; None: now)."""
    began = or_(dated.valid_from.is_(None), dated.valid_from <= on)
    still = or_(dated.valid_to.is_(None), dated.valid_to >= on)
    if known_at is None:
        return and_(began, still)
    # An end that we learned of later was not yet known then.
    return and_(began, dated.recorded_at <= known_at, or_(still, dated.ended_at > known_at))


def in_force(on: date, known_at: datetime | None = None) -> ColumnElement[bool]:
    """The places that exist on a civil date. No start means: since before our records begin."""
    return _then(Place, on, known_at)


def place(session: Session, place_id: UUID) -> Place:
    """Raises NotFound."""
    found = session.get(Place, place_id)
    if found is None:
        raise not_found("nơi này", "this place")
    return found


def by_code(session: Session, code: str, on: date) -> Place | None:
    """The place that bears the code on that date: old and new communes share codes, never on one day."""
    return session.scalar(select(Place).where(Place.code == code, in_force(on)))


def province(session: Session, on: date | None = None) -> Place:
    """The province of this installation. Raises NotFound before `load_reference` has run."""
    found = session.scalar(select(Place).where(Place.level == Level.PROVINCE, in_force(on or clock.today())))
    if found is None:
        raise not_found("tỉnh này", "this province")
    return found


def open_village(session: Session, place_id: UUID) -> Place:
    """A village without an end. Raises NotFound."""
    found = session.get(Place, place_id)
    if found is None or found.level != Level.VILLAGE or found.valid_to is not None:
        raise not_found("thôn này", "this village")
    return found


def places(session: Session, place_ids: Collection[UUID]) -> dict[UUID, Place]:
    if not place_ids:
        return {}
    return {p.id: p for p in session.scalars(select(Place).where(Place.id.in_(set(place_ids))))}


def existing(session: Session, place_ids: Iterable[UUID], on: date) -> set[UUID]:
    """Those of these places that exist on the date."""
    wanted = sorted(set(place_ids))
    if not wanted:
        return set()
    asked = Place.id == any_(literal(wanted, ARRAY(Uuid())))
    return set(session.scalars(select(Place.id).where(asked, in_force(on))))


def children(session: Session, place_id: UUID, on: date) -> list[Place]:
    """In dictionary order of their names."""
    return list(
        session.scalars(
            select(Place)
            .where(Place.parent_id == place_id, in_force(on))
            .order_by(Place.level, Place.sort_key, Place.code)
        )
    )


def current_communes(session: Session, on: date) -> list[Place]:
    return list(
        session.scalars(select(Place).where(Place.level == Level.COMMUNE, in_force(on)).order_by(Place.sort_key))
    )


def current_villages(session: Session, commune_id: UUID, on: date) -> list[Place]:
    """The villages of a commune on a date, in dictionary order."""
    return list(
        session.scalars(
            select(Place)
            .where(Place.parent_id == commune_id, Place.level == Level.VILLAGE, in_force(on))
            .order_by(Place.sort_key, Place.code)
        )
    )


def village_counts(session: Session, on: date) -> dict[UUID, int]:
    """Commune id to the number of its villages; a commune without any is missing."""
    rows = session.execute(
        select(Place.parent_id, func.count())
        .where(Place.level == Level.VILLAGE, in_force(on))
        .group_by(Place.parent_id)
    )
    return {parent: count for parent, count in rows if parent is not None}


def ancestors(session: Session, place_id: UUID) -> list[Place]:
    """From the parent up to the province."""
    return chains(session, [place_id]).get(place_id, [])


def chains(session: Session, place_ids: Collection[UUID]) -> dict[UUID, list[Place]]:
    """For each place its ancestors, nearest first, in one query."""
    if not place_ids:
        return {}
    start = (
        select(Place.id.label("of"), Place.parent_id.label("up"), literal(0).label("step"))
        .where(Place.id.in_(set(place_ids)))
        .cte("chain", recursive=True)
    )
    chain = start.union_all(select(start.c.of, Place.parent_id, start.c.step + 1).join(start, Place.id == start.c.up))
    found: dict[UUID, list[Place]] = defaultdict(list)
    for of, one in session.execute(
        select(chain.c.of, Place).join(Place, Place.id == chain.c.up).order_by(chain.c.of, chain.c.step)
    ):
        found[of].append(one)
    return found


def full_name(one: Place | PlaceName, above: Iterable[Place | PlaceName] = ()) -> str:
    """For example "thôn Nà Mẫu, xã Chi Lăng, tỉnh Lạng Sơn"."""
    return ", ".join(f"{p.kind_word} {p.name}" for p in (one, *above))


def full_names(session: Session, place_ids: Collection[UUID]) -> dict[UUID, str]:
    above = chains(session, place_ids)
    return {key: full_name(one, above.get(key, ())) for key, one in places(session, place_ids).items()}


def descendant_ids(session: Session, place_ids: Collection[UUID], on: date | None) -> set[UUID]:
    """These places and everything below them that is in force on the date; with None, also what ended or is yet to come."""
    if not place_ids:
        return set()
    start = select(Place.id).where(Place.id.in_(set(place_ids))).cte("below", recursive=True)
    children = select(Place.id).join(start, Place.parent_id == start.c.id)
    below = start.union_all(children if on is None else children.where(in_force(on)))
    return set(session.scalars(select(below.c.id)))


def search_places(
    session: Session, text: str, level: str | None = None, *, on: date | None = None, limit: int = 50
) -> list[Place]:
    """Places whose name holds the text, accents or not, or whose code it is; today's unless `on` says otherwise.

    With `on`, a place is found by the name it bore then as well as by today's.

    Whole names come first, then beginnings, then the rest; what matches with its accents goes before what does not.
    """
    wanted = fold(text)
    bare = _PREFIX.sub("", wanted)
    if not bare:
        return []
    pattern = bare.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    word = next((w for w in KIND_WORDS if wanted != bare and wanted.startswith(fold(w) + " ")), None)
    named: ColumnElement[bool] = Place.name_folded.like(f"%{pattern}%", escape="\\")
    if on is not None:
        then = func.vn_fold(PlaceName.name).like(f"%{pattern}%", escape="\\")
        named = or_(named, Place.id.in_(select(PlaceName.place_id).where(then, _then(PlaceName, on, None))))
    exact_accents = Place.name.ilike(f"%{_PREFIXED.sub('', nfc(text))}%", escape="\\")
    query = (
        select(Place)
        .where(
            in_force(on or clock.today()),
            or_(named, Place.code == nfc(text).upper()),
        )
        .order_by(
            case((Place.name_folded == bare, 0), (Place.name_folded.like(f"{pattern}%", escape="\\"), 1), else_=2),
            case((exact_accents, 0), else_=1),
            case((Place.kind_word == word, 0), else_=1),
            case((Place.level == Level.PROVINCE, 0), (Place.level == Level.COMMUNE, 1), else_=2),
            Place.sort_key,
            Place.code,
        )
        .limit(limit)
    )
    if level is not None:
        query = query.where(Place.level == level)
    return list(session.scalars(query))


_PREFIXED = re.compile(r"^(" + "|".join(KIND_WORDS) + r")\s+(?=\S)", re.IGNORECASE)


# --- history -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Kin:
    """A unit before or after; `partial` says that only a part of the old unit is in the new one."""

    place: Place
    partial: bool
    decision: str
    effective_on: date


def became(session: Session, place_id: UUID) -> list[Kin]:
    """What became of an old unit."""
    return _kin(session, PlaceLineage.new_id, PlaceLineage.old_id, [place_id]).get(place_id, [])


def was_before(session: Session, place_id: UUID) -> list[Kin]:
    """What stood before where this unit is now."""
    return _kin(session, PlaceLineage.old_id, PlaceLineage.new_id, [place_id]).get(place_id, [])


def became_of(session: Session, place_ids: Collection[UUID]) -> dict[UUID, list[Kin]]:
    return _kin(session, PlaceLineage.new_id, PlaceLineage.old_id, place_ids)


def _kin(session: Session, wanted: object, given: object, place_ids: Collection[UUID]) -> dict[UUID, list[Kin]]:
    rows = session.execute(
        select(given, Place, PlaceLineage)  # type: ignore[call-overload]  # two columns of one table, chosen by the caller
        .join(Place, Place.id == wanted)
        .where(given.in_(set(place_ids)))  # type: ignore[attr-defined]  # as above
        .order_by(Place.sort_key, Place.code)
    )
    found: dict[UUID, list[Kin]] = defaultdict(list)
    for key, one, line in rows:
        found[key].append(Kin(one, line.partial, line.decision, line.effective_on))
    return found


def names_on(
    session: Session, place_ids: Collection[UUID], on: date, known_at: datetime | None = None
) -> dict[UUID, PlaceName]:
    """What places were called on a date, as we knew it at `known_at`; one without a name on that date is missing."""
    if not place_ids:
        return {}
    rows = session.scalars(
        select(PlaceName)
        .where(PlaceName.place_id.in_(set(place_ids)), _then(PlaceName, on, known_at))
        .order_by(PlaceName.recorded_at)  # the name recorded last wins
    )
    return {row.place_id: row for row in rows}


def ending_of(session: Session, place_id: UUID) -> PlaceEnding | None:
    """The decision that ended a village; None for one in force, and for what was loaded with its end."""
    return session.scalar(select(PlaceEnding).where(PlaceEnding.place_id == place_id))


def names_of(session: Session, place_id: UUID) -> list[PlaceName]:
    """Every name the place has borne, newest first; names that were corrected before their first day are left out."""
    return list(
        session.scalars(
            select(PlaceName)
            .where(
                PlaceName.place_id == place_id,
                or_(
                    PlaceName.valid_to.is_(None),
                    PlaceName.valid_from.is_(None),
                    PlaceName.valid_to >= PlaceName.valid_from,
                ),
            )
            .order_by(PlaceName.valid_from.desc().nulls_last(), PlaceName.recorded_at.desc())
        )
    )


# --- attributes --------------------------------------------------------------------------------------------------


def attribute(session: Session, place_id: UUID, key: str, on: date, known_at: datetime | None = None) -> str | None:
    """The value on that date, None when nobody had recorded one by `known_at`."""
    return attributes_on(session, key, on, [place_id], known_at).get(place_id)


def attributes_on(
    session: Session,
    key: str,
    on: date,
    place_ids: Collection[UUID] | None = None,
    known_at: datetime | None = None,
) -> dict[UUID, str]:
    query = (
        select(PlaceAttribute.place_id, PlaceAttribute.value)
        .where(PlaceAttribute.key == key, _then(PlaceAttribute, on, known_at))
        .order_by(PlaceAttribute.recorded_at)  # the value recorded last wins
    )
    if place_ids is not None:
        query = query.where(PlaceAttribute.place_id.in_(set(place_ids)))
    return {row.place_id: row.value for row in session.execute(query)}


def attribute_history(session: Session, place_id: UUID, key: str) -> list[PlaceAttribute]:
    """Newest first, corrected rows included."""
    return list(
        session.scalars(
            select(PlaceAttribute)
            .where(PlaceAttribute.place_id == place_id, PlaceAttribute.key == key)
            .order_by(PlaceAttribute.valid_from.desc(), PlaceAttribute.recorded_at.desc())
        )
    )


# --- premises ----------------------------------------------------------------------------------------------------


def premises_of(session: Session, village_id: UUID, on: date, known_at: datetime | None = None) -> list[Premises]:
    """The premises of a village on a date, as we knew them at `known_at` (aware; None: now)."""
    return list(
        session.scalars(
            select(Premises)
            .where(Premises.village_id == village_id, _then(Premises, on, known_at))
            .order_by(Premises.kind, Premises.label_folded, Premises.id)
        )
    )


def premises_counts(
    session: Session, village_ids: Collection[UUID], on: date, known_at: datetime | None = None
) -> dict[UUID, dict[str, int]]:
    """Village id to kind to number. Nothing recorded is missing from the answer, not zero."""
    found: dict[UUID, dict[str, int]] = defaultdict(dict)
    if not village_ids:
        return found
    for village_id, kind, count in session.execute(
        select(Premises.village_id, Premises.kind, func.count())
        .where(Premises.village_id.in_(set(village_ids)), _then(Premises, on, known_at))
        .group_by(Premises.village_id, Premises.kind)
    ):
        found[village_id][kind] = count
    return found


# --- for imports and the browse page -----------------------------------------------------------------------------


def import_of(session: Session, actor: Actor, import_id: UUID, *, lock: bool = False) -> PlaceImport:
    """The actor's own import (SYSTEM: anybody's). Raises NotFound."""
    query = select(PlaceImport).where(PlaceImport.id == import_id)
    if actor.kind != "system":
        query = query.where(PlaceImport.person_id == actor.person_id)
    found = session.scalar(query.with_for_update() if lock else query)
    if found is None:
        raise not_found("lần nhập này", "this import")
    return found


def recent_imports(session: Session, actor: Actor, *, limit: int = 10) -> list[PlaceImport]:
    return list(
        session.scalars(
            select(PlaceImport)
            .where(PlaceImport.person_id == actor.person_id)
            .order_by(PlaceImport.created_at.desc())
            .limit(limit)
        )
    )


def lists_to_forget(session: Session, before: datetime) -> list[str]:
    """Hashes of lists sent before a moment that nobody applied, and that no younger, running or applied import shares."""
    other = aliased(PlaceImport)
    needed = (
        select(other.id)
        .outerjoin(Job, Job.id == other.job_id)
        .where(
            other.blob_sha256 == MediaBlob.sha256,
            or_(
                other.applied_at.is_not(None),
                other.created_at >= before,
                Job.state.in_([JobState.QUEUED, JobState.RUNNING]),
            ),
        )
    )
    sent = select(PlaceImport.blob_sha256).where(PlaceImport.created_at < before)
    return list(
        session.scalars(
            select(MediaBlob.sha256)
            .where(MediaBlob.kind == "import", MediaBlob.sha256.in_(sent), ~needed.exists())
            .order_by(MediaBlob.sha256)
        )
    )


def failed_job(session: Session, row: PlaceImport) -> Job | None:
    """The job of an import that could not be done; None while it waits, runs, is done or was never asked for."""
    job = session.get(Job, row.job_id) if row.job_id is not None and row.applied_at is None else None
    return job if job is not None and job.state == JobState.FAILED else None


def all_by_code(session: Session, codes: Collection[str], on: date) -> dict[str, Place]:
    found: dict[str, Place] = {}
    wanted = sorted(codes)
    for start in range(0, len(wanted), 5000):
        rows = session.scalars(select(Place).where(Place.code.in_(wanted[start : start + 5000]), in_force(on)))
        found.update({p.code: p for p in rows})
    return found


def closed_by_code(session: Session, codes: Collection[str], on: date) -> dict[str, list[Place]]:
    """Units that bore these codes and ended before the date."""
    found: dict[str, list[Place]] = defaultdict(list)
    wanted = sorted(codes)
    for start in range(0, len(wanted), 5000):
        part = Place.code.in_(wanted[start : start + 5000])
        for one in session.scalars(select(Place).where(part, Place.valid_to < on)):
            found[one.code].append(one)
    return found


def ended_villages(session: Session, codes: Collection[str], on: date) -> dict[str, Place]:
    """Villages of these codes that ended before the date: a village's code is its own for ever."""
    ended = closed_by_code(session, codes, on)
    return {code: one for code, found in ended.items() for one in found if one.level == Level.VILLAGE}


@dataclass(frozen=True, slots=True)
class CommuneLine:
    """`name` as it was on the date of the list."""

    place: Place
    name: Place | PlaceName
    villages: int
    group: str | None


def commune_lines(session: Session, on: date) -> list[CommuneLine]:
    """Every commune of the date with how many villages it has and its group of Decision 51/2025."""
    counts = village_counts(session, on)
    groups = attributes_on(session, "commune_group", on)
    communes = current_communes(session, on)
    names = names_on(session, [p.id for p in communes], on)
    return [CommuneLine(p, names.get(p.id, p), counts.get(p.id, 0), groups.get(p.id)) for p in communes]


def premises_keys(session: Session, village_ids: Sequence[UUID]) -> set[tuple[UUID, str, str]]:
    """(village, kind, folded label) of every premises without an end."""
    other = aliased(Premises)
    rows = session.execute(
        select(other.village_id, other.kind, other.label_folded).where(
            other.village_id.in_(set(village_ids)), other.valid_to.is_(None)
        )
    )
    return {(village, kind, label) for village, kind, label in rows}


# --- for the criteria --------------------------------------------------------------------------------------------


def premises_of_villages(
    session: Session, village_ids: Collection[UUID], on: date, known_at: datetime | None = None
) -> dict[UUID, list[Premises]]:
    """`premises_of` for many villages in one statement; a village without any is missing."""
    found: dict[UUID, list[Premises]] = defaultdict(list)
    if village_ids:
        for one in session.scalars(
            select(Premises)
            .where(
                Premises.village_id == any_(literal(sorted(village_ids), ARRAY(Uuid()))), _then(Premises, on, known_at)
            )
            .order_by(Premises.village_id, Premises.kind, Premises.label_folded, Premises.id)
        ):
            found[one.village_id].append(one)
    return found


def all_villages(session: Session, on: date) -> list[Place]:
    """Every village that exists on a date, in dictionary order."""
    return list(
        session.scalars(
            select(Place).where(Place.level == Level.VILLAGE, in_force(on)).order_by(Place.sort_key, Place.code)
        )
    )


def premises_labels(session: Session, village_id: UUID) -> dict[str, str]:
    """Id, as text, of every premises the village ever had to its label."""
    rows = session.execute(select(Premises.id, Premises.label).where(Premises.village_id == village_id))
    return {str(key): label for key, label in rows}


def about_me(session: Session, actor: Actor) -> dict[str, Any]:
    """What this person recorded of places, for the file of their own data."""

    def mine(model: type[PlaceName | PlaceAttribute | PlaceEnding | Premises], names: str) -> list[dict[str, Any]]:
        rows = session.scalars(
            select(model).where(model.person_id == actor.person_id).order_by(model.recorded_at, model.id)
        )
        return [picked(row, names) for row in rows]

    sent = session.scalars(
        select(PlaceImport)
        .where(PlaceImport.person_id == actor.person_id)
        .order_by(PlaceImport.created_at, PlaceImport.id)
    )
    return {
        "names": mine(PlaceName, "id place_id kind_word name valid_from valid_to recorded_at"),
        "endings": mine(PlaceEnding, "id place_id last_day decision recorded_at"),
        "attributes": mine(PlaceAttribute, "id place_id key value valid_from valid_to basis recorded_at"),
        # The label is the household's, not of who typed it.
        "premises": mine(Premises, "id village_id kind valid_from valid_to recorded_at"),
        "imports": [picked(row, "id kind file_name blob_sha256 effective_on created_at applied_at") for row in sent],
    }

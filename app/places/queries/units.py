"""Provinces, communes and villages: one, those below it, those above it, and their full names."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import date
from uuid import UUID

from sqlalchemy import ARRAY, CTE, Text, Uuid, and_, any_, func, literal, select, true
from sqlalchemy.orm import Session

from app import clock
from app.db import keyset
from app.errors import not_found
from app.languages import SOURCE
from app.messages import N_
from app.places.models import Level, Place, PlaceName
from app.places.names import Called
from app.places.queries.dates import in_force


def place(session: Session, place_id: UUID) -> Place:
    """Raises NotFound."""
    found = session.get(Place, place_id)
    if found is None:
        raise not_found(N_("nơi này"))
    return found


def by_code(session: Session, code: str, on: date) -> Place | None:
    """The place that bears the code on that date: old and new communes share codes, never on one day."""
    return session.scalar(select(Place).where(Place.code == code, in_force(on)))


def province(session: Session, on: date | None = None) -> Place:
    """The province of this installation. Raises NotFound before `load_reference` has run."""
    found = session.scalar(select(Place).where(Place.level == Level.PROVINCE, in_force(on or clock.today())))
    if found is None:
        raise not_found(N_("tỉnh này"))
    return found


def open_village(session: Session, place_id: UUID) -> Place:
    """A village without an end. Raises NotFound."""
    found = session.get(Place, place_id)
    if found is None or found.level != Level.VILLAGE or found.valid_to is not None:
        raise not_found(N_("thôn này"))
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


BELOW = keyset.Order((Place.level, str), (Place.sort_key, str), (Place.code, str), (Place.id, UUID))


def child_page(session: Session, place_id: UUID, on: date, mark: str = "") -> keyset.Paged[Place]:
    """A page of `children`. Raises BadAddress for a mark that is none."""
    return keyset.paged(session, select(Place).where(Place.parent_id == place_id, in_force(on)), BELOW, mark)


def current_communes(session: Session, on: date) -> list[Place]:
    return list(
        session.scalars(
            select(Place).where(Place.level == Level.COMMUNE, in_force(on)).order_by(Place.sort_key, Place.code)
        )
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


def full_name(one: Place | PlaceName, above: Iterable[Place | PlaceName] = (), language: str = SOURCE) -> str:
    """For example "thôn Nà Mẫu, xã Chi Lăng, tỉnh Lạng Sơn"."""
    return ", ".join(Called(p.kind_word, p.name).text(language) for p in (one, *above))


def full_names(session: Session, place_ids: Collection[UUID], language: str = SOURCE) -> dict[UUID, str]:
    above = chains(session, place_ids)
    return {key: full_name(one, above.get(key, ()), language) for key, one in places(session, place_ids).items()}


def below(place_id: UUID) -> CTE:
    """The place and everything that was ever below it, as a table of `id` within another query."""
    start = select(Place.id).where(Place.id == place_id).cte("lying_below", recursive=True)
    return start.union_all(select(Place.id).join(start, Place.parent_id == start.c.id))


def reach(session: Session, place_ids: Collection[UUID], on: date) -> dict[UUID, dict[str, frozenset[UUID]]]:
    """For each of these places itself and everything below it: "today", by ways that are all in force on the date, and
    "ever", also what ended or is yet to come. One statement.
    """
    found: dict[UUID, dict[str, set[UUID]]] = {place: {"today": set(), "ever": set()} for place in place_ids}
    if found:
        start = (
            select(Place.id.label("root"), Place.id.label("id"), true().label("now"))
            .where(Place.id.in_(set(place_ids)))
            .cte("below", recursive=True)
        )
        children = select(start.c.root, Place.id, and_(start.c.now, in_force(on))).join(
            start, Place.parent_id == start.c.id
        )
        below = start.union_all(children)
        for root, place, now in session.execute(select(below.c.root, below.c.id, below.c.now)):
            found[root]["ever"].add(place)
            if now:
                found[root]["today"].add(place)
    return {root: {when: frozenset(ids) for when, ids in sets.items()} for root, sets in found.items()}


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


def all_villages(session: Session, on: date) -> list[Place]:
    """Every village that exists on a date, in dictionary order."""
    return list(
        session.scalars(
            select(Place).where(Place.level == Level.VILLAGE, in_force(on)).order_by(Place.sort_key, Place.code)
        )
    )


def villages_of(session: Session, commune_ids: Collection[UUID], on: date) -> list[Place]:
    """The villages of these communes on a date, by their codes."""
    here = Place.parent_id == any_(literal(sorted(commune_ids), ARRAY(Uuid())))
    return list(
        session.scalars(
            select(Place).where(here, Place.level == Level.VILLAGE, in_force(on)).order_by(Place.code, Place.id)
        )
    )


def villages_by_bare_code(session: Session, bare_codes: Collection[str]) -> dict[str, list[Place]]:
    """Villages, ended ones too, whose codes of digits are these once the zeros at the beginning are gone, by that rest."""
    found: dict[str, list[Place]] = defaultdict(list)
    if not bare_codes:
        return found
    bare = func.ltrim(Place.code, "0")
    wanted = bare == any_(literal(sorted(bare_codes), ARRAY(Text())))
    for one in session.scalars(
        select(Place).where(Place.level == Level.VILLAGE, wanted).order_by(Place.code, Place.id)
    ):
        found[one.code.lstrip("0")].append(one)
    return found

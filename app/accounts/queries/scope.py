"""Conditions that every question shares: which organisations an actor may open, and what was valid or known when."""

from collections.abc import Collection
from datetime import date
from operator import attrgetter
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Uuid, and_, any_, literal, or_, select, true
from sqlalchemy.orm import aliased

from app.accounts.models import HouseholdMembership, Membership, Organisation
from app.actor import Actor, Right

_NUMBER = attrgetter("int")  # what UUIDs are compared by; 200 of them sort in a tenth of the time


def among(column: object, ids: Collection[UUID]) -> ColumnElement[bool]:
    """`column` is one of the ids, as one parameter: an official's places are many.

    One id is compared with: PostgreSQL reads an index in its order then, and stops when a page is full.
    """
    if len(ids) == 1:
        (one,) = ids
        return column == literal(one, Uuid())
    return column == any_(literal(sorted(ids, key=_NUMBER), ARRAY(Uuid())))


def visible(actor: Actor) -> ColumnElement[bool]:
    """The organisations that this actor may open: own and acted-for ones, and those in an official's units."""
    if actor.may_everywhere(Right.ADMINISTER):
        return true()
    return or_(among(Organisation.id, actor.organisations), lying_in(actor.units))


def lying_in(units: Collection[UUID], of: type[Organisation] = Organisation) -> ColumnElement[bool]:
    """The organisations whose seat is or lies in one of these villages, communes and provinces. `of`: under another name."""
    return or_(among(of.village_id, units), among(of.commune_id, units), among(of.province_id, units))


def opened(actor: Actor, column: object) -> ColumnElement[bool]:
    """Rows of the organisations that this actor may open, by the column with the organisation's id.

    Asked of the one organisation of each row: a set of all that lie in a province would be made for the first row.
    """
    if actor.may_everywhere(Right.ADMINISTER):
        return true()
    mine = among(column, actor.organisations)
    if not actor.units:
        return mine
    seat = aliased(Organisation)
    return or_(mine, select(lying_in(actor.units, seat)).where(seat.id == column).scalar_subquery())


def valid_on(row: type[Membership | HouseholdMembership], on: date) -> ColumnElement[bool]:
    return and_(row.valid_from <= on, or_(row.valid_to.is_(None), row.valid_to >= on))

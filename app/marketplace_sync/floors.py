"""The province's list of floors: which are written down, which count from which day, and what that makes of accounts there."""

import re
from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import ColumnElement, and_, false, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import audit, clock, outbox
from app.actor import SYSTEM, Actor, Right
from app.db import Words, fold, identity, new_id
from app.errors import Conflict, Invalid, forbidden
from app.marketplace_sync import queries
from app.marketplace_sync.events import FloorListChanged, ListingObserved
from app.marketplace_sync.models import ChannelAccount, Floor, FloorDecision, Listing
from app.marketplace_sync.schemas import NewFloor, NewFloorDecision
from app.marketplace_sync.sent_again import stored
from app.messages import N_

HOST = re.compile(r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?$")


def _province_only(actor: Actor) -> UUID:
    if actor.person_id is None or not actor.may_everywhere(Right.SET_PROVINCE_RULES):
        raise forbidden()
    return actor.person_id


def _key(session: Session, name: str) -> str:
    """A key made of the name's letters, which is taken where the floor itself is there already; Chợ Mé is not Chợ Mê."""
    plain = "-".join(re.findall(r"[a-z0-9]+", fold(name)))
    taken = {
        row.key: identity(row.name.vi)
        for row in session.execute(select(Floor.key, Floor.name).where(Floor.key.startswith(plain, autoescape=True)))
    }
    numbered = (plain if n == 1 else f"{plain}-{n}" for n in range(1, len(taken) + 2))
    return next(key for key in numbered if taken.get(key) in {None, identity(name)})


def add_floor(session: Session, actor: Actor, new: NewFloor) -> UUID:
    """Write down a floor; it counts only after `decide_floor`. Sent again with the same content it answers the same.

    Raises Forbidden, Invalid (hosts), Conflict (name, or the same id with other content).
    """
    _province_only(actor)
    hosts = [h.casefold().removeprefix("www.") for h in re.split(r"[\s,;]+", new.hosts) if h]
    for host in hosts:
        if not HOST.match(host):
            raise Invalid(
                "bad_host",
                N_("“%(host)s” không phải tên miền. Viết như shopee.vn, không có https:// ở trước.", host=host),
                field="hosts",
            )
    key = _key(session, new.name)
    content = {"name": Words(vi=new.name), "hosts": hosts, "kind": new.kind}
    row = Floor(id=new.id, key=key, created_at=clock.now(), **content)
    try:
        with session.begin_nested():
            added = stored(session, row, content)
    except IntegrityError:
        raise Conflict("floor_exists", N_("Đã có sàn tên này trong danh sách.")) from None
    if not added:
        return new.id
    audit.record(session, actor, "marketplace_sync:floor:add", subject_id=new.id)
    outbox.publish(session, actor, FloorListChanged(floor_id=new.id))
    return new.id


def decide_floor(session: Session, actor: Actor, new: NewFloorDecision) -> UUID:
    """Count a floor from a day on, or no longer, with the legal basis. Sent again it answers the same.

    Raises Forbidden, Invalid (kind of floor), Conflict (the same id with other content).
    """
    person_id = _province_only(actor)
    floor = session.get(Floor, new.floor_id)
    if floor is None or (new.counted and floor.kind != "marketplace"):
        raise Invalid(
            "not_a_marketplace",
            N_("Chỉ sàn thương mại điện tử mới được tính; website riêng và trang quảng cáo thì không."),
            field="floor_id",
        )
    content = {**new.model_dump(exclude={"id"}), "person_id": person_id}
    if not stored(session, FloorDecision(id=new.id, recorded_at=clock.now(), **content), content):
        return new.id
    audit.record(session, actor, "marketplace_sync:floor:decide", subject_id=new.floor_id, counted=new.counted)
    start = clock.start_of_day(new.effective_on)
    outbox.publish(session, actor, FloorListChanged(floor_id=new.floor_id), due_at=max(start, clock.now()))
    return new.id


def install_floor(session: Session, *, key: str, name: Words, hosts: list[str], kind: str = "marketplace") -> UUID:
    """For set-up only: a floor of the reference data; repeated calls change its hosts and nothing else."""
    floor = session.scalar(select(Floor).where(Floor.key == key))
    if floor is None:
        floor = Floor(id=new_id(), key=key, name=name, hosts=hosts, kind=kind, created_at=clock.now())
        session.add(floor)
    elif floor.hosts == hosts:
        return floor.id
    floor.hosts = hosts
    outbox.publish(session, SYSTEM, FloorListChanged(floor_id=floor.id))
    return floor.id


def _at(hosts: Iterable[str]) -> ColumnElement[bool]:
    """The accounts at one of these hosts or below it: at least all that `queries.floor_of_host` may find."""
    there = ChannelAccount.host_backwards
    found: list[ColumnElement[bool]] = [false()]
    for host in hosts:
        backwards = host[::-1]
        # Two comparisons: under the rules of rows an index is of no use to LIKE. A full stop is followed by a slash.
        found.append(or_(there == backwards, and_(there > f"{backwards}.", there < f"{backwards}/")))
    return or_(*found)


def judge_accounts(session: Session, actor: Actor, event: FloorListChanged) -> None:
    """An account at an address that a floor has meanwhile been written down for is an account on that floor.

    What is known of earlier days stays: a floor counts only from the day of the province's decision, and only for whoever
    asks as of a time when it was on the list.
    """
    floor = session.get_one(Floor, event.floor_id)
    for account in session.scalars(
        select(ChannelAccount)
        .where(ChannelAccount.floor_id.is_(None), _at(floor.hosts))
        .order_by(ChannelAccount.id)
        .with_for_update()
    ):
        there = queries.floor_of_host(session, account.base_url)
        if there is None or there.id != floor.id or account.legal_kind == floor.kind:
            continue
        account.legal_kind = floor.kind
        account.floor_id = floor.id if floor.kind == "marketplace" else None
        audit.record(
            session,
            actor,
            "marketplace_sync:account:judge",
            subject_id=account.id,
            organisation_id=account.organisation_id,
            legal_kind=floor.kind,
        )
        for listing in session.scalars(select(Listing).where(Listing.account_id == account.id)):
            outbox.publish(session, actor, ListingObserved(listing_id=listing.id, product_id=listing.product_id))

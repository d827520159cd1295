"""The verbs of places with what most tests leave alone: send a list and do its job, end, rename, set a group."""

from collections.abc import Callable
from datetime import date
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import jobs
from app.actor import SYSTEM, Actor
from app.db import Database, new_id
from app.jobs import Job
from app.media import MediaStore
from app.outbox import OutboxEvent
from app.places import attributes, lists
from app.places import villages as village_verbs
from app.places.models import ImportKind

Csv = Callable[..., bytes]
START = date(2025, 7, 1)


def send(
    database: Database, actor: Actor, store: MediaStore, raw: bytes, *, kind: ImportKind = ImportKind.VILLAGES,
    on: date = START, import_id: UUID | None = None,
) -> UUID:  # fmt: skip
    with database.transaction(actor) as session:
        return lists.begin_import(
            session, actor, store, import_id=import_id or new_id(), kind=kind, effective_on=on,
            file_name="danh sách.csv", raw=raw,
        )  # fmt: skip


def press(database: Database, actor: Actor, store: MediaStore, import_id: UUID) -> UUID:
    with database.transaction(actor) as session:
        return lists.request_import(session, actor, store, import_id)


def work(database: Database, store: MediaStore, job_id: UUID) -> Job:
    handlers: dict[str, jobs.Handler] = {
        lists.IMPORT_JOB: lambda session, actor, job, report: lists.apply_import(session, actor, job, report, store)
    }
    with database.transaction(SYSTEM) as session:
        jobs.run(database, session, job_id, handlers.__getitem__, SYSTEM)
    with database.transaction(SYSTEM) as session:
        return session.get_one(Job, job_id)


def imported(database: Database, actor: Actor, store: MediaStore, raw: bytes, **how: object) -> Job:
    import_id = send(database, actor, store, raw, **how)  # type: ignore[arg-type]  # named facts of `send`
    return work(database, store, press(database, actor, store, import_id))


def events(database: Database) -> list[str]:
    with database.transaction(SYSTEM) as session:
        return list(session.scalars(select(OutboxEvent.name).order_by(OutboxEvent.position)))


def end(
    session: Session, actor: Actor, village_id: UUID, last_day: date = START, into: tuple[UUID, ...] = (),
    decision: str = "Nghị quyết thử 5/NQ-HĐND", ending_id: UUID | None = None,
) -> UUID:  # fmt: skip
    return village_verbs.end_village(
        session, actor, village_id, ending_id=ending_id or new_id(), last_day=last_day, into=into, decision=decision
    )


def rename(session: Session, actor: Actor, village_id: UUID, name: str, day: date = START, kind: str = "thôn") -> None:
    village_verbs.rename_village(session, actor, village_id, kind_word=kind, name=name, valid_from=day)


def set_group(
    session: Session, actor: Actor, place_id: UUID, value: str, day: date, basis: str = "QĐ thử 1/QĐ-UBND"
) -> UUID:
    return attributes.set_attribute(
        session, actor, place_id=place_id, key="commune_group", value=value, valid_from=day, basis=basis
    )

"""Engines and the one transaction, in which row-level security knows who acts."""

import json
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from app import clock
from app.actor import Actor

APP_ROLE = "hoi_app"
# A lock, or a statement, that took longer than this process lets it; two that waited for each other. Sent again, it goes through.
BUSY = frozenset({"55P03", "57014", "40001", "40P01"})


@dataclass(frozen=True, slots=True)
class Patience:
    """How many seconds a process waits for a lock, for a statement to end (0: as long as it takes), for a connection of its pool."""

    lock: int
    statement: int
    connection: int


PATIENT = Patience(lock=10, statement=0, connection=30)  # background work: it is tried again
OF_A_PAGE = Patience(lock=4, statement=15, connection=5)  # somebody waits before the screen, and holds a thread


def is_busy(error: BaseException) -> bool:
    """Whether the database lives and had too much to do: the same request may well succeed a little later."""
    return isinstance(error, PoolTimeout) or getattr(getattr(error, "orig", None), "sqlstate", None) in BUSY


class Database:
    """Engines of one process. Make it after fork; `dispose` on leaving."""

    def __init__(
        self,
        url: str,
        *,
        clock_movable: bool = False,
        pool_size: int = 5,
        application: str = "hoi",
        patience: Patience = PATIENT,
    ) -> None:
        self.url = url
        self._clock_movable = clock_movable
        options = (
            f"-c role={APP_ROLE} -c timezone=UTC -c lock_timeout={patience.lock}s"
            f" -c statement_timeout={patience.statement}s -c idle_in_transaction_session_timeout=60s"
        )
        self.engine: Engine = create_engine(
            psycopg_url(url),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=patience.connection,
            pool_pre_ping=True,
            hide_parameters=True,  # names and numbers of people must not stand in the text of an error
            connect_args={"options": options, "application_name": application, "connect_timeout": 5},
        )

    def dispose(self) -> None:
        self.engine.dispose()

    @contextmanager
    def transaction(self, actor: Actor) -> Iterator[Session]:
        """The only commit in the code base: commit on leaving, roll back on raise.

        What PostgreSQL refuses is raised as it comes; `is_busy` tells what may simply be sent again.
        """
        with Session(self.engine, expire_on_commit=False, autoflush=True) as session, session.begin():
            self.tell_actor(session, actor)
            yield session

    def tell_actor(self, session: Session, actor: Actor) -> None:
        """Tell row-level security who acts, and follow the shift of the clock, in one round trip."""
        row = session.execute(_TELL, _named(actor)).one()
        session.info["actor"] = actor
        if self._clock_movable:
            clock.shift(row.shift or timedelta())


# The shift is asked of what was told, since row-level security shows it only to an actor
# that is known already.
_TELL_RIGHTS = text(
    "SELECT count(set_config(name, value, true))"
    " FROM unnest(CAST(:names AS text[]), CAST(:values AS text[])) AS t (name, value)"
)
_TELL = text(
    "WITH told AS MATERIALIZED (SELECT count(set_config(name, value, true)) AS settings"
    " FROM unnest(CAST(:names AS text[]), CAST(:values AS text[])) AS t (name, value))"
    " SELECT (SELECT shift FROM clock_shift WHERE told.settings > 0) AS shift FROM told"
)


def tell_rights(session: Session, actor: Actor) -> None:
    """Let row-level security know for the rest of this transaction what the actor may now do; who acts stays as told."""
    session.execute(_TELL_RIGHTS, _named(actor, leave_out={"kind", "person"}))


def _named(actor: Actor, *, leave_out: Collection[str] = ()) -> dict[str, list[str]]:
    settings = {name: value for name, value in actor_settings(actor).items() if name not in leave_out}
    return {"names": [f"hoi.{name}" for name in settings], "values": list(settings.values())}


def actor_settings(actor: Actor) -> dict[str, str]:
    """What row-level security reads: its own copies of the actor's rights, as PostgreSQL spells arrays.

    `rights` names for each right the setting that holds its organisations, and under the right's name with "@" that of the
    units for which it holds, without the places below them: where a row lies, the row says. Many rights hold in the same ones, so each set is told once. A right that holds everywhere stands under its name
    with "*".
    """
    settings = {
        "kind": actor.kind,
        "person": str(actor.person_id or ""),
        "organisations": _array(actor.organisations),
        "units": _array(actor.units),
        "roles": _array(actor.roles),
    }
    told = {actor.organisations: "organisations", actor.units: "units"}
    rights: dict[str, str] = {}
    for right, scope in actor.rights.items():
        if scope.everywhere:
            rights[f"{right}*"] = "everywhere"
        for key, ids in ((str(right), scope.organisations), (f"{right}@", scope.units)):
            if not ids:
                continue
            if ids not in told:
                told[ids] = f"set_{len(told)}"
                settings[told[ids]] = _array(ids)
            rights[key] = told[ids]
    return settings | {"rights": json.dumps(rights)}


def _array(values: Iterable[object]) -> str:
    return "{" + ",".join(sorted(map(str, values))) + "}"


def psycopg_url(url: str) -> str:
    """The same address with SQLAlchemy's name for psycopg 3."""
    return make_url(url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)

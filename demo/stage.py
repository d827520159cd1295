"""The stage of one load of the demo: the session, the clock put back to a day, and the people in whose name it acts."""

from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from datetime import date, datetime, time
from itertools import product
from uuid import UUID

from sqlalchemy.orm import Session

from app import clock, media
from app.accounts import actors, passwords
from app.accounts.models import Credential
from app.accounts.schemas import PersonIn
from app.actor import SYSTEM, Actor
from app.db import Database
from app.media import MediaStore
from app.settings import Settings
from app.trace.care_logs import LogOutcome
from demo import cast, pictures
from demo.names import key

VARIETY = 2  # drawings of one kind


class Stage:
    """One load: the session, the day that counts as today, and what was made so far, by key. `seats`: company to village."""

    def __init__(self, database: Database, session: Session, settings: Settings, today: date) -> None:
        self.database = database
        self.session = session
        self.settings = settings
        self.store: MediaStore = media.store_for(settings)
        self.today = today
        self.seats: dict[str, str] = {}
        self.floors: dict[str, UUID] = {}
        self._pictures: dict[str, str] = {}
        self._read: dict[str, Future[media.PhotoRead]] = {}
        self._actors: dict[UUID, Actor] = {}
        self._acting: Actor | None = None
        self.communes: dict[str, UUID] = {}
        self.villages: dict[str, UUID] = {}

    @contextmanager
    def at(self, day: date, hour: int = 17, minute: int = 0) -> Iterator[datetime]:
        """Put this process's clock to a moment that has passed."""
        moment = min(datetime.combine(day, time(hour, minute), clock.VIETNAM), clock.local(clock.machine_now()))
        before = clock.current_shift()
        clock.shift(moment - clock.machine_now())
        try:
            yield moment
        finally:
            clock.shift(before)

    def act(self, person_id: UUID | None, *, anew: bool = False) -> Actor:
        """Go on in this person's name, with the rights they have; None is SYSTEM. `anew`: their rights have changed."""
        actor = SYSTEM if person_id is None else self._actors.get(person_id)
        if actor is None or anew:
            self.session.flush()  # what SYSTEM is to read must not wait in the session
            self.database.tell_actor(self.session, SYSTEM)
            self._acting = SYSTEM
            if person_id is None:
                return SYSTEM
            actor = self._actors[person_id] = actors.actor_for(self.session, person_id, "demo")
        if actor != self._acting:
            self.session.flush()
            self.database.tell_actor(self.session, actor)
            self._acting = actor
        return actor

    def place(self, named: str | None) -> UUID | None:
        """A commune by its code, a village by its key, the province by "20"."""
        if named is None:
            return None
        return self.villages.get(named) or self.communes[named]

    def person_in(self, player: cast.Player) -> PersonIn:
        return PersonIn(
            id=key("person", player.key),
            full_name=player.name,
            address_as=player.address_as,
            phone=player.phone,
            role=player.role,
            place_id=self.place(player.place),
        )

    def set_password(self, person_id: UUID) -> None:
        """The password printed on the first page, for somebody who has none yet."""
        self.act(None)
        if self.session.get(Credential, person_id) is None:
            passwords.set_password(self.session, SYSTEM, person_id, cast.PASSWORD, must_change=False)

    def read_ahead(self, pool: Executor) -> None:
        """Begin to decode all drawings: each takes a process of its own a tenth of a second, while this one loads the rest."""
        for kind, number in product(pictures.KINDS, range(VARIETY)):
            name = f"{kind}-{number}"
            self._read[name] = pool.submit(self._drawn, kind, name)

    def _drawn(self, kind: str, name: str) -> media.PhotoRead:
        return media.read_photo(self.store, pictures.draw(kind, name), None)

    def picture(self, kind: str, seed: str, by: UUID) -> str:
        """A drawn picture in the media store, sent by this person; of each kind there are a few."""
        self.act(by)
        name = f"{kind}-{sum(map(ord, seed)) % VARIETY}"
        if name not in self._pictures:
            self._pictures[name] = media.keep(self.session, self.store, self._read[name].result())
        media.remember_sender(self.session, self._pictures[name])
        return self._pictures[name]

    def recorded(self, outcomes: Iterable[LogOutcome]) -> None:
        """Every step of the demo must be accepted by the diary's own rules."""
        for outcome in outcomes:
            if outcome.error is not None:
                raise outcome.error

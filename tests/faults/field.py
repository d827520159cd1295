"""What the faults are done to: sites with batches whose pages count every event, phones that send until they are answered."""

import contextlib
import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from redis.exceptions import RedisError
from sqlalchemy import func, select, text

from app import clock, outbox
from app.actor import SYSTEM
from app.audit import AuditEntry
from app.db import Database, new_id
from app.outbox import Delivery, OutboxEvent
from app.products import service as products
from app.products.schemas import NewProduct
from app.trace import batches
from app.trace.models import CareLog, ConflictingSubmission, PublicPage
from app.trace.schemas import NewBatch, SourceIn
from app.web import SIGN_IN_COOKIE
from tests.conftest import Running
from tests.worlds.phone import World, make_world
from worker import relay, schedule
from worker.celery_app import redis_url

RECORDED = "trace.care_log_recorded"
DEBTS = frozenset({"trace.check_site", "criteria.derive_of_diary"})
MOST_DEBTS = 40  # phones wait when more is owed: the faults shall hit work under way, not a heap of it


@dataclass(slots=True)
class Farm:
    """`codes[site]`: the code of a batch harvested there. Its page's wanted version grows by one with each event of the site."""

    world: World
    token: str
    codes: dict[UUID, str] = field(default_factory=dict)
    versions: dict[UUID, int] = field(default_factory=dict)

    @property
    def database(self) -> Database:
        return self.world.database

    @property
    def sites(self) -> list[UUID]:
        return list(self.codes)


def make_farm(database: Database, sites: int = 3) -> Farm:
    """Everything at rest: the pages exist, nothing is owed but the events of making it, which the caller lets settle."""
    world = make_world(database)
    farm = Farm(world, world.token("lanh"))
    manager = world.actor("mui")
    for number in range(sites):
        site = world.site(f"field {number}", "household", f"Nương số {number}", "plot")
        harvest = world.log(
            "harvesting", clock.now() - timedelta(days=2), site=f"field {number}", quantity=Decimal(50), unit="kg"
        )
        with database.transaction(manager) as session:
            product = NewProduct(
                id=new_id(),
                organisation_id=world["cooperative"],
                name_vi=f"Na dai số {number}",
                ocop_group=1,
                village_ids=(world["village"],),
            )
            products.create_product(session, manager, product)
            batch = NewBatch(
                id=new_id(),
                product_id=product.id,
                lot=f"LO-{number}",
                quantity=Decimal(50),
                unit="kg",
                made_on=clock.today(),  # so that the steps of today are on its page
                sources=(SourceIn(care_log_id=harvest),),
            )
            batches.create_batch(session, manager, batch)
            farm.codes[site] = batches.issue_code(session, manager, batch.id)
    return farm


def remember_versions(farm: Farm) -> None:
    """From here on every event of a site must show in its page's version."""
    farm.versions = versions(farm)


def versions(farm: Farm) -> dict[UUID, int]:
    by_code = {code: site for site, code in farm.codes.items()}
    with farm.database.transaction(SYSTEM) as session:
        rows = session.execute(select(PublicPage.code, PublicPage.wanted_version).where(PublicPage.language == "vi"))
        found = {by_code[row.code]: row.wanted_version for row in rows if row.code in by_code}
    return {site: found.get(site, 0) for site in farm.sites}


def debts(database: Database) -> int:
    with database.transaction(SYSTEM) as session:
        return outbox.open_debts(session)


def paid(database: Database) -> int:
    with database.transaction(SYSTEM) as session:
        return session.scalar(select(func.count()).select_from(Delivery).where(Delivery.done_at.is_not(None))) or 0


def fanned_out(database: Database) -> int:
    with database.transaction(SYSTEM) as session:
        return session.scalar(select(func.count()).where(OutboxEvent.fanned_out_at.is_not(None))) or 0


def end_leases(database: Database) -> None:
    """Stands for the minute or two after which a lease of somebody who died has ended."""
    with database.transaction(SYSTEM) as session:
        session.execute(
            text(
                "UPDATE outbox_deliveries SET lease_until = now() - interval '1 second'"
                " WHERE done_at IS NULL AND dead_at IS NULL AND lease_until IS NOT NULL"
            )
        )
        session.execute(
            text("UPDATE listings SET lease_until = now() - interval '1 second' WHERE lease_until IS NOT NULL")
        )
        session.execute(
            text("UPDATE channel_accounts SET look_until = now() - interval '1 second' WHERE look_until IS NOT NULL")
        )


class Settling:
    """A predicate: everything is paid. Ends the leases of the dead whenever nothing is paid any more and no message waits.

    Messages are void when their leases end: to end leases before messages that wait for a slow worker would only put
    more and more copies before the work.
    """

    def __init__(self, database: Database, running: Running) -> None:
        self._database = database
        self._running = running
        self._queued = relay.queued_in(redis_url(running.settings))
        self._last = -1
        self._idle_since = clock.machine_now()

    def __call__(self) -> bool:
        self._running.tend()
        owed = debts(self._database)
        now = clock.machine_now()
        if owed != self._last:
            self._last, self._idle_since = owed, now
        elif owed and now - self._idle_since > timedelta(seconds=1) and self._nothing_waits():
            end_leases(self._database)
            self._idle_since = now
        return owed == 0

    def _nothing_waits(self) -> bool:
        try:
            return not any(self._queued(queue) for queue in schedule.QUEUES)
        except RedisError:  # it is away, or loads
            return False

    def __str__(self) -> str:
        """What is owed, as it stands: for the message of a test that waited in vain."""
        with self._database.transaction(SYSTEM) as session:
            owed = session.scalars(select(Delivery).where(Delivery.done_at.is_(None)).limit(20))
            return f"{self._last} owed; of these\n" + "\n".join(
                f"{d.reaction}: attempts {d.attempts}, starts {d.starts}, run after {d.run_after:%T},"
                f" lease until {d.lease_until}, {d.dead_reason}"
                for d in owed
            )


# --- phones ------------------------------------------------------------------------------------------------------


class Phone(threading.Thread):
    """Sends steps in batches, each under the ids it chose, again and again until every one is acknowledged."""

    def __init__(self, base: str, farm: Farm, seed: int, gate: threading.Event, sites: Sequence[UUID]) -> None:
        super().__init__(name=f"phone-{seed}", daemon=True)
        self.base = base
        self.farm = farm
        self.random = random.Random(seed)
        self.gate = gate
        self.sites = sites
        self.enough = threading.Event()
        self.sent: set[UUID] = set()
        self.acknowledged: set[UUID] = set()
        self.answers: Counter[str] = Counter()
        self.away: httpx.Response | None = None
        self.trouble: list[str] = []

    def run(self) -> None:
        headers = {"Origin": self.base}
        cookies = {SIGN_IN_COOKIE: self.farm.token}
        with httpx.Client(base_url=self.base, headers=headers, cookies=cookies, timeout=15, trust_env=False) as client:
            while not self.enough.is_set() and not self.trouble:
                if not self.gate.wait(0.05):
                    continue
                self._deliver(client, [self._step() for _ in range(self.random.randint(1, 4))])

    def _step(self) -> dict[str, Any]:
        identifier = new_id()
        self.sent.add(identifier)
        body = {
            "site_id": str(self.random.choice(self.sites)),
            "kind": self.random.choice(["weeding", "pruning", "irrigating", "observing"]),
            "happened_at": clock.machine_now().isoformat(),
            "note": f"lần {len(self.sent)}",
        }
        return {"id": str(identifier), "kind": "care_log", "schema": 1, "body": body}

    def _deliver(self, client: httpx.Client, steps: Sequence[dict[str, Any]]) -> None:
        waiting = {step["id"]: step for step in steps}
        while waiting and not self.trouble:
            try:
                answer = client.post(
                    "/api/v1/items",
                    json={"sent_at": clock.machine_now().isoformat(), "items": list(waiting.values())},
                )
            except httpx.HTTPError as error:
                self.answers[type(error).__name__] += 1
                threading.Event().wait(0.05)
                continue
            self.answers[str(answer.status_code)] += 1
            if answer.status_code == 503:
                self.away = answer
                threading.Event().wait(0.1)  # a phone would wait the half minute that it is told
                continue
            if answer.status_code != 200:
                self.trouble.append(f"{answer.status_code}: {answer.text[:500]}")
                return
            for told in answer.json()["items"]:
                if told["status"] not in {"stored", "repeated"}:
                    self.trouble.append(str(told))
                    return
                self.answers[told["status"]] += 1
                self.acknowledged.add(UUID(told["id"]))
                waiting.pop(told["id"], None)


@dataclass(slots=True)
class Phones:
    """Several phones at once, held back while much is owed."""

    farm: Farm
    phones: list[Phone]
    gate: threading.Event

    def acknowledged(self) -> int:
        return sum(len(p.acknowledged) for p in self.phones)

    def hold_back(self) -> None:
        """Call often: opens and closes the gate."""
        if debts(self.farm.database) > MOST_DEBTS:
            self.gate.clear()
        else:
            self.gate.set()
        assert [p.trouble for p in self.phones if p.trouble] == []

    def finish(self, seconds: float = 60, tend: Callable[[], None] = lambda: None) -> None:
        """Let each phone get its last batch acknowledged. Processes that were killed must be able to come back meanwhile."""
        for phone in self.phones:
            phone.enough.set()
        deadline = clock.machine_now() + timedelta(seconds=seconds)
        while any(p.is_alive() for p in self.phones) and clock.machine_now() < deadline:
            tend()
            for phone in self.phones:
                phone.join(0.05)
        assert [p.name for p in self.phones if p.is_alive()] == []
        assert [p.trouble for p in self.phones if p.trouble] == []

    def answers(self) -> Counter[str]:
        return sum((p.answers for p in self.phones), Counter())


def start_phones(base: str, farm: Farm, *, count: int, seed: int, sites: Sequence[UUID] | None = None) -> Phones:
    gate = threading.Event()
    gate.set()
    phones = [Phone(base, farm, seed * 1000 + number, gate, sites or farm.sites) for number in range(count)]
    for phone in phones:
        phone.start()
    return Phones(farm, phones, gate)


# --- the books ---------------------------------------------------------------------------------------------------


def check_books(phones: Phones) -> dict[str, int]:
    """Every acknowledged step is stored once, told once, and each of its debts paid once. Returns the figures."""
    farm = phones.farm
    acknowledged = set().union(*(p.acknowledged for p in phones.phones))
    sent = set().union(*(p.sent for p in phones.phones))
    assert acknowledged == sent, "a phone stopped with unanswered steps"
    with farm.database.transaction(SYSTEM) as session:
        stored = list(session.scalars(select(CareLog.id).where(CareLog.kind != "harvesting")))
        conflicts = session.scalar(select(func.count()).select_from(ConflictingSubmission))
        told = session.scalars(
            select(AuditEntry.detail["count"].as_integer()).where(AuditEntry.action == "trace:care_log:record")
        ).all()
        events = session.execute(select(OutboxEvent.id, OutboxEvent.body).where(OutboxEvent.name == RECORDED)).all()
        deliveries = session.execute(
            select(Delivery.event_id, Delivery.reaction, Delivery.done_at, Delivery.dead_reason).where(
                Delivery.event_id.in_(select(OutboxEvent.id).where(OutboxEvent.name == RECORDED))
            )
        ).all()
        all_open = outbox.open_debts(session)
        dead = session.execute(
            select(Delivery.reaction, Delivery.dead_reason).where(Delivery.dead_at.is_not(None))
        ).all()
    lost = acknowledged - set(stored)
    doubled = len(stored) - len(set(stored))
    assert (lost, doubled, set(stored) - sent) == (set(), 0, set())
    assert conflicts == 0
    assert sum(told) == len(stored), "the trail counts other steps than there are"
    assert dead == []
    assert all_open == 0
    owed = {(event.id, reaction) for event in events for reaction in DEBTS}
    assert {(d.event_id, d.reaction) for d in deliveries if d.done_at is not None} == owed
    assert len(deliveries) == len(owed)
    by_site = Counter(UUID(event.body["site_id"]) for event in events)
    now = versions(farm)
    effects = {site: now[site] - farm.versions[site] for site in farm.sites}
    assert effects == {site: by_site[site] for site in farm.sites}, "an effect is missing, or happened twice"
    return {
        "logs": len(stored),
        "events": len(events),
        "deliveries": len(deliveries),
        "lost": len(lost),
        "doubled": doubled + sum(effects.values()) - len(events),
    }


# --- killing -----------------------------------------------------------------------------------------------------


def children_of(pid: int) -> list[int]:
    """Living direct children, oldest first."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError):
            after = entry.read_text(errors="replace").rpartition(")")[2].split()
            if after[0] != "Z" and int(after[1]) == pid:
                found.append(int(entry.parent.name))
    return sorted(found)


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)

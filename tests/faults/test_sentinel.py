"""Three sentinels and two Valkey: the master is killed, and work goes on with the one that takes its place."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis

from app import broker, outbox
from app import settings as settings_module
from app.accounts.events import OrganisationChanged
from app.actor import SYSTEM
from app.cli.servers import check_broker
from app.errors import SetupError
from app.local.binaries import find_binaries
from app.settings import Settings
from tests.conftest import free_start, wait_until
from tests.faults.field import Farm, Settling
from worker import celery_app


@dataclass(frozen=True, slots=True)
class Watched:
    url: str
    master: subprocess.Popen[bytes]
    replica_port: int


@pytest.fixture
def watched() -> Iterator[Watched]:
    environment = settings_module.load()
    command = str(find_binaries(environment.pg_bin, environment.valkey_bin).valkey)
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hs-", dir="/tmp")))

        def start(*options: str) -> subprocess.Popen[bytes]:
            process = subprocess.Popen([command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        first, second = free_start(), free_start()
        common = ("--save", "", "--bind", "127.0.0.1", "--repl-diskless-sync-delay", "0", "--dir", str(home))
        master = start("--port", str(first), *common)
        wait_until(lambda: answers(first), 10, "the master to answer")
        start("--port", str(second), *common, "--replicaof", "127.0.0.1", str(first))
        wait_until(lambda: is_linked(second), 20, "the replica to follow")
        sentinels = []
        for _ in range(3):
            port = free_start()
            file = home / f"sentinel-{port}.conf"
            file.write_text(
                f"port {port}\nbind 127.0.0.1\ndir {home}\nsentinel monitor hoi 127.0.0.1 {first} 2\n"
                "sentinel down-after-milliseconds hoi 1000\nsentinel failover-timeout hoi 5000\n"
            )
            start(str(file), "--sentinel")
            sentinels.append(port)
        wait_until(lambda: all(knows(port) for port in sentinels), 30, "the sentinels to know each other")
        hosts = ",".join(f"127.0.0.1:{port}" for port in sentinels)
        yield Watched(f"sentinel://{hosts}/3?master=hoi", master, second)


def answers(port: int) -> bool:
    try:
        return bool(redis.Redis(port=port).ping())
    except redis.RedisError:
        return False


def is_linked(port: int) -> bool:
    return answers(port) and redis.Redis(port=port).info("replication").get("master_link_status") == "up"


def knows(port: int) -> bool:
    if not answers(port):
        return False
    told = redis.Redis(port=port).sentinel_master("hoi")
    return bool(told["num-other-sentinels"] == 2 and told["num-slaves"] == 1)


def master_of(url: str) -> int:
    """The port of the master that our client finds; 0 while there is none."""
    try:
        return int(broker.client(url).config_get("port")["port"])
    except redis.RedisError:
        return 0


@pytest.fixture
def redis_url(watched: Watched) -> str:
    return watched.url


@pytest.mark.faults
def test_work_goes_on_after_the_master_was_killed(
    farm: Farm, watched: Watched, run_processes: Any, wait_for: Any
) -> None:
    check_broker(watched.url)
    running = run_processes("relay", "worker", "bulk", "caller")
    wait_for(Settling(farm.database, running), 90, "the farm's own events to be paid")
    first = running.keeper.pids()
    watched.master.kill()
    with farm.database.transaction(SYSTEM) as session:
        outbox.publish(session, SYSTEM, OrganisationChanged(organisation_id=farm.world["cooperative"]))
    wait_for(lambda: master_of(watched.url) == watched.replica_port, 30, "the replica to take its place")
    wait_for(Settling(farm.database, running), 90, "what was published meanwhile to be paid")
    assert running.keeper.pids() == first, "nobody of ours has to die of it"
    check_broker(watched.url)


def test_an_address_of_sentinels_is_spelled_as_kombu_wants_it(settings: Settings) -> None:
    url = "sentinel://:m%40t@s1,s2:26380,[::1]:9/3?master=hoi&sentinel_password=kin"
    app = celery_app.make(settings.model_copy(update={"redis_url": url}))
    wanted = "sentinel://:m%40t@s1:26379/3;sentinel://:m%40t@s2:26380/3;sentinel://:m%40t@[::1]:9/3"
    assert app.conf.broker_url == wanted
    options = app.conf.broker_transport_options
    assert (options["master_name"], options["sentinel_kwargs"]["password"]) == ("hoi", "kin")
    alone = settings.model_copy(update={"redis_url": "redis://127.0.0.1/0"})
    assert "master_name" not in celery_app.make(alone).conf.broker_transport_options
    told = broker.sentinels_of(url)
    assert (told.hosts, told.db, told.password) == ((("s1", 26379), ("s2", 26380), ("::1", 9)), 3, "m@t")
    assert "m@t" not in repr(told)
    assert "kin" not in repr(told)


@pytest.mark.parametrize("wrong", ["sentinel://s1:1/0", "sentinel:///0?master=x", "sentinel://s1/a?master=x"])
def test_an_address_of_sentinels_that_is_not_whole_is_refused_with_one_that_is(wrong: str) -> None:
    with pytest.raises(SetupError, match="broker_unreachable") as refused:
        check_broker(wrong)
    assert "sentinel://máy:26379,máy:26379/0?master=tên" in refused.value.text("vi")

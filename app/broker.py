"""The address of Valkey or Redis: one server, a Unix socket, or sentinels that say which server is the master now."""

from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

import redis
from redis.sentinel import Sentinel

SENTINEL = "sentinel://"
SENTINEL_PORT = 26379
PATIENCE_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Sentinels:
    """What stands in sentinel://[user:password@]host[:port][,host[:port]…]/db?master=name[&sentinel_password=…].

    User and password are the servers'; sentinels that want one of their own are told it in the query.
    """

    hosts: tuple[tuple[str, int], ...]
    master: str
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    sentinel_password: str | None = field(default=None, repr=False)


def sentinels_of(url: str) -> Sentinels:
    """Raises ValueError, without the password, for what is not whole."""
    parts = urlsplit(url)
    login, _, listed = parts.netloc.rpartition("@")
    username, _, password = login.partition(":")
    query = dict(parse_qsl(parts.query))
    hosts = []
    for one in listed.split(","):
        host, _, port = one.rpartition(":") if one.rpartition(":")[2].isdigit() else (one, "", str(SENTINEL_PORT))
        hosts.append((host.strip("[]"), int(port)))
    db = parts.path.strip("/") or "0"
    if not query.get("master") or not all(host for host, _ in hosts) or not db.isdigit():
        raise ValueError("sentinel://máy:26379,máy:26379/0?master=tên")
    return Sentinels(
        tuple(hosts),
        query["master"],
        int(db),
        unquote(username) or None,
        unquote(password) or None,
        query.get("sentinel_password"),
    )


def client(url: str, *, seconds: float = PATIENCE_SECONDS) -> redis.Redis:
    """A client of the server at this address; behind sentinels, of whichever is the master when it connects."""
    if not url.startswith(SENTINEL):
        return redis.Redis.from_url(url, socket_timeout=seconds, socket_connect_timeout=seconds)
    told = sentinels_of(url)
    patience = {"socket_timeout": seconds, "socket_connect_timeout": seconds}
    known = Sentinel(told.hosts, sentinel_kwargs={**patience, "password": told.sentinel_password}, **patience)  # type: ignore[no-untyped-call]
    login = {"username": told.username, "password": told.password, "db": told.db}
    found: redis.Redis = known.master_for(told.master, **login, **patience)  # type: ignore[no-untyped-call]
    return found

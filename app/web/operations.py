"""The operator's questions: does it live, is it ready, its figures."""

import contextlib
import hmac

from flask import Response, request
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Gauge, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app import outbox, retention
from app.actor import SYSTEM
from app.errors import not_found
from app.settings import shared_metrics
from app.web.process import web
from app.web.requests import FORWARDED, proxied_unknown

OWED = Gauge("hoi_outbox_owed", "Events and deliveries that are not settled yet", multiprocess_mode="mostrecent")
GIVEN_UP = Gauge(
    "hoi_outbox_given_up",
    "Deliveries that were given up and wait for `hoi deliveries --revive`",
    multiprocess_mode="mostrecent",
)
ENDED = Gauge(
    "hoi_retention_rows", "Old rows that a rule of keeping has ended", ["rule"], multiprocess_mode="mostrecent"
)
ENDED_AT = Gauge(
    "hoi_retention_finished_seconds",
    "When a run of the rule last came to its end, in seconds since 1970",
    ["rule"],
    multiprocess_mode="mostrecent",
)


def healthz() -> Response:
    return Response("ok\n", mimetype="text/plain")


def readyz() -> Response:
    """The database answers and has our tables. Not the broker: without it the web still takes every piece of work."""
    with web().database.transaction(SYSTEM) as session:
        session.execute(text("SELECT 1 FROM outbox_events LIMIT 1"))
    hidden = "HOI_TRUSTED_PROXIES=0, but a proxy stands before us\n" if proxied_unknown(web().settings) else ""
    return Response(f"ready\n{hidden}", mimetype="text/plain")


def metrics() -> Response:
    if not _may_read_figures():
        raise not_found()
    with contextlib.suppress(DBAPIError):  # without a database the rest of the figures matters all the more
        with web().database.transaction(SYSTEM) as session:
            owed, given_up = outbox.open_debts(session), outbox.count_dead(session)
            runs = retention.runs(session)
        OWED.set(owed)
        GIVEN_UP.set(given_up)
        for run in runs:
            ENDED.labels(run.name).set(run.gone)
            if run.finished_at is not None:
                ENDED_AT.labels(run.name).set(run.finished_at.timestamp())
    return Response(generate_latest(_figures()), content_type=CONTENT_TYPE_LATEST)


def _may_read_figures() -> bool:
    """From this very machine and through no proxy, whose address would be taken for the visitor's; or with the token."""
    token = web().settings.metrics_token
    if token is not None:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return hmac.compare_digest(given.encode(), token.get_secret_value().encode())
    through_proxy = web().settings.trusted_proxies > 0 or any(name in request.headers for name in FORWARDED)
    return request.remote_addr in {"127.0.0.1", "::1"} and not through_proxy


def _figures() -> CollectorRegistry:
    """Those of all processes of this web, whichever of them is asked."""
    together = shared_metrics()
    if together is None:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=together)  # type: ignore[no-untyped-call]  # the library gives no types here
    return registry

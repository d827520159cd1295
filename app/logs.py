"""Structured logs: one JSON object a line, with the request id, and nothing that looks like a person's number."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from app.settings import Settings

# Phone numbers and 12-digit personal numbers must not reach a log, whoever wrote the message.
# People write them with blanks, dots and hyphens; a longer run of digits (a GTIN, an id) is none of them.
_NUMBERS = re.compile(
    r"(?<![^\W_])(?<!\d[.-])(?:(?:\+?84|0)(?:[ .\u00a0-]?\d){9,10}|\d{12}|\d{3}(?:[ .\u00a0-]\d{3}){3})(?![^\W_]|[.-]\w)"
)


def scrub(value: Any) -> Any:  # noqa: ANN401 - any logged value
    if isinstance(value, str):
        return _NUMBERS.sub("[số đã che]", value)
    if isinstance(value, dict):
        return {k: scrub(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [scrub(v) for v in value]
    return value


def _scrub_event(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {k: scrub(v) for k, v in event.items()}


def configure_logging(settings: Settings) -> None:
    """Route structlog and the standard library's logging through the same processors."""
    level = logging.getLevelNamesMapping().get(settings.log_level.upper(), logging.INFO)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _scrub_event,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False) if settings.log_json else structlog.dev.ConsoleRenderer()
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("httpx", "httpcore", "kombu", "amqp", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)

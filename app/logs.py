"""Structured logs: one JSON object a line, with the request id, and nothing that tells a person's number, place or name."""

import logging
import re
import sys
import traceback
from collections.abc import Iterator, MutableMapping
from typing import Any

import structlog

from app.settings import Settings

MASK = "[số đã che]"

# Digits as people write them: in groups, with one sign between two groups, perhaps in brackets.
_GROUPED = re.compile(r"(?<!\d)(?:\+|\b00(?=84))?\(?\d+(?:(?:[ .\-\u00a0\u2010-\u2013\u202f]| ?[()] ?)\d+)*")
_GROUP = re.compile(r"\d+")
_DAY = re.compile(r"(?:0[1-9]|[12]\d|3[01])\D(?:0[1-9]|1[0-2])\D(?:19|20)\d\d(?!\d)")
# Hashes and identifiers may hold ten digits in a row and are nobody's number.
_IDENTIFIER = re.compile(
    r"(?<![0-9A-Za-z])(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?=\d*[a-f])[0-9a-f]{16,64})(?![0-9A-Za-z])"
)
# A place in Vietnam to ten metres or closer, in degrees; the seconds of a time are no place.
_POSITION = re.compile(r"(?<![\d.,])(?<!\d:)(?:[89]|1\d|2[0-3]|10[2-9])[.,]\d{4,}(?![\d.,]*\d)")
# What PostgreSQL adds to an error holds the values of the row.
_DETAIL = re.compile(r"\b(DETAIL|CONTEXT): .*?(?=\n\[SQL: |\n\nThe above exception|\Z)", re.DOTALL)
_INPUT = re.compile(r'(invalid input (?:syntax|value) for [^:"]{1,80}: )"[^"]*"')


def scrub(value: Any) -> Any:  # noqa: ANN401 - any logged value
    """The same without phone numbers, 12-digit personal numbers, exact positions and the rows of database errors.

    Prices, quantities, dates and codes stay; where a text could be either, it is masked.
    """
    if isinstance(value, str):
        return _scrub_text(value)
    if isinstance(value, float):
        return MASK if _POSITION.fullmatch(repr(value)) else value
    if isinstance(value, dict):
        return {k: scrub(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [scrub(v) for v in value]
    return value


def _scrub_text(said: str) -> str:
    said = _INPUT.sub(rf"\1{MASK}", _DETAIL.sub(rf"\1: {MASK}", said))
    parts: list[str] = []
    end = 0
    for found in _IDENTIFIER.finditer(said):
        parts += (_scrub_numbers(said[end : found.start()]), found[0])
        end = found.end()
    return "".join((*parts, _scrub_numbers(said[end:])))


def _scrub_numbers(said: str) -> str:
    parts: list[str] = []
    end = 0
    said = _POSITION.sub(MASK, said)
    for run in _GROUPED.finditer(said):
        for start, stop in _numbers_of_people(said, run):
            parts += (said[end:start], MASK)
            end = stop
    return "".join((*parts, said[end:]))


def _numbers_of_people(said: str, run: re.Match[str]) -> Iterator[tuple[int, int]]:
    """Where in this run of digit groups a phone number or a personal number stands."""
    groups = [group.span() for group in _GROUP.finditer(said, run.start(), run.end())]
    first = 0
    while first < len(groups):
        stop = _number_from(said, groups, first)
        if stop is None:
            first += 3 if _DAY.match(said, groups[first][0]) else 1
        else:
            yield (run.start() if first == 0 else groups[first][0]), groups[stop][1]
            first = stop + 1


def _number_from(said: str, groups: list[tuple[int, int]], first: int) -> int | None:
    """The last group of the number of a person that begins with this group; None when none does."""
    start, end = groups[first]
    before = said[start - 2 : start]
    whole = end - start == 12 and not before.endswith(".")  # noqa: PLR2004 - a personal number
    abroad = said[start:end].startswith("84") and (before.endswith(("+", "00")) or said[end : end + 1] != ".")
    if whole:
        return first
    if not (abroad or said[start:end].startswith("0")) or _DAY.match(said, start):
        return None
    if said[start : start + 2] == "0." or (first and before.endswith(".")):  # a decimal, the thousands of a price
        return None
    if before[:1].isalpha() and before.endswith("-") and end - start < 10:  # noqa: PLR2004 - a lot such as CL-0826-07-1200
        return None
    wanted = range(11, 13) if abroad else range(10, 13)
    if said[start:end].startswith("0084"):
        wanted = range(13, 15)
    digits = 0
    for number in range(first, len(groups)):
        digits += groups[number][1] - groups[number][0]
        if digits in wanted:
            return number
    return None


def told(error: BaseException) -> dict[str, str]:
    """What may be logged of an error: its class and, from the database, its code and the rule's name; never a value."""
    origin = getattr(error, "orig", None) or error
    diagnosis = getattr(origin, "diag", None)
    state = getattr(origin, "sqlstate", None)
    found = {
        "error": type(error).__name__,
        "sqlstate": state,
        "table": getattr(diagnosis, "table_name", None),
        "constraint": getattr(diagnosis, "constraint_name", None),
    }
    if type(origin).__name__ == "OperationalError" and state is None:  # no row was touched: why there is no connection
        found["detail"] = next(iter(str(origin).splitlines()), "")[:300]
    return {name: str(value) for name, value in found.items() if value}


def trace(error: BaseException) -> str:
    """Where it happened, cause first. The messages are left out: they quote what people typed."""
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    lines = [trace(earlier), "\n"] if earlier is not None else []
    lines += traceback.format_tb(error.__traceback__)
    facts = told(error)
    name = f"{type(error).__module__}.{facts.pop('error')}"
    return "".join((*lines, " ".join((name, *(f"{key}={value}" for key, value in facts.items())))))


def _tell_error(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    given = event.pop("exc_info", None)
    if given is True:
        given = sys.exc_info()
    error = given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        event["exception"] = trace(error)
    return event


def _scrub_event(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {k: scrub(v) for k, v in event.items()}


def configure_logging(settings: Settings) -> None:
    """Route structlog and the standard library's logging through the same processors."""
    level = logging.getLevelNamesMapping().get(settings.log_level.upper(), logging.INFO)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _tell_error,
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

"""The address where phones hand in what they kept."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import monotonic
from uuid import UUID

import structlog
from flask import Response, g, jsonify, request
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

from app import clock
from app.actor import Actor
from app.db import is_busy
from app.doors.farmer import queries, schemas
from app.doors.farmer.queries import House
from app.doors.farmer.routes.base import items, signed_in_writer
from app.errors import HoiError, Invalid
from app.logs import told
from app.messages import N_, in_each_language
from app.trace import diary
from app.trace.models import Witness
from app.trace.schemas import CareLogIn
from app.web import csrf, foreign_page, parse, parse_data, surely_ours, transaction

log = structlog.get_logger()


@items.post("/items")
def receive() -> Response:
    """A batch of items that a phone kept. Each is judged alone; the answer says for each id what became of it."""
    _from_our_page()
    actor = signed_in_writer()
    if not request.is_json:
        raise Invalid("not_json", N_("Nội dung gửi lên phải là JSON."))
    envelope = parse(schemas.Envelope)
    try:
        answers = _judge(actor, envelope, envelope.items)
    except Exception as error:
        if _is_of_all(error):
            raise
        _log_broken(
            error, items=len(envelope.items)
        )  # whatever one item broke, the others shall not wait for it for ever
        until = monotonic() + ALONE_SECONDS
        answers = [_judge_alone(actor, envelope, raw, until) for raw in envelope.items]
    body = {"received_at": clock.now().isoformat(), "items": [answer.spelled() for answer in answers]}
    return jsonify(body)


csrf.exempt(receive)  # the cookie alone does not open this door either: see _from_our_page


@dataclass(slots=True)
class Answer:
    """What became of one item; `id` as it was sent, so that the phone finds it again."""

    id: str | None
    status: str = "refused"
    error: HoiError | None = None

    def spelled(self) -> dict[str, object]:
        if self.error is None:
            return {"id": self.id, "status": self.status}
        told: dict[str, object] = {"code": self.error.code, **in_each_language(self.error)}
        if self.error.field:
            told["field"] = self.error.field
        return {"id": self.id, "status": self.status, "error": told}


ALONE_SECONDS = (
    60.0  # after so long of judging each alone, a statement that takes too long is told of all: a thread is held
)
OF_ALL = (HoiError, HTTPException, PoolTimeout)
# What PostgreSQL says that no item can be to blame for: a lock, a standby, and by their class connection, lost race, resources,
# operator (https://www.postgresql.org/docs/current/errcodes-appendix.html). A program's limit (54) and a statement that took
# too long (57014) may well be one item's doing.
STATES_OF_ALL = frozenset({"55P03", "25006"})
CLASSES_OF_ALL = ("08", "40", "53", "57P")


def _is_of_all(error: Exception) -> bool:
    """Whether nothing is wrong with any item: the database is away or busy, the whole is answered 503 and comes again."""
    if isinstance(error, OF_ALL):
        return True
    if not isinstance(error, DBAPIError):
        return False
    state = getattr(error.orig, "sqlstate", None)
    if error.connection_invalidated or state in STATES_OF_ALL:
        return True
    if state is None:  # the driver's own: it reached no server
        return isinstance(error, OperationalError | InterfaceError)
    return str(state).startswith(CLASSES_OF_ALL)


def _judge(actor: Actor, envelope: schemas.Envelope, items: Sequence[object]) -> list[Answer]:
    """What becomes of these items, in one transaction. Raises what none of our refusals foresees, and stores nothing then."""
    answers = [Answer(_id_of(raw)) for raw in items]
    read: dict[int, tuple[UUID, schemas.CareLogBody1]] = {}
    for index, raw in enumerate(items):
        try:
            read[index] = _read_item(raw)
        except HoiError as error:
            answers[index].error = error
    with transaction() as session:
        houses = queries.houses_of_sites(session, actor, {body.site_id for _, body in read.values()})
        logs: dict[int, CareLogIn] = {}
        for index, (item_id, body) in read.items():
            try:
                logs[index] = _step_of(houses.of_site(body.site_id), item_id, body)
            except HoiError as error:
                answers[index].error = error
        writer = replace(houses.writer, device_id=actor.device_id or envelope.device_id)
        outcomes = diary.record_care_logs(
            session, writer, list(logs.values()), phone_now=envelope.sent_at, holders=houses.holders()
        )
        for index, outcome in zip(logs, outcomes, strict=True):
            answers[index].status, answers[index].error = outcome.status, outcome.error
    return answers


def _judge_alone(actor: Actor, envelope: schemas.Envelope, raw: object, until: float) -> Answer:
    """One item in a transaction of its own: what it breaks, also when it is committed, is refused with it and nothing else."""
    try:
        return _judge(actor, envelope, [raw])[0]
    except Exception as error:
        if _is_of_all(error) or (is_busy(error) and monotonic() > until):
            raise
        _log_broken(error, items=1, item=_id_of(raw))
        return Answer(
            _id_of(raw),
            error=HoiError(
                "item_unexpected",
                N_(
                    "Mục này làm máy chủ gặp trục trặc nên chưa ghi được; các mục khác không sao. Máy giữ lại mục này. "
                    "Hãy đọc mã %(request_id)s cho người hỗ trợ.",
                    request_id=g.request_id,
                ),
            ),
        )


def _log_broken(error: Exception, **about: object) -> None:
    log.error("a batch of items broke", exc_info=error, **told(error), **about)


def _id_of(raw: object) -> str | None:
    found = raw.get("id") if isinstance(raw, dict) else None
    return found if isinstance(found, str) and len(found) <= 64 else None  # noqa: PLR2004 - longer is no id


def _read_item(raw: object) -> tuple[UUID, schemas.CareLogBody1]:
    """The id of one item, and what it says. Raises what is wrong with it, with the item first and then with its body."""
    try:
        whole = schemas.CareLogItem1.model_validate(raw)
    except ValidationError:
        pass
    else:
        return whole.id, whole.body
    if not isinstance(raw, dict):
        raise Invalid("not_an_item", N_("Mục này không đọc được."))
    item = parse_data(schemas.Item, raw)
    return item.id, parse_data(schemas.CareLogBody1, item.body)


def _step_of(house: House, item_id: UUID, body: schemas.CareLogBody1) -> CareLogIn:
    """The item as the diary of this household takes it. Raises what is wrong with it."""
    saw = house.acting_for and body.seen == "saw"
    facts = {name: getattr(body, name) for name in body.model_fields_set if name != "seen"} | {
        "id": item_id,
        "witness": house.witness if saw or not house.acting_for else Witness.FARMER,
        "witnessed_by": house.writer.person_id if saw else None,
    }
    return CareLogIn.of_read(facts) or parse_data(CareLogIn, facts)


def _from_our_page() -> None:
    """Refuse what another site makes a browser send: the cookie would go along with it.

    - the browser says that the page is ours (Sec-Fetch-Site, or Origin where that is missing), or
    - the sender shows the form's token (X-CSRFToken), which another site cannot read.
    """
    if surely_ours():
        return
    if "X-CSRFToken" not in request.headers:
        raise foreign_page()
    csrf.protect()

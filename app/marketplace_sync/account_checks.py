"""Keys of a shop are tried in the background: somebody waits for the answer on a page, and no web thread does."""

from collections.abc import Sequence
from datetime import timedelta
from time import monotonic
from typing import Final
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app import clock
from app.accounts import actors
from app.actor import SYSTEM, Actor, Right, check_may
from app.db import Database, Words, lock_ids, new_id
from app.errors import Conflict, HoiError, TooMany
from app.marketplace_sync import channel_accounts
from app.marketplace_sync.calls import log_call, unreadable
from app.marketplace_sync.channels.accounts import CheckResult, Credentials
from app.marketplace_sync.channels.errors import ChannelError
from app.marketplace_sync.channels.http import Timeouts
from app.marketplace_sync.channels.registry import open_channel
from app.marketplace_sync.credentials import seal, unseal
from app.marketplace_sync.events import AccountCheckWanted
from app.marketplace_sync.models import AccountCheck
from app.marketplace_sync.schemas import NewAccount
from app.marketplace_sync.sent_again import same_id
from app.messages import N_
from app.outbox import NotYet, publish
from app.settings import Settings

MOST_OPEN: Final = 3  # of an organisation, and of a person; one of an organisation is under way
PATIENCE: Final = Timeouts(connect=5, read=10, total=10, conversation=12)
LEASE: Final = timedelta(seconds=30)  # longer than PATIENCE and the look-up of the name together
NEXT_TURN: Final = timedelta(seconds=1)
KEPT: Final = timedelta(days=1)
LONGEST_WAIT: Final = timedelta(hours=1)  # whose delivery failed that long is not asked any more


def ask(session: Session, actor: Actor, settings: Settings, new: NewAccount, *, renews: bool = False) -> UUID:
    """Have the shop asked whether it takes these keys. Returns the check's id, whose page tells how it ends.

    `renews`: the account exists and gets these keys. The same form sent again while its shop is being asked gives the same
    check. Raises Forbidden for anybody but the organisation's sellers; Invalid(Many) for what is wrong without asking; Conflict
    for the same id with other content; TooMany while three shops of the organisation, or of the person, are being asked.
    """
    check_may(actor, Right.SELL, new.organisation_id)
    channel_accounts.missing_credentials(new)
    channel_accounts.check_address(settings, new)
    lock_ids(session, [new.organisation_id])
    waiting = session.scalars(
        select(AccountCheck).where(
            AccountCheck.state == "waiting",
            (AccountCheck.organisation_id == new.organisation_id) | (AccountCheck.asked_by == actor.person_id),
        )
    ).all()
    for check in waiting:
        if check.account_id == new.id:
            if _new_account(settings, check) != new or check.renews != renews:
                raise same_id()
            return check.id
    _check_room(actor, new, waiting)
    secret = {f.name for spec in channel_accounts.channel_specs() for f in spec.fields if f.kind == "secret"}
    check = AccountCheck(
        id=new_id(),
        organisation_id=new.organisation_id,
        account_id=new.id,
        renews=renews,
        channel=new.channel,
        name=new.name,
        stock_buffer=new.stock_buffer,
        shown={name: value for name, value in new.credentials.items() if name not in secret},
        credentials_sealed=seal(settings, Credentials(new.credentials)),
        state="waiting",
        asked_by=actor.person_id,
        asked_at=clock.machine_now(),
    )
    session.add(check)
    publish(session, actor, AccountCheckWanted(check_id=check.id))
    return check.id


def _check_room(actor: Actor, new: NewAccount, waiting: Sequence[AccountCheck]) -> None:
    of_organisation = sum(check.organisation_id == new.organisation_id for check in waiting)
    of_person = sum(check.asked_by == actor.person_id for check in waiting)
    if max(of_organisation, of_person) >= MOST_OPEN:
        raise TooMany(
            "checks_open",
            N_(
                "Đang hỏi thử %(most_open)s gian hàng, chưa có trả lời. Hãy đợi một lát rồi gửi lại.",
                most_open=MOST_OPEN,
            ),
            retry_after_seconds=15,
        )


def on_check_wanted(database: Database, settings: Settings, event: AccountCheckWanted) -> None:
    """Ask the shop, for 12 seconds at most, and connect the account or keep why not. Safe to repeat.

    Raises NotYet while another shop of the organisation is being asked, or half of this machine's callers are asking.
    """
    try:
        claimed = _claim(database, settings, event.check_id)
    except HoiError as error:  # sealed with another key, for example: no later try would open it
        _refuse(database, event.check_id, error)
        return
    if claimed is None:
        return
    new, renews = claimed
    started = monotonic()
    outcome: CheckResult | ChannelError
    try:
        with open_channel(
            new.channel, Credentials(new.credentials), sandbox=settings.channel_sandbox, timeouts=PATIENCE
        ) as channel:
            outcome = channel.check()
    except ChannelError as error:
        outcome = error
    except Exception as error:  # noqa: BLE001 - whatever a shop answers, somebody waits to be told
        outcome = unreadable(error)
    try:
        _record(database, settings, event.check_id, new, outcome, started, renews=renews)
    except HoiError as error:
        _refuse(database, event.check_id, error)


def forget(database: Database, _settings: Settings) -> None:
    """Drop checks that ended a day ago: what came of them is an account, or was told.

    What has waited for an hour, and is not being asked right now, is refused: its keys are kept no longer, and its account
    may be connected again.
    """
    now = clock.machine_now()
    with database.transaction(SYSTEM) as session:
        session.execute(delete(AccountCheck).where(AccountCheck.finished_at < now - KEPT))
        stuck = select(AccountCheck).where(
            AccountCheck.state == "waiting",
            AccountCheck.asked_at < now - LONGEST_WAIT,
            AccountCheck.asking_until.is_(None) | (AccountCheck.asking_until < now),
        )
        for check in session.scalars(stuck.order_by(AccountCheck.id).with_for_update()).all():
            _tell(check, _not_asked())


def _claim(database: Database, settings: Settings, check_id: UUID) -> tuple[NewAccount, bool] | None:
    with database.transaction(SYSTEM) as session:
        waiting = session.scalars(
            select(AccountCheck).where(AccountCheck.state == "waiting").order_by(AccountCheck.id).with_for_update()
        ).all()
        mine = next((check for check in waiting if check.id == check_id), None)
        if mine is None:
            return None
        now = clock.machine_now()
        asking = [check for check in waiting if check.asking_until is not None and check.asking_until > now]
        most = max(1, settings.caller_threads // 2)
        if len(asking) >= most or any(check.organisation_id == mine.organisation_id for check in asking):
            raise NotYet(NEXT_TURN)
        mine.asking_until = now + LEASE
        return _new_account(settings, mine), mine.renews


def _new_account(settings: Settings, check: AccountCheck) -> NewAccount:
    return NewAccount(
        id=check.account_id,
        organisation_id=check.organisation_id,
        channel=check.channel,
        name=check.name,
        stock_buffer=check.stock_buffer,
        credentials=dict(unseal(settings, check.credentials_sealed or b"").values),
    )


def _record(
    database: Database,
    settings: Settings,
    check_id: UUID,
    new: NewAccount,
    outcome: CheckResult | ChannelError,
    started: float,
    *,
    renews: bool,
) -> None:
    """Keep the answer, in the name of whoever asked: somebody who lost the right meanwhile connects nothing."""
    with database.transaction(SYSTEM) as session:
        log_call(
            session,
            "check",
            outcome if isinstance(outcome, ChannelError) else [],
            started,
            account_id=new.id,
            organisation_id=new.organisation_id,
        )
        asked_by = session.get_one(AccountCheck, check_id).asked_by
        actor = actors.actor_for(session, asked_by)
    if isinstance(outcome, ChannelError):
        raise outcome
    with database.transaction(actor) as session:
        if renews:
            channel_accounts.reconnect_account(session, actor, settings, new.id, Credentials(new.credentials))
        else:
            channel_accounts.connect_account(session, actor, settings, new)
        check = session.get_one(AccountCheck, check_id)
        check.shop_name = outcome.shop_name
        check.issues = [Words.of(issue.said).kept() for issue in outcome.issues]
        _finish(check, "done")


def _refuse(database: Database, check_id: UUID, error: HoiError) -> None:
    with database.transaction(SYSTEM) as session:
        check = session.get_one(AccountCheck, check_id)
        if check.state == "waiting":
            _tell(check, error)


def _not_asked() -> Conflict:
    return Conflict(
        "shop_not_asked",
        N_("Máy của Hồi chưa hỏi được gian hàng suốt một giờ nên đã bỏ khóa vừa gửi. Hãy gửi lại khóa."),
    )


def _tell(check: AccountCheck, error: HoiError) -> None:
    check.error, check.error_code, check.error_field = Words.of(error.said), error.code, error.field
    _finish(check, "refused")


def _finish(check: AccountCheck, state: str) -> None:
    check.state, check.finished_at = state, clock.machine_now()
    check.credentials_sealed = check.asking_until = None

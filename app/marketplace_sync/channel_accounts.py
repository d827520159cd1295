"""An organisation's accounts with shops: connected once a shop has answered, paused, connected again."""

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import audit, clock
from app.actor import Actor, Right, check_may
from app.errors import Invalid, InvalidMany
from app.marketplace_sync import queries
from app.marketplace_sync.channels.accounts import Credentials, Spec
from app.marketplace_sync.channels.errors import AuthRevoked, ChannelError
from app.marketplace_sync.channels.registry import open_channel, specs
from app.marketplace_sync.credentials import seal, unseal
from app.marketplace_sync.models import ChannelAccount, Listing
from app.marketplace_sync.notes import want_again
from app.marketplace_sync.schemas import NewAccount
from app.marketplace_sync.sent_again import same_id, stored
from app.messages import N_
from app.settings import Settings


def channel_specs() -> list[Spec]:
    return specs()


def check_address(settings: Settings, new: NewAccount) -> None:
    """Raise Invalid for an address that may not be called whatever its shop says. Nobody is called."""
    try:
        open_channel(new.channel, Credentials(new.credentials), sandbox=settings.channel_sandbox).close()
    except ChannelError as error:
        raise Invalid(error.code, error.said, field=error.field) from None


def missing_credentials(new: NewAccount) -> None:
    """Raise InvalidMany for every required field of the channel that is empty."""
    spec = next((s for s in specs() if s.kind == new.channel), None)
    if spec is None:
        raise Invalid("unknown_channel", N_("Chọn một kênh trong danh sách."), field="channel")
    lacking = [
        Invalid("missing", N_("Còn thiếu: %(field)s.", field=f), field=f.name)
        for f in spec.fields
        if f.required and not new.credentials.get(f.name, "").strip()
    ]
    if lacking:
        raise InvalidMany(lacking)


def connect_account(session: Session, actor: Actor, settings: Settings, new: NewAccount) -> UUID:
    """Keep a checked account. On a floor's own address it is a marketplace account, anywhere else an own shop.

    Sent again with the same content it answers the same. Raises Forbidden for anybody but the organisation's sellers,
    Conflict for the same id with other content.
    """
    check_may(actor, Right.SELL, new.organisation_id)
    base_url = new.credentials.get("base_url") or new.credentials.get("url") or ""
    floor = queries.floor_of_host(session, base_url)
    content = {
        "organisation_id": new.organisation_id,
        "channel": new.channel,
        "name": new.name,
        "base_url": base_url,
        "stock_buffer": new.stock_buffer,
    }
    row = ChannelAccount(
        id=new.id,
        floor_id=floor.id if floor and floor.kind == "marketplace" else None,
        legal_kind=floor.kind if floor else "own_site",
        credentials_sealed=seal(settings, Credentials(new.credentials)),
        state="active",
        error=None,
        created_at=clock.now(),
        **content,
    )
    if not stored(session, row, content):
        there = session.get_one(ChannelAccount, new.id)
        if dict(unseal(settings, there.credentials_sealed).values) != new.credentials:
            raise same_id()
        return new.id
    audit.record(
        session, actor, "marketplace_sync:account:connect", subject_id=new.id, organisation_id=new.organisation_id
    )
    return new.id


def known_credentials(settings: Settings, account: ChannelAccount) -> Mapping[str, str]:
    """What opens the account now; nothing when the installation's key is another than when it was connected."""
    try:
        return unseal(settings, account.credentials_sealed).values
    except AuthRevoked:
        return {}


def reconnect_account(session: Session, actor: Actor, settings: Settings, account_id: UUID, fresh: Credentials) -> None:
    """Replace an account's keys and go on where it stopped."""
    account = own_account(session, actor, account_id)
    account.credentials_sealed = seal(settings, fresh)
    audit.record(session, actor, "marketplace_sync:account:reconnect", subject_id=account_id)
    _activate(session, account)


def pause_account(session: Session, actor: Actor, account_id: UUID) -> None:
    """Stop talking to the shop; listings and links stay."""
    account = own_account(session, actor, account_id)
    account.state = "paused"
    audit.record(session, actor, "marketplace_sync:account:pause", subject_id=account_id)


def resume_account(session: Session, actor: Actor, account_id: UUID) -> None:
    account = own_account(session, actor, account_id)
    audit.record(session, actor, "marketplace_sync:account:resume", subject_id=account_id)
    _activate(session, account)


def _activate(session: Session, account: ChannelAccount) -> None:
    account.state, account.error, account.looks_failing_since, account.quiet_until = "active", None, None, None
    for listing in session.scalars(select(Listing).where(Listing.account_id == account.id)):
        if listing.applied_version < listing.wanted_version or listing.state == "parked":
            listing.failures, listing.failing_since = 0, None
            want_again(session, listing)
        listing.next_look_at = clock.machine_now()


def own_account(session: Session, actor: Actor, account_id: UUID) -> ChannelAccount:
    return queries.account(session, actor, account_id)

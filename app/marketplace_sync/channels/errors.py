"""Errors of marketplaces.

ChannelError
├── Retryable          nothing was changed; the same call may work after `after`
│   └── RateLimited    the shop asks us to slow down
├── OutcomeUnknown     a write was sent and its answer lost: look it up before any other write
├── AuthExpired        the access token has run out; a refresh may mend it
├── AuthRevoked        the shop no longer accepts these keys; a person must act
├── WrongCurrency      the shop does not sell in đồng: every price there would be another than ours; a person must act
├── Validation         a field is not acceptable; `field` is a field of ListingDraft or of the account
├── Rejected           the marketplace decided against the item; `reasons` say why
├── Locked             the item cannot be changed for now (campaign, review)
├── NotFound           no such item there
├── Conflict           another item holds the SKU; `existing_remote_id` names it where known
└── Permanent          anything else that repeating will not mend
"""

from datetime import datetime, timedelta

from app.errors import HoiError
from app.marketplace_sync.channels.statuses import Reason
from app.messages import Said


class ChannelError(HoiError):
    """Never raised directly. `raw` is the shop's own answer, shortened and without secrets.

    `wrote`: the stock had been written there already, and only what came after it failed.
    """

    status = 502
    wrote = False

    def __init__(self, code: str, said: Said, *, raw: str = "", field: str | None = None) -> None:
        super().__init__(code, said, field=field)
        self.raw = raw


class Retryable(ChannelError):
    """Nothing was changed there. `after` None leaves the waiting time to the caller."""

    def __init__(self, code: str, said: Said, *, raw: str = "", after: timedelta | None = None) -> None:
        super().__init__(code, said, raw=raw)
        self.after = after


class RateLimited(Retryable):
    """Too many calls; wait `after` (None: the shop did not say)."""


class OutcomeUnknown(ChannelError):
    """The write may or may not have happened."""


class AuthExpired(ChannelError):
    """The token has run out."""


class AuthRevoked(ChannelError):
    """The keys are no longer accepted."""


class WrongCurrency(ChannelError):
    """A number of đồng would be read as so many of another currency."""


class Validation(ChannelError):
    """`field` cannot be accepted as it is."""


class Rejected(ChannelError):
    """The marketplace decided against the item."""

    def __init__(self, code: str, said: Said, *, raw: str = "", reasons: tuple[Reason, ...] = ()) -> None:
        super().__init__(code, said, raw=raw)
        self.reasons = reasons


class Locked(ChannelError):
    """Not changeable until `until` (None: unknown)."""

    def __init__(self, code: str, said: Said, *, raw: str = "", until: datetime | None = None) -> None:
        super().__init__(code, said, raw=raw)
        self.until = until


class NotFound(ChannelError):
    """The marketplace has no such item."""


class Conflict(ChannelError):
    """The SKU is taken by `existing_remote_id` (None: the shop does not say by which item)."""

    def __init__(self, code: str, said: Said, *, raw: str = "", existing_remote_id: str | None = None) -> None:
        super().__init__(code, said, raw=raw, field="sku")
        self.existing_remote_id = existing_remote_id


class Permanent(ChannelError):
    """Repeating the call will not help."""

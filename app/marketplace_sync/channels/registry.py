"""Every channel by its kind: the one place to add a new one."""

from typing import Final

from app.errors import not_found
from app.marketplace_sync.channels.accounts import Credentials, Spec
from app.marketplace_sync.channels.base import Channel
from app.marketplace_sync.channels.http import Timeouts
from app.marketplace_sync.channels.woocommerce.channel import KIND, WooCommerce
from app.messages import N_

CHANNELS: Final = {KIND: WooCommerce}


def specs() -> list[Spec]:
    """What a cooperative can connect, in the order shown."""
    return [channel.spec() for channel in CHANNELS.values()]


def open_channel(kind: str, credentials: Credentials, *, sandbox: bool, timeouts: Timeouts | None = None) -> Channel:
    """A channel ready for calls; close it, or use it in a with block. `sandbox` is the setting channel_sandbox.

    Raises NotFound for an unknown kind and Validation for an address that may not be called.
    """
    channel = CHANNELS.get(kind)
    if channel is None:
        raise not_found(N_("kênh bán này"))
    return channel(credentials, allow_private=sandbox, timeouts=timeouts)

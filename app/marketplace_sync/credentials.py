"""A shop's keys as they are stored: sealed, and opened only to talk to it."""

import base64
import hashlib
import json

from cryptography.fernet import Fernet, InvalidToken

from app.errors import SetupError
from app.marketplace_sync.channels.accounts import Credentials
from app.marketplace_sync.channels.base import Channel
from app.marketplace_sync.channels.errors import AuthRevoked
from app.marketplace_sync.channels.http import Timeouts
from app.marketplace_sync.channels.registry import open_channel
from app.messages import N_
from app.settings import Settings


def _box(settings: Settings) -> Fernet:
    secret = settings.credentials_key or settings.secret_key
    if secret is None:
        raise SetupError(
            "no_secret_key",
            N_("Chưa có HOI_SECRET_KEY nên không giữ kín được khóa của sàn. Đặt biến này rồi chạy lại."),
        )
    digest = hashlib.sha256(b"channel-credentials:" + secret.get_secret_value().encode()).digest()
    return Fernet(base64.urlsafe_b64encode(digest))


def seal(settings: Settings, credentials: Credentials) -> bytes:
    """The credentials as they are stored: encrypted and authenticated."""
    return _box(settings).encrypt(json.dumps(dict(credentials.values), sort_keys=True).encode())


def unseal(settings: Settings, sealed: bytes) -> Credentials:
    """Raises AuthRevoked when the installation's key is another than when the account was connected."""
    try:
        return Credentials(json.loads(_box(settings).decrypt(sealed)))
    except InvalidToken:
        raise AuthRevoked(
            "sealed_with_another_key",
            N_("Khóa của hệ thống đã đổi nên không đọc được khóa của sàn. Hãy kết nối lại tài khoản này."),
        ) from None


def open_sealed(settings: Settings, channel: str, sealed: bytes, timeouts: Timeouts | None = None) -> Channel:
    return open_channel(channel, unseal(settings, sealed), sandbox=settings.channel_sandbox, timeouts=timeouts)

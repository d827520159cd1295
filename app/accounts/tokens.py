"""Secrets that sign people in: random ones of which only a digest is kept, and those derived from the installation's key."""

import hashlib
import hmac
import secrets
from uuid import UUID

from app.errors import NotFound, not_found
from app.messages import N_

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: nothing that looks like something else
SECRET_LENGTH = 26  # 130 bits
_LOOK_ALIKES = str.maketrans({"O": "0", "I": "1", "L": "1", " ": None, "-": None, "\N{NO-BREAK SPACE}": None})
_SPOKEN = "abcdeghkmnpqrtuvxy"  # letters that are told apart on the telephone


def new_token() -> str:
    """256 random bits for a cookie."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def keyed(key: bytes, purpose: str, value: str) -> bytes:
    """A digest that nobody can try out without the key. Each purpose has digests of its own."""
    return hmac.digest(key, f"{purpose}\0{value}".encode(), "sha256")


def card_secret(key: bytes, card_id: UUID) -> str:
    """The 130 bits in a card's QR, so that an unbound card can be printed again without being stored."""
    number = int.from_bytes(keyed(key, "card-secret", str(card_id))) >> (256 - 5 * SECRET_LENGTH)
    return "".join(ALPHABET[(number >> shift) & 31] for shift in range(5 * (SECRET_LENGTH - 1), -1, -5))


def card_pin(key: bytes, card_id: UUID) -> str:
    """Four digits that the cooperative tells the farmer in person; printed nowhere, stored nowhere."""
    return f"{int.from_bytes(keyed(key, 'card-pin', str(card_id))) % 10_000:04d}"


def read_secret(typed: str) -> str:
    """The secret as printed, however it was typed. Raises NotFound, the same as for a card that does not exist."""
    plain = spelled(typed)
    if len(plain) != SECRET_LENGTH or not set(plain) <= set(ALPHABET):
        raise no_such_card()
    return plain


def spelled(typed: str) -> str:
    """What was typed in the card's own letters: capitals, no blanks or hyphens, no look-alikes."""
    return typed.strip().upper().translate(_LOOK_ALIKES)


def no_such_card() -> NotFound:
    return not_found(N_("thẻ này"))


def device_digest(device_token: str, card_id: UUID) -> bytes:
    """One phone of a family may be bound to several cards: each binding has a digest of its own."""
    return digest(f"{device_token}:{card_id}")


def spoken_password() -> str:
    """A first password that can be said aloud, about 52 bits; its owner must change it at once."""
    letters = ["".join(secrets.choice(_SPOKEN) for _ in range(4)) for _ in range(2)]
    return f"{letters[0]}-{secrets.randbelow(9000) + 1000}-{letters[1]}"

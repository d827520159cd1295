"""Accounts with a shop: what opens one, what to ask a person for it, and what its check found."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from app.marketplace_sync.channels.drafts import Issue, Limits
from app.messages import Said


@dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """What opens one account, by field name of the channel's `spec()`; opaque to everybody else."""

    values: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Credentials({', '.join(sorted(self.values))}: hidden)"

    def get(self, name: str, default: str = "") -> str:
        return self.values.get(name) or default


@dataclass(frozen=True, slots=True)
class AccountField:
    """One field of the form that connects an account."""

    name: str
    kind: Literal["url", "text", "secret", "choice"]
    label: Said
    hint: Said | None = None
    required: bool = True
    choices: tuple[str, ...] = ()
    default: str = ""

    def text(self, language: str) -> str:
        return self.label.text(language)


@dataclass(frozen=True, slots=True)
class Spec:
    """What a person must fill in to connect a shop, and how fast it may be asked."""

    kind: str
    label: Said
    fields: tuple[AccountField, ...]
    limits: Limits

    def text(self, language: str) -> str:
        return self.label.text(language)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The account works; `issues` are settings of the shop that a person should look at, though nothing is stopped."""

    shop_name: str
    shop_url: str
    issues: tuple[Issue, ...]

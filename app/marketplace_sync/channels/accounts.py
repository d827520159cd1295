"""Accounts with a shop: what opens one, what to ask a person for it, and what its check found."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from app.languages import SOURCE
from app.marketplace_sync.channels.drafts import Issue, Limits


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
    vi: str
    en: str
    help_vi: str = ""
    help_en: str = ""
    required: bool = True
    choices: tuple[str, ...] = ()
    default: str = ""

    def text(self, language: str) -> str:
        return self.vi if language == SOURCE else self.en

    def help(self, language: str) -> str:
        return self.help_vi if language == SOURCE else self.help_en


@dataclass(frozen=True, slots=True)
class Spec:
    """What a person must fill in to connect a shop, and how fast it may be asked."""

    kind: str
    vi: str
    en: str
    fields: tuple[AccountField, ...]
    limits: Limits

    def text(self, language: str) -> str:
        return self.en if language == "en" else self.vi


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The account works; `issues` are settings of the shop that a person should look at, though nothing is stopped."""

    shop_name: str
    shop_url: str
    issues: tuple[Issue, ...]

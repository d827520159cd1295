"""Fields that a channel asks for to connect an account, as the form shows them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.marketplace_sync.channels.accounts import AccountField, Spec
from app.messages import N_
from app.web import words

TYPES = {"url": "url", "secret": "password"}


@dataclass(frozen=True, slots=True)
class AskedField:
    """One field: a choice among `options`, else an input of this type."""

    name: str
    label: str
    type: str
    hint: str
    value: str
    required: bool
    options: Sequence[tuple[str, str]]


def fields_to_connect(spec: Spec) -> list[AskedField]:
    """Everything, nothing chosen yet."""
    return [_asked(f, hint=words(f.hint), value=f.default) for f in spec.fields]


def fields_to_renew(spec: Spec, known: Mapping[str, str]) -> list[AskedField]:
    """New keys for the same shop: its address stays, and what may stay as it was can be left empty."""
    return [
        _asked(
            f,
            hint="" if f.required else words(N_("Để trống thì giữ như cũ.")),
            value=known.get(f.name) or f.default,
        )
        for f in spec.fields
        if f.name != "base_url"
    ]


def _asked(field: AccountField, *, hint: str, value: str) -> AskedField:
    choice = field.kind == "choice"
    return AskedField(
        name=field.name,
        label=words(field),
        type=TYPES.get(field.kind, "text"),
        hint="" if choice else hint,
        value=value if choice else "",
        required=field.required,
        options=[(c, c) for c in field.choices],
    )


def labels(fields: Sequence[AskedField]) -> dict[str, str]:
    """What the fields are called, for the box that says what is wrong."""
    return {f.name: f.label for f in fields}

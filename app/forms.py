"""The makings of the parts' forms: the form itself, and the types of its texts and amounts.

Single numbers, days, moments and ids are in `app.fields`.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, field_validator

from app.db import nfc
from app.errors import Unreadable
from app.fields import Number, Whole
from app.messages import N_


class Form(BaseModel):
    """What somebody sends: it does not change, and nothing is sent in vain."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TidyForm(Form):
    """Every text of it is spelled in one way before it is looked at; not for passwords."""

    @field_validator("*", mode="before")
    @classmethod
    def _compose(cls, value: object) -> object:
        return nfc(value) if isinstance(value, str) else value


def _line(value: str) -> str:
    plain = nfc(value)
    if not plain or not plain.isprintable():
        raise Unreadable("text", N_("Chỉ viết chữ và dấu câu thường."))
    return plain


def _paragraphs(value: str) -> str:
    lines = [nfc(line) for line in value.splitlines()]
    plain = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    if not plain or not plain.replace("\n", "").isprintable():
        raise Unreadable("text", N_("Chỉ viết chữ và dấu câu thường."))
    return plain


Line = Annotated[str, StringConstraints(max_length=200), AfterValidator(_line)]
ShortLine = Annotated[str, StringConstraints(max_length=80), AfterValidator(_line)]
Reason = Annotated[Line, StringConstraints(min_length=3)]
Paragraphs = Annotated[str, StringConstraints(max_length=4000), AfterValidator(_paragraphs)]
Text200 = Annotated[str, StringConstraints(min_length=1, max_length=200)]
DecidedBy = Annotated[str, StringConstraints(min_length=3, max_length=300)]  # the paper on which it was decided
Search = Annotated[str, StringConstraints(max_length=100)]
HttpsLink = Annotated[str, StringConstraints(pattern=r"^https://[^\s]{3,300}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]

Amount = Annotated[Number, Field(ge=0, max_digits=12, decimal_places=3)]
SomeAmount = Annotated[Number, Field(gt=0, max_digits=12, decimal_places=3)]
WaitingDays = Annotated[Whole, Field(ge=0, le=365)]  # from a treatment to the harvest


class Searched(Form):
    """What a form's long choice is searched for: `tim`, in the address."""

    tim: Search = ""

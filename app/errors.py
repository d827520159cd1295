"""The small tree of expected errors: each has a stable code, an HTTP status and a sentence that is said in the reader's language.

HoiError
├── BadAddress (400)       the address itself cannot be read as what it claims to be
├── CutOff (400)           less arrived than was announced: the sender went away, or their line did
├── Invalid (422)          a field is wrong: names the field and the way out
├── Unauthenticated (401)  nobody is signed in
├── Forbidden (403)        signed in, without the right
│   ├── PasswordTold       signed in by a password that somebody else chose: change it first
│   └── FormExpired        the form's token is not the browser's any more: the form is shown again, filled
├── NotFound (404)         no such thing, or not for this actor: the two are never told apart
├── WrongMethod (405)      the address is right, but one only reads there; says which methods it takes
├── NotAcceptable (406)    the page is there, but not in a form that the visitor reads
├── TooSlow (408)          what was sent did not arrive in time
├── Conflict (409)         same identifier, other content; or somebody was faster
├── NoLength (411)         a body whose end nobody could tell from a line that broke
├── TooLarge (413)         over a stated limit
├── TooMany (429)          over a rate limit; carries the seconds to wait
├── Unavailable (503)      something we need does not answer now; carries the seconds to wait
└── SetupError (500)       this installation is not ready: says the command that mends it
"""

from collections.abc import Iterable
from typing import ClassVar

from app.messages import N_, Said


class HoiError(Exception):
    """Never raised directly. `code` is stable; `said` is whole sentences that say the way out."""

    status: ClassVar[int] = 500

    def __init__(self, code: str, said: Said, *, field: str | None = None) -> None:
        super().__init__(f"{code}: {said.text('en')}")
        self.code = code
        self.said = said
        self.field = field

    def text(self, language: str) -> str:
        return self.said.text(language)


class BadAddress(HoiError):
    """The address holds what no address of ours has, or breaks the rules of what it claims to be, such as a GS1 address with two lots."""

    status = 400


class CutOff(HoiError):
    """A body is not the length that was announced."""

    status = 400


class Invalid(HoiError):
    """A value cannot be accepted; `field` names the input."""

    status = 422


class Unreadable(Invalid, ValueError):
    """An Invalid raised while a schema reads; pydantic lets it through with both of its sentences."""


class InvalidMany(Invalid):
    """Several values cannot be accepted; all are told at once."""

    def __init__(self, errors: list[Invalid]) -> None:
        first = errors[0]
        super().__init__(first.code, first.said, field=first.field)
        self.errors = errors


class Unauthenticated(HoiError):
    """Nobody is signed in, or the sign-in has ended."""

    status = 401


class Forbidden(HoiError):
    """The actor is known and lacks the right."""

    status = 403


class PasswordTold(Forbidden):
    """The actor knows a password that somebody else chose: pages lead to its change."""


class FormExpired(Forbidden):
    """A form whose token the browser does not have, or not any more."""


class NotFound(HoiError):
    """There is no such thing for this actor."""

    status = 404


class WrongMethod(HoiError):
    """The address takes other methods only."""

    status = 405

    def __init__(self, allowed: Iterable[str]) -> None:
        super().__init__(
            "wrong_method", N_("Đường dẫn này chỉ để xem, không gửi gì tới đây được. Hãy mở lại trang rồi làm từ đó.")
        )
        self.allowed = ", ".join(sorted(allowed))


class NotAcceptable(HoiError):
    """There is a page, and nothing else: not what the request's Accept header asks for."""

    status = 406

    def __init__(self) -> None:
        super().__init__("not_acceptable", N_("Ở đường dẫn này chỉ có trang để đọc (text/html)."))


class TooSlow(HoiError):
    """A body did not arrive in time."""

    status = 408


class Conflict(HoiError):
    """The state or the content already stored contradicts the request."""

    status = 409


class NoLength(HoiError):
    """A body came without Content-Length."""

    status = 411


class TooLarge(HoiError):
    """Over a limit that the message states."""

    status = 413


class TooMany(HoiError):
    """Over a rate limit."""

    status = 429

    def __init__(self, code: str, said: Said, *, retry_after_seconds: int) -> None:
        super().__init__(code, said)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(HoiError):
    """A server that we need does not answer now, or we have too much to do."""

    status = 503

    def __init__(self, code: str, said: Said, *, retry_after_seconds: int = 30) -> None:
        super().__init__(code, said)
        self.retry_after_seconds = retry_after_seconds


class SetupError(HoiError):
    """The installation lacks something; the text names the command that mends it."""


def not_found(what: Said = N_("trang này")) -> NotFound:  # noqa: B008 - a sentence never changes
    """The one answer for both "does not exist" and "not yours", so that nobody can probe for identifiers."""
    return NotFound(
        "not_found", N_("Không tìm thấy %(what)s. Hãy kiểm tra lại đường dẫn, hoặc về trang đầu.", what=what)
    )


def forbidden() -> Forbidden:
    return Forbidden("forbidden", N_("Tài khoản này không có quyền làm việc đó. Hãy nhờ người quản lý của đơn vị."))

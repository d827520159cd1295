"""Forms that could not be taken, kept for their sender: by whom they were opened, what was typed, and the one reason."""

import secrets
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import current_app, g, request, session
from flask_wtf.csrf import generate_csrf
from itsdangerous import BadData, URLSafeTimedSerializer
from werkzeug.exceptions import RequestEntityTooLarge

from app.actor import PUBLIC
from app.errors import Forbidden, FormExpired, HoiError, Unauthenticated
from app.messages import N_
from app.web.cookies import cookie_name, read_cookie
from app.web.origin import surely_ours
from app.web.process import web
from app.web.visitor import SIGN_IN_COOKIE, actor

LONGEST_KEPT = 64 * 1024  # characters of all fields together
KEPT_SECONDS = 24 * 3600
# Never shown again, and never carried along. A test walks all templates and all channels for names that are missing here.
SECRETS = frozenset({"password", "current", "new", "again", "pin", "consumer_key", "consumer_secret"})
OURS = ("hoi_bieu_mau", "hoi_phien", "hoi_quen", "hoi_may", "hoi_lang")


@dataclass(frozen=True, slots=True)
class Kept:
    """A form that was not taken. `by` is who had opened it, as its `token` says; `files`, which cannot be kept, were with it."""

    path: str
    fields: tuple[tuple[str, str], ...]
    by: UUID | None
    files: bool = False
    token: str = ""

    def texts(self) -> list[str]:
        """What a person typed, to be recognised: words and numbers, no identifiers, no codes of a choice."""
        return [v for _, v in self.fields if " " in v.strip() or not v.isascii() or v.translate(_NUMBER).isdigit()]


_NUMBER = str.maketrans("", "", ".,")


def form_token() -> str:
    """The token of a form, which tells by a sealed mark who opened it: so a form of somebody else's is never sent in one's own name."""
    opener = g.actor.person_id if "actor" in g else None
    known = "actor" in g or not read_cookie(SIGN_IN_COOKIE)
    kept = str(session.get("csrf_token", ""))
    if not kept or (known and _opener(kept) != opener):
        session["csrf_token"] = f"{secrets.token_hex(20)}.{opener.hex if opener else ''}"
        g.pop("csrf_token", None)
    return str(generate_csrf())


def _opener(raw: str) -> UUID | None:
    _, _, mark = raw.partition(".")
    return UUID(mark) if mark else None


def opened_by() -> UUID | None:
    """Who had opened the form that was sent, by the token it carries, however old; None for nobody, or no token of ours."""
    token = request.form.get("csrf_token") or request.headers.get("X-CSRFToken") or ""
    serializer = URLSafeTimedSerializer(str(current_app.secret_key), salt="wtf-csrf-token")
    try:
        return _opener(str(serializer.loads(token)))
    except (BadData, ValueError):
        return None


def why_not_taken() -> HoiError:
    """The one reason why this form's token is not the one that the browser should have."""
    if not any(request.cookies.get(cookie_name(name, web().settings)) or request.cookies.get(name) for name in OURS):
        return FormExpired(
            "cookies_off",
            N_(
                "Trình duyệt này không giữ cookie nên Hồi không nhận được gì. Hãy mở trang bằng trình duyệt của "
                "máy (Chrome, Safari), đừng mở trong Zalo hay Facebook, hoặc cho phép cookie rồi gửi lại."
            ),
        )
    opener, known = opened_by(), actor()
    if known is PUBLIC or known.person_id is None:
        if opener is not None:
            return signed_out()
    elif opener is not None and opener != known.person_id:
        return Forbidden(
            "form_of_another",
            N_(
                "Trang vừa gửi do người khác mở trên máy này, nên chưa ghi gì. Người đó đăng nhập lại rồi gửi; hãy "
                "mở trang mới để ghi việc của mình."
            ),
        )
    return FormExpired(
        "form_expired", N_("Trang này mở đã lâu nên chưa ghi được. Chữ đã viết vẫn còn: xem lại rồi bấm gửi lần nữa.")
    )


def signed_out() -> Unauthenticated:
    return Unauthenticated(
        "signed_out", N_("Đã ra khỏi máy này nên chưa ghi được. Đăng nhập lại rồi gửi: chữ đã viết vẫn còn.")
    )


def keep() -> Kept | None:
    """The form of this request, where the browser says that it comes from a page of ours and it is not too long to carry."""
    if not surely_ours() or request.is_json:
        return None
    try:
        fields = tuple((n, v) for n, v in request.form.items(multi=True) if n != "csrf_token" and n not in SECRETS)
    except RequestEntityTooLarge:
        return None
    if not fields or sum(len(n) + len(v) for n, v in fields) > LONGEST_KEPT:
        return None
    files = any(sent.filename for sent in request.files.values())
    return Kept(request.full_path.rstrip("?"), fields, opened_by(), files, request.form.get("csrf_token", ""))


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(str(current_app.secret_key), salt="hoi-kept-form")


def seal(kept: Kept) -> str:
    """For a hidden field of the sign-in form: nobody but us can make one."""
    by = kept.by.hex if kept.by else ""
    return str(_serializer().dumps([kept.path, [list(f) for f in kept.fields], by, kept.files]))


def unseal(sealed: str) -> Kept | None:
    """None for one that is not ours, or older than a day."""
    try:
        found: Any = _serializer().loads(sealed, max_age=KEPT_SECONDS)
    except BadData:
        return None
    path, fields, by, files = found
    return Kept(str(path), tuple((str(n), str(v)) for n, v in fields), UUID(by) if by else None, bool(files))

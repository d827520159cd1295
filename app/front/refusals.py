"""Refusals of the front itself: rendered when the process starts, since at such a moment nobody has time to render."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

from flask import Flask, render_template

from app.errors import CutOff, HoiError, NoLength, TooMany, TooSlow, Unavailable
from app.front.exchange import Answer, Scope
from app.languages import LANGUAGES, SOURCE
from app.messages import N_
from app.web import LANGUAGE_COOKIE, SECURITY_HEADERS, problem


def slow() -> HoiError:
    return TooSlow(
        "body_too_slow",
        N_(
            "Đường truyền chậm quá nên chưa nhận được hết. Việc vừa gửi chưa được ghi. Hãy tìm chỗ sóng khỏe "
            "hơn rồi gửi lại."
        ),
    )


def cut_off() -> HoiError:
    return CutOff(
        "body_cut_off",
        N_("Đường truyền bị ngắt giữa chừng nên chưa nhận được hết. Việc vừa gửi chưa được ghi. Hãy gửi lại."),
    )


def no_length() -> HoiError:
    return NoLength(
        "length_required", N_("Yêu cầu gửi lên phải nói trước độ dài (Content-Length). Việc vừa gửi chưa được ghi.")
    )


def crowded() -> HoiError:
    return Unavailable(
        "many_at_once",
        N_("Nhiều người đang gửi lên cùng lúc. Việc vừa gửi chưa được ghi. Hãy đợi mươi giây rồi gửi lại."),
        retry_after_seconds=10,
    )


def full() -> HoiError:
    return Unavailable(
        "web_busy",
        N_("Máy chủ đang có quá nhiều việc cùng lúc. Việc vừa gửi chưa được ghi. Hãy đợi mươi giây rồi thử lại."),
        retry_after_seconds=10,
    )


@dataclass(frozen=True, slots=True)
class Refusals:
    """The answers by code and language, as a page and as problem details."""

    pages: Mapping[tuple[str, str], tuple[bytes, bytes]] = field(default_factory=dict)

    @classmethod
    def rendered(cls, app: Flask) -> "Refusals":
        """As the application renders its errors."""
        made: dict[tuple[str, str], tuple[bytes, bytes]] = {}
        for error in (slow(), cut_off(), no_length(), crowded(), full()):
            for language in LANGUAGES:
                with app.test_request_context(f"/?lang={language}"):
                    html = render_template("error.html", error=error).encode()
                    made[error.code, language] = (html, json.dumps(problem(error), ensure_ascii=False).encode())
        return cls(made)

    def answer(self, error: HoiError, scope: Scope) -> Answer:
        language = language_of(scope)
        html, details = self.pages.get((error.code, language)) or (error.text(language).encode(), b"{}")
        machine = wants_json(scope)
        body = details if machine else html
        kind = "application/problem+json" if machine else "text/html; charset=utf-8"
        headers = [*SECURITY_HEADERS.items(), ("Content-Type", kind), ("Content-Length", str(len(body)))]
        headers.append(("Cache-Control", "no-store"))
        if isinstance(error, TooMany | Unavailable):
            headers.append(("Retry-After", str(error.retry_after_seconds)))
        return Answer(error.status, headers, body)


def wants_json(scope: Scope) -> bool:
    """As app.web does it, without a request of Flask's."""
    accept: str = scope.headers.get("accept", "")
    sent: Any = scope.headers.get("content-type", "")
    return scope.path.startswith("/api/") or "json" in sent or ("json" in accept and "html" not in accept)


def language_of(scope: Scope) -> str:
    asked = parse_qs(scope.query_string).get("lang", [""])[0]
    if not asked:
        try:
            morsel = SimpleCookie(scope.headers.get("cookie", "")).get(LANGUAGE_COOKIE)
        except CookieError:
            morsel = None
        asked = morsel.value if morsel is not None else ""
    return asked if asked in LANGUAGES else SOURCE

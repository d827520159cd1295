"""One careful HTTP attempt to somebody else's server: pinned address, limits, no redirects, no secrets in any text."""

import base64
import contextlib
import functools
import logging
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote

import httpx

from app import answering, clock
from app.addresses import split_address
from app.marketplace_sync.channels.addresses import PORTS, is_public
from app.marketplace_sync.channels.errors import OutcomeUnknown, Permanent, Retryable, Validation
from app.messages import N_, Said

RAW_LENGTH: Final = 500
LONGEST_WAIT: Final = timedelta(days=1)
USER_AGENT: Final = "Hoi/1 (OCOP channel sync)"

_SECRET_PARAMETER = re.compile(
    r"((?:oauth_\w+|consumer_key|consumer_secret|access_token|refresh_token|sign)=)[^&\s\"']+", re.IGNORECASE
)
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?|[0-9a-f:.]+")
_SECRET_HEADER = re.compile(r"(authorization\W{1,4}(?:basic|bearer|oauth)\s+)[^\s\"',]+", re.IGNORECASE)


class _NoQuery(logging.Filter):
    """httpx logs whole addresses, and some marketplaces want keys and signatures in the query."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                arg.copy_with(query=None, userinfo=b"") if isinstance(arg, httpx.URL) else arg for arg in record.args
            )
        return True


logging.getLogger("httpx").addFilter(_NoQuery())


class Redactor:
    """Blanks known secrets, in every form in which they travel, and cuts the text."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = [secret for secret in secrets if secret]
        pairs = [f"{a}:{b}" for a in known for b in known]
        forms = {*known, *(quote(s, safe="") for s in known), *(base64.b64encode(p.encode()).decode() for p in pairs)}
        self._forms = sorted(forms, key=len, reverse=True)

    def __repr__(self) -> str:
        return "Redactor(hidden)"

    def __call__(self, text: str) -> str:
        for form in self._forms:
            text = text.replace(form, "•••")
        text = _SECRET_PARAMETER.sub(r"\1•••", text)
        return _SECRET_HEADER.sub(r"\1•••", text)[:RAW_LENGTH]


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `total` bounds an answer that keeps dripping; `conversation` bounds all requests of one Http together.

    A conversation must end before its caller's lease does: an old write that arrives after a newer one undoes it.
    """

    connect: float = 10
    read: float = 30
    total: float = 60
    conversation: float = 70


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


def bad_address(code: str, said: Said) -> Validation:
    return Validation(code, said, field="base_url")


def check_url(url: str) -> str:
    """The address as scheme://host[:port]/path without a trailing slash. Raises Validation for anything odd."""
    parts = split_address(url.strip())
    port = parts.port
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise bad_address(
            "address_scheme",
            N_("Địa chỉ gian hàng phải bắt đầu bằng https:// hoặc http://, ví dụ https://gianhang.vn."),
        )
    if parts.username is not None or parts.password is not None:
        raise bad_address("address_userinfo", N_("Không ghi tên hay mật khẩu trong địa chỉ gian hàng."))
    if parts.query or parts.fragment:
        raise bad_address("address_query", N_("Địa chỉ gian hàng không có phần sau dấu ? hoặc #."))
    try:
        bracketed = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        host = httpx.URL(f"{parts.scheme}://{bracketed}").raw_host.decode()
    except (httpx.InvalidURL, UnicodeError):
        host = ""
    if not _HOST.fullmatch(host):
        raise bad_address("address_host", N_("Tên miền của gian hàng không đúng."))
    host = f"[{host}]" if ":" in host else host
    suffix = "" if port is None or port == {"http": 80, "https": 443}[parts.scheme] else f":{port}"
    return f"{parts.scheme}://{host}{suffix}{parts.path.rstrip('/')}"


def resolve(host: str, port: int) -> list[str]:
    """All addresses of a host, in the system's order. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def same_shop(url: str, base_url: str) -> bool:
    """Whether both are the same host, with or without www.; ports may differ only between plain and encrypted defaults."""
    defaults = {None, 80, 443}
    one, two = split_address(url), split_address(base_url)
    ports_agree = one.port == two.port or {one.port, two.port} <= defaults
    hosts_agree = (one.hostname or "").removeprefix("www.") == (two.hostname or "").removeprefix("www.")
    return one.scheme in {"http", "https"} and one.username is None and hosts_agree and ports_agree


def same_page(url: str, other: str) -> bool:
    """Whether two addresses of one shop name the same page: scheme, www., a last slash and added parameters aside."""
    one, two = split_address(url), split_address(other)
    asked, got = set(parse_qsl(one.query)), set(parse_qsl(two.query))
    return unquote(one.path).rstrip("/") == unquote(two.path).rstrip("/") and asked <= got


def retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """RFC 9110 §10.2.3: seconds or an HTTP date; nonsense counts as not said. Never under a second or over a day."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        wait = timedelta(seconds=float(value))
    except (ValueError, OverflowError):
        try:
            moment = parsedate_to_datetime(value)
        except (ValueError, TypeError):
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        wait = moment - clock.machine_now()
    return min(max(wait, timedelta(seconds=1)), LONGEST_WAIT)


@functools.cache
def _trusted() -> ssl.SSLContext:
    """The authorities that everybody trusts, read once: that costs more than most conversations."""
    return httpx.create_ssl_context(trust_env=False)


class Http:
    """Sends single requests. Private and special addresses are refused unless the installation is a sandbox.

    The name is looked up once a conversation, checked, and the connection made to that very address, so a name server
    cannot show one address to the check and another to the call. One request at a time; `twin` for more.
    """

    def __init__(
        self,
        *,
        allow_private: bool,
        redact: Redactor,
        timeouts: Timeouts | None = None,
        max_bytes: int = 8_000_000,
        transport: httpx.BaseTransport | None = None,
        resolver: Callable[[str, int], list[str]] = resolve,
    ) -> None:
        self._allow_private = allow_private
        self._redact = redact
        self._timeouts = timeouts or Timeouts()
        self._max_bytes = max_bytes
        self._resolve = resolver
        self._transport = transport
        self._deadline = time.monotonic() + self._timeouts.conversation
        self._lines: list[socket.socket] = []
        self._known: dict[tuple[str, int], list[str]] = {}
        self._client = httpx.Client(
            transport=transport,
            verify=_trusted(),
            follow_redirects=False,
            trust_env=False,
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
        )

    def close(self) -> None:
        self._client.close()
        for line in self._lines:
            line.close()

    def twin(self) -> "Http":
        """Another one on lines of its own, in the same conversation: for a request beside this one's. To be closed too."""
        twin = Http(
            allow_private=self._allow_private,
            redact=self._redact,
            timeouts=self._timeouts,
            max_bytes=self._max_bytes,
            transport=self._transport,
            resolver=self._resolve,
        )
        twin._deadline, twin._known = self._deadline, self._known
        return twin

    def send(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        writes: bool,
    ) -> Answer:
        """One attempt, never while a request is answered. Raises Retryable when nothing can have been received (also because the conversation's time is up),
        or when a read failed; OutcomeUnknown when a write was sent and no whole answer came back.
        """
        answering.refuse_calls()
        target = httpx.URL(url, params=params) if params else httpx.URL(url)
        host = target.raw_host.decode()
        where = (host, target.port or (443 if target.scheme == "https" else 80))
        addresses = self._known.get(where) or self._known.setdefault(where, self._addresses(*where))
        for last, address in ((place == len(addresses) - 1, item) for place, item in enumerate(addresses)):
            request = self._client.build_request(
                method,
                target.copy_with(host=address),
                headers={**(headers or {}), "Host": target.netloc.decode()},
                content=body,
                timeout=self._time_left(host),
                extensions={"sni_hostname": host, "trace": self._note_line},
            )
            try:
                return self._exchange(request)
            except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
                if last:
                    raise self._unreachable(host, error) from None
            except _TooLarge:
                raise self._too_large(writes=writes) from None
            except _Dripping:
                raise self._lost("answer_too_slow", host, "dripping answer", writes=writes) from None
            except httpx.TransportError as error:
                raise self._lost("answer_lost", host, f"{type(error).__name__}: {error}", writes=writes) from None
        raise AssertionError  # pragma: no cover - _addresses never returns an empty list

    def _time_left(self, host: str) -> httpx.Timeout:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise Retryable(
                "out_of_time", N_("%(host)s trả lời quá chậm nên lần này dừng lại. Hệ thống sẽ tự thử lại.", host=host)
            )
        return httpx.Timeout(min(self._timeouts.read, left), connect=min(self._timeouts.connect, left))

    def _note_line(self, event: str, info: Mapping[str, object]) -> None:
        """Keep a handle of our own on each connection: only so can it be ended from another thread."""
        if event == "connection.connect_tcp.complete":
            stream: Any = info["return_value"]  # an httpcore.NetworkStream
            self._lines.append(stream.get_extra_info("socket").dup())

    @contextmanager
    def _ended_at(self, deadline: float) -> Iterator[None]:
        """Httpx bounds each read, so whoever drips (headers, a handshake) is never too slow for it: hang up at the deadline.

        Raises _Dripping when that was done.
        """
        hung_up = threading.Event()

        def hang_up() -> None:
            hung_up.set()
            for line in self._lines:
                with contextlib.suppress(OSError):
                    line.shutdown(socket.SHUT_RDWR)

        alarm = threading.Timer(deadline - time.monotonic(), hang_up)
        alarm.daemon = True
        alarm.start()
        try:
            yield
        except httpx.TransportError:
            if hung_up.is_set():
                raise _Dripping from None
            raise
        finally:
            alarm.cancel()

    def _exchange(self, request: httpx.Request) -> Answer:
        deadline = min(time.monotonic() + self._timeouts.total, self._deadline)
        with self._ended_at(deadline):
            return self._read_answer(request, deadline)

    def _read_answer(self, request: httpx.Request, deadline: float) -> Answer:
        response = self._client.send(request, stream=True)
        try:
            body = bytearray()
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > self._max_bytes:
                    raise _TooLarge
                if time.monotonic() > deadline:
                    raise _Dripping
            return Answer(response.status_code, response.headers, bytes(body))
        except httpx.DecodingError:
            return Answer(response.status_code, response.headers, b"")
        finally:
            response.close()

    def _addresses(self, host: str, port: int) -> list[str]:
        if not self._allow_private and port not in PORTS:
            raise bad_address(
                "address_port",
                N_("Địa chỉ gian hàng chỉ dùng được cổng 80 hoặc 443, không dùng cổng %(port)s.", port=port),
            )
        try:
            addresses = self._resolve(host.strip("[]"), port)
        except OSError:
            addresses = []
        if not addresses:
            raise Retryable(
                "name_not_found",
                N_("Không tìm thấy máy chủ %(host)s. Hãy xem lại địa chỉ gian hàng, hoặc đợi mạng ổn định.", host=host),
            )
        if not self._allow_private and any(not is_public(address) for address in addresses):
            raise bad_address(
                "address_private",
                N_(
                    "Địa chỉ %(host)s nằm trong mạng nội bộ nên không được dùng. Hãy nhập địa chỉ công khai của gian "
                    "hàng.",
                    host=host,
                ),
            )
        return addresses

    def _unreachable(self, host: str, error: Exception) -> Retryable:
        if "CERTIFICATE" in str(error).upper() or "SSL" in str(error).upper():
            return Retryable(
                "tls",
                N_(
                    "Chứng chỉ bảo mật của %(host)s không hợp lệ. Hãy nhờ người quản trị gian hàng sửa chứng chỉ https.",
                    host=host,
                ),
                raw=self._redact(str(error)),
            )
        return Retryable(
            "unreachable",
            N_("Không kết nối được tới %(host)s. Hệ thống sẽ tự thử lại.", host=host),
            raw=self._redact(f"{type(error).__name__}: {error}"),
        )

    @staticmethod
    def _too_large(*, writes: bool) -> Permanent | OutcomeUnknown:
        kind = OutcomeUnknown if writes else Permanent
        return kind(
            "answer_too_large",
            N_("Gian hàng trả lời quá dài nên hệ thống không đọc tiếp. Hãy báo người quản trị gian hàng."),
        )

    def _lost(self, code: str, host: str, raw: str, *, writes: bool) -> Retryable | OutcomeUnknown:
        raw = self._redact(raw)
        if writes:
            return OutcomeUnknown(
                code,
                N_(
                    "Đã gửi tới %(host)s nhưng không nhận được trả lời. Hệ thống sẽ tra lại xem gian hàng đã nhận chưa.",
                    host=host,
                ),
                raw=raw,
            )
        return Retryable(
            code,
            N_("%(host)s chưa trả lời trọn vẹn. Hệ thống sẽ tự thử lại.", host=host),
            raw=raw,
        )


class _TooLarge(Exception):
    """Never leaves this module."""


class _Dripping(Exception):
    """Never leaves this module."""

"""Seeded nonsense for forms and JSON: what a broken phone, a bored youth or a scanner of holes would send."""

import json
import random
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

SCALARS: tuple[str, ...] = (
    "",
    " ",
    "\x00",
    "a\x00b",
    "\ud800",
    "ok\udfffok",
    "\ufeff",
    "\u202e\u2066đảo",
    "A\u0300" * 300,
    "ờ" * 5000,
    "x" * 100_000,
    "0",
    "-1",
    "-0",
    "1e308",
    "1e-400",
    "NaN",
    "Infinity",
    "-Infinity",
    "９９９",
    "٣",
    "9" * 400,
    "0.0000000001",
    "1,5",
    "1.234.567,8",
    "99999999999999999999",
    "2147483648",
    "9223372036854775808",
    "0001-01-01",
    "9999-12-31",
    "9999-12-31T23:59:59.999999+00:00",
    "0001-01-01T00:00:00+14:00",
    "2026-02-30",
    "31/02/2026",
    "10000-01-01",
    "-0001-01-01",
    "2026-11-23T10:00:00",
    "null",
    "true",
    "[]",
    "{}",
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "018f0000-0000-7000-8000-00000000000",
    "{018f0000-0000-7000-8000-000000000001}",
    "' OR 1=1 --",
    "%s %(x)s {0} {{7*7}} ${7*7}",
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "../../../../etc/passwd",
    "http://169.254.169.254/latest/meta-data",
    "javascript:alert(1)",
    "https://[::1",
    "https://" + "a" * 70_000 + ".vn",
    "http://user:pass@host:99999/",
    "https://xn--",
    "\r\nSet-Cookie: a=b",
    "0912 345 678",
    "+84" + "9" * 30,
    "😀" * 1000,
    "kg:99999999999.9999",
    "kg:-1",
    "farmer",
    "administrator",
)
JSON_VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    10**30,
    1e308,
    float("nan"),
    float("inf"),
    [],
    {},
    [[]],
    [None] * 500,
    {"": {}},
    {"\x00": "\x00"},
)


def deep(depth: int) -> bytes:
    return b'{"items":' + b"[" * depth + b"]" * depth + b"}"


@dataclass
class Form:
    """What a page's form would send: names with their first values."""

    fields: list[tuple[str, str]] = field(default_factory=list)


class Forms(HTMLParser):
    """Reads the forms of a page."""

    VOID: ClassVar = {"input", "button"}

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._select: str | None = None
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._inside = given.get("method", "get").lower() == "post"
            if self._inside:
                self.forms.append(Form())
        if not self._inside:
            return
        name = given.get("name", "")
        if tag in {"input", "button", "textarea"} and name:
            self.forms[-1].fields.append((name, given.get("value", "")))
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and given.get("value"):
            self.forms[-1].fields.append((self._select, given["value"]))
            self._select = None

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False


@dataclass(frozen=True, slots=True)
class Sent:
    """One request's body."""

    what: str
    content_type: str
    body: bytes


class Nonsense:
    """The same seed gives the same nonsense for the same forms."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def scalar(self) -> str:
        if self.random.random() < 0.15:
            return "".join(chr(self.random.randrange(1, 0xD7FF)) for _ in range(self.random.randrange(1, 40)))
        return self.random.choice(SCALARS)

    def value(self, depth: int = 0) -> Any:
        dice = self.random.random()
        if dice < 0.5 or depth > 3:
            return self.scalar()
        if dice < 0.8:
            return self.random.choice(JSON_VALUES)
        if dice < 0.9:
            return [self.value(depth + 1) for _ in range(self.random.randrange(4))]
        return {self.scalar()[:50]: self.value(depth + 1) for _ in range(self.random.randrange(4))}

    def body(self, form: Form) -> Sent:
        kinds = (
            [self.mutated] * 8
            + [self.json] * 4
            + [self.multipart] * 3
            + [self.bytes_, self.many_fields, self.deep_json, self.huge]
        )
        return self.random.choice(kinds)(form)

    def mutated(self, form: Form) -> Sent:
        """A form as its page would send it, but for one to three fields."""
        fields = list(form.fields)
        for _ in range(self.random.randrange(1, 4)):
            if not fields:
                fields.append((self.random.choice(["id", "name", "kind", "version"]), ""))
            place = self.random.randrange(len(fields))
            dice = self.random.random()
            if dice < 0.15:
                fields.pop(place)
            elif dice < 0.25:
                fields.append((fields[place][0], self.scalar()))
            elif dice < 0.32:
                fields.append((self.scalar()[:200], self.scalar()))
            else:
                fields[place] = (fields[place][0], self.scalar())
        body = urlencode(fields, errors="surrogatepass").encode()
        if self.random.random() < 0.1:
            body += b"&id=%ff%fe%00&name=%ed%a0%80&%=%zz&=&&;"
        return Sent("form", "application/x-www-form-urlencoded", body)

    def json(self, form: Form) -> Sent:
        value: Any = dict(form.fields)
        if self.random.random() < 0.3:
            value = self.value()
        else:
            for name in list(value) or ["id"]:
                if self.random.random() < 0.4:
                    value[name] = self.value()
        return Sent("json", "application/json", json.dumps(value).encode())

    def multipart(self, form: Form) -> Sent:
        edge = "ranh-gioi-x".replace("-", "")
        parts: list[bytes] = []
        for name, value in [*form.fields, ("photo", ""), ("file", "")][:40]:
            if self.random.random() < 0.2 or name in {"photo", "file"}:
                file_name = self.random.choice(["a.png", "a\x00.csv", "../../x", "", "é" * 500, "bảng.xlsx"])
                head = f'Content-Disposition: form-data; name="{name}"; filename="{file_name}"\r\n'
                head += self.random.choice(["", "Content-Type: image/png\r\n", "Content-Type: text/csv\r\n"])
                content = self.random.choice([b"", b"\x89PNG\r\n\x1a\n", b"PK\x03\x04", self.random.randbytes(500)])
            else:
                head = f'Content-Disposition: form-data; name="{quote(name, safe="")}"\r\n'
                chosen = value if self.random.random() < 0.7 else self.scalar()
                content = chosen.encode(errors="surrogatepass")
            parts.append(f"--{edge}\r\n{head}\r\n".encode() + content + b"\r\n")
        end = self.random.choice([f"--{edge}--\r\n".encode(), b"", b"--"])
        return Sent("multipart", f"multipart/form-data; boundary={edge}", b"".join(parts) + end)

    def bytes_(self, _form: Form) -> Sent:
        kinds = ["application/json", "application/x-www-form-urlencoded", "multipart/form-data", "text/plain", "", "💥"]
        kinds += [
            "application/json; charset=utf-16",
            "multipart/form-data; boundary=",
            "application/offset+octet-stream",
        ]
        return Sent("bytes", self.random.choice(kinds), self.random.randbytes(self.random.randrange(0, 3000)))

    def many_fields(self, form: Form) -> Sent:
        name = self.random.choice(form.fields)[0] if form.fields else "id"
        body = "&".join(f"{quote(name)}{'' if self.random.random() < 0.5 else n}={n}" for n in range(10_000))
        return Sent("10,000 fields", "application/x-www-form-urlencoded", body.encode())

    def deep_json(self, _form: Form) -> Sent:
        return Sent("deep json", "application/json", deep(self.random.choice([200, 5_000, 100_000])))

    def huge(self, form: Form) -> Sent:
        name = self.random.choice(form.fields)[0] if form.fields else "note"
        size = self.random.choice([900_000, 3_000_000])
        return Sent("huge", "application/x-www-form-urlencoded", urlencode({name: "ă" * (size // 6)}).encode())

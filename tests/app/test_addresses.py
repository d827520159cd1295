"""No address that somebody wrote raises."""

import pytest

from app.addresses import origin, split_address
from app.settings import ROOT


@pytest.mark.parametrize(
    "text", ["http://[x", "https://[x]/a", "//[", "http://a:b/", "http://a:99999/", "\x00", "\ud800"]
)
def test_what_is_no_address_has_no_parts(text: str) -> None:
    parts = split_address(text)
    assert (parts.scheme, parts.netloc, parts.hostname, parts.port) == ("", "", None, None)


def test_an_address_has_its_parts() -> None:
    parts = split_address("https://ai@hoi.vn:8443/t/1?a=b#c")
    assert (parts.scheme, parts.hostname, parts.port, parts.path, parts.query) == (
        "https",
        "hoi.vn",
        8443,
        "/t/1",
        "a=b",
    )


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("https://Hoi.Langson.vn:443", "https://hoi.langson.vn"),
        ("HTTPS://hoi.langson.vn/", "https://hoi.langson.vn"),
        ("http://Hoi.langson.vn:80/x?y", "http://hoi.langson.vn"),
        ("http://hoi.langson.vn:443", "http://hoi.langson.vn:443"),
        ("https://hoi.langson.vn:8443", "https://hoi.langson.vn:8443"),
        ("https://Hồi.Lạngsơn.vn", "https://xn--hi-p9s.xn--lngsn-xob8703c.vn"),
        ("https://[2001:DB8::7]:443", "https://[2001:db8::7]"),
        ("https://ai@hoi.vn", ""),
        ("ftp://hoi.vn", ""),
        ("https://", ""),
        ("https://a..b", ""),
        ("null", ""),
        ("http://[x", ""),
    ],
)
def test_an_origin_is_written_as_a_browser_writes_it(text: str, written: str) -> None:
    assert (origin(text), origin(origin(text))) == (written, written)


def test_nothing_else_takes_addresses_apart_by_what_raises() -> None:
    found = [
        str(file.relative_to(ROOT))
        for file in sorted((ROOT / "app").rglob("*.py"))
        if "urlsplit" in file.read_text() or "urlparse" in file.read_text()
    ]
    assert found == ["app/addresses.py", "app/broker.py"], (
        "the other one reads a setting of many hosts, and says so when it is none"
    )

"""Addresses that people and other companies' programs wrote."""

from typing import Final
from urllib.parse import SplitResult, urlsplit

DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def split_address(text: str) -> SplitResult:
    """The parts of an address; every part is empty where it is none, for example with half a bracket. Never raises."""
    try:
        parts = urlsplit(text)
        _ = parts.port  # it is read only here, and raises for what is no port
    except ValueError:
        return SplitResult("", "", "", "", "")
    return parts


def origin(text: str) -> str:
    """The origin of a web address as a browser writes it (RFC 6454, section 6.2): the host in lower case and in its ASCII form
    (RFC 3490), the port only where it is not the scheme's own. Empty for what has none, or names a user.
    """
    parts = split_address(text)
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    try:
        host = host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return ""
    port = "" if parts.port in {None, DEFAULT_PORTS[parts.scheme]} else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"

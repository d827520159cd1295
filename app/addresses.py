"""Addresses that people and other companies' programs wrote."""

from urllib.parse import SplitResult, urlsplit


def split_address(text: str) -> SplitResult:
    """The parts of an address; every part is empty where it is none, for example with half a bracket. Never raises."""
    try:
        parts = urlsplit(text)
        _ = parts.port  # it is read only here, and raises for what is no port
    except ValueError:
        return SplitResult("", "", "", "", "")
    return parts

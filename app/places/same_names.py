"""Names that may be one without being it: people ask before they are taken for two. What is one name, `app.db.identity` says."""

import re

from app.db import identity

_BETWEEN = re.compile(r"[\s\-–.,:;'’\"“”()/&+°]+")
_ZEROS = re.compile(r"(?<!\d)0+(?=\d)")


def near_name_key(name: str) -> str:
    """Equal for “Thôn 1” and “Thôn 01”, “Nà-Mẫu” and “Nà Mẫu”."""
    return _ZEROS.sub("", _BETWEEN.sub(" ", identity(name))).strip()

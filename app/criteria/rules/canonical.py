"""One form for everything that is hashed or stored: sorted keys, no spaces, UTF-8."""

import hashlib
import json


def canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def digest(value: object) -> str:
    return hashlib.sha256(canonical(value).encode()).hexdigest()

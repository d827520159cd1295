"""Style sheets, scripts and drawings, compressed once."""

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass, field
from pathlib import Path

from app.front.memory import Headers
from app.settings import ROOT
from app.web import SECURITY_HEADERS

STATIC = ROOT / "app" / "static"


@dataclass(frozen=True, slots=True)
class StaticText:
    """A style sheet, script or drawing, compressed once: Flask would send it as it is, three times as long."""

    body: bytes
    headers: Headers
    version: str
    etag: str = field(default="")

    @classmethod
    def read(cls, file: Path) -> "StaticText":
        raw = file.read_bytes()
        digest = hashlib.sha256(raw).hexdigest()
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        headers = [
            ("Content-Type", f"{kind}; charset=utf-8"),
            ("Content-Encoding", "gzip"),
            ("Vary", "Accept-Encoding"),
            ("ETag", f'"{digest[:24]}-gz"'),
            *SECURITY_HEADERS.items(),
        ]
        return cls(gzip.compress(raw, 9, mtime=0), headers, digest[:10], f'"{digest[:24]}-gz"')


def static_texts(folder: Path) -> dict[str, StaticText]:
    """Every text file under static/ by its address."""
    return {
        f"/static/{file.relative_to(folder).as_posix()}": StaticText.read(file)
        for suffix in ("css", "js", "svg")
        for file in folder.rglob(f"*.{suffix}")
    }

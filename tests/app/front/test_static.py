"""Static text is compressed once."""

import gzip
import hashlib

from app.front.layer import Front
from app.front.static import STATIC
from tests.app.front.pages import Answer


def test_static_text_is_compressed_once_and_kept_for_ever_under_its_hash(app: Front) -> None:
    raw = (STATIC / "public.css").read_bytes()
    version = hashlib.sha256(raw).hexdigest()[:10]
    answer = Answer(app, "/static/public.css", f"v={version}", accept_encoding="gzip")
    assert gzip.decompress(answer.body) == raw
    assert "immutable" in answer.headers["Cache-Control"]
    assert answer.headers["Content-Type"] == "text/css; charset=utf-8"
    other = Answer(app, "/static/public.css", "v=0000000000", accept_encoding="gzip")
    assert "immutable" not in other.headers["Cache-Control"]
    again = Answer(app, "/static/public.css", accept_encoding="gzip", if_none_match=answer.headers["ETag"])
    assert (again.status, again.body) == (304, b"")
    assert Answer(app, "/static/public.css").headers == {"X-From": "flask"}

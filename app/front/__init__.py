"""The WSGI layer before Flask: serves stored public pages and counts scans."""

from app.front.layer import create
from app.front.memory import MOST_PAGES
from app.front.static import STATIC
from app.front.stored import connect

__all__ = [
    "MOST_PAGES",
    "STATIC",
    "connect",
    "create",
]

"""The layer before Flask: serves stored public pages, counts scans, and gives a thread only to what has come in whole."""

from app.front.layer import create
from app.front.memory import MOST_PAGES
from app.front.static import STATIC
from app.front.stored import connect

"""Pages of village, commune and province officials: the answer first, then why, then the record; one module a noun."""

from app.doors.official.routes import roll_ups, tables, village
from app.doors.official.routes.base import blueprint

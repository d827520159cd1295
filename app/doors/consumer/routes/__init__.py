"""The page behind a code, the form to type one, and labels."""

from app.doors.consumer.routes.labels import label_pages
from app.doors.consumer.routes.scan import blueprint, render

"""Queries of the desk, by a fixed number of statements however many members, lots and listings there are: one module for each noun."""

from app.doors.cooperative.queries.certifier import finding_to_correct, site_to_see, sites_to_see
from app.doors.cooperative.queries.numbers import numbers
from app.doors.cooperative.queries.on_sale import colleagues_count, on_sale
from app.doors.cooperative.queries.today import today

"""The farmer's pages and the address where phones hand in what they kept, one module a noun."""

from app.doors.farmer.routes import diary, home, phone_items, sites, step
from app.doors.farmer.routes.base import blueprint, items

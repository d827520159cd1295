"""Pages of the desk for sites, the diary, batches, codes and stock, one module a noun."""

from app.trace.routes import batches, diary, sites, stock
from app.trace.routes.base import blueprint

"""Every table of the application, imported once so that migrations and checks see them all."""

from app import audit, jobs, media, outbox, retention
from app.accounts import models as accounts
from app.criteria import models as criteria
from app.db import Base
from app.marketplace_sync import models as marketplace_sync
from app.notices import models as notices
from app.places import models as places
from app.products import models as products
from app.trace import models as trace

MODULES = (
    criteria,
    marketplace_sync,
    audit,
    jobs,
    outbox,
    retention,
    media,
    places,
    accounts,
    notices,
    products,
    trace,
)
ALL = tuple(Base.metadata.sorted_tables)

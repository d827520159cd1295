"""Questions about sites, the diary, batches, codes and stock: one module for each noun, the names others use listed here."""

from app.trace.queries.batches import (
    BatchState,
    batch,
    batch_by_code,
    batch_lines,
    batches_of_products,
    batches_of_site,
    codes_of,
    events_of,
    is_held,
    next_lot,
    standing,
    standings,
)
from app.trace.queries.chains import current_logs, root_id
from app.trace.queries.diary import (
    DiaryLine,
    care_log,
    care_logs_of_cycle,
    chain,
    conflicts_of,
    diary_of_site,
    logs_in_window,
    points_to_file,
    recent_materials,
)
from app.trace.queries.farmer_day import FarmerSite, FarmerToday, today_for_farmer
from app.trace.queries.pre_harvest import Waiting, harvest_allowed_from, too_early, waiting
from app.trace.queries.public import public_batch
from app.trace.queries.rights import PAGE, may_handle, may_write, may_write_for
from app.trace.queries.sites import cycle, cycles_of, site, site_lines, village_of_sites, villages_of_site
from app.trace.queries.sources import harvests, left_of, sources_of, used_of_harvests
from app.trace.queries.stock import movement_of_batch, movements_of

__all__ = [
    "PAGE",
    "BatchState",
    "DiaryLine",
    "FarmerSite",
    "FarmerToday",
    "Waiting",
    "batch",
    "batch_by_code",
    "batch_lines",
    "batches_of_products",
    "batches_of_site",
    "care_log",
    "care_logs_of_cycle",
    "chain",
    "codes_of",
    "conflicts_of",
    "current_logs",
    "cycle",
    "cycles_of",
    "diary_of_site",
    "events_of",
    "harvest_allowed_from",
    "harvests",
    "is_held",
    "left_of",
    "logs_in_window",
    "may_handle",
    "may_write",
    "may_write_for",
    "movement_of_batch",
    "movements_of",
    "next_lot",
    "points_to_file",
    "public_batch",
    "recent_materials",
    "root_id",
    "site",
    "site_lines",
    "sources_of",
    "standing",
    "standings",
    "today_for_farmer",
    "too_early",
    "used_of_harvests",
    "village_of_sites",
    "villages_of_site",
    "waiting",
]

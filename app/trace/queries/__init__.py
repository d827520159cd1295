"""Questions about sites, the diary, batches, codes and stock: one module for each noun, the names others use listed here."""

from app.trace.queries.batches import (
    BatchStanding,
    Wanted,
    batch,
    batch_list,
    batches_naming_organisation,
    batches_naming_person,
    batches_naming_place,
    batches_of_products,
    batches_of_site,
    codes_of,
    events_of,
    hold_of,
    is_held,
    lots_of_harvest,
    next_lot,
    public_reason,
    showing,
    sites_of_batches,
    standing,
    standings,
)
from app.trace.queries.chains import current_logs, last_of_chain, root_id
from app.trace.queries.diary import (
    Diary,
    DiaryLine,
    care_log,
    chain,
    conflicts,
    conflicts_of,
    diary_of_site,
    logs_in_window,
    points_to_file,
    recent_materials,
    steps_of_cycles,
    steps_of_no_cycle,
)
from app.trace.queries.farmer_sites import FarmerSite, farmer_sites
from app.trace.queries.pre_harvest import (
    UNKNOWN_WAIT_DAYS,
    Waiting,
    binding,
    binds_longest,
    harvest_allowed_from,
    too_early,
    waiting,
    waiting_after,
)
from app.trace.queries.sites import (
    Holder,
    SiteList,
    batched_to,
    cycle,
    cycles_of,
    holders_of_sites,
    site,
    site_lines,
    site_list,
    village_of_sites,
    villages_of_sites,
)
from app.trace.queries.sources import (
    HARVEST_DAYS,
    Harvest,
    harvest_day,
    harvest_days,
    harvests,
    left_of,
    sources_of,
    used_of_harvests,
)
from app.trace.queries.stock import Ledger, is_taken_back, ledger, moved, movement_of_batch, totals_of
from app.trace.queries.writers import written_from_outside

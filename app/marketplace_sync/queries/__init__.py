"""Queries of what is on sale where, and of what an organisation wants of its accounts: one module for each noun, the names others use listed here."""

from app.marketplace_sync.queries.about_me import about_me
from app.marketplace_sync.queries.channel_accounts import account, account_check, accounts_of
from app.marketplace_sync.queries.declared import (
    Look,
    Looks,
    declared_list,
    declared_listing,
    declared_looks,
    is_of_the_seller,
    points_to_file,
)
from app.marketplace_sync.queries.evidence import Evidence, live_evidence
from app.marketplace_sync.queries.floors import (
    counted_floors,
    floor_decisions,
    floor_of_host,
    floors,
    floors_as_counted,
)
from app.marketplace_sync.queries.listings import (
    calls,
    listing,
    listing_list,
    product_names,
    sightings,
    waits_for_seller,
)
from app.marketplace_sync.queries.offers import RETIRED, Offer, first_offers, is_retired, obstacle, offer_list

"""The one table of side effects: which verb answers which event.

A reaction takes (session, actor, event), runs as SYSTEM in the transaction that also marks it done, may run twice, and
reads the state when it runs. Work that calls another company is a `Call`: claim, call, record (three steps, no
transaction open during the call).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.accounts.events import CardScanned, ConsentChanged, DataRequestReceived, OrganisationChanged, PersonErased
from app.actor import Actor
from app.criteria import service as criteria
from app.criteria.events import AssessmentChanged, ParameterChosen, VillageFactRecorded
from app.db import Database
from app.doors.demo import village_facts as demo
from app.jobs import Handler, JobRequested
from app.marketplace_sync import service as marketplace
from app.marketplace_sync import sync
from app.marketplace_sync.events import (
    AccountBroken,
    DeclaredConfirmed,
    FloorListChanged,
    ListingObserved,
    ListingTroubled,
    ListingWanted,
    LookWanted,
)
from app.media import store_for
from app.notices import service as notices
from app.notices.events import NoticeCreated
from app.outbox import Event
from app.places import service as places
from app.places.events import PlaceChanged, PremisesChanged, VillagesImported
from app.products.events import CertificateLapsed, CertificateRecorded, PriceChanged, ProductChanged, ProductRetired
from app.settings import Settings
from app.trace import batches, pages
from app.trace.events import (
    BatchChanged,
    BatchHeld,
    CareLogCorrected,
    CareLogRecorded,
    RecallLaunched,
    SiteChanged,
    StockMoved,
)
from worker.celery_app import process_settings

Verb = Callable[[Session, Actor, Any], None]
LongVerb = Callable[[Database, Settings, Any], object]


@dataclass(frozen=True, slots=True)
class Reaction:
    """`verb` runs inside the delivery's transaction; `call` manages its own short transactions."""

    event: type[Event]
    name: str
    verb: Verb | None = None
    call: LongVerb | None = None
    lease_seconds: int = 60


# kind -> handler of a background job
JOBS: dict[str, Handler] = {
    demo.FILL_JOB: demo.fill_villages,
    places.IMPORT_JOB: lambda session, actor, job, report: places.apply_import(
        session, actor, job, report, store_for(process_settings())
    ),
}

REACTIONS: tuple[Reaction, ...] = (
    Reaction(JobRequested, "jobs.run", lease_seconds=660),
    # Who is told what
    Reaction(NoticeCreated, "notices.deliver", call=notices.deliver, lease_seconds=300),
    Reaction(CardScanned, "notices.card_scanned", verb=notices.card_scanned),
    Reaction(DataRequestReceived, "notices.data_request_received", verb=notices.data_request_received),
    Reaction(PersonErased, "notices.person_erased", verb=notices.person_erased),
    # The diary and what rests on it
    Reaction(CareLogRecorded, "trace.check_site", verb=batches.check_site),
    Reaction(CareLogCorrected, "trace.check_corrected_site", verb=batches.check_site),
    Reaction(BatchHeld, "trace.tell_held", verb=batches.tell_held),
    # A public page is rendered anew when what it shows has changed
    Reaction(BatchChanged, "trace.page_of_batch", verb=pages.after_batch_changed),
    Reaction(CareLogRecorded, "trace.pages_of_site", verb=pages.after_site_written),
    Reaction(CareLogCorrected, "trace.pages_of_corrected_site", verb=pages.after_site_written),
    Reaction(SiteChanged, "trace.pages_of_moved_site", verb=pages.after_site_written),
    Reaction(ProductChanged, "trace.pages_of_product", verb=pages.after_product_news),
    Reaction(ListingObserved, "trace.pages_of_listing", verb=pages.after_product_news),
    Reaction(DeclaredConfirmed, "trace.pages_of_declared", verb=pages.after_product_news),
    Reaction(CertificateRecorded, "trace.pages_of_certificate", verb=pages.after_certificate_news),
    Reaction(CertificateLapsed, "trace.pages_of_lapsed_certificate", verb=pages.after_certificate_news),
    Reaction(RecallLaunched, "trace.tell_recalled", verb=batches.tell_recalled),
    Reaction(ConsentChanged, "trace.pages_of_consent", verb=pages.after_names_changed),
    Reaction(PersonErased, "trace.pages_of_erased", verb=pages.after_names_changed),
    Reaction(OrganisationChanged, "trace.pages_of_organisation", verb=pages.after_names_changed),
    Reaction(PlaceChanged, "trace.pages_of_place", verb=pages.after_names_changed),
    # What is on sale follows what is made, what it costs and what is left
    Reaction(ProductChanged, "marketplace_sync.after_product_changed", verb=marketplace.after_product_changed),
    Reaction(PriceChanged, "marketplace_sync.after_price_changed", verb=marketplace.after_price_changed),
    Reaction(ProductRetired, "marketplace_sync.after_product_retired", verb=marketplace.after_product_retired),
    Reaction(StockMoved, "marketplace_sync.after_stock_moved", verb=marketplace.after_stock_moved),
    Reaction(BatchChanged, "marketplace_sync.after_batch_changed", verb=marketplace.after_batch_changed),
    Reaction(
        ListingWanted,
        "marketplace_sync.push",
        call=lambda database, settings, event: sync.push(database, settings, event.listing_id),
        lease_seconds=120,
    ),
    Reaction(
        LookWanted,
        "marketplace_sync.look",
        call=lambda database, settings, event: sync.look(database, settings, event.listing_id),
        lease_seconds=120,
    ),
    Reaction(ListingTroubled, "marketplace_sync.tell_of_trouble", verb=marketplace.tell_of_trouble),
    Reaction(AccountBroken, "marketplace_sync.tell_of_broken_account", verb=marketplace.tell_of_broken_account),
    # A village's answer follows every record it rests on
    Reaction(VillageFactRecorded, "criteria.derive_of_fact", verb=criteria.derive_of_fact),
    Reaction(PremisesChanged, "criteria.derive_of_premises", verb=criteria.derive_of_fact),
    Reaction(ProductChanged, "criteria.derive_of_product", verb=criteria.derive_of_product),
    Reaction(ProductRetired, "criteria.derive_of_retired_product", verb=criteria.derive_of_product),
    Reaction(ListingObserved, "criteria.derive_of_listing", verb=criteria.derive_of_product),
    Reaction(DeclaredConfirmed, "criteria.derive_of_declared", verb=criteria.derive_of_product),
    Reaction(CertificateRecorded, "criteria.derive_of_certificate", verb=criteria.derive_of_certificate),
    Reaction(CertificateLapsed, "criteria.derive_of_lapse", verb=criteria.derive_of_certificate),
    Reaction(OrganisationChanged, "criteria.derive_of_organisation", verb=criteria.derive_of_organisation),
    Reaction(CareLogRecorded, "criteria.derive_of_diary", verb=criteria.derive_of_diary),
    Reaction(CareLogCorrected, "criteria.derive_of_corrected_diary", verb=criteria.derive_of_diary),
    Reaction(SiteChanged, "criteria.derive_of_moved_site", verb=criteria.derive_of_diary),
    Reaction(AssessmentChanged, "criteria.tell_of_change", verb=criteria.tell_of_change),
    Reaction(
        FloorListChanged,
        "criteria.rebuild_selling",
        call=lambda database, _, __: criteria.rebuild_selling(database),
        lease_seconds=300,
    ),
    Reaction(
        ParameterChosen,
        "criteria.rebuild_chosen",
        call=lambda database, _, __: criteria.rebuild(database),
        lease_seconds=600,
    ),
    Reaction(
        VillagesImported,
        "criteria.rebuild_imported",
        call=lambda database, _, __: criteria.rebuild(database),
        lease_seconds=600,
    ),
)

BY_NAME: dict[str, Reaction] = {r.name: r for r in REACTIONS}
if len(BY_NAME) != len(REACTIONS):
    raise RuntimeError("two reactions share a name")
BY_EVENT: dict[str, tuple[Reaction, ...]] = {
    event: tuple(r for r in REACTIONS if r.event.name == event) for event in {r.event.name for r in REACTIONS}
}

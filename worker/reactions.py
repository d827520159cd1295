"""The one table of side effects: which verb answers which event.

A reaction takes (session, actor, event), runs as SYSTEM in the transaction that also marks it done, may run twice, and
reads the state when it runs. Work that calls another company is a `Call`: claim, call, record (three steps, no
transaction open during the call).

Verbs are named, `module:function`, and found when they are first needed: the relay, which only reads names, and the
caller, which needs few of them, stay small. A test resolves every name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any

from sqlalchemy.orm import Session

from app.accounts.events import (
    CardScanned,
    ConsentChanged,
    DataRequestReceived,
    OrganisationChanged,
    PersonErased,
    RoleOffered,
)
from app.actor import Actor
from app.criteria.events import AssessmentChanged, ParameterChosen, VillageFactRecorded, VillagesMarked
from app.db import Database
from app.jobs import Handler, JobRequested
from app.marketplace_sync.events import (
    AccountBroken,
    AccountCheckWanted,
    AccountSilent,
    DeclaredConfirmed,
    FloorListChanged,
    ListingObserved,
    ListingTroubled,
    ListingWanted,
    LookWanted,
)
from app.notices.events import NoticeCreated
from app.outbox import DeliveryGivenUp, Event
from app.places.events import ListForgotten, PlaceChanged, PremisesChanged, VillagesImported
from app.products.events import CertificateLapsed, CertificateRecorded, PriceChanged, ProductChanged, ProductRetired
from app.settings import Settings
from app.trace.events import (
    BatchChanged,
    BatchCreated,
    BatchHeld,
    CareLogCorrected,
    CareLogRecorded,
    RecallLaunched,
    SiteChanged,
    StockMoved,
)
from worker.schedule import BULK, CALLS, LOOKS, WORK

Verb = Callable[[Session, Actor, Any], None]  # an event, or a list of them where the reaction takes many
LongVerb = Callable[[Database, Settings, Any], object]


@dataclass(frozen=True, slots=True)
class Reaction:
    """`verb` runs inside the delivery's transaction; `call` manages its own short transactions.

    The lease says how long a message may wait in the broker, and how long a `call` may take. Whoever runs a verb also
    holds the delivery's row, so nobody else begins it however long it takes.

    many   its verb takes a list of events: what is due at one moment is paid together, each alone again where that failed
    once   it looks at what is there and not at the event, so of events that come at once only the last is answered
    when   a flag of the event and what it must be; an event that was written before there was such a flag is answered
    """

    event: type[Event]
    name: str
    verb: str | None = None
    call: str | None = None
    lease_seconds: int = 60
    queue: str = WORK
    many: bool = False
    once: bool = False
    when: tuple[str, bool] | None = None

    def answers(self, body: dict[str, Any]) -> bool:
        """Whether something follows from the event with this body."""
        return self.when is None or body.get(self.when[0], True) is self.when[1]

    def find_verb(self) -> Verb | None:
        return resolve_name(self.verb) if self.verb else None

    def find_call(self) -> LongVerb | None:
        return resolve_name(self.call) if self.call else None


# kind -> handler of a background job; a module that a worker is told to include may add its own
JOBS: dict[str, str] = {
    "places.import_villages": "worker.chores:import_villages",
}


def job_handler(kind: str) -> Handler:
    handler: Handler = resolve_name(JOBS[kind])
    return handler


REACTIONS: tuple[Reaction, ...] = (
    Reaction(JobRequested, "jobs.run", lease_seconds=660, queue=BULK),
    # Who is told what
    Reaction(NoticeCreated, "notices.deliver", call="app.notices.service:deliver", lease_seconds=300, queue=CALLS),
    Reaction(CardScanned, "notices.card_scanned", verb="app.notices.service:card_scanned"),
    Reaction(DataRequestReceived, "notices.data_request_received", verb="app.notices.service:data_request_received"),
    Reaction(RoleOffered, "notices.role_offered", verb="app.notices.service:role_offered"),
    Reaction(PersonErased, "notices.person_erased", verb="app.notices.service:person_erased"),
    Reaction(DeliveryGivenUp, "notices.delivery_given_up", verb="app.notices.service:delivery_given_up"),
    # The diary and what rests on it
    Reaction(CareLogRecorded, "trace.check_site", verb="app.trace.holds:check_site", when=("touches_batches", True)),
    Reaction(CareLogCorrected, "trace.check_corrected_site", verb="app.trace.holds:check_site"),
    Reaction(BatchCreated, "trace.check_new_batch", verb="app.trace.holds:check_new_batch"),
    Reaction(BatchHeld, "trace.tell_held", verb="app.trace.holds:tell_held"),
    # A public page is rendered anew when what it shows has changed
    Reaction(BatchChanged, "trace.page_of_batch", verb="app.trace.pages:after_batch_changed"),
    Reaction(SiteChanged, "trace.pages_of_moved_site", verb="app.trace.pages:after_site_changed"),
    Reaction(ProductChanged, "trace.pages_of_product", verb="app.trace.pages:after_product_news"),
    Reaction(ListingObserved, "trace.pages_of_listing", verb="app.trace.pages:after_product_news"),
    Reaction(DeclaredConfirmed, "trace.pages_of_declared", verb="app.trace.pages:after_product_news"),
    Reaction(CertificateRecorded, "trace.pages_of_certificate", verb="app.trace.pages:after_certificate_news"),
    Reaction(CertificateLapsed, "trace.pages_of_lapsed_certificate", verb="app.trace.pages:after_certificate_news"),
    Reaction(RecallLaunched, "trace.tell_recalled", verb="app.trace.batch_events:tell_recalled"),
    Reaction(ConsentChanged, "trace.pages_of_consent", verb="app.trace.pages:after_consent_changed"),
    Reaction(PersonErased, "trace.pages_of_erased", verb="app.trace.pages:after_person_erased"),
    Reaction(OrganisationChanged, "trace.pages_of_organisation", verb="app.trace.pages:after_organisation_changed"),
    Reaction(PlaceChanged, "trace.pages_of_place", verb="app.trace.pages:after_place_changed"),
    # What is on sale follows what is made, what it costs and what is left
    Reaction(
        ProductChanged,
        "marketplace_sync.after_product_changed",
        verb="app.marketplace_sync.listings:after_product_changed",
    ),
    Reaction(
        PriceChanged, "marketplace_sync.after_price_changed", verb="app.marketplace_sync.listings:after_price_changed"
    ),
    Reaction(
        ProductRetired,
        "marketplace_sync.after_product_retired",
        verb="app.marketplace_sync.listings:after_product_retired",
    ),
    Reaction(StockMoved, "marketplace_sync.after_stock_moved", verb="app.marketplace_sync.listings:after_stock_moved"),
    Reaction(
        BatchChanged, "marketplace_sync.after_batch_changed", verb="app.marketplace_sync.listings:after_batch_changed"
    ),
    Reaction(
        RecallLaunched,
        "marketplace_sync.after_recall_launched",
        verb="app.marketplace_sync.listings:after_recall_launched",
    ),
    Reaction(FloorListChanged, "marketplace_sync.judge_accounts", verb="app.marketplace_sync.floors:judge_accounts"),
    Reaction(
        ListingWanted,
        "marketplace_sync.push",
        call="app.marketplace_sync.pushes:on_listing_wanted",
        lease_seconds=120,
        queue=CALLS,
    ),
    Reaction(
        LookWanted,
        "marketplace_sync.look",
        call="app.marketplace_sync.looks:on_look_wanted",
        lease_seconds=120,
        queue=LOOKS,
    ),
    Reaction(
        AccountCheckWanted,
        "marketplace_sync.check_account",
        call="app.marketplace_sync.account_checks:on_check_wanted",
        queue=CALLS,
    ),
    Reaction(ListingTroubled, "marketplace_sync.tell_of_trouble", verb="app.marketplace_sync.troubles:tell_of_trouble"),
    Reaction(
        AccountBroken,
        "marketplace_sync.tell_of_broken_account",
        verb="app.marketplace_sync.troubles:tell_of_broken_account",
    ),
    Reaction(
        AccountSilent,
        "marketplace_sync.tell_of_silent_account",
        verb="app.marketplace_sync.troubles:tell_of_silent_account",
    ),
    # A village's answer follows every record it rests on: reactions mark the village, and what is marked is derived together
    Reaction(VillageFactRecorded, "criteria.derive_of_fact", verb="app.criteria.derivation:derive_of_fact"),
    Reaction(PremisesChanged, "criteria.derive_of_premises", verb="app.criteria.derivation:derive_of_fact"),
    Reaction(ProductChanged, "criteria.derive_of_product", verb="app.criteria.derivation:derive_of_product"),
    Reaction(ProductRetired, "criteria.derive_of_retired_product", verb="app.criteria.derivation:derive_of_product"),
    Reaction(
        ListingObserved,
        "criteria.derive_of_listing",
        verb="app.criteria.derivation:derive_of_listings",
        many=True,
        queue=BULK,
    ),
    Reaction(DeclaredConfirmed, "criteria.derive_of_declared", verb="app.criteria.derivation:derive_of_product"),
    Reaction(
        CertificateRecorded, "criteria.derive_of_certificate", verb="app.criteria.derivation:derive_of_certificate"
    ),
    Reaction(CertificateLapsed, "criteria.derive_of_lapse", verb="app.criteria.derivation:derive_of_certificate"),
    Reaction(
        OrganisationChanged, "criteria.derive_of_organisation", verb="app.criteria.derivation:derive_of_organisation"
    ),
    Reaction(CareLogRecorded, "criteria.derive_of_diary", verb="app.criteria.derivation:derive_of_diary", many=True),
    Reaction(
        CareLogCorrected,
        "criteria.derive_of_corrected_diary",
        verb="app.criteria.derivation:derive_of_diary",
        many=True,
    ),
    Reaction(SiteChanged, "criteria.derive_of_moved_site", verb="app.criteria.derivation:derive_of_diary", many=True),
    Reaction(
        VillagesMarked,
        "criteria.derive_marked",
        call="worker.chores:derive_awaited_villages",
        lease_seconds=120,
        once=True,
        when=("awaited", True),
    ),
    Reaction(
        VillagesMarked,
        "criteria.derive_marked_in_bulk",
        call="worker.chores:derive_marked_villages",
        lease_seconds=300,
        queue=BULK,
        once=True,
        when=("awaited", False),
    ),
    Reaction(
        AssessmentChanged,
        "criteria.tell_of_change",
        verb="app.criteria.assessments:tell_of_change",
        when=("awaited", True),
    ),
    Reaction(
        AssessmentChanged,
        "criteria.tell_of_change_in_bulk",
        verb="app.criteria.assessments:tell_of_change",
        queue=BULK,
        when=("awaited", False),
    ),
    Reaction(FloorListChanged, "criteria.rebuild_selling", verb="app.criteria.derivation:mark_selling", queue=BULK),
    Reaction(ParameterChosen, "criteria.rebuild_chosen", verb="app.criteria.derivation:mark_all", queue=BULK),
    Reaction(VillagesImported, "criteria.rebuild_imported", verb="app.criteria.derivation:mark_all", queue=BULK),
    Reaction(ListForgotten, "places.delete_forgotten_list", call="worker.chores:delete_forgotten_list", queue=BULK),
)

BY_NAME: dict[str, Reaction] = {r.name: r for r in REACTIONS}
if len(BY_NAME) != len(REACTIONS):
    raise RuntimeError("two reactions share a name")
BY_EVENT: dict[str, tuple[Reaction, ...]] = {
    event: tuple(r for r in REACTIONS if r.event.name == event) for event in {r.event.name for r in REACTIONS}
}

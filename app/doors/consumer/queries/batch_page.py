"""Everything that the public page of a batch says, composed of public fields only."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import clock
from app.accounts import queries as accounts
from app.accounts.models import Organisation
from app.db import Words
from app.doors.consumer.queries.certificates import ShownCertificate, certificates_of
from app.doors.consumer.queries.public_texts import covered, said
from app.doors.consumer.queries.shops import Place, shops_of
from app.doors.consumer.queries.way import Gap, Line, harvests_of, villages_of, way_of
from app.errors import not_found
from app.languages import SOURCE
from app.messages import N_
from app.places import queries as places
from app.products.models import Product, Scheme, Variant
from app.trace import queries as traces
from app.trace import steps
from app.trace.models import Batch, TraceCode, Witness


@dataclass(frozen=True, slots=True)
class BatchPage:
    """The public page's content. `next_change_at` is when time alone will change it."""

    code: str
    kind: str
    gtin: str | None
    lot: str
    state: str
    state_reason: Words | None
    state_day: date | None
    product: Words
    variant: Words | None
    photo: str | None
    producer: str
    producer_address: str
    growers: tuple[str, ...]
    villages: tuple[str, ...]
    harvested_on: date
    harvest_days: tuple[date, ...]
    made_on: date
    expires_on: date | None
    expired: bool
    quantity: Decimal
    unit: str
    certificates: tuple[ShownCertificate, ...]
    way: tuple[Line | Gap, ...]
    records_ended_on: date | None
    shops: tuple[Place, ...]
    next_change_at: datetime | None

    @property
    def lines(self) -> list[Line]:
        return [w for w in self.way if isinstance(w, Line)]

    @property
    def gaps(self) -> list[Gap]:
        return [w for w in self.way if isinstance(w, Gap)]

    @property
    def confirmed(self) -> int:
        """Steps that a person who is not of the household vouches for, and did not write down in the household's place."""
        return sum(
            line.witness not in {Witness.FARMER, Witness.MACHINE} and not line.for_another and not line.own_work
            for line in self.lines
        )

    @property
    def written_for_another(self) -> int:
        return sum(line.for_another for line in self.lines)

    @property
    def valid_certificates(self) -> list[ShownCertificate]:
        return [c for c in self.certificates if c.state == "valid"]

    @property
    def standards(self) -> list[ShownCertificate]:
        """What was certified to a standard of growing or making; the stars of OCOP are a rank, no standard."""
        return [c for c in self.valid_certificates if c.scheme != Scheme.OCOP]


def code_exists(session: Session, code: str) -> bool:
    return session.scalar(select(func.count()).where(TraceCode.code == code)) == 1


def batch_page(session: Session, code: str, language: str = SOURCE) -> BatchPage:
    """Its places are named in this language. Needs a session of SYSTEM: it reads across organisations, and gives out named public fields only. Raises NotFound."""
    row = session.execute(
        select(TraceCode, Batch, Product, Variant, Organisation)
        .join(Batch, Batch.id == TraceCode.batch_id)
        .join(Product, Product.id == Batch.product_id)
        .outerjoin(Variant, Variant.id == Batch.variant_id)
        .join(Organisation, Organisation.id == Batch.organisation_id)
        .where(TraceCode.code == code)
    ).one_or_none()
    if row is None:
        raise not_found(N_("mã này"))
    label, batch, product, variant, holder = row
    today, now = clock.today(), clock.now()
    sources = harvests_of(session, batch.id)
    way = way_of(session, sources, batch)
    harvested_on = traces.harvest_day(batch, sources)
    villages = villages_of(session, sources, batch, harvested_on)
    seats = [p for p in (holder.village_id or holder.commune_id,) if p is not None]
    names = places.full_names(session, {*villages, *seats}, language)
    growers = accounts.organisation_names(session, {s.organisation_id for s in sources} - {holder.id})
    certificates, certificate_changes = certificates_of(session, batch, today)
    shops, shop_changes = shops_of(session, product.id, today, now)
    standing = traces.standing(session, batch.id)
    event = standing.event
    changes = [*certificate_changes, *shop_changes]
    if batch.expires_on is not None:
        changes.append(clock.start_of_day(batch.expires_on + timedelta(days=1)))
    return BatchPage(
        code=label.code,
        kind=label.kind,
        gtin=label.gtin,
        lot=batch.lot,
        state=standing.state,
        state_reason=traces.public_reason(event),
        state_day=clock.local(event.at).date() if event is not None else None,
        product=covered(product.name),
        variant=covered(variant.name) if variant is not None else None,
        photo=product.photo_sha256,
        producer=said(holder.name),
        producer_address=", ".join(names[s] for s in seats if s in names),
        growers=tuple(sorted(map(said, growers.values()))),
        villages=tuple(sorted(names[v] for v in villages if v in names)),
        harvested_on=harvested_on,
        harvest_days=tuple(sorted({clock.local(s.happened_at).date() for s in sources if s.kind in steps.HARVESTS}))
        or (harvested_on,),
        made_on=batch.made_on,
        expires_on=batch.expires_on,
        expired=batch.expires_on is not None and batch.expires_on < today,
        quantity=batch.quantity,
        unit=batch.unit,
        certificates=certificates,
        way=tuple(way),
        records_ended_on=batch.records_ended_on,
        shops=shops,
        next_change_at=min((c for c in changes if c > now), default=None),
    )

"""One village: the answer, the record behind a criterion, and the self-assessment on paper."""

from datetime import datetime, timedelta
from uuid import UUID

from flask import Response, request
from pydantic import BaseModel, ConfigDict

from app import clock
from app.accounts.named_rights import RECORDERS
from app.actor import Actor
from app.criteria import queries as criteria
from app.doors.official import queries
from app.doors.official.routes.base import blueprint, signed_in_official, title_of, trail_to
from app.doors.official.routes.proof_views import fact_views, product_views
from app.doors.official.routes.village_views import Reader, clause_views, months, shortest_way
from app.errors import Invalid
from app.fields import AskedDay
from app.messages import N_, sentences
from app.web import language, page, parse_query, web

REFRESH_SECONDS = 2


class Dials(BaseModel):
    """The day asked about, and until when records count as known; both optional."""

    model_config = ConfigDict(frozen=True)
    ngay: AskedDay | None = None
    biet_den: AskedDay | None = None

    @property
    def known_at(self) -> datetime | None:
        """The last moment of the day, never later than now."""
        if self.biet_den is None:
            return None
        return min(clock.start_of_day(self.biet_den + timedelta(days=1)) - timedelta(microseconds=1), clock.now())


def _dials() -> Dials:
    """Raises Invalid for a day that is not from the pack's first day until today."""
    dials = parse_query(Dials)
    first, last = criteria.pack().effective_from, clock.today()
    faults = [
        (name, label)
        for name, day, label in (
            ("ngay", dials.ngay, N_("Tính đến ngày")),
            ("biet_den", dials.biet_den, N_("Theo điều đã ghi đến hết ngày")),
        )
        if day is not None and not first <= day <= last
    ]
    if faults:  # a page of its own tells of it, without a form to put each sentence beside its field
        raise Invalid(
            "day_out_of_range",
            sentences(
                tuple(
                    N_(
                        "Ô “%(label)s”: chọn một ngày từ %(first)s đến hôm nay, %(last)s.",
                        label=label,
                        first=f"{first:%d/%m/%Y}",
                        last=f"{last:%d/%m/%Y}",
                    )
                    for _, label in faults
                )
            ),
            field=faults[0][0],
        )
    return dials


def _view(village_id: UUID) -> tuple[Actor, queries.VillageView, Reader]:
    """What was known of another day is only read: nothing is recorded from there."""
    actor = signed_in_official()
    dials = _dials()
    view = queries.village(web().database, actor, village_id, as_of=dials.ngay, known_at=dials.known_at)
    records = any(actor.may_at(right, village_id) for right in RECORDERS)
    return actor, view, Reader(village_id, dials.model_dump(), records and not view.asked)


@blueprint.get("/thon/<uuid:village_id>")
def village(village_id: UUID) -> Response:
    actor, view, reader = _view(village_id)
    response = page(
        "official/village.html",
        view=view,
        reader=reader,
        clauses=clause_views(view, reader),
        way=shortest_way(view, reader),
        months=months(view),
        trail=trail_to(actor, view.above, title_of(view.village)),
    )
    if view.waiting:
        response.headers["Refresh"] = str(REFRESH_SECONDS)
    return response


@blueprint.get("/thon/<uuid:village_id>/tieu-chi/<criterion_id>")
def criterion(village_id: UUID, criterion_id: str) -> Response:
    actor, view, reader = _view(village_id)
    proof = queries.proof(web().database, actor, view, criterion_id, language())
    records = queries.records(web().database, actor, view, proof, request.args.get("trang", ""))
    return page(
        "official/criterion.html",
        view=view,
        reader=reader,
        proof=proof,
        add_url=reader.record(proof.clause.form),
        records=records,
        facts=fact_views(proof.facts),
        products=product_views(proof.products, set(records.looks)),
        trail=trail_to(actor, [view.village, *view.above], ""),
    )


@blueprint.get("/thon/<uuid:village_id>/in")
def dossier(village_id: UUID) -> Response:
    """The self-assessment on paper."""
    actor, view, reader = _view(village_id)
    proofs = queries.proofs(web().database, actor, view, view.clauses, language())
    return page("official/dossier.html", view=view, reader=reader, proofs=proofs)

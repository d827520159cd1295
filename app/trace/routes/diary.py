"""Pages that write one step into a diary, show everything that was written about it, and correct it."""

from uuid import UUID

from flask import Response, request, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from app import clock, media
from app.actor import Actor, Right
from app.db import sort_key
from app.errors import forbidden
from app.trace import diary, queries, steps, witnesses
from app.trace.models import Witness
from app.trace.routes.base import When, blueprint, filled_fields, kept_photo, names_of_people, sent_photo
from app.trace.routes.diary_views import sent_again, versions
from app.trace.schemas import CareLogIn, CorrectionIn
from app.web import done, page, parse_data, signed_in, takes_files, transaction, unit_options, words


def _vouching() -> dict[str, str]:
    """What the writer says by choosing a witness."""
    return {
        Witness.FARMER: _("Hộ tự nói, tôi chỉ ghi lại"),
        Witness.NEIGHBOUR: _("Tôi là hàng xóm, tận mắt thấy"),
        Witness.COOPERATIVE: _("Hợp tác xã tận mắt thấy"),
        Witness.OFFICER: _("Cán bộ tận mắt thấy"),
    }


def _log_form(session: Session, actor: Actor, site_id: UUID, old: queries.DiaryLine | None) -> Response:
    row = queries.site(session, actor, site_id)
    if not actor.may(Right.KEEP_DIARY, row.organisation_id):
        raise forbidden()
    return page(
        "trace/log_form.html",
        site=row,
        old=old,
        day=clock.local(old.log.happened_at) if old else None,
        cycles=queries.cycles_of(session, site_id),
        kinds=[(s.kind, words(s)) for s in steps.STEPS.values()],
        units=unit_options(steps.UNITS),
        witnesses=[(w, _vouching()[w]) for w in witnesses.witnesses_of(actor, row.organisation_id)],
        people=sorted(
            names_of_people(session, actor, row.organisation_id).items(), key=lambda pair: (sort_key(pair[1]), pair[0])
        ),
    )


def _witness(actor: Actor, organisation_id: UUID, *, own_work: bool) -> dict[str, object]:
    """The witness that was chosen, else the usual one. Who vouches for more than was told is the one who writes."""
    usual = witnesses.usual_witness(actor, organisation_id, own_work=own_work)
    told = request.form.get("witness") or usual
    return {"witness": told} | ({} if told == Witness.FARMER else {"witnessed_by": actor.person_id})


def _did_it(actor: Actor, performed_by: str | UUID | None) -> bool:
    return performed_by is not None and str(performed_by) == str(actor.person_id)


@blueprint.get("/thua/<uuid:site_id>/ghi")
def new_log(site_id: UUID) -> Response:
    with transaction(signed_in()) as session:
        return _log_form(session, signed_in(), site_id, None)


@blueprint.post("/thua/<uuid:site_id>/ghi")
@takes_files(media.MAX_PHOTO_BYTES)
def new_log_send(site_id: UUID) -> BaseResponse:
    actor = signed_in()
    when = parse_data(When, {k: v for k, v in filled_fields().items() if k in When.model_fields})
    read = sent_photo(actor)
    with transaction() as session:
        photo = kept_photo(session, read)
        holder = queries.site(session, actor, site_id).organisation_id
        log = parse_data(
            CareLogIn,
            filled_fields("day", "hour", "photo")
            | _witness(actor, holder, own_work=_did_it(actor, request.form.get("performed_by") or actor.person_id))
            | {"site_id": site_id, "happened_at": when.moment(), "photos": (photo,) if photo else ()},
        )
        outcome = diary.record_care_logs(session, actor, [log])[0]
        if outcome.status == "refused" and outcome.error is not None:
            raise outcome.error
    # A conflict was kept beside the first step: raising inside the transaction would lose it.
    if outcome.error is not None:
        raise outcome.error
    return done(_("Đã ghi vào nhật ký."), url_for("trace.site", site_id=site_id))


@blueprint.get("/dong-nhat-ky/<uuid:care_log_id>")
def step(care_log_id: UUID) -> Response:
    """Everything that was written about one step, the first row first, and what came under its id with other content."""
    actor = signed_in()
    with transaction() as session:
        rows = queries.chain(session, actor, care_log_id)
        names = names_of_people(session, actor, rows[0].organisation_id)
        conflicts = queries.conflicts_of(session, actor, care_log_ids=[r.id for r in rows])
        return page(
            "trace/step.html",
            first=rows[0],
            versions=versions(rows, names),
            sent_again=[sent_again(c, rows, names) for c in conflicts],
            site=queries.site(session, actor, rows[-1].site_id),
            may_correct=diary.may_correct(actor, rows[0].organisation_id, rows[0].witness),
        )


@blueprint.get("/dong-nhat-ky/<uuid:care_log_id>/sua")
def correct(care_log_id: UUID) -> Response:
    actor = signed_in()
    with transaction() as session:
        first = queries.chain(session, actor, care_log_id)[0]
        diary.check_may_correct(actor, first.organisation_id, first.witness)
        line = queries.care_log(session, actor, care_log_id)
        return _log_form(session, actor, line.log.site_id, line)


@blueprint.post("/dong-nhat-ky/<uuid:care_log_id>/sua")
def correct_send(care_log_id: UUID) -> BaseResponse:
    """Nobody chosen as the doer: whoever the old row names, also nobody."""
    actor = signed_in()
    when = parse_data(When, {k: v for k, v in filled_fields().items() if k in When.model_fields})
    with transaction() as session:
        line = queries.care_log(session, actor, care_log_id)
        doer = request.form.get("performed_by") or line.log.performed_by
        new = parse_data(
            CorrectionIn,
            filled_fields("day", "hour")
            | _witness(actor, line.log.organisation_id, own_work=_did_it(actor, doer))
            | {
                "performed_by": doer,
                "site_id": line.log.site_id,
                "happened_at": when.moment(),
                "photos": tuple(line.log.photos),
            },
        )
        diary.correct_care_log(session, actor, care_log_id, new)
    return done(_("Đã ghi dòng sửa; dòng cũ vẫn giữ."), url_for("trace.step", care_log_id=care_log_id))

"""The bell's page: what I was told, and seen."""

from uuid import UUID

from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from app.notices import queries, service
from app.web import page, signed_in, transaction

blueprint = Blueprint("notices", __name__, template_folder="templates")


@blueprint.get("/tin-bao")
def inbox() -> Response:
    known = signed_in()
    with transaction() as db:
        found = queries.inbox(db, known, request.args.get("trang", ""))
        return page(
            "notices/inbox.html",
            found=found,
            settled=queries.settled_offers(db, found.rows),
            unseen=queries.unseen_count(db, known),
        )


@blueprint.post("/tin-bao/<uuid:notice_id>/xem")
def open_notice(notice_id: UUID) -> BaseResponse:
    """Marks it seen and goes where it points, while there is something to do there.

    Opening by GET would let a prefetch see it instead of its reader.
    """
    known = signed_in()
    with transaction() as db:
        notice = service.mark_seen(db, known, notice_id)
        settled = bool(queries.settled_offers(db, [notice]))
    link = notice.link if notice.link and not settled else ""
    ours = link.startswith("/") and not link.startswith(("//", "/\\"))
    return redirect(link if ours else url_for("notices.inbox"), 303)


@blueprint.post("/tin-bao/da-xem")
def all_seen() -> BaseResponse:
    known = signed_in()
    with transaction() as db:
        service.mark_all_seen(db, known)
    return redirect(url_for("notices.inbox"), 303)

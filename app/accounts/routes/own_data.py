"""Pages of consent and of one's own data, and those on which an administrator answers about them."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Response, current_app, jsonify, make_response, redirect, url_for
from flask import session as browser_session
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from app import clock
from app.accounts import consents as consent_verbs
from app.accounts import offers, privacy, queries, schemas
from app.accounts.models import Purpose, RequestKind
from app.accounts.routes.account import sessions
from app.accounts.routes.base import blueprint, next_address, own_person_id
from app.actor import SYSTEM, Actor, Right
from app.db import json_ready
from app.errors import not_found
from app.web import clear_sign_in_cookie, language, page, parse, parse_query, require, signed_in, transaction

DataAboutMe = Callable[[Session, Actor], Any]


def _data_of_other_parts() -> dict[str, DataAboutMe]:
    """What the factory registered of every part: name to a function of (a session of SYSTEM, the person's actor)."""
    return dict(current_app.extensions.get("hoi_data_about_me", {}))


@blueprint.get("/dong-y")
def consents() -> Response:
    actor = signed_in()
    with transaction() as session:
        now = queries.consents_now(session, own_person_id(actor))
        unasked = {a.purpose for a in consent_verbs.unasked(session, own_person_id(actor))}
        return page(
            "accounts/consents.html", asked=list(consent_verbs.ASKED.values()), now_given=now, unasked=unasked,
            rights=consent_verbs.RIGHTS, next=next_address(""),
        )  # fmt: skip


@blueprint.post("/dong-y")
def consents_send() -> BaseResponse:
    actor = signed_in()
    form = parse(schemas.ConsentForm)
    with transaction() as session:
        consent_verbs.answer_consents(session, actor, set(form.purposes), language=form.language, shown=form.versions)
    return redirect(next_address(url_for("accounts.my_data")), 303)


@blueprint.post("/dong-y/<purpose>/rut-lai")
def withdraw(purpose: str) -> BaseResponse:
    """One tap takes one consent back; the others stay."""
    actor = signed_in()
    if purpose not in set(Purpose):
        raise not_found()
    with transaction() as session:
        consent_verbs.withdraw(session, actor, Purpose(purpose), language=language())
    return redirect(url_for("accounts.my_data"), 303)


@blueprint.get("/du-lieu-cua-toi")
def my_data() -> Response:
    actor = signed_in()
    shown = parse_query(schemas.Account)
    with transaction() as session:
        return page(
            "accounts/my_data.html",
            me=queries.looked_after(session, actor, own_person_id(actor)),
            consents=queries.consents_now(session, own_person_id(actor)),
            asked=consent_verbs.ASKED,
            requests=queries.data_request_page(session, own_person_id(actor), shown.trang_yeu_cau),
            kinds=list(RequestKind),
            rights=consent_verbs.RIGHTS,
            **sessions(session, actor, shown),
        )


@blueprint.post("/du-lieu-cua-toi/loi-moi/<uuid:role_offer_id>")
def answer_offer(role_offer_id: UUID) -> BaseResponse:
    actor = signed_in()
    form = parse(schemas.OfferAnswer)
    with transaction() as session:
        offers.answer_offer(session, actor, role_offer_id, accepted=form.word == "yes")
    return redirect(url_for("accounts.my_data"), 303)


@blueprint.get("/du-lieu-cua-toi/tai-ve")
def my_data_file() -> Response:
    actor = signed_in()
    with transaction() as session:
        found = privacy.everything_about(session, actor)
    # What they recorded where they hold no right any more is still theirs: each part filters by the person alone.
    with transaction(SYSTEM) as session:
        for name, ask in _data_of_other_parts().items():
            found[name] = json_ready(ask(session, actor))
    response = jsonify(found)
    response.headers["Content-Disposition"] = 'attachment; filename="du-lieu-cua-toi.json"'
    return response


@blueprint.post("/du-lieu-cua-toi")
def my_data_request() -> BaseResponse:
    actor = signed_in()
    form = parse(schemas.DataRequestIn)
    with transaction() as session:
        privacy.request_data(session, actor, form)
    return redirect(url_for("accounts.my_data"), 303)


@blueprint.get("/du-lieu-cua-toi/xoa")
def erase_me() -> Response:
    signed_in()
    return page("accounts/erase.html")


@blueprint.post("/du-lieu-cua-toi/xoa")
def erase_me_send() -> BaseResponse:
    actor = signed_in()
    form = parse(schemas.EraseForm)
    with transaction() as session:
        privacy.erase(session, actor, form.id)
    browser_session.clear()
    return clear_sign_in_cookie(make_response(page("accounts/erased.html")))


@blueprint.get("/quan-tri/yeu-cau-du-lieu")
def data_requests() -> Response:
    require(Right.ADMINISTER)
    with transaction() as session:
        mark = parse_query(schemas.PageMark).trang
        return page("accounts/data_requests.html", found=queries.open_data_requests(session, mark), now_is=clock.now())


@blueprint.get("/quan-tri/yeu-cau-du-lieu/<uuid:data_request_id>")
def data_request(data_request_id: UUID) -> Response:
    require(Right.ADMINISTER)
    with transaction() as session:
        return page("accounts/data_request.html", row=privacy.open_request(session, data_request_id))


@blueprint.post("/quan-tri/yeu-cau-du-lieu/<uuid:data_request_id>")
def data_request_answer(data_request_id: UUID) -> BaseResponse:
    actor = require(Right.ADMINISTER)
    form = parse(schemas.AnswerIn)
    with transaction() as session:
        privacy.answer_request(session, actor, data_request_id, form)
    return redirect(url_for("accounts.data_requests"), 303)

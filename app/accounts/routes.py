"""Pages of signing in, one's own account and data, cards, and the people of an organisation."""

from base64 import b64encode
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import qrcode
from flask import (
    Blueprint,
    Response,
    current_app,
    flash,
    g,
    jsonify,
    make_response,
    redirect,
    request,
    session,
    url_for,
)
from flask_babel import gettext as _
from qrcode.constants import ERROR_CORRECT_M
from sqlalchemy.orm import Session
from werkzeug.local import LocalProxy
from werkzeug.wrappers import Response as BaseResponse

from app import clock
from app.accounts import (
    cards,
    households,
    offers,
    organisations,
    people,
    privacy,
    queries,
    rights,
    roles,
    schemas,
    signin,
    tokens,
)
from app.accounts.models import AddressAs, Organisation, OrganisationKind, Purpose, RequestKind
from app.accounts.signin import Granted
from app.actor import OFFICIAL_ROLES, PUBLIC, SYSTEM, Actor, Role
from app.db import Words, json_ready
from app.errors import HoiError, forbidden, not_found
from app.places import queries as places
from app.places.models import Level
from app.web import actor as current_actor
from app.web import (
    clear_sign_in_cookie,
    is_https,
    language,
    page,
    parse,
    parse_query,
    require,
    set_sign_in_cookie,
    signed_in,
    transaction,
    web,
)

blueprint = Blueprint("accounts", __name__, template_folder="templates")

DEVICE_COOKIE = "hoi_may"
DEVICE_COOKIE_PATH = "/the"
TWO_YEARS = 2 * 365 * 86400
WAITING_REFRESH_SECONDS = 4

ROLE_WORDS: dict[Role, Words] = {
    Role.FARMER: Words(vi="Nông dân của hộ", en="Farmer"),
    Role.COOPERATIVE_MANAGER: Words(vi="Quản lý hợp tác xã", en="Cooperative manager"),
    Role.PURCHASER: Words(vi="Người thu mua", en="Purchaser"),
    Role.EXTENSION_OFFICER: Words(vi="Cán bộ khuyến nông", en="Extension officer"),
    Role.VILLAGE_OFFICER: Words(vi="Cán bộ thôn", en="Village officer"),
    Role.DIGITAL_GROUP: Words(vi="Tổ công nghệ số cộng đồng", en="Digital group member"),
    Role.COMMUNE_OFFICIAL: Words(vi="Cán bộ xã, phường", en="Commune official"),
    Role.PROVINCE_OFFICIAL: Words(vi="Cán bộ tỉnh", en="Province official"),
    Role.CERTIFIER: Words(vi="Người chứng nhận", en="Certifier"),
    Role.ADMINISTRATOR: Words(vi="Quản trị", en="Administrator"),
}
KIND_WORDS: dict[OrganisationKind, Words] = {
    OrganisationKind.HOUSEHOLD: Words(vi="Hộ", en="Household"),
    OrganisationKind.COOPERATIVE_GROUP: Words(vi="Tổ hợp tác", en="Cooperative group"),
    OrganisationKind.COOPERATIVE: Words(vi="Hợp tác xã", en="Cooperative"),
    OrganisationKind.ENTERPRISE: Words(vi="Doanh nghiệp", en="Enterprise"),
    OrganisationKind.AUTHORITY: Words(vi="Cơ quan", en="Authority"),
}


@blueprint.app_context_processor
def _who() -> dict[str, object]:
    """Name and organisation for the side bar, asked only by pages that show them: an error page needs no database."""
    return {
        "me_name": LocalProxy(lambda: _me()[0]),
        "org_name": LocalProxy(lambda: _me()[1]),
        "sign_out_url": url_for("accounts.sign_out"),
    }


def _me() -> tuple[str, str]:
    known: Actor = g.get("actor", PUBLIC)
    if known.person_id is None:
        return "", ""
    if "me" not in g:
        with transaction() as db:
            name = queries.greeting(db, known.person_id)
            names = queries.organisation_names(db, {m.organisation_id for m in known.memberships})
        g.me = (name, ", ".join(sorted(set(names.values()))))
    found: tuple[str, str] = g.me
    return found


@blueprint.app_template_filter("role_word")
def role_word(role: str) -> Words:
    return ROLE_WORDS[Role(role)]


@blueprint.app_template_filter("kind_word")
def kind_word(kind: str) -> Words:
    return KIND_WORDS[OrganisationKind(kind)]


@blueprint.app_template_filter("phone")
def shown_phone(value: str | None) -> str:
    return schemas.shown_phone(value)


def _key() -> bytes:
    return str(current_app.config["SECRET_KEY"]).encode()


def _agent() -> str:
    return request.headers.get("User-Agent", "")[:400]


def _next(default: str = "/") -> str:
    """Where to go after signing in: an address of ours, never another site's."""
    wanted = request.values.get("next", "")
    parts = urlsplit(wanted)
    ours = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and not parts.netloc and wanted.isprintable()
    return wanted if ours else default


# --- signing in and out ------------------------------------------------------------------------------------------


@blueprint.get("/dang-nhap")
def sign_in() -> Response:
    return page("accounts/sign_in.html", next=_next(""))


@blueprint.post("/dang-nhap")
def sign_in_send() -> BaseResponse:
    form = parse(schemas.SignInForm)
    with transaction(SYSTEM) as db:
        outcome = signin.sign_in(
            db, phone=form.phone, password=form.password, key=_key(), address=request.remote_addr or "", agent=_agent()
        )
        _leave_old(db, outcome)
    granted = _or_raise(outcome)
    first = "accounts.change_password" if granted.must_change else "accounts.after_sign_in"
    return _welcome(granted, url_for(first, next=_next("") or None))


def _or_raise(outcome: Granted | HoiError) -> Granted:
    if isinstance(outcome, HoiError):
        raise outcome
    return outcome


def _leave_old(db: Session, outcome: Granted | HoiError) -> None:
    """Whoever signs in anew in a browser leaves the sign-in it had."""
    old = current_actor()
    if isinstance(outcome, Granted) and old.sign_in_id is not None:
        signin.end(db, old, old.sign_in_id)


def _welcome(granted: Granted, address: str) -> BaseResponse:
    session.clear()  # a token of the form made before the sign-in is worth nothing after it
    return set_sign_in_cookie(redirect(address, 303), granted.token, max_age_seconds=granted.max_age_seconds)


@blueprint.post("/dang-xuat")
def sign_out() -> BaseResponse:
    known = current_actor()
    if known.sign_in_id is not None:
        with transaction() as db:
            signin.end(db, known, known.sign_in_id)
    session.clear()
    return clear_sign_in_cookie(redirect(url_for("accounts.sign_in"), 303))


@blueprint.post("/dang-xuat-moi-noi")
def sign_out_everywhere() -> BaseResponse:
    known = signed_in()
    form = parse(schemas.SignOutEverywhere)
    with transaction() as db:
        cards.sign_out_everywhere(db, known, unbind=form.unbind)
    session.clear()
    return clear_sign_in_cookie(redirect(url_for("accounts.sign_in"), 303))


def _person_id(known: Actor) -> UUID:
    if known.person_id is None:
        raise forbidden()
    return known.person_id


# --- one's own account -------------------------------------------------------------------------------------------


@blueprint.get("/tai-khoan")
def account() -> Response:
    known = signed_in()
    with transaction() as db:
        return page(
            "accounts/account.html", me=queries.looked_after(db, known, _person_id(known)), **_sessions(db, known)
        )


def _sessions(db: Session, known: Actor) -> dict[str, Any]:
    decides = signin.card_suffices(db, known)
    held = queries.roles_of(db, _person_id(known), clock.today())
    roles = [m for m in held if decides or known.has(Role(m.role), organisation_id=m.organisation_id)]
    offers = queries.offers_to(db, _person_id(known)) if decides else []
    return {
        "decides": decides,
        "roles": roles,
        "offers": offers,
        "names": queries.organisation_names(
            db, {m.organisation_id for m in roles} | {o.organisation_id for o in offers}
        ),
        "place_names": places.full_names(db, {m.place_id for m in roles if m.place_id}),
        "sign_ins": queries.open_sign_ins(db, _person_id(known), clock.machine_now()),
        "devices": queries.devices_of(db, _person_id(known)),
        "here": known.sign_in_id,
        "by_card": known.device_id is not None,
    }


@blueprint.post("/tai-khoan/vai-tro/<uuid:membership_id>/thoi")
def leave_role(membership_id: UUID) -> BaseResponse:
    known = signed_in()
    with transaction() as db:
        roles.end_role(db, known, membership_id)
    return redirect(url_for("accounts.account"), 303)


@blueprint.get("/tai-khoan/sua")
def change_me() -> Response:
    known = signed_in()
    with transaction() as db:
        data = queries.looked_after(db, known, _person_id(known))
        return page(
            "accounts/change_person.html",
            data=data,
            forms_of_address=[(a, a) for a in AddressAs],
            back=url_for(".account"),
        )


@blueprint.post("/tai-khoan/sua")
def change_me_send() -> BaseResponse:
    known = signed_in()
    form = parse(schemas.PersonalChange)
    with transaction() as db:
        people.change_personal_data(db, known, _person_id(known), form)
    return redirect(url_for("accounts.account"), 303)


@blueprint.post("/tai-khoan/phien/<uuid:sign_in_id>/ket-thuc")
def end_sign_in(sign_in_id: UUID) -> BaseResponse:
    known = signed_in()
    with transaction() as db:
        signin.end(db, known, sign_in_id)
    return redirect(url_for("accounts.account"), 303)


@blueprint.get("/doi-mat-khau")
def change_password() -> Response:
    known = signed_in(to_change_password=True)
    return page("accounts/change_password.html", must_change=known.must_change_password)


@blueprint.post("/doi-mat-khau")
def change_password_send() -> BaseResponse:
    known = signed_in(to_change_password=True)
    form = parse(schemas.ChangePassword)
    with transaction(SYSTEM) as db:
        refused = signin.change_password(db, known, form, key=_key(), address=request.remote_addr or "")
    if refused is not None:
        raise refused
    told = known.must_change_password
    return redirect(
        url_for("accounts.after_sign_in", next=_next("") or None) if told else _next(url_for(".account")), 303
    )


# --- one's own data ----------------------------------------------------------------------------------------------

DataAboutMe = Callable[[Session, Actor], Any]


def _data_of_other_parts() -> dict[str, DataAboutMe]:
    """What the factory registered of every part: name to a function of (a session of SYSTEM, the person's actor)."""
    return dict(current_app.extensions.get("hoi_data_about_me", {}))


@blueprint.get("/dong-y")
def consents() -> Response:
    known = signed_in()
    with transaction() as db:
        now = queries.consents_now(db, _person_id(known))
        unasked = {a.purpose for a in privacy.unasked(db, _person_id(known))}
        return page(
            "accounts/consents.html", asked=list(privacy.ASKED.values()), now_given=now, unasked=unasked,
            rights=privacy.RIGHTS, next=_next(""),
        )  # fmt: skip


@blueprint.post("/dong-y")
def consents_send() -> BaseResponse:
    known = signed_in()
    form = parse(schemas.ConsentForm)
    with transaction() as db:
        privacy.answer_consents(db, known, set(form.purposes), language=form.language, shown=form.versions)
    return redirect(_next(url_for("accounts.my_data")), 303)


@blueprint.post("/dong-y/<purpose>/rut-lai")
def withdraw(purpose: str) -> BaseResponse:
    """One tap takes one consent back; the others stay."""
    known = signed_in()
    if purpose not in set(Purpose):
        raise not_found()
    with transaction() as db:
        privacy.withdraw(db, known, Purpose(purpose), language=language())
    return redirect(url_for("accounts.my_data"), 303)


@blueprint.get("/du-lieu-cua-toi")
def my_data() -> Response:
    known = signed_in()
    with transaction() as db:
        return page(
            "accounts/my_data.html",
            me=queries.looked_after(db, known, _person_id(known)),
            consents=queries.consents_now(db, _person_id(known)),
            asked=privacy.ASKED,
            requests=queries.data_requests_of(db, _person_id(known)),
            kinds=list(RequestKind),
            rights=privacy.RIGHTS,
            **_sessions(db, known),
        )


@blueprint.post("/du-lieu-cua-toi/loi-moi/<uuid:role_offer_id>")
def answer_offer(role_offer_id: UUID) -> BaseResponse:
    known = signed_in()
    form = parse(schemas.OfferAnswer)
    with transaction() as db:
        offers.answer_offer(db, known, role_offer_id, accepted=form.word == "yes")
    return redirect(url_for("accounts.my_data"), 303)


@blueprint.get("/du-lieu-cua-toi/tai-ve")
def my_data_file() -> Response:
    known = signed_in()
    with transaction() as db:
        found = privacy.everything_about(db, known)
    # What they recorded where they hold no right any more is still theirs: each part filters by the person alone.
    with transaction(SYSTEM) as db:
        for name, ask in _data_of_other_parts().items():
            found[name] = json_ready(ask(db, known))
    response = jsonify(found)
    response.headers["Content-Disposition"] = 'attachment; filename="du-lieu-cua-toi.json"'
    return response


@blueprint.post("/du-lieu-cua-toi")
def my_data_request() -> BaseResponse:
    known = signed_in()
    form = parse(schemas.DataRequestIn)
    with transaction() as db:
        privacy.request_data(db, known, form)
    return redirect(url_for("accounts.my_data"), 303)


@blueprint.get("/du-lieu-cua-toi/xoa")
def erase_me() -> Response:
    signed_in()
    return page("accounts/erase.html")


@blueprint.post("/du-lieu-cua-toi/xoa")
def erase_me_send() -> BaseResponse:
    known = signed_in()
    form = parse(schemas.EraseForm)
    with transaction() as db:
        privacy.erase(db, known, form.id)
    session.clear()
    return clear_sign_in_cookie(make_response(page("accounts/erased.html")))


@blueprint.get("/quan-tri/yeu-cau-du-lieu")
def data_requests() -> Response:
    require(Role.ADMINISTRATOR)
    with transaction() as db:
        return page("accounts/data_requests.html", requests=queries.open_data_requests(db), now_is=clock.now())


@blueprint.get("/quan-tri/yeu-cau-du-lieu/<uuid:data_request_id>")
def data_request(data_request_id: UUID) -> Response:
    require(Role.ADMINISTRATOR)
    with transaction() as db:
        return page("accounts/data_request.html", row=privacy.open_request(db, data_request_id))


@blueprint.post("/quan-tri/yeu-cau-du-lieu/<uuid:data_request_id>")
def data_request_answer(data_request_id: UUID) -> BaseResponse:
    known = require(Role.ADMINISTRATOR)
    form = parse(schemas.AnswerIn)
    with transaction() as db:
        privacy.answer_request(db, known, data_request_id, form)
    return redirect(url_for("accounts.data_requests"), 303)


# --- the card on the phone ---------------------------------------------------------------------------------------


@blueprint.get("/the")
def card_typed() -> Response:
    return page("accounts/card_typed.html")


@blueprint.post("/the")
def card_typed_send() -> BaseResponse:
    """The code under the QR, for a phone whose camera fails."""
    form = parse(schemas.TypedCode)
    with transaction(SYSTEM) as db:
        secret = cards.typed_secret(db, form.code)
    return redirect(url_for("accounts.card", secret=secret), 303)


@blueprint.get("/the/<secret>")
def card(secret: str) -> Response:
    """Shows whose card this is; binds nothing, so that whatever fetches addresses ahead of people does no harm."""
    with transaction(SYSTEM) as db:
        found = cards.scan(db, secret, device_token=_device_token())
    response = page("accounts/card.html", card=found, secret=secret)
    if found.state == cards.CardState.WAITING:
        response.headers["Refresh"] = str(WAITING_REFRESH_SECONDS)
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


@blueprint.post("/the/<secret>")
def card_pin(secret: str) -> BaseResponse:
    form, token = parse(schemas.Pin), _device_token() or tokens.new_token()
    with transaction(SYSTEM) as db:
        outcome = cards.enter_by_pin(db, secret, form.pin, key=_key(), device_token=token, agent=_agent())
        _leave_old(db, outcome)
    return _keep_device(_welcome(_or_raise(outcome), url_for("accounts.after_sign_in")), token)


@blueprint.post("/the/<secret>/vao")
def card_enter(secret: str) -> BaseResponse:
    with transaction(SYSTEM) as db:
        granted = cards.enter(db, secret, device_token=_device_token(), agent=_agent())
        _leave_old(db, granted)
    return _keep_device(_welcome(granted, url_for("accounts.after_sign_in")), _device_token())


@blueprint.post("/the/<secret>/hoi")
def card_ask(secret: str) -> BaseResponse:
    form, token = parse(schemas.AskCard), _device_token() or tokens.new_token()
    with transaction(SYSTEM) as db:
        cards.ask(db, secret, form.id, device_token=token, agent=_agent())
    return _keep_device(redirect(url_for("accounts.card", secret=secret), 303), token)


@blueprint.get("/vao")
def after_sign_in() -> BaseResponse:
    """First the questions of consent, then where they were going; who has answered them or may not by card passes through."""
    known = signed_in()
    with transaction() as db:
        asked = signin.card_suffices(db, known) and privacy.unasked(db, _person_id(known))
    return redirect(url_for("accounts.consents", next=_next()) if asked else _next(), 303)


def _device_token() -> str:
    return request.cookies.get(DEVICE_COOKIE, "")[:100]


def _keep_device(response: BaseResponse, token: str) -> BaseResponse:
    response.set_cookie(
        DEVICE_COOKIE,
        token,
        max_age=TWO_YEARS,
        path=DEVICE_COOKIE_PATH,
        httponly=True,
        samesite="Lax",
        secure=is_https(web().settings),
    )
    return response


# --- the card on paper, and the word of the cooperative ----------------------------------------------------------


@blueprint.post("/don-vi/<uuid:organisation_id>/in-the")
def print_card(organisation_id: UUID) -> BaseResponse:
    known = require(Role.COOPERATIVE_MANAGER)
    form = parse(schemas.PrintCard)
    with transaction() as db:
        made = cards.print_card(db, known, organisation_id, form, key=_key())
    return redirect(url_for("accounts.printed_card", card_id=made.id), 303)


@blueprint.get("/the-in/<uuid:card_id>")
def printed_card(card_id: UUID) -> Response:
    known = require(Role.COOPERATIVE_MANAGER)
    with transaction() as db:
        made, secret, pin = cards.printed(db, known, card_id, key=_key())
        data = queries.looked_after(db, known, made.person_id)
        names = queries.organisation_names(db, [made.organisation_id])
    settings = web().settings
    address = f"{settings.printed_base()}{url_for('accounts.card', secret=secret)}"
    return page(
        "accounts/printed_card.html",
        card=made,
        pin=pin,
        person=f"{data.address_as} {data.full_name}",
        organisation=names[made.organisation_id],
        code="-".join(secret[i : i + 4] for i in range(0, len(secret), 4)),
        qr=qr_image(address),
        trial=settings.public_url is None,
        back_url=url_for("accounts.organisation", organisation_id=made.organisation_id),
    )


def qr_image(content: str) -> str:
    """A QR with its quiet zone as the address of an image: one SVG path, sharp at any size."""
    code = qrcode.QRCode(error_correction=ERROR_CORRECT_M, border=4)
    code.add_data(content)
    code.make(fit=True)
    rows = code.get_matrix()
    drawn = "".join(f"M{x} {y}h1v1h-1z" for y, row in enumerate(rows) for x, dark in enumerate(row) if dark)
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {len(rows)} {len(rows)}" shape-rendering="crispEdges">'
        f'<path fill="#fff" d="M0 0h{len(rows)}v{len(rows)}H0z"/><path d="{drawn}"/></svg>'
    )
    return f"data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}"


@blueprint.post("/the-in/<uuid:card_id>/huy")
def revoke_card(card_id: UUID) -> BaseResponse:
    known = signed_in()
    with transaction() as db:
        cards.revoke_card(db, known, card_id)
    return redirect(_next(url_for("accounts.account")), 303)


@blueprint.post("/may/<uuid:device_id>/mat")
def lost_phone(device_id: UUID) -> BaseResponse:
    """One tap: that phone and its sign-ins end now."""
    known = signed_in()
    with transaction() as db:
        cards.revoke_device(db, known, device_id)
    return redirect(_next(url_for("accounts.account")), 303)


@blueprint.get("/xac-nhan-may")
def card_requests() -> Response:
    known = require(Role.COOPERATIVE_MANAGER)
    with transaction() as db:
        managed = known.organisations_as(Role.COOPERATIVE_MANAGER)
        response = page("accounts/card_requests.html", rows=queries.waiting_requests(db, managed, clock.machine_now()))
    response.headers["Refresh"] = "15"
    return response


@blueprint.post("/xac-nhan-may/<uuid:card_request_id>")
def card_decide(card_request_id: UUID) -> BaseResponse:
    known = require(Role.COOPERATIVE_MANAGER)
    form = parse(schemas.Decision)
    with transaction() as db:
        cards.decide(db, known, card_request_id, right_person=form.word == "right")
    return redirect(url_for("accounts.card_requests"), 303)


# --- organisations and their people ------------------------------------------------------------------------------


@blueprint.get("/don-vi", endpoint="organisations")
def all_organisations() -> Response:
    known = signed_in()
    asked = parse_query(schemas.Search)
    with transaction() as db:
        rows = queries.organisations(db, known, search=asked.q)
        return page(
            "accounts/organisations.html",
            asked=asked,
            rows=rows,
            place_names=places.full_names(db, {p for o in rows if (p := o.village_id or o.commune_id)}),
        )


@blueprint.get("/nguoi-va-the", endpoint="people")
def people_of_own() -> BaseResponse:
    """The people of the organisation that the actor manages; who manages several chooses from the list."""
    known = require(Role.COOPERATIVE_MANAGER)
    own = known.organisations_as(Role.COOPERATIVE_MANAGER)
    if len(own) > 1:
        return redirect(url_for("accounts.organisations"), 303)
    return redirect(url_for("accounts.organisation", organisation_id=own[0]), 303)


@blueprint.get("/don-vi/moi")
def new_organisation() -> Response:
    require(Role.ADMINISTRATOR)
    with transaction() as db:
        return page(
            "accounts/new_organisation.html",
            kinds=list(OrganisationKind),
            communes=[(p.id, f"{p.kind_word} {p.name}") for p in places.current_communes(db, clock.today())],
        )


@blueprint.post("/don-vi/moi")
def new_organisation_send() -> BaseResponse:
    known = require(Role.ADMINISTRATOR)
    form = parse(schemas.OrganisationIn)
    with transaction() as db:
        made = organisations.create_organisation(db, known, form)
    return redirect(url_for("accounts.organisation", organisation_id=made.id), 303)


@blueprint.get("/don-vi/<uuid:organisation_id>")
def organisation(organisation_id: UUID) -> Response:
    known = signed_in()
    with transaction() as db:
        row = queries.organisation(db, known, organisation_id)
        return page("accounts/organisation.html", organisation=row, **_people_page(db, known, row))


def _people_page(db: Session, known: Actor, row: Organisation) -> dict[str, Any]:
    """Everybody who may open the organisation sees what it is; its people only who looks after them."""
    may_look = rights.may_look_after(db, known, row)
    wider = rights.look_after(db, known, row.id) if may_look else known
    households = queries.member_households(db, known, row.id) if row.kind != OrganisationKind.HOUSEHOLD else []
    place_id = row.village_id or row.commune_id
    people = queries.members(db, wider, [row.id]) if may_look else []
    return {
        "may_look": may_look,
        "people": people,
        "households": households,
        "offers": queries.offers_of(db, row.id) if may_look else [],
        "household_people": queries.members(db, wider, [h.id for h in households]) if may_look else [],
        "cooperatives": queries.organisation_names(db, queries.cooperatives_of(db, row.id, clock.today())),
        "manages": known.has(Role.COOPERATIVE_MANAGER, organisation_id=row.id),
        "administers": known.has(Role.ADMINISTRATOR),
        "place": places.full_names(db, [place_id])[place_id] if place_id else "",
        "place_names": places.full_names(db, {p.place_id for p in people if p.place_id}),
        "waiting": queries.waiting_count(db, known.organisations_as(Role.COOPERATIVE_MANAGER), clock.machine_now()),
    }


@blueprint.get("/don-vi/<uuid:organisation_id>/sua")
def change_organisation(organisation_id: UUID) -> Response:
    known = signed_in()
    with transaction() as db:
        row = queries.organisation(db, known, organisation_id)
        if not rights.may_look_after(db, known, row):
            raise forbidden()
        return page("accounts/change_organisation.html", organisation=row)


@blueprint.post("/don-vi/<uuid:organisation_id>/sua")
def change_organisation_send(organisation_id: UUID) -> BaseResponse:
    known = signed_in()
    form = parse(schemas.OrganisationChange)
    with transaction() as db:
        organisations.change_organisation(db, known, organisation_id, form)
    return redirect(url_for("accounts.organisation", organisation_id=organisation_id), 303)


@blueprint.get("/don-vi/<uuid:organisation_id>/them-nguoi")
def new_person(organisation_id: UUID) -> Response:
    known = signed_in()
    with transaction() as db:
        row = queries.organisation(db, known, organisation_id)
        may_give = roles.grantable(db, known, row)
        if not may_give:
            raise forbidden()
        return page(
            "accounts/new_person.html",
            organisation=row,
            roles=may_give,
            places=_places_of_roles(db, known, row) if set(may_give) & OFFICIAL_ROLES else [],
            forms_of_address=[(a, a) for a in AddressAs],
        )


def _places_of_roles(db: Session, known: Actor, row: Organisation) -> list[tuple[UUID, str]]:
    """The province, its communes, and the villages of the authority's own commune."""
    today = clock.today()
    found = [places.province(db), *places.current_communes(db, today)]
    if row.commune_id is not None:
        found += places.current_villages(db, row.commune_id, today)
    return [(p.id, f"{p.kind_word} {p.name}") for p in found if p.id in known.places or p.level == Level.PROVINCE]


@blueprint.post("/don-vi/<uuid:organisation_id>/them-nguoi")
def new_person_send(organisation_id: UUID) -> BaseResponse:
    known = signed_in()
    form = parse(schemas.PersonIn)
    with transaction() as db:
        person_id = people.add_person(db, known, organisation_id, form)
    if person_id != form.id:  # known already: their page is not shown before they accept
        return redirect(url_for("accounts.organisation", organisation_id=organisation_id), 303)
    return _to_person(organisation_id, person_id)


@blueprint.get("/don-vi/<uuid:organisation_id>/them-ho")
def new_household(organisation_id: UUID) -> Response:
    known = require(Role.COOPERATIVE_MANAGER)
    asked = parse_query(schemas.InCommune)
    with transaction() as db:
        row = queries.organisation(db, known, organisation_id)
        if not known.has(Role.COOPERATIVE_MANAGER, organisation_id=organisation_id):
            raise forbidden()
        today = clock.today()
        commune_id = asked.commune or row.commune_id
        return page(
            "accounts/new_household.html",
            organisation=row,
            commune_id=commune_id,
            communes=[(p.id, f"{p.kind_word} {p.name}") for p in places.current_communes(db, today)],
            villages=[
                (v.id, f"{v.kind_word} {v.name}")
                for v in (places.current_villages(db, commune_id, today) if commune_id else [])
            ],
        )


@blueprint.post("/don-vi/<uuid:organisation_id>/them-ho")
def new_household_send(organisation_id: UUID) -> BaseResponse:
    known = require(Role.COOPERATIVE_MANAGER)
    form = parse(schemas.HouseholdIn)
    with transaction() as db:
        household = households.add_household(db, known, organisation_id, form)
    return redirect(url_for("accounts.new_person", organisation_id=household.id), 303)


@blueprint.post("/don-vi/<uuid:organisation_id>/ho/<uuid:household_id>/roi")
def household_leaves(organisation_id: UUID, household_id: UUID) -> BaseResponse:
    known = signed_in()
    with transaction() as db:
        households.end_household(db, known, household_id, organisation_id, on=clock.today() - timedelta(days=1))
    flash(_("Hộ này thôi là thành viên từ hôm nay."), "met")
    return redirect(url_for("accounts.organisation", organisation_id=organisation_id), 303)


@blueprint.post("/don-vi/<uuid:organisation_id>/nhan-ho")
def household_joins(organisation_id: UUID) -> BaseResponse:
    known = require(Role.ADMINISTRATOR)
    form = parse(schemas.JoinIn)
    with transaction() as db:
        households.join_household(db, known, form.household_id, organisation_id, on=form.on or clock.today())
    return redirect(url_for("accounts.organisation", organisation_id=organisation_id), 303)


@blueprint.get("/don-vi/<uuid:organisation_id>/nguoi/<uuid:person_id>")
def person(organisation_id: UUID, person_id: UUID) -> Response:
    known = signed_in()
    with transaction() as db:
        return _person_page(db, known, organisation_id, person_id)


def _person_page(db: Session, known: Actor, organisation_id: UUID, person_id: UUID, *, password: str = "") -> Response:
    row = queries.organisation(db, known, organisation_id)
    wider = rights.look_after(db, known, organisation_id)
    data = queries.looked_after(db, wider, person_id)
    held = [m for m in queries.members(db, wider, wider.organisations) if m.person_id == person_id]
    managed = known.organisations_as(Role.COOPERATIVE_MANAGER)
    printers = [
        c for c in managed if c == organisation_id or c in queries.cooperatives_of(db, organisation_id, clock.today())
    ]
    names = queries.organisation_names(db, {m.organisation_id for m in held} | set(managed))
    return page(
        "accounts/person.html",
        organisation=row,
        data=data,
        held=held,
        names=names,
        place_names=places.full_names(db, {m.place_id for m in held if m.place_id}),
        roles=roles.grantable(db, known, row),
        printer=printers[0] if printers and any(m.role == Role.FARMER for m in held) else None,
        card=queries.open_card(db, person_id, printers[0]) if printers else None,
        devices=queries.devices_of(db, person_id),
        machine_now=clock.machine_now(),
        password=password,
    )


@blueprint.get("/don-vi/<uuid:organisation_id>/nguoi/<uuid:person_id>/sua")
def change_person(organisation_id: UUID, person_id: UUID) -> Response:
    known = signed_in()
    with transaction() as db:
        return page(
            "accounts/change_person.html",
            data=people.change_of(db, known, organisation_id, person_id),
            forms_of_address=[(a, a) for a in AddressAs],
            back=url_for(".person", organisation_id=organisation_id, person_id=person_id),
        )


@blueprint.post("/don-vi/<uuid:organisation_id>/nguoi/<uuid:person_id>/sua")
def change_person_send(organisation_id: UUID, person_id: UUID) -> BaseResponse:
    known = signed_in()
    form = parse(schemas.PersonalChange)
    with transaction() as db:
        people.change_personal_data(db, known, person_id, form, organisation_id=organisation_id)
    return _to_person(organisation_id, person_id)


@blueprint.post("/don-vi/<uuid:organisation_id>/nguoi/<uuid:person_id>/vai-tro")
def grant_role(organisation_id: UUID, person_id: UUID) -> BaseResponse:
    known = signed_in()
    form = parse(schemas.RoleIn)
    with transaction() as db:
        roles.grant_role(db, known, organisation_id, person_id, form)
    return _to_person(organisation_id, person_id)


@blueprint.post("/don-vi/<uuid:organisation_id>/vai-tro/<uuid:membership_id>/thoi")
def end_role(organisation_id: UUID, membership_id: UUID) -> BaseResponse:
    known = signed_in()
    with transaction() as db:
        roles.end_role(db, known, membership_id, organisation_id)
    return redirect(url_for("accounts.organisation", organisation_id=organisation_id), 303)


@blueprint.post("/don-vi/<uuid:organisation_id>/nguoi/<uuid:person_id>/mat-khau")
def first_password(organisation_id: UUID, person_id: UUID) -> Response:
    """Answers with the page itself: the password is shown this once and kept nowhere."""
    known = signed_in()
    with transaction() as db:
        password = people.first_password(db, known, organisation_id, person_id)
        return _person_page(db, known, organisation_id, person_id, password=password)


@blueprint.post("/don-vi/<uuid:organisation_id>/nguoi/<uuid:person_id>/ket-thuc-phien")
def end_sign_ins(organisation_id: UUID, person_id: UUID) -> BaseResponse:
    known = signed_in()
    with transaction() as db:
        people.end_sign_ins(db, known, organisation_id, person_id)
    return _to_person(organisation_id, person_id)


def _to_person(organisation_id: UUID, person_id: UUID) -> BaseResponse:
    return redirect(url_for("accounts.person", organisation_id=organisation_id, person_id=person_id), 303)

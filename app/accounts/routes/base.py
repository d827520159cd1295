"""The blueprint of accounts, and what its pages share: the words for roles and kinds, lists of places, whose request this is."""

from typing import Any
from uuid import UUID

from flask import Blueprint, current_app, g, request, url_for
from sqlalchemy.orm import Session
from werkzeug.local import LocalProxy

from app import clock
from app.accounts import people, queries, schemas
from app.accounts.attempts import Origin
from app.accounts.models import OrganisationKind
from app.actor import PUBLIC, SYSTEM, Actor, Role
from app.db import Words
from app.errors import forbidden
from app.messages import N_
from app.places import queries as places
from app.web import counting, language, own_address, page_transaction, read_cookie, transaction, visitor_address

blueprint = Blueprint("accounts", "app.accounts", template_folder="templates")

ROLE_WORDS: dict[Role, Words] = {
    Role.FARMER: Words.of(N_("Nông dân của hộ")),
    Role.COOPERATIVE_MANAGER: Words.of(N_("Quản lý hợp tác xã")),
    Role.PURCHASER: Words.of(N_("Người thu mua")),
    Role.EXTENSION_OFFICER: Words.of(N_("Cán bộ khuyến nông")),
    Role.VILLAGE_OFFICER: Words.of(N_("Cán bộ thôn")),
    Role.DIGITAL_GROUP: Words.of(N_("Thành viên tổ công nghệ số cộng đồng")),
    Role.COMMUNE_OFFICIAL: Words.of(N_("Cán bộ xã, phường")),
    Role.PROVINCE_OFFICIAL: Words.of(N_("Cán bộ tỉnh")),
    Role.CERTIFIER: Words.of(N_("Người chứng nhận")),
    Role.ADMINISTRATOR: Words.of(N_("Quản trị")),
}
KIND_WORDS: dict[OrganisationKind, Words] = {
    OrganisationKind.HOUSEHOLD: Words.of(N_("Hộ")),
    OrganisationKind.COOPERATIVE_GROUP: Words.of(N_("Tổ hợp tác")),
    OrganisationKind.COOPERATIVE: Words.of(N_("Hợp tác xã")),
    OrganisationKind.ENTERPRISE: Words.of(N_("Doanh nghiệp")),
    OrganisationKind.AUTHORITY: Words.of(N_("Cơ quan")),
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
    actor: Actor = g.get("actor", PUBLIC)
    if actor.person_id is None:
        return "", ""
    if "me" not in g:
        with page_transaction() as session:
            name, names = queries.greeting(session, actor.person_id, {m.organisation_id for m in actor.memberships})
        g.me = (name, _in_short(names))
    found: tuple[str, str] = g.me
    return found


def _in_short(names: list[str]) -> str:
    """A few names, and how many more: the bar has room for a line or two."""
    shown = ", ".join(names[:MOST_IN_THE_BAR])
    more = len(names) - MOST_IN_THE_BAR
    return shown if more <= 0 else counting("%(names)s và %(n)s đơn vị khác", n=more, names=shown)


@blueprint.app_template_filter("role_word")
def role_word(role: str) -> Words:
    return ROLE_WORDS[Role(role)]


@blueprint.app_template_filter("kind_word")
def kind_word(kind: str) -> Words:
    return KIND_WORDS[OrganisationKind(kind)]


@blueprint.app_template_filter("phone")
def shown_phone(value: str | None) -> str:
    return schemas.shown_phone(value)


def signing_key() -> bytes:
    return str(current_app.config["SECRET_KEY"]).encode()


def agent() -> str:
    return request.headers.get("User-Agent", "")[:400]


MOST_IN_THE_BAR = 3
BROWSER_COOKIE = "hoi_quen"  # a browser that somebody signed in with before; it signs nobody in


def origin() -> Origin:
    return Origin(address=visitor_address(), browser=read_cookie(BROWSER_COOKIE)[:600])


def count_lookup(actor: Actor, phone: str | None, full_name: str, *, of: UUID | None = None) -> None:
    """Raises TooMany for who was told of too many numbers today that they are somebody's."""
    with transaction(SYSTEM) as session:
        refused = people.check_lookups(session, actor, phone, full_name, of=of, key=signing_key())
    if refused is not None:
        raise refused


def next_address(default: str = "/") -> str:
    """Where to go after signing in: an address of ours, never another site's."""
    return own_address(request.values.get("next", ""), default)


def own_person_id(actor: Actor) -> UUID:
    if actor.person_id is None:
        raise forbidden()
    return actor.person_id


def communes_and_villages(session: Session, commune_id: UUID | None) -> dict[str, Any]:
    """What a page needs to choose a village: today's communes, the chosen one, and its villages."""
    today = clock.today()
    villages = places.current_villages(session, commune_id, today) if commune_id else []
    return {
        "commune_id": commune_id,
        "communes": places.commune_choices(session, today, language()),
        "villages": [(p.id, places.full_name(p, language=language())) for p in villages],
    }

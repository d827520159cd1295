"""Pages of selling online: accounts, listings and their evidence, declared links, and the province's list of floors."""

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, g, redirect, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as BaseResponse

from app import clock, media
from app.accounts import queries as accounts
from app.actor import Actor, Right, check_may
from app.db import Words
from app.errors import Invalid
from app.forms import Searched
from app.marketplace_sync import account_checks, channel_accounts, queries
from app.marketplace_sync import declared as declared_verbs
from app.marketplace_sync import floors as floor_verbs
from app.marketplace_sync import listings as listing_verbs
from app.marketplace_sync.account_fields import fields_to_connect, fields_to_renew, labels
from app.marketplace_sync.declared_view import link_row
from app.marketplace_sync.listing_view import Standing, listing_view
from app.marketplace_sync.models import TROUBLED, AccountCheck
from app.marketplace_sync.schemas import (
    LinkFilter,
    ListingFilter,
    NewAccount,
    NewConfirmation,
    NewDeclared,
    NewFloor,
    NewFloorDecision,
    WantListing,
)
from app.messages import N_
from app.products import queries as products
from app.web import (
    done,
    language,
    page,
    parse,
    parse_data,
    parse_query,
    picked,
    require,
    signed_in,
    takes_files,
    transaction,
    web,
)

blueprint = Blueprint("marketplace_sync", __name__, template_folder="templates")


FEW_OFFERS = 5  # of an account that the overview shows; the others stand on a page of their own
FEW_ACCOUNTS = 4  # with more of them the overview only leads to those pages
FEW_LINKS = 5
LINKS_A_PAGE = 25  # each with pictures of the looks and a form to withdraw it


def _seller() -> Actor:
    return require(Right.SELL)


@blueprint.get("/san")
def listings() -> Response:
    actor, asked = _seller(), parse_query(ListingFilter)
    chosen: dict[str, Any] = {"q": asked.q or None, "troubled": 1 if asked.troubled else None}
    with transaction() as session:
        found = queries.listing_list(session, actor, search=asked.q, troubled=asked.troubled, mark=asked.trang)
        accounts = queries.accounts_of(session, actor)
        offers = queries.first_offers(session, accounts, FEW_OFFERS if len(accounts) <= FEW_ACCOUNTS else 0)
        declared = queries.declared_list(session, actor, size=FEW_LINKS)
        floors, counted = queries.floors_as_counted(session, as_of=clock.today(), known_at=clock.now())
        shown = {v.product_id for v in found.variants.values()} | {row.product_id for row, _looks in declared.lines}
        return page(
            "marketplace_sync/listings.html",
            found=found,
            asked=asked,
            page_url=lambda mark: url_for("marketplace_sync.listings", **chosen, trang=mark),
            variants=found.variants,
            products=queries.product_names(
                session, shown | {o.variant.product_id for some in offers.values() for o in some.lines}
            ),
            accounts=accounts,
            declared=declared,
            floors=floors,
            counted=counted,
            offers=offers,
        )


@blueprint.get("/san/tai-khoan/<uuid:account_id>/dua-len")
def offers(account_id: UUID) -> Response:
    """What may be put on sale on one account, by pages, with a search."""
    actor, asked = _seller(), parse_query(ListingFilter)
    with transaction() as session:
        account = queries.account(session, actor, account_id)
        found = queries.offer_list(session, account, search=asked.q, mark=asked.trang)
        return page(
            "marketplace_sync/offers.html",
            account=account,
            found=found,
            asked=asked,
            page_url=lambda mark: url_for(
                "marketplace_sync.offers", account_id=account_id, q=asked.q or None, trang=mark
            ),
            products=queries.product_names(session, {o.variant.product_id for o in found.lines}),
        )


@blueprint.post("/san")
def want_live() -> BaseResponse:
    _seller()
    new = parse(WantListing)
    with transaction() as session:
        listing_id = listing_verbs.want_live(session, signed_in(), new)
    return redirect(url_for("marketplace_sync.listing", listing_id=listing_id), 303)


@blueprint.get("/san/tin/<uuid:listing_id>")
def listing(listing_id: UUID) -> Response:
    actor = _seller()
    with transaction() as session:
        row = queries.listing(session, actor, listing_id)
        account = queries.account(session, actor, row.account_id)
        busy = row.applied_version < row.wanted_version and row.state not in TROUBLED
        variant = products.variant(session, actor, row.variant_id)
        to_decide = row.wanted == "unlisted" or row.state in TROUBLED
        floor = {f.id: f for f in queries.floors(session)}.get(account.floor_id) if account.floor_id else None
        sightings = queries.sightings(session, row)
        known = Standing(
            account=account,
            busy=busy,
            sold_out=bool(sightings) and sightings[0].sold_out,
            counted=account.floor_id in queries.counted_floors(session, as_of=clock.today(), known_at=clock.now()),
            obstacle=queries.obstacle(session, account, variant) if to_decide else None,
            may_edit=actor.may(Right.MANAGE_PRODUCTS, row.organisation_id),
            refused=g.get("form_problem") is not None,
        )
        response = page(
            "marketplace_sync/listing.html",
            listing=row,
            view=listing_view(row, known),
            account=account,
            place=floor.name.text(language()) if floor else account.name,
            variant=variant,
            product_name=queries.product_names(session, {row.product_id})[row.product_id],
            sightings=sightings,
            calls=queries.calls(session, listing_id),
        )
    if busy:
        response.headers["Refresh"] = "2"
    return response


@blueprint.post("/san/tin/<uuid:listing_id>/<any(send, unlist, look):what>")
def act(listing_id: UUID, what: str) -> BaseResponse:
    actor = _seller()
    with transaction() as session:
        if what == "unlist":
            listing_verbs.want_unlisted(session, actor, listing_id)
        elif what == "look":
            listing_verbs.look_now(session, actor, listing_id)
        else:
            row = queries.listing(session, actor, listing_id)
            listing_verbs.want_live(
                session, actor, WantListing(id=row.id, account_id=row.account_id, variant_id=row.variant_id)
            )
    return redirect(url_for("marketplace_sync.listing", listing_id=listing_id), 303)


@blueprint.get("/san/tin/<uuid:listing_id>/<any(send, unlist, look):what>")
def act_form(listing_id: UUID, what: str) -> Response:  # noqa: ARG001 - the address of the verb, whose refusal is shown here
    return listing(listing_id)


# --- accounts ----------------------------------------------------------------------------------------------------


@blueprint.get("/san/tai-khoan/moi")
def connect() -> Response:
    actor = _seller()
    channels = [(s, fields_to_connect(s)) for s in channel_accounts.channel_specs()]
    with transaction() as session:
        return page(
            "marketplace_sync/connect.html",
            channels=channels,
            field_labels={name: label for _spec, fields in channels for name, label in labels(fields).items()},
            organisations=accounts.organisation_names(session, actor.where(Right.SELL)),
            floors=queries.floors(session),
        )


@blueprint.post("/san/tai-khoan/moi")
def connect_send() -> BaseResponse:
    actor = _seller()
    form = request.form
    new = parse_data(
        NewAccount,
        {
            **{k: form[k] for k in ("id", "organisation_id", "channel", "name", "stock_buffer") if form.get(k)},
            "credentials": {
                f.name: form[f.name].strip()
                for s in channel_accounts.channel_specs()
                for f in s.fields
                if form.get(f.name, "").strip()
            },
        },
    )
    check_may(actor, Right.SELL, new.organisation_id)
    with transaction() as session:
        check_id = account_checks.ask(session, actor, web().settings, new)
    return redirect(url_for("marketplace_sync.check", check_id=check_id), 303)


@blueprint.get("/san/tai-khoan/hoi/<uuid:check_id>")
def check(check_id: UUID) -> Response:
    """How the shop's answer to new keys stands; when it refused them, the form again with what was typed and is no secret."""
    actor = _seller()
    with transaction() as session:
        row = queries.account_check(session, actor, check_id)
        check_may(actor, Right.SELL, row.organisation_id)
        waiting, renews, account_id = row.state == "waiting", row.renews, row.account_id
        response = None if row.state == "refused" else page("marketplace_sync/check.html", check=row)
        if response is None:
            _refill(row)
    if response is None:
        response = account(account_id) if renews else connect()
    if waiting:
        response.headers["Refresh"] = "2"
    return response


def _refill(check: AccountCheck) -> None:
    """Let the form that is shown next hold what was typed, and say what is wrong with it."""
    told = check.error or Words(vi="")
    error = Invalid(check.error_code or "refused", told, field=check.error_field)
    g.form_problem = error
    g.form_errors = {error.field: error.text(language())} if error.field else {}
    typed = {"organisation_id": check.organisation_id, "name": check.name, "stock_buffer": check.stock_buffer}
    g.form_values = {name: str(value) for name, value in (typed | check.shown).items()}


@blueprint.get("/san/tai-khoan/<uuid:account_id>")
def account(account_id: UUID) -> Response:
    actor = _seller()
    with transaction() as session:
        row = queries.account(session, actor, account_id)
        spec = next(s for s in channel_accounts.channel_specs() if s.kind == row.channel)
        fields = fields_to_renew(spec, channel_accounts.known_credentials(web().settings, row))
        return page(
            "marketplace_sync/account.html",
            account=row,
            fields=fields,
            field_labels=labels(fields),
            quiet=row.quiet_until is not None and row.quiet_until > clock.machine_now(),
        )


@blueprint.post("/san/tai-khoan/<uuid:account_id>/<any(pause, resume):what>")
def account_state(account_id: UUID, what: str) -> BaseResponse:
    actor = _seller()
    with transaction() as session:
        verb = channel_accounts.pause_account if what == "pause" else channel_accounts.resume_account
        verb(session, actor, account_id)
    return redirect(url_for("marketplace_sync.account", account_id=account_id), 303)


@blueprint.post("/san/tai-khoan/<uuid:account_id>")
def reconnect(account_id: UUID) -> BaseResponse:
    actor = _seller()
    settings = web().settings
    with transaction() as session:
        row = queries.account(session, actor, account_id)
        spec = next(s for s in channel_accounts.channel_specs() if s.kind == row.channel)
        old = channel_accounts.known_credentials(settings, row)
        fresh = {f.name: request.form.get(f.name, "").strip() for f in spec.fields}
        new = NewAccount(
            id=row.id,
            organisation_id=row.organisation_id,
            channel=row.channel,
            name=row.name,
            credentials={
                **{f.name: old[f.name] for f in spec.fields if not f.required and f.name in old},
                **{name: value for name, value in fresh.items() if value},
                "base_url": row.base_url,
            },
        )
        check_id = account_checks.ask(session, actor, settings, new, renews=True)
    return redirect(url_for("marketplace_sync.check", check_id=check_id), 303)


# --- declared links ----------------------------------------------------------------------------------------------


@blueprint.get("/san/khai")
def declare() -> Response:
    actor = _seller()
    with transaction() as session:
        choices = products.products_to_choose(
            session, actor.where(Right.SELL), search=parse_query(Searched).tim, chosen=picked("product_id")
        )
        return page(
            "marketplace_sync/declare.html",
            choices=choices,
            floors=[f for f in queries.floors(session) if f.kind == "marketplace"],
        )


@blueprint.post("/san/khai")
def declare_send() -> BaseResponse:
    actor = _seller()
    with transaction() as session:
        declared_verbs.declare(session, actor, parse(NewDeclared))
    return done(
        _("Đã lưu đường dẫn. Chỉ được tính khi người ngoài đơn vị mở xem và xác nhận."),
        url_for("marketplace_sync.declared"),
        tone="wait",
    )


@blueprint.get("/san/da-khai")
def declared() -> Response:
    actor, asked = require(*declared_verbs.READERS), parse_query(LinkFilter)
    chosen: dict[str, Any] = {"q": asked.q or None, "waiting": 1 if asked.waiting else None}
    with transaction() as session:
        found = queries.declared_list(
            session, actor, search=asked.q, waiting=asked.waiting, mark=asked.trang, size=LINKS_A_PAGE
        )
        names = queries.product_names(session, {link.product_id for link, _looks in found.lines})
        floors = {f.id: f.name for f in queries.floors(session)}
        looks = [look.id for _link, two in found.lines for look in two.shown]
        opened, selling_for = queries.declared_looks(session, actor, looks), actor.where(Right.SELL)
        return page(
            "marketplace_sync/declared.html",
            found=found,
            rows=[
                link_row(
                    actor,
                    link,
                    two,
                    product=names[link.product_id],
                    floor=floors[link.floor_id],
                    opened=opened,
                    selling_for=selling_for,
                )
                for link, two in found.lines
            ],
            asked=asked,
            page_url=lambda mark: url_for("marketplace_sync.declared", **chosen, trang=mark),
        )


@blueprint.get("/san/da-khai/<uuid:declared_id>")
def confirm_form(declared_id: UUID) -> Response:
    actor = require(Right.CONFIRM_LINK)
    with transaction() as session:
        row = queries.declared_listing(session, actor, declared_id)
        return page(
            "marketplace_sync/confirm.html",
            row=row,
            product=queries.product_names(session, {row.product_id})[row.product_id],
            floor={f.id: f for f in queries.floors(session)}[row.floor_id],
            mine=row.declared_by == actor.person_id,
            by_colleague=queries.is_of_the_seller(session, actor, row),
        )


@blueprint.post("/san/da-khai/<uuid:declared_id>")
@takes_files(media.MAX_PHOTO_BYTES)
def confirm(declared_id: UUID) -> BaseResponse:
    actor = require(Right.CONFIRM_LINK)
    sent = request.files.get("photo")
    if sent is None or not sent.filename:
        raise Invalid(
            "picture_needed",
            N_("Cần ảnh chụp màn hình trang bán hàng."),
            field="photo",
        )
    store = media.store_for(web().settings)
    photo = media.read_photo(store, sent.read(media.MAX_PHOTO_BYTES + 1), actor.person_id)
    with transaction() as session:
        kept = media.keep(session, store, photo)
        new = parse(NewConfirmation, declared_listing_id=declared_id, photo_sha256=kept)
        declared_verbs.confirm(session, actor, new)
    return done(_("Đã ghi lần xem này."), url_for("marketplace_sync.declared"))


@blueprint.post("/san/da-khai/<uuid:declared_id>/go")
def withdraw(declared_id: UUID) -> BaseResponse:
    actor = _seller()
    with transaction() as session:
        declared_verbs.withdraw(session, actor, declared_id)
    return done(_("Đã gỡ đường dẫn này."), url_for("marketplace_sync.declared"))


# --- the province's list of floors -------------------------------------------------------------------------------


@blueprint.get("/san/danh-sach")
def floors() -> Response:
    actor = signed_in()
    with transaction() as session:
        return page(
            "marketplace_sync/floors.html",
            floors=queries.floors(session),
            counted=queries.counted_floors(session, as_of=clock.today(), known_at=clock.now()),
            decisions=queries.floor_decisions(session),
            may_manage=actor.may_everywhere(Right.SET_PROVINCE_RULES),
        )


@blueprint.post("/san/danh-sach")
def add_floor() -> BaseResponse:
    actor = require(Right.SET_PROVINCE_RULES)
    with transaction() as session:
        floor_verbs.add_floor(session, actor, parse(NewFloor))
    return redirect(url_for("marketplace_sync.floors"), 303)


@blueprint.post("/san/danh-sach/quyet-dinh")
def decide_floor() -> BaseResponse:
    actor = require(Right.SET_PROVINCE_RULES)
    with transaction() as session:
        floor_verbs.decide_floor(session, actor, parse(NewFloorDecision))
    return redirect(url_for("marketplace_sync.floors"), 303)


@blueprint.get("/san/danh-sach/quyet-dinh")
def decide_form() -> Response:
    return floors()

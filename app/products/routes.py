"""Pages of products: the list, one product with its packs and certificates, and the forms that change them."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import Blueprint, Response, g, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as BaseResponse

from app import clock, media
from app.accounts import queries as accounts
from app.actor import Actor, Right, check_may
from app.errors import forbidden
from app.forms import Searched
from app.places import queries as places
from app.places.queries import VillageChoices
from app.places.schemas import InCommune
from app.products import certificates, queries, service
from app.products.forms_shown import in_certificate_form, in_pack_form, in_product_form
from app.products.models import Product, Scheme
from app.products.schemas import (
    NET_UNITS,
    OCOP_GROUPS,
    SCHEMES,
    EditProduct,
    EditVariant,
    NewCertificate,
    NewProduct,
    NewVariant,
    ProductFilter,
    Retire,
    WithdrawCertificate,
)
from app.web import (
    done,
    language,
    page,
    parse,
    parse_query,
    picked,
    sent_file,
    signed_in,
    takes_files,
    transaction,
    unit_options,
    web,
    words,
)

blueprint = Blueprint("products", __name__, template_folder="templates")

ENDING = timedelta(days=90)  # of so many days the desk warns: a new assessment takes its dossier about three months


Read = media.PhotoRead | media.PdfRead


def _sent_photo(sender: Actor) -> Read | None:
    """The picture of the form, read; None when none was chosen. Ask before a transaction is open, and `_keep` it in one."""
    raw = sent_file("photo")
    return media.read_photo(media.store_for(web().settings), raw, sender.person_id) if raw else None


def _sent_paper(sender: Actor) -> Read | None:
    """A photo or PDF of the certificate; as `_sent_photo`."""
    raw = sent_file("file")
    return media.read_photo_or_pdf(media.store_for(web().settings), raw, sender.person_id) if raw else None


def _keep(session: Session, read: Read | None) -> str | None:
    return media.keep(session, media.store_for(web().settings), read) if read is not None else None


def _villages(session: Session, communes: Collection[UUID | None], chosen: Collection[UUID] = ()) -> VillageChoices:
    """Those of the holders' communes, of the commune asked for, and those chosen already."""
    near, asked = list(communes), parse_query(InCommune).commune
    return places.village_choices(session, near, clock.today(), asked=asked, also=chosen, language=language())


def _chosen(stored: Collection[UUID]) -> set[str]:
    """The villages that are ticked: as typed in a form that is shown again, else the stored ones."""
    typed = g.get("form_values")
    return set(typed.getlist("village_ids") if typed else map(str, stored))


def _managed(session: Session, actor: Actor, product_id: UUID) -> Product:
    row = queries.product(session, actor, product_id)
    check_may(actor, Right.MANAGE_PRODUCTS, row.organisation_id)
    return row


def _groups() -> list[tuple[int, str]]:
    return [(n, f"{n}. {words(name)}") for n, name in OCOP_GROUPS.items()]


def _schemes() -> list[tuple[Scheme, str]]:
    return [(scheme, words(name)) for scheme, name in SCHEMES.items()]


@blueprint.get("/san-pham")
def products() -> Response:
    actor = signed_in()
    asked = parse_query(ProductFilter)
    chosen: dict[str, Any] = {
        "q": asked.q or None,
        "retired": 1 if asked.retired else None,
        "ending": 1 if asked.ending else None,
    }
    with transaction() as session:
        found = queries.product_list(
            session,
            actor,
            search=asked.q,
            retired=asked.retired,
            ending_by=clock.today() + ENDING if asked.ending else None,
            mark=asked.trang,
        )
        ids = [p.id for p in found.products]
        return page(
            "products/list.html",
            asked=asked,
            found=found,
            page_url=lambda mark: url_for("products.products", **chosen, trang=mark),
            packs=queries.variants_of(session, ids),
            states=queries.ocop_states(session, ids, clock.today()),
            holders=accounts.organisation_names(session, {p.organisation_id for p in found.products}),
            groups=OCOP_GROUPS,
            may_create=bool(actor.where(Right.MANAGE_PRODUCTS)),
        )


@blueprint.get("/san-pham/<uuid:product_id>")
def product(product_id: UUID) -> Response:
    actor = signed_in()
    today = clock.today()
    with transaction() as session:
        row = queries.product(session, actor, product_id)
        made_in = queries.villages_of(session, [row.id], today).get(row.id, [])
        packs = queries.variants_of(session, [row.id], retired=True).get(row.id, [])
        may_manage = actor.may(Right.MANAGE_PRODUCTS, row.organisation_id)
        return page(
            "products/show.html",
            product=row,
            holder=accounts.organisation_names(session, [row.organisation_id]).get(row.organisation_id, ""),
            packs=packs,
            villages=places.full_names(session, made_in, language()),
            lines=queries.certificate_lines(session, actor, row.id, today),
            groups=OCOP_GROUPS,
            schemes=SCHEMES,
            may_manage=may_manage,
            may_change=may_manage and row.retired_on is None,
            may_edit={p.id for p in packs if may_manage and p.retired_on is None},
        )


@blueprint.get("/san-pham/moi")
def new() -> Response:
    actor = signed_in()
    with transaction() as session:
        mine = actor.where(Right.MANAGE_PRODUCTS)
        if not mine:
            raise forbidden()
        own = {m.organisation_id for m in actor.memberships}
        holders = accounts.organisations_to_choose(
            session, mine, own=own, search=parse_query(Searched).tim, chosen=picked("organisation_id")
        )
        return page(
            "products/form.html",
            product=None,
            known={},
            holders=holders,
            holder_options=[(o.id, o.name) for o in holders.rows],
            villages=_villages(session, {o.commune_id for o in holders.rows}),
            chosen=_chosen(()),
            groups=_groups(),
        )


@blueprint.post("/san-pham/moi", endpoint="create")
@takes_files(media.MAX_PHOTO_BYTES)
def create() -> BaseResponse:
    actor = signed_in()
    read = _sent_photo(actor)
    with transaction() as session:
        asked = parse(NewProduct, photo_sha256=_keep(session, read))
        product_id = service.create_product(session, actor, asked)
    return done(
        _("Đã lưu sản phẩm. Bước tiếp: thêm gói bán và chứng nhận."), url_for("products.product", product_id=product_id)
    )


@blueprint.get("/san-pham/<uuid:product_id>/sua")
def edit(product_id: UUID) -> Response:
    actor = signed_in()
    with transaction() as session:
        row = _managed(session, actor, product_id)
        chosen = queries.villages_of(session, [row.id], clock.today()).get(row.id, [])
        holder = accounts.organisation(session, actor, row.organisation_id)
        return page(
            "products/form.html",
            product=row,
            known=in_product_form(row),
            villages=_villages(session, {holder.commune_id}, chosen),
            chosen=_chosen(chosen),
            groups=_groups(),
        )


@blueprint.post("/san-pham/<uuid:product_id>/sua")
@takes_files(media.MAX_PHOTO_BYTES)
def edit_send(product_id: UUID) -> BaseResponse:
    actor = signed_in()
    read = _sent_photo(actor)
    with transaction() as session:
        kept = _managed(session, actor, product_id).photo_sha256
        service.update_product(
            session, actor, product_id, parse(EditProduct, photo_sha256=_keep(session, read) or kept)
        )
    return done(_("Đã sửa sản phẩm."), url_for("products.product", product_id=product_id))


@blueprint.post("/san-pham/<uuid:product_id>/thoi-lam")
def retire(product_id: UUID) -> BaseResponse:
    with transaction(signed_in()) as session:
        service.retire_product(session, signed_in(), product_id, parse(Retire).version)
    return done(
        _("Sản phẩm này ngừng làm từ hôm nay. Hồ sơ cũ vẫn giữ."), url_for("products.product", product_id=product_id)
    )


# --- packs -------------------------------------------------------------------------------------------------------


@blueprint.get("/san-pham/<uuid:product_id>/goi-moi")
def new_pack(product_id: UUID) -> Response:
    actor = signed_in()
    with transaction() as session:
        row = _managed(session, actor, product_id)
        return page("products/pack.html", product=row, pack=None, known={}, units=unit_options(NET_UNITS))


@blueprint.post("/san-pham/<uuid:product_id>/goi-moi")
def new_pack_send(product_id: UUID) -> BaseResponse:
    with transaction(signed_in()) as session:
        service.add_variant(session, signed_in(), parse(NewVariant, product_id=product_id))
    return done(_("Đã thêm gói bán."), url_for("products.product", product_id=product_id))


@blueprint.get("/goi-hang/<uuid:variant_id>/sua")
def edit_pack(variant_id: UUID) -> Response:
    actor = signed_in()
    with transaction() as session:
        pack = queries.variant(session, actor, variant_id)
        row = _managed(session, actor, pack.product_id)
        return page(
            "products/pack.html", product=row, pack=pack, known=in_pack_form(pack), units=unit_options(NET_UNITS)
        )


@blueprint.post("/goi-hang/<uuid:variant_id>/sua")
def edit_pack_send(variant_id: UUID) -> BaseResponse:
    actor = signed_in()
    with transaction() as session:
        service.update_variant(session, actor, variant_id, parse(EditVariant))
        product_id = queries.variant(session, actor, variant_id).product_id
    return done(_("Đã sửa gói bán."), url_for("products.product", product_id=product_id))


@blueprint.post("/goi-hang/<uuid:variant_id>/thoi-ban")
def retire_pack(variant_id: UUID) -> BaseResponse:
    actor = signed_in()
    with transaction() as session:
        service.retire_variant(session, actor, variant_id, parse(Retire).version)
        product_id = queries.variant(session, actor, variant_id).product_id
    return done(_("Gói này ngừng bán từ hôm nay."), url_for("products.product", product_id=product_id))


# --- certificates ------------------------------------------------------------------------------------------------


@blueprint.get("/san-pham/<uuid:product_id>/chung-nhan-moi")
def certify(product_id: UUID) -> Response:
    actor = signed_in()
    with transaction() as session:
        row = _managed(session, actor, product_id)
        return page(
            "products/certificate.html", product=row, old=None, known={"scheme": Scheme.OCOP}, schemes=_schemes()
        )


@blueprint.post("/san-pham/<uuid:product_id>/chung-nhan-moi")
@takes_files(media.MAX_PHOTO_BYTES)
def certify_send(product_id: UUID) -> BaseResponse:
    actor = signed_in()
    read = _sent_paper(actor)
    with transaction() as session:
        row = _managed(session, actor, product_id)
        asked = parse(
            NewCertificate,
            organisation_id=row.organisation_id,
            product_id=product_id,
            file_sha256=_keep(session, read),
        )
        certificates.record_certificate(session, actor, asked)
    return done(_("Đã lưu chứng nhận."), url_for("products.product", product_id=product_id))


@blueprint.get("/chung-nhan/<uuid:certificate_id>/sua")
def correct_certificate(certificate_id: UUID) -> Response:
    actor = signed_in()
    with transaction() as session:
        row = queries.certificate(session, actor, certificate_id)
        if not actor.may(Right.MANAGE_PRODUCTS, row.organisation_id):
            raise forbidden()
        product = queries.product(session, actor, row.product_id) if row.product_id else None
        return page(
            "products/certificate.html", product=product, old=row, known=in_certificate_form(row), schemes=_schemes()
        )


@blueprint.post("/chung-nhan/<uuid:certificate_id>/sua")
def correct_certificate_send(certificate_id: UUID) -> BaseResponse:
    actor = signed_in()
    with transaction() as session:
        old = queries.certificate(session, actor, certificate_id)
        asked = parse(
            NewCertificate,
            organisation_id=old.organisation_id,
            product_id=old.product_id,
            file_sha256=old.file_sha256,
            supersedes_id=old.id,
        )
        certificates.record_certificate(session, actor, asked)
    return done(_("Đã lưu dòng sửa; dòng cũ vẫn giữ trong hồ sơ."), _back_to(old.product_id))


@blueprint.get("/chung-nhan/<uuid:certificate_id>/thu-hoi")
def withdraw(certificate_id: UUID) -> Response:
    actor = signed_in()
    with transaction() as session:
        row = queries.certificate(session, actor, certificate_id)
        if not actor.may(Right.MANAGE_PRODUCTS, row.organisation_id):
            raise forbidden()
        return page("products/withdraw.html", row=row, schemes=SCHEMES, back=_back_to(row.product_id))


@blueprint.post("/chung-nhan/<uuid:certificate_id>/thu-hoi")
def withdraw_send(certificate_id: UUID) -> BaseResponse:
    actor = signed_in()
    with transaction() as session:
        old = queries.certificate(session, actor, certificate_id)
        certificates.withdraw_certificate(session, actor, certificate_id, parse(WithdrawCertificate))
    return done(_("Đã ghi thu hồi chứng nhận; dòng cũ vẫn giữ trong hồ sơ."), _back_to(old.product_id))


def _back_to(product_id: UUID | None) -> str:
    return url_for("products.product", product_id=product_id) if product_id else url_for("products.products")

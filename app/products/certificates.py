"""The verbs of certificates: record what was decided, correct a row, withdraw; nothing is ever rewritten."""

import hashlib
from calendar import monthrange
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import audit, clock, media
from app.actor import Actor, Right, check_may
from app.db import canonical_json, insert_once
from app.errors import Conflict, Invalid, forbidden
from app.messages import N_
from app.outbox import publish
from app.products import queries
from app.products.events import CertificateLapsed, CertificateRecorded
from app.products.models import Certificate, Scheme
from app.products.schemas import NewCertificate, WithdrawCertificate

OCOP_MONTHS = 36  # Decision 148/QĐ-TTg, 24/02/2023: valid for 36 months from the decision
FEWEST_STARS = 3  # only products of three stars and more are certified (the same decision)
LONGEST = timedelta(days=366 * 10)


def months_after(day: date, months: int) -> date:
    """The same day of the month, or the month's last: 29/02/2024 and 36 months is 28/02/2027."""
    index = day.month - 1 + months
    year, month = day.year + index // 12, index % 12 + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))


def record_certificate(session: Session, actor: Actor, new: NewCertificate) -> UUID:
    """Record a decision, or with `supersedes_id` how an earlier row should have read.

    Sent again with the same content it answers the same. Raises Conflict, Invalid or Forbidden.
    """
    check_may(actor, Right.MANAGE_PRODUCTS, new.organisation_id)
    _check(session, actor, new)
    valid_from = new.valid_from or new.decided_on
    valid_to = new.valid_to
    if valid_to is None and new.scheme == Scheme.OCOP:
        valid_to = months_after(new.decided_on, OCOP_MONTHS)
    _check_days(new, valid_from, valid_to)
    row = Certificate(
        id=new.id,
        organisation_id=new.organisation_id,
        product_id=new.product_id,
        scheme=new.scheme,
        issuer=new.issuer,
        decision_number=new.decision_number,
        decided_on=new.decided_on,
        stars=new.stars,
        scope=new.scope(),
        valid_from=valid_from,
        valid_to=valid_to,
        file_sha256=new.file_sha256,
        recorded_at=clock.now(),
        person_id=actor.person_id,
        supersedes_id=new.supersedes_id,
        withdrawn_on=None,
        content_sha256=_digest(new),
    )
    return _keep(session, actor, row, "correct" if new.supersedes_id else "record")


def withdraw_certificate(session: Session, actor: Actor, certificate_id: UUID, asked: WithdrawCertificate) -> UUID:
    """From `withdrawn_on` on the certificate no longer holds: a new row says so. Raises Conflict, Invalid or NotFound.

    Withdrawn from its own first day on, it never held: that is how a row written by mistake is taken back.
    """
    old = queries.certificate(session, actor, certificate_id)
    check_may(actor, Right.MANAGE_PRODUCTS, old.organisation_id)
    if asked.withdrawn_on < old.valid_from:
        raise Invalid(
            "withdrawn_before",
            N_(
                "Ngày thu hồi không thể trước ngày chứng nhận bắt đầu có hiệu lực (%(valid_from)s).",
                valid_from=f"{old.valid_from:%d/%m/%Y}",
            ),
            field="withdrawn_on",
        )
    row = Certificate(
        **{
            name: getattr(old, name)
            for name in (
                "organisation_id", "product_id", "scheme", "issuer", "decision_number", "decided_on", "stars", "scope",
                "valid_from", "valid_to", "file_sha256",
            )
        },
        id=asked.id,
        recorded_at=clock.now(),
        person_id=actor.person_id,
        supersedes_id=old.id,
        withdrawn_on=asked.withdrawn_on,
        content_sha256=_digest(asked, old.id),
    )  # fmt: skip
    return _keep(session, actor, row, "withdraw")


def _keep(session: Session, actor: Actor, row: Certificate, verb: str) -> UUID:
    try:
        with session.begin_nested():
            added = insert_once(session, row)
    except IntegrityError as error:
        constraint = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
        if constraint != "uq_certificates_supersedes_id":
            raise
        raise _followed() from None
    if not added:
        there = session.scalar(select(Certificate.content_sha256).where(Certificate.id == row.id))
        if there != row.content_sha256:
            raise Conflict(
                "same_id_other_content",
                N_("Mẫu này đã gửi một lần với nội dung khác. Hãy tải lại trang để xem bản đã ghi."),
            )
        return row.id
    audit.record(session, actor, f"products:certificate:{verb}", subject_id=row.id, organisation_id=row.organisation_id)
    publish(session, actor, CertificateRecorded(row.id, row.organisation_id, row.product_id))
    until = queries.last_day(row)
    if until is not None and until >= clock.today():
        due = clock.start_of_day(until + timedelta(days=1))
        publish(session, actor, CertificateLapsed(row.id, row.organisation_id, row.product_id), due_at=due)
    return row.id


def _followed() -> Conflict:
    return Conflict(
        "certificate_followed",
        N_("Dòng chứng nhận này đã có người sửa hoặc thu hồi. Hãy tải lại trang rồi làm trên dòng mới nhất."),
    )


def _digest(value: object, *more: object) -> str:
    return hashlib.sha256(canonical_json([value, *more])).hexdigest()


def _check(session: Session, actor: Actor, new: NewCertificate) -> None:
    if new.product_id is not None:
        product = queries.product(session, actor, new.product_id)
        if product.organisation_id != new.organisation_id:
            raise forbidden()
    _check_stars(new)
    if new.file_sha256 and not media.attachable(
        session, actor, [new.file_sha256], sees=queries.points_to_file, kinds=("photo", "pdf")
    ):
        raise Invalid(
            "file_unknown",
            N_("Chưa nhận được ảnh hoặc tệp chứng nhận. Hãy chọn lại tệp rồi gửi."),
            field="file",
        )
    if new.supersedes_id is not None:
        _check_corrected(new, queries.certificate(session, actor, new.supersedes_id))


def _check_stars(new: NewCertificate) -> None:
    if new.scheme == Scheme.OCOP and new.product_id is None:
        raise Invalid(
            "ocop_product",
            N_("Chứng nhận OCOP cấp cho một sản phẩm. Hãy chọn sản phẩm."),
            field="product_id",
        )
    if new.scheme == Scheme.OCOP and (new.stars is None or new.stars < FEWEST_STARS):
        raise Invalid(
            "ocop_stars",
            N_("Chứng nhận OCOP có 3, 4 hoặc 5 sao. Dưới 3 sao chỉ là điểm chấm, không được cấp chứng nhận."),
            field="stars",
        )
    if new.scheme != Scheme.OCOP and new.stars is not None:
        raise Invalid(
            "stars_without_ocop",
            N_("Chỉ chứng nhận OCOP có sao. Hãy bỏ trống ô số sao."),
            field="stars",
        )


def _check_corrected(new: NewCertificate, old: Certificate) -> None:
    if old.organisation_id != new.organisation_id or old.product_id != new.product_id:
        raise Invalid(
            "other_subject",
            N_("Dòng sửa phải nói về cùng đơn vị và sản phẩm với dòng cũ. Chứng nhận khác thì ghi dòng mới."),
            field="product_id",
        )
    if old.withdrawn_on is not None:
        raise _followed()


def _check_days(new: NewCertificate, valid_from: date, valid_to: date | None) -> None:
    if new.decided_on > clock.today():
        raise Invalid(
            "decided_in_future",
            N_("Ngày quyết định chưa tới. Hãy xem lại ngày trên giấy."),
            field="decided_on",
        )
    if valid_from < new.decided_on:
        raise Invalid(
            "valid_before_decision",
            N_(
                "Chứng nhận không thể có hiệu lực trước ngày quyết định (%(decided_on)s).",
                decided_on=f"{new.decided_on:%d/%m/%Y}",
            ),
            field="valid_from",
        )
    if valid_to is not None and not valid_from <= valid_to <= valid_from + LONGEST:
        raise Invalid(
            "valid_to",
            N_("Ngày hết hạn phải sau ngày bắt đầu, và không quá mười năm. Hãy xem lại ngày trên giấy."),
            field="valid_to",
        )

"""Public pages stored rendered, the versions that keep an old one from being served, and the count of scans."""

import gzip
import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.orm import Session

from app import clock
from app.accounts.events import ConsentChanged, OrganisationChanged, PersonErased
from app.accounts.models import Purpose
from app.actor import Actor
from app.languages import LANGUAGES, address_in
from app.places.events import PlaceChanged
from app.products import queries as products
from app.products.events import CertificateLapsed, CertificateRecorded
from app.trace import queries
from app.trace.events import BatchChanged, SiteChanged
from app.trace.scan_addresses import path_of_code

FRESH_SECONDS = 15  # a browser or proxy may keep a page this long; a recall must be seen within 60 s


@dataclass(frozen=True, slots=True)
class StoredPage:
    """One page in one language. `body` is compressed with gzip; `etag` is without quotes."""

    code: str
    language: str
    body: bytes
    etag: str
    next_change_at: datetime | None

    def plain(self) -> bytes:
        return gzip.decompress(self.body)


@dataclass(frozen=True, slots=True)
class Opened:
    """What `open_page` found: a fresh page, or the version that a page rendered from now on may carry."""

    page: StoredPage | None
    version: int


def headers(code: str, language: str, etag: str, base: str) -> list[tuple[str, str]]:
    """What every answer with this page says about it, whoever serves it. `base` is the origin of printed codes."""
    path = path_of_code(code)
    links = [f'<{base}{path}>; rel="canonical"']
    links += [
        f'<{address_in(path, other)}>; rel="alternate"; hreflang="{other}"' for other in LANGUAGES if other != language
    ]
    return [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Language", language),
        ("ETag", f'"{etag}"'),
        ("Vary", "Accept, Accept-Encoding"),
        ("Cache-Control", f"public, max-age={FRESH_SECONDS}, stale-if-error=86400"),
        ("Link", ", ".join(links)),
    ]


# --- stored pages ------------------------------------------------------------------------------------------------


def forget(session: Session, batch_ids: Collection[UUID]) -> None:
    """Make every page of these batches be rendered anew, also one that is being rendered at this moment.

    Call it in the transaction that changes what the page shows, or in any later one. Batches without a code have no page.
    """
    session.execute(
        text(
            "INSERT INTO public_pages (code, language, wanted_version)"
            " SELECT c.code, l.language, 1 FROM trace_codes c CROSS JOIN unnest(CAST(:languages AS text[])) AS l (language)"
            " WHERE c.batch_id = ANY (:batch_ids) ORDER BY c.code, l.language"
            " ON CONFLICT (code, language) DO UPDATE SET wanted_version = public_pages.wanted_version + 1"
        ),
        {"batch_ids": list(batch_ids), "languages": list(LANGUAGES)},
    )


def forget_all(session: Session) -> int:
    """Make every public page be rendered anew when it is next asked for. Returns how many there are."""
    forgotten = text("UPDATE public_pages SET wanted_version = wanted_version + 1 RETURNING code")
    return len(session.scalars(forgotten).all())


def read(session: Session, code: str, language: str) -> StoredPage | None:
    """The stored page, when it may still be served."""
    row = (
        session.execute(
            text("SELECT * FROM public_pages WHERE code = :code AND language = :language"),
            {"code": code, "language": language},
        )
        .mappings()
        .one_or_none()
    )
    return None if row is None else _fresh(row)


def open_page(session: Session, code: str, language: str) -> Opened:
    """Claim the page for rendering in this transaction. The code must exist.

    A second visitor waits here and then finds the page that the first one stored. What the caller reads from now on is at least as
    new as `version`: `forget` raises the wanted version after or with its change, so a page from older records never matches it.
    """
    place = {"code": code, "language": language}
    session.execute(
        text(
            "INSERT INTO public_pages (code, language, wanted_version) VALUES (:code, :language, 1)"
            " ON CONFLICT (code, language) DO NOTHING"
        ),
        place,
    )
    row = (
        session.execute(
            text("SELECT * FROM public_pages WHERE code = :code AND language = :language FOR NO KEY UPDATE"), place
        )
        .mappings()
        .one()
    )
    return Opened(_fresh(row), row["wanted_version"])


def store(
    session: Session, code: str, language: str, version: int, html: bytes, next_change_at: datetime | None
) -> StoredPage:
    """Keep a page that was rendered after `open_page`, in the same transaction.

    `next_change_at` is the first moment at which time alone changes what the page says; from then on it is not served.
    """
    page = StoredPage(
        code, language, gzip.compress(html, 9, mtime=0), hashlib.sha256(html).hexdigest()[:24], next_change_at
    )
    session.execute(
        text(
            "UPDATE public_pages SET body = :body, etag = :etag, body_version = :version, rendered_at = :now,"
            " next_change_at = :next_change_at WHERE code = :code AND language = :language"
        ),
        {
            "code": code,
            "language": language,
            "body": page.body,
            "etag": page.etag,
            "version": version,
            "now": clock.now(),
            "next_change_at": next_change_at,
        },
    )
    return page


def _fresh(row: RowMapping) -> StoredPage | None:
    if row["body"] is None or row["body_version"] != row["wanted_version"]:
        return None
    if row["next_change_at"] is not None and row["next_change_at"] <= clock.now():
        return None
    return StoredPage(row["code"], row["language"], row["body"], row["etag"], row["next_change_at"])


# --- reactions ---------------------------------------------------------------------------------------------------


class AboutProduct(Protocol):
    """Any event about one product, also of a part above this one."""

    @property
    def product_id(self) -> UUID: ...


def after_batch_changed(session: Session, _actor: Actor, event: BatchChanged) -> None:
    forget(session, [event.batch_id])


def after_site_changed(session: Session, _actor: Actor, event: SiteChanged) -> None:
    forget(session, queries.batches_of_site(session, event.site_id))


def after_product_news(session: Session, _actor: Actor, event: AboutProduct) -> None:
    forget(session, queries.batches_of_products(session, [event.product_id]))


def after_certificate_news(session: Session, _actor: Actor, event: CertificateRecorded | CertificateLapsed) -> None:
    """A certificate without a product speaks for everything that its organisation makes."""
    meant = [event.product_id] if event.product_id else products.ids_of_organisation(session, [event.organisation_id])
    forget(session, queries.batches_of_products(session, meant))


def after_organisation_changed(session: Session, _actor: Actor, event: OrganisationChanged) -> None:
    forget(session, queries.batches_naming_organisation(session, [event.organisation_id]))


def after_place_changed(session: Session, _actor: Actor, event: PlaceChanged) -> None:
    forget(session, queries.batches_naming_place(session, event.place_id))


def after_consent_changed(session: Session, _actor: Actor, event: ConsentChanged) -> None:
    """Only the consent to be named outside changes what a page may say. An event from before they were told apart may be of it."""
    if event.purposes is None or Purpose.PUBLIC_NAME in event.purposes:
        forget(session, queries.batches_naming_person(session, event.person_id))


def after_person_erased(session: Session, _actor: Actor, event: PersonErased) -> None:
    forget(session, queries.batches_naming_person(session, event.person_id))


# --- scans -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ScansOfDay:
    """How often one batch's codes were scanned on one Vietnamese day."""

    batch_id: UUID
    day: date
    scans: int


def scans_by_day(session: Session, actor: Actor, batch_ids: Collection[UUID]) -> Sequence[ScansOfDay]:
    """The scans of the actor's own batches, oldest day first. Days without a scan are absent."""
    rows = session.execute(
        text(
            "SELECT c.batch_id, CAST(t.received_at AT TIME ZONE 'Asia/Ho_Chi_Minh' AS date) AS day,"
            " CAST(sum(t.scans) AS bigint) AS scans"
            " FROM scan_tallies t JOIN trace_codes c ON c.code = t.code"
            " WHERE c.batch_id = ANY (:batch_ids) AND (:everything OR c.organisation_id = ANY (:organisations))"
            " GROUP BY 1, 2 ORDER BY 2, 1"
        ),
        {
            "batch_ids": list(batch_ids),
            "everything": actor.kind == "system",
            "organisations": list(actor.organisations),
        },
    )
    return [ScansOfDay(row.batch_id, row.day, row.scans) for row in rows]

"""Events of products, told to the parts above."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from app.outbox import Event


@dataclass(frozen=True, slots=True)
class ProductChanged(Event):
    """Created, described otherwise, made in other villages, or given another pack."""

    name: ClassVar[str] = "products.product_changed"
    product_id: UUID


@dataclass(frozen=True, slots=True)
class PriceChanged(Event):
    name: ClassVar[str] = "products.price_changed"
    variant_id: UUID


@dataclass(frozen=True, slots=True)
class ProductRetired(Event):
    """No longer made; its history stays."""

    name: ClassVar[str] = "products.product_retired"
    product_id: UUID


@dataclass(frozen=True, slots=True)
class CertificateRecorded(Event):
    """A certificate was recorded, corrected or withdrawn. Without a product it speaks for all of the organisation's."""

    name: ClassVar[str] = "products.certificate_recorded"
    certificate_id: UUID
    organisation_id: UUID
    product_id: UUID | None


@dataclass(frozen=True, slots=True)
class CertificateLapsed(Event):
    """Due at the start of the first day on which the certificate no longer holds, unless meanwhile another row says otherwise."""

    name: ClassVar[str] = "products.certificate_lapsed"
    certificate_id: UUID
    organisation_id: UUID
    product_id: UUID | None

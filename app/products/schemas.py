"""Schemas of products as pages send them, parsed once at the edge."""

import re
from types import MappingProxyType
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field, model_validator
from stdnum import ean
from stdnum.exceptions import ValidationError as NumberError

from app.db import Words, nfc
from app.errors import Unreadable
from app.fields import ClientId, Counter, Day, Dong, Ticked, Whole, Year
from app.forms import Form, Line, Paragraphs, Search, Sha256, ShortLine, SomeAmount
from app.messages import N_
from app.products.gtins import is_restricted
from app.products.models import Scheme

MOST_DONG = 1_000_000_000
NET_UNITS = ("g", "kg", "ml", "l", "piece", "box", "bottle", "bag")

# Decision 919/QĐ-TTg, annex: the six groups of 2021-2025.
OCOP_GROUPS = MappingProxyType(
    {
        1: Words.of(N_("Thực phẩm")),
        2: Words.of(N_("Đồ uống")),
        3: Words.of(N_("Dược liệu và sản phẩm từ dược liệu")),
        4: Words.of(N_("Hàng thủ công mỹ nghệ")),
        5: Words.of(N_("Sinh vật cảnh")),
        6: Words.of(N_("Dịch vụ du lịch cộng đồng, sinh thái và điểm du lịch")),
    }
)
SCHEMES = MappingProxyType(
    {
        Scheme.OCOP: Words.of(N_("OCOP")),
        Scheme.VIETGAP: Words.of(N_("VietGAP")),
        Scheme.ORGANIC: Words.of(N_("Hữu cơ")),
        Scheme.FOOD_SAFETY: Words.of(N_("An toàn thực phẩm")),
        Scheme.OTHER: Words.of(N_("Loại chứng nhận khác")),
    }
)


# --- spellings ---------------------------------------------------------------------------------------------------


def _sku(value: str) -> str:
    plain = nfc(value).upper()
    if not re.fullmatch(r"[A-Z0-9][A-Z0-9._\-]{1,39}", plain):
        raise Unreadable(
            "sku",
            N_("Mã hàng chỉ gồm chữ không dấu, số, dấu gạch ngang, dấu chấm; từ 2 đến 40 ký tự. Ví dụ NA-DAI-1KG."),
        )
    return plain


def gtin14(value: str) -> str:
    """A producer's own GTIN (8, 12, 13 or 14 digits, right check digit) as 14 digits. Raises Unreadable, also for one that must not travel."""
    try:
        digits = str(ean.validate(ean.compact(value)))
    except NumberError:
        raise Unreadable(
            "gtin",
            N_(
                "Mã vạch sai: số cuối không khớp hoặc thiếu số. Hãy chép lại đủ 13 số in dưới mã vạch; chưa có mã "
                "vạch thì để trống."
            ),
        ) from None
    full = digits.zfill(14)
    if is_restricted(full):
        raise Unreadable(
            "gtin_restricted",
            N_(
                "Mã vạch này thuộc dải chỉ dùng nội bộ, không in lên hàng bán ra được. Hãy dùng mã đã đăng ký với "
                "GS1 Việt Nam, hoặc để trống."
            ),
        )
    return full


# --- forms -------------------------------------------------------------------------------------------------------


class ProductFacts(Form):
    """What is said of a product. A service of group 6 has no lots, but is a product all the same."""

    name_vi: Line
    name_en: Line | None = None
    description_vi: Paragraphs | None = None
    description_en: Paragraphs | None = None
    ocop_group: Annotated[Whole, Field(ge=1, le=6)] | None = None
    ocop_scheme_year: Annotated[Year, Field(ge=2018, le=2100)] | None = None
    alcoholic: Ticked = False
    photo_sha256: Sha256 | None = None
    village_ids: tuple[UUID, ...] = ()

    @model_validator(mode="after")
    def _group_fits(self) -> "ProductFacts":
        if self.ocop_scheme_year is not None and self.ocop_group is None:
            raise Unreadable("ocop_group", N_("Có năm của bộ tiêu chí thì phải chọn nhóm."))
        if self.alcoholic and self.ocop_group not in {None, 2}:
            raise Unreadable("alcoholic", N_("Đồ uống có cồn thuộc nhóm 2 (Đồ uống)."))
        if self.description_en is not None and self.description_vi is None:
            raise Unreadable("description_vi", N_("Cần lời giới thiệu tiếng Việt trước."))
        return self

    def name(self) -> Words:
        return Words(vi=self.name_vi, en=self.name_en)

    def description(self) -> Words | None:
        return None if self.description_vi is None else Words(vi=self.description_vi, en=self.description_en)

    def scheme_year(self) -> int | None:
        """Groups of 2018-2020 had other names; without a year the present set is meant (Decision 148/QĐ-TTg of 2023)."""
        return None if self.ocop_group is None else self.ocop_scheme_year or 2023


class NewProduct(ProductFacts):
    id: ClientId
    organisation_id: UUID


class EditProduct(ProductFacts):
    version: Counter


class VariantFacts(Form):
    sku: Annotated[str, AfterValidator(_sku)]
    name_vi: Line
    name_en: Line | None = None
    price_dong: Annotated[Dong, Field(gt=0, le=MOST_DONG)]
    net_quantity: SomeAmount | None = None
    net_unit: str | None = None
    weight_grams: Annotated[Whole, Field(gt=0, le=1_000_000)] | None = None
    shelf_life_days: Annotated[Whole, Field(gt=0, le=3650)] | None = None
    gtin: Annotated[str, AfterValidator(gtin14)] | None = None

    @model_validator(mode="after")
    def _quantity_has_unit(self) -> "VariantFacts":
        if (self.net_quantity is None) != (self.net_unit is None):
            raise Unreadable("net_unit", N_("Lượng trong gói phải có cả con số và đơn vị, ví dụ 500 g."))
        if self.net_unit is not None and self.net_unit not in NET_UNITS:
            raise Unreadable("net_unit", N_("Chọn đơn vị trong danh sách."))
        return self

    def name(self) -> Words:
        return Words(vi=self.name_vi, en=self.name_en)


class NewVariant(VariantFacts):
    id: ClientId
    product_id: UUID


class EditVariant(VariantFacts):
    version: Counter


class NewCertificate(Form):
    """A decision as it stands on paper. `valid_to` is its last day; for OCOP it follows from the decision when left out."""

    id: ClientId
    organisation_id: UUID
    product_id: UUID | None = None
    scheme: Scheme
    issuer: Line
    decision_number: ShortLine
    decided_on: Day
    stars: Annotated[Whole, Field(ge=1, le=5)] | None = None
    scope_vi: Line | None = None
    scope_en: Line | None = None
    valid_from: Day | None = None
    valid_to: Day | None = None
    file_sha256: Sha256 | None = None
    supersedes_id: UUID | None = None

    def scope(self) -> Words | None:
        return None if self.scope_vi is None else Words(vi=self.scope_vi, en=self.scope_en)


class WithdrawCertificate(Form):
    id: ClientId
    withdrawn_on: Day


class Retire(Form):
    version: Counter


class ProductFilter(Form):
    q: Search = ""
    retired: Ticked = False
    ending: Ticked = False
    trang: str = ""

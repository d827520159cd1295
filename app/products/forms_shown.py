"""Forms of products as they are opened: empty, or with what is recorded."""

from app.products.models import Certificate, Product, Variant
from app.web import form_number

Known = dict[str, object]  # field of the form to what is recorded


def in_product_form(row: Product) -> Known:
    told = row.description
    return {
        "name_vi": row.name.vi,
        "name_en": row.name.en,
        "description_vi": told.vi if told else "",
        "description_en": told.en if told else "",
        "ocop_group": row.ocop_group,
        "ocop_scheme_year": row.ocop_scheme_year,
        "alcoholic": row.alcoholic,
        "photo_sha256": row.photo_sha256,
    }


def in_pack_form(row: Variant) -> Known:
    numbers = ("price_dong", "net_quantity", "weight_grams", "shelf_life_days")
    return {
        "name_vi": row.name.vi,
        "name_en": row.name.en,
        "sku": row.sku,
        "net_unit": row.net_unit,
        "gtin": row.gtin,
        **{name: form_number(getattr(row, name)) for name in numbers},
    }


def in_certificate_form(row: Certificate) -> Known:
    same = ("scheme", "stars", "decision_number", "issuer", "decided_on", "valid_from", "valid_to")
    return {name: getattr(row, name) for name in same} | {"scope_vi": row.scope.vi if row.scope else ""}

"""Queries of products, of where they are made, and of the certificate that holds on a day: one module for each noun, the names others use listed here."""

from app.products.queries.about_me import about_me
from app.products.queries.certificates import (
    certificate,
    certificate_lines,
    certificates_on,
    last_day,
    ocop_states,
    points_to_file,
    state_on,
)
from app.products.queries.packs import variant, variants_of
from app.products.queries.products import (
    ids_of_organisation,
    is_product_photo,
    product,
    product_list,
    products_to_choose,
    products_to_grow,
)
from app.products.queries.rights import seen
from app.products.queries.villages import VillageProduct, ocop_products_of_villages, villages_of

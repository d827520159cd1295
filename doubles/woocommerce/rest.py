"""REST v3 of the simulated shop, as a cooperative's channel calls it."""

from urllib.parse import urlencode

from flask import Blueprint, Response, request

from doubles.woocommerce.base import API, chosen_fields, json_answer, json_body, shop
from doubles.woocommerce.errors import ShopError
from doubles.woocommerce.keys import authenticate
from doubles.woocommerce.shop import SETTINGS

api = Blueprint("api", __name__, url_prefix=API)
api.before_request(authenticate)


@api.get("/products")
def _products() -> Response:
    rows, total, count = shop().search(request.args)
    headers = {"X-WP-Total": str(total), "X-WP-TotalPages": str(count)}
    page = int(request.args.get("page", "1"))
    plain = {name: value for name, value in request.args.items() if not name.startswith("oauth_")}
    links = [
        f'<{shop().home}{API}/products?{urlencode({**plain, "page": other})}>; rel="{name}"'
        for name, other, there in (("prev", min(page - 1, count), page > 1), ("next", page + 1, page < count))
        if there
    ]
    return json_answer(chosen_fields(rows), 200, {**headers, "Link": ", ".join(links)} if links else headers)


@api.post("/products")
def _create() -> Response:
    made = shop().create_product(json_body())
    return json_answer(chosen_fields(made), 201, {"Location": f"{shop().home}{API}/products/{made['id']}"})


@api.get("/products/<int:number>")
def _one(number: int) -> Response:
    return json_answer(chosen_fields(shop().product(number)))


@api.route("/products/<int:number>", methods=["PUT", "POST", "PATCH"])
def _update(number: int) -> Response:
    return json_answer(chosen_fields(shop().update_product(number, json_body())))


@api.delete("/products/<int:number>")
def _delete(number: int) -> Response:
    force = request.args.get("force", "false") in {"true", "1"}
    return json_answer(chosen_fields(shop().delete_product(number, force=force)))


@api.route("/products/batch", methods=["POST", "PUT", "PATCH"])
def _batch() -> Response:
    return json_answer(shop().batch(json_body()) or [])


@api.get("/products/<int:number>/variations")
def _variations(number: int) -> Response:
    rows = shop().variations(number)
    return json_answer(chosen_fields(rows), 200, {"X-WP-Total": str(len(rows)), "X-WP-TotalPages": "1"})


@api.post("/products/<int:number>/variations")
def _create_variation(number: int) -> Response:
    return json_answer(shop().create_variation(number, json_body()), 201)


@api.get("/products/<int:number>/variations/<int:variation>")
def _variation(number: int, variation: int) -> Response:
    return json_answer(chosen_fields(shop().variation(number, variation)))


@api.put("/products/<int:number>/variations/<int:variation>")
def _update_variation(number: int, variation: int) -> Response:
    return json_answer(chosen_fields(shop().update_variation(number, variation, json_body())))


@api.get("/products/categories")
def _categories() -> Response:
    return json_answer(chosen_fields(shop().categories(request.args.get("search", ""))))


@api.get("/orders")
def _orders() -> Response:
    rows = shop().orders()
    return json_answer(chosen_fields(rows), 200, {"X-WP-Total": str(len(rows)), "X-WP-TotalPages": "1"})


@api.post("/orders")
def _order() -> Response:
    return json_answer(shop().create_order(json_body()), 201)


@api.get("/settings/<group>/<name>")
def _setting(group: str, name: str) -> Response:
    key = f"{group}/{name}"
    if key not in SETTINGS:
        raise ShopError(404, "rest_setting_setting_invalid", "Invalid setting.")
    return json_answer(chosen_fields({"id": name, "value": shop().option(key, SETTINGS[key])}))

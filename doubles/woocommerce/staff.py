"""The desk of the "marketplace" itself, under /_double/: its staff ban, allow and change items, and tests set the scene."""

import json
import re
from typing import Any, Final

from flask import Blueprint, Response, redirect, render_template_string, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from doubles.woocommerce.base import double, json_answer, json_body, page_answer, shop
from doubles.woocommerce.errors import ShopError
from doubles.woocommerce.faults import read_fault
from doubles.woocommerce.pages import HEAD
from doubles.woocommerce.product_rows import META_MODERATION, meta_value
from doubles.woocommerce.shop import SETTINGS

staff = Blueprint("staff", __name__, url_prefix="/_double")

_WORDS: Final = {
    "publish": "đang bán",
    "draft": "bản nháp",
    "pending": "chờ duyệt",
    "private": "đã ẩn",
    "future": "hẹn giờ",
    "trash": "thùng rác",
}

_DESK: Final = f"""{HEAD}
<h1>Bàn kiểm duyệt của sàn</h1>
<p>Ở đây người của sàn quyết định; hệ thống bên bán chỉ biết khi hỏi lại sàn.</p>
<form method="post" action="/_double/key"><label>Khóa kết nối của bên bán
<select name="permissions">{{% for value, word in (('read_write', 'đọc và ghi'), ('read', 'chỉ đọc'), ('revoked', 'đã thu hồi')) %}}
<option value="{{{{ value }}}}"{{% if value == permissions %}} selected{{% endif %}}>{{{{ word }}}}</option>{{% endfor %}}</select></label>
<button>Đổi quyền</button></form>
{{% if not products %}}<p>Chưa có tin nào gửi lên.</p>{{% endif %}}
{{% for product in products %}}<section><h2 id="tin-{{{{ product.id }}}}">{{{{ product.name|safe }}}}</h2>
<p>Tin {{{{ product.id }}}}, mã hàng {{{{ product.sku or 'không có' }}}}, {{{{ product.price|dong }}}}, còn {{{{ product.stock_quantity if product.manage_stock else 'không đếm' }}}}:
<strong>{{{{ 'bị cấm bán' if product.ban else words.get(product.status, product.status) }}}}</strong>{{% if product.ban %}} ({{{{ product.ban }}}}){{% endif %}}
{{% if product.status == 'publish' %}}<a href="/san-pham/{{{{ product.slug }}}}/">xem trang</a>{{% endif %}}</p>
<form method="post" action="/_double/products/{{{{ product.id }}}}"><label>Lý do
<input name="reason" value="Thiếu giấy chứng nhận an toàn thực phẩm" maxlength="200"></label><button aria-describedby="tin-{{{{ product.id }}}}" name="action" value="ban">Cấm bán</button></form>
<form method="post" action="/_double/products/{{{{ product.id }}}}"><button aria-describedby="tin-{{{{ product.id }}}}" name="action" value="unban">Cho bán lại</button></form>
<form method="post" action="/_double/products/{{{{ product.id }}}}"><label>Giá mới (đồng)
<input name="regular_price" inputmode="numeric" pattern="[0-9]+" required value="{{{{ product.regular_price }}}}"></label><button aria-describedby="tin-{{{{ product.id }}}}" name="action" value="edit">Sửa giá</button></form>
<form method="post" action="/_double/products/{{{{ product.id }}}}"><button aria-describedby="tin-{{{{ product.id }}}}" name="action" value="{{{{ 'restore' if product.status == 'trash' else 'trash' }}}}">{{{{ 'Lấy lại từ thùng rác' if product.status == 'trash' else 'Bỏ vào thùng rác' }}}}</button></form>
</section>{{% endfor %}}</main></body></html>"""


@staff.get("/")
def _desk() -> Response:
    rows = [{**row, "ban": meta_value(row, META_MODERATION)} for row in shop().products()]
    permissions = shop().option("permissions", "read_write")
    return page_answer(
        render_template_string(_DESK, title=double().title, products=rows, words=_WORDS, permissions=permissions)
    )


def _given() -> dict[str, Any]:
    """JSON from tests, a form from the desk."""
    return json_body() if request.is_json else request.form.to_dict()


def _done(value: object) -> BaseResponse:
    return json_answer(value) if request.is_json else redirect(url_for("staff._desk"), 303)


@staff.post("/products/<int:number>")
def _moderate(number: int) -> BaseResponse:
    given = _given()
    action = str(given.get("action", ""))
    after = shop().moderate(number, action, {name: str(value) for name, value in given.items()})
    return _done(after)


@staff.post("/key")
def _key() -> BaseResponse:
    given = _given()
    permissions = str(given.get("permissions", ""))
    if permissions not in {"read_write", "read", "revoked"}:
        raise ShopError(400, "double_unknown_permissions", "read_write, read or revoked.")
    shop().set_option("permissions", permissions)
    return _done({"permissions": permissions})


@staff.get("/state")
def _state() -> Response:
    here = shop()
    return json_answer(
        {
            "products": here.products(),
            "orders": here.orders(),
            "copied_images": here.copied_images(),
            "calls": here.calls(),
            "faults": here.faults(),
        }
    )


@staff.post("/settings")
def _settings() -> Response:
    for name, value in json_body().items():
        if name not in SETTINGS:
            raise ShopError(400, "double_unknown_setting", f"Known settings: {', '.join(SETTINGS)}.")
        shop().set_option(name, str(value))
    return json_answer({name: shop().option(name, value) for name, value in SETTINGS.items()})


@staff.post("/calls")
def _forget_calls() -> Response:
    shop().forget_calls()
    return json_answer({})


@staff.post("/reset")
def _reset() -> Response:
    shop().reset()
    return json_answer({})


@staff.post("/faults")
def _faults() -> Response:
    try:
        given = json.loads(request.data.decode())
        script = [read_fault(entry) for entry in given]
    except (ValueError, TypeError, AttributeError, re.error) as error:
        raise ShopError(400, "double_bad_fault", str(error)) from None
    shop().set_faults(script)
    return json_answer(shop().faults())

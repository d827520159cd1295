"""Pages of the simulated shop, in Vietnamese."""

from typing import Final

from flask import Blueprint, Response, abort, render_template_string

from doubles.woocommerce.base import double, json_answer, page_answer, shop

pages = Blueprint("pages", __name__)

HEAD: Final = """<!doctype html>
<html lang="vi"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{% block name %}{{ title }}{% endblock %}</title><link rel="stylesheet" href="/style.css"></head><body>
<p class="note" role="note">Trang mô phỏng để dùng thử. Không bán hàng thật.</p>
<header><a href="/">{{ title }}</a></header><main>"""

_LOST: Final = f"""{HEAD}
<h1>Không có trang này</h1><p>Sản phẩm không còn bán trên sàn, hoặc địa chỉ chưa đúng (mã {{{{ status }}}}).</p>
<p><a href="/">Xem các sản phẩm đang bán</a></p></main></body></html>"""

_FRONT: Final = f"""{HEAD}
<h1>Nông sản đang bán</h1>
{{% if not products %}}<p>Chưa có sản phẩm nào.</p>{{% endif %}}
<ul class="grid">{{% for product in products %}}<li><a href="/san-pham/{{{{ product.slug }}}}/">
{{% if product.images %}}<img src="{{{{ product.images[0].src }}}}" alt="" loading="lazy">{{% else %}}<span class="blank" aria-hidden="true"></span>{{% endif %}}
<span class="name">{{{{ product.name|safe }}}}</span><span class="price">{{{{ product.price|dong }}}}</span></a></li>{{% endfor %}}</ul>
</main></body></html>"""

_PRODUCT: Final = f"""{HEAD}
<article><h1>{{{{ product.name|safe }}}}</h1>
{{% for image in product.images %}}<img src="{{{{ image.src }}}}" alt="{{{{ image.alt }}}}">{{% endfor %}}
<p class="price">{{{{ product.price|dong }}}}</p>
<p>{{% if product.stock_status == 'outofstock' %}}Hết hàng{{% elif product.manage_stock %}}Còn {{{{ product.stock_quantity }}}} sản phẩm{{% else %}}Còn hàng{{% endif %}}</p>
<p>Mã hàng: {{{{ product.sku or 'không có' }}}}</p>
{{% if product.attributes %}}<dl>{{% for item in product.attributes %}}<dt>{{{{ item.name }}}}</dt><dd>{{{{ item.options|join(', ') }}}}</dd>{{% endfor %}}</dl>{{% endif %}}
<div>{{{{ product.description|safe }}}}</div></article>
<p><a href="/">Xem sản phẩm khác</a></p></main></body></html>"""

_CSS: Final = """:root{color-scheme:light dark;--paper:#fffaf2;--ink:#2a2118;--line:#d9ccb8;--mark:#9a3412}
@media(prefers-color-scheme:dark){:root{--paper:#1d1813;--ink:#f3e9db;--line:#4d4236;--mark:#fdba74}}
*{box-sizing:border-box}body{margin:0;font:1rem/1.5 system-ui,sans-serif;background:var(--paper);color:var(--ink)}
.note{margin:0;padding:.5rem 1rem;background:var(--mark);color:var(--paper);text-align:center;font-weight:600}
header{padding:.75rem 1rem;border-bottom:1px solid var(--line);font-size:1.25rem;font-weight:700}
header a{color:inherit;text-decoration:none}a{color:var(--mark)}main{max-width:64rem;margin:0 auto;padding:1rem}
.grid{list-style:none;padding:0;display:grid;gap:1rem;grid-template-columns:repeat(auto-fill,minmax(9rem,1fr))}
.grid a{display:flex;flex-direction:column;gap:.25rem;color:inherit;text-decoration:none}
img,.blank{width:100%;max-width:32rem;aspect-ratio:4/3;object-fit:cover;border-radius:.5rem;background:var(--line);display:block}
.name{font-weight:600}.price{color:var(--mark);font-weight:700;font-variant-numeric:tabular-nums}article .price{font-size:1.5rem}
dt{font-weight:600}dd{margin:0 0 .5rem}section{border-top:1px solid var(--line);padding:.5rem 0 1rem}h2{font-size:1.1rem;margin:.5rem 0}
form{display:flex;flex-wrap:wrap;gap:.5rem;align-items:end;margin:.5rem 0}label{display:grid;gap:.25rem;flex:1 1 12rem}
input,select,button{font:inherit;min-height:3rem;padding:.5rem .75rem;border:1px solid currentColor;border-radius:.5rem;background:transparent;color:inherit}
select option{background:var(--paper)}button{font-weight:600;cursor:pointer}:focus-visible{outline:3px solid var(--mark);outline-offset:2px}
"""


@pages.get("/wp-json/")
def _index() -> Response:
    home = shop().home
    return json_answer({"name": double().title, "url": home, "home": home, "namespaces": ["wp/v2", "wc/v3"]})


@pages.get("/")
def _front() -> Response:
    shown = [
        row
        for row in shop().products()
        if row["status"] == "publish" and row["catalog_visibility"] in {"visible", "catalog"}
    ]
    return page_answer(render_template_string(_FRONT, title=double().title, products=shown))


@pages.get("/san-pham/<slug>/")
def _product_page(slug: str) -> Response:
    found = shop().product_by_slug(slug)
    if found is None or found["status"] != "publish":
        abort(404)
    return page_answer(render_template_string(_PRODUCT, title=double().title, product=found))


@pages.get("/wp-content/uploads/<int:number>.<ending>")
def _file(number: int, ending: str) -> Response:
    found = shop().file(number)
    if found is None or not ending:
        abort(404)
    mime, content = found
    return Response(
        content, 200, {"Content-Type": mime, "Cache-Control": "max-age=86400", "X-Content-Type-Options": "nosniff"}
    )


@pages.get("/style.css")
def _style() -> Response:
    return Response(_CSS, 200, {"Content-Type": "text/css; charset=UTF-8"})


def lost(status: int) -> Response:
    return page_answer(render_template_string(_LOST, title=double().title, status=status), status)


def dong(price: object) -> str:
    try:
        return f"{int(str(price)):,} ₫".replace(",", ".")
    except ValueError:
        return "chưa có giá"

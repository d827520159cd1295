"""The simulated shop itself: who may use it, what it shows, and where it is as stubborn as the real one."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse
from woo_double import WooDouble

from doubles.woocommerce import process
from doubles.woocommerce.base import Double
from doubles.woocommerce.faults import FAULTS
from doubles.woocommerce.process import create_app, main, start
from doubles.woocommerce.product_rows import slugify
from doubles.woocommerce.shop import Shop

V3 = "/wp-json/wc/v3"
HOI = {"name": "Hồi khô", "sku": "A-1", "regular_price": "1000", "manage_stock": True, "stock_quantity": 2}


class Client:
    """Speaks to the double in this process as if over https."""

    def __init__(self, plain: FlaskClient) -> None:
        self.plain = plain

    def __call__(self, method: str, path: str, body: object = None) -> TestResponse:
        return self.plain.open(
            f"{V3}{path}", method=method, json=body, auth=("ck", "cs"), headers={"X-Forwarded-Proto": "https"}
        )


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop(":memory:", fetch_images=False)
    shop.home = "http://localhost"
    yield shop
    shop.close()


@pytest.fixture
def plain(shop: Shop) -> FlaskClient:
    return create_app(Double(shop, "ck", "cs", "Sàn thử")).test_client()


@pytest.fixture
def own_woo(tmp_path: Path) -> Iterator[WooDouble]:
    double = WooDouble(tmp_path, "http://127.0.0.1:9")
    yield double
    double.stop()


@pytest.fixture
def call(plain: FlaskClient) -> Client:
    return Client(plain)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "example.org", "::"])  # noqa: S104 - to be refused
def test_it_listens_on_this_machine_only(shop: Shop, host: str) -> None:
    with pytest.raises(ValueError, match="chỉ nghe trên máy này"):
        start(Double(shop, "ck", "cs", "Sàn thử"), host, 0)


def test_the_command_refuses_another_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["double", "--port", "0", "--state", str(tmp_path / "s"), "--host", "0.0.0.0"])  # noqa: S104
    with pytest.raises(SystemExit):
        main()
    assert "--host 127.0.0.1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("secure", "auth", "status", "message"),
    [
        (True, ("ck", "cs"), 200, None),
        (True, ("ck", "wrong"), 401, "Consumer secret is invalid."),
        (True, ("other", "cs"), 401, "Sorry, you cannot list resources."),
        (True, None, 401, "Sorry, you cannot list resources."),
        (False, ("ck", "cs"), 401, "Sorry, you cannot list resources."),
    ],
)
def test_basic_keys_count_on_encrypted_connections_only(
    plain: FlaskClient, *, secure: bool, auth: tuple[str, str] | None, status: int, message: str | None
) -> None:
    headers = {"X-Forwarded-Proto": "https"} if secure else {}
    answer = plain.get(f"{V3}/products", auth=auth, headers=headers)
    assert answer.status_code == status
    if message is not None:
        assert (answer.json["message"], answer.json["data"]) == (message, {"status": 401})


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        ("oauth_nonce=1", "woocommerce_rest_authentication_missing_parameter", "Missing OAuth parameter"),
        (
            "oauth_nonce=1&oauth_consumer_key=x&oauth_timestamp=1&oauth_signature=x&oauth_signature_method=HMAC-SHA256",
            "woocommerce_rest_authentication_error",
            "Consumer key is invalid.",
        ),
        (
            "oauth_nonce=1&oauth_consumer_key=ck&oauth_timestamp=1&oauth_signature=x&oauth_signature_method=MD5",
            "woocommerce_rest_authentication_error",
            "Invalid signature - signature method is invalid.",
        ),
        (
            "oauth_nonce=1&oauth_consumer_key=ck&oauth_timestamp=1&oauth_signature=x&oauth_signature_method=HMAC-SHA1",
            "woocommerce_rest_authentication_error",
            "Invalid signature - provided signature does not match.",
        ),
    ],
)
def test_bad_signatures_are_refused_in_the_shops_words(plain: FlaskClient, query: str, code: str, message: str) -> None:
    answer = plain.get(f"{V3}/products?{query}")
    assert (answer.status_code, answer.json["code"]) == (401, code)
    assert answer.json["message"].startswith(message)


def test_a_sku_is_unique_outside_the_bin_and_blocks_from_inside_it_with_another_code(call: Client) -> None:
    made = call("POST", "/products", HOI)
    assert (made.status_code, made.headers["Location"]) == (201, f"http://localhost{V3}/products/{made.json['id']}")
    again = call("POST", "/products", HOI)
    assert (again.status_code, again.json["code"]) == (400, "product_invalid_sku")
    assert again.json["data"] == {"status": 400, "resource_id": made.json["id"], "unique_sku": "A-1-1"}
    echo = call("DELETE", f"/products/{made.json['id']}")
    assert echo.json["status"] == "publish"
    assert call("GET", f"/products/{made.json['id']}").json["status"] == "trash"
    assert call("GET", "/products?sku=A-1&status=any").json == []
    assert [row["id"] for row in call("GET", "/products?sku=A-1&status=trash").json] == [made.json["id"]]
    blocked = call("POST", "/products", HOI)
    assert (blocked.status_code, blocked.json["code"]) == (400, "woocommerce_rest_product_not_created")
    assert blocked.json["data"] == {"status": 400}
    assert call("DELETE", f"/products/{made.json['id']}").status_code == 410
    assert call("DELETE", f"/products/{made.json['id']}?force=true").status_code == 200
    assert call("GET", f"/products/{made.json['id']}").json["code"] == "woocommerce_rest_product_invalid_id"
    assert call("POST", "/products", HOI).status_code == 201


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("regular_price", 1000, "regular_price is not of type string."),
        ("stock_quantity", "2", "stock_quantity is not of type integer."),
        ("stock_quantity", True, "stock_quantity is not of type integer."),
        ("manage_stock", "yes", "manage_stock is not of type boolean."),
        ("status", "live", "status is not one of draft, pending, private, publish, future."),
        ("images", {}, "images is not of type array."),
    ],
)
def test_values_of_a_wrong_type_are_refused_and_nothing_is_kept(
    call: Client, shop: Shop, field: str, value: object, why: str
) -> None:
    answer = call("POST", "/products", {**HOI, field: value})
    assert (answer.status_code, answer.json["code"]) == (400, "rest_invalid_param")
    assert answer.json["data"]["params"] == {field: why}
    assert shop.products() == []


def test_lists_tell_how_many_there_are_and_where_to_go_on(call: Client) -> None:
    for number in range(5):
        call("POST", "/products", {**HOI, "sku": f"A-{number}"})
    answer = call("GET", "/products?per_page=2&page=2&_fields=id,sku")
    assert [row["sku"] for row in answer.json] == ["A-2", "A-1"]
    assert set(answer.json[0]) == {"id", "sku"}
    assert (answer.headers["X-WP-Total"], answer.headers["X-WP-TotalPages"]) == ("5", "3")
    links = f'<http://localhost{V3}/products?per_page=2&page={{}}&_fields=id%2Csku>; rel="{{}}"'
    assert answer.headers["Link"] == f"{links.format(1, 'prev')}, {links.format(3, 'next')}"
    assert call("GET", "/products?per_page=101").json["code"] == "rest_invalid_param"


def test_answers_escape_as_php_does(call: Client) -> None:
    text = call("POST", "/products", HOI).get_data(as_text=True)
    assert "H\\u1ed3i kh\\u00f4" in text
    assert "http:\\/\\/localhost\\/san-pham\\/hoi-kho\\/" in text


def test_a_batch_succeeds_and_fails_entry_by_entry(call: Client, shop: Shop) -> None:
    made = call("POST", "/products/batch", {"create": [HOI, HOI, {**HOI, "sku": "B-1"}]}).json["create"]
    assert [row.get("error", {}).get("code") for row in made] == [None, "product_invalid_sku", None]
    rest = {"update": [{"id": made[0]["id"], "regular_price": "9"}, {"id": 4040}], "delete": [made[2]["id"]]}
    done = call("POST", "/products/batch", rest).json
    assert (done["update"][0]["price"], done["update"][1]["error"]["code"]) == (
        "9",
        "woocommerce_rest_product_invalid_id",
    )
    assert [row["sku"] for row in shop.products()] == ["A-1"]
    too_many = call("POST", "/products/batch", {"delete": list(range(101))})
    assert (too_many.status_code, too_many.json["code"]) == (413, "woocommerce_rest_request_entity_too_large")


def test_variations_belong_to_their_product(call: Client) -> None:
    one, two = (call("POST", "/products", {**HOI, "sku": sku}).json["id"] for sku in ("A-1", "A-2"))
    made = call("POST", f"/products/{one}/variations", {"sku": "A-1-S", "regular_price": "500"}).json
    assert call("PUT", f"/products/{one}/variations/{made['id']}", {"regular_price": "600"}).json["price"] == "600"
    assert [row["sku"] for row in call("GET", f"/products/{one}/variations").json] == ["A-1-S"]
    assert call("GET", f"/products/{one}").json["variations"] == [made["id"]]
    assert call("GET", f"/products/{two}/variations/{made['id']}").status_code == 404


def test_orders_oversell(call: Client) -> None:
    made = call("POST", "/products", HOI).json["id"]
    for _ in range(2):
        assert call("POST", "/orders", {"line_items": [{"product_id": made, "quantity": 2}]}).status_code == 201
    row = call("GET", f"/products/{made}").json
    assert (row["stock_quantity"], row["stock_status"], row["total_sales"]) == (-2, "outofstock", 4)
    assert [order["total"] for order in call("GET", "/orders").json] == ["2000", "2000"]


@pytest.mark.parametrize("path", ["/nothing", "/products/x"])
def test_unknown_routes_answer_as_wordpress(call: Client, path: str) -> None:
    answer = call("GET", path)
    assert (answer.status_code, answer.json["code"]) == (404, "rest_no_route")


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff"])
def test_a_body_that_is_no_json_object_is_refused(plain: FlaskClient, body: bytes) -> None:
    headers = {"X-Forwarded-Proto": "https", "Content-Type": "application/json"}
    answer = plain.post(f"{V3}/products", data=body, auth=("ck", "cs"), headers=headers)
    assert (answer.status_code, answer.json["code"]) == (400, "rest_invalid_json")


def test_visitors_see_what_is_on_sale_and_nothing_else(call: Client, plain: FlaskClient) -> None:
    call("POST", "/products", {**HOI, "name": "Hồi <b>khô</b> & sạch <script>alert(1)</script>"})
    call("POST", "/products", {**HOI, "sku": "A-2", "name": "Bản nháp", "status": "draft"})
    call("POST", "/products", {**HOI, "sku": "A-3", "name": "Ẩn kỹ", "catalog_visibility": "hidden"})
    front = plain.get("/").get_data(as_text=True)
    assert "Sàn thử" in front
    assert "Trang mô phỏng" in front
    assert "1.000 ₫" in front
    assert "Bản nháp" not in front
    assert "Ẩn kỹ" not in front
    page = plain.get("/san-pham/hoi-kho-sach/")
    assert "Hồi <b>khô</b> &amp; sạch" in page.get_data(as_text=True)
    assert "<script" not in front + page.get_data(as_text=True)
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert plain.get("/san-pham/ban-nhap/").status_code == 404
    assert "Không có trang này" in plain.get("/san-pham/khong-co/").get_data(as_text=True)


def test_staff_ban_mend_and_release_with_plain_forms(call: Client, plain: FlaskClient) -> None:
    made = call("POST", "/products", HOI).json["id"]
    desk = plain.get("/_double/").get_data(as_text=True)
    for word in ("Cấm bán", "Cho bán lại", "Sửa giá"):
        assert word in desk
    assert "<script" not in desk
    answer = plain.post(f"/_double/products/{made}", data={"action": "ban", "reason": "Thiếu giấy tờ"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/_double/")
    assert "Thiếu giấy tờ" in plain.get("/_double/").get_data(as_text=True)
    assert plain.get("/san-pham/hoi-kho/").status_code == 404
    row = call("GET", f"/products/{made}").json
    assert (row["status"], row["meta_data"]) == ("private", [{"id": 1, "key": "_moderation", "value": "Thiếu giấy tờ"}])
    blocked = call("PUT", f"/products/{made}", {"status": "publish", "regular_price": "1"})
    assert (blocked.status_code, blocked.json["code"]) == (403, "product_moderated")
    mended = call(
        "PUT", f"/products/{made}", {"description": "đã bổ sung", "meta_data": [{"key": "_moderation", "value": ""}]}
    )
    assert (mended.json["description"], mended.json["price"], len(mended.json["meta_data"])) == (
        "đã bổ sung",
        "1000",
        1,
    )
    plain.post(f"/_double/products/{made}", data={"action": "unban"})
    plain.post(f"/_double/products/{made}", data={"action": "edit", "regular_price": "2500"})
    row = call("GET", f"/products/{made}").json
    assert (row["status"], row["meta_data"], row["price"]) == ("publish", [], "2500")
    assert plain.get("/san-pham/hoi-kho/").status_code == 200


def test_another_sites_page_cannot_press_the_buttons(call: Client, plain: FlaskClient) -> None:
    made = call("POST", "/products", HOI).json["id"]
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Host": "evil.example"}):
        answer = plain.post(f"/_double/products/{made}", data={"action": "ban"}, headers=headers)
        assert answer.status_code == 403
    assert call("GET", f"/products/{made}").json["status"] == "publish"


@pytest.mark.parametrize(
    "script",
    ["{", "7", '[{"kind":"explode"}]', '[{"kind":"status","path":"("}]', '[{"kind":"slow","times":"x"}]', "[1]"],
)
def test_a_fault_script_with_a_mistake_is_refused_whole(plain: FlaskClient, shop: Shop, script: str) -> None:
    shop.set_faults([{"kind": "slow", "method": "*", "path": "x", "times": 1}])
    answer = plain.post("/_double/faults", data=script)
    assert (answer.status_code, answer.json["code"]) == (400, "double_bad_fault")
    assert [fault["kind"] for fault in shop.faults()] == ["slow"]


def test_faults_are_used_up_in_order_and_only_where_meant(call: Client, plain: FlaskClient) -> None:
    script = [
        {"kind": "status", "status": 503, "method": "GET", "times": 2},
        {"kind": "error_in_200", "method": "GET", "path": "/products$"},
    ]
    assert plain.post("/_double/faults", json=script).status_code == 200
    assert call("POST", "/products", HOI).status_code == 201
    answers = [call("GET", "/products") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [503, 503, 200, 200]
    assert answers[2].json["code"] == "internal_server_error"
    state = plain.get("/_double/state").json
    assert state["calls"] == {"GET /products": {"200": 2, "503": 2}, "POST /products": {"201": 1}}
    assert [fault["remaining"] for fault in state["faults"]] == [0, 0]


def test_a_key_can_be_revoked_and_given_back(call: Client, plain: FlaskClient) -> None:
    plain.post("/_double/key", data={"permissions": "revoked"})
    assert call("GET", "/products").status_code == 401
    plain.post("/_double/key", data={"permissions": "read"})
    assert [call("GET", "/products").status_code, call("POST", "/products", HOI).status_code] == [200, 401]
    plain.post("/_double/key", data={"permissions": "read_write"})
    assert call("POST", "/products", HOI).status_code == 201
    assert plain.post("/_double/key", data={"permissions": "root"}).status_code == 400


def test_slugs_are_plain_and_unique(call: Client) -> None:
    assert slugify("Đặc sản: Mắc mật & Hồi “Xứ Lạng” 100%") == "dac-san-mac-mat-hoi-xu-lang-100"
    assert slugify("!!!") == "san-pham"
    slugs = [call("POST", "/products", {**HOI, "sku": f"A-{n}"}).json["slug"] for n in range(3)]
    assert slugs == ["hoi-kho", "hoi-kho-2", "hoi-kho-3"]


def test_it_stops_when_told_and_logs_no_key(own_woo: WooDouble) -> None:
    with own_woo.open() as channel:
        channel.check()
    assert own_woo.stop(signal.SIGTERM) == 0
    log = own_woo.log()
    assert "GET /wp-json/wc/v3/products 200" in log
    assert "oauth" not in log
    assert "Traceback" not in log
    own_woo.start()


def test_what_it_says_of_itself_lists_every_fault() -> None:
    assert process.__doc__ is not None
    assert {fault for fault in FAULTS if fault not in process.__doc__} == set()

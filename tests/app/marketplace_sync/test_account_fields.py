"""What the forms that connect an account and that renew its keys ask."""

from typing import Any

import pytest

from app.db import Words
from app.factory import create_app
from app.marketplace_sync.account_fields import fields_to_connect, fields_to_renew, labels
from app.marketplace_sync.channels.accounts import AccountField, Spec
from app.marketplace_sync.channels.drafts import Limits
from app.settings import Settings

SPEC = Spec(
    kind="shop",
    label=Words(vi="Gian hàng", en="Shop"),
    fields=(
        AccountField("base_url", "url", Words(vi="Địa chỉ", en="Address"), Words(vi="Có https", en="With https")),
        AccountField("key", "secret", Words(vi="Khóa", en="Key")),
        AccountField("mode", "choice", Words(vi="Cách gửi"), Words(vi="Chọn"), choices=("a", "b"), default="b"),
        AccountField("note", "text", Words(vi="Ghi chú"), required=False),
    ),
    limits=Limits(name_max=100, description_max=1000, sku_max=50, images_max=5, status_batch=10),
)


@pytest.fixture(params=["vi", "en"])
def lang(settings: Settings, request: pytest.FixtureRequest) -> Any:
    with create_app(settings).test_request_context(headers={"Cookie": f"hoi_lang={request.param}"}):
        yield request.param


def test_connecting_asks_everything_in_the_visitors_language(lang: str) -> None:
    url, key, mode, note = fields_to_connect(SPEC)
    english = lang == "en"
    assert (url.label, url.type, url.hint) == (
        ("Address", "url", "With https") if english else ("Địa chỉ", "url", "Có https")
    )
    assert (key.type, key.value, key.required, note.required) == ("password", "", True, False)
    assert (mode.options, mode.value, mode.hint) == ([("a", "a"), ("b", "b")], "b", "")
    assert labels([url, key]) == {"base_url": url.label, "key": "Key" if english else "Khóa"}


def test_renewing_keeps_the_address_and_shows_no_secret(lang: str) -> None:
    key, mode, note = fields_to_renew(SPEC, {"key": "secret", "mode": "a", "note": "old"})
    assert (key.name, key.value, key.hint) == ("key", "", "")
    assert (mode.value, note.value) == ("a", "")
    assert note.hint == ("Leave empty to keep the old one." if lang == "en" else "Để trống thì giữ như cũ.")

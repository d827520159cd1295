"""A refused form is shown again with what was typed; the box at its top names each wrong field and leads to it."""

from uuid import UUID

import pytest
from flask.testing import FlaskClient

from app import clock
from app.accounts.models import PersonalData
from app.actor import SYSTEM
from app.db import Database, new_id
from app.factory import create_app
from app.products import queries
from app.products.models import Certificate, Variant
from app.settings import Settings
from tests.app.browsers import browser_of
from tests.app.products.records import count
from tests.worlds.farm import World, a_product, next_commune


@pytest.fixture
def product(database: Database, world: World) -> UUID:
    return a_product(database, world)


@pytest.fixture
def client(settings: Settings, database: Database, world: World) -> FlaskClient:
    with database.transaction(SYSTEM) as session:
        session.add(
            PersonalData(person_id=world.manager.person_id, phone=None, full_name="Người Thử", address_as="bác", email=None,
                         language="vi", updated_at=clock.now())
        )  # fmt: skip
    app = create_app(settings, database)
    app.config["WTF_CSRF_ENABLED"] = False
    return browser_of(app, world.manager)


def test_each_wrong_field_of_a_pack_is_named_with_a_link(
    client: FlaskClient, database: Database, product: UUID
) -> None:
    answer = client.post(f"/san-pham/{product}/goi-moi", data={"id": new_id(), "name_vi": "Hộp 1 kg", "price_dong": ""})
    html = answer.get_data(as_text=True)
    assert (answer.status_code, 'value="Hộp 1 kg"' in html, html.count('<li><a href="#')) == (422, True, 2)
    for field, label in (("sku", "Mã hàng (SKU)"), ("price_dong", "Giá bán")):
        assert f'<li><a href="#{field}">{label}</a>: Còn thiếu mục này.</li>' in html
        assert f'id="{field}"' in html
    assert count(database, Variant) == 0


def test_a_refusal_of_the_verb_is_named_once(client: FlaskClient, database: Database, product: UUID) -> None:
    sent = {
        "id": new_id(), "scheme": "ocop", "stars": "", "decision_number": "12/QĐ-UBND", "issuer": "UBND tỉnh Thử",
        "decided_on": "2024-03-01",
    }  # fmt: skip
    answer = client.post(f"/san-pham/{product}/chung-nhan-moi", data=sent)
    html = answer.get_data(as_text=True)
    said = "Chứng nhận OCOP có 3, 4 hoặc 5 sao. Dưới 3 sao chỉ là điểm chấm, không được cấp chứng nhận."
    assert (answer.status_code, 'value="12/QĐ-UBND"' in html, html.count(said)) == (422, True, 2), (
        "in the box, at the field"
    )
    assert f'<li><a href="#stars">Số sao (chỉ OCOP)</a>: {said}</li>' in html
    assert count(database, Certificate) == 0


def test_a_product_is_made_in_a_village_of_the_next_commune_too(
    client: FlaskClient, database: Database, product: UUID, world: World
) -> None:
    commune, village = next_commune(database)
    at = f"/san-pham/{product}/sua"
    own = client.get(at).text
    assert f'<option value="{commune}">xã Láng Giềng</option>' in own
    assert f'value="{village}"' not in own
    page = client.get(f"{at}?commune={commune}").text
    assert f'name="village_ids" value="{village}"><span>thôn Bên Kia, xã Láng Giềng, tỉnh Thử</span>' in page
    assert f'name="village_ids" value="{world.village}" checked>' in page
    sent = {"name_vi": "Na dai Đồng Mẫu", "village_ids": [world.village, village], "version": "1"}
    refused = client.post(f"{at}?commune={commune}", data=sent | {"name_vi": ""})
    assert refused.status_code == 422
    assert f'name="village_ids" value="{village}" checked>' in refused.text
    assert client.post(f"{at}?commune={commune}", data=sent).status_code == 303
    with database.transaction(SYSTEM) as session:
        assert set(queries.villages_of(session, [product], clock.today())[product]) == {world.village, village}
    assert f'name="village_ids" value="{village}" checked>' in client.get(at).text  # chosen, so it stays on the page


def test_a_new_product_offers_the_villages_of_the_commune_asked_for(
    client: FlaskClient, database: Database, world: World
) -> None:
    commune, village = next_commune(database)
    page = client.get(f"/san-pham/moi?commune={commune}").text
    assert page.index(f'value="{world.village}"') < page.index(f'value="{village}"')
    assert "Các thôn ở đó đã có trong ô chọn thôn bên dưới." in page
    assert f'value="{village}"' not in client.get("/san-pham/moi").text

"""The desk's pages: from a product to a batch with a code, and what they say when something is refused."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import func, select

from app import clock
from app.accounts.models import PersonalData
from app.actor import SYSTEM, Actor
from app.db import Database, new_id
from app.factory import create_app
from app.products.models import Certificate, Product, Variant
from app.settings import Settings
from app.trace.codes import grouped
from app.trace.models import Batch, CareLog, Cycle, Site, StockMovement, TraceCode
from tests.app.trace.farm import NOON, World, a_log, a_pack, a_product, a_site, write

MakeClient = Callable[[Actor], FlaskClient]


@pytest.fixture
def app(settings: Settings, database: Database, world: World) -> Flask:
    with database.transaction(SYSTEM) as session:
        for actor in (world.manager, world.farmer, world.stranger, world.official, world.purchaser):
            session.add(
                PersonalData(
                    person_id=actor.person_id, phone=None, full_name="Người Thử", address_as="bác", email=None,
                    language="vi", updated_at=clock.now(),
                )
            )  # fmt: skip
    made = create_app(settings, database)
    made.config["WTF_CSRF_ENABLED"] = False
    return made


@pytest.fixture
def client_of(app: Flask) -> MakeClient:
    def make(actor: Actor) -> FlaskClient:
        app.extensions["hoi"] = replace(app.extensions["hoi"], build_actor=lambda _s, _t, _r: actor)
        made = app.test_client()
        made.set_cookie("hoi_phien", "token")
        return made

    return make


def photo() -> BytesIO:
    raw = BytesIO()
    Image.new("RGB", (40, 30), (20, 120, 60)).save(raw, "JPEG")
    raw.seek(0)
    return raw


def only(database: Database, model: Any) -> Any:
    with database.transaction(SYSTEM) as session:
        return session.scalars(select(model)).one()


def count(database: Database, model: Any) -> int:
    with database.transaction(SYSTEM) as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def test_from_a_product_to_a_batch_with_a_code(client_of: MakeClient, database: Database, world: World) -> None:
    client = client_of(world.manager)
    for path in ("/san-pham", "/san-pham/moi", "/thua", "/thua/moi", "/lo", "/lo/moi"):
        assert client.get(path).status_code == 200, path

    form = {"id": new_id(), "organisation_id": world.cooperative, "name_vi": "Na dai Đồng Mẫu", "ocop_group": "1",
            "village_ids": [world.village, world.second_village], "description_vi": "Na dai.\n\nNgọt.",
            "photo": (photo(), "na.jpg")}  # fmt: skip
    answer = client.post("/san-pham/moi", data=form)
    assert (answer.status_code, answer.location) == (303, f"/san-pham/{form['id']}")
    product = only(database, Product)
    assert product.description.vi == "Na dai.\n\nNgọt."
    assert product.photo_sha256
    page = client.get(answer.location).text
    assert "Chưa ghi chứng nhận nào" in page
    assert "thôn Nà Mẫu, xã Đồng Mẫu, tỉnh Thử" in page
    assert client.get(f"/anh/{product.photo_sha256}").status_code == 200

    pack = {"id": new_id(), "name_vi": "Hộp 1 kg", "sku": "na-1kg", "price_dong": "60.000", "net_quantity": "1",
            "net_unit": "kg", "shelf_life_days": "5", "gtin": "4006381333931"}  # fmt: skip
    assert client.get(f"/san-pham/{product.id}/goi-moi").status_code == 200
    assert client.post(f"/san-pham/{product.id}/goi-moi", data=pack).status_code == 303
    variant = only(database, Variant)
    assert (variant.sku, variant.price_dong, variant.gtin) == ("NA-1KG", 60000, "04006381333931")
    assert client.get(f"/goi-hang/{variant.id}/sua").status_code == 200

    certificate = {"id": new_id(), "scheme": "ocop", "stars": "4", "decision_number": "12/QĐ-UBND",
                   "issuer": "UBND tỉnh Thử", "decided_on": "2024-03-01"}  # fmt: skip
    assert client.get(f"/san-pham/{product.id}/chung-nhan-moi").status_code == 200
    assert client.post(f"/san-pham/{product.id}/chung-nhan-moi", data=certificate).status_code == 303
    shown = client.get(f"/san-pham/{product.id}").text
    assert "01/03/2024 – 01/03/2027" in shown
    assert "Còn hạn" in shown

    site = {"id": new_id(), "organisation_id": world.household, "name": "Vườn trên", "kind": "orchard",
            "village_id": world.village, "area": "2,5", "area_unit": "sao"}  # fmt: skip
    answer = client.post("/thua/moi", data=site)
    assert answer.location == f"/thua/{site['id']}"
    cycle = {"id": new_id(), "crop_vi": "na dai", "product_id": product.id, "started_on": "2026-08-01"}
    assert client.get(f"/thua/{site['id']}/vu-moi").status_code == 200
    assert client.post(f"/thua/{site['id']}/vu-moi", data=cycle).status_code == 303

    step = {"id": new_id(), "kind": "harvesting", "day": "2026-11-19", "hour": "07:30", "quantity": "120",
            "unit": "kg", "cycle_id": cycle["id"], "photo": (photo(), "thu.jpg"), "performed_by": world.farmer.person_id}  # fmt: skip
    assert client.get(f"/thua/{site['id']}/ghi").status_code == 200
    assert client.post(f"/thua/{site['id']}/ghi", data=step).status_code == 303
    log = only(database, CareLog)
    assert clock.local(log.happened_at).strftime("%d/%m/%Y %H:%M") == "19/11/2026 07:30"
    diary = client.get(f"/thua/{site['id']}?kind=harvesting&cycle={cycle['id']}&first=2026-11-01&last=19/11/2026").text
    assert "120 kg" in diary
    assert "120 kg" not in client.get(f"/thua/{site['id']}?last=2026-11-18").text

    correction = {"id": new_id(), "kind": "harvesting", "day": "2026-11-19", "hour": "07:30", "quantity": "110",
                  "unit": "kg", "cycle_id": cycle["id"], "reason": "cân lại"}  # fmt: skip
    assert client.get(f"/dong-nhat-ky/{log.id}/sua").status_code == 200
    assert client.post(f"/dong-nhat-ky/{log.id}/sua", data=correction).status_code == 303
    chain = client.get(f"/dong-nhat-ky/{log.id}").text
    assert "120 kg" in chain
    assert "110 kg" in chain
    assert "cân lại" in chain

    offered = client.get(f"/lo/moi?product={product.id}").text
    assert "còn 110 kg" in offered
    assert "NA-1126-01" in offered
    batch = {"id": new_id(), "product_id": product.id, "variant_id": variant.id, "lot": "NA-1126-01",
             "quantity": "100", "unit": "kg", "source": [log.id], f"amount-{log.id}": "100,5"}  # fmt: skip
    answer = client.post("/lo/moi", data=batch)
    assert answer.location == f"/lo/{batch['id']}"
    made = only(database, Batch)
    assert (made.expires_on - made.made_on).days == 5
    page = client.get(answer.location).text
    assert "Lô chưa có mã" in page
    assert "100,5 kg" in page

    assert client.post(f"/lo/{made.id}/ma", data={"kind": "short"}).status_code == 303
    assert client.post(f"/lo/{made.id}/ma", data={"kind": "gs1"}).status_code == 303
    assert client.post(f"/lo/{made.id}/ma", data={"kind": "short"}).status_code == 303
    with database.transaction(SYSTEM) as session:
        codes = {c.kind: c.code for c in session.scalars(select(TraceCode))}
    assert codes["gs1"] == "04006381333931/NA-1126-01"
    assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{13}", codes["short"])
    page = client.get(f"/lo/{made.id}").text
    assert grouped(codes["short"]) in page
    assert f"/tem/{made.id}/to-in?loai=short" in page
    assert client.get(f"/tem/{made.id}.png").mimetype == "image/png"

    packing = {"id": new_id(), "variant_id": variant.id, "kind": "packed", "units": "40"}
    assert client.post(f"/lo/{made.id}/kho", data=packing).status_code == 303
    assert "còn 40 gói" in client.get(f"/lo/{made.id}").text
    movement = only(database, StockMovement)
    assert client.get(f"/lo/{made.id}/kho/{movement.id}/hoan").status_code == 200
    back = {"id": new_id(), "reason": "ghi nhầm lô"}
    assert client.post(f"/lo/{made.id}/kho/{movement.id}/hoan", data=back).status_code == 303
    assert "còn 0 gói" in client.get(f"/lo/{made.id}").text
    for kind in ("held", "released", "recalled", "recall_lifted"):
        decision = {"id": new_id(), "kind": kind, "reason": "kiểm tra dư lượng"}
        assert client.post(f"/lo/{made.id}/quyet-dinh", data=decision).status_code == 303
    assert "Đang mở" in client.get(f"/lo/{made.id}").text
    assert "NA-1126-01" in client.get("/lo").text
    assert "Na dai Đồng Mẫu" in client.get("/san-pham?q=na+dai+dong").text


def test_a_refused_form_is_shown_again_with_what_was_typed_and_why(
    client_of: MakeClient, database: Database, world: World
) -> None:
    client = client_of(world.manager)
    product = a_product(database, world)
    pack = {
        "id": str(new_id()),
        "name_vi": "Hộp",
        "sku": "a b",
        "price_dong": "0",
        "net_quantity": "1",
        "gtin": "4006381333930",
    }
    answer = client.post(f"/san-pham/{product}/goi-moi", data=pack)
    assert answer.status_code == 422
    assert pack["id"] in answer.text
    assert "Mã vạch sai" in answer.text
    assert "Phải lớn hơn 0" in answer.text
    assert count(database, Variant) == 0
    variant = a_pack(database, world, product)
    site = a_site(database, world.farmer, world.household, world.village)
    answer = client.post(
        f"/thua/{site}/ghi",
        data={"id": new_id(), "kind": "harvesting", "day": "2026-12-24", "quantity": "5", "unit": "kg"},
    )
    assert (answer.status_code, "chưa tới" in answer.text) == (422, True)
    answer = client.post(
        f"/thua/{site}/ghi", data={"id": new_id(), "kind": "harvesting", "day": "2026-11-19", "quantity": "5"}
    )
    assert (answer.status_code, "phải có đơn vị" in answer.text) == (422, True)
    answer = client.post(
        f"/thua/{site}/ghi",
        data={"id": new_id(), "kind": "harvesting", "day": "2026-11-19", "photo": (BytesIO(b"not a photo"), "x.jpg")},
    )
    assert answer.status_code == 422
    assert count(database, CareLog) == 0
    answer = client.post(
        "/lo/moi", data={"id": new_id(), "product_id": product, "lot": "NA-1", "quantity": "1", "unit": "kg"}
    )
    assert (answer.status_code, "ít nhất một lần thu hoạch" in answer.text) == (422, True)
    assert count(database, Batch) == 0
    harvest = a_log(site, "harvesting", quantity=10, unit="kg")
    write(database, world.farmer, harvest)
    batch = {
        "id": new_id(),
        "product_id": product,
        "lot": "NA-1",
        "quantity": "11",
        "unit": "kg",
        "source": [harvest.id],
    }
    answer = client.post("/lo/moi", data=batch)
    assert (answer.status_code, "có 10 kg" in answer.text) == (422, True)
    assert client.post("/lo/moi", data=batch | {"quantity": "10", "variant_id": variant}).status_code == 303
    answer = client.post(
        f"/lo/{batch['id']}/kho", data={"id": new_id(), "variant_id": variant, "kind": "sold", "units": "3"}
    )
    assert (answer.status_code, "chỉ còn 0" in answer.text) == (409, True)
    assert count(database, StockMovement) == 0


def test_the_same_step_sent_with_other_content_is_told_and_kept(
    client_of: MakeClient, database: Database, world: World
) -> None:
    client = client_of(world.farmer)
    site = a_site(database, world.farmer, world.household, world.village)
    step = {"id": new_id(), "kind": "weeding", "day": "2026-11-19"}
    assert client.post(f"/thua/{site}/ghi", data=step).status_code == 303
    assert client.post(f"/thua/{site}/ghi", data=step).status_code == 303
    answer = client.post(f"/thua/{site}/ghi", data=step | {"note": "khác"})
    assert (answer.status_code, "Cả hai bản đều được giữ" in answer.text) == (409, True)
    assert "trùng mã nhưng khác nội dung" in client.get("/thua").text
    assert "Hai bản khác nhau" in client.get(f"/thua/{site}").text
    both = client.get(f"/dong-nhat-ky/{step['id']}").text
    assert "So hai bản" in both
    assert re.search(r"Bản đến trước\">không ghi</td><td data-label=\"Bản gửi sau\"><b>khác</b>", both)
    home = client_of(world.manager).get("/hop-tac-xa")
    assert (home.status_code, f'href="/dong-nhat-ky/{step["id"]}"' in home.text) == (200, True)
    assert client_of(world.manager).get(f"/dong-nhat-ky/{step['id']}").status_code == 200
    client = client_of(world.farmer)
    other = a_log(site)
    write(database, world.farmer, other)
    assert "So hai bản" not in client.get(f"/dong-nhat-ky/{other.id}").text
    assert count(database, CareLog) == 2


def test_a_form_offers_only_the_witness_that_its_writer_is(
    client_of: MakeClient, database: Database, world: World
) -> None:
    site = a_site(database, world.farmer, world.household, world.village)
    step = {"id": new_id(), "kind": "weeding", "day": "2026-11-19", "witness": "certifier"}
    farmer = client_of(world.farmer)
    assert 'name="witness"' not in farmer.get(f"/thua/{site}/ghi").text
    answer = farmer.post(f"/thua/{site}/ghi", data=step)
    assert (answer.status_code, "ai làm chứng thì người đó tự ghi" in answer.text) == (422, True)
    assert count(database, CareLog) == 0
    manager = client_of(world.manager)
    offered = manager.get(f"/thua/{site}/ghi").text
    assert re.findall(
        r'<option value="(farmer|neighbour|cooperative|officer|laboratory|certifier|machine)"', offered
    ) == [
        "farmer",
        "cooperative",
    ]
    assert manager.post(f"/thua/{site}/ghi", data=step | {"witness": "cooperative"}).status_code == 303
    log = only(database, CareLog)
    assert (log.witness, log.witnessed_by) == ("cooperative", world.manager.person_id)


def a_batch(client: FlaskClient, database: Database, world: World, lot: str = "NA-1") -> tuple[UUID, UUID]:
    """A batch of 10 kg with a code and 4 packs; its id and its pack's."""
    site = a_site(database, world.farmer, world.household, world.village)
    harvest = a_log(site, "harvesting", quantity=10, unit="kg")
    write(database, world.farmer, harvest)
    product = a_product(database, world, name_vi=f"Na {lot}")
    variant = a_pack(database, world, product, sku=lot)
    batch = new_id()
    form = {"id": batch, "product_id": product, "variant_id": variant, "lot": lot, "quantity": "10", "unit": "kg",
            "source": [harvest.id]}  # fmt: skip
    assert client.post("/lo/moi", data=form).status_code == 303
    client.post(f"/lo/{batch}/ma", data={"kind": "short"})
    client.post(f"/lo/{batch}/kho", data={"id": new_id(), "variant_id": variant, "kind": "packed", "units": "4"})
    return batch, variant


def test_packs_sold_before_a_hold_are_written_down_with_the_day_and_hour_of_the_sale(
    client_of: MakeClient, database: Database, world: World, clock_at: Callable[[datetime], None]
) -> None:
    client = client_of(world.manager)
    batch, variant = a_batch(client, database, world)
    clock_at(NOON + timedelta(hours=1))
    client.post(f"/lo/{batch}/quyet-dinh", data={"id": new_id(), "kind": "held", "reason": "kiểm tra lại"})
    clock_at(NOON + timedelta(days=1, hours=-2))
    page = client.get(f"/lo/{batch}").text
    assert [re.search(rf'<input[^>]*name="{n}"[^>]*type="(\w+)"', page) is not None for n in ("day", "hour")] == [
        True
    ] * 2
    sale = {"variant_id": variant, "kind": "sold", "units": "3"}
    for when in ({}, {"day": "2026-11-21"}, {"hour": "09:00"}, {"day": "2026-11-20", "hour": "13:00"}):
        refused = client.post(f"/lo/{batch}/kho", data={"id": new_id(), **sale, **when})
        assert (refused.status_code, "ghi ngày giờ đã bán" in refused.text) == (409, True)
    assert count(database, StockMovement) == 1
    late = {"id": new_id(), **sale, "day": "2026-11-20", "hour": "12:59"}
    assert client.post(f"/lo/{batch}/kho", data=late).status_code == 303
    with database.transaction(SYSTEM) as session:
        line = session.scalars(select(StockMovement).where(StockMovement.kind == "sold")).one()
    assert (line.units, line.happened_at) == (-3, NOON + timedelta(minutes=59))
    # Without a time it is now, and the same form sent again later is the same line.
    broken = {"id": new_id(), "variant_id": variant, "kind": "lost", "units": "1", "reason": "vỡ", "day": "2026-11-21"}
    for minutes in (0, 5):
        clock_at(NOON + timedelta(days=1, hours=-2, minutes=minutes))
        assert client.post(f"/lo/{batch}/kho", data=broken).status_code == 303
    with database.transaction(SYSTEM) as session:
        line = session.scalars(select(StockMovement).where(StockMovement.kind == "lost")).one()
    assert line.happened_at == NOON + timedelta(days=1, hours=-2)


def test_a_recall_says_first_what_it_will_do_and_does_nothing_until_it_is_sent(
    client_of: MakeClient, database: Database, world: World
) -> None:
    client = client_of(world.manager)
    batch, variant = a_batch(client, database, world)
    client.post(f"/lo/{batch}/kho", data={"id": new_id(), "variant_id": variant, "kind": "sold", "units": "3"})
    assert f'href="/lo/{batch}/quyet-dinh?kind=recalled"' in client.get(f"/lo/{batch}").text
    page = client.get(f"/lo/{batch}/quyet-dinh?kind=recalled").text
    assert re.findall(r"<dd>(\d+) (gói|mã|người)", page) == [("3", "gói"), ("1", "gói"), ("1", "mã"), ("2", "người")]
    assert "Đang mở" in client.get(f"/lo/{batch}").text
    answer = client.post(f"/lo/{batch}/quyet-dinh?kind=recalled", data={"id": new_id(), "kind": "recalled"})
    assert (answer.status_code, "Điều sẽ xảy ra" in answer.text) == (422, True)
    decision = {"id": new_id(), "kind": "recalled", "reason": "kiểm tra dư lượng"}
    assert client.post(f"/lo/{batch}/quyet-dinh", data=decision).status_code == 303
    answer = client.post(f"/lo/{batch}/quyet-dinh", data=decision | {"id": new_id()})
    assert (answer.status_code, "tình trạng này rồi" in answer.text) == (409, True)
    assert client.get(f"/lo/{batch}/quyet-dinh?kind=created").status_code == 200
    assert client_of(world.official).get(f"/lo/{batch}/quyet-dinh?kind=recalled").status_code == 403


def test_batches_are_listed_by_their_state(client_of: MakeClient, database: Database, world: World) -> None:
    client = client_of(world.manager)
    lots = {lot: a_batch(client, database, world, lot)[0] for lot in ("MOT", "HAI", "BA")}
    for lot, kinds in (("HAI", ["held"]), ("BA", ["held", "recalled"])):
        for kind in kinds:
            client.post(f"/lo/{lots[lot]}/quyet-dinh", data={"id": new_id(), "kind": kind, "reason": "kiểm tra"})

    def listed(state: str) -> list[str]:
        return sorted(re.findall(r'<th scope="row"><a href="[^"]+">(\w+)</a>', client.get(f"/lo?state={state}").text))

    assert [listed(s) for s in ("open", "held", "recalled", "")] == [
        ["MOT"],
        ["HAI"],
        ["BA"],
        ["BA", "HAI", "MOT"],
    ]
    client.post(f"/lo/{lots['BA']}/quyet-dinh", data={"id": new_id(), "kind": "recall_lifted", "reason": "đã rõ"})
    assert [listed(s) for s in ("held", "recalled")] == [["BA", "HAI"], []]


def test_labels_are_offered_to_those_who_may_print_them(
    client_of: MakeClient, database: Database, world: World
) -> None:
    batch, _variant = a_batch(client_of(world.manager), database, world)
    for actor, offered in ((world.manager, True), (world.purchaser, True), (world.official, False)):
        client = client_of(actor)
        page = client.get(f"/lo/{batch}").text
        assert (f'<img src="/tem/{batch}.svg?loai=short"' in page, f"/tem/{batch}/to-in" in page) == (offered, offered)
        assert (client.get(f"/tem/{batch}/to-in?loai=short").status_code == 200) is offered


def test_a_stock_line_is_taken_back_once_and_under_its_own_batch(
    client_of: MakeClient, database: Database, world: World
) -> None:
    client = client_of(world.manager)
    first, _ = a_batch(client, database, world, "MOT")
    second, _ = a_batch(client, database, world, "HAI")
    with database.transaction(SYSTEM) as session:
        line = session.scalars(select(StockMovement.id).where(StockMovement.batch_id == first)).one()
    back = {"id": new_id(), "reason": "ghi nhầm lô"}
    assert client.get(f"/lo/{second}/kho/{line}/hoan").status_code == 404
    assert client.post(f"/lo/{second}/kho/{line}/hoan", data=back).status_code == 404
    assert count(database, StockMovement) == 2
    assert f"/lo/{first}/kho/{line}/hoan" in client.get(f"/lo/{first}").text
    assert client.post(f"/lo/{first}/kho/{line}/hoan", data=back).status_code == 303
    assert "Hoàn lại</a>" not in client.get(f"/lo/{first}").text
    assert "đã hoàn lại rồi" in client.get(f"/lo/{first}/kho/{line}/hoan").text


def test_strangers_find_nothing_and_change_nothing(client_of: MakeClient, database: Database, world: World) -> None:
    product = a_product(database, world)
    variant = a_pack(database, world, product)
    site = a_site(database, world.farmer, world.household, world.village)
    log = a_log(site, "harvesting", quantity=10, unit="kg")
    write(database, world.farmer, log)
    manager = client_of(world.manager)
    batch = new_id()
    manager.post(
        "/lo/moi",
        data={"id": batch, "product_id": product, "lot": "NA-1", "quantity": "10", "unit": "kg", "source": [log.id]},
    )
    manager.post(
        f"/san-pham/{product}/chung-nhan-moi",
        data={
            "id": new_id(),
            "scheme": "ocop",
            "stars": "3",
            "decision_number": "1",
            "issuer": "UBND",
            "decided_on": "2026-01-01",
        },
    )
    certificate = only(database, Certificate).id
    stranger = client_of(world.stranger)
    for path in (f"/san-pham/{product}", f"/san-pham/{product}/sua", f"/goi-hang/{variant}/sua", f"/thua/{site}",
                 f"/thua/{site}/sua", f"/thua/{site}/ghi", f"/dong-nhat-ky/{log.id}", f"/dong-nhat-ky/{log.id}/sua",
                 f"/lo/{batch}", f"/chung-nhan/{certificate}/sua", f"/chung-nhan/{certificate}/thu-hoi"):  # fmt: skip
        assert stranger.get(path).status_code == 404, path
    for path in ("/san-pham", "/thua", "/lo"):
        page = stranger.get(path)
        assert (page.status_code, "Na dai" in page.text, "Vườn trên" in page.text, "NA-1" in page.text) == (
            200,
            False,
            False,
            False,
        )
    for path, form in (
        (f"/lo/{batch}/ma", {"kind": "short"}),
        (f"/lo/{batch}/kho", {"id": new_id(), "variant_id": variant, "kind": "sold", "units": "1"}),
        (f"/lo/{batch}/quyet-dinh", {"id": new_id(), "kind": "recalled", "reason": "phá hoại"}),
        (f"/san-pham/{product}/thoi-lam", {"version": "1"}),
    ):
        assert stranger.post(path, data=form).status_code == 404, path
    assert count(database, TraceCode) == 0
    # A member sees what it grows for, and does not manage it; an official looks on.
    farmer = client_of(world.farmer)
    assert farmer.get(f"/san-pham/{product}").status_code == 200
    assert farmer.get(f"/san-pham/{product}/sua").status_code == 403
    assert farmer.get(f"/lo/{batch}").status_code == 404
    official = client_of(world.official)
    assert official.get(f"/lo/{batch}").status_code == 200
    assert official.post(f"/lo/{batch}/ma", data={"kind": "short"}).status_code == 403
    assert official.get(f"/thua/{site}").status_code == 200
    assert official.get(f"/thua/{site}/ghi").status_code == 403
    visitor = client_of(world.official)
    visitor.delete_cookie("hoi_phien")
    for path in ("/san-pham", "/thua", "/lo", f"/lo/{batch}"):
        assert visitor.get(path).status_code == 303, path


def test_a_season_ends_and_a_site_moves_with_its_days(client_of: MakeClient, database: Database, world: World) -> None:
    client = client_of(world.farmer)
    site = a_site(database, world.farmer, world.household, world.village)
    cycle = new_id()
    client.post(f"/thua/{site}/vu-moi", data={"id": cycle, "crop_vi": "na", "started_on": "2026-08-01"})
    assert f'href="/vu/{cycle}/ket-thuc"' in client.get(f"/thua/{site}").text
    refused = client.post(f"/vu/{cycle}/ket-thuc", data={"ended_on": "2026-07-01", "version": "1"})
    assert (refused.status_code, 'value="2026-07-01"' in refused.text, "Chưa ghi được" in refused.text) == (
        422,
        True,
        True,
    )
    assert only(database, Cycle).ended_on is None
    assert client.post(f"/vu/{cycle}/ket-thuc", data={"ended_on": "2026-11-20", "version": "1"}).status_code == 303
    assert only(database, Cycle).ended_on.isoformat() == "2026-11-20"
    form = {
        "name": "Vườn trên",
        "kind": "orchard",
        "village_id": world.second_village,
        "version": "1",
        "moved_on": "2026-11-10",
    }
    assert client.get(f"/thua/{site}/sua").status_code == 200
    assert client.post(f"/thua/{site}/sua", data=form).status_code == 303
    assert "Bản Thử" in client.get(f"/thua/{site}").text
    assert client.post(f"/thua/{site}/sua", data=form).status_code == 409
    assert only(database, Site).version == 2


def test_names_and_notes_are_shown_as_text(client_of: MakeClient, database: Database, world: World) -> None:
    client = client_of(world.farmer)
    site = a_site(database, world.farmer, world.household, world.village, name="<b>Vườn</b>")
    client.post(
        f"/thua/{site}/ghi",
        data={"id": new_id(), "kind": "weeding", "day": "2026-11-19", "note": "<script>alert(1)</script>"},
    )
    page = client.get(f"/thua/{site}").text
    assert "<script>alert" not in page
    assert "<b>Vườn</b>" not in page
    assert isinstance(site, UUID)


def test_a_certifiers_finding_has_no_button_to_correct_it(
    client_of: MakeClient, database: Database, world: World
) -> None:
    site = a_site(database, world.farmer, world.household, world.village)
    own, finding = a_log(site), a_log(site, "observing")
    write(database, world.farmer, own)
    with database.transaction(SYSTEM) as session:
        session.add(
            CareLog(
                id=finding.id, organisation_id=world.household, site_id=site, kind="observing", witness="certifier",
                happened_at=clock.now(), recorded_at=clock.now(), written_by=world.official.person_id, photos=[],
                content_sha256="0",
            )
        )  # fmt: skip
    client = client_of(world.farmer)
    listed = client.get(f"/thua/{site}").text
    for log, offered in ((own, True), (finding, False)):
        address = f"/dong-nhat-ky/{log.id}/sua"
        assert (address in listed) is offered
        assert (address in client.get(f"/dong-nhat-ky/{log.id}").text) is offered
        assert client.get(address).status_code == (200 if offered else 403)
    assert count(database, CareLog) == 2


def test_a_diary_names_its_steps_in_both_languages(client_of: MakeClient, database: Database, world: World) -> None:
    site = a_site(database, world.farmer, world.household, world.village)
    write(database, world.farmer, a_log(site))
    client = client_of(world.farmer)
    assert 'data-label="Việc"' in client.get(f"/thua/{site}").text
    english = client.get(f"/thua/{site}?lang=en").text
    assert 'data-label="Step"' in english
    assert 'data-label="Action"' not in english

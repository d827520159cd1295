"""What the pages say when something is refused, and to whom they say nothing."""

from io import BytesIO
from uuid import UUID

from app.db import Database, new_id
from app.products.models import Certificate, Variant
from app.trace.models import Batch, CareLog, StockMovement, TraceCode
from tests.app.boxes import named_in_box
from tests.app.trace.desk import MakeClient, count, only
from tests.worlds.farm import World, a_log, a_pack, a_product, a_site, write


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


def test_the_box_of_a_refused_form_names_each_field_and_leads_to_it(
    client_of: MakeClient, database: Database, world: World, site: UUID, product: UUID
) -> None:
    harvest = a_log(site, "harvesting", quantity=10, unit="kg")
    write(database, world.farmer, harvest)
    client = client_of(world.manager)

    def box(path: str, data: dict[str, object]) -> list[tuple[str, str]]:
        return named_in_box(client.post(path, data=data))

    step = {"id": new_id(), "kind": "weeding", "day": "2026-11-25"}
    assert box(f"/thua/{site}/ghi", step) == [("day", "Ngày làm")]
    assert box(f"/thua/{site}/ghi", step | {"day": "2026-11-19", "quantity": "hai", "pre_harvest_days": "x"}) == [
        ("quantity", "Bao nhiêu"),
        ("pre_harvest_days", "Thời gian cách ly"),
    ]
    batch = {"id": new_id(), "product_id": product, "lot": "NA-1", "quantity": "11", "unit": "kg"}
    assert box("/lo/moi", batch) == [("sources", "Từ lần thu hoạch nào")]
    assert box("/lo/moi", batch | {"source": [harvest.id]}) == [("quantity", "Khối lượng lô")]
    assert (count(database, CareLog), count(database, Batch)) == (1, 0)
